//! The loop around the pass: one for each estate.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::look::context::Intent;
use super::pass::pass_estate;
use super::report::PassReport;
use super::world::{Estate, Stop, World};
use crate::ports::RepositoryError;

/// How many reports wait to be seen before a loop waits too.
const UNSEEN: usize = 16;

/// Passes over each estate, one after the other, until asked to stop. An estate's passes are `interval_secs` apart (with a
/// tenth of jitter, so that agents do not march in step), and no estate waits for another. Each pass is handed to `seen` with
/// its estate. A pass that fails is tried again at the next turn.
pub async fn run(
    world: &World,
    interval_secs: u32,
    stop: &Stop,
    mut seen: impl FnMut(&Estate, Result<PassReport, RepositoryError>),
) {
    let (reports, mut unseen) = mpsc::channel(UNSEEN);
    let mut loops = JoinSet::new();
    for estate in &world.estates {
        let (world, estate, stop) = (world.clone(), Arc::clone(estate), stop.clone());
        let reports = reports.clone();
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
                let interval_ms = u64::from(interval_secs.max(1)) * 1_000;
                let jitter_ms = fastrand::u64(0..=interval_ms / 10);
                wait_for(Duration::from_millis(interval_ms + jitter_ms), &stop).await;
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
