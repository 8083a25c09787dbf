//! The environment repo that is measured: made once by `git fast-import`, the same for the same size and day.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};

use crate::process::{command, run};

/// How large the repo is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) services: usize,
    pub(crate) commits: usize,
}

const ENVIRONMENTS: [&str; 2] = ["production", "staging"];
const TEAMS: [&str; 8] = ["cart", "catalog", "ledger", "media", "orders", "payments", "search", "users"];
pub(crate) const DAY_SECS: i64 = 86_400;
const YEAR_SECS: i64 = 365 * DAY_SECS;

/// The name of a service.
pub(crate) fn service(index: usize) -> String {
    format!("{}-{index:04}", TEAMS[index % TEAMS.len()])
}

/// The file that says which version of a service runs in an environment.
pub(crate) fn values_path(index: usize, environment: &str) -> String {
    format!("apps/{}/{environment}/values.yaml", service(index))
}

/// A stream of commands for `git fast-import`.
struct Stream {
    text: String,
    marks: usize,
    /// How often each file was changed.
    versions: Vec<[u32; 2]>,
}

impl Stream {
    fn new(size: Size) -> Self {
        Self { text: String::new(), marks: 0, versions: vec![[1, 1]; size.services] }
    }

    fn values(&self, index: usize, environment: usize) -> String {
        let name = service(index);
        let version = self.versions[index][environment];
        let replicas = 2 + index % 5;
        format!(
            "# Values of {name} in {environment}; the chart is common to all services.\n\
             fullnameOverride: {name}\n\
             replicaCount: {replicas}\n\
             image:\n  repository: registry.example.com/shop/{name}\n  tag: \"1.{version}.0\"\n  pullPolicy: IfNotPresent\n\
             resources:\n  requests: {{cpu: 100m, memory: 128Mi}}\n  limits: {{memory: 256Mi}}\n\
             env:\n  - name: LOG_LEVEL\n    value: info\n  - name: DATABASE_POOL\n    value: \"{replicas}\"\n\
             ingress:\n  enabled: true\n  host: {name}.{environment}.example.com\n",
            environment = ENVIRONMENTS[environment],
        )
    }

    /// Begins a commit by the bot, or for every eighth by a person.
    fn commit(&mut self, reference: &str, at: i64, message: &str, from: Option<usize>) -> std::fmt::Result {
        self.marks += 1;
        let mark = self.marks;
        let by = if mark.is_multiple_of(8) {
            "Ada <ada@example.com>"
        } else {
            "deploy-bot[bot] <bot@example.com>"
        };
        let text = &mut self.text;
        write!(
            text,
            "commit {reference}\nmark :{mark}\nauthor {by} {at} +0000\ncommitter {by} {at} +0000\n"
        )?;
        writeln!(text, "data {}\n{message}", message.len())?;
        from.map_or(Ok(()), |from| writeln!(text, "from :{from}"))
    }

    fn file(&mut self, index: usize, environment: usize) -> std::fmt::Result {
        let path = values_path(index, ENVIRONMENTS[environment]);
        let values = self.values(index, environment);
        write!(self.text, "M 100644 inline {path}\ndata {}\n{values}", values.len())
    }

    /// A new version of one service in one environment, on the branch or through a merge.
    fn bump(&mut self, index: usize, environment: usize, at: i64, merged: bool) -> std::fmt::Result {
        self.versions[index][environment] += 1;
        let version = self.versions[index][environment];
        let (name, place) = (service(index), ENVIRONMENTS[environment]);
        let tip = self.marks;
        let message = format!("{name}: 1.{version}.0 to {place}\n");
        if merged {
            self.commit("refs/heads/bump", at - 30, &message, Some(tip))?;
            self.file(index, environment)?;
            let branch = self.marks;
            self.commit("refs/heads/main", at, &format!("Merge branch 'bump-{name}'\n"), Some(tip))?;
            writeln!(self.text, "merge :{branch}")?;
        } else {
            self.commit("refs/heads/main", at, &message, Some(tip))?;
        }
        self.file(index, environment)
    }
}

/// The bare repo with all of its history, which ends at midnight. It is kept under `directory` and made anew each day.
pub(crate) fn base(directory: &Path, size: Size, now: i64) -> anyhow::Result<PathBuf> {
    let midnight = now - now.rem_euclid(DAY_SECS);
    let name = format!("base-{}-{}-{midnight}.git", size.services, size.commits);
    let repo = directory.join(name);
    if repo.exists() {
        return Ok(repo);
    }
    for old in fs::read_dir(directory)?.flatten() {
        let prefix = format!("base-{}-{}-", size.services, size.commits);
        if old.file_name().to_string_lossy().starts_with(&prefix) {
            fs::remove_dir_all(old.path())?;
        }
    }
    let fresh = repo.with_extension("new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    run(command("git").args(["init", "-q", "--bare", "-b", "main"]).arg(&fresh))?;
    let mut stream = Stream::new(size);
    stream.commit("refs/heads/main", midnight - YEAR_SECS, "everything as it is\n", None)?;
    for index in 0..size.services {
        stream.file(index, 0)?;
        stream.file(index, 1)?;
    }
    let mut random = fastrand::Rng::with_seed(1);
    while stream.marks < size.commits {
        let done = i64::try_from(stream.marks)?;
        let at = midnight - YEAR_SECS + YEAR_SECS * done / i64::try_from(size.commits)?;
        let (index, environment) = (random.usize(0..size.services), random.usize(0..2));
        let merged = stream.marks + 2 <= size.commits && random.u32(0..8) == 0;
        stream.bump(index, environment, at, merged)?;
    }
    import(&fresh, &stream.text)?;
    run(command("git").args(["update-ref", "-d", "refs/heads/bump"]).current_dir(&fresh))?;
    // As a server keeps it: one pack with a bitmap. The deltas are those that were made just now.
    run(command("git").args(["repack", "-q", "-a", "-d", "-b"]).current_dir(&fresh))?;
    fs::rename(&fresh, &repo)?;
    Ok(repo)
}

/// Removes a directory, where it is there.
pub(crate) fn remove(directory: &Path) -> anyhow::Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    Ok(())
}

/// Imports a stream of commands for `git fast-import`.
pub(crate) fn import(repo: &Path, stream: &str) -> anyhow::Result<()> {
    let mut git = command("git");
    git.args(["fast-import", "--quiet", "--force"]).current_dir(repo).stdin(Stdio::piped());
    let mut child = git.spawn()?;
    child.stdin.take().context("no pipe to git")?.write_all(stream.as_bytes())?;
    ensure!(child.wait()?.success(), "git fast-import failed");
    Ok(())
}

/// A copy of a repo with which a server lets its clients do what the program does, without its notes.
pub(crate) fn copy(base: &Path, at: &Path) -> anyhow::Result<()> {
    run(command("git").args(["clone", "-q", "--bare", "--local"]).args([base, at]))?;
    for (key, value) in
        [("http.receivepack", "true"), ("receive.autogc", "false"), ("uploadpack.allowFilter", "true")]
    {
        run(command("git").args(["config", key, value]).current_dir(at))?;
    }
    Ok(())
}

/// Commits to `main` that give these services a new version in production, each at its time.
pub(crate) fn deploy(repo: &Path, deployments: &[(usize, i64)], version: usize) -> anyhow::Result<()> {
    let mut text = String::new();
    for (nth, (index, at)) in deployments.iter().enumerate() {
        let path = values_path(*index, ENVIRONMENTS[0]);
        let shown = command("git").arg("show").arg(format!("main:{path}")).current_dir(repo).output()?;
        let values = String::from_utf8(shown.stdout)?;
        let tag = values.lines().find(|line| line.starts_with("  tag:")).context("a file without a tag")?;
        let values = values.replace(tag, &format!("  tag: \"2.{version}.{nth}\""));
        let message = format!("{}: 2.{version}.{nth} to production\n", service(*index));
        let by = "deploy-bot[bot] <bot@example.com>";
        write!(text, "commit refs/heads/main\nauthor {by} {at} +0000\ncommitter {by} {at} +0000\n")?;
        writeln!(text, "data {}\n{message}", message.len())?;
        if nth == 0 {
            writeln!(text, "from refs/heads/main^0")?;
        }
        write!(text, "M 100644 inline {path}\ndata {}\n{values}", values.len())?;
    }
    import(repo, &text)
}
