//! What the values of release fields name: images, charts and revisions of Git repositories, and whether they are still there.

pub mod image;
pub mod named;
pub mod source;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::image::Image;
use crate::domain::ids::CommitId;
use crate::domain::schema::change::SchemaChange;

/// What a release field names. All texts come from a repository: they are untrusted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Artifact {
    /// An image in a registry.
    Image(Image),
    /// A Helm chart.
    Chart {
        /// The URL of its repository: `https://charts.example.com`, `oci://ghcr.io/team/charts`.
        repository: String,
        /// Its name.
        name: String,
        /// Its version; no range.
        version: String,
    },
    /// A revision of a Git repository.
    GitRef {
        /// The URL of the repository.
        url: String,
        /// The tag, branch or commit.
        reference: String,
    },
    /// A file, or a directory of files, in a bucket of S3 or of Google Cloud Storage: a model.
    InBucket {
        /// Whose bucket it is.
        store: BucketStore,
        /// The name of the bucket.
        bucket: String,
        /// The key of the file, or what the keys in the directory begin with, without a slash at the end.
        key: String,
    },
}

/// Whose bucket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BucketStore {
    /// Amazon S3: `s3://`.
    S3,
    /// Google Cloud Storage: `gs://`.
    Google,
}

impl BucketStore {
    /// How addresses in its buckets begin.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3://",
            Self::Google => "gs://",
        }
    }
}

impl fmt::Display for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(image) => image.fmt(f),
            Self::Chart { repository, name, version } => write!(f, "chart {name} {version} of {repository}"),
            Self::GitRef { url, reference } => write!(f, "{reference} of {url}"),
            Self::InBucket { store, bucket, key } => write!(f, "{}{bucket}/{key}", store.scheme()),
        }
    }
}

/// Whether an artifact is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "presence")]
pub enum Presence {
    /// It is, and nothing says that it is another one than before.
    Exists {
        /// The digest of what is there, where the registry says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
    /// It is not.
    Gone,
    /// Its name stands for something else now than when the service ran it.
    Moved {
        /// The digest of what ran.
        then: String,
        /// The digest of what is there now.
        now: String,
    },
    /// Nobody knows.
    NotAsked {
        /// Why.
        why: String,
    },
}

/// What was found out about an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactFinding {
    /// The artifact in words; untrusted text.
    pub artifact: String,
    /// Whether it is there.
    #[serde(flatten)]
    pub presence: Presence,
}

impl ArtifactFinding {
    /// Why the state that needs it cannot run, where that is so.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        match &self.presence {
            Presence::Gone => Some(format!("{} is gone from its registry", self.artifact)),
            Presence::Moved { then, now } => Some(format!(
                "{} is not what ran: it was {} and is {} now",
                self.artifact,
                short(then),
                short(now)
            )),
            Presence::Exists { .. } | Presence::NotAsked { .. } => None,
        }
    }

    /// Itself in one line, for people.
    #[must_use]
    pub fn line(&self) -> String {
        let name = &self.artifact;
        match &self.presence {
            Presence::Exists { digest: Some(digest) } => format!("{name} is there ({})", short(digest)),
            Presence::Exists { digest: None } => format!("{name} is there"),
            Presence::NotAsked { why } => format!("{name} was not looked up: {why}"),
            Presence::Gone | Presence::Moved { .. } => self.missing().unwrap_or_default(),
        }
    }
}

/// The beginning of a digest, enough to tell two apart: `sha256:0a1b2c3d4e5f`.
#[must_use]
pub fn short(digest: &str) -> String {
    match digest.split_once(':') {
        Some((kind, hex)) => format!("{kind}:{}", hex.chars().take(12).collect::<String>()),
        None => digest.chars().take(12).collect(),
    }
}

/// An artifact that a service ran, with what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RanArtifact {
    /// The artifact in words; untrusted text.
    pub artifact: String,
    /// The digest of what stood under that name when the deployment was judged.
    pub digest: String,
}

/// An earlier state of a service that a revert does not lead to, because what it ran is not there any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PassedOver {
    /// The commit that brought it; none for the state before the oldest change that is known.
    pub state: Option<CommitId>,
    /// What is missing, in words.
    pub why: String,
}

/// What is told and recorded about the artifacts of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactsTold {
    /// What the deployment brought, by name and version; untrusted text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub brought: Vec<String>,
    /// What of that has another name than its digest, with the digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ran: Vec<RanArtifact>,
    /// What its revert puts back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<ArtifactFinding>,
    /// The newer states that its revert does not lead to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PassedOver>,
    /// Why the labels of an image that changes places were not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
    /// What was found in the application's source between the two images, in words; untrusted text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Why the source of an image that changes places was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen_source: Option<String>,
}

impl ArtifactsTold {
    /// Itself, unless there is nothing to tell.
    #[must_use]
    pub fn unless_empty(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }

    /// What people read about where the revert leads, each a part of a sentence. Nothing where no registry is configured.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let is_silent = |one: &ArtifactFinding| matches!(&one.presence, Presence::NotAsked { why } if why == NO_REGISTRIES);
        let newer = |one: &PassedOver| {
            let state =
                one.state.map_or("an older state".to_owned(), |id| format!("the state of {}", id.short()));
            format!("{state} is passed over, as {}", one.why)
        };
        let found = self.target.iter().filter(|one| !is_silent(one)).map(ArtifactFinding::line);
        let unseen = self.unseen.iter().filter(|why| *why != NO_REGISTRIES);
        let unseen = unseen.map(|why| format!("labels of images were not looked at: {why}"));
        let sources = self.sources.iter().map(|found| format!("in the source {found}"));
        let unseen_source =
            self.unseen_source.iter().map(|why| format!("the source was not looked at: {why}"));
        self.passed_over
            .iter()
            .map(newer)
            .chain(found)
            .chain(unseen)
            .chain(sources)
            .chain(unseen_source)
            .collect()
    }
}

/// Why nothing is asked where the configuration names no registry. People are not told: they have decided so.
pub const NO_REGISTRIES: &str = "no registry is configured";

/// What the registries said about where a revert leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetArtifacts {
    /// What goes back. None before the registries were asked.
    pub findings: Option<Vec<ArtifactFinding>>,
    /// Newer states that were good otherwise.
    pub passed_over: Vec<PassedOver>,
    /// The changes of a database schema that labels of the images and the application's source show.
    pub schema: Vec<SchemaChange>,
    /// Why the labels of an image were not looked at; none where all were.
    pub unseen: Option<String>,
    /// What was found in the application's source, in words.
    pub sources: Vec<String>,
    /// Why the source of an image was not looked at; none where all were, or where none may be asked.
    pub unseen_source: Option<String>,
}

impl TargetArtifacts {
    /// Adds what was found in the source between two images, and the same in words. Images of one source, such as those of a server and its
    /// worker, say it once.
    pub fn add_source(&mut self, found: Vec<SchemaChange>, told: String) {
        if !self.sources.contains(&told) {
            self.schema.extend(found);
            self.sources.push(told);
        }
    }

    /// Itself, as it is told and recorded.
    #[must_use]
    pub fn told(&self) -> ArtifactsTold {
        ArtifactsTold {
            brought: Vec::new(),
            ran: Vec::new(),
            target: self.findings.clone().unwrap_or_default(),
            passed_over: self.passed_over.clone(),
            unseen: self.unseen.clone(),
            sources: self.sources.clone(),
            unseen_source: self.unseen_source.clone(),
        }
    }
}
