//! What a pin is, and how it stands in a trailer.

use std::fmt;

use crate::domain::history::trailers::trailer_value;
use crate::domain::ids::FilePath;

/// The tool that a pin stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// The semver range of Flux's `ImagePolicy`.
    FluxExclude,
    /// `suspend` of Flux's `ImageUpdateAutomation`.
    FluxSuspend,
    /// The annotation `ignore-tags` of Argo CD Image Updater.
    ArgocdImageUpdater,
    /// A rule in Renovate's configuration.
    Renovate,
    /// A field of the user's own.
    OwnField,
}

impl Mechanism {
    const ALL: [Self; 5] =
        [Self::FluxExclude, Self::FluxSuspend, Self::ArgocdImageUpdater, Self::Renovate, Self::OwnField];

    /// Its name in a trailer.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FluxExclude => "flux-exclude",
            Self::FluxSuspend => "flux-suspend",
            Self::ArgocdImageUpdater => "argocd-image-updater",
            Self::Renovate => "renovate",
            Self::OwnField => "field",
        }
    }

    /// Who obeys it, in words.
    #[must_use]
    pub fn tool(self) -> &'static str {
        match self {
            Self::FluxExclude | Self::FluxSuspend => "Flux",
            Self::ArgocdImageUpdater => "Argo CD Image Updater",
            Self::Renovate => "Renovate",
            Self::OwnField => "the tool that reads the field",
        }
    }
}

/// Why there is no pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPin {
    /// The tool leaves the versions out already.
    Already,
    /// It is not sure what to write where.
    Unsure(String),
}

/// An edit of a file that keeps versions out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// The tool that it stops.
    pub mechanism: Mechanism,
    /// The file.
    pub path: FilePath,
    /// The place in the file, as the tool knows it: `flux-system/web`, the name of a package, the address of a field.
    pub object: String,
    /// What is kept out.
    pub versions: Vec<String>,
}

impl Pin {
    /// The pin in a trailer, which has no spaces but those that are written here.
    #[must_use]
    pub fn to_trailer(&self) -> String {
        self.to_string()
    }

    /// The pin that a trailer names.
    #[must_use]
    pub fn of_trailer(value: &str) -> Option<Self> {
        let (name, rest) = value.split_once(' ')?;
        let (versions, rest) = rest.split_once(" in ")?;
        let (path, object) = rest.split_once(": ")?;
        let pin = Self {
            mechanism: Mechanism::ALL.into_iter().find(|one| one.name() == name)?,
            path: FilePath::new(path).ok()?,
            object: object.to_owned(),
            versions: versions.split(',').map(str::to_owned).collect(),
        };
        Some(pin).filter(|pin| !pin.object.is_empty() && pin.to_string() == value)
    }

    /// Whether its trailer can be read back.
    #[must_use]
    pub fn is_told_in_full(&self) -> bool {
        let value = trailer_value(&self.to_trailer());
        Self::of_trailer(&value).as_ref() == Some(self)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions = self.versions.join(",");
        write!(f, "{} {versions} in {}: {}", self.mechanism.name(), self.path, self.object)
    }
}
