//! Many environment repos beside each other, with as many services in each.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::ensure;

use crate::daemon::SECRET;
use crate::measure::now;
use crate::process::{command, run};
use crate::repo::{self, DAY_SECS};
use crate::server::Server;

/// How large a fleet is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) repos: usize,
    /// In each repo.
    pub(crate) services: usize,
    /// In each repo, over 90 days.
    pub(crate) commits: usize,
}

/// The repos on a server, and a configuration for all of them.
pub(crate) struct Fleet {
    directory: tempfile::TempDir,
    pub(crate) size: Size,
    pub(crate) server: Arc<Server>,
}

impl Fleet {
    /// Makes them. Their last commits are two days old.
    pub(crate) fn new(kept: &Path, size: Size, end: i64) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir_in(kept)?;
        let server = Server::start(size.repos * size.services, directory.path().to_owned())?;
        let fleet = Self { directory, size, server };
        for nth in 0..size.repos {
            fleet.make(nth, end)?;
        }
        fs::write(fleet.at("backout.yaml"), fleet.config("1h"))?;
        Ok(fleet)
    }

    pub(crate) fn home(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.home().join(name)
    }

    /// The bare repository of this number.
    pub(crate) fn origin(&self, nth: usize) -> PathBuf {
        self.at(&format!("r{nth:02}.git"))
    }

    /// The number of a service among those of all repos.
    pub(crate) fn service(&self, repo: usize, nth: usize) -> usize {
        repo * self.size.services + nth % self.size.services
    }

    fn make(&self, nth: usize, end: i64) -> anyhow::Result<()> {
        let origin = self.origin(nth);
        run(command("git").args(["init", "-q", "--bare", "-b", "main"]).arg(&origin))?;
        for (key, value) in
            [("http.receivepack", "true"), ("receive.autogc", "false"), ("uploadpack.allowFilter", "true")]
        {
            run(command("git").args(["config", key, value]).current_dir(&origin))?;
        }
        let mut text = String::new();
        let begin = end - 90 * DAY_SECS;
        let mut commit = |at: i64, message: &str, files: &[(usize, usize)]| -> std::fmt::Result {
            let by = "deploy-bot[bot] <bot@example.com>";
            write!(text, "commit refs/heads/main\nauthor {by} {at} +0000\ncommitter {by} {at} +0000\n")?;
            writeln!(text, "data {}\n{message}", message.len())?;
            for (index, version) in files {
                let values = values(*index, *version);
                let path = repo::values_path(*index, "production");
                write!(text, "M 100644 inline {path}\ndata {}\n{values}", values.len())?;
            }
            Ok(())
        };
        let all: Vec<_> = (0..self.size.services).map(|service| (self.service(nth, service), 1)).collect();
        commit(begin, "everything as it is\n", &all)?;
        let mut random = fastrand::Rng::with_seed(u64::try_from(nth)?);
        let mut versions = vec![1; self.size.services];
        for done in 1..self.size.commits {
            let at = begin + 90 * DAY_SECS * i64::try_from(done)? / i64::try_from(self.size.commits)?;
            let service = random.usize(0..self.size.services);
            versions[service] += 1;
            let (index, version) = (self.service(nth, service), versions[service]);
            commit(at, &format!("{}: 1.{version}.0\n", repo::service(index)), &[(index, version)])?;
        }
        repo::import(&origin, &text)?;
        run(command("git").args(["repack", "-q", "-a", "-d", "-b"]).current_dir(&origin))
    }

    /// A configuration for all repos, each with one environment, with passes so far apart.
    pub(crate) fn config(&self, interval: &str) -> String {
        let address = self.server.address;
        let (mut repositories, mut environments) = (String::new(), String::new());
        for nth in 0..self.size.repos {
            repositories +=
                &format!("  r{nth:02}: {{url: \"http://{address}/r{nth:02}.git\", cache: cache}}\n");
            environments += &format!(
                "  e{nth:02}: {{repository: r{nth:02}, branch: main, mode: auto, budget: {{max_reverts: 100}}}}\n"
            );
        }
        format!(
            r#"repositories:
{repositories}environments:
{environments}metrics:
  prometheus: {{kind: prometheus, url: "http://{address}"}}
signals:
  errors: {{query: "sum by (app) (errors)", by: app, kind: error-ratio}}
  latency: {{query: "sum by (app) (latency)", by: app, kind: latency}}
  saturation: {{query: "sum by (app) (cpu)", by: app, kind: saturation}}
services:
  - pattern: "apps/{{service}}/production/values.yaml"
run:
  interval: {interval}
  listen: 127.0.0.1:0
  hooks: {{any: {{sender: generic, secret: {{env: HOOK}}}}}}
"#
        )
    }

    /// One deployment in each of the first repos, at the same time.
    pub(crate) fn deploy(&self, repos: usize, at: i64, version: usize) -> anyhow::Result<()> {
        (0..repos).try_for_each(|nth| repo::deploy(&self.origin(nth), &[(self.service(nth, 3), at)], version))
    }

    /// Removes the caches and all records, so that the agent has never looked at any repo.
    pub(crate) fn forget(&self) -> anyhow::Result<()> {
        repo::remove(&self.at("cache"))?;
        for nth in 0..self.size.repos {
            let script = "git for-each-ref --format='delete %(refname)' refs/notes refs/backout | git update-ref --stdin";
            run(command("bash").args(["-c", script]).current_dir(self.origin(nth)))?;
        }
        Ok(())
    }

    /// The header of a webhook that is about all repos.
    pub(crate) fn proof() -> String {
        format!("Authorization: Bearer {SECRET}\r\n")
    }

    /// How many reverts there are on all branches.
    pub(crate) fn reverts(&self) -> anyhow::Result<usize> {
        let mut count = 0;
        for nth in 0..self.size.repos {
            let mut log = command("git");
            log.args(["log", "--format=%H", "--author=backout", "main"]).current_dir(self.origin(nth));
            let output = log.output()?;
            ensure!(output.status.success(), "git log failed");
            count += String::from_utf8(output.stdout)?.lines().count();
        }
        Ok(count)
    }
}

fn values(index: usize, version: usize) -> String {
    let name = repo::service(index);
    format!(
        "# Values of {name}; the chart is common to all services.\n\
         fullnameOverride: {name}\nreplicaCount: 3\n\
         image:\n  repository: registry.example.com/shop/{name}\n  tag: \"1.{version}.0\"\n\
         resources:\n  requests: {{cpu: 100m, memory: 128Mi}}\n  limits: {{memory: 256Mi}}\n\
         ingress:\n  enabled: true\n  host: {name}.example.com\n"
    )
}

/// Two days before now.
pub(crate) fn two_days_ago() -> anyhow::Result<i64> {
    Ok(now()? - 2 * DAY_SECS)
}
