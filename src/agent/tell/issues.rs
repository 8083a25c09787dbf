//! Issues about deployments that a person must roll back: opened once, and closed when nothing is left to do.

use std::collections::BTreeMap;

use crate::agent::act::due::Settled;
use crate::agent::act::revert::{ToRevert, plan_at};
use crate::agent::look::context::Pass;
use crate::agent::look::search::deployment_of;
use crate::agent::look::state::State;
use crate::agent::report::EnvironmentReport;
use crate::agent::world::in_turn;
use crate::domain::change::receipt::Receipt;
use crate::domain::change::{Asked, NoChange};
use crate::domain::review::markdown::prose_lines;
use crate::domain::review::text::{self, IssueMark, Plan};
use crate::ports::{Forge, ForgeError};

/// The most characters of a reason in a comment.
const MAX_REASON: usize = 500;
/// How many issues are looked after in one pass; the others are in the next.
const MAX_ISSUES: usize = 50;

/// The rollback ids for which an issue is open, with where it is; asked for once in a pass.
#[derive(Default)]
pub(super) struct OpenIssues(Option<BTreeMap<String, String>>);

impl OpenIssues {
    /// Opens an issue about a deployment that a person must roll back, unless there is one. Returns where it is.
    pub(super) async fn open(
        &mut self,
        pass: &Pass<'_>,
        forge: &dyn Forge,
        settled: &Settled,
    ) -> Result<String, ForgeError> {
        let judged = &settled.judged;
        let id = judged.deployment.id.clone();
        if self.0.is_none() {
            self.0 = Some(issues_by_id(forge).await?);
        }
        if let Some(url) = self.0.as_ref().and_then(|known| known.get(&id)) {
            return Ok(url.clone());
        }
        let (title, evidence) = (text::issue_title(&judged.deployment), Some(&judged.evidence));
        // Worked out for the person who must decide.
        let planned = settled.planned.as_ref().filter(|_| settled.receipt == Some(Receipt::Planned));
        let plan = planned.map(|(change, diff)| Plan { change, diff });
        let body =
            text::issue_body(&judged.deployment, &judged.judgement, evidence, plan, forge.chart().await);
        let opened = forge.open_issue(&title, &body).await?;
        tracing::info!(environment = %pass.environment.name, url = opened.url, "opened an issue");
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
        if let Some(known) = &mut self.0 {
            known.insert(id, first.1.clone());
        }
        Ok(first.1)
    }
}

async fn issues_by_id(forge: &dyn Forge) -> Result<BTreeMap<String, String>, ForgeError> {
    let mut open = forge.issues().await?;
    open.sort_by_key(|issue| std::cmp::Reverse(issue.number));
    let by_id = open.into_iter().filter_map(|issue| Some((text::issue_mark(&issue.body)?.id, issue.url)));
    Ok(by_id.collect())
}

/// Closes the issues about deployments that are gone.
pub(in crate::agent) async fn close_issues(pass: &Pass<'_>, state: &State, report: &mut EnvironmentReport) {
    let Some(forge) = pass.estate.forge.as_deref() else { return };
    let open = match forge.issues().await {
        Ok(open) => open,
        Err(error) => return report.problems.push(format!("the open issues cannot be read: {error}")),
    };
    let own = open.into_iter().filter_map(|issue| {
        let mark = text::issue_mark(&issue.body)?;
        (mark.environment == pass.environment.name).then_some((issue.number, mark))
    });
    for (number, mark) in in_turn(own.collect(), MAX_ISSUES, pass.now) {
        let Some(why) = why_gone(pass, state, &mark).await else { continue };
        let comment = format!("Nothing is left to do here: {why}");
        if let Err(error) = forge.close_issue(number, &comment).await {
            report.problems.push(format!("the issue {number} cannot be closed: {error}"));
        }
    }
}

/// Why nothing is left to do about a deployment that was flagged; none where something is, or nobody can say.
async fn why_gone(pass: &Pass<'_>, state: &State, mark: &IssueMark) -> Option<String> {
    let deployment = deployment_of(pass, &state.detected, (mark.deployment, &mark.service)).await?;
    let policy = pass.policy(&deployment);
    let to_revert = ToRevert::requested(&deployment, None, Asked { who: "nobody", why: None }, &policy, &[]);
    match plan_at(pass, &to_revert, state.snapshot.head).await.ok()? {
        Err(none @ (NoChange::Restored(_) | NoChange::Superseded(_))) => {
            Some(prose_lines(&none.to_string(), MAX_REASON))
        }
        Ok(_)
        | Err(
            NoChange::Gone(_) | NoChange::Partial(_) | NoChange::OfGroup { .. } | NoChange::Refused { .. },
        ) => None,
    }
}
