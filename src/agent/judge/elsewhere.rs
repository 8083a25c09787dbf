//! Versions that are known as bad from another environment and run here all the same: which reverts are to be proposed because of that.

use super::judged::Judged;
use crate::agent::look::context::Pass;
use crate::agent::look::precedents::precedents_of;
use crate::agent::look::state::State;
use crate::domain::deployment::Deployment;
use crate::domain::deployment::artifacts::brought_by;
use crate::domain::deployment::precedent::Precedent;
use crate::domain::environment::policy::KnownElsewhere;
use crate::domain::judge::verdict::Verdict;
use crate::record::VerdictRecord;

/// Finds the deployments of which nothing can be said yet, and whose revert is to be proposed because of another environment. That is done
/// once: what was proposed is followed, and what a person has answered is not proposed again.
pub(in crate::agent) async fn find_known_elsewhere(pass: &Pass<'_>, state: &State, judged: &mut [Judged]) {
    for one in judged {
        let is_open = match one.judgement.verdict {
            Verdict::Pending => true,
            // A metric source may answer later.
            Verdict::Inconclusive(_) => one.case().unanswered,
            Verdict::Healthy | Verdict::Regressed | Verdict::Preexisting => false,
        };
        let is_wanted = is_open
            && one.policy.elsewhere == KnownElsewhere::Propose
            && one.evidence.after_revert.is_none()
            && proposed_early(state, &one.deployment).is_none();
        if is_wanted {
            let known = precedents_of(pass, &brought_by(&one.deployment), one.policy.quarantine_secs).await;
            one.known_elsewhere = known.into_iter().find(Precedent::is_bad);
        }
    }
}

/// What was written down when the revert of a deployment was proposed because of another environment.
pub(in crate::agent) fn proposed_early<'s>(
    state: &'s State,
    deployment: &Deployment,
) -> Option<&'s VerdictRecord> {
    state.verdicts(deployment).filter(|verdict| verdict.is_early()).last()
}
