//! A revert that goes by a pull request: each call looks at what is there and takes the next step, so that a call after a
//! crash goes on where the one before was cut off.

use std::sync::Arc;
use std::time::Duration;

use super::branch::{Tip, ensure_branch, foreign, no_name, read_tip, renew};
use super::error::DeliveryError;
use super::revert::{PlannedRevert, ToRevert, plan_at};
use crate::agent::look::context::Pass;
use crate::domain::change::receipt::Receipt;
use crate::domain::change::{Change, Motive, NoChange};
use crate::domain::environment::policy::{Merge, ReviewRules};
use crate::domain::history::snapshot::Snapshot;
use crate::domain::ids::{BranchName, CommitId, FilePath};
use crate::domain::review::text::{self, Story};
use crate::domain::review::{
    Branch, Merging, NewReview, Outlook, Review, ReviewState, Second, Step, Watched, codeowners, step,
    waits_for_person,
};
use crate::domain::time::Time;
use crate::ports::{Forge, ForgeError, RepositoryError};

/// How many steps are taken with one pull request in one pass: open, renew, merge, look again.
const MAX_STEPS: u32 = 10;
/// A forge shows a push a moment after Git has it; that long is waited before looking again.
const LAG: Duration = Duration::from_millis(400);

/// What the agent may do with one pull request.
#[derive(Clone, Copy)]
pub(in crate::agent) struct Terms<'a> {
    /// Who merges it.
    pub merge: Merge,
    /// When a person was last asked to look because it was not merged in time.
    pub overdue_at: Option<Time>,
    /// Whether a pull request is opened where there is none.
    pub may_open: bool,
    /// Whether it was to be merged by itself once, so that it may be the agent that asked the forge for it.
    pub by_agent: bool,
    /// Why it must not be merged by itself any more, where that was decided since.
    pub frozen: Option<&'a str>,
    /// When it was last found closed without having been merged.
    pub declined_at: Option<Time>,
    /// Why it is not proposed any more, where it was because of another environment.
    pub withdrawn: Option<&'a str>,
    /// What the forge has just shown of it, where it was asked already.
    pub looked: Option<&'a Option<Review>>,
}

/// Opens the pull request of a revert where it may, merges it when it is ready, and otherwise does what is next with it, until
/// it is time to wait or nothing is left to do. `seen` is the environment's branch as the pass knows it.
pub(in crate::agent) async fn merge_when_ready(
    pass: &Pass<'_>,
    to_revert: &ToRevert<'_>,
    terms: Terms<'_>,
    seen: &Arc<Snapshot>,
) -> Result<Receipt, DeliveryError> {
    let Some(forge) = pass.estate.forge.as_ref() else { return Ok(no_name()) };
    let deployment = to_revert.deployment;
    let name = Change::branch_for(&pass.environment.name, &deployment.service, deployment.commit);
    let Some(branch) = name else { return Ok(no_name()) };
    let mut pull_request = PullRequest {
        pass,
        to_revert,
        terms,
        forge,
        branch,
        snapshot: Arc::clone(seen),
        asked: None,
        looked_again: false,
        opened: false,
        deaf: pass.branches.deaf(forge.as_ref()).await,
        looked: terms.looked.cloned(),
        stuck: None,
    };
    for _ in 0..MAX_STEPS {
        if let Some(receipt) = pull_request.take_next_step().await? {
            return Ok(receipt);
        }
    }
    Err(ForgeError::Unavailable(format!(
        "the pull request from {} keeps changing: it is looked at again in the next pass",
        pull_request.branch
    ))
    .into())
}

/// A revert on its way through a pull request.
struct PullRequest<'a> {
    pass: &'a Pass<'a>,
    to_revert: &'a ToRevert<'a>,
    terms: Terms<'a>,
    forge: &'a Arc<dyn Forge>,
    branch: BranchName,
    snapshot: Arc<Snapshot>,
    /// What came of asking the forge to merge it.
    asked: Option<Merging>,
    /// Whether the environment's branch was fetched again since the pass began.
    looked_again: bool,
    /// Whether a pull request was opened here.
    opened: bool,
    /// Why commands in comments are not obeyed.
    deaf: Option<&'a str>,
    /// What the forge shows of it, until something was done.
    looked: Option<Option<Review>>,
    /// Why its branch cannot be brought up to date.
    stuck: Option<String>,
}

impl<'a> PullRequest<'a> {
    fn rules(&self) -> ReviewRules {
        ReviewRules { merge: self.terms.merge, ..self.pass.environment.review }
    }

    /// One step; a receipt where it was the last.
    async fn take_next_step(&mut self) -> Result<Option<Receipt>, DeliveryError> {
        let base = self.pass.environment.branch.clone();
        let shown = match self.looked.take() {
            Some(shown) => shown,
            None => self.forge.review(&self.branch, &base).await?,
        };
        let Some(review) = shown else {
            let why = || {
                format!("there is no pull request from {} that the agent's account has opened", self.branch)
            };
            return match self.terms.may_open {
                true => self.open().await,
                false => Ok(Some(Receipt::Refused(why()))),
            };
        };
        let is_request = matches!(self.to_revert.motive, Motive::Request(_));
        if (is_request || self.is_answered_too_soon(&review))
            && self.terms.may_open
            && !self.opened
            && review.state != ReviewState::Open
        {
            // Whoever asks now knows better than whoever said no then.
            self.opened = true;
            return self.open().await;
        }
        if let Some(second) = &review.second {
            self.close_second(&review, second).await?;
        }
        if review.state == ReviewState::Merged && !self.looked_again && self.landed(&review).await?.is_none()
        {
            self.look_again().await?;
        }
        let Some((outlook, tip)) = self.outlook(&review).await? else {
            tokio::time::sleep(LAG).await;
            return Ok(None);
        };
        let branch = tip.map_or(Branch::Foreign, |tip| tip.state);
        if tip.is_some() && branch == Branch::Foreign && !self.looked_again {
            // It may have been brought up to date with what this pass has not seen yet.
            self.look_again().await?;
            return Ok(None);
        }
        let next = step(&Watched {
            review: &review,
            rules: self.rules(),
            outlook: &outlook.for_rules(),
            branch,
            overdue_at: self.terms.overdue_at,
            asked: self.asked.as_ref(),
            by_agent: self.terms.by_agent,
            frozen: self.stuck.as_deref().or(self.terms.frozen),
            declined_at: self.terms.declined_at,
            // Others may have written the verdict. What was opened because of damage here is not withdrawn by it.
            withdrawn: self.terms.withdrawn.filter(|_| text::is_because_of_elsewhere(&review.body)),
            deaf: self.deaf,
            now: self.pass.now,
        });
        tracing::debug!(review = review.number, ?next, "the next step of a pull request");
        self.carry_out(next, &review, &outlook).await
    }

    /// Whether somebody said no while nothing was known here, to what is bad here by now.
    fn is_answered_too_soon(&self, review: &Review) -> bool {
        let is_declined = matches!(review.state, ReviewState::Closed { .. })
            && text::closing_reason(&review.body).is_none();
        is_declined && text::is_because_of_elsewhere(&review.body) && !self.to_revert.motive.is_elsewhere()
    }

    /// Closes the second of two from one branch, whichever agent has opened it: that one may have been killed since.
    async fn close_second(&self, followed: &Review, second: &Second) -> Result<(), ForgeError> {
        let why = text::same_as(&followed.url);
        let second = Review { number: second.number, body: second.body.clone(), ..followed.clone() };
        self.forge.describe(&second, &text::with_closing(&second.body, &why)).await?;
        self.forge.close(&second).await
    }

    async fn carry_out(
        &mut self,
        next: Step,
        review: &Review,
        worked_out: &WorkedOut<'_>,
    ) -> Result<Option<Receipt>, DeliveryError> {
        Ok(match next {
            Step::Wait(waits_for) => Some(self.wait(review, waits_for).await?),
            Step::Recompute => {
                if let WorkedOut::Due(planned) = worked_out {
                    self.describe_anew(review, planned).await?;
                    match renew(self.pass, &planned.change, &self.branch, review.head).await {
                        Err(DeliveryError::Forge(ForgeError::Refused(reason))) => {
                            self.stuck = Some(format!("its branch cannot be brought up to date ({reason})"));
                        }
                        renewed => drop(renewed?),
                    }
                }
                None
            }
            Step::Merge => {
                let message = worked_out.message();
                let merging = self.forge.merge(review, &self.pass.environment.branch, message).await;
                // It is open, whatever comes of this: that is written down, and what it waits for is said.
                let merging = merging.unwrap_or_else(|error| Merging::Waiting(error.to_string()));
                if merging == Merging::Merged {
                    self.look_again().await?;
                }
                self.asked = Some(merging);
                None
            }
            Step::Unschedule(waits_for) => {
                self.forge.unschedule(review).await?;
                Some(self.wait(review, waits_for).await?)
            }
            Step::Close(why) => {
                self.forge.describe(review, &text::with_closing(&review.body, &why)).await?;
                self.forge.close(review).await?;
                Some(Receipt::Superseded(why))
            }
            Step::Done => {
                self.tell_end(review).await;
                Some(Receipt::Merged(review.place()))
            }
            Step::Escalate(why) => {
                self.write_status(review, &why).await?;
                let merged = review.state == ReviewState::Merged;
                Some(Receipt::Stuck { review: review.place(), head: review.head, merged, why })
            }
            Step::Declined(by) => {
                self.tell_declined(review).await;
                Some(Receipt::Declined { review: review.place(), by })
            }
            Step::Closed(why) => Some(Receipt::Superseded(why)),
        })
    }

    async fn wait(&self, review: &Review, waits_for: String) -> Result<Receipt, DeliveryError> {
        self.write_status(review, &format!("it waits for {waits_for}.")).await?;
        Ok(Receipt::Proposed {
            branch: self.branch.clone(),
            commit: review.head,
            review: Some(review.place()),
            waits_for,
        })
    }

    /// Says in the description that it is done.
    async fn tell_end(&self, review: &Review) {
        let by = review.merged_as.map_or_else(String::new, |commit| format!(" as {commit}"));
        let branch = &self.pass.environment.branch;
        self.tell(review, &format!("it was merged{by}, and put the good values back on {branch}.")).await;
    }

    /// Says in the description that it was declined. A schedule that outlives this would merge it when somebody opens it again.
    async fn tell_declined(&self, review: &Review) {
        if review.scheduled
            && let Err(error) = self.forge.unschedule(review).await
        {
            tracing::warn!(%error, review = review.number, "it is closed, and still to be merged by itself");
        }
        let status = "somebody closed it without merging it. backout takes that for a no, and follows it again when it is opened again.";
        self.tell(review, status).await;
    }

    /// Says in the description how it ended. Nothing depends on it.
    async fn tell(&self, review: &Review, status: &str) {
        if let Err(error) = self.write_status(review, status).await {
            tracing::warn!(%error, review = review.number, "the description does not say how it ended");
        }
    }

    /// Says in the description how things stand, unless it says so already.
    async fn write_status(&self, review: &Review, status: &str) -> Result<(), ForgeError> {
        match text::with_status(&review.body, status) {
            Some(body) => self.forge.describe(review, &body).await,
            None => Ok(()),
        }
    }

    /// Makes the branch and opens the pull request.
    async fn open(&mut self) -> Result<Option<Receipt>, DeliveryError> {
        let planned = match self.plan_at(self.snapshot.head).await? {
            WorkedOut::Due(planned) => planned,
            WorkedOut::None(none @ (NoChange::Superseded(_) | NoChange::Restored(_))) => {
                return Ok(Some(Receipt::Superseded(none.to_string())));
            }
            WorkedOut::None(none) => return Ok(Some(Receipt::Refused(none.to_string()))),
            WorkedOut::More => return Ok(None),
        };
        let tip = ensure_branch(self.pass, &self.snapshot, &planned, &self.branch).await?;
        if tip.state == Branch::Foreign {
            if self.looked_again {
                return Ok(Some(foreign(&self.branch)));
            }
            self.look_again().await?;
            return Ok(None);
        }
        let new = NewReview {
            branch: self.branch.clone(),
            base: self.pass.environment.branch.clone(),
            title: text::title(&planned.change),
            body: self.body(&planned).await,
            owners: self.owners(&planned.change).await?,
        };
        match self.forge.open(&new).await {
            Ok(review) => {
                tracing::info!(url = review.url, "opened a pull request");
                self.opened = true;
                Ok(None)
            }
            Err(ForgeError::Taken(reason)) => Ok(Some(Receipt::Refused(reason))),
            // Another agent was faster, for which some servers answer with an error of their own. Whatever else it is, looking
            // again shows it.
            Err(error @ (ForgeError::Refused(_) | ForgeError::Unavailable(_))) => {
                match (self.forge.review(&self.branch, &new.base).await?, error) {
                    (Some(_), _) => Ok(None),
                    (None, ForgeError::Refused(reason)) => Ok(Some(Receipt::Refused(reason))),
                    (None, error) => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What the pull request says when it is opened.
    async fn body(&self, planned: &PlannedRevert<'_>) -> String {
        let subject = self.to_revert;
        let story = Story {
            change: &planned.change,
            deployment: subject.deployment,
            motive: subject.motive,
            evidence: subject.evidence,
            rules: self.rules(),
            deaf: self.deaf,
        };
        let waits_for = match self.terms.merge {
            Merge::Auto => "the forge to say what is in the way.".to_owned(),
            Merge::Manual => format!("{}.", waits_for_person(self.deaf)),
        };
        text::body(&story, self.forge.chart().await, &format!("it waits for {waits_for}"))
    }

    /// Says why it goes back, where that was only known from another environment when it was opened.
    async fn describe_anew(&self, review: &Review, planned: &PlannedRevert<'_>) -> Result<(), ForgeError> {
        let was_elsewhere = text::is_because_of_elsewhere(&review.body);
        if !was_elsewhere || self.to_revert.motive.is_elsewhere() {
            return Ok(());
        }
        self.forge.describe(review, &self.body(planned).await).await
    }

    /// The owners of the files that change, by the CODEOWNERS of the environment's branch.
    async fn owners(&self, change: &Change) -> Result<Vec<String>, RepositoryError> {
        let (head, paths) = (self.snapshot.head, change.files.keys().cloned().collect::<Vec<_>>());
        self.pass
            .git(move |repository| {
                for place in codeowners::PLACES {
                    let Ok(place) = FilePath::new(place) else { continue };
                    if let Some(bytes) = repository.read_file(head, &place)? {
                        let paths: Vec<&FilePath> = paths.iter().collect();
                        return Ok(codeowners::owners(&String::from_utf8_lossy(&bytes), &paths));
                    }
                }
                Ok(Vec::new())
            })
            .await
    }

    /// What the revert would do to the environment's branch, and what stands on its own. None where the forge does not show
    /// the last push yet.
    async fn outlook(&self, review: &Review) -> Result<Option<(WorkedOut<'a>, Option<Tip>)>, DeliveryError> {
        if review.state != ReviewState::Open {
            return Ok(Some((self.landing(review).await?, None)));
        }
        let worked_out = self.plan_at(self.snapshot.head).await?;
        let tip = match &worked_out {
            WorkedOut::Due(planned) => read_tip(self.pass, &self.snapshot, planned, &self.branch).await?,
            WorkedOut::More | WorkedOut::None(_) => None,
        };
        let is_shown = tip.is_none_or(|tip| tip.commit == review.head);
        Ok(is_shown.then_some((worked_out, tip)))
    }

    /// What a merged one did when it came to the branch, whatever came after it; by the head where that is not known.
    async fn landing(&self, review: &Review) -> Result<WorkedOut<'a>, DeliveryError> {
        let Some((commit, parent)) = self.landed(review).await? else {
            return Ok(self.plan_at(self.snapshot.head).await?);
        };
        let then = self.plan_at(commit).await?;
        let (WorkedOut::None(NoChange::Restored(_)), Some(parent)) = (&then, parent) else { return Ok(then) };
        let WorkedOut::Due(planned) = self.plan_at(parent).await? else { return Ok(then) };
        let files = planned.change.files;
        let is_all = self.pass.git(move |repository| repository.holds_exactly(commit, parent, &files));
        Ok(if is_all.await? { then } else { WorkedOut::More })
    }

    async fn plan_at(&self, head: CommitId) -> Result<WorkedOut<'a>, RepositoryError> {
        Ok(match plan_at(self.pass, self.to_revert, head).await? {
            Ok(planned) => WorkedOut::Due(planned),
            Err(none) => WorkedOut::None(none),
        })
    }

    /// The commit of the environment's branch that brought the revert, and its first parent.
    async fn landed(&self, review: &Review) -> Result<Option<(CommitId, Option<CommitId>)>, RepositoryError> {
        let own = &self.to_revert.deployment.id;
        let reverts = self.pass.reverts(&self.snapshot).await?;
        let told = reverts.into_iter().find(|entry| entry.id == *own).map(|entry| entry.commit);
        let commits = &self.snapshot.commits;
        let found = told.or(review.merged_as).and_then(|id| commits.iter().find(|one| one.id == id));
        Ok(found.map(|found| (found.id, found.parent)))
    }

    async fn look_again(&mut self) -> Result<(), RepositoryError> {
        self.snapshot = self.pass.branches.fetch_again(self.pass.environment).await?;
        self.looked_again = true;
        Ok(())
    }
}

/// The revert against a commit of the environment's branch.
enum WorkedOut<'a> {
    Due(PlannedRevert<'a>),
    /// The good values are there, and more has changed with them.
    More,
    None(NoChange),
}

impl WorkedOut<'_> {
    fn for_rules(&self) -> Outlook {
        match self {
            Self::Due(_) => Outlook::Due,
            Self::More => Outlook::RestoredWithMore,
            Self::None(NoChange::Restored(_)) => Outlook::Restored,
            Self::None(none @ NoChange::Superseded(_)) => Outlook::Superseded(none.to_string()),
            Self::None(
                none @ (NoChange::Gone(_)
                | NoChange::Partial(_)
                | NoChange::OfGroup { .. }
                | NoChange::Refused { .. }),
            ) => Outlook::Lost(none.to_string()),
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::Due(planned) => &planned.change.message,
            Self::More | Self::None(_) => "",
        }
    }
}
