//! `yq` doing the same edit: one file and one process, as a person would, and many files in one process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::ensure;
use similar::TextDiff;

use crate::files::Sample;
use crate::process::{command, measure, run};
use crate::{Effort, micros, one_line};

/// The one that was found.
pub(crate) struct Yq {
    program: String,
    /// What it says of itself.
    pub(crate) version: String,
    /// Whether it is the one in Go, which does not need to be told to write YAML.
    go: bool,
}

/// How much one process gets to do at most.
const MANY_BYTES: usize = 3_000_000;

pub(crate) const HEAD: &str = "\
| file | edit | one file, a process each, µs | peak memory | many in one process, µs a file | other lines changed |
|---|---|---|---|---|---|";

impl Yq {
    #[expect(clippy::disallowed_methods, reason = "a benchmark is told by its environment")]
    pub(crate) fn find() -> Option<Self> {
        let program = std::env::var("YQ").unwrap_or_else(|_unset| "yq".to_owned());
        let output = command(&program).arg("--version").stdin(Stdio::null()).output().ok()?;
        let said = one_line(&String::from_utf8_lossy(&output.stdout));
        let go = said.contains("mikefarah");
        let version = if go { said } else { format!("{said}, the one in Python that wraps jq") };
        Some(Self { program, version, go })
    }

    /// What the file becomes, and how long that takes.
    pub(crate) fn measure(&self, directory: &Path, sample: &Sample, effort: Effort) -> anyhow::Result<()> {
        let expression = sample.expression;
        if !self.go && !sample.flags.is_empty() {
            println!("| {} | not YAML: this yq does not write it | – | – | – | – |", sample.name);
            return Ok(());
        }
        let files = effort.files.min((MANY_BYTES / sample.later.len()).max(2));
        let paths: Vec<PathBuf> =
            (0..files).map(|file| directory.join(format!("file-{file}.yaml"))).collect();
        let one = paths.get(..1).unwrap_or(&[]);
        let mut single = Vec::new();
        let mut many = Vec::new();
        let mut peak = 0;
        for _ in 0..effort.times {
            let (wall, kib) = self.timed(sample, one)?;
            single.push(wall);
            peak = peak.max(kib);
            many.push(self.timed(sample, &paths)?.0);
        }
        let text = fs::read_to_string(directory.join("file-0.yaml"))?;
        let others = others(&sample.expected, &text);
        let kept = if others == 0 {
            "none".to_owned()
        } else {
            format!("{others} of {}", sample.expected.lines().count())
        };
        println!(
            "| {} | `{}` | **{:.0}** | {} MiB | {:.0} | {kept} |",
            sample.name,
            expression.split_once(" = ").map_or(expression, |(place, _)| place).replace('|', "\\|"),
            micros(median(&mut single)),
            peak.div_ceil(1024),
            micros(median(&mut many)) / f64::from(u32::try_from(paths.len())?),
        );
        Ok(())
    }

    /// How long it takes to edit these files in place, all in one process.
    fn timed(&self, sample: &Sample, paths: &[PathBuf]) -> anyhow::Result<(Duration, u64)> {
        for path in paths {
            fs::write(path, &sample.later)?;
        }
        let edit = |flags: &[&str], paths: &[PathBuf]| {
            let mut yq = command(&self.program);
            yq.args(flags).args(sample.flags).arg(sample.expression).args(paths);
            yq
        };
        let in_place: &[&str] = if self.go { &["-i"] } else { &["-i", "-y"] };
        // With several files `-i` of the one in Go writes the first alone: they are read and written out all the same.
        let mut yq = edit(if self.go && paths.len() > 1 { &[] } else { in_place }, paths);
        let took = measure(&mut yq, Stdio::null())?;
        let stderr = String::from_utf8_lossy(&took.output.stderr).into_owned();
        ensure!(took.output.status.success(), "{yq:?} failed: {stderr}");
        if paths.len() > 1 {
            // Once more, for a look at what it makes of the file.
            run(&mut edit(in_place, paths.get(..1).unwrap_or(&[])))?;
        }
        Ok((took.wall, took.memory_kib().0))
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// How many lines are otherwise than wanted.
fn others(expected: &str, text: &str) -> usize {
    let diff = TextDiff::from_lines(expected, text);
    let changes = diff.iter_all_changes();
    let tags: Vec<similar::ChangeTag> = changes.map(|change| change.tag()).collect();
    let of = |tag| tags.iter().filter(|other| **other == tag).count();
    of(similar::ChangeTag::Delete).max(of(similar::ChangeTag::Insert))
}
