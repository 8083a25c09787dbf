//! Values that came back soon after their revert.

use super::reverted::{deployment_taken_back, evidence_since_revert, evidence_until};
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::deployment::Deployment;
use crate::domain::environment::ServiceRule;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::{Verdict, judge};

/// Judges values that came back soon after their revert once more, against what was usual before they were first deployed. Just
/// before they came back the signals were still bad from the first time, or nobody can say what they were.
pub(super) async fn judge_returned(
    pass: &Pass<'_>,
    state: &State,
    with_rule: &[(&Deployment, &ServiceRule)],
    evidence: &mut [Evidence],
) {
    for ((deployment, rule), found) in with_rule.iter().zip(evidence) {
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
        let Some(first) = deployment_taken_back(pass, state, entry).await else { continue };
        let Some(before) = evidence_until(pass, state, &first, entry.at).await else { continue };
        if judge(&before).verdict != Verdict::Regressed {
            continue;
        }
        let back = RevertEntry { at: deployment.at, commit: deployment.commit, ..entry.clone() };
        let watch_secs = rule.policy.watch_secs;
        let since = evidence_since_revert(pass, state, &back, &before, &first, watch_secs).await;
        let since = Evidence { after_revert: None, ..since };
        if judge(&since).verdict == Verdict::Regressed {
            *found = since;
        }
    }
}
