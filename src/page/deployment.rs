//! A deployment on the page of its service: the verdict, the values, the charts, and what was decided.

use maud::{Markup, html};

use super::frame::{address, ago, badge, commit, drawn, list, moment, table, text};
use super::index::next;
use super::site::Site;
use super::svg;
use crate::agent::{Item, ToldVerdict};
use crate::domain::chart::Chart;
use crate::domain::decision::{Decision, Facts, GuardAnswer, summary};
use crate::domain::ids::CommitId;
use crate::domain::judge::evidence::{Evidence, SignalEvidence};
use crate::domain::judge::verdict::{Finding, Judgement};
use crate::domain::time::Time;

/// One that the newest pass has looked at.
pub(super) fn live(site: &Site, item: &Item) -> Markup {
    let landing = item.landing.words();
    html! {
        article {
            (heading(item.deployment, &item.subject, &item.judgement))
            dl {
                dt { "Deployed" } dd { (ago(item.deployed_at, site.at)) @if let Some(words) = &landing { ", " (text(words)) } }
                dt { "Next" } dd { (next(item)) }
                @if let Some(who) = &item.put_back { dt { "Put back" } dd { (text(who)) } }
                @for known in &item.elsewhere { dt { "Elsewhere" } dd { (text(&known.line())) } }
                @if let Some(plan) = &item.plan { dt { "Revert" } dd { pre { (lines(plan)) } } }
            }
            (findings(&item.evidence, &item.judgement, None))
            (guards(&item.guards))
        }
    }
}

/// One on which a verdict is recorded.
pub(super) fn told(site: &Site, told: &ToldVerdict) -> Markup {
    let verdict = &told.verdict;
    let (evidence, decision) = (&verdict.evidence, &verdict.decision);
    let reverted = told.reverted.or_else(|| Some((verdict.revert?, verdict.at)));
    html! {
        article {
            (heading(verdict.deployment, &told.subject, &verdict.judgement))
            dl {
                dt { "Deployed" } dd { (ago(evidence.deployed_at, site.at))
                    @if let Some(revert) = evidence.after_revert { ", brought back by " (commit(revert)) ", a revert that did not help" } }
                dt { "Decided" } dd { (badge(decision.word())) " " (ago(verdict.at, site.at))
                    @if let Some(why) = decision.why().filter(|why| *why != verdict.judgement.reason) { ": " (text(why)) }
                    @if !verdict.guards.is_empty() { br; span.faint { (text(&summary(&verdict.guards))) } } }
                @if let Some((id, at)) = reverted { dt { "Reverted" } dd { "by " (commit(id)) ", " (ago(at, site.at)) } }
                @if let Some(proposal) = &verdict.proposal {
                    dt { "Proposed" } dd { "on the branch " code { (text(proposal.branch.as_str())) }
                        @if let Some(review) = &proposal.review { ", in " (address(&review.url)) } }
                }
                @for (at, line) in &told.since { dt { "Since then" } dd { (moment(*at)) " " (text(line)) } }
                @for known in &verdict.elsewhere { dt { "Elsewhere" } dd { (text(&known.line())) } }
                @for line in verdict.artifacts.iter().flat_map(|told| told.lines()) { dt { "Artifact" } dd { (text(&line)) } }
            }
            (findings(evidence, &verdict.judgement, reverted.map(|(_, at)| at)))
            (guards(&verdict.guards))
        }
    }
}

fn heading(deployment: CommitId, subject: &str, judgement: &Judgement) -> Markup {
    html! {
        h2 { (commit(deployment)) " " (text(subject)) }
        p { (badge(judgement.verdict.word())) " " (text(&judgement.reason)) }
    }
}

const VALUE_HEADS: [&str; 6] = ["Signal", "Verdict", "Before", "After", "Bad beyond", "Bad since"];

/// The values of the signals, and a chart of each.
fn findings(evidence: &Evidence, judgement: &Judgement, reverted_at: Option<Time>) -> Markup {
    let both = || judgement.findings.iter().zip(&evidence.signals);
    html! {
        @if !judgement.findings.is_empty() {
            (table("Measured values", VALUE_HEADS, 0, both().map(|(finding, _)| values(finding))))
            @for (finding, signal) in both() { (signal_of(evidence, finding, signal, reverted_at)) }
        }
    }
}

fn values(finding: &Finding) -> [Markup; 6] {
    let shown =
        |value: Option<f64>| html! { (value.map_or_else(|| "–".to_owned(), |value| finding.show(value))) };
    [
        html! { (finding.signal) },
        badge(finding.verdict.word()),
        shown(finding.before),
        shown(finding.after),
        shown(finding.line),
        html! { @match finding.since { Some(since) => { (moment(since)) } None => { "–" } } },
    ]
}

fn signal_of(
    evidence: &Evidence,
    finding: &Finding,
    signal: &SignalEvidence,
    reverted_at: Option<Time>,
) -> Markup {
    let chart = Chart::of(evidence, signal, finding).map(|chart| chart.compared().reverted(reverted_at));
    let name = format!("Chart of {}: {}", finding.signal, finding.reason);
    let warnings: Vec<String> = signal.warnings.iter().map(|warning| format!("warning: {warning}")).collect();
    html! {
        section {
            h3 { (finding.signal) ": " (finding.verdict.word()) }
            p { (text(&finding.reason)) }
            @if let Some(chart) = &chart {
                @if let Some(part) = chart.segment { p { "Shown: " (text(part)) } }
                div.wide tabindex="0" role="region" aria-label={ "Chart of " (finding.signal) } {
                    (drawn(svg::chart(chart, &name)))
                }
                (behind(chart))
            }
            (list("", &warnings))
            @if !signal.asked.is_empty() {
                details { summary { "What " (signal.signal.source) " was asked" } pre { (lines(&signal.asked)) } }
            }
        }
    }
}

/// What the chart shows besides the signal itself.
fn behind(chart: &Chart<'_>) -> Markup {
    let names: Vec<String> = chart.behind.iter().map(|other| text(&other.name)).collect();
    html! { @if !names.is_empty() { p.faint { "Thin lines: " (names.join(", ")) @if chart.is_more_behind { ", …" } } } }
}

/// What each guard said, and from which facts.
fn guards(guards: &[GuardAnswer]) -> Markup {
    let said = |decision: Option<&Decision>| match decision {
        None => "passed".to_owned(),
        Some(decision) => match decision.why() {
            Some(why) => format!("{}: {why}", decision.word()),
            None => decision.word().to_owned(),
        },
    };
    html! {
        @if !guards.is_empty() {
            details {
                summary { "Guards: " (text(&summary(guards))) }
                ul { @for answer in guards {
                    li { strong { (text(&answer.guard)) } ": " (text(&said(answer.decision.as_ref())))
                        (list("faint", &answer.facts.as_ref().map(Facts::lines).unwrap_or_default())) }
                } }
            }
        }
    }
}

/// Text of several lines.
fn lines(all: &str) -> String {
    all.lines().map(text).collect::<Vec<_>>().join("\n")
}
