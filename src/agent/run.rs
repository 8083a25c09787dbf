//! The loop around the pass: one for each estate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::look::context::Intent;
use super::pass::pass_estate;
use super::queue::Queue;
use super::report::PassReport;
use super::share::Share;
use super::world::{Estate, Stop, World};
use crate::domain::decision::Decision;
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

/// Passes over each estate in the share, one after the other, until asked to stop. An estate's passes are `interval_secs` apart (with a
/// tenth of jitter, so that agents do not march in step) unless it is woken, and while a deployment is watched no further than the steps of
/// its signals. The queue (`queue.rs`) says how many are under way at once, and whose turn it is. Each pass is handed to `seen` with its estate. A pass
/// that fails is tried again at the next turn.
pub async fn run(
    world: &World,
    interval_secs: u32,
    (stop, wakes, share): (&Stop, &Wakes, &Share),
    mut seen: impl FnMut(&Estate, Result<PassReport, RepositoryError>),
) {
    let (reports, mut unseen) = mpsc::channel(UNSEEN);
    let (queue, mut loops) = (Arc::new(Queue::new()), JoinSet::new());
    for estate in &world.estates {
        let watched = Watched {
            world: world.clone(),
            estate: Arc::clone(estate),
            share: share.clone(),
            queue: Arc::clone(&queue),
            stop: stop.clone(),
        };
        let (reports, wakes) = (reports.clone(), wakes.clone());
        loops.spawn(async move {
            let mut took = Duration::ZERO;
            while let Some(report) = watched.next_pass(&mut took).await {
                let pause_secs = u64::from(pause_secs(interval_secs, report.as_ref().ok()));
                if reports.send((Arc::clone(&watched.estate), report)).await.is_err() {
                    return;
                }
                let stop = &watched.stop;
                wait_for(Duration::from_secs(REST_SECS), stop).await;
                let rest_ms = pause_secs.saturating_sub(REST_SECS) * 1_000;
                let jitter_ms = fastrand::u64(0..=pause_secs * 100);
                tokio::select! {
                    () = wait_for(Duration::from_millis(rest_ms + jitter_ms), stop) => {}
                    () = wakes.wait(&watched.estate.name) => {}
                }
            }
        });
    }
    drop(reports);
    while let Some((estate, report)) = unseen.recv().await {
        seen(&estate, report);
    }
}

/// How long an estate pauses after a pass, in seconds: the interval, or the smallest step of a signal of a deployment that is watched. With each
/// step there is a new sample, which may be the one that shows the damage.
fn pause_secs(interval_secs: u32, report: Option<&PassReport>) -> u32 {
    let items = report.into_iter().flat_map(PassReport::items);
    let watched = items.filter(|item| item.decision == Decision::Wait);
    let steps = watched.flat_map(|item| &item.evidence.signals).map(|signal| signal.signal.step_secs);
    steps.fold(interval_secs, u32::min)
}

/// An estate with what its passes need.
struct Watched {
    world: World,
    estate: Arc<Estate>,
    share: Share,
    queue: Arc<Queue>,
    stop: Stop,
}

impl Watched {
    /// Makes a pass when it is the estate's turn and it is in the share. None when asked to stop before. `took` is how long the last one
    /// took.
    async fn next_pass(&self, took: &mut Duration) -> Option<Result<PassReport, RepositoryError>> {
        let turn = loop {
            while !self.share.has_any(&self.estate) {
                self.stop.unless_set(self.share.changed()).await?;
            }
            let turn = self.stop.unless_set(self.queue.turn(*took)).await?;
            // While it waited another agent may have taken it over.
            if self.share.has_any(&self.estate) {
                break turn;
            }
        };
        let begun = Instant::now();
        let (world, estate) = (self.world.clone(), Arc::clone(&self.estate));
        let (share, stop) = (self.share.clone(), self.stop.clone());
        // A pass that panics ends alone, and is tried again like one that fails.
        let one =
            tokio::spawn(async move { pass_estate(&world, &estate, (Intent::Act, &share), &stop).await });
        let report = turn
            .pass(one)
            .await
            .unwrap_or_else(|crash| Err(RepositoryError::Broken(format!("the pass was cut short: {crash}"))));
        *took = begun.elapsed();
        Some(report)
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
