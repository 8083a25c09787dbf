//! What became of the same artifact in another environment. It decides nothing here: what did harm there may do none here, and what ran
//! well there proves nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::artifact::Artifact;
use crate::domain::artifact::image::{Image, ImageVersion};
use crate::domain::ids::{CommitId, EnvironmentName, ServiceName, SignalName};
use crate::domain::time::Time;

/// What became of an artifact in another environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Precedent {
    /// The environment.
    pub environment: EnvironmentName,
    /// The service that ran it there.
    pub service: ServiceName,
    /// The deployment that brought it there.
    pub deployment: CommitId,
    /// The artifact in words; untrusted text.
    pub artifact: String,
    /// When that was found out.
    pub at: Time,
    /// What became of it.
    #[serde(flatten)]
    pub became: Became,
}

/// What became of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "became")]
pub enum Became {
    /// The service got worse with it.
    Bad {
        /// The signals that got worse, as far as they are known.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        signals: Vec<SignalName>,
        /// The agent's revert, where there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revert: Option<CommitId>,
    },
    /// The service was found healthy with it.
    Healthy,
}

impl Precedent {
    /// Whether the artifact is known as bad.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        matches!(self.became, Became::Bad { .. })
    }

    /// What became of it, in a sentence for people; `day` by day is enough.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { environment, service, deployment, artifact, at, became } = self;
        let (day, deployment) = (at.day(), deployment.short());
        match became {
            Became::Bad { signals, revert } => {
                let signals: Vec<&str> = signals.iter().map(SignalName::as_str).collect();
                let what = if signals.is_empty() { "it".to_owned() } else { signals.join(" and ") };
                let revert =
                    revert.map(|revert| format!(", reverted by {}", revert.short())).unwrap_or_default();
                format!(
                    "known as bad from {environment}, where {what} got worse on {day} ({service} {deployment}{revert}): {artifact}"
                )
            }
            Became::Healthy => format!(
                "healthy in {environment} on {day}, which proves nothing here ({service} {deployment}): {artifact}"
            ),
        }
    }
}

/// An artifact of which it is known what became of it in an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownArtifact {
    /// The digest that it had there, where that is known.
    pub digest: Option<String>,
    /// What became of it.
    pub precedent: Precedent,
}

impl KnownArtifact {
    /// Whether an artifact is this one, by what is written of both: it has the same name and version, or the digest that this one had. A
    /// tag may have been moved in between: a registry knows.
    #[must_use]
    pub fn is(&self, other: &Artifact) -> bool {
        if other.to_string() == self.precedent.artifact {
            return true;
        }
        let (Artifact::Image(other), Some(own)) = (other, Image::parse(&self.precedent.artifact)) else {
            return false;
        };
        let digest = match &own.version {
            ImageVersion::Digest(digest) => Some(digest),
            ImageVersion::Tag(_) => self.digest.as_ref(),
        };
        own.name() == other.name()
            && matches!(&other.version, ImageVersion::Digest(other) if Some(other) == digest)
    }
}

impl KnownArtifact {
    /// Whether another artifact is a version of the same thing, as far as names tell.
    #[must_use]
    pub fn has_name_of(&self, other: &Artifact) -> bool {
        match (other, Image::parse(&self.precedent.artifact)) {
            (Artifact::Image(other), Some(own)) => own.name() == other.name(),
            (
                Artifact::Image(_)
                | Artifact::Chart { .. }
                | Artifact::GitRef { .. }
                | Artifact::InBucket { .. },
                _,
            ) => self.is(other),
        }
    }
}

/// Of what is known of one environment, the newest of each artifact: what is found out later counts.
#[must_use]
pub fn newest_of_each(mut known: Vec<KnownArtifact>) -> Vec<KnownArtifact> {
    known.sort_by_key(|one| (one.precedent.artifact.clone(), std::cmp::Reverse(one.precedent.at)));
    known.dedup_by(|later, newer| later.precedent.artifact == newer.precedent.artifact);
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(artifact: &str, digest: Option<&str>, at: i64, became: Became) -> KnownArtifact {
        let precedent = Precedent {
            environment: EnvironmentName::new("staging").unwrap(),
            service: ServiceName::new("web").unwrap(),
            deployment: CommitId::from_bytes([7; 20]),
            artifact: artifact.to_owned(),
            at: Time::from_unix(at),
            became,
        };
        KnownArtifact { digest: digest.map(str::to_owned), precedent }
    }

    fn bad() -> Became {
        Became::Bad { signals: vec![SignalName::new("errors").unwrap()], revert: None }
    }

    #[test]
    fn an_artifact_is_told_by_its_name_and_version_or_by_its_digest() {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let (one, other) = (digest("1"), digest("2"));
        let pinned = |digest: &str| format!("ghcr.io/shop/web@{digest}");
        for (known_as, known_digest, now, expected) in [
            ("ghcr.io/shop/web:v2", None, "ghcr.io/shop/web:v2".to_owned(), true),
            ("ghcr.io/shop/web:v2", None, "ghcr.io/shop/web:v3".to_owned(), false),
            ("ghcr.io/shop/web:v2", None, "ghcr.io/shop/api:v2".to_owned(), false),
            ("ghcr.io/shop/web:v2", None, "quay.io/shop/web:v2".to_owned(), false),
            ("ghcr.io/shop/web:v2", None, pinned(&one), false),
            ("ghcr.io/shop/web:v2", Some(&one), pinned(&one), true),
            ("ghcr.io/shop/web:v2", Some(&one), pinned(&other), false),
            (&pinned(&one), None, pinned(&one), true),
            (&pinned(&one), None, pinned(&other), false),
            (&pinned(&one), None, "ghcr.io/shop/web:v2".to_owned(), false),
            ("anything at all", None, pinned(&one), false),
        ] {
            let known = known(known_as, known_digest.map(String::as_str), 0, bad());
            let now = Artifact::Image(Image::parse(&now).unwrap());
            assert_eq!(known.is(&now), expected, "{known_as} {now}");
        }
    }

    #[test]
    fn what_is_found_out_later_counts() {
        let all = vec![
            known("a", None, 1, bad()),
            known("a", None, 3, Became::Healthy),
            known("b", None, 2, Became::Healthy),
            known("b", None, 5, bad()),
        ];
        let newest = newest_of_each(all);
        let told: Vec<(&str, bool)> =
            newest.iter().map(|one| (one.precedent.artifact.as_str(), one.precedent.is_bad())).collect();
        assert_eq!(told, [("a", false), ("b", true)]);
    }

    #[test]
    fn it_is_told_in_a_sentence() {
        let day = 86_400 * 365;
        let one = known("ghcr.io/shop/web:v2", None, day, bad()).precedent;
        assert_eq!(
            one.line(),
            "known as bad from staging, where errors got worse on 1971-01-01 (web 0707070707): ghcr.io/shop/web:v2"
        );
        let one = known("ghcr.io/shop/web:v2", None, day, Became::Healthy).precedent;
        assert_eq!(
            one.line(),
            "healthy in staging on 1971-01-01, which proves nothing here (web 0707070707): ghcr.io/shop/web:v2"
        );
    }
}
