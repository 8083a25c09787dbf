//! Signing commits: SSH signatures are made here, OpenPGP ones by the program `gpg`.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use super::child::Program;
use super::fault::{Fault, one_line};

/// How long `gpg` may take. It asks nobody anything, so that it is only ever slow on a slow machine.
const GPG_TIMEOUT: Duration = Duration::from_secs(30);
/// The namespace of Git's SSH signatures, see `gpg.format` in git-config(1).
const NAMESPACE: &str = "git";
const MAX_SIGNATURE_BYTES: u64 = 64 << 10;

/// How commits are signed.
#[derive(Clone, Debug)]
pub enum Signing {
    /// With an SSH key, as `gpg.format = ssh` does.
    Ssh {
        /// The private key, in OpenSSH's format.
        key_file: PathBuf,
        /// Its passphrase, where it has one.
        passphrase: Option<SecretString>,
    },
    /// With an OpenPGP key, through the program `gpg`.
    OpenPgp {
        /// The key's id or fingerprint.
        key_id: String,
        /// The directory of the key ring, instead of the user's own.
        home: Option<PathBuf>,
    },
}

/// The armored signature of a commit's bytes.
pub(super) fn sign(signing: &Signing, content: &[u8]) -> Result<String, Fault> {
    match signing {
        Signing::Ssh { key_file, passphrase } => with_ssh(key_file, passphrase.as_ref(), content),
        Signing::OpenPgp { key_id, home } => with_gpg(key_id, home.as_deref(), content),
    }
}

fn with_ssh(path: &Path, passphrase: Option<&SecretString>, content: &[u8]) -> Result<String, Fault> {
    let failed = |what: &str, e: ssh_key::Error| {
        Fault::broken(format!("the signing key {}: {what}: {e}", path.display()))
    };
    let mut key = PrivateKey::read_openssh_file(path).map_err(|e| failed("cannot be read", e))?;
    if key.is_encrypted() {
        let passphrase = passphrase
            .ok_or_else(|| Fault::broken(format!("the signing key {} needs a passphrase", path.display())))?;
        key = key.decrypt(passphrase.expose_secret()).map_err(|e| failed("the passphrase is wrong", e))?;
    }
    let kind = key.algorithm();
    let signature = key
        .sign(NAMESPACE, HashAlg::Sha512, content)
        .map_err(|e| failed(&format!("cannot sign with a key of type {kind} (ed25519 works)"), e))?;
    signature.to_pem(LineEnding::LF).map_err(|e| failed("cannot write the signature", e))
}

fn with_gpg(key_id: &str, home: Option<&Path>, content: &[u8]) -> Result<String, Fault> {
    #[expect(clippy::disallowed_methods, reason = "this is the place where gpg is started")]
    let mut command = Command::new("gpg");
    // Nobody is there to type a passphrase: a key that needs one must be in gpg's agent.
    command.args(["--batch", "--no-tty", "--pinentry-mode", "error"]);
    command.args(["--detach-sign", "--armor", "--local-user", key_id]);
    if let Some(home) = home {
        command.arg("--homedir").arg(home);
    }
    let failed = |reason: String| Fault::broken(format!("gpg cannot sign with the key {key_id}: {reason}"));
    let mut gpg = Program::spawn(command, GPG_TIMEOUT).map_err(|e| failed(e.to_string()))?;
    gpg.write_all(content).map_err(|e| failed(e.to_string()))?;
    gpg.close_stdin();
    let mut armored = String::new();
    (&mut gpg).take(MAX_SIGNATURE_BYTES).read_to_string(&mut armored).map_err(|e| failed(e.to_string()))?;
    let status = gpg.finish().map_err(|e| failed(e.to_string()))?;
    if !status.success() || !armored.starts_with("-----BEGIN PGP SIGNATURE-----") {
        let stderr = one_line(&gpg.stderr_text(), 400);
        return Err(failed(format!("{status}: {stderr}")));
    }
    Ok(armored)
}
