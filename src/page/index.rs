//! The first page: what is going on now in all environments.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use maud::{Markup, html};

use super::frame::{address, ago, badge, commit, frame, list, table, text};
use super::place::Place;
use super::site::{Seen, Site};
use crate::agent::{Item, LeftAlone};
use crate::domain::change::receipt::Receipt;
use crate::domain::decision::{Decision, summary};
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::{EnvironmentName, ServiceName};

/// The most reverts that are shown.
const MAX_REVERTS: usize = 30;
/// The most values of a revert that are shown.
const MAX_VALUES: usize = 3;
/// The most deployments of a kind that are shown.
const MAX_ROWS: usize = 200;
/// The most problems that are shown.
const MAX_PROBLEMS: usize = 50;

/// Draws it.
#[must_use]
pub fn index(site: &Site) -> String {
    let reports = || site.environments.iter().filter_map(|seen| Some((seen, &seen.report.as_ref()?.1)));
    let items = || reports().flat_map(|(seen, report)| report.items.iter().map(move |item| (seen, item)));
    let left: Vec<(&Seen, &LeftAlone)> =
        site.environments.iter().flat_map(|seen| seen.left.iter().map(move |one| (seen, one))).collect();
    let told: BTreeSet<_> =
        left.iter().map(|(seen, one)| (&seen.name, &one.service, one.deployment)).collect();
    let (watched, decided): (Vec<_>, Vec<_>) = items().partition(|(_, item)| item.decision == Decision::Wait);
    let is_new =
        |(seen, item): &(&Seen, &Item)| !told.contains(&(&seen.name, &item.service, item.deployment));
    let decided: Vec<(&Seen, &Item)> = decided.into_iter().filter(is_new).collect();
    let mut reverts: Vec<(&Seen, &RevertEntry)> =
        reports().flat_map(|(seen, report)| report.reverts.iter().map(move |one| (seen, one))).collect();
    reverts.sort_by_key(|(_, revert)| Reverse(revert.at));
    let problems = problems(site);
    let rows_of = |items: &[(&Seen, &Item)]| cut(items, |one| row_of_item(site, one));
    let body = html! {
        p.lead { (sentence(site, watched.len(), left.len())) }
        @if !problems.is_empty() {
            section.alert {
                h2 { "Problems" }
                (list("", problems.get(..MAX_PROBLEMS).unwrap_or(&problems)))
                (more(problems.len(), MAX_PROBLEMS))
            }
        }
        @if !left.is_empty() {
            section {
                h2 { "Bad, or left to a person" }
                (table("Bad, or left to a person", LEFT_HEADS, 0, cut(&left, |one| row_of_left(site, one))))
                (more(left.len(), MAX_ROWS))
            }
        }
        @if !decided.is_empty() {
            section {
                h2 { "Decided in the newest pass" }
                (table("Decided in the newest pass", ITEM_HEADS, 0, rows_of(&decided)))
                (more(decided.len(), MAX_ROWS))
            }
        }
        section {
            h2 { "Watched now" }
            @if watched.is_empty() { p.empty { "No deployment is known to be watched." } } @else {
                (table("Watched now", ITEM_HEADS, 0, rows_of(&watched)))
                (more(watched.len(), MAX_ROWS))
            }
        }
        section {
            h2 { "Environments" }
            @if site.environments.is_empty() { p.empty { "The configuration has no environment." } } @else {
                (table("Environments", ENVIRONMENT_HEADS, 0, site.environments.iter().map(|seen| row_of_environment(site, seen))))
            }
        }
        section {
            h2 { "Recent reverts" }
            @if reverts.is_empty() { p.empty { "No revert is known." } } @else {
                (table("Recent reverts", REVERT_HEADS, 1, reverts.iter().take(MAX_REVERTS).map(|one| row_of_revert(site, one))))
            }
        }
    };
    frame(site, &Place::Index, "Deployments", &body)
}

/// The first rows of a table.
fn cut<T>(all: &[T], row: impl Fn(&T) -> [Markup; 5]) -> Vec<[Markup; 5]> {
    all.iter().take(MAX_ROWS).map(row).collect()
}

const LEFT_HEADS: [&str; 5] = ["Service", "Deployment", "Verdict", "Decided", "Why"];
const ITEM_HEADS: [&str; 5] = ["Service", "Deployment", "Verdict", "What was found", "What is next"];
const ENVIRONMENT_HEADS: [&str; 6] =
    ["Environment", "Mode", "Newest pass", "Watched", "Reverts left", "Held by"];
const REVERT_HEADS: [&str; 5] = ["When", "Service", "Reverted deployment", "By", "How"];

fn sentence(site: &Site, watched: usize, left: usize) -> String {
    let count = |count: usize, one: &str| match count {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let left = match left {
        0 => "",
        1 => " 1 deployment is bad, or left to a person.",
        left => &format!(" {left} deployments are bad, or left to a person."),
    };
    let unknown = match site.environments.iter().filter(|seen| seen.is_own && seen.report.is_none()).count() {
        0 => String::new(),
        unknown => format!(" Nothing is known yet of {}.", count(unknown, "environment")),
    };
    let environments =
        count(site.environments.iter().filter(|seen| seen.report.is_some()).count(), "environment");
    format!("backout watches {} in {environments}.{left}{unknown}", count(watched, "deployment"))
}

/// What is wrong with the agent, and with environments.
fn problems(site: &Site) -> Vec<String> {
    let of_environment = |seen: &Seen| {
        let report = seen.report.iter().flat_map(|(_, report)| &report.problems);
        let all = seen.problem.iter().chain(report).map(|problem| format!("{}: {problem}", seen.name));
        all.collect::<Vec<String>>()
    };
    site.notices.iter().cloned().chain(site.environments.iter().flat_map(of_environment)).collect()
}

/// A service with a link, and its environment.
pub(super) fn named(from: &Place, environment: &EnvironmentName, service: &ServiceName) -> Markup {
    let place = Place::Service(environment.clone(), service.clone());
    html! { a href=(place.link(from)) { (service) } br; span.faint { (environment) } }
}

fn row_of_item(site: &Site, (seen, item): &(&Seen, &Item)) -> [Markup; 5] {
    [
        named(&Place::Index, &seen.name, &item.service),
        html! { (commit(item.deployment)) " " (text(&item.subject)) br; (ago(item.deployed_at, site.at)) },
        badge(item.judgement.verdict.word()),
        html! { (text(&item.judgement.reason)) },
        next(item),
    ]
}

/// What comes of a revert that is due.
fn coming(item: &Item) -> Markup {
    html! {
        @match &item.receipt {
            None => { "Its revert is due." }
            Some(Receipt::Planned) if item.decision == Decision::Propose => { "Its revert would be proposed to a person." }
            Some(Receipt::Planned) => { "It would be reverted." }
            Some(Receipt::Pushed(id)) => { "It is reverted by " (commit(*id)) "." }
            Some(Receipt::Merged(review)) => { "Its revert is merged: " (address(&review.url)) }
            Some(Receipt::Proposed { branch, review, .. }) => {
                "Its revert waits to be merged: "
                @match review { Some(review) => { (address(&review.url)) } None => { code { (text(branch.as_str())) } } }
            }
            Some(receipt) => { (text(&receipt.to_string())) }
        }
    }
}

/// What the agent does next with a deployment, and what holds it.
pub(super) fn next(item: &Item) -> Markup {
    let until = item.deployed_at.plus_secs(item.evidence.watch_secs.into());
    html! {
        @match &item.decision {
            Decision::Wait => { "It is watched until " (super::frame::moment(until)) "." }
            Decision::Pass(_) => { "Nothing has to be done." }
            Decision::Revert | Decision::Propose => { (coming(item)) }
            Decision::Escalate(why) => { "A person must look: " (text(why)) }
            Decision::Hold(why) => { "It stays: " (text(why)) }
        }
        @for wait in item.guards.iter().filter_map(|guard| guard.turn()?.waits_for()) { " " (text(&wait)) "." }
        @if item.decision != Decision::Wait && !item.guards.is_empty() {
            br; span.faint { (text(&summary(&item.guards))) }
        }
    }
}

fn row_of_left(site: &Site, (seen, one): &(&Seen, &LeftAlone)) -> [Markup; 5] {
    [
        named(&Place::Index, &seen.name, &one.service),
        html! { (commit(one.deployment)) " " (text(&one.subject)) br; (ago(one.deployed_at, site.at)) },
        badge(one.verdict),
        html! { (badge(one.decision.word())) br; (ago(one.at, site.at)) },
        html! {
            (text(&one.why))
            @if let Some(guard) = &one.guard { br; span.faint { "decided by the guard: " (text(guard)) } }
        },
    ]
}

fn row_of_environment(site: &Site, seen: &Seen) -> [Markup; 6] {
    let link = Place::Environment(seen.name.clone(), None).link(&Place::Index);
    let report = seen.report.as_ref();
    let is_watched = |item: &&Item| item.decision == Decision::Wait;
    let brakes = report.map(|(_, report)| report.brakes.lines(&seen.name)).unwrap_or_default();
    [
        html! {
            // Of what was never read there is no file.
            @if site.is_served || report.is_some() { a href=(link) { (seen.name) } } @else { (seen.name) }
            br; span.faint { (seen.repository) }
        },
        html! { (seen.modes.join(", ")) },
        html! {
            @match report {
                Some((at, _)) => { (ago(*at, site.at)) }
                None if seen.is_own => { "none yet" }
                None => { "another daemon watches it, and tells of it on its own pages" }
            }
            @if seen.problem.is_some() { br; span.badge.bad { "problem" } }
        },
        html! { @if let Some((_, report)) = report { (report.items.iter().filter(is_watched).count()) } },
        html! { @if let Some(left) = report.and_then(|(_, report)| report.budget_left) { (left) } },
        html! {
            @match report {
                None => { "not known" }
                Some(_) if brakes.is_empty() => { "nothing" }
                Some(_) => { (list("plain", &brakes)) }
            }
        },
    ]
}

fn row_of_revert(site: &Site, (seen, revert): &(&Seen, &RevertEntry)) -> [Markup; 5] {
    [
        ago(revert.at, site.at),
        named(&Place::Index, &seen.name, &revert.service),
        html! { (commit(revert.reverts)) @for value in revert.bad_values.iter().take(MAX_VALUES) { br; (text(value)) } },
        commit(revert.commit),
        html! { (how(revert)) },
    ]
}

/// That there are more rows than are shown.
pub(super) fn more(all: usize, shown: usize) -> Markup {
    html! { @if all > shown { p.faint { (all - shown) " more are not shown." } } }
}

/// How a revert came about.
fn how(revert: &RevertEntry) -> String {
    match &revert.together_with {
        Some(with) if !revert.is_of_bad() => format!("it went back with {with}, of the same group"),
        Some(_) | None if revert.requested => "a person decided it".to_owned(),
        Some(_) | None => "backout found it due by the metrics".to_owned(),
    }
}
