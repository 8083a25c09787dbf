//! The time from a webhook to the revert on the branch. A daemon watches; a bad version is pushed of which the metrics show the damage
//! already, and a signed webhook of the push is sent. The benchmark measures from the first byte of the webhook until the bare repository
//! has the revert. The time until there is damage to see is not in it: that is a matter of the metrics' step.
//!
//! ```sh
//! cargo bench --bench hook             # 200 pushes; seven minutes after the build
//! cargo bench --bench hook -- --small  # 4 pushes
//! ```
//!
//! `cargo test --benches` makes the small one, so that it cannot rot.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[expect(dead_code, reason = "it looks at no process")]
#[path = "../common/daemon.rs"]
mod daemon;
#[path = "../common/command.rs"]
mod process;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use daemon::{Daemon, PATIENCE, SECRET, now, said};
use process::{command, run};

/// How long the daemon rests between two passes, and a bit.
const REST: Duration = Duration::from_millis(1_200);

/// How many environments a daemon watches: each has a branch of its own, and is pushed to once.
const ENVIRONMENTS: usize = 20;

fn main() -> anyhow::Result<()> {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let (rounds, pushes) = if has("--small") || !has("--bench") { (1, 4) } else { (10, ENVIRONMENTS) };
    let mut took = Vec::new();
    for _ in 0..rounds {
        took.extend(round(pushes)?);
    }
    took.sort();
    let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len() - 1)).copied();
    let millis = |time: Option<Duration>| time.unwrap_or_default().as_millis();
    println!("| pushes | median ms | p99 ms | most ms |\n|---|---|---|---|");
    println!(
        "| {} | **{}** | **{}** | {} |",
        took.len(),
        millis(at(50)),
        millis(at(99)),
        millis(took.last().copied())
    );
    Ok(())
}

/// One daemon, and so many pushes: the time from the webhook to the revert of each.
fn round(pushes: usize) -> anyhow::Result<Vec<Duration>> {
    let directory = tempfile::tempdir()?;
    let home = directory.path();
    prepare(home)?;
    let mut daemon = Daemon::start(home, 1)?;
    let mut took = Vec::new();
    for number in 0..pushes {
        std::thread::sleep(REST);
        let bad = push(home, number)?;
        let begin = now();
        tell(&daemon, number)?;
        while tip(home, number)? == bad {
            ensure!(begin.elapsed() < PATIENCE, "no revert of push {number}: {}", said(home)?);
            std::thread::sleep(Duration::from_millis(1));
        }
        took.push(begin.elapsed());
    }
    daemon.end()?;
    Ok(took)
}

#[expect(clippy::disallowed_methods, reason = "the program under test reads the same clock")]
fn unix_now() -> anyhow::Result<i64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_secs())?)
}

fn git(home: &Path, minutes_ago: i64, arguments: &[&str]) -> anyhow::Result<()> {
    let at = format!("{} +0000", unix_now()? - minutes_ago * 60);
    let identity = ["-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgSign=false"];
    let mut git = command("git");
    git.arg("-C").arg(home.join("people")).args(identity).args(arguments);
    run(git.env("GIT_AUTHOR_DATE", &at).env("GIT_COMMITTER_DATE", &at).stdout(Stdio::null()))
}

/// A bare repository with a branch, people who push to it, metrics with damage, and a configuration.
fn prepare(home: &Path) -> anyhow::Result<()> {
    run(command("git").args(["init", "-q", "--bare", "-b", "main"]).arg(home.join("env.git")))?;
    run(command("git").args(["init", "-q", "-b", "main"]).arg(home.join("people")))?;
    let file = values(home);
    std::fs::create_dir_all(file.parent().context("a directory")?)?;
    std::fs::write(&file, "image: {tag: v1}\n")?;
    git(home, 90, &["add", "-A"])?;
    git(home, 90, &["commit", "-q", "-m", "Begin"])?;
    let bare = home.join("env.git").display().to_string();
    git(home, 90, &["remote", "add", "origin", &bare])?;
    git(home, 90, &["push", "-q", "origin", "main"])?;
    let mut samples = "timestamp,metric,service,value\n".to_owned();
    let now = unix_now()?;
    // An hour ahead, so that there are samples for as long as the benchmark runs.
    for step in -120..120_i64 {
        let value = if step > -22 { 0.3 } else { 0.001 };
        writeln!(samples, "{},errors,web,{value}", now + step * 30)?;
    }
    std::fs::write(home.join("metrics.csv"), samples)?;
    let mut environments = String::new();
    for number in 0..ENVIRONMENTS {
        writeln!(environments, "  env-{number}: {{branch: env-{number}, mode: auto}}")?;
    }
    std::fs::write(
        home.join("backout.yaml"),
        format!(
            "repository: {{url: {bare}}}\nenvironments:\n{environments}metrics:\n  file: {{kind: csv, path: metrics.csv}}\n\
             signals:\n  errors: {{query: 'errors{{service=\"{{{{ service }}}}\"}}', kind: error-ratio, above: 5%, for: 1m, step: 30s}}\n\
             policies:\n  default: {{settle: 60s, watch: 40m, baseline: 30m}}\n\
             services:\n  - {{pattern: \"apps/{{service}}/**\"}}\n\
             run:\n  interval: 1h\n  listen: 127.0.0.1:0\n  hooks: {{push: {{sender: github, secret: {{env: HOOK}}}}}}\n"
        ),
    )?;
    Ok(())
}

fn values(home: &Path) -> PathBuf {
    home.join("people/apps/web/values.yaml")
}

/// Pushes a branch with a bad version that was committed twelve minutes ago. Returns its commit.
fn push(home: &Path, number: usize) -> anyhow::Result<String> {
    let branch = format!("env-{number}");
    git(home, 12, &["checkout", "-q", "-B", &branch, "main"])?;
    std::fs::write(values(home), "image: {tag: v2}\n")?;
    git(home, 12, &["commit", "-q", "-a", "-m", "Deploy v2"])?;
    git(home, 12, &["push", "-q", "origin", &branch])?;
    tip(home, number)
}

/// The commit at the tip of a branch of the bare repository.
fn tip(home: &Path, number: usize) -> anyhow::Result<String> {
    let bare = home.join("env.git");
    let loose = bare.join(format!("refs/heads/env-{number}"));
    Ok(std::fs::read_to_string(loose)?.trim().to_owned())
}

/// Sends the webhook of a push.
fn tell(daemon: &Daemon, number: usize) -> anyhow::Result<()> {
    let body = format!(r#"{{"ref":"refs/heads/env-{number}","repository":{{"full_name":"acme/env"}}}}"#);
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
    mac.update(body.as_bytes());
    let mut signature = String::new();
    for byte in mac.finalize().into_bytes() {
        write!(signature, "{byte:02x}")?;
    }
    let headers = format!("X-GitHub-Event: push\r\nX-Hub-Signature-256: sha256={signature}\r\n");
    let answer = daemon.ask("POST /hooks/push", &headers, &body)?;
    ensure!(answer.contains("passes that begin sooner: 1"), "the webhook woke nobody: {answer}");
    Ok(())
}
