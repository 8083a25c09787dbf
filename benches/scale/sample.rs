//! A process that runs, looked at from outside.

use std::fs;
use std::time::Duration;

use crate::process::{cpu_ticks, kib, ticks};

/// What it has at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// Its processor time so far.
    pub(crate) cpu: Duration,
    /// Its resident set, the largest that it had, and what of it is not mapped from files.
    pub(crate) resident_kib: u64,
    pub(crate) peak_kib: u64,
    pub(crate) own_kib: u64,
    pub(crate) threads: u64,
    /// Open files, connections among them.
    pub(crate) files: usize,
    pub(crate) connections: usize,
}

impl Sample {
    /// Looks at the process of this number.
    pub(crate) fn of(id: u32) -> anyhow::Result<Self> {
        let read = |name: &str| fs::read_to_string(format!("/proc/{id}/{name}"));
        let status = read("status")?;
        let files: Vec<_> = fs::read_dir(format!("/proc/{id}/fd"))?.flatten().collect();
        let is_socket = |entry: &&fs::DirEntry| {
            fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        };
        Ok(Self {
            cpu: ticks(cpu_ticks(&read("stat")?)),
            resident_kib: kib(&status, "VmRSS:"),
            peak_kib: kib(&status, "VmHWM:"),
            own_kib: kib(&status, "RssAnon:"),
            threads: kib(&status, "Threads:"),
            files: files.len(),
            connections: files.iter().filter(is_socket).count(),
        })
    }
}
