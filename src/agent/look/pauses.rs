//! The pauses: those that the command has put into the list, and those in the file on an environment's branch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::found::find_services;
use crate::agent::world::{Estate, World, blocking};
use crate::domain::environment::Environment;
use crate::domain::environment::brakes::{Brakes, Pauses};
use crate::domain::environment::pause_file::{OTHER_FILE, PAUSE_FILE, PauseEntry, read_pause_file};
use crate::domain::ids::{BranchName, CommitId, EnvironmentName, FilePath, ServiceName};
use crate::domain::text::one_line;
use crate::domain::time::Time;
use crate::ports::{Repository, RepositoryError};
use crate::record::pause::PauseList;

/// What was found out about pauses, for all environments of a branch.
#[derive(Clone, Debug, Default)]
pub(in crate::agent) struct FoundPauses {
    listed: PauseList,
    entries: Vec<PauseEntry>,
    /// Who asked for those of the file, in words.
    by_file: String,
    /// What cannot be read and may be a pause, in words.
    unclear: Option<String>,
    /// What is wrong and pauses nothing.
    problems: Vec<String>,
}

impl FoundPauses {
    /// Reads the list, and the file at the head of a branch. Where a key proves records, a list that cannot be read is somebody else's, and
    /// pauses nothing.
    ///
    /// # Errors
    /// When the repository cannot be reached: then nobody knows what it holds.
    pub(super) fn read(
        repository: &dyn Repository,
        (branch, head): (&BranchName, CommitId),
        (proven, now): (bool, Time),
        environments: &[Arc<Environment>],
    ) -> Result<Self, RepositoryError> {
        let mut found = Self { by_file: format!("{PAUSE_FILE} on {branch}"), ..Self::default() };
        match repository.pauses() {
            Ok(text) => found.listed = PauseList::read(&text.unwrap_or_default()),
            Err(error @ RepositoryError::Unreachable { .. }) => return Err(error),
            Err(error) if proven => found.problems.push(error.to_string()),
            Err(error) => found.unclear = Some(error.to_string()),
        }
        if let Some(line) = found.listed.unknown.first() {
            let line = one_line(line, 60);
            found.unclear = Some(format!(
                "a line of the list of pauses is not understood ({line}): `git push origin :refs/backout/pauses` removes the list"
            ));
        }
        match read_file(repository, head, now)? {
            Ok(entries) => {
                found.problems.extend(pausing_nothing(
                    repository,
                    (branch, head),
                    (&entries, now),
                    environments,
                )?);
                found.entries = entries;
            }
            Err(why) => found.unclear = Some(format!("{why} (on {branch})")),
        }
        Ok(found)
    }

    /// What is about an environment.
    fn of(&self, environment: &EnvironmentName) -> Pauses {
        let listed = self.listed.pauses.iter().filter(|pause| pause.environment == *environment).cloned();
        let entries =
            self.entries.iter().filter_map(|entry| entry.in_environment(environment, &self.by_file));
        Pauses { all: listed.chain(entries).collect(), unclear: self.unclear.clone() }
    }

    /// What holds in an environment now.
    pub(super) fn brakes(&self, environment: &Environment, now: Time) -> Brakes {
        Brakes::of(&environment.name, &environment.freezes, &self.of(&environment.name), now)
    }

    /// What held at an earlier time, as far as the pauses that are there now tell.
    pub(super) fn brakes_at(&self, environment: &Environment, then: Time) -> Brakes {
        let mut pauses = Pauses { unclear: None, ..self.of(&environment.name) };
        pauses.all.retain(|pause| pause.at.is_none_or(|at| at <= then));
        Brakes::of(&environment.name, &environment.freezes, &pauses, then)
    }

    /// What a person should mend, in words.
    pub(in crate::agent) fn problems(&self) -> impl Iterator<Item = &String> {
        self.unclear.iter().chain(&self.problems)
    }

    /// What a person should know, and is no error.
    pub(in crate::agent) fn fact(&self) -> Option<String> {
        let count = Some(self.listed.unproven).filter(|count| *count > 0)?;
        Some(format!(
            "{count} lines of the list of pauses are proven by no key in `record`, and pause nothing"
        ))
    }
}

/// The entries of the file; what is wrong with it, in words.
fn read_file(
    repository: &dyn Repository,
    head: CommitId,
    now: Time,
) -> Result<Result<Vec<PauseEntry>, String>, RepositoryError> {
    let path_of = |name| FilePath::new(name).map_err(|error| RepositoryError::Broken(error.to_string()));
    let (path, other) = (path_of(PAUSE_FILE)?, path_of(OTHER_FILE)?);
    match repository.read_file(head, &path) {
        Ok(Some(bytes)) => Ok(read_pause_file(&bytes, now)),
        // Who wrote it believes that the agent holds still.
        Ok(None) if repository.read_file(head, &other)?.is_some() => {
            Ok(Err(format!("{OTHER_FILE} is no name that the agent reads: rename it to {PAUSE_FILE}")))
        }
        Ok(None) if repository.has_room(head, &path)? => Ok(Ok(Vec::new())),
        Ok(None) => Ok(Err(format!(
            "{PAUSE_FILE} cannot be read: it is a link, a directory or a submodule, or .backout is no directory; make it a plain file, or remove it"
        ))),
        Err(error @ RepositoryError::Unreachable { .. }) => Err(error),
        Err(error) => Ok(Err(format!("{PAUSE_FILE} cannot be read: {error}"))),
    }
}

/// The entries of the file that name an environment or a service that is not there, in words. Who wrote them believes that the agent holds still.
fn pausing_nothing(
    repository: &dyn Repository,
    (branch, head): (&BranchName, CommitId),
    (entries, now): (&[PauseEntry], Time),
    environments: &[Arc<Environment>],
) -> Result<Vec<String>, RepositoryError> {
    let on_branch: Vec<&Environment> =
        environments.iter().map(|one| &**one).filter(|one| one.branch == *branch).collect();
    let names: Vec<&str> = on_branch.iter().map(|one| one.name.as_str()).collect();
    let open: Vec<&PauseEntry> = entries.iter().filter(|entry| !entry.is_over(now)).collect();
    let services: BTreeSet<ServiceName> = open.iter().filter_map(|entry| entry.service().cloned()).collect();
    let mut found: BTreeMap<&EnvironmentName, BTreeSet<ServiceName>> = BTreeMap::new();
    for environment in on_branch.iter().filter(|_| !services.is_empty()) {
        let there = find_services(repository, environment, head, Some(&services))?;
        found.insert(&environment.name, there.into_iter().map(|one| one.name).collect());
    }
    let mut told = BTreeSet::new();
    for entry in open {
        match (entry.environment(), entry.service()) {
            (Some(named), _) if !names.contains(&named.as_str()) => {
                told.insert(format!(
                    "{PAUSE_FILE} on {branch} names the environment {named}, which is not on this branch: the entry pauses nothing here; there are {}",
                    names.join(", ")
                ));
            }
            (named, Some(service)) => {
                let mut of_entry = found.iter().filter(|(name, _)| named.is_none_or(|named| named == **name));
                if !of_entry.any(|(_, there)| there.contains(service)) {
                    let place =
                        named.map_or_else(|| format!("an environment on {branch}"), ToString::to_string);
                    told.insert(format!(
                        "{PAUSE_FILE} on {branch} names the service {service}, which is not there in {place} now: the entry pauses nothing"
                    ));
                }
            }
            (_, None) => {}
        }
    }
    Ok(told.into_iter().collect())
}

/// What holds in one environment, for people.
#[derive(Clone, Debug)]
pub struct EnvironmentBrakes {
    /// The environment.
    pub environment: EnvironmentName,
    /// What holds.
    pub brakes: Brakes,
    /// What a person should mend, in words.
    pub problems: Vec<String>,
}

/// What holds in each environment of an estate now, in the order of the configuration. `tips` is where its branches were when they were
/// fetched ([`crate::agent::Fetched`]); an environment whose branch is not there is left out.
///
/// # Errors
/// When the work on the repository breaks off.
pub async fn brakes(
    world: &World,
    estate: &Estate,
    tips: &BTreeMap<BranchName, CommitId>,
) -> Result<Vec<EnvironmentBrakes>, RepositoryError> {
    let (proven, now, tips) = (world.records_proven, world.clock.now(), tips.clone());
    let environments: Vec<Arc<Environment>> = estate.environments.clone();
    let reading = blocking(&estate.repository, move |repository| {
        let mut of_branch: BTreeMap<&BranchName, FoundPauses> = BTreeMap::new();
        for (branch, head) in &tips {
            let found = FoundPauses::read(repository, (branch, *head), (proven, now), &environments)?;
            of_branch.insert(branch, found);
        }
        let of = |environment: &Arc<Environment>| {
            let found = of_branch.get(&environment.branch)?;
            Some(EnvironmentBrakes {
                environment: environment.name.clone(),
                brakes: found.brakes(environment, now),
                problems: found.problems().cloned().collect(),
            })
        };
        Ok::<_, RepositoryError>(environments.iter().filter_map(of).collect())
    });
    reading.await
}
