//! A random world: an environment, its services, what people and bots do to it, and the agents' passes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use backout::agent::{Estate, Intent, PassReport, Source, Stop, World, pass};
use backout::domain::environment::name_template::NameTemplate;
use backout::domain::environment::pattern::{PathGlobs, PathPattern};
use backout::domain::environment::policy::{Budget, Delivery, Mixed, Mode, Policy, SchemaRules};
use backout::domain::environment::signal::{Role, Rule, Signal, SignalKind};
use backout::domain::environment::{Environment, ServiceFiles, ServiceRule};
use backout::domain::history::snapshot::Person;
use backout::domain::ids::{BranchName, CommitId, EnvironmentName, RepositoryName, SignalName, SourceName};
use backout::domain::time::Time;
use backout::ports::{MetricSource, Repository};

use super::more::More;
use super::shapes::{self, Metrics, Weather};
use crate::support::in_process;
use crate::support::process::{Fate, Fates, Process, Turns};
use crate::support::simulated::{Clone as AgentClone, Node, Remote, Tree};

/// When every world begins, in seconds since 1970.
const BEGIN: i64 = 1_800_000_000;

/// A world and what has happened in it.
pub(super) struct Sim {
    pub(super) remote: Arc<Mutex<Remote>>,
    pub(super) environment: Arc<Environment>,
    pub(super) weather: Weather,
    /// Each service with the shape of its file. In every fifth world there are regions, and a service has one before its name.
    pub(super) services: Vec<(String, usize)>,
    pub(super) now: Time,
    pub(super) random: fastrand::Rng,
    /// How many passes were made.
    pub(super) passes: usize,
    /// How many agents were killed.
    pub(super) kills: usize,
    /// What a second pass has changed, with the same clock and the same state.
    pub(super) restless: Vec<String>,
    /// What went wrong where nothing had been made to go wrong.
    pub(super) problems: Vec<String>,
    /// Each pass that pushed a revert: when, and how many services were red in it.
    pub(super) red: Vec<(Time, usize)>,
    pub(super) deployed: Vec<Deployed>,
    /// How many deployments landed later than they were committed.
    pub(super) late: usize,
    /// What the world has besides, such as pauses.
    pub(super) more: More,
}

/// A deployment that somebody made.
#[derive(Clone, Debug)]
pub(super) struct Deployed {
    pub(super) commit: CommitId,
    pub(super) schema: bool,
    /// Whether the commit changed versions and nothing else.
    pub(super) pure: bool,
    /// Whether it brought in what an agent had proposed.
    pub(super) merge: bool,
    /// When it came to the branch, where an agent had looked at the branch before that.
    pub(super) seen_to_land: Option<Time>,
    /// The service, its version before and after.
    pub(super) services: Vec<(String, String, String)>,
}

pub(super) fn person(name: &str) -> Person {
    Person { name: name.to_owned(), email: format!("{name}@example.com") }
}

fn signal(rule: Rule, query: &str) -> Signal {
    let (name, source) = (SignalName::new("errors").unwrap(), SourceName::new("sim").unwrap());
    Signal {
        by: Some("service".to_owned()),
        rule,
        step_secs: 30,
        role: Role::Critical,
        ..Signal::new(name, source, query, SignalKind::ErrorRatio)
    }
}

fn environment(random: &mut fastrand::Rng, has_regions: bool, group: Option<NameTemplate>) -> Environment {
    let branch = BranchName::new("main").unwrap();
    let rules = [
        Rule::Limit { limit: 0.05, for_secs: 60 },
        Rule::Limit { limit: 0.05, for_secs: 60 },
        Rule::Change { share: 5.0, for_secs: 60 },
        Rule::Robust,
    ];
    let mode = if random.u8(0..6) == 0 { Mode::Propose } else { Mode::Auto };
    let policy = Policy {
        mode,
        settle_secs: random.choice([0, 30]).unwrap(),
        watch_secs: 600,
        baseline_secs: 600,
        quorum: 1,
        cooldown_secs: random.choice([0, 0, 300, 1_800]).unwrap(),
        quarantine_secs: random.choice([0, 3_600, 86_400]).unwrap(),
        recovery_secs: 300,
        fallback: random.choice([0, 0, 1, 2]).unwrap(),
        mixed: random.choice([Mixed::Fields, Mixed::Deployment]).unwrap(),
        schema: SchemaRules {
            paths: PathGlobs::new(vec!["apps/**/migrations/**".to_owned()]).unwrap(),
            ..SchemaRules::default()
        },
        ..Policy::default()
    };
    let (pattern, query) = if has_regions {
        ("apps/{region}/{service}/**", "main {{ region }}")
    } else {
        ("apps/{service}/**", "main")
    };
    let pattern = ServiceFiles::Pattern(PathPattern::new(pattern).unwrap());
    let signals = vec![signal(random.choice(rules).unwrap(), query)];
    let rule = ServiceRule { signals, policy, group, ..ServiceRule::new(pattern) };
    Environment {
        delivery: if random.u8(0..6) == 0 { Delivery::Branch } else { Delivery::Push },
        budget: Budget {
            max_reverts: random.u32(1..=3),
            window_secs: random.choice([600, 1_200, 3_600]).unwrap(),
            incident_services: random.u32(2..=5),
        },
        ..Environment::new(EnvironmentName::new("production").unwrap(), branch, vec![rule])
    }
}

impl Sim {
    /// The world of a seed, with nothing deployed yet but good versions.
    pub(super) fn new(seed: u64, more: More) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let has_regions = seed % 5 == 3;
        let group = (seed % 7 == 2).then(|| NameTemplate::new("shop").unwrap());
        let mut environment = environment(&mut random, has_regions, group);
        more.configure(&mut environment);
        let environment = Arc::new(environment);
        let count = random.usize(2..=5);
        let name = |n: usize| {
            let region = ["eu", "us"][n % 2];
            if has_regions { format!("{region}/svc-{}", n / 2) } else { format!("svc-{n}") }
        };
        let mut services: Vec<(String, usize)> =
            (0..count).map(|n| (name(n), more.shape(random.usize(0..shapes::SHAPES)))).collect();
        services.truncate(more.few().unwrap_or(count));
        let mut tree = Tree::new();
        for (service, shape) in &services {
            let mut text = shapes::text(service, *shape, "v1.0.0", 1);
            if let Some((tool, _)) = more.pins {
                tool.set_up(service, &mut tree);
                text = tool.marked(service, &text);
            }
            tree.insert(shapes::path(service, *shape), text.into_bytes().into());
        }
        let mut remote = Remote::default();
        let at = Time::from_unix(BEGIN - 86_400);
        remote.put(&environment.branch, Node::new(Vec::new(), tree, person("ann"), "begin\n", at));
        Self {
            remote: Arc::new(Mutex::new(remote)),
            environment,
            weather: Weather::default(),
            services,
            now: Time::from_unix(BEGIN),
            random,
            passes: 0,
            kills: 0,
            restless: Vec::new(),
            problems: Vec::new(),
            red: Vec::new(),
            deployed: Vec::new(),
            late: 0,
            more,
        }
    }

    /// Whether all services are of one group, as in every seventh world.
    pub(super) fn is_grouped(&self) -> bool {
        self.environment.services[0].group.is_some()
    }

    /// Fates by which every call works.
    pub(super) fn calm() -> Fates {
        Box::new(|_, _| Fate::Go)
    }

    fn world(&self, process: &Arc<Process>) -> World {
        let repository: Arc<dyn Repository> = Arc::new(AgentClone::new(&self.remote, process));
        let source: Arc<dyn MetricSource> = Arc::new(Metrics {
            remote: Arc::clone(&self.remote),
            process: Arc::clone(process),
            weather: self.weather.clone(),
            services: self.services.clone(),
        });
        let estate = Estate {
            name: RepositoryName::new("repository").unwrap(),
            repository,
            forge: None,
            environments: vec![Arc::clone(&self.environment)],
        };
        let sources = BTreeMap::from([(SourceName::new("sim").unwrap(), Source::new(source, &[]))]);
        in_process::world(estate, sources, self.now)
    }

    /// One pass of a new process, which ends early when the process is killed. Its report, where there is one.
    pub(super) fn run(&self, process: &Arc<Process>) -> Option<PassReport> {
        let world = self.world(process);
        let report = in_process::run(async {
            let stop = Stop::default();
            tokio::select! {
                biased;
                () = process.killed.notified() => None,
                report = pass(&world, Intent::Act, &stop) => report.ok(),
            }
        });
        // What a killed process has still said before it was taken away counts for nothing.
        report.filter(|_| !process.is_dead())
    }

    fn note(&mut self, report: Option<&PassReport>) {
        self.passes += 1;
        let Some(report) = report else { return };
        self.note_what_is_held(report);
        let acts = |word: &str| matches!(word, "revert" | "propose");
        let acted = report.items().any(|item| item.receipt.is_some() && acts(item.decision.word()));
        let regressed = report.items().filter(|item| item.judgement.verdict.word() == "regressed");
        let (mut services, mut releases) = (BTreeSet::new(), BTreeSet::new());
        for item in regressed {
            services.insert(item.service.to_string());
            // One release in several regions is one cause, and so is what one commit deployed of a group.
            let name = item.service.as_str().rsplit('/').next().unwrap_or_default().to_owned();
            let name = if self.is_grouped() { "shop".to_owned() } else { name };
            releases.insert((name, item.deployment));
        }
        if acted {
            self.red.push((self.now, services.len().min(releases.len())));
        }
    }

    /// A pass in which everything works.
    pub(super) fn calm_pass(&mut self) -> PassReport {
        let report = self.run(&Process::new(Self::calm(), None)).expect("a calm pass gives a report");
        self.note(Some(&report));
        self.problems.extend(report.environments.iter().flat_map(|one| one.problems.clone()));
        report
    }

    /// A calm pass, and another one over the same state, which must change nothing.
    pub(super) fn pass_twice(&mut self) {
        let at_first = self.remote.lock().unwrap().state();
        let first = self.calm_pass();
        let decided: Vec<String> = first
            .items()
            .map(|item| {
                format!(
                    "{} {} {:?} {:?} {}",
                    item.service,
                    item.deployment.short(),
                    item.decision,
                    item.judgement.verdict,
                    item.judgement.reason
                )
            })
            .collect();
        let mut before = self.remote.lock().unwrap().state();
        // Where a revert did not help, the agent goes further back in the pass after the one that has found that out.
        let in_vain = |(_, notes): &(_, BTreeMap<CommitId, String>)| {
            notes.values().map(|note| note.matches("\"not-recovered\"").count()).sum::<usize>()
        };
        if in_vain(&before) > in_vain(&at_first) {
            self.calm_pass();
            before = self.remote.lock().unwrap().state();
        }
        self.calm_pass();
        let after = self.remote.lock().unwrap().state();
        if before.0 != after.0 {
            self.restless.push(format!("at {}: branches {:?}, then {:?}", self.now, before.0, after.0));
        }
        for (commit, note) in after.1 {
            let old = before.1.get(&commit).map_or("", String::as_str);
            if note != old {
                let new: String = note.strip_prefix(old).unwrap_or(&note).chars().take(700).collect();
                self.restless
                    .push(format!("at {}: after {decided:?} the note on {commit} grew by {new}", self.now));
            }
        }
    }

    /// Fates that fail, lose answers and kill at random, and let other people push in between.
    pub(super) fn rough(&mut self, kills: bool) -> Fates {
        let mut random = self.random.fork();
        let remote = Arc::clone(&self.remote);
        let (branch, now) = (self.environment.branch.clone(), self.now);
        let kill_at = if kills { random.usize(0..16) } else { usize::MAX };
        let (fail, push) = (random.u8(0..12), random.u8(0..3));
        Box::new(move |number, name| {
            if name == "commit_and_push" && random.u8(0..3) < push {
                unrelated(&mut remote.lock().unwrap(), &branch, now, random.u32(..));
            }
            if number == kill_at {
                return random.choice([Fate::DieBefore, Fate::DieAfter]).unwrap();
            }
            if random.u8(0..60) < fail {
                return random.choice([Fate::Fail, Fate::Lost]).unwrap();
            }
            Fate::Go
        })
    }

    /// A pass that may be disturbed and killed.
    pub(super) fn rough_pass(&mut self) {
        let kills = self.random.bool();
        let fates = self.rough(kills);
        let process = Process::new(self.with_a_pause_meanwhile(fates), None);
        let report = self.run(&process);
        self.kills += usize::from(kills && report.is_none());
        self.note(report.as_ref());
    }

    /// Two agents at once, a call of the one and a call of the other in random order.
    pub(super) fn two_passes(&mut self) {
        let turns = Turns::new(self.random.u64(..));
        let rough = self.random.bool();
        let fates = [0, 1].map(|_| {
            if rough {
                let k = self.random.bool();
                self.rough(k)
            } else {
                Self::calm()
            }
        });
        let mut agent = 0;
        let processes = fates.map(|fates| {
            agent += 1;
            Process::new(fates, Some((Arc::clone(&turns), agent - 1)))
        });
        let this = &*self;
        let reports = std::thread::scope(|scope| {
            let start = |(agent, process): (usize, &'_ Arc<Process>)| {
                let (turns, process) = (Arc::clone(&turns), Arc::clone(process));
                scope.spawn(move || {
                    let _last = Last(turns, agent);
                    this.run(&process)
                })
            };
            let threads: Vec<_> = processes.iter().enumerate().map(start).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        for report in &reports {
            self.note(report.as_ref());
        }
    }
}

/// Says at its end, whatever that is, that an agent makes no more calls.
struct Last(Arc<Turns>, usize);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}

/// A commit of somebody else that deploys nothing.
pub(super) fn unrelated(remote: &mut Remote, branch: &BranchName, now: Time, number: u32) {
    let tip = remote.tip(branch);
    let mut tree = tip.tree.clone();
    let path = format!("docs/{number}.md").parse().unwrap();
    tree.insert(path, Arc::from(&b"text\n"[..]));
    let node = Node::new(vec![tip.id], tree, person("zoe"), "docs\n", now);
    remote.put(branch, node);
}
