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

#[path = "../common/command.rs"]
mod command;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use command::{command, run};

/// The secret of the webhook.
const SECRET: &str = "the secret of the benchmark";

/// How long the daemon rests between two passes, and a bit.
const REST: Duration = Duration::from_millis(1_200);

/// How long it may take until a revert is there.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let mut daemon = Daemon::start(home)?;
    let mut took = Vec::new();
    for number in 0..pushes {
        std::thread::sleep(REST);
        let bad = push(home, number)?;
        let begin = now();
        daemon.tell(number)?;
        while tip(home, number)? == bad {
            ensure!(begin.elapsed() < PATIENCE, "no revert of push {number}: {}", daemon.said(home)?);
            std::thread::sleep(Duration::from_millis(1));
        }
        took.push(begin.elapsed());
    }
    daemon.end()?;
    Ok(took)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
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

/// The daemon, and where it listens. Killed on drop.
struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    /// Starts it, and waits until its first pass is over.
    fn start(home: &Path) -> anyhow::Result<Self> {
        let log = File::create(home.join("log"))?;
        let mut program = command(env!("CARGO_BIN_EXE_backout"));
        program.arg("run").current_dir(home).env("HOME", home).env("HOOK", SECRET).env_remove("BACKOUT_LOG");
        let child = program.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut daemon = Self { child, address: String::new() };
        let begin = now();
        while begin.elapsed() < PATIENCE {
            let log = daemon.said(home)?;
            let told = log.split_once("listening").and_then(|(_, rest)| rest.split_once("127.0.0.1:"));
            if let Some((_, rest)) = told {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                daemon.address = format!("127.0.0.1:{port}");
                if daemon.ask("GET /metrics", "", "")?.contains("result=\"good\"} 1\n") {
                    return Ok(daemon);
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the daemon did not begin: {}", daemon.said(home)?)
    }

    fn said(&self, home: &Path) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(home.join("log"))?)
    }

    /// Sends the webhook of a push.
    fn tell(&self, number: usize) -> anyhow::Result<()> {
        let body = format!(r#"{{"ref":"refs/heads/env-{number}","repository":{{"full_name":"acme/env"}}}}"#);
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
        mac.update(body.as_bytes());
        let mut signature = String::new();
        for byte in mac.finalize().into_bytes() {
            write!(signature, "{byte:02x}")?;
        }
        let headers = format!("X-GitHub-Event: push\r\nX-Hub-Signature-256: sha256={signature}\r\n");
        let answer = self.ask("POST /hooks/push", &headers, &body)?;
        ensure!(answer.contains("passes that begin sooner: 1"), "the webhook woke nobody: {answer}");
        Ok(())
    }

    fn ask(&self, what: &str, headers: &str, body: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        let length = body.len();
        write!(
            stream,
            "{what} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        )?;
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status)?;
        let mut answer = String::new();
        reader.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn end(&mut self) -> anyhow::Result<()> {
        run(command("kill").args(["-TERM", &self.child.id().to_string()]))?;
        ensure!(self.child.wait()?.success(), "the daemon ended badly");
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let (Err(error), Ok(None)) = (self.child.kill(), self.child.try_wait()) {
            println!("the daemon cannot be ended: {error}");
        }
    }
}
