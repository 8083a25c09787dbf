//! The commit message of a revert: for a person first, for machines in its trailers.
//!
//! Everything that comes from a repository (subjects, values, paths) is untrusted: it is cut to one line, stripped of
//! characters that are not seen, can neither end its table cell nor pass for a trailer, and gives a forge no
//! instructions ([`crate::domain::text`]).

use std::fmt::Write as _;

use crate::domain::change::{Asked, Change, Motive, Together, shown, turn_text};
use crate::domain::deployment::Deployment;
use crate::domain::field::tokens::version_of;
use crate::domain::field::{FieldOutcome, FieldResult};
use crate::domain::history::trailers::{
    ELSEWHERE_TRAILER, ID_TRAILER, MAX_TRAILERS, PIN_TRAILER, PIN_UNTIL_TRAILER, SIGNAL_TRAILER,
    THEN_TRAILER, TOGETHER_TRAILER, trailer_value,
};
use crate::domain::ids::{FilePath, ServiceName};
use crate::domain::judge::verdict::{Finding, Judgement, Verdict};
use crate::domain::text::{flat, inert, one_line};
use crate::domain::time::Time;

/// The most rows of a table.
const MAX_ROWS: usize = 50;

/// Writes the whole message.
pub(crate) fn compose(change: &Change, deployment: &Deployment, motive: Motive<'_>) -> String {
    let mut text = format!("{}\n\n", subject(change));
    put(&mut text, &why(change, deployment, motive));
    put(&mut text, &field_table(change));
    if !change.along.is_empty() {
        put(&mut text, &format!("\nWhat else {} changed goes back too:\n\n", deployments_of(change)));
        for address in change.along.iter().take(MAX_ROWS) {
            put(&mut text, &format!("- {}\n", cell(address, 200)));
        }
    }
    if !change.with.is_empty() {
        put(
            &mut text,
            "\nSo that the service is in a state that it ran before, the following is taken back too:\n\n",
        );
        for other in change.with.iter().take(MAX_ROWS) {
            put(&mut text, &format!("- {}\n", cell(&other.line(), 300)));
        }
    }
    if !change.checked.is_empty() {
        let each: Vec<String> = change.checked.iter().take(MAX_ROWS).map(|line| cell(line, 300)).collect();
        put(&mut text, &format!("\nWhat goes back, by the registries: {}.\n", each.join("; ")));
    }
    for doubt in change.doubts.iter().take(MAX_ROWS) {
        put(&mut text, &format!("\nFor a person to look at: {}.\n", cell(doubt, 300)));
    }
    put(&mut text, &pins(change));
    if !change.left_behind.is_empty() {
        put(&mut text, "\nThe deployment also changed the following, which stays as it is:\n\n");
        for address in change.left_behind.iter().take(MAX_ROWS) {
            put(&mut text, &format!("- {}\n", cell(address, 200)));
        }
    }
    put(&mut text, &others(change));
    put(&mut text, "\n");
    // All at once, as what stands in two places could be an instruction together. The trailers are read back, and have
    // a rule of their own.
    let mut text = inert(&text);
    let with = change.turn().map(|turn| &turn.with).filter(|with| **with != change.service);
    put(&mut text, &block(change, motive, with));
    for other in change.others() {
        put(&mut text, &format!("\n{}", other.message));
    }
    text
}

/// What goes back, and why.
fn why(change: &Change, deployment: &Deployment, motive: Motive<'_>) -> String {
    let mut text = String::new();
    let what = format!(
        "Deployment {} ({}) of {}",
        deployment.commit.short(),
        cell(&deployment.subject, 80),
        deployment.at
    );
    match motive {
        // Others of its group may be back already, so that it looks well.
        Motive::Metrics(judgement)
            if let Some(turn) = change.turn()
                && judgement.verdict != Verdict::Regressed =>
        {
            let why = match turn.with == change.service {
                true => "made things worse".to_owned(),
                false => format!("was not found bad, and goes back with {}", turn.with),
            };
            put(&mut text, &format!("{what}\n{why}.\n"));
        }
        Motive::Metrics(judgement) => {
            put(&mut text, &format!("{what}\nmade things worse: {}\n", cell(&judgement.reason, 400)));
            put(&mut text, &signal_table(judgement));
        }
        Motive::Fallback(judgement, revert) => {
            let (revert, reason) = (revert.short(), cell(&judgement.reason, 400));
            let why = format!("the revert {revert} led back to it and did not help: {reason}");
            put(&mut text, &format!("{what}\ngoes back too: {why}\n"));
            put(&mut text, &signal_table(judgement));
        }
        Motive::Elsewhere(known) => {
            put(&mut text, &format!("{what}\nbrings a version that is {}\n", cell(&known.line(), 400)));
            put(
                &mut text,
                "\nNothing is known of it here yet: a person decides, and the agent watches it.\n",
            );
        }
        Motive::Request(Asked { who, why }) => {
            let who = cell(who, 80);
            put(&mut text, &format!("{what}\nis reverted because {who} asked for it.\n"));
            if let Some(why) = why {
                put(&mut text, &format!("\nReason: {}\n", cell(why, 500)));
            }
        }
    }
    text
}

/// The other services of the group, with what becomes of their fields.
fn others(change: &Change) -> String {
    let Some(Together { group, others, turn }) = &change.together else { return String::new() };
    let mut text = match turn {
        Some(turn) => format!("\nAs the configuration asks, {}.\n", turn_text(group, turn)),
        None => format!(
            "\nThe same commit deployed more services of the group {group}, which go back together or not at all.\n"
        ),
    };
    for other in others {
        let is_bad =
            if other.bad_values.is_empty() { "was not found bad and goes" } else { "was bad too and goes" };
        put(&mut text, &format!("\n{} {is_bad} back with it:\n", other.service));
        put(&mut text, &field_table(other));
        for address in other.along.iter().take(MAX_ROWS) {
            put(&mut text, &format!("- {}: goes back too\n", cell(address, 200)));
        }
        for line in other.checked.iter().take(MAX_ROWS) {
            put(&mut text, &format!("- by the registries: {}\n", cell(line, 300)));
        }
        for address in other.left_behind.iter().take(MAX_ROWS) {
            put(
                &mut text,
                &format!("- {}: changed by the deployment too, stays as it is\n", cell(address, 200)),
            );
        }
    }
    text
}

/// What keeps automation from putting it back, and where nothing does.
fn pins(change: &Change) -> String {
    let mut text = String::new();
    if let Some(until) = change.pins.until.filter(|_| !change.pins.made.is_empty()) {
        put(&mut text, &format!("\nSo that no automation puts it back, it is pinned until {until}:\n\n"));
        for pin in change.pins.made.iter().take(MAX_ROWS) {
            put(&mut text, &format!("- {}\n", cell(&pin.to_string(), 300)));
        }
    }
    for already in change.pins.already.iter().take(MAX_ROWS) {
        let told = already.to_string().replacen("pinned", "Pinned", 1);
        put(&mut text, &format!("\n{}.\n", cell(&told, 500)));
    }
    for why in change.pins.without.iter().take(MAX_ROWS) {
        put(&mut text, &format!("\nNot pinned: {}.\n", cell(why, 300)));
    }
    text
}

fn put(text: &mut String, more: &str) {
    text.push_str(more);
}

/// `Revert checkout in production: v1.5.0 → v1.4.2`, or `Revert checkout and 2 more of shop in production: …`.
fn subject(change: &Change) -> String {
    let mut restored: Vec<&FieldResult> = restored(change).map(|(_, field)| field).collect();
    restored.sort_by_key(|field| !field.is_version());
    let values = match restored.as_slice() {
        [one] => format!("{} → {}", bare(&one.new_text), bare(&one.old_text)),
        [first, rest @ ..] => {
            format!("{} → {} and {} more", bare(&first.new_text), bare(&first.old_text), rest.len())
        }
        [] => change.reverts.short(),
    };
    let more = match &change.together {
        Some(Together { group, others, .. }) if !others.is_empty() => {
            format!(" and {} more of {group}", others.len())
        }
        Some(Together { .. }) | None => String::new(),
    };
    format!("Revert {}{more} in {}: {values}", change.service, change.environment)
}

fn restored(change: &Change) -> impl Iterator<Item = &(FilePath, FieldResult)> {
    change.fields.iter().filter(|(_, field)| field.outcome == FieldOutcome::Restored)
}

/// A value for the subject.
fn bare(text: &str) -> String {
    cell(version_of(shown(text)), 40)
}

fn signal_table(judgement: &Judgement) -> String {
    let rows =
        judgement.findings.iter().filter(|finding| finding.before.is_some() || finding.after.is_some());
    let mut text = String::new();
    for finding in rows.take(MAX_ROWS) {
        if text.is_empty() {
            text.push_str("\n| signal | before | after | since |\n| --- | --- | --- | --- |\n");
        }
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| finding.show(value));
        let since = finding.since.as_ref().map(Time::to_string).unwrap_or_default();
        let signal = cell(finding.signal.as_str(), 60);
        put(
            &mut text,
            &format!("| {signal} | {} | {} | {since} |\n", number(finding.before), number(finding.after)),
        );
    }
    text
}

/// Whose changes go back.
pub(in crate::domain) fn deployments_of(change: &Change) -> &'static str {
    if change.with.is_empty() { "the deployment" } else { "it and the deployments below" }
}

fn field_table(change: &Change) -> String {
    let mut text = "\n| file | field | deployed | now |\n| --- | --- | --- | --- |\n".to_owned();
    for (path, field) in change.fields.iter().take(MAX_ROWS) {
        let now = match &field.outcome {
            FieldOutcome::Restored => cell(shown(&field.old_text), 100),
            FieldOutcome::AlreadyBack => format!("{} (was so already)", cell(shown(&field.old_text), 100)),
            FieldOutcome::Superseded(value) => format!("{} (changed since, left alone)", cell(value, 100)),
            FieldOutcome::Gone(_) => "gone, left alone".to_owned(),
        };
        let (path, address) = (cell(path.as_str(), 200), cell(&field.address, 200));
        put(&mut text, &format!("| {path} | {address} | {} | {now} |\n", cell(shown(&field.new_text), 100)));
    }
    if change.fields.len() > MAX_ROWS {
        put(&mut text, &format!("| … | {} more | | |\n", change.fields.len() - MAX_ROWS));
    }
    text
}

/// The trailers of one service. `with` is the service of the same group with which it goes back; then only what was bad itself has
/// signals, which is how the two are told apart.
pub(super) fn block(change: &Change, motive: Motive<'_>, with: Option<&ServiceName>) -> String {
    let mut text = String::new();
    let mut add = |key: &str, value: &str| {
        // Writing to a String cannot fail.
        let _written = writeln!(text, "{key}: {}", trailer_value(value));
    };
    add(ID_TRAILER, &change.id);
    add("Backout-Service", change.service.as_str());
    add("Backout-Environment", change.environment.as_str());
    add("Backout-Reverts", &change.reverts.to_string());
    if let Some(with) = with {
        add(TOGETHER_TRAILER, with.as_str());
    }
    for then in change.turn().into_iter().flat_map(|turn| &turn.then) {
        add(THEN_TRAILER, then.as_str());
    }
    for other in change.with.iter().take(MAX_TRAILERS) {
        add("Backout-With", &other.commit.to_string());
    }
    let mut others = change.bad_values.clone();
    let has_version = restored(change).any(|(_, field)| field.is_version());
    for (_, field) in
        restored(change).filter(|(_, field)| field.is_version() || !has_version).take(MAX_TRAILERS)
    {
        others.remove(&trailer_value(&field.new_text));
        add("Backout-From", &field.new_text);
        add("Backout-To", &field.old_text);
    }
    for value in others.iter().take(MAX_TRAILERS) {
        add("Backout-From", value);
    }
    for pin in change.pins.made.iter().take(MAX_TRAILERS) {
        add(PIN_TRAILER, &pin.to_string());
    }
    if let Some(until) = change.pins.until.filter(|_| !change.pins.made.is_empty()) {
        add(PIN_UNTIL_TRAILER, &until.to_string());
    }
    match motive {
        Motive::Metrics(judgement) | Motive::Fallback(judgement, _) => {
            let tells = with.is_none() || !change.bad_values.is_empty();
            let is_worse = |finding: &&Finding| tells && finding.verdict.word() == "regressed";
            for finding in judgement.findings.iter().filter(is_worse) {
                add(SIGNAL_TRAILER, finding.signal.as_str());
            }
            add("Backout-Evidence", &format!("refs/notes/backout-* on {}", change.reverts));
        }
        Motive::Elsewhere(known) => {
            add(ELSEWHERE_TRAILER, &format!("{} {}", known.environment, known.deployment));
            add("Backout-Evidence", &format!("refs/notes/backout-* on {}", change.reverts));
        }
        Motive::Request(Asked { who, why }) => {
            add("Backout-Requested-By", who);
            if let Some(why) = why {
                add("Backout-Reason", &flat(why));
            }
        }
    }
    text
}

/// Untrusted text as a piece of one line: nothing that is not seen, no table bars, at most `max` characters.
fn cell(text: &str, max: usize) -> String {
    one_line(text, max).replace('|', "\\|")
}
