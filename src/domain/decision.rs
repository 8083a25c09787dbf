//! Deciding: from a verdict to what is done about it, through guards that are asked in the order of [`GUARDS`].

mod stack;
mod types;

use std::collections::BTreeSet;

pub use self::stack::may_be_of;
use self::stack::{inherited, last_of, later_deployment, superseded};
pub use self::types::{Case, Decision, GoneRevert, GuardAnswer, Left, Situation};
use crate::domain::deployment::lineage::{Earlier, Goal};
use crate::domain::deployment::{ChangeKind, Deployment};
use crate::domain::environment::policy::{Budget, Mixed, Mode};
use crate::domain::history::automation::is_automation;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::CommitId;
use crate::domain::judge::verdict::Verdict;
use crate::domain::text::one_line;
use crate::domain::time::human_secs;

type Guard = fn(&Case<'_>, &Situation<'_>) -> Option<Decision>;

/// The name of the guard that asks what the agent may do at all.
pub const MODE_GUARD: &str = "mode";

/// The name of the guard that asks what was found out.
pub const VERDICT_GUARD: &str = "verdict";

/// The name of the guard that leaves changes of a database schema to people.
pub const SCHEMA_GUARD: &str = "schema change";

/// The name of the guard that leaves services which are red at once to people.
const INCIDENT_GUARD: &str = "incident";

/// The name under which it is recorded that a person must look at a revert because of what was found when it was worked out.
pub const PLAN_GUARD: &str = "plan";

/// The guards, in the order in which they are asked. The first that answers decides.
pub const GUARDS: [(&str, Guard); 16] = [
    ("already reverted", already_reverted),
    ("superseded", superseded),
    (VERDICT_GUARD, verdict),
    (SCHEMA_GUARD, schema_change),
    ("mixed commit", mixed_commit),
    ("watch window", watch_window),
    ("rollback", rollback),
    ("later deployment", later_deployment),
    ("quarantine", quarantine),
    ("cooldown", cooldown),
    (INCIDENT_GUARD, incident),
    ("earlier revert", earlier_revert),
    ("budget", budget),
    ("target", target),
    (MODE_GUARD, mode),
    ("landing", landing),
];

/// The guards that look at when a deployment was made. Where the agent itself has brought its state back, they say nothing.
const BY_TIME: [&str; 4] = ["superseded", "watch window", "later deployment", "cooldown"];

/// Asks the guards; also returns what each said that was asked.
#[must_use]
pub fn decide(case: &Case<'_>, situation: &Situation<'_>) -> (Decision, Vec<GuardAnswer>) {
    let mut answers = Vec::new();
    let asked = GUARDS.iter().filter(|(name, _)| !case.is_fallback || !BY_TIME.contains(name));
    for (name, guard) in asked {
        let decision = guard(case, situation);
        answers.push(GuardAnswer { guard: (*name).to_owned(), decision: decision.clone() });
        if let Some(decision) = decision {
            return (decision, answers);
        }
    }
    (Decision::Revert, answers)
}

fn verdict(case: &Case<'_>, situation: &Situation<'_>) -> Option<Decision> {
    match &case.judgement.verdict {
        Verdict::Regressed => None,
        // The source may answer for the same window later.
        Verdict::Inconclusive(_) if case.unanswered && !is_long_over(case, situation) => Some(Decision::Wait),
        // Later nobody could judge it either.
        Verdict::Pending | Verdict::Healthy | Verdict::Inconclusive(_) if let Some(why) = case.unjudged => {
            Some(Decision::Escalate(why.to_owned()))
        }
        Verdict::Pending => Some(Decision::Wait),
        // It may still turn bad.
        Verdict::Healthy if is_watched(case, situation) => Some(Decision::Wait),
        // Nobody knows whether it is its own.
        Verdict::Preexisting if is_open(case) => None,
        Verdict::Preexisting => Some(inherited(case, situation)),
        // It is bad, and nobody can say by whose doing, or nobody has looked at it: that must not go by unseen.
        Verdict::Inconclusive(_) if case.contested || case.missed || case.deployment.beyond.is_some() => {
            Some(Decision::Escalate(case.judgement.reason.clone()))
        }
        Verdict::Healthy | Verdict::Inconclusive(_) => Some(Decision::Pass(case.judgement.reason.clone())),
    }
}

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

/// Nothing is blamed for damage that may have begun before it landed, without a person. Nor is it on the word of a record
/// alone: who may push notes can write one.
fn landing(case: &Case<'_>, situation: &Situation<'_>) -> Option<Decision> {
    (is_unsure(case, situation.watched) || case.told).then_some(Decision::Propose)
}

/// Whether the watch window is still open.
fn is_watched(case: &Case<'_>, situation: &Situation<'_>) -> bool {
    situation.now.secs_since(case.deployment.at) < i64::from(case.policy.watch_secs)
}

/// Whether the watch window ended so long ago that an answer is no longer waited for: half a window.
fn is_long_over(case: &Case<'_>, situation: &Situation<'_>) -> bool {
    2 * situation.now.secs_since(case.deployment.at) > 3 * i64::from(case.policy.watch_secs)
}

fn already_reverted(case: &Case<'_>, situation: &Situation<'_>) -> Option<Decision> {
    let own = case.deployment;
    let entry = situation.reverts.iter().find(|entry| own.was_taken_back_by(entry))?;
    // The revert of the other one may still wait on a branch of its own.
    Some(if entry.id == own.id {
        Decision::Pass(format!("already reverted by {}", entry.commit.short()))
    } else {
        Decision::Hold(format!(
            "it goes back with {}, another deployment of the same service",
            entry.reverts.short()
        ))
    })
}

fn schema_change(case: &Case<'_>, _: &Situation<'_>) -> Option<Decision> {
    let undone = match case.goal {
        Some(Goal::Undo(changes, _)) => changes.as_slice(),
        Some(Goal::NoneGood(_) | Goal::TakenBack(_) | Goal::Under(_)) | None => &[],
    };
    let policy = case.policy.schema.policy;
    let is_flagged = |change: &&Deployment| change.schema.iter().any(|one| one.is_for_a_person(policy));
    let Some(flagged) = std::iter::once(case.deployment).chain(undone).find(is_flagged) else {
        let (commit, crossed) = case.crossed.iter().find(|(_, one)| one.is_for_a_person(policy))?;
        return Some(Decision::Escalate(format!(
            "{} changed a database schema since ({}): the release before may not run on it, so a person decides",
            commit.short(),
            crossed.what
        )));
    };
    let words = flagged.schema_words()?;
    let who = if flagged.commit == case.deployment.commit {
        "it".to_owned()
    } else {
        format!("{}, which would be taken back with it,", flagged.commit.short())
    };
    Some(Decision::Escalate(format!("{who} {words}: going back may lose data, so a person decides")))
}

/// How long after the end of the watch window a late pass may still act: a cron job's interval.
pub const LATE_SECS: i64 = 300;

fn mixed_commit(case: &Case<'_>, _: &Situation<'_>) -> Option<Decision> {
    let others = &case.deployment.left_behind;
    let first = others.first().filter(|_| case.policy.mixed == Mixed::Manual)?;
    let more = if others.len() > 1 { format!(" and {} more", others.len() - 1) } else { String::new() };
    Some(Decision::Escalate(format!("the commit also changed {first}{more}")))
}

fn watch_window(case: &Case<'_>, situation: &Situation<'_>) -> Option<Decision> {
    // What was replaced waited until the watch window of what replaced it was over.
    let last = last_of(case.deployment, situation);
    let waited_for = situation.watched.iter().find(|other| Some(&other.id) == last);
    let from = waited_for.map_or(case.deployment.at, |later| later.at);
    (situation.now.secs_since(from) > i64::from(case.policy.watch_secs) + LATE_SECS).then(|| {
        let age = human_secs(situation.now.secs_since(case.deployment.at));
        Decision::Escalate(format!(
            "it was deployed {age} ago and its watch window is over: too late to act alone"
        ))
    })
}

fn rollback(case: &Case<'_>, _: &Situation<'_>) -> Option<Decision> {
    match case.deployment.kind {
        ChangeKind::Release | ChangeKind::OwnRevert => None,
        ChangeKind::Rollback(of) => Some(Decision::Escalate(format!(
            "it is itself a rollback: it brought back what {} had replaced, and taking it back would put that out again",
            of.short()
        ))),
        ChangeKind::Unproven(of) => Some(Decision::Escalate(format!(
            "its trailers say that it is a revert of {0}, and what {0} had changed is not in the history that can be read: taking \
             it back might put a bad version out again",
            of.short()
        ))),
    }
}

/// How often the same value is backed out before a person must settle it.
const MAX_REVERTS_OF_A_VALUE: usize = 2;

fn quarantine(case: &Case<'_>, situation: &Situation<'_>) -> Option<Decision> {
    let taken_off = || situation.gone.iter().filter(|one| one.id == case.deployment.id);
    if taken_off().count() >= MAX_REVERTS_OF_A_VALUE {
        let last = taken_off().next_back()?;
        return Some(Decision::Escalate(format!(
            "somebody took its reverts off the branch {} times (last {}): settle first what is to run",
            taken_off().count(),
            last.commit.short()
        )));
    }
    let before = quarantined_by(case, situation);
    let last = before.first()?;
    if !is_automation(&case.deployment.author, &case.policy.automation) {
        return Some(Decision::Escalate(format!(
            "{} put back on purpose what {} had backed out: it is left to people",
            one_line(&case.deployment.author.name, 60),
            last.short()
        )));
    }
    (before.len() >= MAX_REVERTS_OF_A_VALUE).then(|| {
        Decision::Escalate(format!(
            "the automation {} keeps putting back what was reverted {} times (last by {}): stop it first",
            one_line(&case.deployment.author.name, 60),
            before.len(),
            last.short()
        ))
    })
}

/// The reverts, newest first, that backed out a value which this deployment brings back.
fn quarantined_by(case: &Case<'_>, situation: &Situation<'_>) -> Vec<CommitId> {
    let is_back = |entry: &&RevertEntry| case.deployment.brings_back(entry, case.policy.quarantine_secs);
    situation.reverts.iter().filter(is_back).map(|entry| entry.commit).collect()
}

fn cooldown(case: &Case<'_>, situation: &Situation<'_>) -> Option<Decision> {
    let recent = |entry: &&RevertEntry| {
        entry.service == case.deployment.service
            && situation.now.secs_since(entry.at) < i64::from(case.policy.cooldown_secs)
    };
    let last = situation.reverts.iter().find(recent)?;
    if !quarantined_by(case, situation).is_empty() {
        return None;
    }
    let ago = human_secs(situation.now.secs_since(last.at));
    let until = last.at.plus_secs(case.policy.cooldown_secs.into());
    Some(Decision::Escalate(format!(
        "{} was reverted {ago} ago: until {until} no new version of it is reverted automatically (cooldown)",
        last.service
    )))
}

/// The most services of an incident that are named in its message.
const MAX_NAMED: usize = 20;

fn incident(_: &Case<'_>, situation: &Situation<'_>) -> Option<Decision> {
    let now = situation.regressed.iter().map(|case| case.deployment);
    let services = incident_services(now.chain(situation.red_before), situation.budget)?;
    let some: Vec<&str> = services.iter().copied().take(MAX_NAMED).collect();
    let more = services.len() - some.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(Decision::Escalate(format!(
        "{} services are red at once ({}{more}): one incident",
        services.len(),
        some.join(", ")
    )))
}

/// Whether a deployment was left to a person as a part of an incident.
#[must_use]
pub fn is_of_incident(decision: &Decision, guards: &[GuardAnswer]) -> bool {
    guards.last().is_some_and(|last| last.guard == INCIDENT_GUARD)
        && matches!(decision, Decision::Escalate(_))
}

/// The services of deployments that are red at once, where there are so many of them that it is an incident.
#[must_use]
pub fn incident_services<'d>(
    red: impl Iterator<Item = &'d Deployment>,
    budget: Budget,
) -> Option<Vec<&'d str>> {
    let red: Vec<&Deployment> = red.collect();
    let mut services: Vec<&str> = red.iter().map(|one| one.service.as_str()).collect();
    services.sort_unstable();
    services.dedup();
    let releases: BTreeSet<_> = red.iter().map(|one| release(one)).collect();
    let limit = usize::try_from(budget.incident_services).unwrap_or(usize::MAX).max(2);
    (services.len().min(releases.len()) >= limit).then_some(services)
}

/// After a revert that did not help, the cause lies elsewhere: further ones would hit good releases. A fallback is the one
/// further step that the configuration allows.
fn earlier_revert(case: &Case<'_>, situation: &Situation<'_>) -> Option<Decision> {
    let window = i64::from(situation.budget.window_secs);
    let in_window = |entry: &&RevertEntry| situation.now.secs_since(entry.at) < window;
    let last = situation.in_vain.iter().find(in_window).filter(|_| !case.is_fallback)?;
    let until = last.at.plus_secs(window);
    Some(Decision::Escalate(format!(
        "the revert {} of {} did not help: no other deployment is reverted automatically until {until}, or until a person \
         has deployed or reverted {}",
        last.commit.short(),
        last.service,
        last.service
    )))
}

/// What is one release: the same versions of what is called the same, by one commit. One service in several clusters is
/// several services, and one bad release of it is one cause.
fn release(deployment: &Deployment) -> (&str, CommitId, BTreeSet<String>) {
    let name = deployment.labels.get("service").map_or(deployment.service.as_str(), String::as_str);
    (name, deployment.commit, deployment.trailer_values())
}

fn budget(_: &Case<'_>, situation: &Situation<'_>) -> Option<Decision> {
    let window = i64::from(situation.budget.window_secs);
    let in_window = |entry: &&RevertEntry| !entry.requested && situation.now.secs_since(entry.at) < window;
    // What was taken off the branch was made all the same.
    let is_new = |one: &&GoneRevert| situation.reverts.iter().all(|entry| entry.commit != one.commit);
    let gone = situation.gone.iter().filter(is_new);
    let gone = gone.filter(|one| situation.now.secs_since(one.at) < window).count();
    let used = situation.reverts.iter().filter(in_window).count() + gone;
    let max = usize::try_from(situation.budget.max_reverts).unwrap_or(usize::MAX);
    (used >= max).then(|| {
        let window = human_secs(window);
        let reverts = if max == 1 { "1 revert".to_owned() } else { format!("{max} reverts") };
        Decision::Escalate(format!("the budget of {reverts} in {window} is used up"))
    })
}

/// A revert leads to a state that the service ran and that was good.
fn target(case: &Case<'_>, _: &Situation<'_>) -> Option<Decision> {
    match case.goal? {
        Goal::Undo(..) | Goal::TakenBack(_) => None,
        Goal::Under(back) => Some(Decision::Escalate(format!(
            "{} came after it and took something else back, or a part of it: the state before would put that out again",
            back.short()
        ))),
        Goal::NoneGood(reached) => {
            let each: Vec<String> = reached.iter().map(Earlier::line).collect();
            let each = if each.is_empty() { "none".to_owned() } else { each.join("; ") };
            Some(Decision::Escalate(format!(
                "no earlier state within reach is known to be good (`targets: {}`): each is in quarantine, was found \
                 bad or ran too briefly ({each})",
                case.policy.targets
            )))
        }
    }
}

fn mode(case: &Case<'_>, _: &Situation<'_>) -> Option<Decision> {
    match case.policy.mode {
        Mode::Observe => Some(Decision::Hold("mode observe: it would be reverted".to_owned())),
        Mode::Propose => Some(Decision::Propose),
        Mode::Auto => None,
    }
}

#[cfg(test)]
mod tests;
