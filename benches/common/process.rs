//! Whole processes, measured from outside: wall time, peak memory, and what they printed.

#[path = "command.rs"]
mod starting;

use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(crate) use starting::{command, run};

/// What one process took.
pub(crate) struct Run {
    pub(crate) wall: Duration,
    pub(crate) output: Output,
    peak_kib: u64,
    own_kib: u64,
}

impl Run {
    /// Its largest resident set in KiB, and the most that it had without mapped files, as Linux tells it; 0 where that
    /// is not known.
    pub(crate) fn memory_kib(&self) -> (u64, u64) {
        (self.peak_kib, self.own_kib)
    }
}

/// Runs a program and measures it. Its output goes to `out`, a pipe or nowhere.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this is for")]
pub(crate) fn measure(command: &mut Command, out: Stdio) -> anyhow::Result<Run> {
    let started = Instant::now();
    let child = command.stdout(out).stderr(Stdio::piped()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let (ended, peak, own) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let (output, wall) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                let status = std::fs::read_to_string(&status).unwrap_or_default();
                peak.fetch_max(kib(&status, "VmHWM:"), Ordering::SeqCst);
                own.fetch_max(kib(&status, "RssAnon:"), Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let output = child.wait_with_output();
        let wall = started.elapsed();
        ended.store(true, Ordering::SeqCst);
        (output, wall)
    });
    Ok(Run { wall, peak_kib: peak.into_inner(), own_kib: own.into_inner(), output: output? })
}

/// A line of `/proc/pid/status`: see proc(5).
fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
