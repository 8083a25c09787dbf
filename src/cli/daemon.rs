//! The daemon: passes until it is asked to stop, a server where the configuration has one, and the configuration read again when it
//! changes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use super::common::Common;
use super::world;
use crate::adapters::clock::SystemClock;
use crate::adapters::kubernetes::{KubernetesLeases, LeaseOptions};
use crate::agent::{Estate, Event, PassReport, Share, Stop, Wakes, World, wait_for};
use crate::config::{EstateSettings, Settings};
use crate::domain::lease::Terms;
use crate::ports::{Clock, MetricSource, RepositoryError};
use crate::serve::{Board, CountedSource, Routes, Served, Server, Sleeper};

/// How often it is looked whether a file of the configuration has changed, in seconds. Kubernetes takes up to a minute to show a changed
/// ConfigMap or Secret in a volume.
const LOOK_SECS: u64 = 5;

/// A configuration that can be used, and all that it connects.
struct Prepared {
    settings: Settings,
    /// Its files as they were before they were read.
    marks: Marks,
    world: World,
    wakes: Wakes,
}

/// What the daemon keeps when the configuration changes.
struct Daemon {
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
    server: Option<Serving>,
    sharing: Sharing,
}

/// Which environments are this process's, and by which leases.
#[derive(Default)]
struct Sharing {
    share: Share,
    /// The leases as the configuration has them, and what keeps them.
    kept: Option<(LeaseOptions, Stop, JoinHandle<()>)>,
}

/// A server that answers.
struct Serving {
    /// Where the configuration has it, and where it listens: they differ where the port is 0.
    addresses: [SocketAddr; 2],
    routes: Routes,
    /// What ends it.
    end: Stop,
}

/// Runs until asked to stop. Each pass is handed to `seen` with its estate and what is news in it.
pub(super) async fn watch(
    common: &Common,
    stop: &Stop,
    seen: impl Fn(&Estate, &[Event], Result<PassReport, RepositoryError>),
) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let board = Arc::new(Board::new(Arc::clone(&clock)));
    let mut hangup = signal(SignalKind::hangup())?;
    let mut current = prepare(common, &board)?;
    let mut daemon = Daemon { board, clock, server: None, sharing: Sharing::default() };
    daemon.adopt(&current).await?;
    loop {
        let (board, until) = (Arc::clone(&daemon.board), Stop::default());
        let share = daemon.sharing.share.clone();
        let control = async {
            let next = daemon.next(common, &current, (&mut hangup, stop)).await;
            // A pass that has begun a change finishes it.
            until.set();
            next
        };
        let (next, ()) = tokio::join!(control, pass(&board, &current, (&until, &share), &seen));
        let Some(next) = next else { break };
        tracing::info!("the configuration has changed, and is in use");
        current = next;
    }
    // What was begun is finished by now.
    daemon.sharing.end().await;
    if let Some(server) = &daemon.server {
        server.end.set();
    }
    Ok(())
}

/// Reads the configuration, and connects what it names.
fn prepare(common: &Common, board: &Arc<Board>) -> anyhow::Result<Prepared> {
    // What changes while it is read is seen as a change afterwards: which files there are is known after a first look.
    let marks = marks(&world::settings(common)?.files);
    let settings = world::settings(common)?;
    let counted = |source| Arc::new(CountedSource::new(source, Arc::clone(board))) as Arc<dyn MetricSource>;
    let world = world::connect_with(&settings, counted)?;
    let wakes = Wakes::of(&world);
    Ok(Prepared { settings, marks, world, wakes })
}

/// Passes until asked to stop.
async fn pass(
    board: &Board,
    current: &Prepared,
    (until, share): (&Stop, &Share),
    seen: impl Fn(&Estate, &[Event], Result<PassReport, RepositoryError>),
) {
    let (world, interval_secs) = (&current.world, current.settings.interval_secs);
    tracing::info!(environments = world.environments().count(), interval_secs, "watching");
    let each = |estate: &Estate, passed: Result<PassReport, RepositoryError>| {
        let events = board.passed(&estate.name, &passed);
        seen(estate, &events, passed);
    };
    crate::agent::run(world, interval_secs, (until, &current.wakes, share), each).await;
}

impl Daemon {
    /// Waits until the configuration is another one that can be used, and adopts it. None when asked to stop. One that cannot be used is
    /// told, and changes nothing.
    async fn next(
        &mut self,
        common: &Common,
        current: &Prepared,
        (hangup, stop): (&mut Signal, &Stop),
    ) -> Option<Prepared> {
        let (mut known, files) = (current.marks.clone(), &current.settings.files);
        let mut told: Option<String> = None;
        loop {
            tokio::select! {
                () = stop.wait() => return None,
                _ = hangup.recv() => known = marks(files),
                () = wait_for(Duration::from_secs(LOOK_SECS), stop) => {
                    let now = marks(files);
                    // What is broken may need a file that this configuration does not name.
                    if now == known && told.is_none() {
                        continue;
                    }
                    known = now;
                }
            }
            let adopted = match prepare(common, &self.board) {
                Ok(next) => self.adopt(&next).await.map(|()| next),
                Err(error) => Err(error),
            };
            match adopted {
                Ok(next) => return Some(next),
                Err(error) => {
                    let error = format!("{error:#}");
                    if told.as_ref() != Some(&error) {
                        tracing::error!(%error, "the configuration has changed, and cannot be used: the one before it stays in use");
                    }
                    self.board.not_configured(&error);
                    told = Some(error);
                }
            }
        }
    }

    /// Has the server answer by a configuration.
    async fn adopt(&mut self, next: &Prepared) -> anyhow::Result<()> {
        let options = next.settings.server.as_ref();
        match (options, &self.server) {
            (Some(options), Some(server)) if server.addresses.contains(&options.listen) => {
                server.routes.replace(options, self.served(next));
            }
            (Some(options), _) => {
                // The new one listens before the old one ends: where it cannot, nothing has changed.
                let bound = Server::bind(options.listen).await;
                let bound = bound.with_context(|| format!("cannot listen at {}", options.listen))?;
                let addresses = [options.listen, bound.address()?];
                tracing::info!(address = %addresses[1], "listening");
                let (routes, end) = (Routes::new(options, self.served(next)), Stop::default());
                tokio::spawn(bound.run(routes.clone(), end.clone()));
                self.end_server();
                self.server = Some(Serving { addresses, routes, end });
            }
            (None, _) => self.end_server(),
        }
        self.sharing.adopt(next.settings.leases.as_ref(), &self.clock).await;
        let (interval_secs, share) = (next.settings.interval_secs, self.sharing.share.clone());
        self.board.configured((interval_secs, share), next.settings.names());
        Ok(())
    }

    fn end_server(&mut self) {
        if let Some(server) = self.server.take() {
            server.end.set();
        }
    }

    fn served(&self, next: &Prepared) -> Served {
        Served {
            board: Arc::clone(&self.board),
            sleepers: next.settings.estates.iter().map(sleeper).collect(),
            wakes: next.wakes.clone(),
            clock: Arc::clone(&self.clock),
            world: next.world.clone(),
        }
    }
}

impl Sharing {
    /// Keeps the leases that the configuration has. Those that it had before are given back, where it has others.
    async fn adopt(&mut self, options: Option<&LeaseOptions>, clock: &Arc<dyn Clock>) {
        if self.kept.as_ref().map(|(kept, ..)| kept) == options {
            return;
        }
        self.end().await;
        let Some(options) = options else { return };
        let terms = Terms::of(options.expiry);
        // As client-go does, so that there is time for another try.
        let leases = KubernetesLeases::new(options.clone(), terms.deadline / 2, Arc::clone(clock));
        let me = options.me.clone().unwrap_or_else(|| format!("backout-{:016x}", fastrand::u64(..)));
        tracing::info!(name = options.name, shards = options.shards, me, "sharing the work by leases");
        let share = Share::leased(Arc::new(leases), &me, options.shards, terms);
        let (end, keeping) = (Stop::default(), share.clone());
        let until = end.clone();
        let keeper = tokio::spawn(async move { keeping.keep(&until).await });
        self.share = share;
        self.kept = Some((options.clone(), end, keeper));
    }

    /// Gives the leases back, so that another agent takes them at once.
    async fn end(&mut self) {
        self.share = Share::default();
        let Some((_, end, keeper)) = self.kept.take() else { return };
        end.set();
        if let Err(crash) = keeper.await {
            tracing::warn!(%crash, "the leases are not given back, and run out");
        }
    }
}

/// Whom a webhook about a repository wakes.
fn sleeper(estate: &EstateSettings) -> Sleeper {
    let branches = estate.environments.iter().map(|environment| environment.branch.clone());
    Sleeper { name: estate.name.clone(), path: estate.path_on_server.clone(), branches: branches.collect() }
}

/// What tells each file from another one that took its place.
type Marks = Vec<Option<(SystemTime, u64)>>;

fn marks(files: &[PathBuf]) -> Marks {
    let mark = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(mark).collect()
}
