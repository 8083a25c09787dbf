//! What services ran before: read from the history only for those of which a deployment is about to be reverted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::branches::Ran;
use super::context::Pass;
use super::records::read_records;
use crate::agent::world::{Estate, SEARCH_DAYS, TRUST_DAYS, blocking};
use crate::domain::artifact::PassedOver;
use crate::domain::deployment::lineage::{Earlier, Edit, Goal, GoodState, Lineage};
use crate::domain::deployment::trust::{Answers, Trust};
use crate::domain::deployment::{ChangeKind, Deployment, Detector};
use crate::domain::environment::Environment;
use crate::domain::environment::policy::{Mode, Policy};
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::scope::{Any, Tracked};
use crate::domain::history::snapshot::Commit;
use crate::domain::ids::{BranchName, CommitId, ServiceName};
use crate::domain::judge::verdict::Verdict;
use crate::domain::schema::change::SchemaChange;
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, RepositoryError};
use crate::record::{Record, Recovery, ReviewOutcome, ReviewRecord, VerdictRecord};

/// The most changes of a service that are kept.
const MAX_CHANGES: usize = 1_000;
/// Of how many changes of a service the files are kept, to take them back. A revert goes back a few states.
const MAX_WITH_FILES: usize = 32;

/// Fetches the past of the branches on which a deployment is watched, as long as nothing is urgent: its revert would have to
/// wait for it. Where that fails nothing is lost; the revert says what is wrong.
pub(in crate::agent) async fn fetch_ahead(estate: &Estate, branches: BTreeSet<BranchName>, now: Time) {
    for branch in branches {
        let days = estate.environments.iter().filter(|one| one.branch == branch).map(|one| search_days(one));
        let since = now.minus_secs(days.max().unwrap_or(SEARCH_DAYS) * 86_400);
        let fetching = blocking(&estate.repository, {
            let branch = branch.clone();
            move |repository| repository.deepen(&branch, since)
        });
        if let Err(error) = fetching.await {
            tracing::warn!(%branch, %error, "the history that a revert would need cannot be fetched ahead");
        }
    }
}

/// What a service ran before, and what is known of that.
#[derive(Clone, Debug, Default)]
pub(in crate::agent) struct Past {
    pub lineage: Lineage,
    /// The reverts in as much of the history, of this service.
    reverts: Vec<RevertEntry>,
    /// What the notes say about the newest changes.
    records: BTreeMap<CommitId, Vec<Record>>,
    /// The deployments that this pass has found bad, whether or not that is written down yet.
    found_bad: Vec<FoundBad>,
}

/// A deployment that this pass has found bad.
#[derive(Clone, Debug)]
pub(in crate::agent) struct FoundBad {
    pub service: ServiceName,
    pub commit: CommitId,
    /// When the damage began, where that is known.
    pub since: Option<Time>,
}

/// Reads the past of some services from the branch, in one walk: up to the commit `head`, or as of the last fetch. What
/// another agent has pushed since is not known to the rest of the pass either. What was read before in this pass is not read again,
/// but for the notes.
pub(in crate::agent) async fn pasts(
    pass: &Pass<'_>,
    services: BTreeSet<ServiceName>,
    head: Option<CommitId>,
) -> Result<BTreeMap<ServiceName, Past>, RepositoryError> {
    let mut ran: BTreeMap<ServiceName, Ran> = BTreeMap::new();
    if services.is_empty() {
        return Ok(BTreeMap::new());
    }
    match head {
        None => ran.extend(read_pasts(pass, services, None).await?),
        Some(head) => {
            let mut all = pass.branches.pasts.lock().await;
            let known = all.entry((pass.environment.name.clone(), head)).or_default();
            let missing = services.iter().filter(|service| !known.contains_key(*service)).cloned().collect();
            known.extend(read_pasts(pass, missing, Some(head)).await?);
            let wanted = known.iter().filter(|(service, _)| services.contains(*service));
            ran.extend(wanted.map(|(service, ran)| (service.clone(), ran.clone())));
        }
    }
    let newest = ran.values().flat_map(|(lineage, _)| lineage.newest(MAX_WITH_FILES));
    let commits: BTreeSet<CommitId> = newest.collect();
    let records = read_records(pass, commits.into_iter().collect()).await?;
    let past = |(service, (lineage, reverts)): (ServiceName, Ran)| {
        let own = records.iter().filter(|(commit, _)| lineage.of(**commit).is_some());
        let records = own.map(|(commit, all)| (*commit, all.clone())).collect();
        (service, Past { lineage, reverts, records, found_bad: Vec::new() })
    };
    Ok(ran.into_iter().map(past).collect())
}

/// How far back the changes of services are looked for, in days: further where what people did with reverts decides.
pub(in crate::agent) fn search_days(environment: &Environment) -> i64 {
    let earns = environment.services.iter().any(|rule| rule.policy.mode == Mode::Earn);
    if earns { TRUST_DAYS } else { SEARCH_DAYS }
}

/// The changes, other edits and reverts of a service, newest first.
type ReadPast = (Vec<Deployment>, Vec<Edit>, Vec<RevertEntry>);

async fn read_pasts(
    pass: &Pass<'_>,
    services: BTreeSet<ServiceName>,
    head: Option<CommitId>,
) -> Result<BTreeMap<ServiceName, Ran>, RepositoryError> {
    if services.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (environment, now, documents) = (Arc::clone(pass.environment), pass.now, pass.documents());
    let reading = pass.git(move |repository| {
        let mut read: BTreeMap<ServiceName, ReadPast> =
            services.iter().map(|service| (service.clone(), Default::default())).collect();
        let since = now.minus_secs(search_days(&environment) * 86_400);
        let query = HistoryQuery {
            branch: &environment.branch,
            diffs_since: since,
            diffs_until: now,
            commits_since: since,
            now,
            scope: &Any::new(vec![Tracked::of_services(&environment, &services)]),
        };
        let mut detector = Detector::with(&environment, documents);
        let mut is_known = head.is_none();
        let up_to_head = |next: &mut dyn FnMut(Commit) -> ControlFlow<()>| {
            repository.walk(&query, &mut |commit| {
                is_known |= head == Some(commit.id);
                if is_known { next(commit) } else { ControlFlow::Continue(()) }
            })
        };
        detector.walk(up_to_head, |detector, commit, (found, own)| {
            if detector.is_over() {
                return ControlFlow::Break(());
            }
            for entry in own {
                if let Some((_, _, reverts)) = read.get_mut(&entry.service) {
                    reverts.push(entry);
                }
            }
            for (service, (changes, edits, _)) in &mut read {
                match found.iter().find(|one| one.service == *service) {
                    Some(change) if changes.len() < MAX_WITH_FILES => changes.push(change.clone()),
                    Some(change) if changes.len() < MAX_CHANGES => {
                        changes.push(Deployment { files: Vec::new(), ..change.clone() });
                    }
                    Some(_) => {}
                    None if changes.len() < MAX_WITH_FILES && edits.len() < MAX_CHANGES => {
                        let addresses = detector.edited(commit, service);
                        let schema = detector.migrated(commit, service);
                        if !addresses.is_empty() || !schema.is_empty() {
                            edits.push(Edit { commit: commit.id, at: commit.at, addresses, schema });
                        }
                    }
                    None => {}
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok::<_, RepositoryError>(read)
    });
    let read = reading.await?;
    let ran = |(service, (changes, edits, reverts))| (service, (Lineage::new(changes, edits), reverts));
    Ok(read.into_iter().map(ran).collect())
}

impl Past {
    /// Adds what is known of reverts that the branch holds no more.
    pub(in crate::agent) fn know(&mut self, service: &ServiceName, dropped: &[RevertEntry]) {
        self.reverts.extend(dropped.iter().filter(|entry| entry.service == *service).cloned());
    }

    /// Adds which deployments this pass has found bad.
    pub(in crate::agent) fn know_bad(&mut self, service: &ServiceName, bad: &[FoundBad]) {
        self.found_bad.extend(bad.iter().filter(|one| one.service == *service).cloned());
    }

    /// As it was when the revert of a deployment was worked out that takes these others (`with`) back too.
    pub(in crate::agent) fn when_decided(
        mut self,
        deployment: &Deployment,
        with: &BTreeSet<CommitId>,
    ) -> Self {
        self.lineage = self.lineage.as_decided(deployment.commit, with);
        self.reverts.retain(|entry| !deployment.was_taken_back_by(entry));
        self
    }

    /// The verdicts that were written down about one of the newest changes.
    pub(in crate::agent) fn verdicts(&self, change: &Deployment) -> impl Iterator<Item = &VerdictRecord> {
        let id = &change.id;
        let records = self.records.get(&change.commit).into_iter().flatten();
        records.filter_map(Record::as_verdict).filter(move |verdict| verdict.id == *id)
    }

    /// Where a revert of a deployment leads, when not to one of these states of which an artifact is missing. None where the deployment is
    /// older than what is known.
    pub(in crate::agent) fn goal(
        &self,
        policy: &Policy,
        deployment: &Deployment,
        now: Time,
        missing: &[PassedOver],
    ) -> Option<Goal> {
        self.with_rules(policy, deployment, now, missing, |good| self.lineage.goal(deployment.commit, good))
    }

    /// The digest that an artifact had in a state, as the records say: that of the newest deployment up to then that brought it.
    pub(in crate::agent) fn digest_in(&self, state: Option<CommitId>, artifact: &str) -> Option<&str> {
        let verdicts = self.lineage.up_to(state).iter().flat_map(|change| self.verdicts(change));
        let ran = verdicts.filter_map(|verdict| verdict.artifacts.as_ref()).flat_map(|told| &told.ran);
        ran.filter(|one| one.artifact == artifact).map(|one| one.digest.as_str()).next()
    }

    /// The good states before a deployment, newest first, at most `max`.
    pub(in crate::agent) fn good_before(
        &self,
        policy: &Policy,
        deployment: &Deployment,
        now: Time,
        max: usize,
    ) -> Vec<Earlier> {
        self.with_rules(policy, deployment, now, &[], |good| {
            self.lineage.good_before(deployment.commit, good, max)
        })
    }

    fn with_rules<T>(
        &self,
        policy: &Policy,
        deployment: &Deployment,
        now: Time,
        missing: &[PassedOver],
        ask: impl FnOnce(&GoodState<'_>) -> T,
    ) -> T {
        let is_remembered =
            |entry: &&RevertEntry| now.secs_since(entry.at) <= i64::from(policy.quarantine_secs);
        let quarantined: BTreeSet<&String> =
            self.reverts.iter().filter(is_remembered).flat_map(|entry| &entry.bad_values).collect();
        let in_quarantine =
            |values: &BTreeSet<String>| values.iter().any(|value| quarantined.contains(value));
        // What began when the next change had landed is that one's, though this one was still watched.
        let is_own_damage = |since: Option<Time>, change: &Deployment| {
            let ended_at = self.lineage.ended_at(change.commit);
            let is_later = |since: Time| ended_at.is_some_and(|ended_at| ended_at <= since);
            !since.is_some_and(is_later)
        };
        let is_damage_of = |verdict: &VerdictRecord, change: &Deployment| {
            verdict.judgement.verdict == Verdict::Regressed && is_own_damage(verdict.judgement.since, change)
        };
        let is_bad = |change: &Deployment| {
            let of_change =
                |record: &&Record| record.subject() == Some((&deployment.environment, &deployment.service));
            let mut records = self.records.get(&change.commit).into_iter().flatten().filter(of_change);
            change.kind != ChangeKind::OwnRevert
                && (self.reverts.iter().any(|entry| entry.is_of_bad() && change.was_taken_back_by(entry))
                    || records.any(|record| record.as_verdict().is_some_and(|one| is_damage_of(one, change)))
                    || self
                        .found_bad
                        .iter()
                        .any(|one| one.commit == change.commit && is_own_damage(one.since, change)))
        };
        ask(&GoodState {
            tried_secs: policy.tried_secs(),
            targets: usize::try_from(policy.targets).unwrap_or(usize::MAX),
            in_quarantine: &in_quarantine,
            is_bad: &is_bad,
            is_missing: &|state| missing.iter().any(|one| one.state == state),
        })
    }

    /// The schema changes of other commits that the revert of a deployment would cross: each with the commit that brought it.
    pub(in crate::agent) fn crossed(
        &self,
        (deployment, policy): (&Deployment, &Policy),
        goal: Option<&Goal>,
    ) -> Vec<(CommitId, SchemaChange)> {
        let oldest = match goal {
            Some(Goal::Undo(changes, _)) => changes.last(),
            Some(Goal::NoneGood(_) | Goal::TakenBack(_) | Goal::Under(_)) | None => None,
        };
        self.lineage.migrated_since(oldest.unwrap_or(deployment), policy.tried_secs())
    }

    /// Whether people have not accepted enough reverts of the service, where the mode asks for that.
    pub(in crate::agent) fn has_lost_trust(
        &self,
        pass: &Pass<'_>,
        policy: &Policy,
        deployment: &Deployment,
    ) -> bool {
        self.trust(pass, policy, deployment).is_some_and(|trust| !trust.is_earned())
    }

    /// What people did with the reverts of the service of a deployment. None where the mode does not ask for that.
    pub(in crate::agent) fn trust(
        &self,
        pass: &Pass<'_>,
        policy: &Policy,
        deployment: &Deployment,
    ) -> Option<Trust> {
        if policy.mode != Mode::Earn {
            return None;
        }
        let of_service =
            |record: &&Record| record.subject() == Some((&deployment.environment, &deployment.service));
        let mut bad: Vec<CommitId> = self.found_bad.iter().map(|one| one.commit).collect();
        let (mut declined, mut in_vain) = (Vec::new(), Vec::new());
        for record in self.records.values().flatten().filter(of_service) {
            match record {
                Record::Review(review)
                    if review.outcome == ReviewOutcome::Declined && !self.is_of_early(review) =>
                {
                    declined.push((review.deployment, review.at));
                }
                Record::Verdict(verdict) if verdict.judgement.verdict == Verdict::Regressed => {
                    bad.push(verdict.deployment);
                }
                Record::Recovery(recovery) if recovery.outcome == Recovery::NotRecovered => {
                    in_vain.push(recovery.revert);
                }
                Record::Review(_) | Record::Verdict(_) | Record::Recovery(_) => {}
                Record::Pin(_) | Record::Seen(_) => {}
            }
        }
        let answers = Answers {
            reverts: &self.reverts,
            in_vain: &in_vain,
            declined: &declined,
            bad: &bad,
            are_proven: pass.world.records_proven,
        };
        let rules = (policy.earn_after, policy.quarantine_secs);
        Some(self.lineage.trust(&answers, rules, &policy.automation, pass.now))
    }

    /// Whether a person answered what was proposed because of another environment. That says nothing about what the agent finds here.
    fn is_of_early(&self, review: &ReviewRecord) -> bool {
        let records = self.records.get(&review.deployment).into_iter().flatten();
        // A note is in the order in which it was written: two of its lines may be of one second.
        let before = records.take_while(|one| !matches!(one, Record::Review(own) if **own == *review));
        let verdicts = before.filter_map(Record::as_verdict).filter(|one| one.id == review.id);
        verdicts.last().is_some_and(VerdictRecord::is_early)
    }

    /// Why a person should look at a revert that takes these changes back: what else they changed was changed again since.
    pub(in crate::agent) fn doubts(&self, undo: &[Deployment]) -> Vec<String> {
        let addresses: BTreeSet<String> =
            undo.iter().flat_map(|change| change.left_behind.iter().cloned()).collect();
        let oldest = undo.last();
        let edit = oldest.and_then(|oldest| self.lineage.changed_since(oldest, &addresses));
        let doubt = |(commit, address): (CommitId, String)| {
            format!("{} has changed {address} again since", commit.short())
        };
        edit.map(doubt).into_iter().collect()
    }
}
