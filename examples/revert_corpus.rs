//! Runs the revert engine on a corpus of real version commits: one JSON object a line, with the files before and after a
//! commit, and for some the file hours later.
//!
//! ```text
//! cargo run --release --example revert_corpus -- FILE.jsonl [--json OUT]
//! ```
//!
//! A case without `head` is reverted at its own commit and must give `parent` byte for byte. A case with `head` must give
//! `expected`, or may be refused where its label says that the field was superseded, moved or deleted; a file whose label
//! is `unparse` is not judged. Each file stands for itself, as one service's: a revert of which a part is left is not
//! made, and the file stays as it is. A case is what the worst of its files is.
#![expect(clippy::print_stdout, reason = "printing the scores is what this program is for")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use backout::domain::field::{self, Refusal, Selection};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Case {
    id: String,
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    path: String,
    parent: String,
    commit: String,
    /// Absent: the case is of the first kind. `null`: the file is gone by then.
    #[serde(default, deserialize_with = "present")]
    head: Option<Option<String>>,
    expected: Option<String>,
    outcome: Option<String>,
}

/// Tells `null` from a missing key.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What became of a file or a case; of several the last one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    Right,
    Refused,
    Undetected,
    Wrong,
}

#[derive(Serialize)]
struct Failure {
    id: String,
    file: String,
    kind: Mark,
    reason: String,
}

#[derive(Clone, Default, Serialize)]
struct AtCommit {
    cases: usize,
    exact: usize,
    wrong: usize,
    refused: usize,
    undetected: usize,
}

#[derive(Clone, Default, Serialize)]
struct Later {
    cases: usize,
    right: usize,
    wrong: usize,
    refused: usize,
}

#[derive(Clone, Default, Serialize)]
struct Scores {
    at_commit: AtCommit,
    later: Later,
}

impl Scores {
    fn add(&mut self, later: bool, mark: Mark) {
        if later {
            self.later.cases += 1;
            match mark {
                Mark::Right => self.later.right += 1,
                Mark::Refused | Mark::Undetected => self.later.refused += 1,
                Mark::Wrong => self.later.wrong += 1,
            }
        } else {
            self.at_commit.cases += 1;
            match mark {
                Mark::Right => self.at_commit.exact += 1,
                Mark::Refused => self.at_commit.refused += 1,
                Mark::Undetected => self.at_commit.undetected += 1,
                Mark::Wrong => self.at_commit.wrong += 1,
            }
        }
    }
}

#[derive(Serialize)]
struct Report {
    total: Scores,
    by_source: BTreeMap<String, Scores>,
    failures: Vec<Failure>,
}

fn main() -> Result<()> {
    let (input, output) = arguments()?;
    let text = std::fs::read_to_string(&input).with_context(|| format!("cannot read {input}"))?;
    let parse = |(number, line)| {
        serde_json::from_str::<Case>(line).with_context(|| format!("{input}, line {}", number + 1))
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let cases: Vec<Case> = lines.map(parse).collect::<Result<_>>()?;
    drop(text);

    let mut report = Report { total: Scores::default(), by_source: BTreeMap::new(), failures: Vec::new() };
    let mut detected = BTreeSet::new();
    let started = now();
    for case in &cases {
        let later = case.files.iter().any(|file| file.head.is_some());
        let mut mark = Mark::Right;
        for file in &case.files {
            let (of_file, found, reason) = run(file);
            mark = mark.max(of_file);
            if found {
                detected.insert(case.id.as_str());
            }
            if of_file != Mark::Right {
                report.failures.push(Failure {
                    id: case.id.clone(),
                    file: file.path.clone(),
                    kind: of_file,
                    reason,
                });
            }
        }
        report.total.add(later, mark);
        report.by_source.entry(source(&case.id).to_owned()).or_default().add(later, mark);
    }
    let seconds = started.elapsed().as_secs_f64();

    print(&report);
    println!("detected as a deployment: {} of {} cases", detected.len(), cases.len());
    println!("{:.0} cases/s", f64::from(u32::try_from(cases.len())?) / seconds);
    if let Some(output) = output {
        std::fs::write(&output, serde_json::to_vec_pretty(&report)?)
            .with_context(|| format!("cannot write {output}"))?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch for the figure that is printed")]
fn now() -> Instant {
    Instant::now()
}

fn arguments() -> Result<(String, Option<String>)> {
    let mut arguments = std::env::args().skip(1);
    let (mut input, mut output) = (None, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => output = Some(arguments.next().context("--json needs a file")?),
            _ if argument.starts_with('-') => bail!("unknown option {argument}"),
            _ => input = Some(argument),
        }
    }
    Ok((input.context("usage: revert_corpus FILE.jsonl [--json OUT]")?, output))
}

/// `owner+repo` of `owner+repo/commit@later`.
fn source(id: &str) -> &str {
    id.split_once('/').map_or(id, |(source, _)| source)
}

/// How the file came out, whether it holds a deployment, and why it failed.
fn run(file: &File) -> (Mark, bool, String) {
    let fields = Selection::default();
    let subject = field::File { path: &file.path, fields: &fields };
    let detected =
        field::compare(&subject, &file.parent.as_str().into(), &file.commit.as_str().into()).is_deployment();
    let label = file.outcome.as_deref().unwrap_or("");
    let (current, expected) = match &file.head {
        None => (&file.commit, &file.parent),
        Some(Some(head)) => (head, file.expected.as_ref().unwrap_or(head)),
        // A file that is gone is left alone.
        Some(None) => return (Mark::Right, detected, String::new()),
    };
    let result = field::revert(&subject, file.parent.as_bytes(), file.commit.as_bytes(), current.as_bytes());
    let excused = ["superseded", "moved", "deleted"].iter().any(|word| label.starts_with(word));
    let (mark, reason) = match result {
        Ok(reverted) if field::is_half(&reverted.fields) && (excused || current == expected) => {
            (Mark::Right, String::new())
        }
        Ok(reverted) if field::is_half(&reverted.fields) => {
            (Mark::Refused, format!("{label} a part has moved on: {:?}", outcomes(&reverted)))
        }
        Ok(reverted) if reverted.bytes == expected.as_bytes() => (Mark::Right, String::new()),
        // Nothing is changed then, and a person is told which fields are not where they were.
        Ok(reverted) if is_gone(&reverted) => {
            (Mark::Refused, format!("{label} gone: {:?}", outcomes(&reverted)))
        }
        Ok(reverted) => {
            let text = String::from_utf8_lossy(&reverted.bytes);
            let diff = similar::TextDiff::from_lines(expected, text.as_ref());
            let diff = diff.unified_diff().context_radius(0).to_string();
            let reason =
                format!("{label} {:?} left behind {:?}: {diff:?}", outcomes(&reverted), reverted.left_behind);
            (Mark::Wrong, reason)
        }
        Err(Refusal::NoReleaseField) if file.head.is_none() => {
            (Mark::Undetected, "no release field".to_owned())
        }
        Err(_) if excused => (Mark::Right, String::new()),
        Err(refusal) => (Mark::Refused, format!("{label} {refusal}")),
    };
    let judged = label != "unparse";
    (if judged { mark } else { Mark::Right }, detected, reason)
}

/// Whether no field is where it was, and the file stays as it is.
fn is_gone(reverted: &field::Reverted) -> bool {
    let is_gone = |one: &field::FieldResult| matches!(one.outcome, field::FieldOutcome::Gone(_));
    let restored = |one: &field::FieldResult| one.outcome == field::FieldOutcome::Restored;
    reverted.fields.iter().any(is_gone) && !reverted.fields.iter().any(restored)
}

fn outcomes(reverted: &field::Reverted) -> Vec<String> {
    reverted.fields.iter().map(|field| format!("{} {:?}", field.address, field.outcome)).collect()
}

fn print(report: &Report) {
    println!(
        "{:<42} {:>6} {:>6} {:>6} {:>8} {:>11}   {:>6} {:>6} {:>6} {:>8}",
        "at the commit / later",
        "cases",
        "exact",
        "wrong",
        "refused",
        "undetected",
        "cases",
        "right",
        "wrong",
        "refused"
    );
    let all = report.by_source.iter().map(|(name, scores)| (name.as_str(), scores));
    for (name, Scores { at_commit, later }) in all.chain([("total", &report.total)]) {
        println!(
            "{name:<42} {:>6} {:>6} {:>6} {:>8} {:>11}   {:>6} {:>6} {:>6} {:>8}",
            at_commit.cases,
            at_commit.exact,
            at_commit.wrong,
            at_commit.refused,
            at_commit.undetected,
            later.cases,
            later.right,
            later.wrong,
            later.refused
        );
    }
    for Failure { id, file, kind, reason } in &report.failures {
        println!("{kind:?}: {id} {file}: {reason}");
    }
}
