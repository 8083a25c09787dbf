//! Showing on the forge what was found out: beside the deployment's commit, and by an issue where a person must roll back.

use super::issues::OpenIssues;
use crate::agent::act::due::Settled;
use crate::agent::judge::judged::Judged;
use crate::agent::look::context::Pass;
use crate::agent::report::{EnvironmentReport, Item};
use crate::domain::change::receipt::Receipt;
use crate::domain::decision::{Decision, SCHEMA_GUARD};
use crate::domain::judge::verdict::Verdict;
use crate::domain::review::{CommitStatus, MAX_DESCRIPTION, StatusState};
use crate::domain::text::one_line;
use crate::ports::ForgeError;

/// Where a deployment was shown.
#[derive(Default)]
pub(super) struct Announced {
    /// Where people read on: a pull request, or an issue.
    pub(super) url: Option<String>,
}

/// Shows one deployment that is settled. None where it must be shown again before it may count as settled.
pub(super) async fn announce(
    pass: &Pass<'_>,
    settled: &Settled,
    item: &Item,
    issues: &mut OpenIssues,
    report: &mut EnvironmentReport,
) -> Option<Announced> {
    let Some(forge) = pass.estate.forge.as_deref() else { return Some(Announced::default()) };
    let judged = &settled.judged;
    let review = item.receipt.as_ref().and_then(Receipt::review);
    let mut url = review.map(|review| review.url.clone());
    let is_flagged = matches!(item.decision, Decision::Escalate(_))
        && item.guards.last().is_some_and(|guard| guard.guard == SCHEMA_GUARD);
    if is_flagged {
        match issues.open(pass, forge, settled).await {
            Ok(issue) => url = Some(issue),
            Err(ForgeError::Off(why)) => {
                report.facts.push(format!("no issue is opened about {}: {why}", item.service));
            }
            Err(error) => {
                report.problems.push(format!("no issue can be opened about {}: {error}", item.service));
                // What the forge refuses it will refuse again; what was lost is shown in the next pass.
                if matches!(error, ForgeError::Unavailable(_)) {
                    return None;
                }
            }
        }
    }
    let shown = match status_of(judged, item, url.clone()) {
        Some(status) => forge.status(&status).await,
        None => Ok(()),
    };
    if let Err(error) = shown {
        // Nothing depends on it.
        report
            .problems
            .push(format!("the verdict on {} cannot be shown on the forge: {error}", item.service));
    }
    Some(Announced { url })
}

/// What is shown beside the commit. Where nobody can say, nothing is.
fn status_of(judged: &Judged, item: &Item, url: Option<String>) -> Option<CommitStatus> {
    let state = match (&item.judgement.verdict, &item.decision) {
        (_, Decision::Escalate(_)) | (Verdict::Regressed, _) => StatusState::Failure,
        (Verdict::Healthy | Verdict::Preexisting, _) => StatusState::Success,
        (Verdict::Inconclusive(_) | Verdict::Pending, _) => return None,
    };
    let text = format!("{}: {}", item.judgement.verdict.word(), item.judgement.reason);
    Some(CommitStatus {
        commit: judged.deployment.commit,
        context: format!("backout/{}/{}", judged.deployment.environment, judged.deployment.service),
        state,
        description: one_line(&text, MAX_DESCRIPTION),
        url,
    })
}
