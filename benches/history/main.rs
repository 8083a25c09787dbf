//! How fast the history of a repo with wide directories is read and searched for deployments, against
//! `git log -p --first-parent` on the same repo in the same run, as whole processes:
//!
//! ```sh
//! cargo bench --bench history             # 20,000 files in 10 directories, 1,000 to 16,000 commits
//! cargo bench --bench history -- --small  # 500 files, 60 to 960 commits
//! ```
//!
//! `cargo test --benches` runs the small one once, so that it cannot rot. It needs `git`.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[expect(dead_code, reason = "it prints no processor time")]
#[path = "../common/process.rs"]
mod process;
mod repo;
mod walk;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use process::{Run, command, measure};
use repo::{Shape, git};

/// The first directory alone.
const ONE: &str = "team-0/{service}.yaml";
/// Every file.
const ALL: &str = "{team}/{service}.yaml";
/// Of how many commits one changes a tracked file, where few do.
const ONE_IN: usize = 20;

/// The repo's size and how often each command is measured.
struct Size {
    files: usize,
    commits: usize,
    times: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, repo, pattern] = arguments.as_slice()
        && flag == "--walk"
    {
        return walk::walk(repo, pattern);
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let times = if has("--bench") { 9 } else { 1 };
    let size = if has("--small") || !has("--bench") {
        Size { files: 500, commits: 60, times }
    } else {
        Size { files: 20_000, commits: 1_000, times }
    };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("history");
    fs::create_dir_all(&directory)?;
    println!("{} files in {} directories, one pack\n\n{HEAD}", size.files, repo::DIRECTORIES);
    let shape =
        |factor, one_in| Shape { files: size.files, commits: size.commits * factor, one_in, large: false };
    for factor in [1, 4, 16] {
        compare(&directory, shape(factor, ONE_IN), ("one commit in 20", ONE), size.times)?;
    }
    for factor in [1, 4] {
        compare(&directory, shape(factor, 0), ("every commit", ALL), size.times)?;
    }
    let commits = size.commits;
    let large = Shape { files: 2 * repo::DIRECTORIES, commits, one_in: 0, large: true };
    let walk_ms = compare(&directory, large, ("every commit, files of 150 KB", ALL), size.times)?;
    let kilobytes = u32::try_from(2 * (commits - 1) * repo::large_bytes()? / 1_000)?;
    let megabytes = f64::from(kilobytes) / 1e3;
    println!(
        "\nfiles of 150 KB: {megabytes:.0} MB of text in both versions of what changed, {:.0} MB/s",
        megabytes / walk_ms * 1e3
    );
    Ok(())
}

const HEAD: &str = "\
| commits | that touch what is tracked | command | min ms | median ms | times as long | peak memory | without mapped files |
|---|---|---|---|---|---|---|---|";

/// Measures `git log` and our walk in turns, after both have said that they see the same.
/// Returns the median of the walk, in milliseconds.
fn compare(directory: &Path, shape: Shape, case: (&str, &str), times: usize) -> anyhow::Result<f64> {
    let repo = repo::repo(directory, shape)?;
    let (name, pattern) = case;
    let paths: &[&str] = if pattern == ONE { &["--", "team-0"] } else { &[] };
    let log = |paths: &[&str]| {
        let mut log = git(&repo);
        log.args(["log", "-p", "--first-parent", "main"]).args(paths);
        log
    };
    let ours = || -> anyhow::Result<Command> {
        let mut ours = command(std::env::current_exe()?);
        ours.arg("--walk").arg(&repo).arg(pattern);
        Ok(ours)
    };
    let of_git = changed_files(&mut log(paths))?;
    let said = measure(&mut ours()?, Stdio::piped())?.output;
    let said = String::from_utf8(said.stdout)?;
    let expected =
        format!("{} {of_git} {}", shape.commits, of_git.saturating_sub(shape_added(shape, pattern)));
    ensure!(said.trim() == expected, "we see {said:?}, and git {expected:?}");

    let mut rows: [Vec<Run>; 3] = Default::default();
    let [plain, limited, walked] = &mut rows;
    for _ in 0..times {
        plain.push(timed(&mut log(&[]))?);
        walked.push(timed(&mut ours()?)?);
        if !paths.is_empty() {
            limited.push(timed(&mut log(paths))?);
        }
    }
    let base = median_ms(walked);
    let limited_name = format!("git log -p --first-parent {}", paths.join(" "));
    for (command, runs) in [
        ("git log -p --first-parent", &plain),
        (&limited_name, &limited),
        ("the walk, with detection", &walked),
    ] {
        if runs.is_empty() {
            continue;
        }
        let median = median_ms(runs);
        let least = runs.iter().map(|run| run.wall.as_secs_f64() * 1e3).fold(f64::INFINITY, f64::min);
        let most = |kib: fn(&Run) -> u64| runs.iter().map(kib).max().unwrap_or(0).div_ceil(1024);
        let (peak, own) = (most(|run| run.memory_kib().0), most(|run| run.memory_kib().1));
        println!(
            "| {} | {name} | `{command}` | {least:.0} | **{median:.0}** | {:.1} | {peak} MiB | {own} MiB |",
            shape.commits,
            median / base
        );
    }
    Ok(base)
}

/// How many files the first commit adds that are tracked: those are changes, but no deployments.
fn shape_added(shape: Shape, pattern: &str) -> usize {
    if pattern == ONE { shape.files / repo::DIRECTORIES } else { shape.files }
}

/// How many changes of a file `git log -p` shows.
fn changed_files(log: &mut Command) -> anyhow::Result<usize> {
    let output = log.output()?;
    ensure!(output.status.success(), "git log failed");
    Ok(output.stdout.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"diff --git ")).count())
}

/// One measurement; the output goes nowhere, which is the fastest for both.
fn timed(command: &mut Command) -> anyhow::Result<Run> {
    let run = measure(command, Stdio::null())?;
    let stderr = String::from_utf8_lossy(&run.output.stderr);
    ensure!(run.output.status.success(), "{command:?} failed: {stderr}");
    Ok(run)
}

fn median_ms(runs: &[Run]) -> f64 {
    let mut walls: Vec<f64> = runs.iter().map(|run| run.wall.as_secs_f64() * 1e3).collect();
    walls.sort_by(f64::total_cmp);
    walls.get(walls.len() / 2).copied().context("no runs").unwrap_or(f64::NAN)
}
