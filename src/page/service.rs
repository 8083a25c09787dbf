//! The page of a service: how it stands, and each of its newest deployments.

use maud::html;

use super::deployment::{live, told};
use super::frame::{ago, badge, commit, frame, moment, text};
use super::place::Place;
use super::site::Shown;
use super::state::ServiceState;
use crate::agent::{Item, ToldVerdict};
use crate::domain::decision::Decision;
use crate::domain::ids::ServiceName;

/// The most deployments that are shown.
const MAX_SHOWN: usize = 10;

/// Draws it; none where the environment has no such service.
#[must_use]
pub fn service(shown: Shown<'_>, name: &ServiceName) -> Option<String> {
    let Shown { site, seen, overview } = shown;
    let status = overview.status.services.iter().find(|one| one.service == *name)?;
    let place = Place::Service(seen.name.clone(), name.clone());
    let all = Place::Environment(seen.name.clone(), None).link(&place);
    let items: Vec<&Item> = seen
        .report
        .iter()
        .flat_map(|(_, report)| &report.items)
        .filter(|item| item.service == *name)
        .collect();
    let own: Vec<&ToldVerdict> =
        overview.told.iter().filter(|told| told.verdict.service == *name).take(MAX_SHOWN).collect();
    // What is written down already says more, unless the deployment is watched on.
    let is_told = |item: &Item| {
        let mut of_same = own.iter().filter(|told| told.verdict.deployment == item.deployment);
        item.decision != Decision::Wait && of_same.next().is_some()
    };
    let word = ServiceState::of(status).word();
    let body = html! {
        p.lead {
            "A service in " a href=(all) { (seen.name) } ". "
            @if let Some((at, _)) = &seen.report { "Newest pass: " (ago(*at, site.at)) "." } @else { "There was no pass yet." }
        }
        @if let Some(problem) = &seen.problem {
            section.alert {
                h2 { "Problems" }
                p { "What stands below is as of the newest pass: since then " (text(problem)) }
            }
        }
        dl {
            dt { "State" } dd { (badge(word)) }
            dt { "Version" }
            dd {
                @if status.versions.is_empty() { "not known" }
                @for version in &status.versions { (text(version)) " " }
            }
            @if let Some(since) = status.since {
                dt { "Since" }
                dd { (ago(since, site.at)) @if let Some(id) = status.commit { " by " (commit(id)) } }
            }
            @for value in &status.quarantine {
                dt { "In quarantine" }
                dd { (text(&value.value)) " until " (moment(value.until)) ", reverted by " (commit(value.revert)) }
            }
            @for pin in &status.pins {
                dt { "Pinned" }
                dd {
                    (text(&pin.pin)) " until " (moment(pin.until)) ": " (text(&pin.reason))
                    @if pin.is_changed { " (changed by somebody since)" }
                }
            }
            @if let Some(trust) = &status.trust {
                dt { "Trust" }
                dd {
                    @if trust.is_earned() { "backout reverts by itself: " } @else { "backout proposes reverts: " }
                    (text(&trust.line()))
                }
            }
        }
        @for item in items.iter().filter(|item| !is_told(item)) { (live(site, item)) }
        @for one in &own { (told(site, one)) }
        @if own.is_empty() && items.is_empty() {
            p.empty { "No deployment of this service is watched, and none of the newest verdicts is on one." }
        }
    };
    Some(frame(site, &place, name.as_str(), &body))
}
