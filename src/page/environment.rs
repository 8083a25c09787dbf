//! The page of an environment: its services in a table, and what holds the agent.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::frame::{ago, badge, commit, frame, list, moment, table, text};
use super::index::{more, named};
use super::place::Place;
use super::site::Shown;
use super::state::ServiceState;
use crate::agent::{BudgetStatus, ServiceStatus, ToldVerdict};
use crate::domain::text::one_line;
use crate::domain::time::human_secs;

/// The most rows of the table of services.
const MAX_ROWS: usize = 5_000;
/// The most verdicts that are listed.
const MAX_TOLD: usize = 50;
/// The most characters of what is searched for.
const MAX_SEARCH: usize = 200;

/// Which services are shown.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those in this state.
    pub state: Option<ServiceState>,
    /// Only those with this in their name or in a version.
    pub search: String,
}

impl Filter {
    fn takes(&self, service: &ServiceStatus) -> bool {
        let wanted = one_line(&self.search, MAX_SEARCH).to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        self.state.is_none_or(|state| state == ServiceState::of(service))
            && (has(service.service.as_str()) || service.versions.iter().any(|version| has(version)))
    }
}

const SERVICE_HEADS: [&str; 4] = ["Service", "Version", "Since", "State"];
const TOLD_HEADS: [&str; 5] = ["When", "Service", "Deployment", "Verdict", "Decision"];

/// Draws it.
#[must_use]
pub fn environment(shown: Shown<'_>, filter: &Filter) -> String {
    let Shown { site, seen, overview } = shown;
    let status = &overview.status;
    let place = Place::Environment(seen.name.clone(), filter.state);
    let mut services: Vec<&ServiceStatus> = status.services.iter().filter(|one| filter.takes(one)).collect();
    services.sort_by_key(|one| (ServiceState::of(one), &one.service));
    let problems: Vec<&String> =
        seen.problem.iter().chain(seen.report.iter().flat_map(|(_, report)| &report.problems)).collect();
    let facts: &[String] = seen.report.as_ref().map_or(&[], |(_, report)| &report.facts);
    let BudgetStatus { used, max_reverts, window_secs } = status.budget;
    let told = overview.told.iter().take(MAX_TOLD).map(|told| row_of_told(&place, shown, told));
    let body = html! {
        p.lead {
            "Repository " (seen.repository) ", branch at " (commit(status.head)) ", mode " (seen.modes.join(", ")) ". "
            @if let Some((at, _)) = &seen.report { "Newest pass: " (ago(*at, site.at)) "." } @else { "There was no pass yet." }
        }
        @if !problems.is_empty() { section.alert { h2 { "Problems" } (list("", &problems)) } }
        section { h2 { "What holds backout here" }
            p { "Budget: " (used) " of " (max_reverts) " reverts used in the last " (human_secs(window_secs.into())) "." }
            (list("", &status.brakes))
            (list("", &status.waiting))
            (list("", facts))
            @for one in &status.proposals {
                p {
                    "The revert of " (one.service) " " (commit(one.deployment)) " waits since " (ago(one.since, site.at))
                    " on the branch " code { (text(one.branch.as_str())) } " to be merged into " code { (text(one.into.as_str())) } "."
                }
            }
        }
        section { h2 { "Services" }
            (filters(&place, shown, filter))
            @if services.is_empty() { p.empty { "No service is shown." } } @else {
                (table("Services", SERVICE_HEADS, 0, services.iter().take(MAX_ROWS).map(|one| row(&place, shown, one))))
                (more(services.len(), MAX_ROWS))
            }
        }
        section {
            h2 { "Newest verdicts" }
            @if overview.told.is_empty() { p.empty { "No verdict is recorded." } } @else {
                (table("Newest verdicts", TOLD_HEADS, 1, told))
                (more(overview.told.len(), MAX_TOLD))
            }
        }
    };
    frame(site, &place, seen.name.as_str(), &body)
}

/// The links that choose a state, and a field to search where somebody answers.
fn filters(place: &Place, shown: Shown<'_>, filter: &Filter) -> Markup {
    let mut counts: BTreeMap<ServiceState, usize> = BTreeMap::new();
    for service in &shown.overview.status.services {
        *counts.entry(ServiceState::of(service)).or_default() += 1;
    }
    let link = |state: Option<ServiceState>, words: String| {
        let to = Place::Environment(shown.seen.name.clone(), state);
        html! { li { a href=(to.link(place)) aria-current=[(state == filter.state).then_some("page")] { (words) } } }
    };
    html! {
        nav aria-label="States of services" { ul.states {
            (link(None, format!("all {}", shown.overview.status.services.len())))
            @for (state, count) in &counts { (link(Some(*state), format!("{} {count}", state.word()))) }
        } }
        @if shown.site.is_served {
            form method="get" role="search" {
                label for="search" { "Name or version" }
                input id="search" type="search" name="search" maxlength=(MAX_SEARCH) value=(text(&filter.search));
                button type="submit" { "Search" }
            }
        }
    }
}

fn row(place: &Place, shown: Shown<'_>, one: &ServiceStatus) -> [Markup; 4] {
    let link = Place::Service(shown.seen.name.clone(), one.service.clone()).link(place);
    [
        html! {
            a href=(link) { (one.service) }
            @for value in &one.quarantine { br; span.faint { "in quarantine until " (moment(value.until)) ": " (text(&value.value)) } }
            @for pin in &one.pins { br; span.faint { "pinned until " (moment(pin.until)) ": " (text(&pin.pin)) } }
        },
        html! { @for version in &one.versions { (text(version)) br; } },
        html! { @if let Some(since) = one.since { (ago(since, shown.site.at)) } },
        badge(ServiceState::of(one).word()),
    ]
}

fn row_of_told(place: &Place, shown: Shown<'_>, told: &ToldVerdict) -> [Markup; 5] {
    let verdict = &told.verdict;
    let why = verdict.decision.why().unwrap_or(&verdict.judgement.reason);
    [
        ago(verdict.at, shown.site.at),
        named(place, &shown.seen.name, &verdict.service),
        html! { (commit(verdict.deployment)) " " (text(&told.subject)) },
        badge(verdict.judgement.verdict.word()),
        html! { (badge(verdict.decision.word())) " " (text(why)) },
    ]
}
