//! Whole processes, measured from outside: wall time, processor time, peak memory, and what they printed.

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
    cpu_ticks: u64,
}

impl Run {
    /// Its largest resident set in KiB, and the most that it had without mapped files, as Linux tells it; 0 where that
    /// is not known.
    pub(crate) fn memory_kib(&self) -> (u64, u64) {
        (self.peak_kib, self.own_kib)
    }

    /// The processor time of it and of the processes that it has waited for, to ten milliseconds.
    pub(crate) fn cpu(&self) -> Duration {
        ticks(self.cpu_ticks)
    }
}

/// Runs a program and measures it. Its output goes to `out`, a pipe or nowhere.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this is for")]
pub(crate) fn measure(command: &mut Command, out: Stdio) -> anyhow::Result<Run> {
    let started = Instant::now();
    let child = command.stdout(out).stderr(Stdio::piped()).spawn()?;
    let process = format!("/proc/{}", child.id());
    let (ended, peak, own) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let cpu = AtomicU64::new(0);
    let (output, wall) = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                let read = |name| std::fs::read_to_string(format!("{process}/{name}")).unwrap_or_default();
                let status = read("status");
                cpu.fetch_max(cpu_ticks(&read("stat")), Ordering::SeqCst);
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
    let [peak_kib, own_kib, cpu_ticks] = [peak, own, cpu].map(AtomicU64::into_inner);
    Ok(Run { wall, peak_kib, own_kib, cpu_ticks, output: output? })
}

/// The ticks in `/proc/pid/stat`, of the process and of those that it has waited for: see proc_pid_stat(5).
pub(crate) fn cpu_ticks(stat: &str) -> u64 {
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    fields.split_whitespace().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// So many ticks: Linux has a hundred in a second.
pub(crate) fn ticks(count: u64) -> Duration {
    Duration::from_millis(count * 10)
}

/// A line of `/proc/pid/status`: see proc(5).
pub(crate) fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
