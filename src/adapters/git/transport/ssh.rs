//! Git over the user's own OpenSSH program, so that its configuration, agents and host keys count.

use std::io::{self, Read, Write};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use git2::transport::Service;

use super::super::child::Program;
use super::super::location::SshLocation;
use super::super::login::SshOptions;
use super::link::{FailureKind, Link, Stream, program};
use crate::adapters::http::HttpOptions;

/// A repository behind an SSH server.
#[derive(Debug)]
pub(super) struct SshEndpoint {
    location: SshLocation,
    options: SshOptions,
    timeout: Duration,
    connect_timeout: Duration,
}

impl SshEndpoint {
    pub(super) fn new(location: SshLocation, options: SshOptions, limits: &HttpOptions) -> Self {
        Self { location, options, timeout: limits.timeout, connect_timeout: limits.connect_timeout }
    }

    /// Starts `ssh` with the program that serves the request.
    pub(super) fn open(&self, link: &Arc<Link>, service: Service) -> Result<Stream, git2::Error> {
        #[expect(clippy::disallowed_methods, reason = "this is the place where ssh is started")]
        let mut command = Command::new("ssh");
        command.args(self.arguments(program(service)));
        // Without answers for this long the read gives up; connecting comes first and has its own limit.
        let timeout = self.timeout.saturating_add(self.connect_timeout);
        let program = Program::spawn(command, timeout).map_err(|e| {
            let reason = format!("the program ssh cannot be started ({e}): install the OpenSSH client");
            link.fail(FailureKind::Unreachable, &reason)
        })?;
        Ok(Box::new(SshStream { link: Arc::clone(link), program, received: false }))
    }

    fn arguments(&self, program: &str) -> Vec<String> {
        let mut arguments: Vec<String> = ["-T", "-a", "-x"].map(str::to_owned).into();
        let mut option = |text: String| arguments.extend(["-o".to_owned(), text]);
        option("BatchMode=yes".to_owned());
        option("StrictHostKeyChecking=yes".to_owned());
        // A shared connection could have been opened with other keys and host-key rules than these.
        option("ControlPath=none".to_owned());
        option(format!("ConnectTimeout={}", self.connect_timeout.as_secs().max(1)));
        option("ServerAliveInterval=15".to_owned());
        if let Some(path) = &self.options.known_hosts_file {
            option(format!("UserKnownHostsFile=\"{}\"", literal(&path.to_string_lossy())));
            option("GlobalKnownHostsFile=/dev/null".to_owned());
        }
        if let Some(path) = &self.options.key_file {
            option("IdentitiesOnly=yes".to_owned());
            arguments.extend(["-i".to_owned(), literal(&path.to_string_lossy())]);
        }
        if let Some(port) = self.location.port {
            arguments.extend(["-p".to_owned(), port.to_string()]);
        }
        let host = &self.location.host;
        let target =
            self.location.user.as_ref().map_or_else(|| host.clone(), |user| format!("{user}@{host}"));
        arguments.extend([
            "--".to_owned(),
            target,
            format!("{program} {}", shell_quoted(&self.location.path)),
        ]);
        arguments
    }
}

/// A path in which OpenSSH expands no `%` token.
fn literal(path: &str) -> String {
    path.replace('%', "%%")
}

/// Text as one word of a POSIX shell, which the server may run the command with.
fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Whether what `ssh` or the server said means that we are not let in, rather than that nobody is there.
fn is_refusal(stderr: &str) -> bool {
    const PHRASES: [&str; 8] = [
        "permission denied",
        "host key verification failed",
        "host identification has changed",
        "repository not found",
        "does not appear to be a git repository",
        "access denied",
        "not allowed",
        "permission to",
    ];
    let stderr = stderr.to_ascii_lowercase();
    PHRASES.iter().any(|phrase| stderr.contains(phrase))
}

struct SshStream {
    link: Arc<Link>,
    program: Program,
    received: bool,
}

impl SshStream {
    fn ended(&mut self) -> io::Error {
        let stderr = self.program.stderr_text();
        let kind = if is_refusal(&stderr) { FailureKind::Denied } else { FailureKind::Unreachable };
        let status = self.program.finish().map_or_else(|e| e.to_string(), |status| status.to_string());
        let reason = if stderr.trim().is_empty() {
            format!("ssh ended with {status}")
        } else {
            format!("ssh: {stderr}")
        };
        self.link.fail_io(kind, &reason)
    }
}

impl Read for SshStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self
            .program
            .read(buffer)
            .map_err(|e| self.link.fail_io(FailureKind::Unreachable, &e.to_string()))?;
        // An end after the first byte may be in order. Where libgit2 wanted more, it fails, and this is then the reason.
        if count == 0 && !buffer.is_empty() {
            let error = self.ended();
            return if self.received { Ok(0) } else { Err(error) };
        }
        self.received |= count > 0;
        Ok(count)
    }
}

impl Write for SshStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.program.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_address_can_become_an_option_or_a_command() {
        let endpoint = SshEndpoint::new(
            SshLocation {
                user: Some("git".to_owned()),
                host: "example.com".to_owned(),
                port: Some(2222),
                path: "/a'; touch x; '%h".to_owned(),
            },
            SshOptions { key_file: Some("/k%h".into()), known_hosts_file: Some("/known hosts".into()) },
            &HttpOptions::default(),
        );
        let arguments = endpoint.arguments("git-upload-pack");
        let end = arguments.iter().position(|a| a == "--").unwrap();
        assert_eq!(arguments[end + 1], "git@example.com");
        assert_eq!(arguments[end + 2], r"git-upload-pack '/a'\''; touch x; '\''%h'");
        assert_eq!(arguments.len(), end + 3);
        assert!(arguments.contains(&"/k%%h".to_owned()));
        assert!(arguments.contains(&"UserKnownHostsFile=\"/known hosts\"".to_owned()));
        assert!(arguments.contains(&"StrictHostKeyChecking=yes".to_owned()));
    }
}
