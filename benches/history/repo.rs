//! The repos that are read: wide directories, made once by `git fast-import`, always the same for the same size.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::process::{command, run};

/// How many directories there are; the files are spread over them evenly.
pub(crate) const DIRECTORIES: usize = 10;
/// The time of the last commit.
pub(crate) const END: i64 = 1_700_000_000;
/// The seconds between two commits.
const STEP: i64 = 600;

/// What a repo is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) files: usize,
    /// First-parent commits.
    pub(crate) commits: usize,
    /// Of how many commits one changes a file in the first directory; the others never do. With 0 the directories are
    /// all alike.
    pub(crate) one_in: usize,
    /// Whether the files have about 150 KB each: values of many services, and rendered manifests, in turns.
    pub(crate) large: bool,
}

/// A file.
fn path(directory: usize, index: usize) -> String {
    format!("team-{directory}/svc-{directory}-{index:04}.yaml")
}

fn values(directory: usize, index: usize, version: usize) -> String {
    let name = format!("svc-{directory}-{index:04}");
    let replicas = 2 + index % 5;
    format!(
        "# Values of {name}; the chart is common to all services.\n\
         fullnameOverride: {name}\n\
         replicaCount: {replicas}\n\
         image:\n  repository: registry.example.com/shop/{name}\n  tag: \"1.{version}.0\"\n  pullPolicy: IfNotPresent\n\
         resources:\n  requests: {{cpu: 100m, memory: 128Mi}}\n  limits: {{memory: 256Mi}}\n\
         env:\n  - name: LOG_LEVEL\n    value: info\n  - name: DATABASE_POOL\n    value: \"{replicas}\"\n\
         ingress:\n  enabled: true\n  host: {name}.example.com\n",
    )
}

/// A large file: of values in which a version brings another tag of one of many services, or of manifests in which it brings another
/// image in one document and another label in each.
fn large(index: usize, version: usize) -> anyhow::Result<String> {
    let mut text = String::new();
    if index.is_multiple_of(2) {
        for place in 0..200 {
            let tag = if place == index % 200 { version } else { 0 };
            write!(
                text,
                "service-{place}:\n  image:\n    repository: registry.example.com/shop/s{place}\n    tag: \"1.{tag}.0\"\n  env:\n"
            )?;
            for number in 0..12 {
                write!(text, "  - name: SETTING_{number}\n    value: \"{place}-{number} of many\"\n")?;
            }
        }
        return Ok(text);
    }
    for place in 0..130 {
        let tag = if place == index % 130 { version } else { 0 };
        write!(
            text,
            "---\n# Source: shop/templates/web.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web-{place}\n  labels:\n    \
             app.kubernetes.io/name: web\n    helm.sh/chart: shop-1.{version}.0\nspec:\n  template:\n    spec:\n      containers:\n      \
             - name: main\n        image: registry.example.com/shop/web:1.{tag}.0\n        env:\n"
        )?;
        for number in 0..14 {
            write!(text, "        - name: SETTING_{number}\n          value: \"{place}-{number}\"\n")?;
        }
    }
    Ok(text)
}

/// How many bytes the large files have, of both kinds on average.
pub(crate) fn large_bytes() -> anyhow::Result<usize> {
    Ok(usize::midpoint(large(0, 0)?.len(), large(1, 0)?.len()))
}

/// A stream of commands for `git fast-import`.
#[derive(Default)]
struct Stream {
    text: String,
    marks: usize,
    large: bool,
}

impl Stream {
    fn commit(
        &mut self,
        reference: &str,
        at: i64,
        message: &str,
        parents: &[usize],
    ) -> anyhow::Result<usize> {
        self.marks += 1;
        let (mark, by) = (self.marks, "deploy-bot[bot] <bot@example.com>");
        write!(self.text, "commit {reference}\nmark :{mark}\ncommitter {by} {at} +0000\n")?;
        writeln!(self.text, "data {}\n{message}", message.len())?;
        for (nth, parent) in parents.iter().enumerate() {
            writeln!(self.text, "{} :{parent}", if nth == 0 { "from" } else { "merge" })?;
        }
        Ok(mark)
    }

    fn file(&mut self, directory: usize, index: usize, version: usize) -> anyhow::Result<()> {
        let text = if self.large { large(index, version)? } else { values(directory, index, version) };
        let path = path(directory, index);
        write!(self.text, "M 100644 inline {path}\ndata {}\n{text}", text.len())?;
        Ok(())
    }
}

/// The bare repo of this shape in one pack, as a server keeps it. It is made under `directory` and kept there.
pub(crate) fn repo(directory: &Path, shape: Shape) -> anyhow::Result<PathBuf> {
    let size = if shape.large { "-large" } else { "" };
    let repo = directory.join(format!("{}-{}-{}{size}.git", shape.files, shape.commits, shape.one_in));
    if repo.exists() {
        return Ok(repo);
    }
    let fresh = repo.with_extension("new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    run(command("git").args(["init", "-q", "--bare", "-b", "main"]).arg(&fresh))?;
    import(&fresh, &stream(shape)?)?;
    run(git(&fresh).args(["update-ref", "-d", "refs/heads/work"]))?;
    run(git(&fresh).args(["repack", "-q", "-a", "-d", "-f", "-b"]))?;
    fs::rename(&fresh, &repo)?;
    Ok(repo)
}

/// One commit with everything, then one new version of a file each; every eighth comes through a merge.
fn stream(shape: Shape) -> anyhow::Result<String> {
    let wide = shape.files / DIRECTORIES;
    let start = END - STEP * i64::try_from(shape.commits)?;
    let mut stream = Stream { large: shape.large, ..Stream::default() };
    let mut tip = stream.commit("refs/heads/main", start, "everything as it is\n", &[])?;
    for (directory, index) in (0..DIRECTORIES).flat_map(|directory| (0..wide).map(move |n| (directory, n))) {
        stream.file(directory, index, 0)?;
    }
    let mut random = fastrand::Rng::with_seed(1);
    for number in 1..shape.commits {
        let at = start + STEP * i64::try_from(number)?;
        let directory = match number.checked_rem(shape.one_in) {
            None => random.usize(0..DIRECTORIES),
            Some(0) => 0,
            Some(_) => random.usize(1..DIRECTORIES),
        };
        let index = random.usize(0..wide);
        let message = format!("svc-{directory}-{index:04}: 1.{number}.0\n");
        if number % 8 == 0 {
            let branch = stream.commit("refs/heads/work", at - 30, &message, &[tip])?;
            stream.file(directory, index, number)?;
            tip = stream.commit("refs/heads/main", at, "Merge branch 'work'\n", &[tip, branch])?;
        } else {
            tip = stream.commit("refs/heads/main", at, &message, &[tip])?;
        }
        stream.file(directory, index, number)?;
    }
    Ok(stream.text)
}

/// `git` in a repo, with no configuration but the repo's own.
pub(crate) fn git(repo: &Path) -> Command {
    let mut git = command("git");
    git.current_dir(repo).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    git
}

fn import(repo: &Path, stream: &str) -> anyhow::Result<()> {
    let mut child = git(repo).args(["fast-import", "--quiet", "--force"]).stdin(Stdio::piped()).spawn()?;
    child.stdin.take().context("no pipe to git")?.write_all(stream.as_bytes())?;
    ensure!(child.wait()?.success(), "git fast-import failed");
    Ok(())
}
