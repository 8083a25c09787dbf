//! The rows of the table.

use std::time::{Duration, SystemTime};

use crate::process::Run;

/// Now, in seconds.
#[expect(clippy::disallowed_methods, reason = "the commits that are measured have just been made")]
pub(crate) fn now() -> anyhow::Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs())?)
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) runs: Vec<Run>,
    /// Metric requests and megabytes of answers of one run.
    pub(crate) asked: Option<(usize, usize)>,
}

impl Row {
    /// The row in Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut walls: Vec<Duration> = self.runs.iter().map(|run| run.wall).collect();
        walls.sort();
        let ms = |wall: Option<&Duration>| wall.map_or(0.0, |wall| wall.as_secs_f64() * 1e3);
        let (least, median, most) = (ms(walls.first()), ms(walls.get(walls.len() / 2)), ms(walls.last()));
        let peak = match self.runs.iter().map(|run| run.memory_kib().0).max() {
            None | Some(0) => "–".to_owned(),
            Some(kib) => format!("{} MiB", kib.div_ceil(1024)),
        };
        let asked = self.asked.map_or_else(
            || "–".to_owned(),
            |(requests, bytes)| format!("{requests} ({:.1} MB)", bytes as f64 / 1e6),
        );
        let count = self.runs.len();
        format!("| {} | {least:.0} | **{median:.0}** | {most:.0} | {peak} | {asked} | {count} |", self.name)
    }
}

/// The head of the table.
pub(crate) const HEAD: &str = "\
| | min ms | median ms | max ms | peak memory | metric requests | runs |
|---|---|---|---|---|---|---|";
