//! What the daemon has seen so far: what its server shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::metrics::{Asked, Metrics};
use super::names::Names;
use crate::agent::{EnvironmentReport, Event, EventKind, LeftAlone, PassReport, Share, events};
use crate::domain::environment::Environment;
use crate::domain::ids::{CommitId, EnvironmentName, RepositoryName, ServiceName, SourceName};
use crate::domain::lease::LeaseState;
use crate::domain::text::one_line;
use crate::domain::time::{Time, human_secs};
use crate::page::{self, Site};
use crate::ports::{Clock, RepositoryError, SourceError};

/// How many intervals may pass without a good pass before the daemon is not ready.
const MISSED: i64 = 3;

/// How long that is at least, in seconds: a slow server is no outage.
const PATIENCE_SECS: i64 = 300;

/// How long it is told that a deployment was left as it is, in seconds: two weeks.
const LEFT_SECS: i64 = 14 * 86_400;

/// The most characters of an error that are shown.
const MAX_ERROR: usize = 300;

/// What the daemon has seen.
pub struct Board {
    clock: Arc<dyn Clock>,
    pub(super) metrics: Metrics,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// After how many seconds without a good pass the daemon is not ready.
    limit_secs: i64,
    /// Why the configuration was not read again after it had changed, if it was not.
    broken: Option<String>,
    /// Which environments are this process's.
    share: Share,
    estates: BTreeMap<RepositoryName, SeenEstate>,
    sources: BTreeMap<SourceName, SeenSource>,
}

/// What is known of a repository.
#[derive(Default)]
struct SeenEstate {
    environments: Vec<EnvironmentName>,
    /// When the last pass ended that fetched it.
    fetched: Option<Time>,
    /// What went wrong in the last pass, if anything did.
    error: Option<String>,
    /// The deployments that are watched.
    watched: BTreeSet<(EnvironmentName, ServiceName, CommitId)>,
    /// What the newest pass over each environment has found that examined it, and when that pass began.
    reports: BTreeMap<EnvironmentName, (Time, EnvironmentReport)>,
    /// The deployments that were left as they are, and run as far as is known.
    left: BTreeMap<EnvironmentName, Vec<LeftAlone>>,
    /// Why the newest pass did not examine an environment.
    unseen: BTreeMap<EnvironmentName, String>,
}

/// What is known of a metric source.
#[derive(Default)]
struct SeenSource {
    answered: Option<Time>,
    /// What its last answer was, where it was an error, and when.
    error: Option<(Time, String)>,
}

impl SeenEstate {
    /// Takes note of a pass that could not begin.
    fn failed(&mut self, error: &str) {
        self.error = Some(error.to_owned());
        for name in self.reports.keys() {
            self.unseen.insert(name.clone(), error.to_owned());
        }
    }

    /// Keeps what a pass has found, for people.
    fn keep(&mut self, report: &PassReport) {
        for of in &report.environments {
            let name = of.environment.clone();
            if of.is_examined() {
                self.unseen.remove(&name);
                let left = self.left.remove(&name).unwrap_or_default();
                self.left.insert(name.clone(), still_left(left, of, report.at));
                self.reports.insert(name, (report.at, of.clone()));
            } else if let Some(problem) = of.problems.first() {
                self.unseen.insert(name, one_line(problem, MAX_ERROR));
            }
        }
    }
}

/// The deployments that are left as they are, as of a pass: those that it found, and those of earlier passes which are watched no more and
/// which nothing is known to have replaced.
fn still_left(before: Vec<LeftAlone>, report: &EnvironmentReport, at: Time) -> Vec<LeftAlone> {
    let is_over = |one: &LeftAlone| {
        let is_replaced = report.items.iter().any(|item| item.service == one.service)
            || report.left.iter().any(|other| other.service == one.service);
        let is_reverted =
            report.reverts.iter().any(|revert| revert.service == one.service && revert.at >= one.at);
        is_replaced || is_reverted || at.secs_since(one.at) > LEFT_SECS
    };
    let mut left: Vec<LeftAlone> = before.into_iter().filter(|one| !is_over(one)).collect();
    left.extend(report.left.iter().cloned());
    left
}

impl Board {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, metrics: Metrics::new(), seen: Mutex::default() }
    }

    /// Takes note of a configuration that is used from now on: with these names, and passes so many seconds apart over what is in the
    /// share. What is known of those that were there before stays.
    pub fn configured(&self, (interval_secs, share): (u32, Share), names: Names) {
        let mut seen = self.seen();
        let mut known = std::mem::take(&mut *seen);
        seen.share = share;
        let estate = |(name, environments)| {
            let seen = known.estates.remove(&name).unwrap_or_default();
            (name, SeenEstate { environments, ..seen })
        };
        let repositories =
            names.repositories.iter().map(|(name, environments)| (name.clone(), environments.clone()));
        seen.estates = repositories.map(estate).collect();
        let source = |name| {
            (known.sources.remove(&name).map(|seen| (name.clone(), seen)))
                .unwrap_or_else(|| (name, SeenSource::default()))
        };
        seen.sources = names.sources.iter().cloned().map(source).collect();
        seen.limit_secs = (MISSED * i64::from(interval_secs)).max(PATIENCE_SECS);
        self.metrics.named(names);
        self.metrics.configured(true);
    }

    /// Takes note that the configuration has changed and cannot be used: the one before it stays in use.
    pub fn not_configured(&self, why: &str) {
        self.seen().broken = Some(one_line(why, MAX_ERROR));
        self.metrics.configured(false);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Whatever panicked, each of its values is whole.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a pass. Returns what is news in it.
    pub fn passed(
        &self,
        repository: &RepositoryName,
        passed: &Result<PassReport, RepositoryError>,
    ) -> Vec<Event> {
        let now = self.clock.now();
        let mut seen = self.seen();
        // A pass that was begun by an earlier configuration may end after it.
        let mut gone = SeenEstate::default();
        let estate = seen.estates.get_mut(repository).unwrap_or(&mut gone);
        let report = match passed {
            Ok(report) => report,
            Err(error) => {
                self.metrics.failed(repository);
                estate.failed(&one_line(&error.to_string(), MAX_ERROR));
                return Vec::new();
            }
        };
        self.metrics.passed(repository, report, now);
        estate.fetched = Some(now);
        let problem = report.environments.iter().find_map(|one| one.problems.first());
        estate.error = problem.map(|problem| one_line(problem, MAX_ERROR));
        estate.keep(report);
        let mut all: Vec<Event> = report.environments.iter().flat_map(events).collect();
        let key =
            |event: &Event| Some((event.environment.clone(), event.service.clone()?, event.deployment?));
        let is_found = |event: &&Event| event.kind == EventKind::Found;
        let mut watched: BTreeSet<_> = all.iter().filter(is_found).filter_map(key).collect();
        // What was not examined is as it was.
        let not_examined = |name: &EnvironmentName| {
            let of = report.environments.iter().find(|one| one.environment == *name);
            of.is_some_and(|one| !one.is_examined())
        };
        watched.extend(estate.watched.iter().filter(|one| not_examined(&one.0)).cloned());
        let before = std::mem::replace(&mut estate.watched, watched);
        all.retain(|event| {
            event.kind != EventKind::Found || key(event).is_none_or(|key| !before.contains(&key))
        });
        all
    }

    /// Takes note of an answer of a metric source.
    pub(super) fn asked(&self, source: &SourceName, error: Option<&SourceError>) {
        let now = self.clock.now();
        let mut seen = self.seen();
        let mut gone = SeenSource::default();
        let known = seen.sources.get_mut(source).unwrap_or(&mut gone);
        known.error = error.map(|error| (now, one_line(&error.to_string(), MAX_ERROR)));
        let asked = match error {
            None => {
                known.answered = Some(now);
                Asked::Answered
            }
            Some(SourceError::Unavailable(_)) => Asked::Unavailable,
            Some(SourceError::Rejected(_)) => Asked::Refused,
        };
        drop(seen);
        self.metrics.asked(source, asked);
    }

    /// The metrics as of now. What the last pass over an environment found that another agent has taken over is not said any more.
    pub(super) fn metrics_text(&self) -> Result<String, fmt::Error> {
        let seen = self.seen();
        self.metrics.leases(&seen.share.states());
        for (name, estate) in &seen.estates {
            let others = estate.environments.iter().filter(|environment| !seen.share.has(name, environment));
            others.for_each(|environment| self.metrics.forget(environment));
        }
        drop(seen);
        self.metrics.text()
    }

    /// Whether a deployment is watched in a repository.
    pub(super) fn is_watching(&self, repository: &RepositoryName) -> bool {
        self.seen().estates.get(repository).is_some_and(|estate| !estate.watched.is_empty())
    }

    /// When the newest pass began that examined an environment; none where none has.
    pub(super) fn examined(
        &self,
        repository: &RepositoryName,
        environment: &EnvironmentName,
    ) -> Option<Time> {
        Some(self.seen().estates.get(repository)?.reports.get(environment)?.0)
    }

    /// What there is to show of these environments, each with the name of its repository.
    pub(super) fn site<'a>(
        &self,
        environments: impl IntoIterator<Item = (&'a RepositoryName, &'a Environment)>,
    ) -> Site {
        let seen = self.seen();
        // What is wrong may stand beside a secret in the wrong place.
        let broken = seen.broken.iter().map(|_| {
            "the configuration has changed, and cannot be used, see the log; the one before it is in use"
                .to_owned()
        });
        let silent = seen.sources.iter().filter_map(|(name, source)| {
            let (at, error) = source.error.as_ref()?;
            Some(format!("metric source {name}, when it was asked last ({at}): {error}"))
        });
        let shown = |(repository, environment): (&'a RepositoryName, &'a Environment)| {
            let (nothing, name) = (page::Seen::new(repository, environment), &environment.name);
            let is_own = seen.share.has(repository, name);
            let Some(estate) = seen.estates.get(repository).filter(|_| is_own) else {
                return page::Seen { is_own, ..nothing };
            };
            let error = || estate.error.clone().filter(|_| estate.reports.is_empty());
            page::Seen {
                report: estate.reports.get(name).cloned(),
                problem: estate.unseen.get(name).cloned().or_else(error),
                left: estate.left.get(name).cloned().unwrap_or_default(),
                ..nothing
            }
        };
        Site {
            at: self.clock.now(),
            is_served: true,
            notices: broken.chain(silent).collect(),
            environments: environments.into_iter().map(shown).collect(),
        }
    }

    /// Whether the daemon does its work, with one line for each repository and metric source that says when it last did. It does as long
    /// as one repository was fetched lately: a dead one must not take the webhooks of the others away. Errors are not told: they may
    /// name hosts and users, and anybody may ask.
    pub(super) fn readiness(&self) -> (bool, String) {
        let now = self.clock.now();
        let seen = self.seen();
        let is_late = |at: Option<Time>| at.is_none_or(|at| now.secs_since(at) > seen.limit_secs);
        let own: BTreeMap<_, _> = seen.estates.iter().filter(|one| seen.is_own(*one)).collect();
        let stands_by = own.is_empty() && !seen.estates.is_empty();
        let is_ready = stands_by || own.values().any(|estate| !is_late(estate.fetched));
        let mut text = match (is_ready, stands_by) {
            (_, true) => "standby: another agent watches what this one would\n",
            (true, false) => "ready\n",
            (false, false) => "not ready\n",
        }
        .to_owned();
        let ago = |at: Option<Time>| {
            at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", human_secs(now.secs_since(at))))
        };
        if seen.broken.is_some() {
            line(
                &mut text,
                format_args!(
                    "configuration: changed, and cannot be used, see the log; the one before it is in use"
                ),
            );
        }
        for (shard, state) in seen.share.states().into_iter().enumerate() {
            let words = match state {
                LeaseState::Held => "held",
                LeaseState::Unanswered => {
                    "watched without it: the API server does not say who holds it, see the log"
                }
                LeaseState::StandsBy => "another agent's",
            };
            line(&mut text, format_args!("lease {shard}: {words}"));
        }
        for (name, estate) in own {
            let problem = problem(estate.error.as_ref());
            line(&mut text, format_args!("repository {name}: fetched {}{problem}", ago(estate.fetched)));
        }
        for (name, source) in &seen.sources {
            let problem = problem(source.error.as_ref().map(|(_, error)| error));
            line(&mut text, format_args!("metric source {name}: answered {}{problem}", ago(source.answered)));
        }
        (is_ready, text)
    }
}

impl Seen {
    /// Whether an environment of a repository is this process's.
    fn is_own(&self, (name, estate): (&RepositoryName, &SeenEstate)) -> bool {
        estate.environments.iter().any(|environment| self.share.has(name, environment))
    }
}

fn problem(error: Option<&String>) -> &'static str {
    if error.is_some() { "; the last try had a problem, see the log" } else { "" }
}

fn line(text: &mut String, line: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _line = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::Decision;
    use crate::domain::history::ledger::RevertEntry;

    const DAY: i64 = 86_400;

    fn at(secs: i64) -> Time {
        Time::from_unix(1_795_000_000 + secs)
    }

    fn service(name: &str) -> ServiceName {
        ServiceName::new(name).unwrap()
    }

    fn left(name: &str, deployment: u8) -> LeftAlone {
        LeftAlone {
            service: service(name),
            deployment: CommitId::from_bytes([deployment; 20]),
            subject: String::new(),
            deployed_at: at(0),
            at: at(60),
            verdict: "regressed",
            decision: Decision::Propose,
            why: String::new(),
            guard: None,
        }
    }

    fn revert(name: &str, secs: i64) -> RevertEntry {
        RevertEntry {
            id: String::new(),
            commit: CommitId::from_bytes([9; 20]),
            at: at(secs),
            environment: EnvironmentName::new("production").unwrap(),
            service: service(name),
            reverts: CommitId::from_bytes([1; 20]),
            with: Vec::new(),
            bad_values: BTreeSet::new(),
            requested: false,
            together_with: None,
            then: Vec::new(),
        }
    }

    #[test]
    fn what_was_left_is_told_until_something_replaces_it() {
        let nothing = EnvironmentReport::new(EnvironmentName::new("production").unwrap());
        let told = |report: &EnvironmentReport, secs| {
            let names = still_left(vec![left("web", 1), left("api", 2)], report, at(secs));
            names
                .iter()
                .map(|one| format!("{} {}", one.service, one.deployment.as_bytes()[0]))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&nothing, DAY), ["web 1", "api 2"], "also when it is watched no more");
        assert!(told(&nothing, 15 * DAY).is_empty());
        let reverted = EnvironmentReport { reverts: vec![revert("web", 120)], ..nothing.clone() };
        assert_eq!(told(&reverted, DAY), ["api 2"]);
        let before = EnvironmentReport { reverts: vec![revert("web", -DAY)], ..nothing.clone() };
        assert_eq!(told(&before, DAY), ["web 1", "api 2"]);
        let replaced = EnvironmentReport { left: vec![left("api", 3), left("cart", 4)], ..nothing };
        assert_eq!(told(&replaced, DAY), ["web 1", "api 3", "cart 4"]);
    }
}
