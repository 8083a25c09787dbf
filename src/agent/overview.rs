//! What is known of an environment: how its services stand, and what was decided about their deployments.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::look::branches::Branches;
use super::look::context::{Intent, Pass};
use super::look::records::read_records;
use super::look::state::State;
use super::report::LeftAlone;
use super::status::{EnvironmentStatus, Notes, status_of};
use super::world::{Estate, Stop, World};
use crate::domain::environment::Environment;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::CommitId;
use crate::domain::text::one_line;
use crate::domain::time::Time;
use crate::ports::RepositoryError;
use crate::record::{Record, VerdictRecord};

/// The notes on how many of the newest deployments are read, besides those on the newest of each service.
const MAX_DEPLOYMENTS: usize = 300;
/// The most verdicts that are kept besides the newest on each service. With its evidence each takes some 20 KB, and one on a healthy
/// deployment some 2 KB.
const MAX_TOLD: usize = 400;
/// The most services of which the newest verdict is kept.
const MAX_SERVICES: usize = 5_000;
/// The most characters of a subject.
const MAX_SUBJECT: usize = 120;

/// What is known of an environment.
#[derive(Clone, Debug)]
pub struct Overview {
    /// How its services stand.
    pub status: EnvironmentStatus,
    /// The newest verdicts in the notes, newest first.
    pub told: Vec<ToldVerdict>,
}

/// A verdict in the notes, with what became of it.
#[derive(Clone, Debug)]
pub struct ToldVerdict {
    /// The verdict, with its evidence.
    pub verdict: VerdictRecord,
    /// The subject of the deployment's commit; untrusted text. Empty where the commit is older than what was read.
    pub subject: String,
    /// The commit on the branch that reverted the deployment, and when it came there.
    pub reverted: Option<(CommitId, Time)>,
    /// What was written down afterwards, each with its time: what became of its pull request, its revert and its pins.
    pub since: Vec<(Time, String)>,
}

impl Overview {
    /// The deployments that run, that were judged, and that were neither found good nor reverted, newest first.
    #[must_use]
    pub fn left(&self) -> Vec<LeftAlone> {
        let running = self.status.services.iter().filter_map(|one| Some((&one.service, one.commit?)));
        let running: BTreeSet<_> = running.collect();
        let mut seen = BTreeSet::new();
        let newest =
            self.told.iter().filter(|told| seen.insert((&told.verdict.service, told.verdict.deployment)));
        let left = newest.filter(|told| {
            running.contains(&(&told.verdict.service, told.verdict.deployment)) && told.reverted.is_none()
        });
        left.filter_map(|told| LeftAlone::of(&told.verdict, &told.subject, told.verdict.evidence.deployed_at))
            .collect()
    }
}

/// Reads what is known of an environment, as of the last fetch.
///
/// # Errors
/// When the branch or the notes cannot be read.
pub async fn overview(
    world: &World,
    estate: &Estate,
    environment: &Arc<Environment>,
) -> Result<Overview, RepositoryError> {
    let now = world.clock.now();
    let branches = Branches::new(estate, std::slice::from_ref(environment), now, Default::default());
    let stop = Stop::default();
    let pass =
        Pass { world, estate, environment, branches: &branches, now, intent: Intent::Plan, stop: &stop };
    let state = State::read(&pass).await?;
    let (status, mut notes) = status_of(&pass, &state).await?;
    let deployed = state.detected.iter().take(MAX_DEPLOYMENTS).map(|one| one.commit);
    let commits: BTreeSet<CommitId> = deployed.filter(|commit| !notes.contains_key(commit)).collect();
    notes.extend(read_records(&pass, commits.into_iter().collect()).await?);
    Ok(Overview { told: told(&state, &notes, environment), status })
}

/// The verdicts in some notes, newest first.
fn told(state: &State, notes: &Notes, environment: &Environment) -> Vec<ToldVerdict> {
    let subject = |id: CommitId| {
        let commit = state.snapshot.commits.iter().find(|commit| commit.id == id);
        commit.map_or_else(String::new, |commit| one_line(commit.subject(), MAX_SUBJECT))
    };
    let of_environment =
        |record: &&Record| record.as_verdict().is_some_and(|one| one.environment == environment.name);
    let verdicts = notes.values().flatten().filter(of_environment).filter_map(Record::as_verdict);
    let mut verdicts: Vec<&VerdictRecord> = verdicts.collect();
    verdicts.sort_by_key(|verdict| Reverse(verdict.at));
    let (mut services, mut others) = (BTreeSet::new(), 0_usize);
    verdicts.retain(|verdict| {
        let is_newest = services.len() < MAX_SERVICES && services.insert(&verdict.service);
        others += usize::from(!is_newest);
        is_newest || others <= MAX_TOLD
    });
    let told = verdicts.into_iter().map(|verdict| {
        let is_own = |entry: &&RevertEntry| entry.id == verdict.id;
        let on_branch = state.landed.iter().find(is_own).map(|entry| (entry.commit, entry.at));
        ToldVerdict {
            subject: subject(verdict.deployment),
            // A later verdict on the same deployment tells of its own revert.
            reverted: on_branch.filter(|(commit, _)| verdict.revert.is_none_or(|named| named == *commit)),
            since: notes.get(&verdict.deployment).map(|all| since(all, verdict)).unwrap_or_default(),
            verdict: verdict.clone(),
        }
    });
    told.collect()
}

/// What was written down about a deployment after a verdict.
fn since(records: &[Record], verdict: &VerdictRecord) -> Vec<(Time, String)> {
    let is_later = |id: &String, at: Time| *id == verdict.id && at >= verdict.at;
    let line = |record: &Record| match record {
        Record::Verdict(_) | Record::Seen(_) => None,
        Record::Review(one) => {
            is_later(&one.id, one.at).then(|| (one.at, format!("{}: {}", one.outcome.words(), one.reason)))
        }
        Record::Pin(one) => is_later(&one.id, one.at)
            .then(|| (one.at, format!("{}: {} ({})", one.outcome.words(), one.reason, one.pin))),
        Record::Recovery(one) => is_later(&one.id, one.at)
            .then(|| (one.at, format!("{}: {}", one.outcome.words(one.revert), one.reason))),
    };
    records.iter().filter_map(line).collect()
}
