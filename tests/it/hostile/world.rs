//! A world with one writer: an environment in mode `auto`, two services, an agent that passes each minute until the watch
//! window is long over, and the writer between its passes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use backout::agent::{Estate, Intent, PassReport, Source, Stop, World as Outside, pass};
use backout::domain::change::receipt::Receipt;
use backout::domain::decision::{Decision, LATE_SECS};
use backout::domain::environment::pattern::PathPattern;
use backout::domain::environment::policy::{Budget, Delivery, Mode, Policy, ReviewRules};
use backout::domain::environment::signal::{Role, Rule, Signal, SignalKind};
use backout::domain::environment::{Environment, ServiceFiles, ServiceRule};
use backout::domain::history::snapshot::Person;
use backout::domain::history::trailers::trailer;
use backout::domain::ids::{
    BranchName, CommitId, EnvironmentName, FilePath, RepositoryName, SignalName, SourceName,
};
use backout::domain::time::Time;
use backout::ports::{Forge, MetricSource, Repository};
use backout::record::ReviewOutcome;

use super::forge::{Hub, OwnForge};
use super::metrics::{Asked, Metrics};
use super::writer::Writer;
use crate::support::in_process;
use crate::support::process::{Fate, Process};
use crate::support::simulated::{Clone as AgentClone, Node, Remote, Tree};

/// The services. The first gets the deployment that is bad in every second world, the second a healthy one in some.
pub(super) const SERVICES: [&str; 2] = ["svc-0", "svc-1"];
/// The one query that the configuration has.
pub(super) const QUERY: &str = "errors";
/// When the first service is deployed, in seconds since 1970.
const DEPLOYED: i64 = 1_800_000_000;
const WATCH_SECS: u32 = 300;
/// How long the agent goes on: until a pass after it is too late for it to act alone.
const LAST_SECS: i64 = WATCH_SECS as i64 + LATE_SECS + 60;

/// How reverts come to the environment's branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Delivered {
    Pushed,
    PushedBesideForge,
    OnBranch,
    MergedAtOnce,
    MergedAfterChecks,
}

/// A deployment.
#[derive(Clone, Debug)]
pub(super) struct Deployed {
    pub(super) service: &'static str,
    pub(super) commit: CommitId,
    pub(super) at: Time,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct World {
    pub(super) remote: Arc<Mutex<Remote>>,
    pub(super) hub: Arc<Mutex<Hub>>,
    pub(super) environment: Arc<Environment>,
    pub(super) delivered: Delivered,
    /// Whether the deployment of the first service is bad.
    pub(super) is_bad: bool,
    pub(super) writes_notes_alone: bool,
    /// When and in which words people were told of the bad deployment, or that something is wrong.
    pub(super) told: Vec<(Time, String)>,
    /// Whether the revert was prepared on a branch.
    pub(super) prepared: bool,
    pub(super) deployed: Vec<Deployed>,
    pub(super) now: Time,
    /// Whether the agent knows where the branch was in its earlier passes.
    has_memory: bool,
    lag_secs: i64,
    asked: Arc<Mutex<Asked>>,
    log: Vec<String>,
}

/// The file of a service.
pub(super) fn path(service: &str) -> FilePath {
    FilePath::new(format!("apps/{service}/values.yaml")).unwrap()
}

fn text(service: &str, version: &str) -> Arc<[u8]> {
    Arc::from(format!("image:\n  repository: shop/{service}\n  tag: {version}\n").as_bytes())
}

/// Whether a file deploys a bad version.
pub(super) fn is_bad_text(text: &[u8]) -> bool {
    text.ends_with(b".9\n")
}

fn person(name: &str) -> Person {
    Person { name: name.to_owned(), email: format!("{name}@example.com") }
}

pub(super) fn signal(query: &str, source: &str) -> Signal {
    let (name, source) = (SignalName::new("errors").unwrap(), SourceName::new(source).unwrap());
    Signal {
        by: Some("service".to_owned()),
        rule: Rule::Limit { limit: 0.05, for_secs: 60 },
        step_secs: 30,
        role: Role::Critical,
        ..Signal::new(name, source, query, SignalKind::ErrorRatio)
    }
}

fn environment(random: &mut fastrand::Rng, delivered: Delivered) -> Environment {
    let policy = Policy {
        mode: Mode::Auto,
        settle_secs: 30,
        watch_secs: WATCH_SECS,
        baseline_secs: 300,
        cooldown_secs: random.choice([0, 3_600]).unwrap(),
        recovery_secs: 120,
        fallback: random.choice([0, 1]).unwrap(),
        ..Policy::default()
    };
    let pattern = ServiceFiles::Pattern(PathPattern::new("apps/{service}/**").unwrap());
    let rule = ServiceRule { signals: vec![signal(QUERY, "sim")], policy, ..ServiceRule::new(pattern) };
    let (name, branch) = (EnvironmentName::new("production").unwrap(), BranchName::new("main").unwrap());
    Environment {
        delivery: match delivered {
            Delivered::Pushed | Delivered::PushedBesideForge => Delivery::Push,
            Delivered::OnBranch => Delivery::Branch,
            Delivered::MergedAtOnce | Delivered::MergedAfterChecks => Delivery::PullRequest,
        },
        review: ReviewRules { deadline_secs: 180, ..ReviewRules::default() },
        budget: Budget { max_reverts: 2, window_secs: 3_600, incident_services: 2 },
        ..Environment::new(name, branch, vec![rule])
    }
}

impl World {
    fn new(seed: u64, random: &mut fastrand::Rng) -> Self {
        let all = [
            Delivered::Pushed,
            Delivered::PushedBesideForge,
            Delivered::OnBranch,
            Delivered::MergedAtOnce,
            Delivered::MergedAfterChecks,
        ];
        let delivered = random.choice(all).unwrap();
        let environment = Arc::new(environment(random, delivered));
        let now = Time::from_unix(DEPLOYED - 90);
        let mut remote = Remote::default();
        let files = SERVICES.map(|service| (path(service), text(service, "v1.0.0")));
        let begin =
            Node::new(Vec::new(), Tree::from(files), person("ann"), "begin\n", now.minus_secs(86_400));
        remote.put(&environment.branch, begin);
        let hub = Hub {
            now,
            base: environment.branch.clone(),
            pulls: Vec::new(),
            check_secs: if delivered == Delivered::MergedAfterChecks { 60 } else { 0 },
            shows_moves: random.bool(),
            held: false,
            issues: Vec::new(),
        };
        Self {
            remote: Arc::new(Mutex::new(remote)),
            hub: Arc::new(Mutex::new(hub)),
            environment,
            delivered,
            is_bad: seed.is_multiple_of(2),
            writes_notes_alone: random.u8(0..3) == 0,
            told: Vec::new(),
            prepared: false,
            deployed: Vec::new(),
            now,
            has_memory: random.bool(),
            lag_secs: random.choice([0, 30]).unwrap(),
            asked: Arc::default(),
            log: Vec::new(),
        }
    }

    /// The world of a seed, from some passes before the deployment to its end.
    pub(super) fn lived_through(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = Self::new(seed, &mut random);
        let other_at = random.choice([None, None, Some(-60), Some(60)]).unwrap();
        let next_secs = random.choice([None, Some(120)]).unwrap();
        let mut writer = Writer::new(random.fork());
        let mut good_since = None;
        let end = Time::from_unix(DEPLOYED + LAST_SECS);
        while world.now <= end {
            let since = world.now.unix() - DEPLOYED;
            if (-30..30).contains(&since) {
                world.deploy(SERVICES[0], if world.is_bad { "v1.1.9" } else { "v1.1.0" });
            }
            if other_at.is_some_and(|at| (at - 30..at + 30).contains(&since)) {
                world.deploy(SERVICES[1], "v1.1.0");
            }
            // A person brings a good version after the revert.
            if world.is_bad && good_since.is_none() && since > 60 && world.is_good_again() {
                good_since = Some(world.now);
            }
            if good_since.zip(next_secs).is_some_and(|(at, secs)| world.now.secs_since(at) == secs) {
                world.deploy(SERVICES[0], "v1.2.0");
            }
            for _ in 0..random.usize(0..3) {
                let did = writer.act(&world);
                world.note(&did);
            }
            world.hub.lock().unwrap().tick(&mut world.remote.lock().unwrap());
            world.pass();
            world.now = world.now.plus_secs(60);
            world.hub.lock().unwrap().now = world.now;
        }
        world
    }

    fn note(&mut self, what: &str) {
        self.log.push(format!("{:>5} {what}", self.now.unix() - DEPLOYED));
    }

    fn deploy(&mut self, service: &'static str, version: &str) {
        let mut remote = self.remote.lock().unwrap();
        let tip = remote.tip(&self.environment.branch).clone();
        let mut tree = tip.tree;
        tree.insert(path(service), text(service, version));
        let at = self.now.minus_secs(5);
        let node = Node::new(vec![tip.id], tree, person("ann"), &format!("{service} {version}\n"), at);
        let commit = node.id;
        remote.put(&self.environment.branch, node);
        drop(remote);
        self.deployed.push(Deployed { service, commit, at });
        self.note(&format!("ann deploys {service} {version} as {}", commit.short()));
    }

    pub(super) fn has_forge(&self) -> bool {
        !matches!(self.delivered, Delivered::Pushed | Delivered::OnBranch)
    }

    fn outside(&self) -> Outside {
        let process = Process::new(Box::new(|_, _| Fate::Go), None);
        let repository: Arc<dyn Repository> = Arc::new(AgentClone::new(&self.remote, &process));
        let forge = OwnForge { hub: Arc::clone(&self.hub), remote: Arc::clone(&self.remote) };
        let estate = Estate {
            name: RepositoryName::new("repository").unwrap(),
            repository,
            forge: self.has_forge().then(|| Arc::new(forge) as Arc<dyn Forge>),
            environments: vec![Arc::clone(&self.environment)],
        };
        let source = |name: &'static str| {
            let metrics = Metrics {
                name,
                remote: Arc::clone(&self.remote),
                branch: self.environment.branch.clone(),
                lag_secs: self.lag_secs,
                asked: Arc::clone(&self.asked),
            };
            (SourceName::new(name).unwrap(), Source::new(Arc::new(metrics) as Arc<dyn MetricSource>, &[]))
        };
        in_process::world(estate, BTreeMap::from([source("sim"), source("other")]), self.now)
    }

    /// One pass of a new process.
    fn pass(&mut self) {
        if !self.has_memory {
            self.remote.lock().unwrap().seen.clear();
        }
        let (outside, stop) = (self.outside(), Stop::default());
        let passed = in_process::run(pass(&outside, Intent::Act, &stop));
        match passed {
            Ok(report) => self.read(&report),
            Err(error) => {
                self.note(&format!("the pass fails: {error}"));
                self.told.push((self.now, error.to_string()));
            }
        }
    }

    fn read(&mut self, report: &PassReport) {
        let bad = self.bad();
        for item in report.items() {
            let (service, id, what) = (&item.service, item.deployment.short(), &item.decision);
            let receipt = item.receipt.as_ref().map(Receipt::to_string).unwrap_or_default();
            self.note(&format!(
                "agent: {service} {id} is {}: {what:?} {receipt}",
                item.judgement.verdict.word()
            ));
            if Some(item.deployment) == bad {
                if let Decision::Escalate(why) = &item.decision {
                    self.told.push((self.now, why.clone()));
                }
                self.prepared |= matches!(item.receipt, Some(Receipt::Proposed { .. }));
            }
        }
        for review in report.reviews() {
            self.note(&format!("agent: the pull request of {}: {}", review.service, review.state));
            let is_told = matches!(review.outcome, Some(ReviewOutcome::NotRestored | ReviewOutcome::Overdue));
            if is_told && Some(review.deployment) == bad {
                self.told.push((self.now, review.state.clone()));
            }
        }
        let problems: Vec<String> = report.environments.iter().flat_map(|one| one.problems.clone()).collect();
        for problem in problems {
            self.note(&format!("agent: a problem: {problem}"));
            if bad.is_some() {
                self.told.push((self.now, problem));
            }
        }
    }

    /// The bad deployment.
    pub(super) fn bad(&self) -> Option<CommitId> {
        let first = self.deployed.iter().find(|one| one.service == SERVICES[0])?;
        self.is_bad.then_some(first.commit)
    }

    /// Whether the first service runs no bad version.
    pub(super) fn is_good_again(&self) -> bool {
        let remote = self.remote.lock().unwrap();
        let tree = &remote.tip(&self.environment.branch).tree;
        tree.get(&path(SERVICES[0])).is_some_and(|text| !is_bad_text(text))
    }

    /// The questions that the configuration does not have.
    pub(super) fn asked_for_more(&self) -> Vec<String> {
        let is_other = |(to, named, query, only): &&(_, String, String, Option<(String, _)>)| {
            let is_narrowed =
                only.as_ref().is_none_or(|(label, values): &(String, std::collections::BTreeSet<String>)| {
                    label == "service" && values.iter().all(|value| SERVICES.contains(&value.as_str()))
                });
            *to != "sim" || named != "sim" || query != QUERY || !is_narrowed
        };
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(is_other).map(|one| format!("it was asked for {one:?}")).collect()
    }

    /// Commits of the agent, on whatever branch, that revert something else than the bad deployment.
    pub(super) fn made_by_agent(&self) -> Vec<String> {
        let remote = self.remote.lock().unwrap();
        let bad = self.bad().map(|bad| bad.to_string());
        let made = remote.by_agents.iter().filter(|commit| {
            let said = trailer(&remote.commits[commit].message, "Backout-Reverts");
            said.is_none() || said != bad.as_deref()
        });
        made.map(|commit| format!("the agent has made {commit} to take back what is not bad")).collect()
    }

    /// Moves of the environment's branch that nobody but the agent can have brought, and that are not one revert of the bad
    /// deployment.
    pub(super) fn came_to_the_branch(&self) -> Vec<String> {
        let remote = self.remote.lock().unwrap();
        let own = |commit: &CommitId| {
            remote.by_agents.contains(commit) || remote.commits[commit].author.name == "forge"
        };
        let of_branch = remote.moves.iter().filter(|(branch, ..)| *branch == self.environment.branch);
        let moves: Vec<&CommitId> =
            of_branch.map(|(_, _, commit, _)| commit).filter(|one| own(one)).collect();
        let mut wrong = Vec::new();
        if moves.len() > usize::from(self.is_bad) {
            wrong.push(format!("the environment's branch has got {} commits of the agent", moves.len()));
        }
        for commit in moves {
            let node = &remote.commits[commit];
            let mut expected = remote.commits[&node.parents[0]].tree.clone();
            expected.insert(path(SERVICES[0]), text(SERVICES[0], "v1.0.0"));
            let is_told = self.told.iter().any(|(at, _)| *at >= node.at);
            // "Between two passes somebody who may push to `backout/…` can add to what the forge has been asked to merge …
            // What came to the branch that way is noticed".
            let is_added = self.delivered == Delivered::MergedAfterChecks && self.is_bad && is_told;
            if node.tree != expected && !is_added {
                wrong.push(format!("{commit} is not exactly the revert"));
            }
        }
        wrong
    }

    /// What happened, for whom has to find out why.
    pub(super) fn story(&self) -> String {
        let hub = self.hub.lock().unwrap();
        let head = format!(
            "{:?}, {}, notes alone: {}, memory: {}, log of the forge: {}, shows after {} s",
            self.delivered,
            if self.is_bad { "bad" } else { "healthy" },
            self.writes_notes_alone,
            self.has_memory,
            hub.shows_moves && self.has_forge(),
            self.lag_secs,
        );
        format!("{head}\n{}", self.log.join("\n"))
    }
}
