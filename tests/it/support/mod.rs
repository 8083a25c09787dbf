//! Real counterparts for the tests: a web server and an SSH server that serve Git, and the program `git` itself.
//!
//! They come from Debian packages, and a few from npm. Where one is missing a test fails with the package's name;
//! nothing is skipped.

pub(crate) mod api_server;
pub(crate) mod browser;
pub(crate) mod buckets;
pub(crate) mod emulator;
pub(crate) mod fault;
pub(crate) mod forge;
pub(crate) mod git;
pub(crate) mod graphql;
pub(crate) mod http_remote;
pub(crate) mod in_process;
pub(crate) mod metric_server;
pub(crate) mod npm;
pub(crate) mod openapi;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod python;
pub(crate) mod registry;
pub(crate) mod simulated;
pub(crate) mod ssh_remote;
pub(crate) mod stage;
pub(crate) mod victoria_metrics;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A command; the tests start programs here and nowhere else.
#[expect(clippy::disallowed_methods, reason = "the tests talk to real programs")]
pub(crate) fn command(program: &str) -> Command {
    Command::new(program)
}

/// The time since now, for measuring how long a program takes.
#[expect(clippy::disallowed_methods, reason = "the tests measure real programs")]
pub(crate) fn stopwatch() -> std::time::Instant {
    std::time::Instant::now()
}

/// The seconds since 1970, as the programs under test see them.
#[expect(clippy::disallowed_methods, reason = "the tests run real programs")]
pub(crate) fn unix_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// How long a test waits for something that must come to be. A busy machine may do nothing for a while; where all is
/// well the length costs nothing.
const PATIENCE: Duration = Duration::from_secs(180);
const STEP: Duration = Duration::from_millis(5);

/// Waits until something is so; says whether it came to be.
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) -> bool {
    let watch = stopwatch();
    loop {
        if is_so() {
            return true;
        }
        if watch.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(STEP);
    }
}

/// The path of a program that a Debian package brings.
///
/// # Panics
/// When it is not installed, with the package's name.
pub(crate) fn installed(program: &str, package: &str) -> String {
    ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin", "/sbin", "/bin"]
        .iter()
        .map(|directory| format!("{directory}/{program}"))
        .find(|path| Path::new(path).exists())
        .unwrap_or_else(|| {
            panic!("this test needs the program {program}: install the Debian package {package}")
        })
}

/// A port of 127.0.0.1 that nobody listens on right now, outside the range from which the system gives out ports, so
/// that no other test gets it by chance.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(18_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A server process of a test: killed with all of its children on drop.
pub(crate) struct Server {
    child: Child,
}

impl Server {
    /// Starts the command as the leader of a process group of its own.
    pub(crate) fn spawn(mut command: Command) -> Self {
        use std::os::unix::process::CommandExt;
        let child = command.process_group(0).stdin(Stdio::null()).spawn().unwrap();
        Self { child }
    }

    /// Starts a server on a free port. Where another program takes the port first the server ends, and is started again
    /// on another port. None where it never becomes ready.
    pub(crate) fn on_free_port(
        command: impl Fn(u16) -> Command,
        is_ready: impl Fn(u16) -> bool,
    ) -> Option<(Self, u16)> {
        (0..5).find_map(|_| {
            let port = free_port();
            let mut server = Self::spawn(command(port));
            server.is_ready(|| is_ready(port)).then_some((server, port))
        })
    }

    /// Waits until `ready`; `false` when the server has ended instead, or never becomes ready.
    pub(crate) fn is_ready(&mut self, ready: impl Fn() -> bool) -> bool {
        let mut has_ended = false;
        let waited = eventually(|| {
            has_ended = self.child.try_wait().unwrap().is_some();
            has_ended || ready()
        });
        waited && !has_ended
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let killed = command("kill").args(["-KILL", "--", &group]).status();
        if killed.is_err() {
            eprintln!("cannot stop a test's server");
        }
        if let Err(error) = self.child.wait() {
            eprintln!("cannot reap a test's server: {error}");
        }
    }
}
