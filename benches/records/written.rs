//! The records of a year, as agents would have written them: a note on each deployment, in the ref of its month.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use backout::domain::decision::{Decision, GuardAnswer, facts_of_healthy};
use backout::domain::environment::policy::Policy;
use backout::domain::environment::signal::{Signal, SignalKind};
use backout::domain::history::ledger::rollback_id;
use backout::domain::ids::{EnvironmentName, ServiceName, SignalName, SourceName};
use backout::domain::judge::evidence::{Evidence, Found, Sample, SignalEvidence};
use backout::domain::judge::lean::lean;
use backout::domain::judge::verdict::judge;
use backout::domain::time::Time;
use backout::record::{Record, VERSION, VerdictRecord};

use crate::process::command;
use crate::repo;

/// A deployment in the history.
struct Deployed {
    commit: String,
    at: i64,
    service: String,
    environment: String,
}

/// Writes a record about every deployment of a repo since some time, an hour's at once. Returns how many they are.
pub(crate) fn write_all(origin: &Path, since: i64) -> anyhow::Result<usize> {
    let mut months: BTreeMap<String, String> = BTreeMap::new();
    let mut count = 0;
    for (hour, deployed) in by_hour(deployments(origin, since)?) {
        let at = hour * 3_600 + 3_599;
        let month: String = Time::from_unix(at).to_string().chars().take(7).collect();
        let reference = format!("refs/notes/backout-{month}");
        let text = months.entry(month).or_default();
        let by = "backout <backout@example.com>";
        write!(text, "commit {reference}\nauthor {by} {at} +0000\ncommitter {by} {at} +0000\n")?;
        writeln!(text, "data 23\nNotes added by backout\n")?;
        for one in &deployed {
            let line = record(one)?.to_line()?;
            write!(text, "N inline {}\ndata {}\n{line}\n", one.commit, line.len() + 1)?;
            count += 1;
        }
    }
    months.values().try_for_each(|text| repo::import(origin, text))?;
    Ok(count)
}

fn by_hour(deployments: Vec<Deployed>) -> BTreeMap<i64, Vec<Deployed>> {
    let mut hours: BTreeMap<i64, Vec<Deployed>> = BTreeMap::new();
    for one in deployments {
        hours.entry(one.at.div_euclid(3_600)).or_default().push(one);
    }
    hours
}

/// Every deployment of the branch since some time. Each commit but the first changed one file.
fn deployments(origin: &Path, since: i64) -> anyhow::Result<Vec<Deployed>> {
    let mut log = command("git");
    log.args(["log", "--first-parent", "-m", "--format=%H %ct", "--name-only"]);
    log.arg(format!("--since={since}")).arg("main").current_dir(origin);
    let log = String::from_utf8(log.output()?.stdout)?;
    let (mut found, mut commit) = (Vec::new(), None);
    for line in log.lines().filter(|line| !line.is_empty()) {
        if let Some(path) = line.strip_prefix("apps/") {
            let (service, rest) = path.split_once('/').context("a file without a service")?;
            let (environment, _) = rest.split_once('/').context("a file without an environment")?;
            // Of the first commit only its first file, as of all others.
            if let Some((commit, at)) = commit.take() {
                let (service, environment) = (service.to_owned(), environment.to_owned());
                found.push(Deployed { commit, at, service, environment });
            }
        } else {
            let (id, at) = line.split_once(' ').context("a commit without a time")?;
            commit = Some((id.to_owned(), at.parse()?));
        }
    }
    Ok(found)
}

/// The record that an agent writes about a healthy deployment with three signals and a sample a minute. The samples are noise.
fn record(deployed: &Deployed) -> anyhow::Result<Record> {
    let policy = Policy::default();
    let mut random = fastrand::Rng::with_seed(deployed.at.unsigned_abs());
    let judged_at = deployed.at + i64::from(policy.watch_secs) + 20;
    let mut signal = |name: &str, kind: SignalKind, usual: f64, spread: f64| -> anyhow::Result<_> {
        let minutes = (deployed.at - i64::from(policy.baseline_secs)) / 60..judged_at / 60;
        let samples = minutes.map(|minute| {
            let noise = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
            Sample { at: Time::from_unix(minute * 60), value: (usual + spread * noise).abs() }.rounded()
        });
        let query = format!("sum by (app) ({name})");
        let signal = Signal {
            by: Some("app".to_owned()),
            ..Signal::new(SignalName::new(name)?, SourceName::new("prometheus")?, &query, kind)
        };
        Ok(SignalEvidence::new(signal, query, Found::Samples(samples.collect())))
    };
    let signals = vec![
        signal("errors", SignalKind::ErrorRatio, 0.0012, 0.0004)?,
        signal("latency", SignalKind::Latency, 0.2431, 0.012)?,
        signal("traffic", SignalKind::Traffic, 1_240.0, 35.0)?,
    ];
    let (at, end) = (Time::from_unix(deployed.at), Time::from_unix(judged_at));
    let whole = Evidence::new(at, end, &policy, signals);
    let judgement = judge(&whole);
    let (evidence, judgement) = lean(&whole, &judgement).unwrap_or((whole, judgement));
    let (environment, service) =
        (EnvironmentName::new(&deployed.environment)?, ServiceName::new(&deployed.service)?);
    let decision = Decision::Pass(judgement.reason.clone());
    let facts = facts_of_healthy(&judgement.reason, end.secs_since(at), policy.watch_secs);
    let guards = facts.map(GuardAnswer::to).to_vec();
    Ok(Record::Verdict(Box::new(VerdictRecord {
        version: VERSION,
        id: rollback_id(&environment, &service, deployed.commit.parse()?),
        environment,
        service,
        deployment: deployed.commit.parse()?,
        at: end,
        judgement,
        guards,
        decision,
        revert: None,
        proposal: None,
        elsewhere: Vec::new(),
        artifacts: None,
        evidence,
        config: "a2757f195a69f4dc".to_owned(),
    })))
}
