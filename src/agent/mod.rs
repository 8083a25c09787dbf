//! One pass, and the loop around it.
//!
//! This is the shell: it calls the ports and the rules of [`crate::domain`] and has no rules of its own. It never names
//! an adapter, and never prints.

mod announce;
mod apply;
pub mod check;
mod controls;
mod current;
mod deliver;
mod follow;
mod gather;
mod judging;
mod pass;
mod proposal;
mod recover;
mod report;
pub mod request;
mod review;
mod run;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::domain::environment::Environment;
use crate::domain::ids::SourceName;
use crate::domain::time::Time;
use crate::ports::{Clock, Forge, MetricSource, Repository, RepositoryError};

pub use deliver::DeliveryError;
pub use pass::{Intent, fetch, pass};
pub use report::{EnvironmentReport, Item, Outcome, PassReport, Recovered, Reviewed};
pub use run::{run, wait_for};

/// Everything that a pass works with.
#[derive(Clone)]
pub struct World {
    /// The environment repo.
    pub repository: Arc<dyn Repository>,
    /// The forge on which pull requests are opened, if there is one.
    pub forge: Option<Arc<dyn Forge>>,
    /// The metric sources, by name.
    pub sources: BTreeMap<SourceName, Arc<dyn MetricSource>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What is watched.
    pub environments: Vec<Arc<Environment>>,
    /// SHA-256 of the configuration, for records.
    pub config: String,
}

/// Asks a pass to end soon: no new work is begun, looking and asking are given up, and a change that was begun is
/// finished.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    /// Asks for the end.
    pub fn set(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.0.load(Ordering::SeqCst)
    }

    /// Waits until the end is asked for.
    pub async fn wait(&self) {
        let notified = self.0.1.notified();
        if !self.is_set() {
            notified.await;
        }
    }

    /// What comes of work that changes nothing; none when the end is asked for before it is done.
    pub async fn unless_set<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.wait() => None,
        }
    }
}

/// Runs blocking work on the repository off the async threads.
/// So many of a list; where there are more, each pass begins elsewhere, so that none waits for ever.
fn in_turn<T>(mut list: Vec<T>, limit: usize, now: Time) -> impl Iterator<Item = T> {
    let turn = usize::try_from(now.unix().unsigned_abs() / 60).unwrap_or(0);
    let first = turn.checked_rem(list.len()).filter(|_| list.len() > limit).unwrap_or(0);
    list.rotate_left(first);
    list.into_iter().take(limit)
}

async fn blocking<T, E>(
    repository: &Arc<dyn Repository>,
    work: impl FnOnce(&dyn Repository) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<RepositoryError> + Send + 'static,
{
    let repository = Arc::clone(repository);
    match tokio::task::spawn_blocking(move || work(repository.as_ref())).await {
        Ok(result) => result,
        Err(crash) => {
            Err(RepositoryError::Broken(format!("work on the repository was cut short: {crash}")).into())
        }
    }
}
