//! The tools that deploy new versions, and the files in which an agent tells them which versions to leave out.

use backout::domain::environment::pin_rules::{FluxPin, PinField, PinRules};
use backout::domain::ids::FilePath;

use crate::support::simulated::Tree;

/// A tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Flux,
    FluxSuspend,
    ArgocdImageUpdater,
    Renovate,
    OwnField,
}

impl Tool {
    pub(super) const ALL: [Self; 5] =
        [Self::Flux, Self::FluxSuspend, Self::ArgocdImageUpdater, Self::Renovate, Self::OwnField];

    /// The rules by which the agent pins by it.
    pub(super) fn rules(self) -> PinRules {
        let none = PinRules::default();
        match self {
            Self::Flux => PinRules { flux: Some(FluxPin::Exclude), ..none },
            Self::FluxSuspend => PinRules { flux: Some(FluxPin::Suspend), ..none },
            Self::ArgocdImageUpdater => PinRules { argocd_image_updater: true, ..none },
            Self::Renovate => PinRules { renovate: true, ..none },
            Self::OwnField => {
                let field = PinField {
                    file: "pins/{service}.yaml".to_owned(),
                    key: "frozen_versions".to_owned(),
                    value: "{version}".to_owned(),
                };
                PinRules { field: Some(field), ..none }
            }
        }
    }

    /// The file in which the agent pins versions of a service.
    pub(super) fn place(self, service: &str) -> FilePath {
        let place = match self {
            Self::Flux => format!("flux/{service}.yaml"),
            Self::FluxSuspend => "flux/all.yaml".to_owned(),
            Self::ArgocdImageUpdater => format!("argocd/{service}.yaml"),
            Self::Renovate => "renovate.json".to_owned(),
            Self::OwnField => format!("pins/{service}.yaml"),
        };
        place.parse().unwrap()
    }

    /// Adds the files that the tool needs for a service.
    pub(super) fn set_up(self, service: &str, tree: &mut Tree) {
        let name = service.replace('/', "-");
        let policy = format!(
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata:\n  name: {name}\n  namespace: flux-system\nspec:\n  \
             policy:\n    semver:\n      range: '>=1.0.0' # all\n"
        );
        let text = match self {
            Self::Flux => policy,
            Self::FluxSuspend => {
                tree.insert(Self::Flux.place(service), policy.into_bytes().into());
                "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata:\n  name: all\n  namespace: flux-system\n\
                 spec:\n  interval: 5m\n  update:\n    path: ./apps\n    strategy: Setters\n"
                    .to_owned()
            }
            Self::ArgocdImageUpdater => format!(
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\n  namespace: argocd\n  annotations:\n    \
                 argocd-image-updater.argoproj.io/image-list: app=shop/{service}\nspec:\n  source:\n    path: apps/{service}\n"
            ),
            Self::Renovate => "{\n  \"packageRules\": [\n    {\"matchPackageNames\": [\"node\"], \"allowedVersions\": \"<21\"}\n  ]\n}\n"
                .to_owned(),
            Self::OwnField => "frozen_versions: []\n".to_owned(),
        };
        tree.insert(self.place(service), text.into_bytes().into());
    }

    /// The text of a service's file with the marker by which Flux finds the field.
    pub(super) fn marked(self, service: &str, text: &str) -> String {
        match self {
            Self::Flux | Self::FluxSuspend => {
                let marker =
                    format!("# {{\"$imagepolicy\": \"flux-system:{}:tag\"}}", service.replace('/', "-"));
                text.replace("# keep", &marker)
            }
            Self::ArgocdImageUpdater | Self::Renovate | Self::OwnField => text.to_owned(),
        }
    }

    /// Whether its files keep the tool from deploying a version of a service.
    pub(super) fn forbids(self, tree: &Tree, service: &str, version: &str) -> bool {
        let Some(bytes) = tree.get(&self.place(service)) else { return false };
        let text = std::str::from_utf8(bytes).unwrap();
        let bare = version.trim_start_matches('v');
        match self {
            Self::Flux => text.contains(&format!("!={bare}")),
            Self::FluxSuspend => text.contains("suspend: true"),
            Self::ArgocdImageUpdater | Self::OwnField => text.contains(version),
            Self::Renovate => text.contains(bare),
        }
    }
}
