//! The guard `watch window`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::stack::last_of;
use crate::domain::decision::types::{Case, Decision, Guard, LATE_SECS, Situation};
use crate::domain::time::human_secs;

/// What the guard `watch window` looks at: how long ago the deployment landed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WatchWindowFacts {
    /// How long ago it landed, in seconds.
    pub age_secs: i64,
    /// How long ago the last deployment landed that replaced it and for which it waited, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_secs: Option<i64>,
    /// How long a deployment is watched, in seconds.
    pub watch_secs: u32,
}

impl Guard for WatchWindowFacts {
    const REASON: &'static str = "What was found long after a deployment landed is weak evidence against it, and people may have built on it since.";
    const BY_TIME: bool = true;

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        // What was replaced waited until the watch window of what replaced it was over.
        let last = last_of(case.deployment, situation);
        let waited_for = situation.watched.iter().find(|other| Some(&other.id) == last);
        Self {
            age_secs: situation.now.secs_since(case.deployment.at),
            replaced_secs: waited_for.map(|later| situation.now.secs_since(later.at)),
            watch_secs: case.policy.watch_secs,
        }
    }

    fn answer(&self) -> Option<Decision> {
        let waited = self.replaced_secs.unwrap_or(self.age_secs);
        (waited > i64::from(self.watch_secs) + LATE_SECS).then(|| {
            let age = human_secs(self.age_secs);
            Decision::Escalate(format!(
                "it was deployed {age} ago and its watch window is over: too late to act alone"
            ))
        })
    }
}
