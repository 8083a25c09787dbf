//! Values that came back soon after their revert.

use std::collections::BTreeMap;

use super::reverted::{deployment_taken_back, evidence_since_revert, evidence_until};
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::deployment::Deployment;
use crate::domain::environment::ServiceRule;
use crate::domain::environment::policy::Policy;
use crate::domain::history::automation::is_automation;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::{Verdict, is_blind, judge};
use crate::domain::text::one_line;
use crate::domain::time::human_secs;

/// Judges values that came back soon after their revert once more, against what was usual before they were first deployed. Just
/// before they came back the signals were still bad from the first time, or nobody can say what they were.
///
/// Returns the places of the deployments soon after a revert that nobody can judge and a person must know of, each with the
/// reason: a machine has brought the values back, or others were never judged though they were watched to the end.
pub(super) async fn judge_returned(
    pass: &Pass<'_>,
    state: &State,
    with_rule: &[(&Deployment, &ServiceRule)],
    evidence: &mut [Evidence],
) -> BTreeMap<usize, String> {
    let mut unjudged = BTreeMap::new();
    let made = state.made();
    for (place, ((deployment, rule), found)) in with_rule.iter().zip(evidence).enumerate() {
        let baseline_secs = rule.policy.baseline_secs;
        let is_soon = |entry: &&&RevertEntry| {
            let after_secs = deployment.at.secs_since(entry.at);
            entry.service == deployment.service
                && entry.commit != deployment.commit
                && (0..=i64::from(baseline_secs)).contains(&after_secs)
        };
        let is_return = |entry: &&&RevertEntry| deployment.brings_back(entry, baseline_secs);
        // Before the first of several reverts there was a time in which nothing was bad.
        let returned = made.iter().rfind(is_return).copied();
        let Some(entry) = returned.or_else(|| made.iter().rfind(is_soon).copied()) else { continue };
        let verdict = judge(found).verdict;
        let is_over = matches!(verdict, Verdict::Inconclusive(_));
        if verdict == Verdict::Regressed || returned.is_none() && !(is_over && is_blind(found)) {
            continue;
        }
        match (against_first(pass, state, entry, (deployment, &rule.policy)).await, returned) {
            (Held::Bad(since), Some(_)) => *found = *since,
            (Held::Fine, _) => {}
            // A person knows what they have put back.
            (_, Some(_)) if !is_automation(&deployment.author, &rule.policy.automation) => {}
            (Held::Bad(_) | Held::Unknown, _) if is_blind(found) => {
                let last = made.iter().find(is_soon).map_or(entry, |last| *last);
                let how = put_back(state, deployment, &rule.policy)
                    .map_or_else(|| soon_after(deployment, last), |who| format!("the automation {who}"));
                let reason = format!("{how}. Too little is known of the time before that to judge it");
                unjudged.insert(place, reason);
            }
            (Held::Bad(_) | Held::Unknown, _) => {}
        }
    }
    unjudged
}

/// What comes of comparing with the time before the first bad deployment.
enum Held {
    /// It is bad.
    Bad(Box<Evidence>),
    /// It is not bad so far.
    Fine,
    /// The first deployment did no damage that is known, or what was usual before it is not.
    Unknown,
}

/// Holds a deployment against what was usual before the deployment that a revert took back.
async fn against_first(
    pass: &Pass<'_>,
    state: &State,
    entry: &RevertEntry,
    (deployment, policy): (&Deployment, &Policy),
) -> Held {
    let is_bad = |evidence: &Evidence| judge(evidence).verdict == Verdict::Regressed;
    let Some(first) = deployment_taken_back(pass, state, entry).await else { return Held::Unknown };
    let before = evidence_until(pass, state, &first, entry.at).await;
    let Some(before) = before.filter(is_bad) else { return Held::Unknown };
    let back = RevertEntry { at: deployment.at, commit: deployment.commit, ..entry.clone() };
    let since = evidence_since_revert(pass, state, &back, &before, &first, policy.watch_secs).await;
    let since = Evidence { after_revert: None, ..since };
    match is_bad(&since) {
        true => Held::Bad(Box::new(since)),
        false if is_blind(&since) => Held::Unknown,
        false => Held::Fine,
    }
}

fn soon_after(deployment: &Deployment, last: &RevertEntry) -> String {
    let after = human_secs(deployment.at.secs_since(last.at));
    format!("it was deployed {after} after the revert {}", last.commit.short())
}

/// Who put a value back that was reverted, in words: `renovate[bot] put back what 0afbcfdc28 had reverted 25 s before`.
pub(super) fn put_back(state: &State, deployment: &Deployment, policy: &Policy) -> Option<String> {
    let made = state.made();
    let last = made.iter().find(|entry| deployment.brings_back(entry, policy.quarantine_secs))?;
    Some(format!(
        "{} put back what {} had reverted {} before",
        one_line(&deployment.author.name, 60),
        last.commit.short(),
        human_secs(deployment.at.secs_since(last.at))
    ))
}
