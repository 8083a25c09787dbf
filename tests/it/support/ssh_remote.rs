//! Git over SSH as in production: OpenSSH's server with a key of its own and one key that it lets in.

use std::path::{Path, PathBuf};

use super::git::bare;
use super::{Server, command, installed};

/// A bare repository behind an SSH server on 127.0.0.1; stopped and deleted on drop.
pub(crate) struct SshRemote {
    _sshd: Server,
    directory: tempfile::TempDir,
    port: u16,
}

impl SshRemote {
    /// Starts the server with an empty bare repository `env.git`.
    ///
    /// # Panics
    /// When a program is missing or does not start.
    pub(crate) fn start() -> Self {
        let sshd = installed("sshd", "openssh-server");
        let keygen = installed("ssh-keygen", "openssh-client");
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_owned();
        bare(&root, "env.git");
        for name in ["host_key", "user_key", "other_key"] {
            let status = command(&keygen)
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(root.join(name))
                .status()
                .unwrap();
            assert!(status.success());
        }
        std::fs::copy(root.join("user_key.pub"), root.join("authorized_keys")).unwrap();
        // As root, sshd wants this directory, which the service's start would make.
        if let Err(error) = std::fs::create_dir_all("/run/sshd") {
            eprintln!("/run/sshd cannot be made: {error}");
        }
        let sshd = |port| {
            std::fs::write(root.join("sshd_config"), config(&root, port)).unwrap();
            let mut start = command(&sshd);
            start.args(["-D", "-f"]).arg(root.join("sshd_config")).arg("-E").arg(root.join("sshd.log"));
            start
        };
        let log = || std::fs::read_to_string(root.join("sshd.log")).unwrap_or_default();
        let is_ready = |port| log().contains(&format!("Server listening on 127.0.0.1 port {port}"));
        let Some((server, port)) = Server::on_free_port(sshd, is_ready) else {
            panic!("sshd does not start: {}", log());
        };
        let host_key = std::fs::read_to_string(root.join("host_key.pub")).unwrap();
        std::fs::write(root.join("known_hosts"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        Self { _sshd: server, directory, port }
    }

    /// The URL, with the current user.
    pub(crate) fn url(&self) -> String {
        let user = command("id").arg("-un").output().unwrap();
        let user = String::from_utf8(user.stdout).unwrap();
        format!("ssh://{}@127.0.0.1:{}{}", user.trim(), self.port, self.repository().display())
    }

    /// The bare repository behind it.
    pub(crate) fn repository(&self) -> PathBuf {
        self.file("env.git")
    }

    /// A file of the server: `user_key` is let in, `other_key` is not, `known_hosts` knows the server.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn config(root: &Path, port: u16) -> String {
    let root = root.display();
    format!(
        "Port {port}
ListenAddress 127.0.0.1
HostKey {root}/host_key
AuthorizedKeysFile {root}/authorized_keys
PidFile {root}/sshd.pid
StrictModes no
UsePAM no
KexAlgorithms curve25519-sha256
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
"
    )
}
