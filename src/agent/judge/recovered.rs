//! What a revert did to the signals: what an outcome means, and asking for it where nobody can prove what the notes say.

use std::collections::BTreeSet;

use super::reverted::{deployment_taken_back, evidence_since_revert, evidence_until};
use crate::agent::look::context::Pass;
use crate::agent::look::state::{Asked, State};
use crate::domain::deployment::Deployment;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::CommitId;
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::{Judgement, Verdict, judge};
use crate::record::Recovery;

/// Asks the metrics again what became of the reverts, where others may have written what the notes say about it. What
/// is not known of a revert is left out.
pub(in crate::agent) async fn ask_for_recoveries(pass: &Pass<'_>, state: &mut State) {
    if pass.world.records_proven {
        return;
    }
    let window_secs = i64::from(pass.environment.budget.window_secs);
    let mut asked = Asked::default();
    for entry in &state.reverts {
        if pass.now.secs_since(entry.at) > window_secs.max(2 * i64::from(longest_recovery_secs(pass))) {
            continue;
        }
        let Some(bad) = deployment_taken_back(pass, state, entry).await else { continue };
        let before = match entry.requested {
            false => None,
            true => evidence_until(pass, state, &bad, entry.at).await,
        };
        if before.as_ref().is_some_and(|before| judge(before).verdict == Verdict::Regressed) {
            asked.bad_requests.insert(entry.commit);
        }
        if let Some(outcome) = recovery(pass, state, entry, (&bad, before)).await {
            asked.outcomes.insert((entry.commit, entry.service.clone()), outcome);
        }
    }
    state.asked = Some(asked);
}

/// What became of a revert of this deployment; `before` is the evidence until then, where it was asked for.
async fn recovery(
    pass: &Pass<'_>,
    state: &State,
    entry: &RevertEntry,
    (bad, before): (&Deployment, Option<Evidence>),
) -> Option<Recovery> {
    let whole = &once_all_are_back(state, entry)?;
    let (secs, is_over) = match span(pass, state, whole, pass.rule(bad)?.policy.recovery_secs) {
        Span::Replaced(..) => return Some(Recovery::Replaced),
        Span::Early => return None,
        Span::Watched { secs, is_over, .. } => (secs, is_over),
    };
    let before = match before {
        Some(before) => before,
        None => evidence_until(pass, state, bad, entry.at).await?,
    };
    if judge(&before).verdict != Verdict::Regressed {
        return None;
    }
    let since = evidence_since_revert(pass, state, whole, &before, bad, secs).await;
    outcome(&judge(&since), is_over).map(|(outcome, _)| outcome)
}

/// A revert as its effect is watched: of a group that goes back one service after another since the last of them landed. None before that.
pub(in crate::agent) fn once_all_are_back(state: &State, entry: &RevertEntry) -> Option<RevertEntry> {
    let is_step = |one: &&RevertEntry| one.id == entry.id || one.follows(entry) || entry.follows(one);
    // Newest first.
    let last = state.reverts.iter().find(is_step).unwrap_or(entry);
    last.then.is_empty().then(|| RevertEntry { at: last.at, ..entry.clone() })
}

/// How long the signals say something about a revert.
pub(in crate::agent) enum Span<'s> {
    /// Too short a time: this deployment of the service came so many seconds after it.
    Replaced(&'s Deployment, i64),
    /// It is too early to ask.
    Early,
    /// For so many seconds, which may be over: until the next deployment of the service where that came before the end.
    Watched { secs: u32, is_over: bool, until: Option<&'s Deployment> },
}

/// How long the signals say something about a revert whose effect is to be watched for so long. After the next deployment of the
/// service they do no more. They are found to be well after two thirds of the time, and bad at its end.
pub(in crate::agent) fn span<'s>(
    pass: &Pass<'_>,
    state: &'s State,
    entry: &RevertEntry,
    recovery_secs: u32,
) -> Span<'s> {
    let next = next_deployment(state, entry);
    let watched_secs = next.map_or(i64::from(recovery_secs), |next| next.at.secs_since(entry.at));
    if let Some(next) = next.filter(|_| 3 * watched_secs < 2 * i64::from(recovery_secs)) {
        return Span::Replaced(next, watched_secs);
    }
    let secs = u32::try_from(watched_secs).map_or(recovery_secs, |secs| secs.min(recovery_secs));
    let age = pass.now.secs_since(entry.at);
    if 3 * age < 2 * i64::from(secs) {
        return Span::Early;
    }
    Span::Watched { secs, is_over: age >= i64::from(secs), until: next.filter(|_| secs < recovery_secs) }
}

/// The first deployment of the service after the revert, in the order of the branch: a bot may be there in the same second.
pub(in crate::agent) fn next_deployment<'s>(state: &'s State, entry: &RevertEntry) -> Option<&'s Deployment> {
    let newer = state.snapshot.commits.iter().take_while(|commit| commit.id != entry.commit);
    let newer: BTreeSet<CommitId> = newer.map(|commit| commit.id).collect();
    let is_later = |one: &&Deployment| one.service == entry.service && newer.contains(&one.commit);
    state.detected.iter().rfind(is_later)
}

/// The longest time for which any service of the environment watches the effect of a revert, in seconds.
pub(in crate::agent) fn longest_recovery_secs(pass: &Pass<'_>) -> u32 {
    pass.environment.services.iter().map(|rule| rule.policy.recovery_secs).max().unwrap_or(0)
}

/// What the judgement since a revert means for it; none while it is too early to say.
pub(in crate::agent) fn outcome(judgement: &Judgement, over: bool) -> Option<(Recovery, String)> {
    match judgement.verdict {
        Verdict::Healthy => {
            Some((Recovery::Recovered, format!("the signals came back: {}", judgement.reason)))
        }
        Verdict::Regressed if over => {
            Some((Recovery::NotRecovered, format!("the revert did not help: {}", judgement.reason)))
        }
        Verdict::Preexisting | Verdict::Inconclusive(_) if over => Some((
            Recovery::Unknown,
            format!("it cannot be told whether the revert helped: {}", judgement.reason),
        )),
        Verdict::Regressed | Verdict::Preexisting | Verdict::Inconclusive(_) | Verdict::Pending => None,
    }
}
