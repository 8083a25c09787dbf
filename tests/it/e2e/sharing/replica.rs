//! Agents that share the work: processes of the built program, each with a configuration and a cache of its own.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use crate::e2e::daemon::terminate;
use crate::e2e::stage::{Config, Stage};
use crate::support::api_server::ApiServer;
use crate::support::{command, eventually, stopwatch};

/// The longest that a standby may take to do the work of one that is gone, with leases of five seconds on a busy machine. How long each step
/// takes is tested in simulated time (`src/agent/share/tests.rs`).
pub(super) const TAKEOVER: Duration = Duration::from_secs(30);

/// A running agent, killed on drop.
pub(super) struct Replica {
    child: Option<Child>,
    pub(super) name: String,
    log: PathBuf,
    address: String,
}

/// The leases of a test: their name, and how many there are.
pub(super) struct Leases {
    pub(super) server: ApiServer,
    pub(super) name: String,
    pub(super) shards: u32,
}

impl Leases {
    /// With a name that no other test has.
    pub(super) fn on(server: ApiServer, shards: u32) -> Self {
        Self { server, name: format!("t{:08x}", fastrand::u32(..)), shards }
    }

    /// Who holds each lease.
    pub(super) fn holders(&self) -> Vec<String> {
        (0..self.shards).map(|shard| self.server.holder(&format!("{}-{shard}", self.name))).collect()
    }

    /// Waits until each lease has this holder.
    #[track_caller]
    pub(super) fn come_to(&self, holders: &[&str]) {
        let mut now = Vec::new();
        let came = eventually(|| {
            now = self.holders();
            now == holders
        });
        assert!(came, "{now:?} instead of {holders:?}");
    }

    /// As the configuration has them.
    pub(super) fn yaml(&self) -> String {
        let Self { server, name, shards } = self;
        format!(
            "{{name: {name}, shards: {shards}, duration: 5s, server: \"{}\", account: {}}}",
            server.url,
            server.account.display()
        )
    }
}

impl Replica {
    /// Starts an agent in a pod of this name, and waits until it listens.
    pub(super) fn start(stage: &Stage, config: &Config, leases: &Leases, name: &str) -> Self {
        let file = |end: &str| stage.home.path().join(format!("{name}{end}"));
        let run = format!("run: {{interval: 1s, listen: \"127.0.0.1:0\", lease: {}}}\n", leases.yaml());
        let cache = file("");
        let repositories =
            format!("repository: {{url: {}, cache: {}}}\n", stage.bare.display(), cache.display());
        let text = Config { run, ..config.clone() }.text_with(&repositories, stage.metrics_url());
        std::fs::write(file(".yaml"), text).unwrap();
        let log = file(".log");
        let mut program = command(env!("CARGO_BIN_EXE_backout"));
        program.args(["run", "--log", "info", "--config"]).arg(file(".yaml")).env("POD_NAME", name);
        program.env("HOME", stage.home.path()).env_remove("BACKOUT_LOG").env_remove("XDG_CACHE_HOME");
        let output = File::create(&log).unwrap();
        let child = program.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        let mut replica = Self { child: Some(child), name: name.to_owned(), log, address: String::new() };
        let listens = eventually(|| {
            let log = replica.log();
            let told = log.split_once("listening").and_then(|(_, rest)| rest.split_once("127.0.0.1:"));
            let port =
                told.map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
            replica.address = port.map(|port| format!("127.0.0.1:{port}")).unwrap_or_default();
            !replica.address.is_empty()
        });
        assert!(listens, "{}", replica.log());
        replica
    }

    /// What it has written so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The status of an answer, and its body.
    pub(super) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Whether it is ready, and the first word of what it says about that.
    pub(super) fn readiness(&self) -> (u16, String) {
        let (status, text) = self.get("/readyz");
        (status, text.lines().next().unwrap().split(':').next().unwrap().to_owned())
    }

    /// The environments that it watches: those of which it tells how the last pass was.
    pub(super) fn watches(&self) -> Vec<String> {
        let (_, metrics) = self.get("/metrics");
        let of = |line: &str| {
            Some(line.strip_prefix("backout_budget_left{environment=\"")?.split_once('"')?.0.to_owned())
        };
        let mut all: Vec<String> = metrics.lines().filter_map(of).collect();
        all.sort();
        all
    }

    /// How many passes it has made, and how many environments it examined in them.
    fn examined(&self) -> [usize; 2] {
        let (_, metrics) = self.get("/metrics");
        ["backout_passes_total{", "backout_stage_seconds_count{stage=\"judge\""].map(|series| {
            let lines = metrics.lines().filter(|line| line.starts_with(series));
            lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap()).sum()
        })
    }

    /// Whether its next two passes examine as many environments as it watches.
    pub(super) fn examines_its_own_alone(&self) -> bool {
        let [passes, environments] = self.examined();
        let mut now = [0; 2];
        let came = eventually(|| {
            now = self.examined();
            now[0] >= passes + 2
        });
        assert!(came, "no more passes: {}", self.log());
        now[1] - environments == (now[0] - passes) * self.watches().len()
    }

    /// How many shards it watches, by a word: `lease` or `silence`.
    pub(super) fn shards_by(&self, word: &str) -> usize {
        let (_, metrics) = self.get("/metrics");
        let is_so = |line: &&str| {
            line.starts_with("backout_lease_held{")
                && line.contains(&format!("by=\"{word}\""))
                && line.ends_with(" 1")
        };
        metrics.lines().filter(is_so).count()
    }

    /// Replaces a part of its configuration, and has it read that.
    pub(super) fn replace(&self, from: &str, to: &str) {
        let file = self.log.with_extension("yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
        self.signal("-HUP");
    }

    pub(super) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(command("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Ends it as Kubernetes does, and waits for its end.
    pub(super) fn end(mut self) -> String {
        let mut child = self.child.take().unwrap();
        terminate(&child);
        assert!(eventually(|| child.try_wait().unwrap().is_some()), "still running: {}", self.log());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{}", self.log());
        self.log()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Waits until each branch has one revert of its bad deployment, the way there within `longest`, and checks that no second one comes.
#[track_caller]
pub(super) fn reverted_once(
    stage: &Stage,
    branches: &[(String, String)],
    longest: Duration,
    replicas: &[&Replica],
) {
    let reverts = |(branch, bad): &(String, String)| {
        let trailer = format!("--grep=^Backout-Reverts: {bad}$");
        stage.remote(&["log", "--format=%H", &trailer, branch]).lines().count()
    };
    let watch = stopwatch();
    let logs = || replicas.iter().map(|one| format!("\n{}:\n{}", one.name, one.log())).collect::<String>();
    assert!(eventually(|| branches.iter().all(|branch| reverts(branch) > 0)), "{}", logs());
    let took = watch.elapsed();
    assert!(took < longest, "{took:?}{}", logs());
    for (branch, bad) in branches {
        assert_eq!(reverts(&(branch.clone(), bad.clone())), 1, "{branch}{}", logs());
        let since = stage.remote(&["rev-list", "--count", &format!("{bad}..{branch}")]);
        assert_eq!(since, "1", "nothing else on {branch}");
    }
}
