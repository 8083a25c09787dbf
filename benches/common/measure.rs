//! The rows of the table.

use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::ensure;

use crate::process::{Run, measure};
use crate::server::{Counts, Server};

/// Now, in seconds.
#[expect(clippy::disallowed_methods, reason = "the commits that are measured have just been made")]
pub(crate) fn now() -> anyhow::Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs())?)
}

/// Measures a command several times, each time after `before`, checks how it ended and what it printed, and prints the row.
pub(crate) fn row(
    server: &Server,
    (name, times): (&str, usize),
    (code, words): (i32, &str),
    make: impl Fn() -> Command,
    before: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut row = Row { name: name.to_owned(), runs: Vec::new(), asked: None };
    for _ in 0..times {
        before()?;
        server.take_counts();
        let run = measure(&mut make(), Stdio::piped())?;
        row.asked = Some(server.take_counts());
        let (out, err) =
            (String::from_utf8_lossy(&run.output.stdout), String::from_utf8_lossy(&run.output.stderr));
        ensure!(
            run.output.status.code() == Some(code) && out.contains(words),
            "{name}: {:?}, expected {code} and {words:?}\n{out}\n{err}",
            run.output.status
        );
        row.runs.push(run);
    }
    println!("{}", row.markdown());
    Ok(())
}

/// One line of the table.
struct Row {
    name: String,
    runs: Vec<Run>,
    /// The requests of one run to the server.
    asked: Option<Counts>,
}

impl Row {
    /// The row in Markdown.
    fn markdown(&self) -> String {
        let mut walls: Vec<Duration> = self.runs.iter().map(|run| run.wall).collect();
        walls.sort();
        let ms = |wall: Option<&Duration>| wall.map_or(0.0, |wall| wall.as_secs_f64() * 1e3);
        let (least, median, most) = (ms(walls.first()), ms(walls.get(walls.len() / 2)), ms(walls.last()));
        let mib = |of: fn((u64, u64)) -> u64| match self.runs.iter().map(|run| of(run.memory_kib())).max() {
            None | Some(0) => "–".to_owned(),
            Some(kib) => format!("{} MiB", kib.div_ceil(1024)),
        };
        let mut cpus: Vec<Duration> = self.runs.iter().map(Run::cpu).collect();
        cpus.sort();
        let cpu = ms(cpus.get(cpus.len() / 2));
        let peak = format!("{} | {}", mib(|(peak, _)| peak), mib(|(_, own)| own));
        let asked = self.asked.map_or_else(
            || "– | –".to_owned(),
            |asked| {
                let (metrics, git) = (asked.bytes as f64 / 1e6, asked.git_bytes as f64 / 1e6);
                format!("{} ({metrics:.1} MB) | {} ({git:.1} MB)", asked.requests, asked.git_requests)
            },
        );
        let count = self.runs.len();
        format!(
            "| {} | {least:.0} | **{median:.0}** | {most:.0} | {cpu:.0} | {peak} | {asked} | {count} |",
            self.name
        )
    }
}

/// The head of the table.
pub(crate) const HEAD: &str = "\
| | min ms | median ms | max ms | median processor ms | peak memory | without mapped files | metric requests | requests to Git | runs |
|---|---|---|---|---|---|---|---|---|---|";
