//! A day of many deployments, through the program's own adapters, on a clock that is set: what it leaves in the repo and in the
//! cache, and how long a pass takes in its first hours and in its last.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use backout::adapters::git::GitRepository;
use backout::adapters::metrics;
use backout::agent::{Estate, Intent, Source, Stop, World, pass};
use backout::config::{self, Settings};
use backout::domain::time::Time;
use backout::ports::Clock;

use crate::measure::now;
use crate::process::command;
use crate::repo::{self, DAY_SECS, Size};
use crate::server::Server;

/// How far apart passes are: a cron job's.
const PASS_SECS: i64 = 300;
/// How many of the deployments make things worse, from two minutes after them on.
const BAD: usize = 5;
/// The repo on the morning of the day.
const SIZE: Size = Size { services: 500, commits: 20_000 };

struct Set(AtomicI64);

impl Clock for Set {
    fn now(&self) -> Time {
        Time::from_unix(self.0.load(Ordering::SeqCst))
    }
}

/// Simulates the day and prints what came of it.
#[expect(clippy::disallowed_methods, reason = "measuring time is what this is for")]
pub(crate) fn measure(kept: &Path, deployments: usize) -> anyhow::Result<()> {
    let size = if deployments < 1_000 { Size { services: 50, commits: 500 } } else { SIZE };
    let base = repo::base(kept, size, now()?)?;
    let directory = tempfile::tempdir_in(kept)?;
    let (origin, cache) = (directory.path().join("env.git"), directory.path().join("cache"));
    repo::copy(&base, &origin)?;
    let server = Server::start(size.services, directory.path().to_owned())?;
    let file = directory.path().join("backout.yaml");
    let environments = "  production: {branch: main, mode: auto, budget: {max_reverts: 100}}\n";
    fs::write(&file, server.config(environments))?;
    let settings = config::load(&[file], &|_| None).map_err(|errors| anyhow::anyhow!("{errors}"))?;
    let runtime = tokio::runtime::Runtime::new()?;
    // The base ends at the last midnight.
    let midnight = now()? - now()?.rem_euclid(DAY_SECS);
    let clock = Arc::new(Set(AtomicI64::new(midnight)));
    let world = runtime.block_on(async { connect(&settings, Arc::<Set>::clone(&clock)) })?;
    let one_pass = |at: i64| {
        clock.0.store(at, Ordering::SeqCst);
        let started = Instant::now();
        let report = runtime.block_on(Box::pin(pass(&world, Intent::Act, &Stop::default())))?;
        let problems = report.environments.iter().flat_map(|one| &one.problems).next();
        ensure!(problems.is_none(), "{problems:?}");
        if report.acted() {
            // The good version is back.
            server.fail([]);
        }
        anyhow::Ok(started.elapsed())
    };
    // The first pass clones, and tells what nobody has watched.
    one_pass(midnight)?;
    let sizes = || anyhow::Ok((kib(&origin)?, kib(&cache)?));
    let before = sizes()?;
    let step_secs = DAY_SECS / i64::try_from(deployments)?;
    let mut walls = Vec::new();
    let (mut next, mut bad) = (0, 0);
    for at in (midnight + PASS_SECS..=midnight + DAY_SECS).step_by(PASS_SECS as usize) {
        let time_of = |nth: usize| midnight + nth as i64 * step_secs;
        let due = next..(next..deployments).find(|nth| time_of(*nth) >= at - 60).unwrap_or(deployments);
        let landed: Vec<(usize, i64)> =
            due.clone().map(|nth| (nth * 7 % size.services, time_of(nth))).collect();
        if !landed.is_empty() {
            repo::deploy(&origin, &landed, 3_000_000 + walls.len())?;
        }
        if let Some(nth) = due.clone().find(|nth| nth % (deployments / BAD) == deployments / BAD / 2) {
            let (service, at) = landed[nth - next];
            bad += 1;
            server.fail([(service, at + 120)]);
        }
        next = due.end;
        walls.push(one_pass(at)?);
    }
    let after = sizes()?;
    let reverts = count(&origin, &["log", "--format=%H", "--author=backout", "main"])?;
    println!(
        "\nA day: {deployments} deployments in a repo of {} commits, a pass each {PASS_SECS} s, {bad} bad\n",
        size.commits
    );
    println!("| | in the first 4 hours | in the last 4 hours |\n|---|---|---|");
    let (first, last) = (median(walls.get(..48)), median(walls.get(walls.len() - 48..)));
    println!("| a pass, median ms | {first:.0} | {last:.0} |");
    println!("| the repo, KiB | {} | {} |", before.0, after.0);
    println!("| the cache, KiB | {} | {} |", before.1, after.1);
    println!("| reverts | 0 | {reverts} |");
    ensure!(reverts == bad, "{bad} deployments were bad, and there are {reverts} reverts");
    let of_notes = packed(&origin)?;
    println!("| records, packed, bytes a deployment | | {} |", of_notes / deployments.max(1));
    Ok(())
}

fn connect(settings: &Settings, clock: Arc<dyn Clock>) -> anyhow::Result<World> {
    let estate = settings.estates.first().context("no repository")?;
    let repository = GitRepository::open(estate.repository.clone(), tokio::runtime::Handle::current())?;
    let mut sources = std::collections::BTreeMap::new();
    for (name, options) in &settings.sources {
        let source = metrics::connect(options)?;
        sources.insert(name.clone(), Source::new(Arc::from(source), std::slice::from_ref(&estate.name)));
    }
    let environments = estate.environments.iter().cloned().map(Arc::new).collect();
    let estate =
        Estate { name: estate.name.clone(), repository: Arc::new(repository), forge: None, environments };
    Ok(World {
        estates: vec![Arc::new(estate)],
        sources,
        registries: None,
        source_code: None,
        clock,
        config: settings.digest.clone(),
        records_proven: false,
        memo: Arc::default(),
    })
}

fn median(walls: Option<&[Duration]>) -> f64 {
    let mut walls = walls.unwrap_or_default().to_vec();
    walls.sort();
    walls.get(walls.len() / 2).map_or(0.0, |wall| wall.as_secs_f64() * 1e3)
}

/// The size of a directory on the disk, in KiB.
fn kib(directory: &Path) -> anyhow::Result<u64> {
    let output = command("du").args(["-sk"]).arg(directory).output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split_whitespace().next().context("du printed nothing")?.parse()?)
}

fn count(repo: &Path, arguments: &[&str]) -> anyhow::Result<usize> {
    let output = command("git").args(arguments).current_dir(repo).output()?;
    Ok(String::from_utf8(output.stdout)?.lines().count())
}

/// The size of a pack of all that the refs of records lead to and the branch does not.
fn packed(repo: &Path) -> anyhow::Result<usize> {
    let mut pack = command("bash");
    pack.args([
        "-c",
        "git for-each-ref --format='%(objectname)' refs/notes | git pack-objects --revs --stdout -q | wc -c",
    ]);
    let output = pack.current_dir(repo).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
