//! The parts that the texts are made of, each within its bounds.

use crate::domain::change::message::deployments_of;
use crate::domain::change::{Change, Motive, Together};
use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::{Merge, ReviewRules};
use crate::domain::environment::signal::{Direction, Rule, Signal};
use crate::domain::field::tokens::version_of;
use crate::domain::field::{FieldOutcome, FieldResult};
use crate::domain::judge::evidence::{Evidence, Found, Sample, SignalEvidence};
use crate::domain::judge::verdict::{Finding, Judgement, Verdict};
use crate::domain::review::chart::{ChartStyle, draw_worst, regressed};
use crate::domain::review::markdown::{code, fenced, table_head, table_row};
use crate::domain::text::{cut, flat, inert};
use crate::domain::time::human_secs;

/// The longest title, in characters.
pub(super) const MAX_TITLE: usize = 200;
/// The most rows of the table of signals.
const MAX_SIGNALS: usize = 20;
/// The most rows of the table of fields.
const MAX_FIELDS: usize = 30;
/// The most addresses of what stays behind.
const MAX_LEFT: usize = 20;
/// The most samples of a signal.
const MAX_SAMPLES: usize = 40;
/// The longest section of evidence, in characters.
const MAX_EVIDENCE: usize = 24_000;

/// A text that grows by paragraphs and blocks, an empty line between them.
pub(super) struct Words {
    first_line: String,
    rest: String,
}

impl Words {
    /// With a mark on its first line, which is read back.
    pub(super) fn new(first_line: &str) -> Self {
        Self { first_line: first_line.to_owned(), rest: String::new() }
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        self.block(&format!("{text}\n"));
    }

    /// Adds a block that ends with its last line; nothing where it is empty.
    pub(super) fn block(&mut self, text: &str) {
        if !text.is_empty() {
            self.rest.push('\n');
            self.rest.push_str(text);
        }
    }

    /// The whole, in which what stands in two places is no instruction together either.
    pub(super) fn finish(self) -> String {
        format!("{}\n{}", self.first_line, inert(&self.rest))
    }
}

/// A line of plain text for a title.
pub(super) fn line(text: &str) -> String {
    cut(inert(&flat(text)).trim(), MAX_TITLE)
}

/// The deployment: its commit in full, so that forges make a link of it.
pub(super) fn which(deployment: &Deployment) -> String {
    let by = match deployment.author.name.trim() {
        "" => String::new(),
        name => format!(", by {}", code(name, 60)),
    };
    format!("Deployment {} ({}{by}) of {}", deployment.commit, code(&deployment.subject, 120), deployment.at)
}

/// What got worse, in the words of the signal that moved furthest.
pub(super) fn damage(judgement: &Judgement) -> String {
    let regressed = regressed(judgement);
    let first_since = regressed.first().and_then(|first| first.since).or(judgement.since);
    let since = first_since.map(|since| format!(" since {since}")).unwrap_or_default();
    let [first, rest @ ..] = regressed.as_slice() else {
        return format!("made things worse{since}: {}.", code(&judgement.reason, 400));
    };
    let show = |value: Option<f64>| value.map(|value| first.show(value));
    let numbers = match (show(first.before), show(first.after)) {
        (Some(before), Some(after)) => format!(": from {before} to {after}"),
        (None, Some(after)) => format!(": it is at {after}"),
        (_, None) => String::new(),
    };
    let others = match rest.len() {
        0 => String::new(),
        1 => "; one more signal is worse too".to_owned(),
        more => format!("; {more} more signals are worse too"),
    };
    format!("made {} worse{numbers}{since}{others}.", code(first.signal.as_str(), 80))
}

/// The signal that moved furthest, drawn as the forge can.
pub(super) fn chart(judgement: &Judgement, evidence: Option<&Evidence>, style: ChartStyle) -> String {
    evidence.and_then(|evidence| draw_worst(judgement, evidence, style)).unwrap_or_default()
}

/// The signals before and after.
pub(super) fn signal_section(judgement: &Judgement) -> String {
    if judgement.findings.is_empty() {
        return String::new();
    }
    // Three columns: that is what a phone shows without scrolling.
    let mut text = table_head(&["signal", "before → after", "bad since"]);
    // What regressed comes first.
    let mut findings: Vec<&Finding> = judgement.findings.iter().collect();
    findings.sort_by_key(|finding| finding.verdict != Verdict::Regressed);
    for finding in findings.iter().take(MAX_SIGNALS) {
        let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| finding.show(value));
        let word = finding.verdict.word();
        let verdict =
            if finding.verdict == Verdict::Regressed { format!("**{word}**") } else { word.to_owned() };
        let line = finding.line.map_or_else(String::new, |line| format!(", line {}", finding.show(line)));
        text.push_str(&table_row(&[
            format!("{} {verdict}", code(finding.signal.as_str(), 80)),
            format!("{} → {}{line}", number(finding.before), number(finding.after)),
            finding.since.map_or("–".to_owned(), |since| since.clock()),
        ]));
    }
    text.push_str(&more_row(judgement.findings.len(), MAX_SIGNALS, 3));
    format!("### Signals\n\n{text}")
}

/// A row for what is left out of a table.
fn more_row(all: usize, shown: usize, columns: usize) -> String {
    if all <= shown {
        return String::new();
    }
    let mut cells = vec![String::new(); columns];
    if let Some(first) = cells.first_mut() {
        *first = format!("and {} more", all - shown);
    }
    table_row(&cells)
}

/// Which fields go back, and what stays.
pub(super) fn field_section(change: &Change) -> String {
    let mut text = format!("### What goes back\n\n{}", table_head(&["file", "field", "from", "to"]));
    for (path, field) in change.fields.iter().take(MAX_FIELDS) {
        text.push_str(&table_row(&[
            code(path.as_str(), 160),
            code(&field.address, 120),
            code(&field.new_text, 90),
            becomes(field),
        ]));
    }
    text.push_str(&more_row(change.fields.len(), MAX_FIELDS, 4));
    if !change.along.is_empty() {
        text.push_str(&format!("\nWhat else {} changed goes back too:\n\n", deployments_of(change)));
        for address in change.along.iter().take(MAX_LEFT) {
            text.push_str(&format!("- {}\n", code(address, 160)));
        }
    }
    if !change.with.is_empty() {
        text.push_str(
            "\nSo that the service is in a state that it ran before, these deployments go back with it:\n\n",
        );
        for other in change.with.iter().take(MAX_LEFT) {
            text.push_str(&format!("- {}\n", code(&other.line(), 300)));
        }
    }
    for line in change.checked.iter().take(MAX_LEFT) {
        text.push_str(&format!("\nBy the registries: {}\n", code(line, 300)));
    }
    for doubt in change.doubts.iter().take(MAX_LEFT) {
        text.push_str(&format!("\n**For a person to look at:** {}\n", code(doubt, 300)));
    }
    text.push_str(&left_behind(&change.left_behind));
    text
}

/// The other services of the group that go back too.
pub(super) fn group_section(change: &Change) -> String {
    let Some(Together { group, others, turn: _ }) = &change.together else { return String::new() };
    if others.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "### Services that go back with it\n\nThe same commit deployed more services of the group {}. They go back together or not at \
         all.\n\n{}",
        code(group.as_str(), 80),
        table_head(&["service", "from", "to", "found"])
    );
    for other in others {
        let (from, to, more) = values(other);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let found = if other.bad_values.is_empty() { "not bad" } else { "**bad**" };
        let service = code(other.service.as_str(), 80);
        text.push_str(&table_row(&[service, from, format!("{to}{more}"), found.to_owned()]));
    }
    text
}

/// The value that goes, the one that comes back, and how many other fields do the same.
pub(super) fn values(change: &Change) -> (String, String, usize) {
    let restored = change.fields.iter().map(|(_, field)| field);
    let mut restored: Vec<_> = restored.filter(|field| field.outcome == FieldOutcome::Restored).collect();
    restored.sort_by_key(|field| !field.is_version());
    let shown = |text: &str| code(version_of(text), 60);
    match restored.as_slice() {
        [first, rest @ ..] => (shown(&first.new_text), shown(&first.old_text), rest.len()),
        [] => (code("", 60), code("", 60), 0),
    }
}

fn becomes(field: &FieldResult) -> String {
    match &field.outcome {
        FieldOutcome::Restored => code(&field.old_text, 90),
        FieldOutcome::AlreadyBack => format!("{}, was so already", code(&field.old_text, 90)),
        FieldOutcome::Superseded(now) => format!("left alone: is {} by now", code(now, 90)),
        FieldOutcome::Gone(_) => "left alone: is gone".to_owned(),
    }
}

fn left_behind(addresses: &[String]) -> String {
    if addresses.is_empty() {
        return String::new();
    }
    let mut text = "\nThe deployment also changed the following, which stays as it is:\n\n".to_owned();
    for address in addresses.iter().take(MAX_LEFT) {
        text.push_str(&format!("- {}\n", code(address, 160)));
    }
    if addresses.len() > MAX_LEFT {
        text.push_str(&format!("- and {} more\n", addresses.len() - MAX_LEFT));
    }
    text
}

/// What happens next, and what people can do.
pub(super) fn next_section(
    change: &Change,
    rules: ReviewRules,
    motive: Motive<'_>,
    deaf: Option<&str>,
) -> String {
    let deadline = human_secs(i64::from(rules.deadline_secs));
    let branch = code(change.branch.as_str(), 120);
    let merge = match rules.merge {
        Merge::Auto => format!(
            "It is merged as soon as the forge's own rules let it. If it is not merged within {deadline}, a person is \
             asked to look; it stays open."
        ),
        Merge::Manual if deaf.is_some() => "It waits for a person: merging it is the approval.".to_owned(),
        Merge::Manual => {
            "It waits for a person: merging it is the approval, and so is the comment below.".to_owned()
        }
    };
    let commands = match deaf {
        Some(why) => format!("Commands in comments are not obeyed here: {why}."),
        None => "Comments of people who may push are obeyed: `/backout approve` merges it as soon as the forge's rules let it, \
                 `/backout hold 2h` keeps it from being merged for so long, `/backout retry` ends a hold, and its time begins again."
            .to_owned(),
    };
    let after = match motive {
        Motive::Metrics(_) | Motive::Fallback(..) | Motive::Elsewhere(_) => {
            ", and watches whether the signals come back"
        }
        Motive::Request(_) => "",
    };
    format!(
        "### What happens next\n\n\
         - {merge}\n\
         - After the merge the agent checks that {branch} holds these values{after}.\n\
         - If {branch} moves, it is worked out anew; if the values are back by another way, it is closed.\n\
         - {commands}\n\
         - Closing it without merging means no: that is respected.\n"
    )
}

/// The evidence, folded: what was asked, for when, and what was answered.
pub(super) fn evidence_section(
    deployment: &Deployment,
    judgement: &Judgement,
    evidence: Option<&Evidence>,
) -> String {
    let commit = deployment.commit;
    let mut text = format!(
        "<details>\n<summary>Evidence: reasons, queries and samples</summary>\n\n\
         All of it is kept in `refs/notes/backout-*` on {commit}; `backout explain {commit}` shows it, and judges again by \
         it alone.\n\nVerdict: {}\n",
        code(&judgement.reason, 800)
    );
    if let Some(evidence) = evidence {
        text.push_str(&format!(
            "\nDeployed {}, judged with samples up to {}. Baseline {} before the deployment, the first {} after it are \
             not judged, watched for {}.\n",
            evidence.deployed_at,
            evidence.judged_at,
            human_secs(i64::from(evidence.baseline_secs)),
            human_secs(i64::from(evidence.settle_secs)),
            human_secs(i64::from(evidence.watch_secs)),
        ));
    }
    let mut left_out = 0;
    for finding in &judgement.findings {
        let signal = evidence
            .and_then(|evidence| evidence.signals.iter().find(|signal| signal.signal.name == finding.signal));
        let entry = entry(finding, signal);
        // Whole entries, so that no markup is cut through.
        if text.chars().count() + entry.chars().count() > MAX_EVIDENCE {
            left_out += 1;
        } else {
            text.push_str(&entry);
        }
    }
    if left_out > 0 {
        text.push_str(&format!("\n{left_out} more signals are left out here.\n"));
    }
    text.push_str("\n</details>\n");
    text
}

/// One signal in the evidence.
fn entry(finding: &Finding, signal: Option<&SignalEvidence>) -> String {
    let mut text = format!("\n**{}**: {}\n", code(finding.signal.as_str(), 80), code(&finding.reason, 500));
    let Some(signal) = signal else { return text };
    let Signal { step_secs, direction, rule, .. } = &signal.signal;
    let worse = match direction {
        Direction::HigherIsWorse => "higher is worse",
        Direction::LowerIsWorse => "lower is worse",
    };
    text.push_str(&format!(
        "\nAsked of {} every {}, {worse}, {}:\n\n{}",
        code(signal.signal.source.as_str(), 80),
        human_secs(i64::from(*step_secs)),
        rule_in_words(finding, *rule),
        fenced("", &signal.asked, 1_500)
    ));
    for warning in signal.warnings.iter().take(3) {
        text.push_str(&format!("\nThe source warned: {}\n", code(warning, 200)));
    }
    if signal.segments.is_empty() {
        text.push_str(&answer(finding, &signal.found));
    }
    for segment in signal.segments.iter().take(3) {
        text.push_str(&format!("\nOf {}:\n", code(&segment.name, 60)));
        text.push_str(&samples(finding, &segment.samples));
    }
    if signal.segments.len() > 3 {
        text.push_str(&format!("\n{} more parts are left out here.\n", signal.segments.len() - 3));
    }
    text
}

fn rule_in_words(finding: &Finding, rule: Rule) -> String {
    let for_long = |secs: u32| format!("for {}", human_secs(i64::from(secs)));
    match rule {
        Rule::Robust => "held against the baseline".to_owned(),
        Rule::Limit { limit, for_secs } => format!("limit {} {}", finding.show(limit), for_long(for_secs)),
        Rule::Change { share, for_secs } => {
            format!("at most {:.0} % away from the baseline's median, {}", share * 100.0, for_long(for_secs))
        }
    }
}

fn answer(finding: &Finding, found: &Found) -> String {
    match found {
        Found::Gap(gap) => format!("\nNo samples: {}\n", code(&gap.to_string(), 300)),
        Found::Samples(all) => samples(finding, all),
    }
}

fn samples(finding: &Finding, all: &[Sample]) -> String {
    let newest = all.get(all.len().saturating_sub(MAX_SAMPLES)..).unwrap_or(all);
    let lines: Vec<String> =
        newest.iter().map(|sample| format!("{}  {}", sample.at, finding.show(sample.value))).collect();
    let which = if newest.len() < all.len() {
        format!("The newest {} of {} samples", newest.len(), all.len())
    } else {
        format!("All {} samples", all.len())
    };
    format!("\n{which}:\n\n{}", fenced("", &lines.join("\n"), 2_600))
}
