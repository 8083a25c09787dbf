//! Telling people on the forge what was found out: beside the deployment's commit, on the pull request that brought it, and
//! by an issue where a person must roll back.

use std::collections::BTreeMap;

use super::apply::Acting;
use super::current::{Subject, work_out};
use super::in_turn;
use super::judging::Open;
use super::report::{EnvironmentReport, Item, Outcome};
use super::request::deployment_of;
use crate::domain::change::{Change, Motive, NoChange};
use crate::domain::decision::{Decision, SCHEMA_GUARD, id_of};
use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::{Merge, Policy};
use crate::domain::history::snapshot::Snapshot;
use crate::domain::judge::verdict::Verdict;
use crate::domain::review::markdown::prose;
use crate::domain::review::text::{self, IssueMark, Plan};
use crate::domain::review::{CommitStatus, StatusState};
use crate::domain::text::one_line;
use crate::ports::{Forge, ForgeError};

/// The most characters of a commit status. Source: <https://docs.github.com/en/rest/commits/statuses>.
const MAX_DESCRIPTION: usize = 140;
/// The most characters of a reason in a comment.
const MAX_REASON: usize = 500;
/// How many issues are looked after in one pass; the others are in the next.
const MAX_ISSUES: usize = 50;

/// The rollback ids for which an issue is open; asked for once in a pass.
#[derive(Default)]
pub(super) struct Issues(Option<BTreeMap<String, String>>);

/// Tells of one deployment that is settled. `prepared` is the revert where one was worked out for a person. Returns false where it must be told again before it may count as settled.
pub(super) async fn announce(
    acting: &Acting<'_>,
    open: &Open,
    item: &Item,
    prepared: Option<(&Change, &str)>,
    issues: &mut Issues,
    report: &mut EnvironmentReport,
) -> bool {
    let Some(forge) = acting.world.forge.as_deref() else { return true };
    let mut url = url_of(item);
    let flagged = matches!(item.decision, Decision::Escalate(_))
        && item.guards.last().is_some_and(|guard| guard.guard == SCHEMA_GUARD);
    if flagged {
        match flag(acting, forge, open, prepared, issues).await {
            Ok(issue) => url = Some(issue),
            Err(error) => {
                report.problems.push(format!("no issue can be opened about {}: {error}", item.service));
                // What the forge refuses it will refuse again; what was lost is told in the next pass.
                if matches!(error, ForgeError::Unavailable(_)) {
                    return false;
                }
            }
        }
    }
    let told = match status_of(open, item, url.clone()) {
        Some(status) => forge.status(&status).await,
        None => Ok(()),
    };
    let told = match (told, done(item, url.as_deref(), acting.environment.review.merge)) {
        (Ok(()), Some(done)) if open.judgement.verdict == Verdict::Regressed => {
            let comment = text::source_comment(&open.deployment, &open.judgement, &done);
            forge.comment(open.deployment.commit, &comment).await
        }
        (told, _) => told,
    };
    if let Err(error) = told {
        // Nothing depends on it.
        report
            .problems
            .push(format!("the verdict on {} cannot be shown on the forge: {error}", item.service));
    }
    true
}

fn url_of(item: &Item) -> Option<String> {
    match &item.outcome {
        Some(Outcome::Proposed(proposal)) => proposal.review.as_ref().map(|review| review.url.clone()),
        Some(Outcome::Merged(review)) => Some(review.url.clone()),
        Some(Outcome::Pushed | Outcome::Planned) | None => None,
    }
}

/// What was done, for people.
fn done(item: &Item, url: Option<&str>, merge: Merge) -> Option<String> {
    Some(match (&item.outcome, &item.decision, item.revert, url) {
        (Some(Outcome::Pushed), _, Some(revert), _) => format!("It was taken back by {revert}."),
        (Some(Outcome::Merged(_)), _, _, Some(url)) => format!("It was taken back by {url}."),
        (Some(Outcome::Proposed(_)), decision, _, Some(url))
            if *decision == Decision::Propose || merge == Merge::Manual =>
        {
            format!("Taking it back is proposed in {url}.")
        }
        (Some(Outcome::Proposed(_)), _, _, Some(url)) => format!("It is being taken back by {url}."),
        (Some(Outcome::Proposed(proposal)), _, _, None) => {
            format!("Taking it back is proposed on the branch {}.", proposal.branch)
        }
        (None, Decision::Escalate(_), _, Some(url)) => format!("A person must look at it: {url}."),
        (None, Decision::Escalate(_), _, None) => "A person must look at it.".to_owned(),
        _ => return None,
    })
}

/// What is shown beside the commit. Where nobody can say, nothing is.
fn status_of(open: &Open, item: &Item, url: Option<String>) -> Option<CommitStatus> {
    let state = match (&item.judgement.verdict, &item.decision) {
        (_, Decision::Escalate(_)) | (Verdict::Regressed, _) => StatusState::Failure,
        (Verdict::Healthy | Verdict::Preexisting, _) => StatusState::Success,
        (Verdict::Inconclusive(_) | Verdict::Pending, _) => return None,
    };
    let text = format!("{}: {}", item.judgement.verdict.word(), item.judgement.reason);
    Some(CommitStatus {
        commit: open.deployment.commit,
        context: format!("backout/{}/{}", open.deployment.environment, open.deployment.service),
        state,
        description: one_line(&text, MAX_DESCRIPTION),
        url,
    })
}

/// Opens an issue about a deployment that a person must roll back, unless there is one. Returns where it is.
async fn flag(
    acting: &Acting<'_>,
    forge: &dyn Forge,
    open: &Open,
    prepared: Option<(&Change, &str)>,
    issues: &mut Issues,
) -> Result<String, ForgeError> {
    let id = id_of(&open.deployment);
    if issues.0.is_none() {
        issues.0 = Some(issues_by_id(forge).await?);
    }
    if let Some(url) = issues.0.as_ref().and_then(|known| known.get(&id)) {
        return Ok(url.clone());
    }
    let (title, evidence) = (text::issue_title(&open.deployment), Some(&open.evidence));
    let plan = prepared.map(|(change, diff)| Plan { change, diff });
    let body = text::issue_body(&open.deployment, &open.judgement, evidence, plan, forge.chart());
    let opened = forge.open_issue(&title, &body).await?;
    tracing::info!(environment = %acting.environment.name, url = opened.url, "opened an issue");
    // Two agents may have opened one each: the first stays.
    let mut of_id: Vec<(u64, String)> = forge
        .issues()
        .await?
        .into_iter()
        .filter(|issue| text::issue_mark(&issue.body).is_some_and(|mark| mark.id == id))
        .map(|issue| (issue.number, issue.url))
        .collect();
    of_id.sort();
    let first = of_id.first().cloned().unwrap_or((opened.number, opened.url));
    if first.0 < opened.number {
        forge.close_issue(opened.number, &format!("The same as {}.", first.1)).await?;
    }
    if let Some(known) = &mut issues.0 {
        known.insert(id, first.1.clone());
    }
    Ok(first.1)
}

async fn issues_by_id(forge: &dyn Forge) -> Result<BTreeMap<String, String>, ForgeError> {
    let mut open = forge.issues().await?;
    open.sort_by_key(|issue| std::cmp::Reverse(issue.number));
    let by_id = open.into_iter().filter_map(|issue| Some((text::issue_mark(&issue.body)?.id, issue.url)));
    Ok(by_id.collect())
}

/// Closes the issues about deployments that are gone.
pub(super) async fn close_issues(
    acting: &Acting<'_>,
    snapshot: &Snapshot,
    detected: &[Deployment],
    report: &mut EnvironmentReport,
) {
    let Some(forge) = acting.world.forge.as_deref() else { return };
    let open = match forge.issues().await {
        Ok(open) => open,
        Err(error) => return report.problems.push(format!("the open issues cannot be read: {error}")),
    };
    let own = open.into_iter().filter_map(|issue| {
        let mark = text::issue_mark(&issue.body)?;
        (mark.environment == acting.environment.name).then_some((issue.number, mark))
    });
    for (number, mark) in in_turn(own.collect(), MAX_ISSUES, acting.now) {
        let Some(why) = gone(acting, snapshot, detected, &mark).await else { continue };
        let comment = format!("Nothing is left to do here: {why}");
        if let Err(error) = forge.close_issue(number, &comment).await {
            report.problems.push(format!("the issue {number} cannot be closed: {error}"));
        }
    }
}

/// Why nothing is left to do about a deployment that was flagged; none where something is, or nobody can say.
async fn gone(
    acting: &Acting<'_>,
    snapshot: &Snapshot,
    detected: &[Deployment],
    mark: &IssueMark,
) -> Option<String> {
    let at = acting.at();
    let deployment = deployment_of(&at, detected, (mark.deployment, &mark.service)).await?;
    let usual = Policy::default();
    let policy = acting.environment.services.get(deployment.rule).map_or(&usual, |rule| &rule.policy);
    let motive = Motive::Request("nobody");
    let subject = Subject { deployment: &deployment, motive, evidence: None, policy };
    match work_out(&at, &subject, snapshot.head).await.ok()?.0 {
        Err(none @ (NoChange::Restored(_) | NoChange::Superseded(_))) => {
            Some(prose(&none.to_string(), MAX_REASON))
        }
        Ok(_) | Err(NoChange::Gone(_) | NoChange::Partial(_) | NoChange::Refused { .. }) => None,
    }
}
