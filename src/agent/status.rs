//! How the services of an environment stand, read from the branch and the notes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::Serialize;

use super::decide::used;
use super::judge::turns::waiting;
use super::look::branches::Branches;
use super::look::context::{Intent, Pass};
use super::look::found::find_services;
use super::look::gone::gone_reverts;
use super::look::lineage::pasts;
use super::look::pins::find_pins;
use super::look::records::read_records;
use super::look::state::State;
use super::look::waiting::all_waiting;
use super::report::WaitingProposal;
use super::world::{Estate, SEARCH_DAYS, Stop, World};
use crate::domain::deployment::trust::Trust;
use crate::domain::deployment::{ChangeKind, Deployment, Detector};
use crate::domain::environment::Environment;
use crate::domain::environment::policy::Mode;
use crate::domain::field::tokens::version_of;
use crate::domain::field::{Document, File, versions_of};
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::scope::Tracked;
use crate::domain::history::snapshot::Content;
use crate::domain::ids::{CommitId, EnvironmentName, FilePath, ServiceName};
use crate::domain::pin::open::{PinState, WrittenPin, standing};
use crate::domain::text::one_line;
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, Repository, RepositoryError};
use crate::record::Record;

/// The most files that are read to find what services run that have not changed lately.
const MAX_READ: usize = 5_000;
/// The most versions of a service that are shown.
const MAX_VERSIONS: usize = 5;

/// How the services of an environment stand.
#[derive(Clone, Debug, Serialize)]
pub struct EnvironmentStatus {
    /// The environment.
    pub environment: EnvironmentName,
    /// The branch's head.
    pub head: CommitId,
    /// What holds the agent back here, each in a sentence.
    pub brakes: Vec<String>,
    /// How much of the environment's budget is used.
    pub budget: BudgetStatus,
    /// What the services wait for that still have to go back, of groups of which the first services are back: each in a sentence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
    /// The reverts that wait on branches which the agent does not follow, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proposals: Vec<WaitingProposal>,
    /// Its services, by name.
    pub services: Vec<ServiceStatus>,
}

/// How much of the budget of an environment is used.
#[derive(Clone, Debug, Serialize)]
pub struct BudgetStatus {
    /// The reverts that the agent made by itself in the window.
    pub used: usize,
    /// How many it may make.
    pub max_reverts: u32,
    /// The window, in seconds.
    pub window_secs: u32,
}

/// How a service stands.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceStatus {
    /// The service.
    pub service: ServiceName,
    /// What its newest change brought; untrusted text. Where it has not changed as far back as is looked, what its files hold. Empty where none
    /// is known.
    pub versions: Vec<String>,
    /// Since when, and by which commit. None where it has not changed as far back as is looked.
    pub since: Option<Time>,
    /// See `since`.
    pub commit: Option<CommitId>,
    /// In a word: `reverted`, `watched`, a verdict, or `unknown`.
    pub state: &'static str,
    /// The values that must not come back by automation.
    pub quarantine: Vec<Quarantined>,
    /// What keeps them out.
    pub pins: Vec<PinStatus>,
    /// What people did with the reverts of it; none where its mode is not `earn`.
    pub trust: Option<Trust>,
}

/// A value in quarantine.
#[derive(Clone, Debug, Serialize)]
pub struct Quarantined {
    /// The value; untrusted text.
    pub value: String,
    /// Until when.
    pub until: Time,
    /// The revert that backed it out.
    pub revert: CommitId,
}

/// A pin that is still there.
#[derive(Clone, Debug, Serialize)]
pub struct PinStatus {
    /// The pin, in words.
    pub pin: String,
    /// Until when it holds.
    pub until: Time,
    /// The revert that wrote it.
    pub revert: CommitId,
    /// Why: the subject of that revert; untrusted text.
    pub reason: String,
    /// Whether a person has changed it, so that the agent leaves it alone.
    pub is_changed: bool,
}

/// Reads how the services of an environment stand, as of the last fetch.
///
/// # Errors
/// When the branch or the notes cannot be read.
pub async fn status(
    world: &World,
    estate: &Estate,
    environment: &Arc<Environment>,
) -> Result<EnvironmentStatus, RepositoryError> {
    let now = world.clock.now();
    let branches = Branches::new(estate, std::slice::from_ref(environment), now, Default::default());
    let stop = Stop::default();
    let pass =
        Pass { world, estate, environment, branches: &branches, now, intent: Intent::Plan, stop: &stop };
    let state = State::read(&pass).await?;
    Ok(status_of(&pass, &state).await?.0)
}

/// The same of what was read, with the notes on the newest change of each service.
pub(super) async fn status_of(
    pass: &Pass<'_>,
    state: &State,
) -> Result<(EnvironmentStatus, Notes), RepositoryError> {
    let (newest, unchanged) = newest_changes(pass, state.snapshot.head).await?;
    let commits: BTreeSet<CommitId> = newest.values().flatten().map(|change| change.commit).collect();
    let records = read_records(pass, commits.into_iter().collect()).await?;
    let found = find_pins(pass, &state.snapshot, &state.landed, &state.detected).await?;
    let pins = standing(&found.written, &found.texts);
    let trusts = trusts(pass, &newest).await?;
    let subject = |id: CommitId| {
        let commit = state.snapshot.commits.iter().find(|commit| commit.id == id);
        commit.map_or_else(String::new, |commit| one_line(commit.subject(), 100))
    };
    let of_service = |(service, change): (&ServiceName, &Option<Deployment>)| {
        let own = |entry: &&RevertEntry| entry.service == *service;
        let of_pins = pins.iter().filter(|(one, _)| one.entry.service == *service);
        let pin = |(one, at): &(&WrittenPin, PinState)| PinStatus {
            pin: one.pin.to_string(),
            until: one.until,
            revert: one.entry.commit,
            reason: subject(one.entry.commit),
            is_changed: *at == PinState::Changed,
        };
        ServiceStatus {
            service: service.clone(),
            versions: change
                .as_ref()
                .map(versions)
                .or_else(|| unchanged.get(service).cloned())
                .unwrap_or_default(),
            since: change.as_ref().map(|change| change.at),
            commit: change.as_ref().map(|change| change.commit),
            state: change.as_ref().map_or("unknown", |change| word(pass, change, &records)),
            quarantine: quarantined(pass, state.landed.iter().filter(own), change.as_ref()),
            pins: of_pins.map(pin).collect(),
            trust: trusts.get(service).cloned(),
        }
    };
    let services = newest.iter().map(of_service).collect();
    let mut proposals = all_waiting(pass).await?;
    proposals
        .retain(|one| still_waits(one, newest.get(&one.service).and_then(Option::as_ref), &state.landed));
    let status = EnvironmentStatus {
        environment: pass.environment.name.clone(),
        head: state.snapshot.head,
        brakes: state.brakes.lines(&pass.environment.name),
        budget: budget(pass, state).await,
        waiting: waiting(pass, state),
        proposals,
        services,
    };
    Ok((status, records))
}

/// What is used of the environment's budget.
async fn budget(pass: &Pass<'_>, state: &State) -> BudgetStatus {
    let budget = pass.environment.budget;
    let (gone, _) = gone_reverts(pass, state).await;
    let used = used(pass, state, &gone);
    BudgetStatus { used, max_reverts: budget.max_reverts, window_secs: budget.window_secs }
}

/// What people did with the reverts of the services whose mode asks for that.
async fn trusts(pass: &Pass<'_>, newest: &Newest) -> Result<BTreeMap<ServiceName, Trust>, RepositoryError> {
    let earning = newest.values().flatten().filter(|change| pass.policy(change).mode == Mode::Earn);
    let earning: Vec<&Deployment> = earning.collect();
    let services = earning.iter().map(|change| change.service.clone()).collect();
    let pasts = pasts(pass, services, None).await?;
    let trust = |change: &&Deployment| {
        let past = pasts.get(&change.service)?;
        Some((change.service.clone(), past.trust(pass, &pass.policy(change), change)?))
    };
    Ok(earning.iter().filter_map(trust).collect())
}

/// Whether a revert on a branch still has something to take back: it has not landed, and what it takes back is the newest change of the
/// service, or a revert that landed before it was made.
fn still_waits(one: &WaitingProposal, newest: Option<&Deployment>, landed: &[RevertEntry]) -> bool {
    let is_newest = newest.is_none_or(|newest| {
        newest.commit == one.deployment || newest.kind == ChangeKind::OwnRevert && newest.at < one.since
    });
    is_newest && landed.iter().all(|entry| entry.id != one.id)
}

/// What the notes on some commits say.
pub(super) type Notes = BTreeMap<CommitId, Vec<Record>>;
/// The services of an environment, each with its newest change.
type Newest = BTreeMap<ServiceName, Option<Deployment>>;
/// What services run, in versions.
type Running = BTreeMap<ServiceName, Vec<String>>;

/// The services of the environment, each with the newest change of it, as far back as is looked; and of those without one what their files
/// hold now.
async fn newest_changes(pass: &Pass<'_>, head: CommitId) -> Result<(Newest, Running), RepositoryError> {
    let (environment, documents, now) = (Arc::clone(pass.environment), pass.documents(), pass.now);
    let reading = pass.git(move |repository| {
        let found = find_services(repository, &environment, head, None)?;
        let mut newest: Newest = found.iter().map(|one| (one.name.clone(), None)).collect();
        let scope = Tracked::new(&environment, None);
        let since = now.minus_secs(SEARCH_DAYS * 86_400);
        let query = HistoryQuery {
            branch: &environment.branch,
            diffs_since: since,
            diffs_until: now,
            commits_since: since,
            now,
            scope: &scope,
        };
        let mut detector = Detector::with(&environment, documents);
        let history = |next: &mut dyn FnMut(_) -> _| repository.walk(&query, next);
        detector.walk(history, |_, _, (changes, _)| {
            for change in changes {
                let known = newest.entry(change.service.clone()).or_default();
                known.get_or_insert(change);
            }
            let is_over = newest.values().all(Option::is_some);
            if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        let unchanged = found.iter().filter(|one| newest.get(&one.name).is_some_and(Option::is_none));
        let paths: BTreeSet<&str> = unchanged.map(|one| one.path.as_str()).collect();
        let running = running(repository, &environment, head, paths)?;
        Ok::<_, RepositoryError>((newest, running))
    });
    reading.await
}

/// The versions in these files, by the services that they are of.
fn running(
    repository: &dyn Repository,
    environment: &Environment,
    head: CommitId,
    paths: BTreeSet<&str>,
) -> Result<Running, RepositoryError> {
    let mut running = Running::new();
    for path in paths.into_iter().take(MAX_READ) {
        let (Some(rule), Ok(file)) = (environment.rule_of(path), FilePath::new(path)) else { continue };
        let content = repository.content(head, &file)?;
        let bytes = content.as_ref().and_then(Content::bytes).map(Arc::from);
        let Some(document) = bytes.and_then(Document::new) else { continue };
        let file = File { path, fields: &rule.rule.policy.fields };
        for (captured, value) in versions_of(&file, &document, rule.rule.each.as_ref()) {
            if let Some(service) = rule.service(&captured) {
                add_version(running.entry(service.name).or_default(), &value);
            }
        }
    }
    Ok(running)
}

/// The versions that a change brought, each once.
fn versions(change: &Deployment) -> Vec<String> {
    let mut versions: Vec<String> = Vec::new();
    for field in change.fields.iter().filter(|field| field.is_version()) {
        add_version(&mut versions, &field.new);
    }
    versions
}

fn add_version(versions: &mut Vec<String>, value: &str) {
    let version = one_line(version_of(value), 60);
    if !versions.contains(&version) && versions.len() < MAX_VERSIONS {
        versions.push(version);
    }
}

/// How a change stands, in a word.
fn word(pass: &Pass<'_>, change: &Deployment, records: &Notes) -> &'static str {
    if change.kind == ChangeKind::OwnRevert {
        return "reverted";
    }
    let mut own = records.get(&change.commit).into_iter().flatten().filter_map(Record::as_verdict);
    if let Some(verdict) = own.rfind(|verdict| verdict.id == change.id) {
        return verdict.judgement.verdict.word();
    }
    let watch_secs = i64::from(pass.policy(change).watch_secs);
    if pass.now.secs_since(change.at) < watch_secs { "watched" } else { "unknown" }
}

/// What is in quarantine, by these reverts of a service, newest first: each value once, until the last time that is known.
fn quarantined<'r>(
    pass: &Pass<'_>,
    reverts: impl Iterator<Item = &'r RevertEntry>,
    change: Option<&Deployment>,
) -> Vec<Quarantined> {
    let Some(change) = change else { return Vec::new() };
    let secs = i64::from(pass.policy(change).quarantine_secs);
    let mut found: Vec<Quarantined> = Vec::new();
    for entry in reverts {
        let until = entry.at.plus_secs(secs);
        for value in entry.bad_values.iter().filter(|_| until > pass.now) {
            if found.iter().all(|known| known.value != *value) {
                found.push(Quarantined { value: value.clone(), until, revert: entry.commit });
            }
        }
    }
    found
}
