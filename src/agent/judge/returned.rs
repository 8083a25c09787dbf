//! Values that came back soon after their revert.

use std::collections::BTreeSet;

use super::reverted::{deployment_taken_back, evidence_since_revert, evidence_until};
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::deployment::Deployment;
use crate::domain::environment::ServiceRule;
use crate::domain::environment::policy::Policy;
use crate::domain::history::automation::is_automation;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::{Verdict, has_baseline, judge};
use crate::domain::text::one_line;
use crate::domain::time::human_secs;

/// Judges values that came back soon after their revert once more, against what was usual before they were first deployed. Just
/// before they came back the signals were still bad from the first time, or nobody can say what they were.
///
/// Returns the places of those that an automation brought back and that nothing can be held against.
pub(super) async fn judge_returned(
    pass: &Pass<'_>,
    state: &State,
    with_rule: &[(&Deployment, &ServiceRule)],
    evidence: &mut [Evidence],
) -> BTreeSet<usize> {
    let mut unjudged = BTreeSet::new();
    for (place, ((deployment, rule), found)) in with_rule.iter().zip(evidence).enumerate() {
        let values = deployment.trailer_values();
        let is_return = |entry: &&RevertEntry| {
            let after_secs = deployment.at.secs_since(entry.at);
            entry.service == deployment.service
                && !entry.bad_values.is_disjoint(&values)
                && (0..=i64::from(rule.policy.baseline_secs)).contains(&after_secs)
        };
        // Before the first of several reverts there was a time in which nothing was bad.
        let Some(entry) = state.reverts.iter().rfind(is_return) else { continue };
        if judge(found).verdict == Verdict::Regressed {
            continue;
        }
        match against_first(pass, state, entry, (deployment, &rule.policy)).await {
            Some(since) => *found = since,
            None if is_automation(&deployment.author, &rule.policy.automation) && !has_baseline(found) => {
                unjudged.insert(place);
            }
            None => {}
        }
    }
    unjudged
}

/// The evidence since the values came back, with what was usual before they were first deployed; none where they did no damage
/// then, or do none now, or nobody can say.
async fn against_first(
    pass: &Pass<'_>,
    state: &State,
    entry: &RevertEntry,
    (deployment, policy): (&Deployment, &Policy),
) -> Option<Evidence> {
    let is_bad = |evidence: &Evidence| judge(evidence).verdict == Verdict::Regressed;
    let first = deployment_taken_back(pass, state, entry).await?;
    let before = evidence_until(pass, state, &first, entry.at).await.filter(is_bad)?;
    let back = RevertEntry { at: deployment.at, commit: deployment.commit, ..entry.clone() };
    let since = evidence_since_revert(pass, state, &back, &before, &first, policy.watch_secs).await;
    Some(Evidence { after_revert: None, ..since }).filter(is_bad)
}

/// Who put a value back that was reverted, in words: `renovate[bot] put back what 0afbcfdc28 had reverted 25 s before`.
pub(super) fn put_back(state: &State, deployment: &Deployment, policy: &Policy) -> Option<String> {
    let values = deployment.trailer_values();
    let is_return = |entry: &&RevertEntry| {
        let after_secs = deployment.at.secs_since(entry.at);
        entry.service == deployment.service
            && entry.commit != deployment.commit
            && !entry.bad_values.is_disjoint(&values)
            && (0..=i64::from(policy.quarantine_secs)).contains(&after_secs)
    };
    let last = state.reverts.iter().find(is_return)?;
    Some(format!(
        "{} put back what {} had reverted {} before",
        one_line(&deployment.author.name, 60),
        last.commit.short(),
        human_secs(deployment.at.secs_since(last.at))
    ))
}
