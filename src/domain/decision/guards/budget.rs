//! The guard `budget`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, GoneRevert, Guard, Situation};
use crate::domain::environment::policy::Budget;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::CommitId;
use crate::domain::time::{Time, human_secs};

/// What the guard `budget` looks at: how many reverts the agent made in the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetFacts {
    /// How many it made in the window. What a person asked for does not count, and what was taken off the branch does. Services of a
    /// group that went back together, by one commit or one after another, count once.
    pub used: usize,
    /// How many it may make.
    pub max_reverts: u32,
    /// The window, in seconds.
    pub window_secs: u32,
}

/// How many reverts the agent has made within the budget's window, of these on the branch or under way and of those that somebody has taken
/// off it. What a person asked for does not count. Services of a group that went back together, by one commit or one after another, count once.
#[must_use]
pub fn used_of_budget(budget: Budget, now: Time, reverts: &[RevertEntry], gone: &[GoneRevert]) -> usize {
    let window = i64::from(budget.window_secs);
    let is_first = |entry: &RevertEntry| {
        let is_it = |other: &&RevertEntry| Some(&other.service) == entry.together_with.as_ref();
        !reverts.iter().filter(is_it).any(|other| other.commit == entry.commit)
            && !reverts.iter().any(|other| entry.follows(other))
    };
    let in_window =
        |entry: &&RevertEntry| !entry.requested && now.secs_since(entry.at) < window && is_first(entry);
    // What was taken off the branch was made all the same.
    let is_new = |one: &&GoneRevert| reverts.iter().all(|entry| entry.commit != one.commit);
    let gone = gone.iter().filter(is_new).filter(|one| now.secs_since(one.at) < window);
    let gone = gone.map(|one| one.commit).collect::<BTreeSet<CommitId>>().len();
    reverts.iter().filter(in_window).count() + gone
}

impl Guard for BudgetFacts {
    const REASON: &'static str = "An agent that is wrong once may be wrong again. The budget bounds what it can do before a person looks.";

    fn collect(_: &Case<'_>, situation: &Situation<'_>) -> Self {
        Self {
            used: used_of_budget(situation.budget, situation.now, situation.reverts, situation.gone),
            max_reverts: situation.budget.max_reverts,
            window_secs: situation.budget.window_secs,
        }
    }

    fn answer(&self) -> Option<Decision> {
        let max = self.max_reverts;
        (self.used >= usize::try_from(max).unwrap_or(usize::MAX)).then(|| {
            let window = human_secs(self.window_secs.into());
            let reverts = if max == 1 { "1 revert".to_owned() } else { format!("{max} reverts") };
            Decision::Escalate(format!("the budget of {reverts} in {window} is used up"))
        })
    }
}
