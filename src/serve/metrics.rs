//! What the daemon counts, as Prometheus reads it.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{PoisonError, RwLock};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::names::{ANSWERS, DECISIONS, ENDS, HOOKS, Names, RECOVERIES, REVERTS, STEPS, VERDICTS};
use crate::agent::{EnvironmentReport, Item, PassReport, Took};
use crate::domain::change::receipt::Receipt;
use crate::domain::decision::Decision;
use crate::domain::ids::{EnvironmentName, RepositoryName, SourceName};
use crate::domain::judge::verdict::Verdict;
use crate::domain::lease::LeaseState;
use crate::domain::time::Time;
use crate::record::{Recovery, ReviewOutcome};

/// The labels of a series.
type Labels = Vec<(&'static str, String)>;
type Counters = Family<Labels, Counter>;
type Gauges = Family<Labels, Gauge>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// What holds the agent back.
const HOLDERS: [&str; 2] = ["pause", "freeze"];

/// The bounds of the buckets for stages of a pass, in seconds: from a quiet pass to the longest wait for a server.
const STAGE_SECS: [f64; 9] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

/// The bounds of the buckets for what users wait for, in seconds: from one sample to half a day.
const WAIT_SECS: [f64; 10] = [15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0, 43_200.0];

/// All series. Their labels are names in the configuration and words of the program: what comes from a repository or a server makes no
/// new series. Each counter is there at 0 before it counts anything: who asks how much one grew sees its first event too.
pub(super) struct Metrics {
    registry: Registry,
    /// The names of which something is counted. A pass that was begun by an earlier configuration may end after it.
    names: RwLock<Names>,
    passes: Counters,
    stages: Histograms,
    last_success: Family<Labels, Gauge<f64, AtomicU64>>,
    watched: Gauges,
    held: Gauges,
    budget_left: Gauges,
    verdicts: Counters,
    decisions: Counters,
    reverts: Counters,
    recoveries: Counters,
    problems: Counters,
    waits: Histograms,
    requests: Counters,
    hooks: Counters,
    configured: Gauge,
    leases: Gauges,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It was answered.
    Answered,
    /// The source did not answer.
    Unavailable,
    /// The source refused it.
    Refused,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("backout");
        let build = Gauges::default();
        build.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
        registry.register("build_info", "The version of the program", build);
        let mut own = Self {
            registry,
            names: RwLock::default(),
            passes: Family::default(),
            stages: Family::new_with_constructor(|| Histogram::new(STAGE_SECS)),
            last_success: Family::default(),
            watched: Family::default(),
            held: Family::default(),
            budget_left: Family::default(),
            verdicts: Family::default(),
            decisions: Family::default(),
            reverts: Family::default(),
            recoveries: Family::default(),
            problems: Family::default(),
            waits: Family::new_with_constructor(|| Histogram::new(WAIT_SECS)),
            requests: Family::default(),
            hooks: Family::default(),
            configured: Gauge::default(),
            leases: Family::default(),
        };
        own.register();
        for step in STEPS {
            drop(own.waits.get_or_create(&vec![("step", step.to_owned())]));
        }
        own
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("passes", "Passes over a repository, by how they ended", self.passes.clone());
        let stages = self.stages.clone();
        registry.register_with_unit("stage", "How long the stages of passes took", Unit::Seconds, stages);
        registry.register_with_unit(
            "last_success_timestamp",
            "When a repository was fetched and examined last without a problem, in seconds since 1970",
            Unit::Seconds,
            self.last_success.clone(),
        );
        registry.register(
            "watched_deployments",
            "Deployments that are watched, as of the last pass",
            self.watched.clone(),
        );
        registry.register(
            "held",
            "Whether a pause or a freeze window holds the agent back (1), as of the last pass",
            self.held.clone(),
        );
        registry.register(
            "budget_left",
            "How many reverts the budget still allows, as of the last pass",
            self.budget_left.clone(),
        );
        registry.register("verdicts", "Deployments judged for good, by verdict", self.verdicts.clone());
        registry.register("decisions", "Deployments decided about, by decision", self.decisions.clone());
        registry.register("reverts", "Reverts, by what became of them", self.reverts.clone());
        registry.register(
            "recoveries",
            "Reverts whose effect became clear, by what it was",
            self.recoveries.clone(),
        );
        registry.register("problems", "What went wrong in passes", self.problems.clone());
        registry.register_with_unit(
            "wait",
            "How long it took from one event of a bad deployment to the next",
            Unit::Seconds,
            self.waits.clone(),
        );
        registry.register(
            "source_requests",
            "Requests to metric sources, by what became of them",
            self.requests.clone(),
        );
        registry.register("hooks", "Webhooks, by what became of them", self.hooks.clone());
        registry.register(
            "config_good",
            "Whether the configuration as it is in its files is in use (1), or the one before it (0)",
            self.configured.clone(),
        );
        registry.register(
            "lease_held",
            "Whether this agent watches a shard (1), because it holds the lease or because nobody says who does",
            self.leases.clone(),
        );
    }

    /// All series in OpenMetrics' text format.
    ///
    /// # Errors
    /// When they cannot be written, which a `String` does not do.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Takes note that a configuration with these names is in use: begins their counters at 0, and ends the series of names that the one
    /// before had and it has not.
    pub(super) fn named(&self, names: Names) {
        for (counters, labels) in self.counters(&names) {
            drop(counters.get_or_create(&labels));
        }
        let mut own = self.names.write().unwrap_or_else(PoisonError::into_inner);
        let gone = own.without(&names);
        for (counters, labels) in self.counters(&gone) {
            counters.remove(&labels);
        }
        for repository in gone.repositories.keys() {
            self.last_success.remove(&of_repository(repository));
        }
        for environment in &gone.environments {
            self.watched.remove(&of_environment(environment));
            self.budget_left.remove(&of_environment(environment));
            for by in HOLDERS {
                self.held.remove(&labels(environment, "by", by));
            }
        }
        *own = names;
    }

    /// All counters of these names, each with its labels.
    fn counters(&self, names: &Names) -> Vec<(&Counters, Labels)> {
        let mut all = Vec::new();
        for repository in names.repositories.keys() {
            all.extend(ENDS.map(|end| (&self.passes, of_pass(repository, end))));
        }
        for environment in &names.environments {
            let own = |label, word| labels(environment, label, word);
            all.push((&self.problems, of_environment(environment)));
            all.extend(VERDICTS.map(|word| (&self.verdicts, own("verdict", word))));
            all.extend(DECISIONS.map(|word| (&self.decisions, own("decision", word))));
            all.extend(REVERTS.map(|word| (&self.reverts, own("outcome", word))));
            all.extend(RECOVERIES.map(|word| (&self.recoveries, own("outcome", word))));
        }
        for source in &names.sources {
            all.extend(ANSWERS.map(|word| (&self.requests, of_source(source, word))));
        }
        for hook in &names.hooks {
            all.extend(HOOKS.map(|word| (&self.hooks, of_hook(hook, word))));
        }
        all
    }

    /// Whether something of a name is counted.
    fn has(&self, is_in: impl FnOnce(&Names) -> bool) -> bool {
        is_in(&self.names.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a pass that could not begin.
    pub(super) fn failed(&self, repository: &RepositoryName) {
        if self.has(|names| names.repositories.contains_key(repository)) {
            self.passes.get_or_create(&of_pass(repository, "failed")).inc();
        }
    }

    /// Counts a pass that is through at `now`.
    pub(super) fn passed(&self, repository: &RepositoryName, report: &PassReport, now: Time) {
        let ended = if report.failed() { "problems" } else { "good" };
        if self.has(|names| names.repositories.contains_key(repository)) {
            self.passes.get_or_create(&of_pass(repository, ended)).inc();
            if !report.failed() {
                self.last_success.get_or_create(&of_repository(repository)).set(seconds(report.at.unix()));
            }
        }
        self.took(&report.took);
        let is_named = |name: &EnvironmentName| self.has(|names| names.environments.contains(name));
        for environment in report.environments.iter().filter(|one| is_named(&one.environment)) {
            self.took(&environment.took);
            self.environment(environment, report.at, now);
        }
    }

    fn took(&self, took: &Took) {
        for (stage, took) in took.stages() {
            let labels = vec![("stage", stage.word().to_owned())];
            self.stages.get_or_create(&labels).observe(took.as_secs_f64());
        }
    }

    fn environment(&self, report: &EnvironmentReport, at: Time, now: Time) {
        let name = &report.environment;
        let own = |label: &'static str, word: &str| labels(name, label, word);
        let problems = u64::try_from(report.problems.len()).unwrap_or(u64::MAX);
        self.problems.get_or_create(&of_environment(name)).inc_by(problems);
        // What was not examined is as it was.
        if report.head.is_some() {
            let watched = report.items.iter().filter(|item| item.decision == Decision::Wait).count();
            set(&self.watched, &of_environment(name), watched);
            let holds = [!report.brakes.pauses.is_empty(), report.brakes.frozen.is_some()];
            for (by, is_held) in HOLDERS.into_iter().zip(holds) {
                set(&self.held, &own("by", by), usize::from(is_held));
            }
        }
        if let Some(left) = report.budget_left {
            self.budget_left.get_or_create(&of_environment(name)).set(left.into());
        }
        for item in report.items.iter().filter(|item| item.decision != Decision::Wait) {
            self.decided(name, item, at, now);
        }
        for review in &report.reviews {
            if let Some(outcome) = review.outcome {
                self.reverts.get_or_create(&own("outcome", review_word(outcome))).inc();
                if outcome == ReviewOutcome::Merged {
                    self.wait("committed_to_merged", at.secs_since(review.decided_at));
                }
            }
        }
        for recovery in &report.recoveries {
            self.recoveries.get_or_create(&own("outcome", recovery_word(recovery.outcome))).inc();
            if recovery.outcome == Recovery::Recovered {
                self.wait("reverted_to_recovered", at.secs_since(recovery.reverted_at));
            }
        }
    }

    fn decided(&self, environment: &EnvironmentName, item: &Item, at: Time, now: Time) {
        let own = |label: &'static str, word: &str| labels(environment, label, word);
        self.verdicts.get_or_create(&own("verdict", item.judgement.verdict.word())).inc();
        self.decisions.get_or_create(&own("decision", item.decision.word())).inc();
        if item.judgement.verdict == Verdict::Regressed {
            self.wait("landed_to_detected", at.secs_since(item.deployed_at));
        }
        let Some(word) = item.receipt.as_ref().and_then(receipt_word) else { return };
        self.reverts.get_or_create(&own("outcome", word)).inc();
        if matches!(item.receipt, Some(Receipt::Pushed(_) | Receipt::Merged(_) | Receipt::Proposed { .. })) {
            self.wait("landed_to_committed", now.secs_since(item.deployed_at));
        }
    }

    fn wait(&self, step: &str, secs: i64) {
        let labels = vec![("step", step.to_owned())];
        self.waits.get_or_create(&labels).observe(seconds(secs.max(0)));
    }

    /// Counts a request to a metric source.
    pub(super) fn asked(&self, source: &SourceName, asked: Asked) {
        let result = match asked {
            Asked::Answered => "answered",
            Asked::Unavailable => "unavailable",
            Asked::Refused => "refused",
        };
        if self.has(|names| names.sources.contains(source)) {
            self.requests.get_or_create(&of_source(source, result)).inc();
        }
    }

    /// Says whether the configuration is in use as it is in its files.
    pub(super) fn configured(&self, is_good: bool) {
        self.configured.set(i64::from(is_good));
    }

    /// Says which shards this agent watches.
    pub(super) fn leases(&self, states: &[LeaseState]) {
        for (shard, state) in states.iter().enumerate() {
            for (by, is_so) in [("lease", LeaseState::Held), ("silence", LeaseState::Unanswered)] {
                let labels = vec![("shard", shard.to_string()), ("by", by.to_owned())];
                set(&self.leases, &labels, usize::from(*state == is_so));
            }
        }
    }

    /// Says no more how an environment was in the last pass: another agent watches it.
    pub(super) fn forget(&self, environment: &EnvironmentName) {
        for gauges in [&self.watched, &self.budget_left] {
            gauges.remove(&of_environment(environment));
        }
        for by in ["pause", "freeze"] {
            self.held.remove(&labels(environment, "by", by));
        }
    }

    /// Counts a webhook.
    pub(super) fn hook(&self, name: &str, result: &str) {
        if self.has(|names| names.hooks.contains(name)) {
            self.hooks.get_or_create(&of_hook(name, result)).inc();
        }
    }
}

fn of_repository(repository: &RepositoryName) -> Labels {
    vec![("repository", repository.to_string())]
}

fn of_source(source: &SourceName, result: &str) -> Labels {
    vec![("source", source.to_string()), ("result", result.to_owned())]
}

fn of_hook(name: &str, result: &str) -> Labels {
    vec![("hook", name.to_owned()), ("result", result.to_owned())]
}

fn of_pass(repository: &RepositoryName, result: &str) -> Labels {
    vec![("repository", repository.to_string()), ("result", result.to_owned())]
}

fn of_environment(environment: &EnvironmentName) -> Labels {
    vec![("environment", environment.to_string())]
}

fn labels(environment: &EnvironmentName, label: &'static str, word: &str) -> Labels {
    vec![("environment", environment.to_string()), (label, word.to_owned())]
}

fn set(gauges: &Gauges, labels: &Labels, value: usize) {
    gauges.get_or_create(labels).set(i64::try_from(value).unwrap_or(i64::MAX));
}

/// Seconds as Prometheus has them.
#[expect(clippy::cast_precision_loss, reason = "a double holds the seconds of 285 million years exactly")]
fn seconds(secs: i64) -> f64 {
    secs as f64
}

/// What a receipt says became of a revert in a pass; none where nothing did.
fn receipt_word(receipt: &Receipt) -> Option<&'static str> {
    match receipt {
        Receipt::Planned | Receipt::Postponed => None,
        Receipt::Pushed(_) => Some("pushed"),
        Receipt::Proposed { .. } => Some("proposed"),
        Receipt::Merged(_) => Some("merged"),
        Receipt::Superseded(_) => Some("superseded"),
        Receipt::Declined { .. } => Some("declined"),
        Receipt::Stuck { .. } => Some("stuck"),
        Receipt::Refused(_) => Some("refused"),
    }
}

fn review_word(outcome: ReviewOutcome) -> &'static str {
    match outcome {
        ReviewOutcome::Merged => "merged",
        ReviewOutcome::NotRestored => "not-restored",
        ReviewOutcome::Declined => "declined",
        ReviewOutcome::Superseded => "superseded",
        ReviewOutcome::Overdue => "overdue",
    }
}

fn recovery_word(outcome: Recovery) -> &'static str {
    match outcome {
        Recovery::Recovered => "recovered",
        Recovery::NotRecovered => "not-recovered",
        Recovery::Replaced => "replaced",
        Recovery::Unknown => "unknown",
        Recovery::Gone => "gone",
    }
}
