//! The program `git`, as the truth that the adapter is compared with.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::command;

/// A `git` command in `directory` that sees no configuration but the repository's own.
pub(crate) fn git_command(directory: &Path) -> Command {
    let mut git = command("git");
    git.current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        // Thousands of repositories are made here, and each is gone in seconds: nothing is to be tidied up in them or to be
        // kept through a power cut.
        .env("GIT_CONFIG_COUNT", "2")
        .env("GIT_CONFIG_KEY_0", "maintenance.auto")
        .env("GIT_CONFIG_VALUE_0", "false")
        .env("GIT_CONFIG_KEY_1", "core.fsync")
        .env("GIT_CONFIG_VALUE_1", "none")
        .env("GIT_TEMPLATE_DIR", "")
        .env("GIT_AUTHOR_NAME", "A U Thor")
        .env("GIT_AUTHOR_EMAIL", "author@example.com")
        .env("GIT_COMMITTER_NAME", "C O Mitter")
        .env("GIT_COMMITTER_EMAIL", "committer@example.com")
        .env("LC_ALL", "C");
    git
}

/// Runs `git` and returns its output, whatever it was.
pub(crate) fn try_git(directory: &Path, arguments: &[&str]) -> Output {
    git_command(directory)
        .args(arguments)
        .output()
        .expect("this test needs the program git: install the Debian package git")
}

/// Runs `git`, which must succeed, and returns what it printed, trimmed.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = try_git(directory, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?} in {}: {stderr}", directory.display());
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A work tree whose commits are pushed somewhere, for playing the people and bots beside the agent.
pub(crate) struct WorkTree {
    directory: tempfile::TempDir,
    /// The time of the next commit, in seconds since 1970.
    pub(crate) now: i64,
}

impl WorkTree {
    /// An empty repository on the branch `main`.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        git(directory.path(), &["init", "-q", "-b", "main", "."]);
        Self { directory, now: 1_700_000_000 }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs `git` in it.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments)
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Commits everything, a minute after the last commit; returns the id.
    pub(crate) fn commit(&mut self, message: &str) -> String {
        self.now += 60;
        self.git(&["add", "-A"]);
        let date = format!("{} +0000", self.now);
        let status = git_command(self.path())
            .args(["commit", "-q", "--allow-empty", "-m", message])
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .status()
            .unwrap();
        assert!(status.success());
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes one file and commits.
    pub(crate) fn commit_file(&mut self, path: &str, text: &str) -> String {
        self.write(path, text);
        self.commit(&format!("change {path}"))
    }

    /// Pushes the current branch to a repository on this machine.
    pub(crate) fn push(&self, to: &Path) {
        self.push_as(to, "HEAD");
    }

    /// Pushes what `refspec` says, at the time of the last commit where that repository logs its moves.
    pub(crate) fn push_as(&self, to: &Path, refspec: &str) {
        let output = git_command(self.path())
            .args(["push", "-q", to.to_str().unwrap(), refspec])
            .env("GIT_COMMITTER_DATE", format!("{} +0000", self.now))
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git push {refspec} to {}: {stderr}", to.display());
    }
}

/// A bare repository in `parent`, on the branch `main`, that takes every push.
pub(crate) fn bare(parent: &Path, name: &str) -> PathBuf {
    let path = parent.join(name);
    git(parent, &["init", "-q", "--bare", "-b", "main", path.to_str().unwrap()]);
    let config = path.join("config");
    let mut text = std::fs::read_to_string(&config).unwrap();
    text.push_str("[http]\n\treceivepack = true\n[receive]\n\tautogc = false\n[core]\n\tfsync = none\n");
    std::fs::write(&config, text).unwrap();
    path
}

/// Has a bare repository log where each of its branches was moved to, and when.
pub(crate) fn log_moves(repository: &Path) {
    git(repository, &["config", "core.logAllRefUpdates", "true"]);
}

/// Installs a hook, a shell script, in a bare repository.
pub(crate) fn hook(repository: &Path, name: &str, script: &str) {
    let path = repository.join("hooks").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text = path.with_extension("text");
    std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
    // Another program writes what is run: a file that this one has written may still be open in a program that another
    // test has just begun to start, and is then "busy".
    let installed = command("install").args(["-m", "755"]).args([&text, &path]).status().unwrap();
    assert!(installed.success());
}

/// Feeds a stream to `git fast-import`.
pub(crate) fn fast_import(repository: &Path, stream: &[u8]) {
    let mut import = git_command(repository)
        .args(["fast-import", "--quiet", "--force"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(stream).unwrap();
    assert!(import.wait().unwrap().success());
}

/// A stream of `commits` commits on `main`, a minute apart from `start`, each changing one of `services` files
/// `apps/svc-N/values.yaml`.
pub(crate) fn linear_history(commits: usize, services: usize, start: i64) -> Vec<u8> {
    let mut stream = String::new();
    for number in 1..=commits {
        let at = start + i64::try_from(number).unwrap() * 60;
        let service = number % services;
        let text = format!("image:\n  tag: v{number}\n");
        let message = format!("deploy v{number}");
        writeln!(
            stream,
            "commit refs/heads/main\nmark :{number}\ncommitter Bot <bot@example.com> {at} +0000"
        )
        .unwrap();
        writeln!(stream, "data {}\n{message}", message.len()).unwrap();
        if number > 1 {
            writeln!(stream, "from :{}", number - 1).unwrap();
        }
        writeln!(stream, "M 100644 inline apps/svc-{service}/values.yaml\ndata {}\n{text}", text.len())
            .unwrap();
    }
    stream.into_bytes()
}

/// The refs of the notes of a repository, each of a month, or the old one.
pub(crate) fn notes_refs(repository: &Path) -> Vec<String> {
    let refs = git(repository, &["for-each-ref", "--format=%(refname)", "refs/notes"]);
    refs.lines().map(str::to_owned).collect()
}

/// The notes on a commit, in whatever month; empty where there is none.
pub(crate) fn note_on(repository: &Path, commit: &str) -> String {
    let show = |name: String| try_git(repository, &["notes", "--ref", &name, "show", commit]).stdout;
    String::from_utf8(notes_refs(repository).into_iter().flat_map(show).collect()).unwrap()
}

/// Takes all notes away.
pub(crate) fn remove_notes(repository: &Path) {
    for name in notes_refs(repository) {
        git(repository, &["update-ref", "-d", &name]);
    }
}
