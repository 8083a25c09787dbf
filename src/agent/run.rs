//! The loop around the pass: one for each estate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::look::context::Intent;
use super::pass::pass_estate;
use super::report::PassReport;
use super::world::{Estate, Stop, World};
use crate::domain::ids::RepositoryName;
use crate::ports::RepositoryError;

/// How many reports wait to be seen before a loop waits too.
const UNSEEN: usize = 16;

/// How long an estate rests after a pass before a wake begins the next one, in seconds. Wakes that come meanwhile are one.
const REST_SECS: u64 = 1;

/// Wakes the loops of estates before their time.
#[derive(Clone, Debug, Default)]
pub struct Wakes(BTreeMap<RepositoryName, Arc<Notify>>);

impl Wakes {
    /// For all estates of a world.
    #[must_use]
    pub fn of(world: &World) -> Self {
        Self(world.estates.iter().map(|estate| (estate.name.clone(), Arc::default())).collect())
    }

    /// Has an estate's next pass begin as soon as it has rested. Where a pass is under way, one more follows it.
    pub fn wake(&self, estate: &RepositoryName) {
        if let Some(waiting) = self.0.get(estate) {
            waiting.notify_one();
        }
    }

    /// Waits until an estate is woken; for ever where it is not among these.
    async fn wait(&self, estate: &RepositoryName) {
        match self.0.get(estate) {
            Some(waiting) => waiting.notified().await,
            None => std::future::pending().await,
        }
    }
}

/// Passes over each estate, one after the other, until asked to stop. An estate's passes are `interval_secs` apart (with a
/// tenth of jitter, so that agents do not march in step) unless it is woken, and no estate waits for another. Each pass is handed to
/// `seen` with its estate. A pass that fails is tried again at the next turn.
pub async fn run(
    world: &World,
    interval_secs: u32,
    (stop, wakes): (&Stop, &Wakes),
    mut seen: impl FnMut(&Estate, Result<PassReport, RepositoryError>),
) {
    let (reports, mut unseen) = mpsc::channel(UNSEEN);
    let mut loops = JoinSet::new();
    for estate in &world.estates {
        let (world, estate, stop) = (world.clone(), Arc::clone(estate), stop.clone());
        let (reports, wakes) = (reports.clone(), wakes.clone());
        loops.spawn(async move {
            while !stop.is_set() {
                // A pass that panics ends alone, and is tried again like one that fails.
                let one = {
                    let (world, estate, stop) = (world.clone(), Arc::clone(&estate), stop.clone());
                    tokio::spawn(async move { pass_estate(&world, &estate, Intent::Act, &stop).await })
                };
                let report = one.await.unwrap_or_else(|crash| {
                    Err(RepositoryError::Broken(format!("the pass was cut short: {crash}")))
                });
                if reports.send((Arc::clone(&estate), report)).await.is_err() {
                    return;
                }
                wait_for(Duration::from_secs(REST_SECS), &stop).await;
                let rest_ms = u64::from(interval_secs).saturating_sub(REST_SECS) * 1_000;
                let jitter_ms = fastrand::u64(0..=u64::from(interval_secs) * 100);
                tokio::select! {
                    () = wait_for(Duration::from_millis(rest_ms + jitter_ms), &stop) => {}
                    () = wakes.wait(&estate.name) => {}
                }
            }
        });
    }
    drop(reports);
    while let Some((estate, report)) = unseen.recv().await {
        seen(&estate, report);
    }
}

/// Waits, or less long when the end is asked for.
pub async fn wait_for(time: Duration, stop: &Stop) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stop.wait() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wake_is_kept_until_somebody_waits_and_many_are_one() {
        let name = |text: &str| RepositoryName::new(text).unwrap();
        let wakes = Wakes(BTreeMap::from([(name("x"), Arc::default()), (name("y"), Arc::default())]));
        wakes.wake(&name("x"));
        wakes.wake(&name("x"));
        wakes.wake(&name("unknown"));
        wakes.wait(&name("x")).await;
        let short = Duration::from_secs(1);
        for quiet in ["x", "y", "unknown"] {
            assert!(tokio::time::timeout(short, wakes.wait(&name(quiet))).await.is_err(), "{quiet}");
        }
    }
}
