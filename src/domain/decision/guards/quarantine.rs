//! The guard `quarantine`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::stack::quarantined_by;
use crate::domain::decision::types::{Case, Decision, Guard, MAX_NAME, Situation};
use crate::domain::history::automation::is_automation;
use crate::domain::ids::CommitId;
use crate::domain::text::one_line;

/// How often the same value is backed out before a person must settle it.
const MAX_REVERTS_OF_A_VALUE: usize = 2;

/// The most pins that are named.
const MAX_PINS: usize = 5;

/// What the guard `quarantine` looks at: how often what the deployment brings was backed out, and who brings it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuarantineFacts {
    /// How many reverts of this deployment somebody has taken off the branch …
    pub taken_off: usize,
    /// … and the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_taken_off: Option<CommitId>,
    /// How many reverts in the time of the quarantine backed out a value that it brings …
    pub reverts: usize,
    /// … and the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_revert: Option<CommitId>,
    /// The name of who brings the value back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Whether that is a machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_automation: bool,
    /// The pins that keep the value out and are still there as the reverts wrote them, each in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<String>,
}

impl Guard for QuarantineFacts {
    const REASON: &'static str = "A value that was backed out is bad until a person says otherwise. A machine that keeps putting it back must be stopped \
         first.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        let own = case.deployment;
        let taken_off: Vec<CommitId> =
            situation.gone.iter().filter(|one| one.id == own.id).map(|one| one.commit).collect();
        let before = quarantined_by(case, situation);
        let is_back = !before.is_empty();
        Self {
            taken_off: taken_off.len(),
            last_taken_off: taken_off.last().copied(),
            reverts: before.len(),
            last_revert: before.first().copied(),
            author: is_back.then(|| one_line(&own.author.name, MAX_NAME)),
            is_automation: is_back && is_automation(&own.author, &case.policy.automation),
            pins: before
                .iter()
                .filter_map(|revert| situation.pins.get(revert))
                .flatten()
                .take(MAX_PINS)
                .cloned()
                .collect(),
        }
    }

    fn answer(&self) -> Option<Decision> {
        if self.taken_off >= MAX_REVERTS_OF_A_VALUE {
            return Some(Decision::Escalate(format!(
                "somebody took its reverts off the branch {} times (last {}): settle first what is to run",
                self.taken_off,
                self.last_taken_off.map(|last| last.short()).unwrap_or_default()
            )));
        }
        let last = self.last_revert?.short();
        let author = self.author.as_deref().unwrap_or_default();
        // A person who puts it back means it: the guard `override` sees to that.
        (self.is_automation && self.reverts >= MAX_REVERTS_OF_A_VALUE).then(|| {
            let what = format!("the automation {author} keeps putting back what was reverted {} times", self.reverts);
            Decision::Escalate(match self.pins.as_slice() {
                [] => format!("{what} (last by {last}): stop it first"),
                pins => format!(
                    "{what} (last by {last}), although it is pinned ({}): find out why {author} does not obey that, and stop it first",
                    pins.join("; ")
                ),
            })
        })
    }
}
