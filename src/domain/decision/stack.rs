//! Deployments of one service on top of each other: whose the damage is, and what becomes of the others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::types::{Case, Decision, Situation};
use crate::domain::deployment::Deployment;
use crate::domain::deployment::lineage::Goal;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::CommitId;

/// Whether what is known leaves open if the damage began before the deployment landed or after it.
#[must_use]
pub fn is_open(case: &Case<'_>) -> bool {
    case.judgement.since.is_some_and(|since| case.deployment.landing.leaves_open(since))
}

/// Whether a person must say if the damage is the deployment's own: it may have begun before the deployment landed.
#[must_use]
pub fn is_unsure(case: &Case<'_>, watched: &[Deployment]) -> bool {
    is_open(case) || may_be_of(case, watched).is_some()
}

/// The deployment of the same service that landed before the damage began, where this one may have landed after that: it may
/// even have mended what the other one did. One that put the same values there is none: whichever of the two it was, what they
/// put there does the damage.
#[must_use]
pub fn may_be_of<'a>(case: &Case<'_>, watched: &'a [Deployment]) -> Option<&'a Deployment> {
    let own = case.deployment;
    let since = case.judgement.since.filter(|since| own.landing.may_be_after(*since))?;
    let is_before = |other: &&Deployment| {
        other.service == own.service && other.commit != own.commit && other.landing.latest <= since
    };
    let values = own.trailer_values();
    let is_other = |other: &&Deployment| values.is_empty() || other.trailer_values() != values;
    watched.iter().rev().find(is_before).filter(is_other)
}

/// An earlier deployment with which damage began that a later one of the same service carries on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inherited {
    /// Its commit.
    pub commit: CommitId,
    /// Whether its own revert is decided about, which takes the later one back as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub goes_back: bool,
}

impl Inherited {
    /// What is done about the later one.
    pub(super) fn decision(&self) -> Decision {
        let why = format!(
            "the damage began with {}, an earlier deployment of the same service",
            self.commit.short()
        );
        if self.goes_back {
            Decision::Hold(why)
        } else {
            Decision::Escalate(format!("{why}, and this one did not mend it"))
        }
    }
}

/// Damage from before a deployment is not its own. But where it began with an earlier deployment of the same service,
/// which this one replaced without mending it, going back one version does not help, and nobody else will say so.
pub(super) fn inherited(case: &Case<'_>, situation: &Situation<'_>) -> Option<Inherited> {
    let own = case.deployment;
    let reverted = |other: &Deployment| situation.reverts.iter().any(|entry| other.was_taken_back_by(entry));
    // What was taken back already is not decided about any more.
    let goes_back = |red: &&Case<'_>| !matches!(red.goal, Some(Goal::TakenBack(_)));
    // What replaced a bad one and is found bad from before goes back with it.
    let carries_on = |red: &&Case<'_>| {
        red.deployment.service == own.service
            && last_of(red.deployment, situation) == Some(&own.id)
            && red.judgement.since.is_some_and(|since| since < own.at)
            && !reverted(red.deployment)
            && goes_back(red)
    };
    if let Some(red) = situation.regressed.iter().find(carries_on) {
        return Some(Inherited { commit: red.deployment.commit, goes_back: true });
    }
    let began_with = |other: &&Deployment| {
        other.service == own.service
            && other.commit != own.commit
            && other.at <= own.at
            && case.judgement.since.is_some_and(|since| other.at <= since)
            && !reverted(other)
    };
    let other = situation.watched.iter().rev().find(began_with)?;
    let is_it = |red: &&Case<'_>| red.deployment.id == other.id;
    let goes_back = situation.regressed.iter().filter(goes_back).any(|red| is_it(&red));
    Some(Inherited { commit: other.commit, goes_back })
}

/// The reverts, newest first, that backed out a value which this deployment brings back.
pub(super) fn quarantined_by(case: &Case<'_>, situation: &Situation<'_>) -> Vec<CommitId> {
    let is_back = |entry: &&RevertEntry| case.deployment.brings_back(entry, case.policy.quarantine_secs);
    situation.reverts.iter().filter(is_back).map(|entry| entry.commit).collect()
}

/// The id of the deployment that replaced this one, or that replaced the one that did, and so on.
pub(super) fn last_of<'a>(own: &Deployment, situation: &Situation<'a>) -> Option<&'a String> {
    let (mut last, mut next) = (None, own.superseded_by);
    for other in situation.watched {
        if other.service == own.service && Some(other.commit) == next {
            (last, next) = (Some(&other.id), other.superseded_by);
        }
    }
    if next.is_none() { last } else { None }
}
