//! The story for people: a few lines an event, at most 80 characters wide where the words are ours.

use super::event::{Event, What};
use crate::cli::output::{coloured, plain};
use crate::domain::time::Time;
use crate::record::Recovery;

/// How wide text is set.
const WIDTH: usize = 80;
/// Where the text of an event begins: after the time and the kind of event.
const INDENT: usize = 18;
/// Where diffs and charts begin.
const BLOCK_INDENT: usize = 10;

/// What stands before the first event.
pub(super) fn opening(directory: &str, metrics: &str) -> String {
    let head = coloured("1", "backout demo: one hour of production, a simulated minute at a time");
    format!(
        "{head}

The agent, its Git commits and its HTTP queries are real. Simulated are the time,
and the cluster: it runs what the branch says and has metrics accordingly.

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
        What::Deployed { service, from, to, files, commit, .. } => {
            let what = format!("{service} {from} → {to}");
            line(at, "deploy", "36", &format!("{what:<26} {}  {files}", commit.short()))
        }
        What::Edited { subject, commit, .. } => {
            line(at, "commit", "36", &format!("{subject:<26} {}  in the same file", commit.short()))
        }
        What::Aside { text } => line(at, "meanwhile", "33", text),
        What::Reverted { service, deployment, revert, reason, diff, .. } => {
            let head = format!("{service}: commit {} takes {} back", revert.short(), deployment.short());
            let reason = indented(&brief(reason));
            format!("{}{reason}{}", line(at, "REVERTED", "31;1", &head), shown_diff(diff))
        }
        What::Escalated { service, deployment, reason, why } => {
            let head = format!("{service}: a person must look at {}", deployment.short());
            let text = line(at, "ESCALATED", "35;1", &head);
            format!("{text}{}{}", indented(&brief(reason)), indented(why))
        }
        What::LeftAlone { service, verdict, reason, .. } if verdict == "healthy" => {
            line(at, "healthy", "32", &format!("{service}: {}", without_numbers(reason)))
        }
        What::LeftAlone { service, verdict, reason, .. } => {
            let text = line(at, "left alone", "33;1", &format!("{service}: {verdict}"));
            format!("{text}{}", indented(&brief(reason)))
        }
        What::Recovery { service, revert, outcome, reason, chart } => {
            let recovered = *outcome == Recovery::Recovered;
            let (word, colour) = if recovered { ("recovered", "32;1") } else { ("NOT BETTER", "31;1") };
            let text = line(at, word, colour, &format!("{service}, after {}", revert.short()));
            format!("{text}{}{}", indented(&without_numbers(reason)), block(chart))
        }
        What::Quiet => line(at, "nothing new", "2", "one more pass over the same state changes nothing"),
        What::Finished { reverts, escalations, left_alone, directory } => {
            ending(*reverts, *escalations, *left_alone, directory)
        }
    }
}

/// What stands after the last event: what to look at.
fn ending(reverts: usize, escalations: usize, left_alone: usize, directory: &str) -> String {
    let done = format!("{reverts} reverted, {escalations} escalated, {left_alone} left alone");
    format!(
        "
{} As told, and checked: in the files of the branch no
other byte has changed. All that the agent knows is in this repo; look at it with

  git --git-dir={directory}/environment.git log --stat main
  git --git-dir={directory}/environment.git log --notes=backout main
  backout --config {directory}/backout.yaml history
  backout --config {directory}/backout.yaml explain COMMIT

To see what it would do in your own repo: backout init
",
        coloured("1", &format!("{done}."))
    )
}

/// `09:05  deploy      text`.
fn line(at: Time, kind: &str, colour: &str, text: &str) -> String {
    let clock: String = at.to_string().chars().skip(11).take(5).collect();
    let mut lines = wrapped(text).into_iter();
    let first = lines.next().unwrap_or_default();
    let rest: String = lines.map(|line| format!("{:INDENT$}{line}\n", "")).collect();
    format!("{clock}  {} {first}\n{rest}", coloured(colour, &format!("{kind:<10}")))
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
        let colour = match line.chars().next() {
            Some('+') => "32",
            Some('-') => "31",
            _ => "0",
        };
        format!("{:BLOCK_INDENT$}{}\n", "", coloured(colour, &plain(line)))
    });
    shown.collect()
}
