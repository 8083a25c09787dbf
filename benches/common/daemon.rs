//! A daemon of the built program, with a server.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use crate::process::{command, run};

/// The secret of its webhooks, in the variable `HOOK`.
pub(crate) const SECRET: &str = "the secret of the benchmark";

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The daemon, and where it listens. Killed on drop.
pub(crate) struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    /// Starts it with the configuration in a directory, and waits until so many passes have ended.
    pub(crate) fn start(home: &Path, count: usize) -> anyhow::Result<Self> {
        let log = File::create(home.join("log"))?;
        let mut program = command(env!("CARGO_BIN_EXE_backout"));
        program.arg("run").current_dir(home).env("HOME", home).env("HOOK", SECRET).env_remove("BACKOUT_LOG");
        let child = program.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut daemon = Self { child, address: String::new() };
        let begin = now();
        while begin.elapsed() < PATIENCE {
            let log = said(home)?;
            let told = log.split_once("listening").and_then(|(_, rest)| rest.split_once("127.0.0.1:"));
            if let Some((_, rest)) = told {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                daemon.address = format!("127.0.0.1:{port}");
                if passes(&daemon.metrics()?) >= count {
                    return Ok(daemon);
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the daemon did not begin: {}", said(home)?)
    }

    /// Asks its server. Returns the headers and the body of the answer.
    pub(crate) fn ask(&self, what: &str, headers: &str, body: &str) -> anyhow::Result<String> {
        ask(&self.address, what, headers, body)
    }

    /// Returns its metrics as text.
    pub(crate) fn metrics(&self) -> anyhow::Result<String> {
        self.ask("GET /metrics", "", "")
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it.
    pub(crate) fn end(&mut self) -> anyhow::Result<()> {
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

/// The log of a daemon.
pub(crate) fn said(home: &Path) -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(home.join("log"))?)
}

/// Asks a server. Returns the headers and the body of the answer.
pub(crate) fn ask(address: &str, what: &str, headers: &str, body: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
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

/// How many passes over all repositories have ended.
pub(crate) fn passes(metrics: &str) -> usize {
    let counts = metrics.lines().filter_map(|line| line.strip_prefix("backout_passes_total{"));
    counts.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
