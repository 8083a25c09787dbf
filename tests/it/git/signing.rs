//! Signed commits, verified by Git.

use std::path::Path;

use backout::adapters::git::{GitOptions, Signing};
use backout::ports::{PushError, Repository};

use super::{id, open, options, push_file};
use crate::support::git::{WorkTree, bare, git, git_command, notes_refs};
use crate::support::{command, installed};

fn start(parent: &Path) -> (std::path::PathBuf, String) {
    let path = bare(parent, "env.git");
    let mut people = WorkTree::new();
    let tip = people.commit_file("a", "1");
    people.push(&path);
    (path, tip)
}

fn ssh_key(directory: &Path, kind: &str, passphrase: &str) -> std::path::PathBuf {
    let keygen = installed("ssh-keygen", "openssh-client");
    let key = directory.join(format!("key-{kind}-{}", passphrase.len()));
    let made = command(&keygen).args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(&key).status().unwrap();
    assert!(made.success());
    key
}

#[test]
fn ssh_signatures_are_good() {
    let parent = tempfile::tempdir().unwrap();
    let (path, mut tip) = start(parent.path());
    let url = path.to_str().unwrap();
    for passphrase in ["", "s3cret"] {
        let key_file = ssh_key(parent.path(), "ed25519", passphrase);
        let public = std::fs::read_to_string(key_file.with_extension("pub")).unwrap();
        let allowed = parent.path().join("allowed");
        std::fs::write(&allowed, format!("backout@example.com {public}")).unwrap();
        let signing =
            Signing::Ssh { key_file, passphrase: Some(passphrase.into()).filter(|_| !passphrase.is_empty()) };
        let agent = open(GitOptions { signing: Some(signing), ..options(url, parent.path()) });
        tip = push_file(&agent, id(&tip), "a", &format!("with {passphrase}")).unwrap().to_string();
        let setting = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
        git(&path, &["-c", &setting, "verify-commit", &tip]);
        let lines = std::collections::BTreeMap::from([(id(&tip), vec!["x".to_owned()])]);
        agent.append_notes(&lines, backout::domain::time::Time::from_unix(1)).unwrap();
        for notes in notes_refs(&path) {
            git(&path, &["-c", &setting, "verify-commit", &notes]);
        }
    }
}

#[test]
fn keys_that_cannot_sign_are_named_without_their_secrets() {
    let parent = tempfile::tempdir().unwrap();
    let (path, tip) = start(parent.path());
    let locked = ssh_key(parent.path(), "ed25519", "right");
    let rsa = ssh_key(parent.path(), "rsa", "");
    let missing = parent.path().join("missing");
    for (key_file, passphrase, word) in [
        (locked.clone(), None, "needs a passphrase"),
        (locked, Some("wrong-s3cret"), "passphrase is wrong"),
        (rsa, None, "ed25519"),
        (missing, None, "cannot be read"),
    ] {
        let signing = Signing::Ssh { key_file, passphrase: passphrase.map(Into::into) };
        let options = GitOptions { signing: Some(signing), ..options(path.to_str().unwrap(), parent.path()) };
        let error = push_file(&open(options), id(&tip), "a", "2").unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(matches!(error, PushError::Repository(_)), "{text}");
        assert!(text.contains(word) && !text.contains("s3cret"), "{text}");
    }
    assert_eq!(git(&path, &["rev-parse", "main"]), tip);
}

#[test]
fn openpgp_signatures_are_good() {
    let gpg = installed("gpg", "gnupg");
    let parent = tempfile::tempdir().unwrap();
    let (path, tip) = start(parent.path());
    let home = parent.path().join("gnupg");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let made = command(&gpg)
        .args(["--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "backout@example.com", "ed25519"])
        .env("GNUPGHOME", &home)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let sign = |key_id: &str, parent_id: &str| {
        let signing = Signing::OpenPgp { key_id: key_id.to_owned(), home: Some(home.clone()) };
        let options = GitOptions { signing: Some(signing), ..options(path.to_str().unwrap(), parent.path()) };
        push_file(&open(options), id(parent_id), "a", "2")
    };
    let pushed = sign("backout@example.com", &tip).unwrap().to_string();
    let verified =
        git_command(&path).env("GNUPGHOME", &home).args(["verify-commit", &pushed]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let error = sign("nobody@example.com", &pushed).unwrap_err();
    assert!(error.to_string().contains("gpg cannot sign"), "{error}");
    // The key ring's agent would outlive the test.
    let stopped = command("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", &home).status();
    assert!(stopped.is_ok());
}
