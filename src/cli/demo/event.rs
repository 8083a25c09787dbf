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
    /// The repo is made, and the metrics are served.
    Started { directory: String, metrics: String },
    /// A version went out.
    Deployed { service: String, from: String, to: String, files: String, by: String, commit: CommitId },
    /// A commit that deploys nothing.
    Edited { service: String, subject: String, by: String, commit: CommitId },
    /// Something outside of the repo.
    Aside { text: String },
    /// The agent took a deployment back.
    Reverted {
        service: String,
        version: String,
        deployment: CommitId,
        revert: CommitId,
        reason: String,
        diff: String,
    },
    /// The agent calls a person.
    Escalated { service: String, version: String, deployment: CommitId, reason: String, why: String },
    /// The agent has judged and leaves the deployment alone.
    LeftAlone { service: String, version: String, deployment: CommitId, verdict: String, reason: String },
    /// The effect of a revert is known.
    Recovery {
        service: String,
        revert: CommitId,
        outcome: Recovery,
        reason: String,
        #[serde(skip)]
        chart: Option<Charted>,
    },
    /// A last pass over the same state.
    Quiet,
    /// The end: the story came out as told.
    Finished { counts: Counts, directory: String, example: CommitId },
}

/// A signal as a chart.
#[derive(Clone, Debug)]
pub(super) struct Charted {
    pub(super) signal: String,
    pub(super) lines: Vec<String>,
}

/// How many deployments there were, and what became of them.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Counts {
    pub(super) deployments: usize,
    pub(super) reverted: usize,
    pub(super) escalated: usize,
    pub(super) healthy: usize,
    pub(super) left_alone: usize,
}

impl Counts {
    pub(super) fn of(events: &[Event]) -> Self {
        let count = |is: fn(&What) -> bool| events.iter().filter(|event| is(&event.what)).count();
        let healthy = count(|what| what.outcome().is_some_and(|(_, outcome)| outcome == "healthy"));
        Self {
            deployments: count(|what| matches!(what, What::Deployed { .. })),
            reverted: count(|what| matches!(what, What::Reverted { .. })),
            escalated: count(|what| matches!(what, What::Escalated { .. })),
            healthy,
            left_alone: count(|what| matches!(what, What::LeftAlone { .. })) - healthy,
        }
    }
}

impl What {
    /// The deployment that this took back and the commit that did, if it is a revert.
    pub(super) fn reverted(&self) -> Option<(CommitId, CommitId)> {
        if let Self::Reverted { deployment, revert, .. } = self { Some((*deployment, *revert)) } else { None }
    }

    /// The service and the outcome in two words, where the agent came to one.
    pub(super) fn outcome(&self) -> Option<(&str, &str)> {
        match self {
            Self::Reverted { service, .. } => Some((service, "reverted")),
            Self::Escalated { service, .. } => Some((service, "escalated")),
            Self::LeftAlone { service, verdict, .. } => Some((service, verdict)),
            Self::Recovery { service, outcome: Recovery::Recovered, .. } => Some((service, "recovered")),
            Self::Recovery { service, .. } => Some((service, "not recovered")),
            Self::Started { .. }
            | Self::Deployed { .. }
            | Self::Edited { .. }
            | Self::Aside { .. }
            | Self::Quiet
            | Self::Finished { .. } => None,
        }
    }
}
