//! The loop around the pass.

use std::time::Duration;

use super::{Intent, PassReport, Stop, World, pass};
use crate::ports::RepositoryError;

/// Passes one after the other until asked to stop, `interval_secs` apart (with a tenth of jitter, so that agents do not
/// march in step). What each pass did is handed to `seen`. A pass that fails is tried again at the next turn.
pub async fn run(
    world: &World,
    interval_secs: u32,
    stop: &Stop,
    mut seen: impl FnMut(Result<PassReport, RepositoryError>),
) {
    while !stop.is_set() {
        seen(pass(world, Intent::Act, stop).await);
        let interval_ms = u64::from(interval_secs.max(1)) * 1_000;
        wait_for(Duration::from_millis(interval_ms + fastrand::u64(0..=interval_ms / 10)), stop).await;
    }
}

/// Waits, or less long when the end is asked for.
pub async fn wait_for(time: Duration, stop: &Stop) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stop.wait() => {}
    }
}
