//! The guard `oscillation`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, Situation};
use crate::domain::history::automation::is_automation;
use crate::domain::ids::CommitId;

/// How many returns are an oscillation, where a person made one of them. Who rolls back and deploys again has made two: that is a
/// decision, and what comes of it is judged like any other deployment. Whoever goes on is in a dispute.
const MAX_RETURNS: usize = 3;

/// The same where machines made all of them: `A→B→A→B`. No machine decides anything by going back and forth: two of them fight, and
/// a revert would be one more step of that.
const MAX_RETURNS_OF_MACHINES: usize = 2;

/// The most returns that are kept, and named.
const MAX_KEPT: usize = 10;

/// What the guard `oscillation` looks at: whether the versions of the service go back and forth without the agent.
///
/// A return is a change that brings back nothing but versions that ran before and had been replaced. These are no oscillation:
/// one rollback (one return); a rollback and the version again, where a person did one of the two (two returns); a canary that
/// is bumped, or a service that moves on to a new version (no return: its versions are new); a slot that is switched (no version);
/// and what a revert of the agent has put an end to, of which the guard `quarantine` has the say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OscillationFacts {
    /// The returns of the same fields in the time of the quarantine, newest first: the deployment, and those before it back to the
    /// last revert of the agent. At most ten. Empty where the deployment brings something new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<ReturnOfValues>,
}

/// A change that brought back what had run before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReturnOfValues {
    /// The commit.
    pub commit: CommitId,
    /// Whether a machine made it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_automation: bool,
}

impl Guard for OscillationFacts {
    const REASON: &'static str = "Where versions go back and forth, people or machines do not agree on what is to run. A revert would only be one more step.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, _: &Situation<'_>) -> Self {
        let returns = case.returns.iter().take(MAX_KEPT).map(|one| ReturnOfValues {
            commit: one.commit,
            is_automation: is_automation(&one.author, &case.policy.automation),
        });
        Self { returns: returns.collect() }
    }

    fn answer(&self) -> Option<Decision> {
        let by_machines = self.returns.iter().all(|one| one.is_automation);
        let max = if by_machines { MAX_RETURNS_OF_MACHINES } else { MAX_RETURNS };
        (self.returns.len() >= max).then(|| {
            let commits: Vec<String> = self.returns.iter().map(|one| one.commit.short()).collect();
            Decision::Escalate(format!(
                "its versions go back and forth without the agent: each of {} brought back what ran before: settle first what is \
                 to run",
                commits.join(", ")
            ))
        })
    }
}
