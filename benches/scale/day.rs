//! A day of passes in one process, on a clock that is set: what it has of memory, threads and files at the start and at the end, and
//! what it leaves on the disk.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context as _, ensure};

use crate::daemon::ask;
use crate::fleet::{Fleet, Size};
use crate::measure::now;
use crate::process::command;
use crate::repo::{self, DAY_SECS};
use crate::sample::Sample;

/// A day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Day {
    size: Size,
    /// How many.
    days: i64,
    /// How many passes over each repo in a day, evenly.
    passes: i64,
    /// How many deployments in all, evenly over the time and over the repos.
    deployments: usize,
    /// How many of these make things worse, from two minutes after them on.
    bad: usize,
}

pub(crate) const FULL: Day = Day {
    size: Size { repos: 10, services: 40, commits: 400 },
    days: 2,
    passes: 1_440,
    deployments: 600,
    bad: 40,
};
pub(crate) const SMALL: Day =
    Day { size: Size { repos: 2, services: 5, commits: 20 }, days: 1, passes: 288, deployments: 6, bad: 2 };

/// The process of the agent. Killed on drop.
struct Agent {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Agent {
    fn start(home: &Path) -> anyhow::Result<Self> {
        let mut program = command(std::env::current_exe()?);
        program.arg("--agent").arg(home).env("HOME", home);
        let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().context("no pipe to the agent")?;
        let output = BufReader::new(child.stdout.take().context("no pipe from the agent")?);
        let mut agent = Self { child, input, output, address: String::new() };
        agent.address = agent.said()?;
        Ok(agent)
    }

    fn said(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "the agent has ended");
        Ok(line.trim().to_owned())
    }

    /// A pass over all repos at this time. Returns the names of those in which something was done.
    fn pass(&mut self, at: i64) -> anyhow::Result<Vec<String>> {
        writeln!(self.input, "{at}")?;
        let said = self.said()?;
        Ok(said.split_whitespace().skip(1).map(str::to_owned).collect())
    }

    fn get(&self, path: &str) -> anyhow::Result<String> {
        ask(&self.address, &format!("GET {path}"), "", "")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let (Err(error), Ok(None)) = (self.child.kill(), self.child.try_wait()) {
            println!("the agent cannot be ended: {error}");
        }
    }
}

/// The memory, threads, files and records at one moment of the day.
struct Moment {
    what: String,
    process: Sample,
    cpu_ms_a_pass: f64,
    series: usize,
    cache_kib: u64,
    repos_kib: u64,
    records_kib: u64,
    reverts: usize,
}

/// Simulates the day and prints what came of it.
pub(crate) fn measure(kept: &Path, day: Day) -> anyhow::Result<()> {
    let begin = now()? - now()?.rem_euclid(DAY_SECS);
    let fleet = Fleet::new(kept, day.size, begin - 2 * DAY_SECS)?;
    std::fs::write(fleet.at("backout.yaml"), fleet.config("60s"))?;
    let mut agent = Agent::start(fleet.home())?;
    let step_secs = DAY_SECS / day.passes;
    // The first clones; by the second all threads have begun.
    for early in [2, 1] {
        agent.pass(begin - early * step_secs)?;
    }
    let mut moments = vec![moment("start", &fleet, &agent, 0.0)?];
    let mut deployed = Deployed { fleet: &fleet, day, begin, next: 0, bad: BTreeMap::new() };
    let (mut cpu, mut since) = (moments[0].process.cpu, 0);
    for pass in 1..=day.passes * day.days {
        let at = begin + pass * step_secs;
        deployed.until(at)?;
        let acted = agent.pass(at)?;
        deployed.mend(&acted);
        ask_all(&agent, pass)?;
        if [day.passes / 24, day.passes / 4].contains(&pass) || pass % day.passes == 0 {
            let used = Sample::of(agent.child.id())?.cpu;
            let each = (used.saturating_sub(cpu)).as_secs_f64() * 1e3 / (pass - since) as f64;
            moments.push(moment(&format!("after {} h", pass * 24 / day.passes), &fleet, &agent, each)?);
            (cpu, since) = (used, pass);
        }
    }
    print(day, &moments);
    let (first, last) = (&moments[1], &moments[moments.len() - 1]);
    ensure!(last.series <= first.series, "series have come: {} and {}", first.series, last.series);
    ensure!(last.process.files <= first.process.files + 64, "files stay open");
    ensure!(last.process.threads <= first.process.threads + 64, "threads stay");
    ensure!(
        last.reverts == day.bad,
        "{} deployments were bad, and there are {} reverts",
        day.bad,
        last.reverts
    );
    Ok(())
}

/// Prometheus asks, and so do the probes of Kubernetes; a webhook comes.
fn ask_all(agent: &Agent, pass: i64) -> anyhow::Result<()> {
    ensure!(agent.get("/metrics")?.contains("backout_passes_total"), "no metrics");
    ensure!(agent.get("/readyz")?.contains("ready"), "no readiness");
    if pass % 5 == 0 {
        let answer = ask(&agent.address, "POST /hooks/any", &Fleet::proof(), "")?;
        ensure!(answer.contains("passes that begin sooner"), "{answer}");
    }
    Ok(())
}

/// The deployments of the day.
struct Deployed<'f> {
    fleet: &'f Fleet,
    day: Day,
    begin: i64,
    next: usize,
    /// The services that fail, each with its repo and since when.
    bad: BTreeMap<usize, (String, i64)>,
}

impl Deployed<'_> {
    /// Deploys what is due up to a time.
    fn until(&mut self, at: i64) -> anyhow::Result<()> {
        let day = self.day;
        let each_bad = day.deployments / day.bad;
        // The agent could not judge a deployment of the last hour within the day.
        let time = |nth: usize| {
            self.begin + (day.days * DAY_SECS - 3_600) * nth as i64 / day.deployments as i64 + 30
        };
        while self.next < day.deployments && time(self.next) < at {
            let nth = self.next;
            let repo = nth % day.size.repos;
            let service = self.fleet.service(repo, nth / day.size.repos);
            repo::deploy(&self.fleet.origin(repo), &[(service, time(nth))], 1_000 + nth)?;
            if nth % each_bad == each_bad / 2 {
                self.bad.insert(service, (format!("r{repo:02}"), time(nth) + 120));
            }
            self.next += 1;
        }
        self.tell();
        Ok(())
    }

    /// The good versions are back in these repos.
    fn mend(&mut self, repos: &[String]) {
        self.bad.retain(|_, (repo, _)| !repos.contains(repo));
        self.tell();
    }

    fn tell(&self) {
        self.fleet.server.fail(self.bad.iter().map(|(service, (_, since))| (*service, *since)));
    }
}

fn moment(what: &str, fleet: &Fleet, agent: &Agent, cpu_ms_a_pass: f64) -> anyhow::Result<Moment> {
    let origins = (0..fleet.size.repos).map(|nth| kib(&fleet.origin(nth))).sum::<anyhow::Result<u64>>()?;
    Ok(Moment {
        what: what.to_owned(),
        process: Sample::of(agent.child.id())?,
        cpu_ms_a_pass,
        series: agent.get("/metrics")?.lines().filter(|line| line.starts_with("backout_")).count(),
        cache_kib: kib(&fleet.at("cache"))?,
        repos_kib: origins,
        records_kib: (0..fleet.size.repos)
            .map(|nth| packed_kib(&fleet.origin(nth)))
            .sum::<anyhow::Result<u64>>()?,
        reverts: fleet.reverts()?,
    })
}

fn print(day: Day, moments: &[Moment]) {
    let Day { size, days, passes, deployments, bad } = day;
    println!(
        "\n{days} simulated days: {} repos, {} services, {passes} passes over each in a day, {deployments} deployments, {bad} bad\n",
        size.repos,
        size.repos * size.services
    );
    println!("| | {} |", moments.iter().map(|moment| moment.what.clone()).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---|".repeat(moments.len()));
    let row = |name: &str, cell: &dyn Fn(&Moment) -> String| {
        println!("| {name} | {} |", moments.iter().map(cell).collect::<Vec<_>>().join(" | "));
    };
    row("resident memory, KiB", &|at| at.process.resident_kib.to_string());
    row("of it not mapped from files, KiB", &|at| at.process.own_kib.to_string());
    row("largest so far, KiB", &|at| at.process.peak_kib.to_string());
    row("threads", &|at| at.process.threads.to_string());
    row("open files", &|at| at.process.files.to_string());
    row("of them connections", &|at| at.process.connections.to_string());
    row("series of `/metrics`", &|at| at.series.to_string());
    row("processor ms a pass over all, since the column before", &|at| format!("{:.0}", at.cpu_ms_a_pass));
    row("the caches, KiB", &|at| at.cache_kib.to_string());
    row("the repos with their records, KiB", &|at| at.repos_kib.to_string());
    row("of these the records, packed, KiB", &|at| at.records_kib.to_string());
    row("reverts", &|at| at.reverts.to_string());
}

/// The size of a directory on the disk, in KiB.
fn kib(directory: &Path) -> anyhow::Result<u64> {
    let output = command("du").args(["-sk"]).arg(directory).output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split_whitespace().next().context("du printed nothing")?.parse()?)
}

/// The size of a pack of all that the refs of records lead to, in KiB.
fn packed_kib(repo: &Path) -> anyhow::Result<u64> {
    let mut pack = command("bash");
    let script =
        "git for-each-ref --format='%(objectname)' refs/notes | git pack-objects --revs --stdout -q | wc -c";
    let output = pack.args(["-c", script]).current_dir(repo).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse::<u64>()?.div_ceil(1_024))
}
