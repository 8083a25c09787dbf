//! Deployments of one service on top of each other: whose the damage is, and what becomes of the others.

use super::types::{Case, Decision, Situation};
use crate::domain::deployment::Deployment;
use crate::domain::deployment::lineage::Goal;
use crate::domain::judge::verdict::{Judgement, Verdict};
use crate::domain::time::Time;

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

/// Damage from before a deployment is not its own. But where it began with an earlier deployment of the same service,
/// which this one replaced without mending it, going back one version does not help, and nobody else will say so.
pub(super) fn inherited(case: &Case<'_>, situation: &Situation<'_>) -> Decision {
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
        return Decision::Hold(with_it_of(red.deployment));
    }
    let began_with = |other: &&Deployment| {
        other.service == own.service
            && other.commit != own.commit
            && other.at <= own.at
            && case.judgement.since.is_some_and(|since| other.at <= since)
            && !reverted(other)
    };
    let Some(other) = situation.watched.iter().rev().find(began_with) else {
        return Decision::Pass(case.judgement.reason.clone());
    };
    let is_it = |red: &&Case<'_>| red.deployment.id == other.id;
    let with_it = with_it_of(other);
    match situation.regressed.iter().filter(goes_back).find(is_it) {
        // Its revert takes this one back as well, and its decision is told.
        Some(_) => Decision::Hold(with_it),
        None => Decision::Escalate(format!("{with_it}, and this one did not mend it")),
    }
}

fn with_it_of(other: &Deployment) -> String {
    format!("the damage began with {}, an earlier deployment of the same service", other.commit.short())
}

/// Whether a deployment that is still watched has not mended what was bad before it, after as long as a revert would be given
/// for that.
fn is_carried_on(later: &Case<'_>, situation: &Situation<'_>) -> bool {
    let at = later.deployment.at;
    let is_before = |since: Time| since < at;
    situation.now.secs_since(at) >= i64::from(later.policy.recovery_secs)
        && later.judgement.findings.iter().any(|finding| finding.since.is_some_and(is_before))
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

/// Whether what replaced a bad deployment is healthy only beside it: what got worse is nearer to how it was with the bad one
/// than to how it was before.
fn is_as_bad(later: &Judgement, bad: &Judgement) -> bool {
    let worse = bad.findings.iter().filter(|finding| finding.verdict == Verdict::Regressed);
    let mut now = worse.filter_map(|finding| {
        let same = later.findings.iter().find(|other| other.signal == finding.signal)?;
        Some((finding.before?, finding.after?, same.after?))
    });
    now.any(|(before, after, now)| (now - after).abs() < (now - before).abs())
}

/// What replaced a bad deployment may have mended it, or may carry the damage on: then both go back.
pub(super) fn superseded(case: &Case<'_>, situation: &Situation<'_>) -> Option<Decision> {
    if let Some(Goal::TakenBack(by)) = case.goal {
        return Some(Decision::Pass(format!("{} has taken it back", by.short())));
    }
    let later = case.deployment.superseded_by?;
    let own = case.deployment;
    // What replaced it may have been replaced too: the last of them tells.
    let is_last = |other: &&Case<'_>| {
        other.deployment.service == own.service && Some(&other.deployment.id) == last_of(own, situation)
    };
    if let Some(later) = situation.open.iter().find(is_last)
        && case.judgement.verdict == Verdict::Regressed
        && case.judgement.since.is_some_and(|since| since < later.deployment.at)
    {
        match later.judgement.verdict {
            Verdict::Pending if is_carried_on(later, situation) => return None,
            Verdict::Pending => return Some(Decision::Wait),
            Verdict::Preexisting => return None,
            Verdict::Healthy if is_as_bad(later.judgement, case.judgement) => {
                return Some(Decision::Escalate(format!(
                    "{} has replaced what it deployed, and the signals are still as bad",
                    later.deployment.commit.short()
                )));
            }
            Verdict::Healthy | Verdict::Regressed | Verdict::Inconclusive(_) => {}
        }
    }
    Some(Decision::Pass(format!("{} has replaced what it deployed", later.short())))
}

/// Several deployments of a service are watched at once: the damage is that of the latest before it began, whatever is
/// known of that one so far.
pub(super) fn later_deployment(case: &Case<'_>, situation: &Situation<'_>) -> Option<Decision> {
    let own = case.deployment;
    let since = case.judgement.since.unwrap_or(own.at);
    let newer = situation.watched.iter().rev().take_while(|other| other.commit != own.commit);
    let mut before_damage = newer.filter(|other| other.service == own.service && other.at <= since);
    let later = before_damage.next()?;
    let commit = later.commit.short();
    let is_later = |other: &&Case<'_>| {
        other.deployment.commit == later.commit && other.deployment.service == own.service
    };
    if situation.open.iter().any(|other| is_later(&other) && other.judgement.verdict == Verdict::Pending) {
        return Some(Decision::Wait);
    }
    let blamed = situation.regressed.iter().any(|other| is_later(&other))
        || situation.reverts.iter().any(|entry| later.was_taken_back_by(entry));
    let why = format!("the damage began after {commit}, a later deployment of the same service");
    Some(if blamed {
        Decision::Hold(why)
    } else {
        Decision::Escalate(format!("{why}, which was not found bad"))
    })
}
