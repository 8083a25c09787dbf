//! A year of records: what a pass without a cache fetches of them, and how long people wait for `backout history`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::measure::{HEAD, now, row};
use crate::process::{command, run};
use crate::repo::{self, DAY_SECS, Size};
use crate::server::Server;
use crate::written;

/// How far back a pass without a cache clones a branch, with the rules of the configuration.
const CLONED_SECS: i64 = 14 * DAY_SECS;
/// How many records `backout history` shows.
const SHOWN: usize = 50;

/// Prints the table.
pub(crate) fn measure(kept: &Path, size: Size, times: usize) -> anyhow::Result<()> {
    let base = repo::base(kept, size, now()?)?;
    let records = with_records(&base)?;
    let directory = tempfile::tempdir_in(kept)?;
    let server = Server::start(size.services, directory.path().to_owned())?;
    let year = Year { directory: directory.path().to_owned(), server, times };
    println!("\nA year: {records} records about {} services\n\n{HEAD}", size.services);
    // About what was deployed in the last day and has no record it would be told that nobody has watched it.
    year.serve(&base, false)?;
    written::write_all(&year.at("env.git"), now()? - 2 * DAY_SECS)?;
    year.first_pass("first pass, with the records of two days")?;
    year.serve(&base, true)?;
    year.first_pass("first pass, with all records")?;
    year.by_hand("`git clone` of 14 days, without records", &[])?;
    year.by_hand("the same, and `git fetch` of the records of those months", &months()?)?;
    year.by_hand("the same, of all months", &["*".to_owned()])?;
    year.history(&repo::service(size.services / 2))
}

/// Writes the records of all deployments into a repo, once. Returns how many they are.
fn with_records(base: &Path) -> anyhow::Result<usize> {
    let counted = base.join("records");
    if let Ok(count) = fs::read_to_string(&counted) {
        return Ok(count.parse()?);
    }
    let count = written::write_all(base, now()? - 2 * 365 * DAY_SECS)?;
    run(command("git").args(["repack", "-q", "-a", "-d", "-b"]).current_dir(base))?;
    fs::write(counted, count.to_string())?;
    Ok(count)
}

/// The refs of the records about what was deployed in the time that is cloned.
fn months() -> anyhow::Result<Vec<String>> {
    // As patterns: in its first days a month has no records yet, and Git fails where a ref that is named is not there.
    let month = |at: i64| {
        let time = backout::domain::time::Time::from_unix(at).to_string();
        time.chars().take(7).chain(['*']).collect()
    };
    let mut months: Vec<String> = vec![month(now()? - CLONED_SECS), month(now()?)];
    months.dedup();
    Ok(months)
}

/// A remote, and programs that read it.
struct Year {
    directory: PathBuf,
    server: Arc<Server>,
    times: usize,
}

impl Year {
    fn at(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Puts a copy of a repo on the server, with its records or without.
    fn serve(&self, base: &Path, with_records: bool) -> anyhow::Result<()> {
        let origin = self.at("env.git");
        repo::remove(&origin)?;
        repo::copy(base, &origin)?;
        if with_records {
            let mut fetch = command("git");
            run(fetch.args(["fetch", "-q"]).arg(base).arg("refs/notes/*:refs/notes/*").current_dir(&origin))?;
        }
        let environments =
            "  production: {branch: main, mode: auto}\n  staging: {branch: main, mode: auto}\n";
        fs::write(self.at("backout.yaml"), self.server.config(environments))?;
        Ok(())
    }

    fn backout(&self, arguments: &[&str]) -> Command {
        let mut backout = command(env!("CARGO_BIN_EXE_backout"));
        backout.args(arguments).arg("--config").arg(self.at("backout.yaml"));
        backout
    }

    fn first_pass(&self, name: &str) -> anyhow::Result<()> {
        let pass = || self.backout(&["run", "--once"]);
        row(&self.server, (name, self.times), (0, "nothing new"), pass, || repo::remove(&self.at("cache")))
    }

    /// A person's fetches of the branch and of these records.
    fn by_hand(&self, name: &str, months: &[String]) -> anyhow::Result<()> {
        let (url, clone) = (format!("http://{}/env.git", self.server.address), self.at("by-hand.git"));
        let since = now()? - CLONED_SECS;
        let fetch: String = months
            .iter()
            .map(|month| format!(" 'refs/notes/backout-{month}:refs/notes/backout-{month}'"))
            .collect();
        let script = match fetch.as_str() {
            "" => String::new(),
            fetch => format!("git -C \"$1\" fetch -q --depth 1 origin {fetch}"),
        };
        let script = format!(
            "set -e\ngit clone -q --bare --shallow-since=\"$3\" \"$2\" \"$1\"\n{script}\necho fetched"
        );
        let fetch = || {
            let mut fetch = command("bash");
            fetch.args(["-c", &script, "by-hand"]).arg(&clone).arg(&url).arg(since.to_string());
            fetch
        };
        row(&self.server, (name, self.times), (0, "fetched"), fetch, || repo::remove(&clone))
    }

    /// The audit log, beside what `git log` shows of the same.
    fn history(&self, service: &str) -> anyhow::Result<()> {
        let nothing = || Ok(());
        let (count, limit) = (4 * self.times, SHOWN.to_string());
        let history = || self.backout(&["history"]);
        row(&self.server, ("`backout history`, the newest 50", count), (0, "healthy"), history, nothing)?;
        let of_service = || self.backout(&["history", "--service", service]);
        let name = "`backout history --service`, its newest 50";
        row(&self.server, (name, count), (0, "healthy"), of_service, nothing)?;
        let log = |path: &str| {
            let mut log = command("git");
            log.args(["log", "--first-parent", "--notes=backout-*", "-n", &limit, "main", "--", path]);
            log.current_dir(self.at("env.git"));
            log
        };
        // It fetches nothing, and reads the repo itself.
        row(
            &self.server,
            ("`git log --notes`, the newest 50", count),
            (0, "verdict"),
            || log("apps"),
            nothing,
        )?;
        let path = format!("apps/{service}");
        row(
            &self.server,
            ("`git log --notes`, a service's newest 50", count),
            (0, "verdict"),
            || log(&path),
            nothing,
        )
    }
}
