//! The simulation: passes in the order of their times.

use super::costs::{BASE_KIB, PASS, RECORD_BYTES, REPO_KIB, REVERT_RECORD_BYTES};
use super::fleet::{Deployment, deployments};
use super::queue::Servers;
use super::tally::{Minutes, Times};

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) repos: usize,
    pub(super) deployments_a_day: f64,
    pub(super) days: usize,
    /// Each works on its share of the repos.
    pub(super) processes: usize,
    pub(super) interval_secs: i64,
    /// Whether a push wakes the passes over its repo.
    pub(super) has_hooks: bool,
    /// How long the Git server and the metric source take for an answer.
    pub(super) git_ms: i64,
    pub(super) query_ms: i64,
}

/// How many passes a process makes at once, how many questions it asks a metric source at once, and how many processors it has.
const PASSES: usize = 16;
const QUESTIONS: usize = 8;
const PROCESSORS: usize = 2;
/// How long a deployment is watched, and how long after the onset three samples at 60 s show the harm.
const WATCH_MS: i64 = 30 * 60_000;
const SHOWN_MS: i64 = 180_000;
/// How long a repo rests before a wake counts.
const REST_MS: i64 = 1_000;

/// The step of the signals: while a deployment is watched, passes are no further apart.
const STEP_SECS: i64 = 60;

/// What came of a year.
pub(super) struct Year {
    setup: Setup,
    passes: u64,
    deployments: usize,
    verdicts: u64,
    /// From when a pass is due until it begins.
    queue: Times,
    /// From a push until a pass that has seen it ends.
    seen: Times,
    /// From when the samples show harm, and from when it begins, until the revert is pushed.
    shown_to_revert: Times,
    onset_to_revert: Times,
    processor_ms: Minutes,
    git: Minutes,
    queries: Minutes,
    forge: Minutes,
}

/// One repo.
#[derive(Clone, Default)]
struct Repo {
    watched: Vec<Deployment>,
    /// When the last pass ended, and when the next one is due.
    ended: i64,
    due: i64,
    /// The pushes that no pass has seen.
    unseen: Vec<i64>,
}

struct Process {
    passes: Servers,
    questions: Servers,
    processors: Servers,
}

/// What is due in each second to come.
struct Calendar(Vec<Vec<(i64, usize)>>);

impl Calendar {
    fn put(&mut self, at: i64, repo: usize) {
        let slots = self.0.len();
        self.0[(at / 1_000) as usize % slots].push((at, repo));
    }
}

/// Simulates the days of a setup.
pub(super) fn simulate(setup: Setup) -> Year {
    let mut random = fastrand::Rng::with_seed(1);
    let pushes = deployments(&setup, &mut random);
    let end = setup.days as i64 * 86_400_000;
    let mut sim = Simulation {
        processes: (0..setup.processes).map(|_| Process::new()).collect(),
        repos: vec![Repo::default(); setup.repos],
        calendar: Calendar(vec![Vec::new(); 1_024]),
        year: Year::new(setup, pushes.len()),
        random,
    };
    for repo in 0..setup.repos {
        let at = sim.random.i64(0..setup.interval_secs * 1_000);
        sim.due(repo, at);
    }
    let mut next = 0;
    for second in 0..end / 1_000 {
        while pushes.get(next).is_some_and(|push| push.at_ms / 1_000 == second) {
            sim.push(pushes[next]);
            next += 1;
        }
        let slot = second as usize % sim.calendar.0.len();
        // A wake after a short pass may be due in the same second.
        while !sim.calendar.0[slot].is_empty() {
            let mut due = std::mem::take(&mut sim.calendar.0[slot]);
            due.sort_unstable();
            for (at, repo) in due {
                // It was woken since, or has another turn.
                if sim.repos[repo].due == at {
                    sim.pass(at, repo);
                }
            }
        }
    }
    sim.year
}

impl Process {
    fn new() -> Self {
        Self {
            passes: Servers::new(PASSES),
            questions: Servers::new(QUESTIONS),
            processors: Servers::new(PROCESSORS),
        }
    }
}

struct Simulation {
    processes: Vec<Process>,
    repos: Vec<Repo>,
    calendar: Calendar,
    year: Year,
    random: fastrand::Rng,
}

impl Simulation {
    fn due(&mut self, repo: usize, at: i64) {
        self.repos[repo].due = at;
        self.calendar.put(at, repo);
    }

    /// Somebody pushes a deployment.
    fn push(&mut self, push: Deployment) {
        let repo = &mut self.repos[push.repo];
        repo.watched.push(push);
        repo.unseen.push(push.at_ms);
        if self.year.setup.has_hooks {
            let woken = push.at_ms.max(repo.ended + REST_MS);
            if woken < repo.due {
                self.due(push.repo, woken);
            }
        }
    }

    /// A pass that is due at a time.
    fn pass(&mut self, at: i64, nth: usize) {
        let Setup { interval_secs, git_ms, query_ms, .. } = self.year.setup;
        let process_count = self.processes.len();
        let process = &mut self.processes[nth % process_count];
        let repo = &mut self.repos[nth];
        let start = process.passes.begin(at);
        let found = found(repo, start);
        let costs = cost(&found);
        let mut now = start + costs.git * git_ms;
        // An estate among many asks one question at a time.
        for _ in 0..costs.queries {
            (_, now) = process.questions.take(now, query_ms);
        }
        let worked_ms = costs.processor_us.div_euclid(1_000).max(1);
        let (_, ended) = process.processors.take(now, worked_ms);
        process.passes.end(ended);
        repo.ended = ended;
        let year = &mut self.year;
        year.passes += 1;
        year.queue.add(start - at);
        year.verdicts += found.verdicts + found.reverts.len() as u64;
        for pushed in repo.unseen.iter().filter(|pushed| **pushed <= start) {
            year.seen.add(ended - pushed);
        }
        repo.unseen.retain(|pushed| *pushed > start);
        for onset in &found.reverts {
            year.shown_to_revert.add(ended - onset - SHOWN_MS);
            year.onset_to_revert.add(ended - onset);
        }
        year.processor_ms.add(start, costs.processor_us as f64 / 1e3);
        year.git.add(start, costs.git as f64);
        year.queries.add(start, costs.queries as f64);
        year.forge.add(start, costs.forge as f64);
        let is_watching = !self.repos[nth].watched.is_empty();
        let pause_secs = if is_watching { interval_secs.min(STEP_SECS) } else { interval_secs };
        let jitter = self.random.i64(0..=pause_secs * 100);
        // A push that came during the pass wakes once more.
        let missed = self.year.setup.has_hooks && !self.repos[nth].unseen.is_empty();
        let next = if missed { REST_MS } else { pause_secs * 1_000 + jitter };
        self.due(nth, ended + next);
    }
}

/// What a pass finds in a repo.
struct Found {
    is_new: bool,
    watched: usize,
    /// How many are found healthy, at the end of their watch.
    verdicts: u64,
    /// When the harm began of each that is reverted.
    reverts: Vec<i64>,
}

fn found(repo: &mut Repo, now: i64) -> Found {
    let watched = repo.watched.iter().filter(|one| one.at_ms <= now).count();
    let mut found = Found {
        is_new: repo.unseen.iter().any(|pushed| *pushed <= now),
        watched,
        verdicts: 0,
        reverts: Vec::new(),
    };
    repo.watched.retain(|one| {
        let shown = one.onset_ms.filter(|onset| onset + SHOWN_MS <= now);
        if let Some(onset) = shown {
            found.reverts.push(onset);
        } else if one.at_ms + WATCH_MS <= now {
            found.verdicts += 1;
        } else {
            return true;
        }
        false
    });
    found
}

/// What a pass costs.
struct Cost {
    processor_us: i64,
    git: i64,
    queries: i64,
    forge: i64,
}

fn cost(found: &Found) -> Cost {
    let (watched, reverts) = (found.watched as i64, found.reverts.len() as i64);
    let [is_watching, is_told, is_new] =
        [watched > 0, found.verdicts > 0 || reverts > 0, found.is_new].map(i64::from);
    // Each sixty services are one question more for each signal.
    let batches = (watched + 59) / 60;
    Cost {
        processor_us: PASS.quiet_us
            + is_watching * PASS.watched_us
            + watched * PASS.each_us
            + is_told * PASS.record_us
            + reverts * PASS.revert_us,
        git: PASS.git_quiet
            + is_new * (PASS.git_new - PASS.git_quiet)
            + is_told * PASS.git_record
            + reverts * PASS.git_revert,
        queries: batches * PASS.queries + reverts * PASS.queries_revert,
        forge: is_new * PASS.forge_new
            + (found.verdicts as i64 + reverts) * PASS.forge_record
            + reverts * PASS.forge_revert,
    }
}

impl Year {
    fn new(setup: Setup, deployments: usize) -> Self {
        Self {
            setup,
            passes: 0,
            deployments,
            verdicts: 0,
            queue: Times::default(),
            seen: Times::default(),
            shown_to_revert: Times::default(),
            onset_to_revert: Times::default(),
            processor_ms: Minutes::default(),
            git: Minutes::default(),
            queries: Minutes::default(),
            forge: Minutes::default(),
        }
    }

    /// The rows of the table, each with its name.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let secs = self.setup.days as f64 * 86_400.0;
        let processes = self.setup.processes as f64;
        let reverts = self.onset_to_revert.count();
        let healthy = self.verdicts - reverts;
        let bytes = healthy as f64 * RECORD_BYTES as f64 + reverts as f64 * REVERT_RECORD_BYTES as f64;
        let repos_each = (self.setup.repos as i64) / self.setup.processes as i64;
        let per_minute = |of: &Minutes| format!("{:.1} / {:.1}", of.sum() / secs, of.busiest_minute() / 60.0);
        let per_hour =
            |of: &Minutes| format!("{:.0} / {:.0}", of.sum() / (secs / 3_600.0), of.busiest_hour());
        let busy = |ms: f64, of_secs: f64| ms / 1e3 / of_secs / processes;
        let query_secs = self.setup.query_ms as f64 / 1e3;
        vec![
            ("deployments, and reverts", format!("{}, and {reverts}", self.deployments)),
            ("passes, millions", format!("{:.1}", self.passes as f64 / 1e6)),
            ("a pass waits for its turn (median / p99 / most)", self.queue.cell()),
            ("from a push until a pass has seen it", self.seen.cell()),
            ("from when samples show harm to the revert", self.shown_to_revert.cell()),
            ("from the onset of harm to the revert", self.onset_to_revert.cell()),
            (
                "processors busy in each process, on average / in the busiest hour / minute",
                format!(
                    "{:.2} / {:.2} / {:.2}",
                    busy(self.processor_ms.sum(), secs),
                    busy(self.processor_ms.busiest_hour(), 3_600.0),
                    busy(self.processor_ms.busiest_minute(), 60.0)
                ),
            ),
            ("memory of each process", format!("{} MiB", (BASE_KIB + repos_each * REPO_KIB) / 1_024)),
            ("requests to Git a second, on average / in the busiest minute", per_minute(&self.git)),
            ("queries a second, on average / in the busiest minute", per_minute(&self.queries)),
            (
                "queries under way at once, on average / in the busiest minute",
                format!(
                    "{:.1} / {:.1}",
                    self.queries.sum() / secs * query_secs,
                    self.queries.busiest_minute() / 60.0 * query_secs
                ),
            ),
            (
                "requests to the forge an hour that change or find something, on average / in the busiest",
                per_hour(&self.forge),
            ),
            (
                "requests to the forge an hour that find nothing new",
                format!("{:.0}", self.passes as f64 * PASS.forge_quiet as f64 / (secs / 3_600.0)),
            ),
            (
                "records, all / in each repo",
                format!("{:.2} GB / {:.1} MB", bytes / 1e9, bytes / 1e6 / self.setup.repos as f64),
            ),
        ]
    }
}
