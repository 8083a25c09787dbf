//! What happens, as values: printed for people or as JSON, and compared with what should happen.

use serde::Serialize;

use crate::domain::ids::CommitId;
use crate::domain::time::Time;
use crate::record::Recovery;

/// Something that happened, with its time in the story.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Event {
    pub(super) at: Time,
    #[serde(flatten)]
    pub(super) what: What,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub(super) enum What {
    /// A version went out.
    Deployed { service: String, from: String, to: String, files: String, by: String, commit: CommitId },
    /// A commit that deploys nothing.
    Edited { service: String, subject: String, by: String, commit: CommitId },
    /// Something outside of the repo.
    Aside { text: String },
    /// The agent took a deployment back.
    Reverted { service: String, deployment: CommitId, revert: CommitId, reason: String, diff: String },
    /// The agent calls a person.
    Escalated { service: String, deployment: CommitId, reason: String, why: String },
    /// The agent has judged and leaves the deployment alone.
    LeftAlone { service: String, deployment: CommitId, verdict: String, reason: String },
    /// The effect of a revert is known.
    Recovery {
        service: String,
        revert: CommitId,
        outcome: Recovery,
        reason: String,
        #[serde(skip)]
        chart: Vec<String>,
    },
    /// A last pass over the same state.
    Quiet,
    /// The end: the story came out as told.
    Finished { reverts: usize, escalations: usize, left_alone: usize, directory: String },
}

impl What {
    /// The service and the outcome in two words, where the agent came to one.
    pub(super) fn outcome(&self) -> Option<(&str, &str)> {
        match self {
            Self::Reverted { service, .. } => Some((service, "reverted")),
            Self::Escalated { service, .. } => Some((service, "escalated")),
            Self::LeftAlone { service, verdict, .. } => Some((service, verdict)),
            Self::Recovery { service, outcome: Recovery::Recovered, .. } => Some((service, "recovered")),
            Self::Recovery { service, .. } => Some((service, "not recovered")),
            Self::Deployed { .. }
            | Self::Edited { .. }
            | Self::Aside { .. }
            | Self::Quiet
            | Self::Finished { .. } => None,
        }
    }
}
