//! What holds the agent back in an environment at one moment: pauses and freeze windows.

use serde::Serialize;

use super::freeze::{Freeze, Frozen, frozen};
use super::pause::Pause;
use crate::domain::ids::{EnvironmentName, ServiceName};
use crate::domain::time::Time;

/// The pauses that were found, of all environments of a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pauses {
    /// Those that can be read, whether they are over or not.
    pub all: Vec<Pause>,
    /// What cannot be read, in words. Who wrote it may have wanted the agent to stop.
    pub unclear: Option<String>,
}

/// What holds the agent back in an environment at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Brakes {
    /// The pauses that hold, of the environment and of its services.
    pub pauses: Vec<Pause>,
    /// Why the environment counts as paused although nobody can say whether it is.
    pub unclear: Option<String>,
    /// The freeze window that is open.
    pub frozen: Option<Frozen>,
}

impl Brakes {
    /// What holds in an environment.
    #[must_use]
    pub fn of(environment: &EnvironmentName, freezes: &[Freeze], found: &Pauses, now: Time) -> Self {
        let holds = |pause: &&Pause| pause.environment == *environment && pause.is_open(now);
        Self {
            pauses: found.all.iter().filter(holds).cloned().collect(),
            unclear: found.unclear.clone(),
            frozen: frozen(freezes, now),
        }
    }

    /// Whether nothing holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pauses.is_empty() && self.unclear.is_none() && self.frozen.is_none()
    }

    /// Why a service is paused, in words: `paused until … by …: …`. Of several pauses the one that ends last counts.
    #[must_use]
    pub fn paused(&self, service: &ServiceName) -> Option<String> {
        let is_of = |pause: &&Pause| pause.service.as_ref().is_none_or(|own| own == service);
        let last = self.pauses.iter().filter(is_of).max_by_key(|pause| pause.until).map(Pause::to_string);
        last.or_else(|| {
            self.unclear.as_ref().map(|what| format!("paused until a person has mended it: {what}"))
        })
    }

    /// Each brake in a sentence, for a report.
    #[must_use]
    pub fn lines(&self, environment: &EnvironmentName) -> Vec<String> {
        let pauses = self.pauses.iter().map(|pause| format!("{} is {pause}", pause.what()));
        let unclear = self.unclear.iter().map(|what| format!("{environment} counts as paused: {what}"));
        let frozen =
            self.frozen.iter().map(|frozen| format!("{environment} is {frozen}: reverts are only proposed"));
        pauses.chain(unclear).chain(frozen).collect()
    }
}
