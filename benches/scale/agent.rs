//! The agent of the simulated day, in a process of its own: the passes and the server of the program, on a clock that the benchmark sets.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::Context as _;
use backout::adapters::git::GitRepository;
use backout::adapters::metrics;
use backout::agent::{Estate, Intent, Share, Source, Stop, Wakes, World, pass};
use backout::config::{self, Settings};
use backout::domain::time::Time;
use backout::ports::{Clock, MetricSource};
use backout::serve::{Board, CountedSource, Routes, Served, Server, Sleeper};

use crate::daemon::SECRET;

struct Set(AtomicI64);

impl Clock for Set {
    fn now(&self) -> Time {
        Time::from_unix(self.0.load(Ordering::SeqCst))
    }
}

/// Says where its server listens. Then makes a pass over all repositories for each line, which says at what time, and answers with
/// the environments in which it did something.
pub(crate) fn serve(home: &Path) -> anyhow::Result<()> {
    std::env::set_current_dir(home)?;
    let secret = |name: &str| (name == "HOOK").then(|| SECRET.to_owned());
    let settings = config::load(&[home.join("backout.yaml")], &secret);
    let settings = settings.map_err(|errors| anyhow::anyhow!("{errors}"))?;
    tokio::runtime::Runtime::new()?.block_on(Box::pin(run(&settings)))
}

async fn run(settings: &Settings) -> anyhow::Result<()> {
    let clock = Arc::new(Set(AtomicI64::new(0)));
    let board = Arc::new(Board::new(Arc::<Set>::clone(&clock)));
    let world = connect(settings, &board, Arc::<Set>::clone(&clock))?;
    board.configured((settings.interval_secs, Share::default()), settings.names());
    let options = settings.server.as_ref().context("no server")?;
    let server = Server::bind(options.listen).await?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", server.address()?)?;
    let sleepers = settings.estates.iter().map(|estate| Sleeper {
        name: estate.name.clone(),
        path: estate.path_on_server.clone(),
        branches: estate.environments.iter().map(|environment| environment.branch.clone()).collect(),
    });
    let served = Served {
        board: Arc::clone(&board),
        sleepers: sleepers.collect(),
        wakes: Wakes::of(&world),
        clock: Arc::<Set>::clone(&clock),
        world: world.clone(),
    };
    tokio::spawn(server.run(Routes::new(options, served), Stop::default()));
    for line in std::io::stdin().lock().lines() {
        clock.0.store(line?.trim().parse()?, Ordering::SeqCst);
        let mut passes = tokio::task::JoinSet::new();
        for estate in &world.estates {
            let own = World { estates: vec![Arc::clone(estate)], ..world.clone() };
            let name = estate.name.clone();
            passes.spawn(async move { (name, pass(&own, Intent::Act, &Stop::default()).await) });
        }
        let mut said = String::from("done");
        while let Some(ended) = passes.join_next().await {
            let (name, passed) = ended?;
            let report = passed.as_ref().map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
            for problem in report.environments.iter().flat_map(|one| &one.problems) {
                eprintln!("{name}: {problem}");
            }
            if report.acted() {
                said += &format!(" {name}");
            }
            board.passed(&name, &passed);
        }
        writeln!(out, "{said}")?;
    }
    Ok(())
}

fn connect(settings: &Settings, board: &Arc<Board>, clock: Arc<dyn Clock>) -> anyhow::Result<World> {
    let names: Vec<_> = settings.estates.iter().map(|estate| estate.name.clone()).collect();
    let mut sources = BTreeMap::new();
    for (name, options) in &settings.sources {
        let source = CountedSource::new(Arc::from(metrics::connect(options)?), Arc::clone(board));
        sources.insert(name.clone(), Source::new(Arc::new(source) as Arc<dyn MetricSource>, &names));
    }
    let estate = |estate: &config::EstateSettings| {
        let repository = GitRepository::open(estate.repository.clone(), tokio::runtime::Handle::current())?;
        anyhow::Ok(Arc::new(Estate {
            name: estate.name.clone(),
            repository: Arc::new(repository),
            forge: None,
            environments: estate.environments.iter().cloned().map(Arc::new).collect(),
        }))
    };
    Ok(World {
        estates: settings.estates.iter().map(estate).collect::<anyhow::Result<_>>()?,
        sources,
        registries: None,
        source_code: None,
        clock,
        config: settings.digest.clone(),
        records_proven: false,
        memo: Arc::default(),
    })
}
