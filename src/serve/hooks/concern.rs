//! What a webhook is about, as far as it tells. None of it is believed: it only says whose next pass begins sooner.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::ids::{BranchName, RepositoryName};
use crate::serve::options::Sender;

/// What a webhook is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Concern {
    /// A branch of a repository was moved.
    Push {
        /// The repository on its server, such as `acme/environments`.
        path: String,
        /// The branch.
        branch: BranchName,
    },
    /// Something was applied from a branch.
    Applied(BranchName),
    /// Something is wrong, somewhere.
    Alert,
    /// A repository, as the configuration calls it.
    Named(RepositoryName),
    /// Everything.
    All,
    /// Nothing that the agent looks at, and why.
    Nothing(&'static str),
}

/// Reads what a webhook is about from its event, as a header names it, and its body.
///
/// # Errors
/// Where the body is not what its sender sends, in words.
pub(super) fn concern(sender: Sender, event: Option<&str>, body: &[u8]) -> Result<Concern, String> {
    match sender {
        Sender::Github | Sender::Gitea => match event {
            Some("push") => {
                let push: Push = read(body)?;
                let path = push.repository.map(|repository| repository.full_name);
                Ok(pushed(&push.r#ref, path))
            }
            Some(_) => Ok(Concern::Nothing("only pushes are looked at")),
            None => Err("no header names the event".to_owned()),
        },
        Sender::Gitlab => match event {
            Some("Push Hook" | "System Hook") => {
                let push: Push = read(body)?;
                let path = push.project.map(|project| project.path_with_namespace);
                Ok(pushed(&push.r#ref, path))
            }
            Some(_) => Ok(Concern::Nothing("only pushes are looked at")),
            None => Err("no header names the event".to_owned()),
        },
        Sender::Alertmanager => {
            let alerts: Alerts = read(body)?;
            Ok(match alerts.status.as_str() {
                "firing" => Concern::Alert,
                _ => Concern::Nothing("no alert fires"),
            })
        }
        Sender::Flux => {
            let event: FluxEvent = read(body)?;
            Ok(event.branch().map_or(Concern::All, Concern::Applied))
        }
        Sender::Generic => named(body),
    }
}

/// A push, as GitHub, Gitea, Forgejo and GitLab tell it.
#[derive(Deserialize)]
struct Push {
    #[serde(default)]
    r#ref: String,
    repository: Option<PushedRepository>,
    project: Option<PushedProject>,
}

#[derive(Deserialize)]
struct PushedRepository {
    #[serde(default)]
    full_name: String,
}

#[derive(Deserialize)]
struct PushedProject {
    #[serde(default)]
    path_with_namespace: String,
}

fn pushed(reference: &str, path: Option<String>) -> Concern {
    let Some(path) = path.filter(|path| !path.is_empty()) else {
        return Concern::Nothing("it names no repository");
    };
    let branch = reference.strip_prefix("refs/heads/").and_then(|name| BranchName::new(name).ok());
    branch.map_or(Concern::Nothing("no branch was pushed"), |branch| Concern::Push { path, branch })
}

/// What Alertmanager sends, version 4.
#[derive(Deserialize)]
struct Alerts {
    status: String,
    #[serde(rename = "alerts")]
    _alerts: Vec<IgnoredAny>,
}

/// An event of Flux's notification controller.
#[derive(Deserialize)]
struct FluxEvent {
    #[serde(rename = "involvedObject")]
    _object: IgnoredAny,
    #[serde(default)]
    metadata: std::collections::BTreeMap<String, serde_json::Value>,
}

impl FluxEvent {
    /// The branch of the revision that it is about: `main@sha1:1a2b…`, under a key such as
    /// `kustomize.toolkit.fluxcd.io/revision`.
    fn branch(&self) -> Option<BranchName> {
        let is_revision = |key: &str| key == "revision" || key.ends_with("/revision");
        let revision = self.metadata.iter().find(|(key, _)| is_revision(key))?.1.as_str()?;
        BranchName::new(revision.rsplit_once('@')?.0).ok()
    }
}

/// What anybody may send: nothing, or JSON that may name a repository.
#[derive(Deserialize)]
struct Named {
    repository: Option<String>,
}

fn named(body: &[u8]) -> Result<Concern, String> {
    if body.trim_ascii().is_empty() {
        return Ok(Concern::All);
    }
    let named: Named = read(body)?;
    match named.repository {
        None => Ok(Concern::All),
        Some(name) => {
            RepositoryName::new(&name).map(Concern::Named).map_err(|error| format!("repository: {error}"))
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not what is expected: {error}"))
}
