//! `backout demo`: the real agent on a throwaway repo, in compressed time.
//!
//! [`scene`] is the story, [`repo`] the repo that it is written to, [`cluster`] what runs of it, [`metrics`] how the
//! agent asks about that. Everything else is what `backout run` uses too: the configuration from a file, the Git
//! adapter, the Prometheus adapter over HTTP, and [`crate::agent::pass`].

mod cluster;
mod event;
mod expect;
mod metrics;
mod repo;
mod scene;
mod show;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use self::cluster::{Cluster, Metric};
use self::event::{Charted, Counts, Event, What};
use self::repo::Repo;
use self::scene::{Act, LAST_MINUTE, START, STORY, minute};
use super::chart::bars;
use super::common::{Common, Ending, Format};
use super::{output, world};
use crate::agent::{Intent, Item, PassReport, Recovered, Stop, World, pass};
use crate::domain::decision::Decision;
use crate::domain::ids::CommitId;
use crate::domain::judge::evidence::Sample;
use crate::domain::time::Time;
use crate::ports::Clock;

/// How long a terminal rests on an event.
const PACE: Duration = Duration::from_millis(350);
/// In each minute the commits come first, and the pass so many seconds later.
const PASS_AFTER_SECS: i64 = 15;
/// How many minutes before the deployment a chart begins.
const CHART_MINUTES_BEFORE: i64 = 8;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Where the repo and its configuration are made; must be empty or not exist [default: a new temporary directory]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Do not pause between the events
    #[arg(long)]
    fast: bool,
}

/// The time of the story, which only the story moves.
#[derive(Debug)]
struct StoryClock(AtomicI64);

impl Clock for StoryClock {
    fn now(&self) -> Time {
        Time::from_unix(self.0.load(Ordering::SeqCst))
    }
}

/// Runs the command.
pub(super) async fn run(common: &Common, args: DemoArgs) -> anyhow::Result<Ending> {
    let directory = directory(args.directory.as_deref())?;
    let cluster = Arc::new(Cluster::default());
    let address = metrics::serve(Arc::clone(&cluster)).await?;
    let metrics = format!("http://{address}");
    let (world, repo, clock) = set_up(&directory, &metrics, cluster).await?;
    let pace = common.format == Format::Text && !args.fast && std::io::stdout().is_terminal();
    let mut stage = Stage {
        world,
        repo,
        clock,
        format: common.format,
        pace,
        directory,
        events: Vec::new(),
        past: Vec::new(),
    };
    stage.tell(What::Started { directory: stage.directory.display().to_string(), metrics }).await?;
    stage.play().await?;
    Ok(Ending::Quiet)
}

/// The directory to work in, absolute and empty. A temporary one is kept for the user to look at.
fn directory(wanted: Option<&Path>) -> anyhow::Result<PathBuf> {
    let Some(path) = wanted else {
        let directory = tempfile::Builder::new().prefix("backout-demo-").tempdir();
        return Ok(directory.context("cannot make a temporary directory")?.keep());
    };
    let shown = path.display();
    std::fs::create_dir_all(path).with_context(|| format!("cannot make the directory {shown}"))?;
    let mut entries =
        std::fs::read_dir(path).with_context(|| format!("cannot read the directory {shown}"))?;
    ensure!(entries.next().is_none(), "{shown} is not empty: name another directory for the demo");
    path.canonicalize().with_context(|| format!("cannot find the directory {shown}"))
}

/// Writes the configuration, makes the repo, and connects both as every other command does, but for the clock.
async fn set_up(
    directory: &Path,
    metrics: &str,
    cluster: Arc<Cluster>,
) -> anyhow::Result<(World, Repo, Arc<StoryClock>)> {
    let config = directory.join(world::DEFAULT_CONFIG);
    let text = include_str!("files/backout.yaml")
        .replace("@repository@", "environment.git")
        .replace("@metrics@", metrics);
    std::fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
    let settings = crate::config::load(&[config], &|_| None)?;
    let estate = settings.estates.first().context("no repository")?;
    let branch = estate.environments.first().context("no environment")?.branch.clone();
    let options = estate.repository.clone();
    let repo = tokio::task::spawn_blocking(move || Repo::create(options, branch, cluster)).await??;
    let clock = Arc::new(StoryClock(AtomicI64::new(START.unix())));
    let mut world = world::connect(&settings)?;
    world.clock = Arc::<StoryClock>::clone(&clock);
    Ok((world, repo, clock))
}

/// The demo under way.
struct Stage {
    world: World,
    repo: Repo,
    clock: Arc<StoryClock>,
    format: Format,
    pace: bool,
    directory: PathBuf,
    events: Vec<Event>,
    /// What the passes have decided about deployments.
    past: Vec<Item>,
}

impl Stage {
    async fn play(&mut self) -> anyhow::Result<()> {
        for now in 0..=LAST_MINUTE {
            self.clock.0.store(minute(now).unix(), Ordering::SeqCst);
            for (_, act) in STORY.iter().filter(|(at, _)| *at == now) {
                self.act(*act).await?;
            }
            self.clock.0.fetch_add(PASS_AFTER_SECS, Ordering::SeqCst);
            self.pass().await?;
        }
        self.quiet_pass().await?;
        expect::check(&self.events, &self.repo).context("the story did not come out as told")?;
        let reverted = self.events.iter().find_map(|event| event.what.reverted());
        let (example, _) = reverted.context("nothing was reverted")?;
        let directory = self.directory.display().to_string();
        self.tell(What::Finished { counts: Counts::of(&self.events), directory, example }).await
    }

    /// Lets something happen.
    async fn act(&mut self, act: Act) -> anyhow::Result<()> {
        let (repo, at) = (self.repo.clone(), self.clock.now());
        let what = tokio::task::spawn_blocking(move || repo::happen(&repo, act, at)).await??;
        self.tell(what).await
    }

    /// One pass of the agent, and what it did.
    async fn pass(&mut self) -> anyhow::Result<()> {
        let report = pass(&self.world, Intent::Act, &Stop::default()).await?;
        let (repo, now) = (self.repo.clone(), self.clock.now());
        tokio::task::spawn_blocking(move || repo.sync(now)).await??;
        refuse_problems(&report)?;
        for environment in report.environments {
            for item in environment.items {
                if item.decision != Decision::Wait {
                    self.past.push(item.clone());
                    let version = self.version_of(item.deployment);
                    self.tell(decided(item, version)).await?;
                }
            }
            for recovered in environment.recoveries {
                let what = self.recovery(recovered);
                self.tell(what).await?;
            }
        }
        Ok(())
    }

    /// What a commit of the story has deployed.
    fn version_of(&self, deployment: CommitId) -> String {
        for event in &self.events {
            if let What::Deployed { commit, to, .. } = &event.what
                && *commit == deployment
            {
                return to.clone();
            }
        }
        String::new()
    }

    /// A pass over a state in which everything is settled: it must leave the branch and the notes as they are.
    async fn quiet_pass(&mut self) -> anyhow::Result<()> {
        let state =
            |repo: Repo| tokio::task::spawn_blocking(move || anyhow::Ok((repo.tip()?, repo.notes()?)));
        let before = state(self.repo.clone()).await??;
        let report = pass(&self.world, Intent::Act, &Stop::default()).await?;
        refuse_problems(&report)?;
        let after = state(self.repo.clone()).await??;
        ensure!(
            before == after && report.items().count() == 0,
            "a pass over a settled state changed something"
        );
        self.tell(What::Quiet).await
    }

    /// A recovery, with a chart of the signal that had regressed.
    fn recovery(&self, recovered: Recovered) -> What {
        let Recovered { service, deployment, revert, outcome, reason, reverted_at: _ } = recovered;
        let chart = self.chart(service.as_str(), deployment);
        What::Recovery { service: service.to_string(), revert, outcome, reason, chart }
    }

    /// The signal that regressed, from before the deployment until now; each signal once, as one chart says it all.
    fn chart(&self, name: &str, deployment: CommitId) -> Option<Charted> {
        let item = self.past.iter().find(|item| item.deployment == deployment)?;
        let signal = item.judgement.findings.iter().find(|finding| finding.verdict.word() == "regressed")?;
        let shown = |event: &Event| matches!(&event.what, What::Recovery { chart: Some(chart), .. } if chart.signal == signal.signal.as_str());
        if self.events.iter().any(shown) {
            return None;
        }
        let metric = if signal.percent { Metric::Errors } else { Metric::Latency };
        let service = scene::service(name)?;
        let took_back = |event: &&Event| event.what.reverted().is_some_and(|(of, _)| of == deployment);
        let reverted_at = self.events.iter().find(took_back)?.at;
        let start = item.deployed_at.minus_secs(CHART_MINUTES_BEFORE * 60);
        let times = (0..).map(|step| start.plus_secs(step * 30)).take_while(|at| *at <= self.clock.now());
        let samples: Vec<Sample> = times
            .filter_map(|at| Some(Sample { at, value: self.repo.cluster.value(service, metric, at)? }))
            .collect();
        let marks = [(item.deployed_at, "deploy"), (reverted_at, "revert")];
        let lines = bars(&samples, &marks, |value| signal.show(value));
        Some(Charted { signal: signal.signal.to_string(), lines })
    }

    /// Prints an event and remembers it.
    async fn tell(&mut self, what: What) -> anyhow::Result<()> {
        let event = Event { at: self.clock.now(), what };
        match self.format {
            Format::Text => output::text(&show::event(&event)),
            Format::Json => output::line(&serde_json::to_string(&event)?),
        }
        self.events.push(event);
        if self.pace {
            tokio::time::sleep(PACE).await;
        }
        Ok(())
    }
}

/// What a pass came to about a deployment.
fn decided(item: Item, version: String) -> What {
    let (service, deployment, reason) = (item.service.to_string(), item.deployment, item.judgement.reason);
    match (item.revert, item.decision) {
        (Some(revert), Decision::Revert) => What::Reverted {
            service,
            version,
            deployment,
            revert,
            reason,
            diff: item.diff.unwrap_or_default(),
        },
        (_, Decision::Escalate(why)) => What::Escalated { service, version, deployment, reason, why },
        (_, decision) => {
            let verdict = if matches!(decision, Decision::Pass(_)) {
                item.judgement.verdict.word().to_owned()
            } else {
                decision.word().to_owned()
            };
            What::LeftAlone { service, version, deployment, verdict, reason }
        }
    }
}

/// The demo has no room for problems.
fn refuse_problems(report: &PassReport) -> anyhow::Result<()> {
    match report.environments.iter().flat_map(|environment| &environment.problems).next() {
        Some(problem) => bail!("the agent has a problem at {}: {problem}", report.at),
        None => Ok(()),
    }
}
