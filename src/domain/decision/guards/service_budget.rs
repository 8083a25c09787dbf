//! The guard `service budget`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, GoneRevert, Guard, Situation};
use crate::domain::ids::ServiceName;
use crate::domain::time::{Time, human_secs};

/// What the guard `service budget` looks at: how many reverts the agent made of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceBudgetFacts {
    /// The budget and what is used of it; none where no budget of the service is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetOfService>,
}

/// The budget of a service, and what is used of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetOfService {
    /// The service.
    pub service: ServiceName,
    /// How many reverts of it the agent made in the window. What a person asked for does not count, and what was taken off the
    /// branch does.
    pub used: usize,
    /// From how many on the agent only proposes.
    pub max_reverts: u32,
    /// The window, in seconds.
    pub window_secs: u32,
    /// When so many of them are out of the window that the agent reverts the service by itself again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

impl BudgetOfService {
    fn max(&self) -> usize {
        usize::try_from(self.max_reverts).unwrap_or(usize::MAX)
    }
}

impl Guard for ServiceBudgetFacts {
    const REASON: &'static str = "A service that goes back again and again has a cause that no revert mends, or a signal that is wrong about it.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        let Some(budget) = case.policy.service_budget else { return Self::default() };
        let service = &case.deployment.service;
        let window = i64::from(budget.window_secs);
        let own = situation.reverts.iter().filter(|entry| entry.service == *service && !entry.requested);
        let is_new = |one: &&GoneRevert| situation.reverts.iter().all(|entry| entry.commit != one.commit);
        let gone = situation.gone.iter().filter(|one| one.service == *service).filter(is_new);
        let mut times: Vec<Time> = own.map(|entry| entry.at).chain(gone.map(|one| one.at)).collect();
        times.retain(|at| situation.now.secs_since(*at) < window);
        times.sort_unstable();
        let mut used = BudgetOfService {
            service: service.clone(),
            used: times.len(),
            max_reverts: budget.max_reverts,
            window_secs: budget.window_secs,
            until: None,
        };
        // When this one is out of the window, one fewer than allowed is in it.
        let last = times.len().checked_sub(used.max().max(1)).and_then(|place| times.get(place));
        used.until = last.map(|at| at.plus_secs(window));
        Self { budget: Some(used) }
    }

    fn answer(&self) -> Option<Decision> {
        let budget = self.budget.as_ref()?;
        (budget.used >= budget.max()).then_some(Decision::Propose)
    }

    fn doubt(&self) -> Option<String> {
        let budget = self.budget.as_ref()?;
        let times = if budget.used == 1 { "once".to_owned() } else { format!("{} times", budget.used) };
        let until = budget.until.map(|until| format!(" until {until}")).unwrap_or_default();
        Some(format!(
            "{} was reverted {times} in the last {}: the agent only proposes a revert of it{until}",
            budget.service,
            human_secs(budget.window_secs.into())
        ))
    }
}
