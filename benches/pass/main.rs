//! How long a pass takes and how much memory, as whole processes of the built program:
//!
//! ```sh
//! cargo bench --bench pass             # 5,000 services, 20,000 commits
//! cargo bench --bench pass -- --small  # 100 services, 500 commits
//! ```
//!
//! `cargo test --benches` runs the small one once, so that it cannot rot. It needs `git`; next to it
//! `benches/by-hand.sh` does for one service what a person would, where its programs are installed.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark prints, and ends where it goes wrong"
)]

mod forge;
#[path = "../common/measure.rs"]
mod measure;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/repo.rs"]
mod repo;
#[path = "../common/server.rs"]
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, ensure};

use forge::Forge;
use measure::{HEAD, now, row};
use process::{command, run};
use repo::{DAY_SECS, Size, remove};
use server::Server;

const FULL: Size = Size { services: 5_000, commits: 20_000 };
const SMALL: Size = Size { services: 100, commits: 500 };
/// How many deployments are under watch at once.
const DEPLOYMENTS: usize = 10;
/// How many services are red at once in an incident.
const RED: usize = 60;
/// How many pull requests are open, and how many where each answer takes as long as on a network.
const WAITING: [usize; 2] = [5, 20];
/// How long an answer takes there.
const ANSWER_MS: u64 = 50;
/// How many environments share the repository where there are many.
const ENVIRONMENTS: usize = 100;
/// How long ago they went out; they are watched for half an hour.
const AGE_SECS: i64 = 15 * 60;

fn main() -> anyhow::Result<()> {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let small = has("--small") || !has("--bench");
    let times = if has("--bench") { [5, 20, 10, 10] } else { [1, 1, 1, 1] };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pass");
    fs::create_dir_all(&directory)?;
    let size = if small { SMALL } else { FULL };
    Bench::new(&directory, size)?.all(times)?;
    Bench::new(&directory, size)?.incident(times[2])?;
    // The same work on a long history and on a short one.
    for commits in [size.commits, 200] {
        Bench::new(&directory, Size { commits, ..size })?.follow(times[3], WAITING[0], 0)?;
    }
    // In the small run, a debug build, opening so many would take a minute.
    let waiting = if small { WAITING[0] } else { WAITING[1] };
    Bench::new(&directory, Size { commits: 200, ..size })?.follow(times[3], waiting, ANSWER_MS)
}

/// A repo, a server and a configuration.
struct Bench {
    directory: tempfile::TempDir,
    size: Size,
    server: Arc<Server>,
}

impl Bench {
    fn new(kept: &Path, size: Size) -> anyhow::Result<Self> {
        let base = repo::base(kept, size, now()?)?;
        let directory = tempfile::tempdir_in(kept)?;
        let origin = directory.path().join("env.git");
        today(&base, &origin, size)?;
        let server = Server::start(size.services, directory.path().to_owned())?;
        let bench = Self { directory, size, server };
        fs::write(
            bench.at("backout.yaml"),
            bench.server.config("  production: {branch: main, mode: auto}\n"),
        )?;
        let many = |environment: &dyn Fn(usize) -> String| {
            bench.server.config(&(0..ENVIRONMENTS).map(environment).collect::<String>())
        };
        let one_branch = many(&|n| {
            format!("  e{n:02}: {{branch: main, mode: auto, paths: [\"apps/*-??{n:02}/production/**\"]}}\n")
        });
        fs::write(bench.at("one-branch.yaml"), one_branch.replace("{environment}", "production"))?;
        let own_branches = many(&|n| format!("  e{n:02}: {{branch: e{n:02}, mode: auto}}\n"));
        fs::write(bench.at("own-branches.yaml"), own_branches.replace("{environment}", "production"))?;
        let by_hand = bench.at("by-hand.git");
        run(command("git").args(["clone", "-q", "--bare", "--local"]).args([&origin, &by_hand]))?;
        let url = format!("http://{}/env.git", bench.server.address);
        run(command("git").args(["remote", "set-url", "origin", &url]).current_dir(&by_hand))?;
        Ok(bench)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn pass(&self) -> Command {
        self.pass_with("backout.yaml")
    }

    fn pass_with(&self, config: &str) -> Command {
        let mut pass = command(env!("CARGO_BIN_EXE_backout"));
        pass.args(["run", "--once", "--config"]).arg(self.at(config));
        pass
    }

    /// What a person would do for one service.
    fn by_hand(&self) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/by-hand.sh");
        let mut by_hand = command("bash");
        by_hand.arg(script).arg(self.at("by-hand.git")).arg(repo::values_path(0, "production"));
        by_hand.arg(repo::service(0)).arg(format!("http://{}", self.server.address));
        by_hand
    }

    fn row(
        &self,
        name: &str,
        times: usize,
        expected: (i32, &str),
        make: impl Fn() -> Command,
        before: impl Fn() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        row(&self.server, (name, times), expected, make, before)
    }

    fn all(&self, [first, warm, watched, reverting]: [usize; 4]) -> anyhow::Result<()> {
        let (origin, cache, kept) = (self.at("env.git"), self.at("cache"), self.at("cache.kept"));
        let nothing = || Ok(());
        println!("{} services, {} commits\n\n{HEAD}", self.size.services, self.size.commits);
        let start = || {
            let mut start = command(env!("CARGO_BIN_EXE_backout"));
            start.arg("--version");
            start
        };
        self.row("starting and ending (`--version`)", warm, (0, "backout"), start, nothing)?;
        // Nobody has watched what was deployed in the last day: that is told once, before anything is measured.
        for config in ["backout.yaml", "one-branch.yaml"] {
            self.pass_with(config).output()?;
        }
        self.row("first pass, clone included", first, (0, "nothing new"), || self.pass(), || remove(&cache))?;
        let young = "warm pass, nothing new, first day of the cache";
        self.row(young, warm, (0, "nothing new"), || self.pass(), nothing)?;
        copy(&cache, &kept)?;
        has_run_for_days(&cache, &origin)?;
        self.row("warm pass, nothing new", warm, (0, "nothing new"), || self.pass(), nothing)?;
        // The deployments below are to count as landed a while ago: so the agent must not know when it looked before.
        forget_looks(&kept)?;
        forget_recorded_looks(&origin)?;
        let name = format!("the same, {ENVIRONMENTS} environments on that branch");
        self.row(&name, warm, (0, "nothing new"), || self.pass_with("one-branch.yaml"), nothing)?;
        remove(&cache)?;
        copy(&kept, &cache)?;
        let by_hand = self.tools_by_hand()?;
        if by_hand {
            self.row(
                "by hand, one service, nothing new",
                warm,
                (0, "no deployment"),
                || self.by_hand(),
                nothing,
            )?;
        }

        let quiet = tip(&origin)?;
        let at = now()? - AGE_SECS;
        let deployments: Vec<(usize, i64)> = (0..DEPLOYMENTS).map(|n| (n * 9, at)).collect();
        repo::deploy(&origin, &deployments, 2_000_000)?;
        let head = tip(&origin)?;
        forget_recorded_looks(&origin)?;
        let told = notes(&origin)?;
        let restore = || {
            remove(&cache)?;
            copy(&kept, &cache)?;
            git(&origin, &["update-ref", "refs/heads/main", &head])?;
            for name in notes(&origin)?.keys().filter(|name| !told.contains_key(*name)) {
                git(&origin, &["update-ref", "-d", name])?;
            }
            told.iter().try_for_each(|(name, tip)| git(&origin, &["update-ref", name, tip]))
        };
        let name = format!("pass with {DEPLOYMENTS} new deployments");
        let words = format!("{DEPLOYMENTS} deployments");
        let first = format!("the first with {DEPLOYMENTS} new deployments, which fetches 90 days");
        self.row(&first, reverting, (0, &words), || self.pass(), restore)?;
        // From then on the cache is as deep as a revert needs it.
        remove(&kept)?;
        copy(&cache, &kept)?;
        forget_looks(&kept)?;
        self.row(&name, watched, (0, &words), || self.pass(), restore)?;
        if by_hand {
            self.row("by hand, one service, deployed", watched, (0, "errors"), || self.by_hand(), nothing)?;
        }
        self.server.fail([(0, at + 120)]);
        self.row("pass that reverts one of them", reverting, (3, "reverted by"), || self.pass(), restore)?;
        ensure!(tip(&origin)? != head, "there is no revert on the branch");
        // Last, as each environment tells what nobody has watched in its branch, and leaves as many notes. In the small run, a
        // debug build, telling what nobody has watched on each branch would take minutes.
        if self.size.commits > 1_000 { self.on_many_branches(&quiet, warm) } else { Ok(()) }
    }

    /// As many branches as environments, each at the same commit.
    fn on_many_branches(&self, commit: &str, times: usize) -> anyhow::Result<()> {
        let (origin, cache) = (self.at("env.git"), self.at("cache"));
        for n in 0..ENVIRONMENTS {
            git(&origin, &["update-ref", &format!("refs/heads/e{n:02}"), commit])?;
        }
        let pass = || self.pass_with("own-branches.yaml");
        // The branches are fetched once before they are measured.
        ensure!(matches!(pass().output()?.status.code(), Some(0 | 4)));
        has_run_for_days(&cache, &origin)?;
        let name = format!("nothing new, {ENVIRONMENTS} environments on as many branches");
        self.row(&name, times, (0, "nothing new"), pass, || Ok(()))
    }

    /// Many services red at once.
    fn incident(&self, times: usize) -> anyhow::Result<()> {
        let (origin, cache, kept) = (self.at("env.git"), self.at("cache"), self.at("cache.kept"));
        // It tells what nobody has watched in the last day.
        self.pass().output()?;
        let at = now()? - AGE_SECS;
        let red: Vec<(usize, i64)> = (0..RED).map(|n| (n, at)).collect();
        repo::deploy(&origin, &red, 4_000_000)?;
        forget_looks(&cache)?;
        forget_recorded_looks(&origin)?;
        copy(&cache, &kept)?;
        self.server.fail(red.iter().map(|(service, at)| (*service, at + 120)));
        let told = notes(&origin)?;
        let restore = || {
            remove(&cache)?;
            copy(&kept, &cache)?;
            told.iter().try_for_each(|(name, tip)| git(&origin, &["update-ref", name, tip]))
        };
        let name = format!("pass in which {RED} services are red: an incident");
        self.row(&name, times, (4, "INCIDENT"), || self.pass(), restore)
    }

    /// Pull requests that wait for a person.
    fn follow(&self, times: usize, waiting: usize, answer_ms: u64) -> anyhow::Result<()> {
        let origin = self.at("env.git");
        let forge = Forge::start(origin.clone())?;
        let environment = "  production: {branch: main, mode: propose, delivery: pull-request, budget: {max_reverts: 99, incident_services: 99}}\n";
        let url = format!("http://{}/api/v1", forge.address);
        let config = self.server.config(environment)
            + &format!(
                "policies: {{default: {{watch: 3h}}}}\nforge: {{kind: gitea, url: \"{url}\", repository: o/r, auth: {{kind: token, token: {{env: BENCH_TOKEN}}}}}}\n"
            );
        fs::write(self.at("propose.yaml"), config)?;
        let pass = || {
            let mut pass = self.pass_with("propose.yaml");
            pass.env("BENCH_TOKEN", "token");
            pass
        };
        pass().output()?;
        forge.take_requests();
        pass().output()?;
        let quiet = forge.take_requests();
        forget_looks(&self.at("cache"))?;
        forget_recorded_looks(&origin)?;
        // One every seven minutes, so that each is to blame for its own damage.
        let begin = now()? - 420 * i64::try_from(waiting)? - 900;
        let bad: Vec<(usize, i64)> =
            (0..waiting).zip((begin..).step_by(420)).map(|(n, at)| (n * 9, at)).collect();
        repo::deploy(&origin, &bad, 5_000_000)?;
        self.server.fail(bad.iter().map(|(service, at)| (*service, at + 60)));
        let first = pass().output()?;
        ensure!(forge.count() == waiting, "{} pull requests\n{first:?}", forge.count());
        let opening = forge.take_requests();
        ensure!(pass().output()?.status.success(), "a pass that follows failed");
        let following = forge.take_requests();
        forge.answer_after(answer_ms);
        let commits = self.size.commits;
        let after = if answer_ms > 0 { format!(", {answer_ms} ms an answer") } else { String::new() };
        let name = format!("pass that follows {waiting} open pull requests, {commits} commits{after}");
        let name = format!(
            "{name}; requests to the forge: {following}, to open them {opening}, without any {quiet}"
        );
        self.row(&name, times, (0, "proposed as"), pass, || Ok(()))
    }

    /// Whether the programs that the script needs are there.
    fn tools_by_hand(&self) -> anyhow::Result<bool> {
        let output = self.by_hand().output()?;
        if output.status.code() == Some(127) {
            println!(
                "| by hand: left out, {} | | | | | | | | | |",
                String::from_utf8_lossy(&output.stdout).trim()
            );
            return Ok(false);
        }
        Ok(true)
    }
}

/// The repo of one run: the base, and a bot's commits since midnight until two hours ago.
fn today(base: &Path, at: &Path, size: Size) -> anyhow::Result<()> {
    repo::copy(base, at)?;
    let now = now()?;
    let midnight = now - now.rem_euclid(DAY_SECS);
    let times: Vec<i64> = (0..).map(|n| midnight + n * 1_500).take_while(|at| *at < now - 7_200).collect();
    let indices = (0..times.len()).map(|n| (n * 37) % size.services);
    repo::deploy(at, &indices.zip(times).collect::<Vec<_>>(), 1_000_000)
}

fn git(repo: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    run(command("git").args(arguments).current_dir(repo))
}

fn tip(repo: &Path) -> anyhow::Result<String> {
    let output = command("git").args(["rev-parse", "refs/heads/main"]).current_dir(repo).output()?;
    Ok(String::from_utf8(output.stdout).context("an id that is no text")?.trim().to_owned())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    run(command("cp").arg("-a").args([from, to]))
}

/// The refs of the notes in a repository, each with the commit that it is at.
fn notes(origin: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = command("git");
    found.args(["for-each-ref", "--format=%(refname) %(objectname)", "refs/notes"]).current_dir(origin);
    let output = String::from_utf8(found.output()?.stdout)?;
    let pair = |line: &str| line.split_once(' ').map(|(name, tip)| (name.to_owned(), tip.to_owned()));
    Ok(output.lines().filter_map(pair).collect())
}

/// Makes of a cache that of an agent that has looked at the branches two days ago too. In its first day an agent reads the notes on
/// the newest commits as well: others may tell there when these landed.
fn has_run_for_days(cache: &Path, origin: &Path) -> anyhow::Result<()> {
    let then = now()? - 2 * DAY_SECS;
    let mut tip = command("git");
    tip.args(["rev-list", "-1", &format!("--before={then}"), "refs/heads/main"]).current_dir(origin);
    let tip = String::from_utf8(tip.output()?.stdout)?;
    for path in looks(cache)? {
        let text = fs::read_to_string(&path)?;
        let branches: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').nth(4)).collect();
        let line = |branch: &str| format!("seen {} {then} {then} {branch}\n", tip.trim());
        let earlier: String = branches.into_iter().map(line).collect();
        fs::write(&path, format!("{earlier}{text}"))?;
    }
    Ok(())
}

/// Removes what a cache remembers of when the branches were seen.
fn forget_looks(cache: &Path) -> anyhow::Result<()> {
    looks(cache)?.iter().try_for_each(|path| Ok(fs::remove_file(path)?))
}

/// The files in which a cache remembers when the branches were seen.
fn looks(cache: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let all: Vec<PathBuf> =
        fs::read_dir(cache)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    Ok(all.into_iter().filter(|path| path.to_string_lossy().ends_with(".seen")).collect())
}

/// Removes the records of looks from the notes, and keeps the others.
fn forget_recorded_looks(origin: &Path) -> anyhow::Result<()> {
    notes(origin)?.keys().try_for_each(|name| forget_looks_in(origin, name))
}

fn forget_looks_in(origin: &Path, name: &str) -> anyhow::Result<()> {
    let notes = |arguments: &[&str]| {
        let mut notes = command("git");
        notes.args(["notes", "--ref", name]).args(arguments).current_dir(origin);
        notes
    };
    let list = String::from_utf8(notes(&["list"]).output()?.stdout)?;
    for commit in list.lines().filter_map(|line| line.split(' ').nth(1)) {
        let note = String::from_utf8(notes(&["show", commit]).output()?.stdout)?;
        let kept: String = note
            .lines()
            .filter(|line| !line.contains("\"kind\":\"seen\""))
            .map(|line| format!("{line}\n"))
            .collect();
        if kept.len() < note.len() {
            let file = origin.join("note");
            fs::write(&file, kept)?;
            run(notes(&["add", "--allow-empty", "-f", "-F"]).arg(&file).arg(commit))?;
        }
    }
    Ok(())
}
