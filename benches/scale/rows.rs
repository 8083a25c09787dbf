//! One process for many repos: passes as whole processes beside a script that does some of it, and a daemon.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::ensure;

use crate::daemon::{Daemon, now, passes};
use crate::fleet::{Fleet, Size, two_days_ago};
use crate::measure::{HEAD, now as unix_now, row};
use crate::process::{command, run};
use crate::sample::Sample;

/// How long ago the deployments under watch went out, in seconds.
const AGE_SECS: i64 = 15 * 60;

/// Prints the tables.
pub(crate) fn measure(kept: &Path, size: Size, times: usize) -> anyhow::Result<()> {
    let fleet = Fleet::new(kept, size, two_days_ago()?)?;
    let Size { repos, services, commits } = size;
    println!("{repos} repos, {} services, {commits} commits in each repo\n\n{HEAD}", repos * services);
    let nothing = || Ok(());
    let pass = || pass(&fleet);
    let each = |name: &str, times, expected, before: &dyn Fn() -> anyhow::Result<()>| {
        row(&fleet.server, (name, times), expected, pass, before)
    };
    each("first pass, clones included", times.div_ceil(5), (0, "nothing new"), &|| fleet.forget())?;
    each("quiet pass", times, (0, "nothing new"), &nothing)?;
    let clones = fleet.at("clones");
    fs::create_dir_all(&clones)?;
    for nth in 0..repos {
        let clone = clones.join(format!("r{nth:02}.git"));
        run(command("git")
            .args(["clone", "-q", "--bare", "--local"])
            .args([fleet.origin(nth), clone.clone()]))?;
        let url = format!("http://{}/r{nth:02}.git", fleet.server.address);
        run(command("git").args(["remote", "set-url", "origin", &url]).current_dir(&clone))?;
    }
    let by_hand = || {
        let mut script = command("bash");
        script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/by-hand-many.sh")).arg(&clones);
        script.arg(fleet.server.address.to_string());
        script
    };
    let script = |name: &str, words: &str| row(&fleet.server, (name, times), (0, words), by_hand, nothing);
    script("script: fetch all, nothing new", "deployments: 0")?;
    daemon(&fleet, "nothing new", times)?;
    for (version, watched) in [(1, repos.div_ceil(5)), (2, repos)] {
        // The branches end with the deployments of now alone.
        fleet.forget()?;
        let at = unix_now()? - AGE_SECS;
        fleet.deploy(watched, at, version)?;
        ensure!(pass().output()?.status.success(), "the first pass with deployments failed");
        let words = format!("{watched} deployments");
        each(
            &format!("pass with {watched} deployments under watch, one in a repo"),
            times,
            (0, ""),
            &nothing,
        )?;
        script(&format!("script: the same {watched}"), &words.replace(" deployments", ""))?;
        daemon(&fleet, &format!("{watched} under watch"), times)?;
    }
    fleet.server.fail([(fleet.service(0, 3), unix_now()? - AGE_SECS + 120)]);
    each("pass that reverts one of them", 1, (3, "reverted by"), &nothing)?;
    ensure!(fleet.reverts()? == 1, "there is no revert");
    Ok(())
}

fn pass(fleet: &Fleet) -> Command {
    let mut pass = command(env!("CARGO_BIN_EXE_backout"));
    pass.args(["run", "--once", "--config"]).arg(fleet.at("backout.yaml"));
    pass.env("HOOK", crate::daemon::SECRET);
    pass
}

/// A daemon over all repos, woken so many times for all of them.
fn daemon(fleet: &Fleet, what: &str, times: usize) -> anyhow::Result<()> {
    let repos = fleet.size.repos;
    let mut daemon = Daemon::start(fleet.home(), repos)?;
    let (mut walls, mut before) = (Vec::new(), Sample::of(daemon.id())?);
    fleet.server.take_counts();
    for _ in 0..times {
        std::thread::sleep(std::time::Duration::from_millis(1_200));
        let goal = passes(&daemon.metrics()?) + repos;
        let begin = now();
        let answer = daemon.ask("POST /hooks/any", &Fleet::proof(), "")?;
        ensure!(answer.contains(&format!("passes that begin sooner: {repos}")), "{answer}");
        while passes(&daemon.metrics()?) < goal {
            ensure!(begin.elapsed() < crate::daemon::PATIENCE, "the passes do not end");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        walls.push(begin.elapsed());
    }
    let (after, asked) = (Sample::of(daemon.id())?, fleet.server.take_counts());
    walls.sort();
    let cpu_ms = (after.cpu.saturating_sub(std::mem::take(&mut before).cpu)).as_secs_f64() * 1e3;
    let times = times as f64;
    println!(
        "| daemon, woken for all: {what} | {} | **{}** | {} | {:.0} | {} MiB | {} MiB | {:.0} | {:.0} | {} |",
        walls[0].as_millis(),
        walls[walls.len() / 2].as_millis(),
        walls[walls.len() - 1].as_millis(),
        cpu_ms / times,
        after.peak_kib.div_ceil(1024),
        after.own_kib.div_ceil(1024),
        asked.requests as f64 / times,
        asked.git_requests as f64 / times,
        walls.len()
    );
    daemon.end()
}
