//! What a pass has read of one environment: its branch, what was deployed there, and what earlier passes wrote down.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::context::Pass;
use super::pauses::FoundPauses;
use super::proposals::Proposals;
use super::records::read_records;
use super::services::services_found_twice;
use crate::domain::decision::{Decision, GoneRevert};
use crate::domain::deployment::{ChangeKind, Deployment};
use crate::domain::environment::brakes::Brakes;
use crate::domain::environment::policy::Mode;
use crate::domain::history::automation::is_automation;
use crate::domain::history::landing::{RECENT_SECS, Sighting};
use crate::domain::history::ledger::{RevertEntry, rollback_id, says_revert};
use crate::domain::history::snapshot::{Commit, Snapshot};
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::judge::verdict::Verdict;
use crate::domain::time::Time;
use crate::ports::RepositoryError;
use crate::record::{Record, Recovery, RecoveryRecord, VerdictRecord, looks_of};

/// What was decided about deployments, by their ids, with the commits that a revert of each takes back.
pub(in crate::agent) type Decisions = BTreeMap<String, (Decision, BTreeSet<CommitId>)>;

/// What the metrics say of reverts, by the commit of each.
#[derive(Default)]
pub(in crate::agent) struct Asked {
    /// What became of them for each of their services, where that is known.
    pub outcomes: BTreeMap<(CommitId, ServiceName), Recovery>,
    /// Those that people asked for, of deployments that were bad.
    pub bad_requests: BTreeSet<CommitId>,
}

/// What a pass has read of one environment.
pub(in crate::agent) struct State {
    /// The branch; read again after each change.
    pub snapshot: Arc<Snapshot>,
    /// The pauses that were found, as of the snapshot.
    pub pauses: Arc<FoundPauses>,
    /// What holds the agent back.
    pub brakes: Brakes,
    /// The reverts that were on the branch when the pass began, newest first.
    pub reverts: Vec<RevertEntry>,
    /// The reverts that are in the snapshot, newest first.
    pub landed: Vec<RevertEntry>,
    /// All deployments in what was read of the history, newest first.
    pub detected: Vec<Deployment>,
    /// The deployments that are watched, or were until so recently that their verdict may still be due. Oldest first,
    /// those of one commit by their service's name.
    pub watched: Vec<Deployment>,
    /// The newest deployments whose watch window passed while no agent was looking, oldest first.
    pub missed: Vec<Deployment>,
    /// What the notes say about the watched deployments and the reverts.
    pub records: BTreeMap<CommitId, Vec<Record>>,
    /// What the metrics say of the reverts, where they were asked again for want of proven records.
    pub asked: Option<Asked>,
    /// What this pass has decided about the deployments that it judged.
    pub decided: Decisions,
    /// Every name by which a metric could speak of a service with a deployment: such a service is no control.
    pub deployed: BTreeSet<String>,
    /// The branches of proposals, and what the notes say about their deployments.
    pub proposals: Proposals,
    /// The agent's reverts that somebody has taken off the branch, of the deployments that are watched.
    pub gone: Vec<GoneRevert>,
    /// Whether these are gone for sure. Where they are not, they count against further reverts, and nobody is told of them yet.
    pub sure_of_gone: bool,
    /// The reverts that the branch held before its history was rewritten, newest first. Deployments that the branch has under another
    /// id now have that id here.
    pub dropped: Vec<RevertEntry>,
    /// The deployments that they took back and that the branch holds no more.
    pub lost: Vec<Deployment>,
    /// The pins that stand as reverts have written them, each in words, by the commits of the reverts.
    pub pins: BTreeMap<CommitId, Vec<String>>,
    /// Whether it is the environment as it was at an earlier time, of which nothing was written down yet.
    pub is_earlier: bool,
}

impl State {
    /// Reads an environment as of the last fetch.
    pub(in crate::agent) async fn read(pass: &Pass<'_>) -> Result<Self, RepositoryError> {
        let snapshot = pass.branches.history(pass.environment).await?;
        let pauses = pass.pauses(snapshot.head).await?;
        let (detected, reverts) = pass.detect(&snapshot).await?;
        let (lost, dropped) = dropped(pass, &snapshot, &reverts).await?;
        let watched = watched(&detected, pass);
        let proposals = Proposals::read(pass, &snapshot).await?;
        let mut state = Self {
            deployed: watched.iter().flat_map(|one| names_of(one, &snapshot, pass)).collect(),
            snapshot,
            brakes: pauses.brakes(pass.environment, pass.now),
            pauses,
            landed: reverts.clone(),
            reverts,
            detected,
            watched,
            missed: Vec::new(),
            records: BTreeMap::new(),
            asked: None,
            decided: BTreeMap::new(),
            proposals,
            gone: Vec::new(),
            sure_of_gone: true,
            dropped,
            lost,
            pins: BTreeMap::new(),
            is_earlier: false,
        };
        state.read_records(pass).await?;
        state.missed = state.find_missed(pass).await?;
        Ok(state)
    }

    /// Leaves out the deployments of services that the rules find twice, unless they have a verdict already: what would be judged
    /// and reverted as one service cannot be said. Returns what is wrong with the configuration, in words.
    pub(in crate::agent) async fn leave_out_found_twice(
        &mut self,
        pass: &Pass<'_>,
    ) -> Result<Vec<String>, RepositoryError> {
        let open = self.watched.iter().filter(|deployment| !self.is_settled(pass, deployment));
        let twice = services_found_twice(pass, self.snapshot.head, open).await?;
        self.watched.retain(|deployment| !twice.contains_key(&deployment.service));
        Ok(twice.into_values().collect())
    }

    /// Finds the deployments of the last day that still run, that are watched no more, and that nobody has looked at while they
    /// were, nor written down.
    async fn find_missed(&self, pass: &Pass<'_>) -> Result<Vec<Deployment>, RepositoryError> {
        let watched_secs = |deployment: &Deployment| {
            pass.rule(deployment)
                .map(|rule| 2 * i64::from(rule.policy.watch_secs.max(rule.policy.recovery_secs)))
        };
        let is_candidate = |deployment: &&Deployment| {
            let age = pass.now.secs_since(deployment.at);
            deployment.superseded_by.is_none()
                && age <= RECENT_SECS
                && watched_secs(deployment).is_some_and(|secs| age > secs)
                && self.revert_of(deployment).is_none()
        };
        let was_seen = |deployment: &Deployment, looks: &[Sighting]| {
            let until = deployment.at.plus_secs(watched_secs(deployment).unwrap_or(0));
            let mut looks = looks.iter().filter(|look| !look.is_exact);
            looks.any(|look| look.first <= until && deployment.at <= look.last)
        };
        let own = pass.branches.seen(&pass.environment.branch);
        let candidates = self.detected.iter().filter(is_candidate);
        let candidates: Vec<&Deployment> = candidates.filter(|one| !was_seen(one, own)).collect();
        let commits: BTreeSet<CommitId> = candidates.iter().map(|deployment| deployment.commit).collect();
        let records = read_records(pass, commits.into_iter().collect()).await?;
        // The looks of agents elsewhere are in the notes.
        let told = told(records.values().chain(self.records.values()), pass);
        let is_written_down = |deployment: &Deployment| {
            let mut of_commit = records.get(&deployment.commit).into_iter().flatten();
            of_commit.any(|record| record.id() == Some(&deployment.id))
        };
        let is_missed =
            |deployment: &&&Deployment| !is_written_down(deployment) && !was_seen(deployment, &told);
        Ok(candidates.iter().rev().filter(is_missed).map(|deployment| (*deployment).clone()).collect())
    }

    /// Where the branch was seen, as the notes on its deployments tell.
    pub(in crate::agent) fn told(&self, pass: &Pass<'_>) -> Vec<Sighting> {
        told(self.records.values(), pass)
    }

    /// Reads the notes on the watched deployments and on those that were reverted, as they are now.
    pub(in crate::agent) async fn read_records(&mut self, pass: &Pass<'_>) -> Result<(), RepositoryError> {
        let watched = self.watched.iter().map(|deployment| deployment.commit);
        let reverted = self.reverts.iter().map(|entry| entry.reverts);
        let dropped = self.snapshot.dropped.iter().map(|one| one.commit.id);
        let dropped = dropped.chain(self.dropped.iter().map(|entry| entry.reverts));
        let mut commits: BTreeSet<CommitId> = watched.chain(reverted).chain(dropped).collect();
        let former = commits.iter().filter_map(|commit| self.snapshot.former.get(commit)).flatten();
        let former: Vec<CommitId> = former.copied().collect();
        commits.extend(former);
        self.records = read_records(pass, commits.into_iter().collect()).await?;
        Ok(())
    }

    /// The notes on these deployments that cannot be read, in words.
    pub(in crate::agent) async fn unreadable_notes(
        &self,
        pass: &Pass<'_>,
    ) -> Result<Vec<String>, RepositoryError> {
        let watched = self.watched.iter().map(|deployment| deployment.commit);
        let commits: BTreeSet<CommitId> =
            watched.chain(self.reverts.iter().map(|entry| entry.reverts)).collect();
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        let commits: Vec<CommitId> = commits.into_iter().collect();
        pass.git(move |repository| repository.unreadable_notes(&commits)).await
    }

    /// Fetches the branch once more.
    pub(in crate::agent) async fn fetch_again(&mut self, pass: &Pass<'_>) -> Result<(), RepositoryError> {
        self.snapshot = pass.branches.fetch_again(pass.environment).await?;
        self.landed = pass.reverts(&self.snapshot).await?;
        self.pauses = pass.pauses(self.snapshot.head).await?;
        self.brakes = self.pauses.brakes(pass.environment, pass.now);
        Ok(())
    }

    /// The environment as it was at an earlier time, as far as its branch tells: without records and pull requests.
    pub(in crate::agent) async fn as_of(&self, pass: &Pass<'_>) -> Result<Option<Self>, RepositoryError> {
        let read = pass.branches.history_at(pass.environment, pass.now).await?;
        // A pass makes its reverts at its own time, after it has decided.
        let is_later =
            |commit: &&Commit| commit.at > pass.now || commit.at == pass.now && says_revert(commit);
        let commits: Vec<Commit> = read.commits.iter().skip_while(is_later).cloned().collect();
        let Some(head) = commits.first().map(|newest| newest.id) else { return Ok(None) };
        let snapshot = Arc::new(Snapshot { head, commits, ..(*read).clone() });
        let (detected, reverts) = pass.detect(&snapshot).await?;
        let watched = watched(&detected, pass);
        Ok(Some(Self {
            brakes: self.pauses.brakes_at(pass.environment, pass.now),
            pauses: Arc::clone(&self.pauses),
            landed: reverts.clone(),
            reverts,
            deployed: watched.iter().flat_map(|one| names_of(one, &snapshot, pass)).collect(),
            snapshot,
            detected,
            watched,
            missed: Vec::new(),
            records: BTreeMap::new(),
            asked: None,
            decided: BTreeMap::new(),
            proposals: Proposals::default(),
            gone: self.gone.iter().filter(|one| one.at <= pass.now).cloned().collect(),
            sure_of_gone: self.sure_of_gone,
            dropped: self.dropped.iter().filter(|entry| entry.at <= pass.now).cloned().collect(),
            lost: self.lost.clone(),
            pins: self.pins.clone(),
            is_earlier: true,
        }))
    }

    /// The revert of a deployment, if it was on the branch when the pass began.
    pub(in crate::agent) fn revert_of(&self, deployment: &Deployment) -> Option<&RevertEntry> {
        self.reverts.iter().find(|entry| deployment.was_taken_back_by(entry))
    }

    /// The reverts that were made, newest first: those on the branch when the pass began, and those of [`State::of_lost`].
    pub(in crate::agent) fn made(&self) -> Vec<&RevertEntry> {
        let mut made: Vec<&RevertEntry> = self.reverts.iter().chain(self.of_lost()).collect();
        made.sort_by_key(|entry| Reverse(entry.at));
        made
    }

    /// The reverts that the branch holds no more along with what they had taken back.
    pub(in crate::agent) fn of_lost(&self) -> impl Iterator<Item = &RevertEntry> {
        self.dropped.iter().filter(|entry| self.time_of_lost(entry.reverts).is_some())
    }

    /// When a deployment was committed that the branch holds no more.
    pub(in crate::agent) fn time_of_lost(&self, commit: CommitId) -> Option<Time> {
        self.lost.iter().find(|one| one.commit == commit).map(|one| one.at)
    }

    /// The verdicts that were written down about a deployment, under whatever id it had then.
    pub(in crate::agent) fn verdicts(&self, deployment: &Deployment) -> impl Iterator<Item = &VerdictRecord> {
        let former = self.snapshot.former.get(&deployment.commit).into_iter().flatten();
        let (environment, service) = (&deployment.environment, &deployment.service);
        let former = former.map(|id| (*id, rollback_id(environment, service, *id)));
        let names: Vec<(CommitId, String)> =
            former.chain([(deployment.commit, deployment.id.clone())]).collect();
        names.into_iter().flat_map(|(commit, id)| {
            let records = self.records.get(&commit).into_iter().flatten();
            records.filter_map(Record::as_verdict).filter(move |verdict| verdict.id == id)
        })
    }

    /// The newest verdict in the notes that leaves nothing to judge, if there is one. A verdict whose revert is gone from the
    /// branch does: the deployment is open again.
    pub(in crate::agent) fn settling(
        &self,
        pass: &Pass<'_>,
        deployment: &Deployment,
    ) -> Option<&VerdictRecord> {
        let mode = pass.rule(deployment).map_or(Mode::Observe, |rule| rule.policy.mode);
        let settling = self.verdicts(deployment).filter(|verdict| verdict.at <= pass.now);
        let is_settling =
            |one: &&VerdictRecord| one.settles(mode) && !self.is_released(pass, deployment, one);
        let newest = settling.filter(is_settling).last()?;
        self.gone_revert(deployment, newest).is_none().then_some(newest)
    }

    /// Whether a verdict was held back by what is over. What was proposed stays with the person who was asked, where it is too late for
    /// the agent to act.
    pub(in crate::agent) fn is_released(
        &self,
        pass: &Pass<'_>,
        deployment: &Deployment,
        verdict: &VerdictRecord,
    ) -> bool {
        let is_asked = verdict.decision == Decision::Propose && pass.is_late(deployment);
        verdict.is_released(&self.brakes, pass.is_late(deployment)) && !is_asked
    }

    /// The revert of a deployment that a verdict names and that is not on the branch, under whatever id. It would be newer than
    /// the deployment, which was read.
    pub(in crate::agent) fn gone_revert(
        &self,
        deployment: &Deployment,
        verdict: &VerdictRecord,
    ) -> Option<CommitId> {
        verdict.revert.filter(|revert| !self.snapshot.holds(*revert) && self.revert_of(deployment).is_none())
    }

    /// Whether nothing is left to judge.
    ///
    /// What was found bad is judged again as long as a revert could be made, so that what is red is red now and not only once. Where
    /// others may have written the notes, everything is. What comes of it is told only where it is news.
    pub(in crate::agent) fn is_settled(&self, pass: &Pass<'_>, deployment: &Deployment) -> bool {
        let Some(settling) = self.settling(pass, deployment) else { return false };
        let is_proven = pass.world.records_proven && settling.judgement.verdict != Verdict::Regressed;
        is_proven || pass.is_late(deployment) || self.revert_of(deployment).is_some()
    }

    /// The records of the recovery after a revert. Two agents may each have written one.
    fn recoveries_of(&self, entry: &RevertEntry) -> impl Iterator<Item = &RecoveryRecord> {
        let (id, commit) = (entry.id.clone(), entry.commit);
        let records = self.records.get(&entry.reverts).into_iter().flatten();
        records.filter_map(Record::as_recovery).filter(move |one| one.id == id && one.revert == commit)
    }

    /// Whether a revert did not help, as far as is known.
    pub(in crate::agent) fn is_in_vain(&self, entry: &RevertEntry) -> bool {
        self.recovery_of(entry) == Some(Recovery::NotRecovered)
    }

    /// What became of a revert, as far as that is known: by the metrics where they were asked again, else by the notes.
    fn recovery_of(&self, entry: &RevertEntry) -> Option<Recovery> {
        match &self.asked {
            Some(asked) => asked.outcomes.get(&(entry.commit, entry.service.clone())).copied(),
            None if self.recoveries_of(entry).any(|one| one.outcome == Recovery::NotRecovered) => {
                Some(Recovery::NotRecovered)
            }
            None => self.recoveries_of(entry).next().map(|one| one.outcome),
        }
    }

    /// The deployments that were reverted, by the agent or because a person asked for it when they were bad, and whose signals may
    /// still be bad: nothing is known yet about what became of them, or the revert did not help and nobody has answered. What is
    /// not written down after twice `recovery` never is.
    pub(in crate::agent) fn recovering(&self, pass: &Pass<'_>) -> Vec<&Deployment> {
        let is_of = |entry: &RevertEntry, one: &Deployment| {
            one.commit == entry.reverts && one.service == entry.service
        };
        let is_waiting = |entry: &RevertEntry, one: &Deployment| {
            let secs = pass.rule(one).map_or(0, |rule| 2 * i64::from(rule.policy.recovery_secs));
            pass.now.secs_since(entry.at) <= secs
        };
        let is_of_bad =
            |entry: &&RevertEntry| if entry.requested { self.was_bad(entry) } else { entry.is_of_bad() };
        let in_vain = self.in_vain(pass);
        let may_be_red = |entry: &&RevertEntry| {
            self.recovery_of(entry).is_none()
                || in_vain.iter().any(|one| (one.commit, &one.service) == (entry.commit, &entry.service))
        };
        let own = self.reverts.iter().filter(may_be_red).filter(is_of_bad);
        let reverted = own
            .filter_map(|entry| self.detected.iter().find(|one| is_of(entry, one) && is_waiting(entry, one)));
        reverted.collect()
    }

    /// Whether the deployment that a person had reverted was bad, as far as is known: by the metrics where they were asked again,
    /// else by the notes.
    fn was_bad(&self, entry: &RevertEntry) -> bool {
        if let Some(asked) = &self.asked {
            return asked.bad_requests.contains(&entry.commit);
        }
        let records = self.records.get(&entry.reverts).into_iter().flatten();
        let mut verdicts = records.filter_map(Record::as_verdict).filter(|verdict| verdict.id == entry.id);
        verdicts.any(|verdict| verdict.judgement.verdict == Verdict::Regressed)
    }

    /// The agent's own reverts that did not help, and that nothing has followed since: no other revert of the service, and no
    /// deployment of it by a person.
    pub(in crate::agent) fn in_vain(&self, pass: &Pass<'_>) -> Vec<RevertEntry> {
        let is_answer = |entry: &RevertEntry, one: &Deployment| {
            let automation = pass.rule(one).map_or(&[][..], |rule| &rule.policy.automation);
            one.service == entry.service
                && one.at > entry.at
                && one.kind != ChangeKind::OwnRevert
                && !is_automation(&one.author, automation)
        };
        let is_open = |entry: &&RevertEntry| {
            !self.detected.iter().any(|one| is_answer(entry, one))
                && !self.reverts.iter().any(|one| one.service == entry.service && one.at > entry.at)
        };
        let own = self.reverts.iter().filter(|entry| !entry.requested);
        own.filter(|entry| self.is_in_vain(entry)).filter(is_open).cloned().collect()
    }

    /// The reverts that wait in pull requests which merge themselves, as far as the notes tell.
    /// They count as of now: all of them may be merged at once. Where others may have written the notes, only those count whose
    /// branches are there, so that notes alone do not use up the budget.
    pub(in crate::agent) fn under_way(&self, pass: &Pass<'_>) -> Vec<RevertEntry> {
        let of_proposals = &self.proposals.records;
        let others = self.records.iter().filter(|(commit, _)| !of_proposals.contains_key(*commit));
        let notes = of_proposals.iter().chain(others).map(|(_, notes)| notes);
        let told = notes.flat_map(|notes| notes.iter().filter_map(|one| under_way(one, notes, pass)));
        let counts = |entry: &RevertEntry| {
            pass.world.records_proven || self.proposals.is_waiting(pass, entry.reverts, &entry.service)
        };
        told.filter(counts).collect()
    }
}

/// The revert that a verdict led to, where it waits in a pull request that merges itself.
fn under_way(record: &Record, notes: &[Record], pass: &Pass<'_>) -> Option<RevertEntry> {
    let verdict = record.as_verdict().filter(|verdict| {
        verdict.environment == pass.environment.name && verdict.decision == Decision::Revert
    })?;
    let is_end = |record: &Record| {
        record.id() == Some(&verdict.id)
            && matches!(record, Record::Review(review) if review.outcome.is_final())
    };
    if notes.iter().any(is_end) {
        return None;
    }
    let proposal = verdict.proposal.as_ref().filter(|proposal| proposal.review.is_some())?;
    Some(RevertEntry {
        id: verdict.id.clone(),
        commit: proposal.commit,
        at: pass.now,
        environment: verdict.environment.clone(),
        service: verdict.service.clone(),
        reverts: verdict.deployment,
        with: Vec::new(),
        bad_values: BTreeSet::new(),
        requested: false,
        together_with: None,
        then: Vec::new(),
    })
}

/// The deployments and the reverts that the branch held before its history was rewritten, as far as they are about reverts.
async fn dropped(
    pass: &Pass<'_>,
    snapshot: &Snapshot,
    on_branch: &[RevertEntry],
) -> Result<(Vec<Deployment>, Vec<RevertEntry>), RepositoryError> {
    let off_branch = || snapshot.dropped.iter().filter(|one| one.renamed.is_none());
    let commits: Vec<Commit> = off_branch().map(|one| one.commit.clone()).collect();
    let Some(head) = commits.first().map(|newest| newest.id) else { return Ok(Default::default()) };
    let (branch, diffs_since) = (snapshot.branch.clone(), Time::from_unix(0));
    let former = snapshot.former.clone();
    let before = Arc::new(Snapshot { branch, head, commits, diffs_since, dropped: Vec::new(), former });
    let (mut lost, mut reverts) = pass.detect(&before).await?;
    // The same revert may be there by another commit, such as without the merge that brought it.
    reverts.retain(|entry| on_branch.iter().all(|own| own.id != entry.id));
    lost.retain(|one| {
        reverts.iter().any(|entry| entry.reverts == one.commit && entry.service == one.service)
    });
    Ok((lost, reverts))
}

fn told<'a>(notes: impl Iterator<Item = &'a Vec<Record>>, pass: &Pass<'_>) -> Vec<Sighting> {
    let seen = notes.flatten().filter_map(Record::as_seen).cloned();
    looks_of(seen, &pass.environment.branch, pass.now)
}

fn watched(detected: &[Deployment], pass: &Pass<'_>) -> Vec<Deployment> {
    let commits = detected.chunk_by(|a, b| a.commit == b.commit).rev();
    commits.flatten().filter(|one| is_watched(pass, one)).cloned().collect()
}

/// Whether a deployment is watched, or was until so recently that its verdict may still be due.
pub(super) fn is_watched(pass: &Pass<'_>, deployment: &Deployment) -> bool {
    pass.rule(deployment)
        .is_some_and(|rule| pass.now.secs_since(deployment.at) <= 2 * i64::from(rule.policy.watch_secs))
}

fn names_of(deployment: &Deployment, snapshot: &Snapshot, pass: &Pass<'_>) -> BTreeSet<String> {
    let names = std::iter::once(deployment.service.to_string()).chain(deployment.labels.values().cloned());
    let mut names: BTreeSet<String> = names.collect();
    if deployment.beyond.is_some() {
        // Any service of which it changed a file may be deployed.
        let commit = snapshot.commits.iter().find(|commit| commit.id == deployment.commit);
        let files = commit.into_iter().flat_map(|commit| &commit.files);
        for service in files.filter_map(|file| pass.environment.service_of(file.path.as_str())) {
            names.insert(service.name.to_string());
            names.extend(service.labels.into_values());
        }
    }
    names
}
