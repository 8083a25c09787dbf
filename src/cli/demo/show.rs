//! The story for people: a few lines an event, at most 80 characters wide where the words are ours.

use super::event::{Counts, Event, What};
use crate::cli::output::{coloured, plain};
use crate::domain::time::Time;
use crate::record::Recovery;

/// How wide text is set.
const WIDTH: usize = 80;
/// Where the text of an event begins: after the time and the kind of event.
const INDENT: usize = 19;
/// Where diffs and charts begin.
const BLOCK_INDENT: usize = 10;

/// What stands before the first event.
fn opening(directory: &str, metrics: &str) -> String {
    let head = coloured("1", "backout demo: one hour of production, a simulated minute at a time");
    format!(
        "{head}

Real are the agent, its Git commits, its configuration and its HTTP queries.
Simulated are the time, and the cluster: it runs what the branch says, and its
metrics follow. The agent watches each deployment for ten minutes.

  environment repo  {directory}/environment.git
  configuration     {directory}/backout.yaml
  metrics           {metrics} (until the demo ends)

"
    )
}

/// One event, with a line end.
pub(super) fn event(event: &Event) -> String {
    let at = event.at;
    match &event.what {
        What::Started { directory, metrics } => opening(directory, metrics),
        What::Deployed { service, from, to, files, commit, .. } => {
            let what = format!("{service} {from} → {to}");
            line(at, "deploy", "36", &format!("{what:<26} {}  {files}", commit.short()))
        }
        What::Edited { subject, commit, .. } => {
            line(at, "commit", "36", &format!("{subject:<26} {}  in the same file", commit.short()))
        }
        What::Aside { text } => line(at, "meanwhile", "33", text),
        What::Reverted { service, version, deployment, revert, reason, diff, .. } => {
            let head =
                format!("{service} {version}: commit {} takes {} back", revert.short(), deployment.short());
            let reason = indented(&only_rise(reason));
            format!("{}{reason}{}", line(at, "REVERTED", "31;1", &head), shown_diff(diff))
        }
        What::Escalated { service, version, deployment, reason, why } => {
            let head = format!("{service} {version}: a person must look at {}", deployment.short());
            let text = line(at, "ESCALATED", "35;1", &head);
            format!("{text}{}{}", indented(&only_rise(reason)), indented(why))
        }
        What::LeftAlone { service, version, verdict, reason, .. } if verdict == "healthy" => {
            line(at, "healthy", "32", &format!("{service} {version}: {}", without_numbers(reason)))
        }
        What::LeftAlone { service, version, verdict, reason, .. } => {
            let text = line(at, "left alone", "33;1", &format!("{service} {version}: {verdict}"));
            format!("{text}{}", indented(&brief(reason)))
        }
        What::Recovery { service, revert, outcome: Recovery::Recovered, chart, .. } => {
            let (here, lines) = match chart {
                Some(chart) => (format!(". Its {}:", chart.signal), chart.lines.as_slice()),
                None => (String::new(), &[][..]),
            };
            let text = format!("{service}: the signals came back after {}{here}", revert.short());
            format!("{}{}", line(at, "recovered", "32;1", &text), block(lines))
        }
        What::Recovery { service, reason, .. } => {
            line(at, "NOT BETTER", "31;1", &format!("{service}: {reason}"))
        }
        What::Quiet => line(at, "all quiet", "2", "one more pass over the same state changes nothing"),
        What::Finished { counts, directory, example } => ending(counts, directory, &example.short()),
    }
}

/// What stands after the last event: what it came to, and how to look at it.
fn ending(counts: &Counts, directory: &str, example: &str) -> String {
    let Counts { deployments, reverted, escalated, healthy, left_alone } = counts;
    let head = format!(
        "{deployments} deployments: {reverted} reverted, {escalated} escalated, {healthy} healthy, {left_alone} left alone."
    );
    let git = format!("git --git-dir={directory}/environment.git");
    let backout = format!("backout --config {directory}/backout.yaml");
    format!(
        "
{}
As told; every file on the branch is, to the byte, as it should be.
All that the agent knows is in this repo. Look at it:

  {git} log main
  {git} log --notes='backout-*' -1 {example}
  {backout} history
  {backout} explain {example}

What it would do in your own repo: backout init
",
        coloured("1", &head)
    )
}

/// `09:05  deploy      text`.
fn line(at: Time, kind: &str, colour: &str, text: &str) -> String {
    let clock: String = at.to_string().chars().skip(11).take(5).collect();
    let mut lines = wrapped(text).into_iter();
    let first = lines.next().unwrap_or_default();
    let rest: String = lines.map(|line| format!("{:INDENT$}{line}\n", "")).collect();
    format!("{clock}  {} {first}\n{rest}", coloured(colour, &format!("{kind:<11}")))
}

fn indented(text: &str) -> String {
    wrapped(text).into_iter().map(|line| format!("{:INDENT$}{line}\n", "")).collect()
}

/// Text in lines that fit behind the indent.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // A number stays with its unit.
    let text = plain(text).replace(" %", "\u{a0}%");
    for word in text.split_inclusive(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.trim_end().chars().count() <= WIDTH - INDENT => {
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter().map(|line| line.trim_end().replace('\u{a0}', " ")).collect()
}

fn block(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{:BLOCK_INDENT$}{line}\n", "")).collect()
}

/// The part of a reason before its numbers in detail.
fn brief(reason: &str) -> String {
    let end = [";", ", with "].into_iter().filter_map(|mark| reason.find(mark)).min().unwrap_or(reason.len());
    reason.get(..end).unwrap_or(reason).to_owned()
}

/// The part of a reason before how long after the deployment it was: the times before the lines show that.
fn only_rise(reason: &str) -> String {
    let brief = brief(reason);
    brief.split_once(", ").map_or(brief.clone(), |(words, _)| words.to_owned())
}

/// The part of a reason that needs no numbers, for where a chart or silence says the rest.
fn without_numbers(reason: &str) -> String {
    let brief = brief(reason);
    brief.split_once(": typically").map_or(brief.clone(), |(words, _)| words.to_owned())
}

/// A unified diff with one line around each change, coloured as Git does.
fn shown_diff(diff: &str) -> String {
    let lines: Vec<&str> = diff.lines().collect();
    let changes = |line: &&str| line.starts_with(['+', '-']);
    let near = |index: usize| {
        let around = lines.get(index.saturating_sub(1)..(index + 2).min(lines.len())).unwrap_or_default();
        around.iter().any(changes)
    };
    let kept = lines.iter().enumerate().filter(|(index, line)| !line.starts_with("@@") && near(*index));
    let shown = kept.map(|(_, line)| {
        let line = plain(line);
        let line = match line.chars().next() {
            Some('+') => coloured("32", &line),
            Some('-') => coloured("31", &line),
            _ => line,
        };
        format!("{:BLOCK_INDENT$}{line}\n", "")
    });
    shown.collect()
}
