//! Following the pull requests of earlier passes to their end. Here none is opened: only what an earlier pass has decided, and
//! has opened, is gone on with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio::task::{JoinError, JoinSet};

use crate::agent::act::branch::remove_branch;
use crate::agent::act::deliver::Route;
use crate::agent::act::due::decided_at;
use crate::agent::act::error::DeliveryError;
use crate::agent::act::members::members_then;
use crate::agent::act::pull_request::{Terms, merge_when_ready};
use crate::agent::act::revert::{ToRevert, undo, undone_by};
use crate::agent::caught::caught;
use crate::agent::judge::judged::Judged;
use crate::agent::look::context::Pass;
use crate::agent::look::lineage::{Past, pasts};
use crate::agent::look::proposals::ProposalBranch;
use crate::agent::look::search::deployment_of;
use crate::agent::look::state::{Decisions, State};
use crate::agent::report::{EnvironmentReport, Item, Reviewed};
use crate::agent::tell::comments::renew_comments;
use crate::agent::tell::notes::{Lines, review_record};
use crate::agent::world::in_turn;
use crate::domain::change::plan::Undo;
use crate::domain::change::receipt::{Receipt, ReviewPlace};
use crate::domain::change::{Change, Motive};
use crate::domain::decision::{Decision, LATE_SECS};
use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::{Merge, Mode, Policy};
use crate::domain::history::trailers::OwnTrailers;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::judge::verdict::Verdict;
use crate::domain::review::Review;
use crate::domain::schema::change::SchemaChange;
use crate::domain::time::Time;
use crate::ports::{ForgeError, RepositoryError};
use crate::record::{Record, ReviewOutcome, VerdictRecord};

/// The most pull requests of an environment that are followed in one pass; the others are in the next.
const MAX_FOLLOWED: usize = 50;

/// A pull request that is not known to have ended.
struct Pending<'r> {
    /// The verdict that it came of.
    verdict: &'r VerdictRecord,
    review: Option<&'r ReviewPlace>,
    overdue_at: Option<Time>,
    /// Whether its branch is there.
    is_left: bool,
    /// How it ended, as the notes tell.
    told: Option<ReviewOutcome>,
    /// When it was last found declined, as the notes tell.
    declined_at: Option<Time>,
    /// Whether the verdict was to end in it.
    is_decided: bool,
    /// What was written down when it was proposed because of another environment, where it was not found bad here since.
    early: Option<&'r VerdictRecord>,
}

/// Does what is next with every pull request that has not ended.
pub(in crate::agent) async fn follow_pull_requests(
    pass: &Pass<'_>,
    state: &State,
    report: &mut EnvironmentReport,
) {
    let mut lines = Lines::default();
    let (mut ended, mut unseen): (BTreeSet<String>, BTreeSet<String>) = Default::default();
    let mut retold: BTreeSet<CommitId> = BTreeSet::new();
    // What was read of the proposals may be older than what this pass has written down.
    let mut records = state.records.clone();
    for (deployment, notes) in &state.proposals.records {
        records.entry(*deployment).or_insert_with(|| notes.clone());
    }
    let branches = &state.proposals.branches;
    // What was pushed leaves nothing to do on a pull request that was opened before.
    let done = |item: &&Item| !matches!(item.receipt, None | Some(Receipt::Pushed(_)));
    let handled: BTreeSet<(CommitId, ServiceName)> =
        report.items.iter().filter(done).map(|item| (item.deployment, item.service.clone())).collect();
    let mut pending = pending(pass, &records, branches);
    pending.retain(|one| !handled.contains(&(one.verdict.deployment, one.verdict.service.clone())));
    let pending: Vec<Pending<'_>> = in_turn(pending, MAX_FOLLOWED, pass.now).collect();
    let services = pending.iter().map(|one| one.verdict.service.clone()).collect();
    // The history is walked once for all of them, when the first needs it.
    let past = PastOf { services, read: OnceCell::new() };
    let Some(mut shown) = pass.stop.unless_set(look_at_all(pass, &pending)).await else { return };
    for one in pending {
        let looked = shown.remove(&one.verdict.id);
        let following = caught(follow_one(pass, state, &past, &one, looked.as_ref()));
        let Some(followed) = pass.stop.unless_set(following).await else { break };
        if !matches!(followed, Ok(Ok(Some(Receipt::Proposed { .. })))) {
            // Something may have been merged: what was shown of the others may not be so any more.
            shown.clear();
        }
        let receipt = match followed.unwrap_or_else(|panic| Err(RepositoryError::Broken(panic).into())) {
            Ok(Some(receipt)) => receipt,
            Ok(None) => continue,
            Err(error) => {
                report.problems.push(format!("the pull request of {}: {error}", one.verdict.service));
                unseen.insert(one.verdict.id.clone());
                continue;
            }
        };
        let outcome = ReviewOutcome::of(&receipt);
        if outcome.is_some_and(is_needless) {
            ended.insert(one.verdict.id.clone());
        }
        if one.told.is_some() && one.told == outcome {
            continue;
        }
        if let Some(record) = review_record(one.verdict, pass.now, one.review, &receipt) {
            retold.insert(one.verdict.deployment);
            let record = Record::Review(Box::new(record));
            lines.add(one.verdict.deployment, &one.verdict.service, &record, report);
        }
        report.reviews.push(Reviewed::new(one.verdict, &receipt));
    }
    lines.append(pass, report).await;
    renew_comments(pass, state, retold, report).await;
    clean_up(pass, state, &records, &ended, &unseen).await;
}

/// How many pull requests the forge is asked about at the same time.
const AT_ONCE: usize = 8;

/// Asks the forge about all pull requests before anything is done with one, [`AT_ONCE`] at a time. Returns its answers by the ids of the
/// verdicts. Where the forge does not answer, [`follow_one`] asks again.
async fn look_at_all(pass: &Pass<'_>, pending: &[Pending<'_>]) -> BTreeMap<String, Option<Review>> {
    let Some(forge) = pass.estate.forge.as_ref() else { return BTreeMap::new() };
    let (mut shown, mut asked) = (BTreeMap::new(), JoinSet::new());
    let mut keep = |answer: Option<Result<(String, Result<_, ForgeError>), JoinError>>| {
        if let Some(Ok((id, Ok(review)))) = answer {
            shown.insert(id, review);
        }
    };
    for Pending { verdict, .. } in pending {
        let name = Change::branch_for(&pass.environment.name, &verdict.service, verdict.deployment);
        let Some(branch) = name else { continue };
        if asked.len() >= AT_ONCE {
            keep(asked.join_next().await);
        }
        let (forge, base, id) = (Arc::clone(forge), pass.environment.branch.clone(), verdict.id.clone());
        asked.spawn(async move { (id, forge.review(&branch, &base).await) });
    }
    while let answer @ Some(_) = asked.join_next().await {
        keep(answer);
    }
    shown
}

/// Removes the branches on which nothing is left to do: the revert has come to the environment's branch, or has become
/// needless.
async fn clean_up(
    pass: &Pass<'_>,
    state: &State,
    records: &BTreeMap<CommitId, Vec<Record>>,
    ended: &BTreeSet<String>,
    unseen: &BTreeSet<String>,
) {
    let landed: BTreeSet<&str> = state.landed.iter().map(|entry| entry.id.as_str()).collect();
    // Where others may have written that it is over, the forge has said so in this pass, or nobody.
    let is_told = |deployment: &CommitId, id: &str| {
        if !pass.world.records_proven {
            return false;
        }
        let notes = records.get(deployment).into_iter().flatten();
        notes.filter(|record| record.id() == Some(id)).any(|record| match record {
            Record::Review(review) => is_needless(review.outcome),
            Record::Verdict(_) | Record::Recovery(_) | Record::Pin(_) | Record::Seen(_) => false,
        })
    };
    for (deployment, branches) in &state.proposals.branches {
        for branch in branches {
            let own = OwnTrailers::find(&branch.message);
            let Some(id) = own.and_then(|own| own.id().map(str::to_owned)) else { continue };
            // Without its branch an open pull request is closed, which would look like somebody's no.
            let has_landed = landed.contains(id.as_str()) && !unseen.contains(&id);
            if has_landed || ended.contains(&id) || is_told(deployment, &id) {
                remove_branch(pass, &branch.name, branch.tip).await;
            }
        }
    }
}

/// Whether the branch of a pull request that ended so is of no more use.
fn is_needless(outcome: ReviewOutcome) -> bool {
    matches!(outcome, ReviewOutcome::Merged | ReviewOutcome::Superseded)
}

/// The pull requests that have not ended, by the notes and by the branches that are there.
fn pending<'r>(
    pass: &Pass<'_>,
    records: &'r BTreeMap<CommitId, Vec<Record>>,
    branches: &BTreeMap<CommitId, Vec<ProposalBranch>>,
) -> Vec<Pending<'r>> {
    let mut all = Vec::new();
    for (commit, notes) in records {
        let branches = branches.get(commit).map_or(&[][..], Vec::as_slice);
        let mut of_commit: BTreeMap<ServiceName, Pending<'r>> = BTreeMap::new();
        let mut early: BTreeMap<&ServiceName, &'r VerdictRecord> = BTreeMap::new();
        let mut opened_early: BTreeMap<&ServiceName, &'r ReviewPlace> = BTreeMap::new();
        for verdict in notes
            .iter()
            .filter_map(Record::as_verdict)
            .filter(|verdict| verdict.environment == pass.environment.name)
        {
            let opened = verdict.proposal.as_ref().and_then(|proposal| proposal.review.as_ref());
            if verdict.is_early() {
                early.insert(&verdict.service, verdict);
                opened_early.extend(opened.map(|review| (&verdict.service, review)));
            } else if verdict.judgement.verdict == Verdict::Regressed {
                early.remove(&verdict.service);
            }
            let early = early.get(&verdict.service).copied();
            let review = opened.or_else(|| opened_early.get(&verdict.service).copied());
            // The agent that opened it may have been cut off before it could write that down.
            let is_left = branches.iter().any(|branch| branch.is_of(pass, &verdict.service));
            let is_decided = verdict.judgement.verdict == Verdict::Regressed && is_decided(&verdict.decision);
            if review.is_some() || is_left {
                let is_decided = opened.is_some() || is_decided || early.is_some();
                let one = Pending {
                    verdict,
                    review,
                    overdue_at: None,
                    is_left,
                    told: None,
                    declined_at: None,
                    is_decided,
                    early,
                };
                of_commit.insert(verdict.service.clone(), one);
            }
        }
        all.extend(of_commit.into_values().filter_map(|one| one.unless_ended(pass, notes)));
    }
    all
}

/// Whether a verdict was to end in a revert, or in nothing, as it was reverted already.
fn is_decided(decision: &Decision) -> bool {
    match decision {
        Decision::Revert | Decision::Propose | Decision::Pass(_) => true,
        Decision::Wait | Decision::Escalate(_) | Decision::Hold(_) => false,
    }
}

impl Pending<'_> {
    /// Whether a person was asked to merge it.
    fn is_for_a_person(&self) -> bool {
        self.verdict.decision == Decision::Propose || self.early.is_some()
    }

    /// Whether the verdict counts as it was written. What was proposed because of another environment is a person's to merge, whoever has
    /// written the verdict.
    fn is_believed(&self, pass: &Pass<'_>) -> bool {
        pass.world.records_proven || self.early.is_some()
    }

    /// Why it goes back.
    fn motive(&self) -> Motive<'_> {
        let known = self.early.and_then(|early| early.elsewhere.iter().find(|one| one.is_bad()));
        match known {
            Some(known) => Motive::Elsewhere(known),
            None => Motive::judged(&self.verdict.judgement, &self.verdict.evidence),
        }
    }

    /// Why it is not proposed any more, where it was because of another environment.
    fn withdrawn(&self) -> Option<String> {
        let is_healthy = self.early.is_some() && self.verdict.judgement.verdict == Verdict::Healthy;
        is_healthy.then(|| format!("the version is healthy here: {}", self.verdict.judgement.reason))
    }

    /// Itself with what was written down about it, unless that is its end.
    fn unless_ended(mut self, pass: &Pass<'_>, notes: &[Record]) -> Option<Self> {
        for record in notes {
            let Record::Review(review) = record else { continue };
            if review.environment != pass.environment.name || review.service != self.verdict.service {
                continue;
            }
            // Where others may have written that, the forge says whether it is over. What somebody has closed they may open
            // again, as long as its branch is there.
            if review.outcome.is_final() {
                let is_over = pass.world.records_proven && review.outcome != ReviewOutcome::Declined;
                if is_over || !self.is_left {
                    return None;
                }
                self.told = Some(review.outcome);
            }
            self.overdue_at = self.overdue_at.max(Some(review.at));
            if review.outcome == ReviewOutcome::Declined {
                self.declined_at = self.declined_at.max(Some(review.at.min(pass.now)));
            }
        }
        Some(self)
    }
}

/// The past of the services of which pull requests are followed.
struct PastOf {
    services: BTreeSet<ServiceName>,
    read: OnceCell<BTreeMap<ServiceName, Past>>,
}

/// Why the agent does not have one merged that it opened by another configuration.
const OTHER_WAY: &str = "pull requests are not the way of the environment's changes any more";

/// None where pull requests are not the way of the environment's changes.
async fn follow_one(
    pass: &Pass<'_>,
    state: &State,
    past: &PastOf,
    one: &Pending<'_>,
    looked: Option<&Option<Review>>,
) -> Result<Option<Receipt>, DeliveryError> {
    let verdict = one.verdict;
    let found = deployment_of(pass, &state.detected, (verdict.deployment, &verdict.service)).await;
    let Some(deployment) = found else {
        return Ok(Some(Receipt::Refused("its deployment is not in the history any more".to_owned())));
    };
    let policy = pass.policy(&deployment);
    let by_hand = one.is_for_a_person() || policy.mode == Mode::Propose || state.brakes.frozen.is_some();
    let (merge, is_the_way) = match Route::of(pass, by_hand, true) {
        Route::Review(merge) => (merge, true),
        // What was opened before is not left to merge itself.
        Route::Push | Route::Branch if one.review.is_some() => (Merge::Manual, false),
        Route::Push | Route::Branch => return Ok(None),
    };
    let reading = || pasts(pass, past.services.clone(), Some(state.snapshot.head));
    let mut past =
        past.read.get_or_try_init(reading).await?.get(&deployment.service).cloned().unwrap_or_default();
    past.know(&deployment.service, &state.dropped);
    let past = past.when_decided(&deployment, &undone_with(state, verdict));
    // It leads where it led: what a registry says by now is not asked here.
    let told = one.early.unwrap_or(verdict).artifacts.clone().unwrap_or_default();
    let goal = past.goal(&policy, &deployment, pass.now, &told.passed_over);
    let (checked, with) = (told.lines(), members_then(pass, state, &deployment).await?);
    let members: Vec<ToRevert<'_>> = with.iter().map(ToRevert::judged).collect();
    let to_revert = ToRevert {
        members: &members,
        deployment: &deployment,
        motive: one.motive(),
        evidence: Some(&verdict.evidence),
        policy: &policy,
        undo: Undo { checked: &checked, ..undo(&deployment, goal.as_ref(), &[]) },
    };
    let merge = if past.has_lost_trust(pass, &policy, &deployment) { Merge::Manual } else { merge };
    let paused = state.brakes.paused(&deployment.service).or_else(|| held_of_group(state, &with, one));
    let withdrawn = one.withdrawn();
    let mut terms = Terms {
        merge,
        overdue_at: one.overdue_at,
        may_open: false,
        by_agent: !one.is_for_a_person(),
        frozen: paused
            .as_deref()
            .or(frozen(&deployment, &policy, one, &past.crossed((&deployment, &policy), goal.as_ref())))
            .or((!is_the_way).then_some(OTHER_WAY)),
        declined_at: one.declined_at,
        withdrawn: withdrawn.as_deref(),
        looked,
    };
    // Where none was opened there is nothing to follow: who decides on it anew opens it.
    let is_nothing = one.review.is_none() && looked.is_some_and(Option::is_none);
    if one.is_believed(pass) && is_nothing {
        return Ok(None);
    }
    if one.is_believed(pass) {
        return merge_when_ready(pass, &to_revert, terms, &state.snapshot).await.map(Some);
    }
    // Others may have written the verdict: it is worked out again. What does not follow is a person's to merge.
    let now = state.decided.get(&verdict.id).filter(|(decision, _)| *decision != Decision::Wait);
    let then = match now {
        Some(_) => Decisions::new(),
        None => Box::pin(decided_at(pass, state, when_decided(pass, &deployment, one))).await?,
    };
    let again = now.or_else(|| then.get(&verdict.id));
    let is_same = |(decision, undone): &(Decision, BTreeSet<CommitId>)| {
        *decision == Decision::Revert && *undone == undone_by(goal.as_ref())
    };
    terms.may_open = now.is_some_and(is_same) && is_the_way;
    if is_nothing && !terms.may_open {
        return Ok(None);
    }
    terms.merge = if again.is_some_and(is_same) { terms.merge } else { Merge::Manual };
    // What cannot be worked out at this moment does not take back what was asked for before.
    terms.by_agent &= again.is_some_and(|(decision, _)| *decision != Decision::Wait);
    merge_when_ready(pass, &to_revert, terms, &state.snapshot).await.map(Some)
}

/// Why the agent must not have it merged any more because of another service that goes back with it.
fn held_of_group(state: &State, members: &[Judged], one: &Pending<'_>) -> Option<String> {
    members.iter().find_map(|member| {
        let service = &member.deployment.service;
        let why = frozen(&member.deployment, &member.policy, one, &member.crossed).map(str::to_owned);
        let why = state.brakes.paused(service).or(why)?;
        Some(format!("{service}, which goes back with it: {why}"))
    })
}

/// When it was decided that a deployment goes back: when the verdict says so, as long as its watch window was open. What goes
/// back after a revert did not help may be of long ago.
fn when_decided(pass: &Pass<'_>, deployment: &Deployment, one: &Pending<'_>) -> Time {
    let watch_secs = pass.rule(deployment).map_or(0, |rule| i64::from(rule.policy.watch_secs));
    let at = one.verdict.at.min(pass.now);
    match one.verdict.evidence.after_revert {
        Some(_) => at,
        None => at.min(deployment.at.plus_secs(watch_secs + LATE_SECS)),
    }
}

/// The other deployments that the revert on the branch takes back, by its message.
fn undone_with(state: &State, verdict: &VerdictRecord) -> BTreeSet<CommitId> {
    let branches = state.proposals.branches.get(&verdict.deployment).into_iter().flatten();
    let messages = branches.filter_map(|branch| OwnTrailers::find(&branch.message));
    let own = messages.filter(|own| own.id() == Some(verdict.id.as_str()));
    own.flat_map(|own| own.with()).collect()
}

/// Why the agent must not have it merged any more, whatever it decided once.
fn frozen(
    deployment: &Deployment,
    policy: &Policy,
    one: &Pending<'_>,
    crossed: &[(CommitId, SchemaChange)],
) -> Option<&'static str> {
    if policy.mode == Mode::Observe {
        Some("in mode observe the agent merges nothing")
    } else if deployment.schema.iter().any(|one| one.is_for_a_person(policy.schema.policy)) {
        Some("the deployment changed a database schema")
    } else if crossed.iter().any(|(_, one)| one.is_for_a_person(policy.schema.policy)) {
        Some("a later commit changed a database schema")
    } else if !one.is_decided {
        Some("it was not decided to take the deployment back")
    } else {
        None
    }
}
