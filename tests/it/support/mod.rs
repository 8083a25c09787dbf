//! Real counterparts for the tests: a web server and an SSH server that serve Git, and the program `git` itself.
//!
//! They come from Debian packages, and a few from npm. Where one is missing a test fails with the package's name;
//! nothing is skipped.

pub(crate) mod emulator;
pub(crate) mod fault;
pub(crate) mod forge;
pub(crate) mod git;
pub(crate) mod graphql;
pub(crate) mod http_remote;
pub(crate) mod metric_server;
pub(crate) mod npm;
pub(crate) mod openapi;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
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
    pub(crate) fn spawn(command: Command) -> Self {
        Self::spawn_to(command, Stdio::null())
    }

    /// The same, with what it prints sent somewhere.
    pub(crate) fn spawn_to(mut command: Command, stdout: Stdio) -> Self {
        use std::os::unix::process::CommandExt;
        let child = command.process_group(0).stdin(Stdio::null()).stdout(stdout).spawn().unwrap();
        Self { child }
    }

    /// Waits until `ready`; `false` when the server has ended instead or is not ready in ten seconds.
    pub(crate) fn is_ready(&mut self, ready: impl Fn() -> bool) -> bool {
        for _ in 0..1000 {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if ready() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
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
