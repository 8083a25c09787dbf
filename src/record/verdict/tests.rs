//! How long the record of a verdict is, and that all of it follows when it is read.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::*;
use crate::domain::decision::{GUARDS, Replay};
use crate::domain::environment::policy::Policy;
use crate::domain::environment::signal::{Signal, SignalKind};
use crate::domain::ids::{SignalName, SourceName};
use crate::domain::judge::evidence::{Found, Sample, Seasonal, SignalEvidence};
use crate::domain::judge::lean::{lean, without_idle};
use crate::record::{Record, VERSION};

const DEPLOYED: i64 = 1_795_144_455;
const NOISY: [(&str, SignalKind, f64, f64, &str); 3] = [
    (
        "errors",
        SignalKind::ErrorRatio,
        0.0012,
        0.0004,
        "sum by (app) (rate(http_requests_total{code=~\"5..\",namespace=\"production\"}[5m]))\
         / sum by (app) (rate(http_requests_total{namespace=\"production\"}[5m]))",
    ),
    (
        "latency",
        SignalKind::Latency,
        0.2431,
        0.012,
        "histogram_quantile(0.99, sum by (app, le) \
         (rate(http_request_duration_seconds_bucket{namespace=\"production\"}[5m])))",
    ),
    (
        "traffic",
        SignalKind::Traffic,
        1_240.0,
        35.0,
        "sum by (app) (rate(http_requests_total{namespace=\"production\"}[5m]))",
    ),
];

/// About normal noise: the sum of twelve random numbers.
fn noise(random: &mut fastrand::Rng) -> f64 {
    (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
}

/// Three signals over the default windows, a sample a minute, until so many seconds after the deployment; with `damage` since
/// two minutes after it.
fn evidence(seed: u64, watched_secs: i64, damage: f64, seasons: &[u32]) -> Evidence {
    let mut random = fastrand::Rng::with_seed(seed);
    let policy = Policy::default();
    let signals = NOISY.map(|(name, kind, usual, spread, query)| {
        let mut series = |shift: i64, damage: f64| -> Vec<Sample> {
            let from = (DEPLOYED - i64::from(policy.baseline_secs)) / 60;
            let times = (from..=(DEPLOYED + watched_secs) / 60).map(|minute| minute * 60);
            let value = |at: i64| {
                let worse = if at > DEPLOYED + 120 { damage } else { 1.0 };
                Sample {
                    at: Time::from_unix(at - shift),
                    value: (usual + spread * noise(&mut random)).abs() * worse,
                }
            };
            times.map(value).map(Sample::rounded).collect()
        };
        let damage = if kind == SignalKind::Traffic { 1.0 / damage } else { damage };
        let found = Found::Samples(series(0, damage));
        let seasonal = seasons
            .iter()
            .map(|shift| Seasonal { shift_secs: *shift, samples: series(i64::from(*shift), 1.0) })
            .collect();
        let (name, source) = (SignalName::new(name).unwrap(), SourceName::new("prometheus").unwrap());
        let signal = Signal { by: Some("app".to_owned()), ..Signal::new(name, source, query, kind) };
        SignalEvidence { seasonal, ..SignalEvidence::new(signal, query.to_owned(), found) }
    });
    let (deployed_at, judged_at) = (Time::from_unix(DEPLOYED), Time::from_unix(DEPLOYED + watched_secs));
    Evidence::new(deployed_at, judged_at, &policy, signals.to_vec())
}

/// What the guards say before a revert.
const GUARDS_OF_REVERT: &str = include_str!("guards_of_revert.json");

fn record(evidence: Evidence, judgement: Judgement) -> VerdictRecord {
    let is_healthy = judgement.verdict == Verdict::Healthy;
    let (decision, guards) = if is_healthy {
        passed(&judgement, &evidence, evidence.judged_at)
    } else {
        (Decision::Revert, serde_json::from_str(GUARDS_OF_REVERT).unwrap())
    };
    VerdictRecord {
        version: VERSION,
        id: "5fe12baf111e573ab1218918".to_owned(),
        environment: EnvironmentName::new("production").unwrap(),
        service: ServiceName::new("checkout").unwrap(),
        deployment: "df79fb345c55c8a31a98227f9713953ce15dba32".parse().unwrap(),
        at: evidence.judged_at,
        judgement,
        decision,
        guards,
        revert: (!is_healthy).then(|| "0a1b9c345c55c8a31a98227f9713953ce15e77f1".parse().unwrap()),
        proposal: None,
        elsewhere: Vec::new(),
        artifacts: None,
        evidence,
        config: "a2757f195a69f4dc".to_owned(),
    }
}

fn line(record: &VerdictRecord) -> String {
    Record::Verdict(Box::new(record.clone())).to_line().unwrap()
}

fn read(line: &str) -> VerdictRecord {
    Record::of_line(line).and_then(|record| record.as_verdict().cloned()).unwrap()
}

/// The bytes of a note in a pack of Git, which is what zlib makes of it, and a head of two bytes.
fn packed(line: &str) -> usize {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(line.as_bytes()).unwrap();
    encoder.write_all(b"\n").unwrap();
    encoder.finish().unwrap().len() + 2
}

/// Every healthy deployment of some seeds, with all of its evidence.
fn healthy(seeds: std::ops::Range<u64>) -> impl Iterator<Item = (Evidence, Judgement)> {
    let judged =
        seeds.map(|seed| evidence(seed, 1_800, 1.0, &[])).map(|whole| (whole.clone(), judge(&whole)));
    judged.filter(|(_, judgement)| judgement.verdict == Verdict::Healthy)
}

#[test]
fn a_healthy_deployment_takes_little_and_all_of_it_follows_when_it_is_read() {
    let sizes = healthy(0..20).map(|(whole, judgement)| {
        let (evidence, judged) = lean(&whole, &judgement).unwrap();
        let record = record(evidence, judged);
        let line = line(&record);
        assert_eq!(read(&line), record);
        assert_eq!(judge(&read(&line).evidence), record.judgement);
        assert!(record.judgement.reason.contains("0.1 %"), "{}", record.judgement.reason);
        packed(&line)
    });
    let sizes: Vec<usize> = sizes.collect();
    assert!(sizes.len() > 10 && sizes.iter().all(|size| *size <= 614), "{sizes:?} bytes");
}

#[test]
fn a_revert_keeps_all_that_it_rests_on() {
    for seed in 0..10 {
        let whole = evidence(seed, 600, 1.8, &[86_400, 604_800]);
        let judgement = judge(&whole);
        assert_eq!(judgement.verdict, Verdict::Regressed);
        let record = record(without_idle(&whole, &judgement), judgement);
        let line = line(&record);
        assert_eq!(read(&line), record);
        assert_eq!(judge(&read(&line).evidence), record.judgement);
        assert!(packed(&line) <= 3_300, "{} bytes", packed(&line));
        // The facts that the guards looked at are a small part of it.
        let names = record.guards.iter().map(|answer| GuardAnswer::without_facts(&answer.guard, None));
        let bare = self::line(&VerdictRecord { guards: names.collect(), ..record.clone() });
        let grown = packed(&line) - packed(&bare);
        assert!(grown <= 400, "{grown} bytes");
    }
}

#[test]
fn the_guards_that_are_asked_before_a_revert_all_have_facts() {
    let guards: Vec<GuardAnswer> = serde_json::from_str(GUARDS_OF_REVERT).unwrap();
    let names = guards.iter().map(|answer| answer.guard.as_str());
    assert!(names.eq(GUARDS.iter().map(|guard| guard.name)));
    assert!(guards.iter().all(|answer| answer.replayed() == Replay::Same && answer.decision.is_none()));
}

#[test]
fn what_does_not_follow_is_not_taken_for_what_was_recorded() {
    let (whole, judgement) = healthy(0..9).next().unwrap();
    let (evidence, judged) = lean(&whole, &judgement).unwrap();
    let line = line(&record(evidence, judged));
    let digest = line.split("\"digest\":\"").nth(1).and_then(|rest| rest.get(..16)).unwrap();
    let forged = read(&line.replace(digest, "0123456789abcdef"));
    assert_eq!(forged.judgement.verdict, Verdict::Healthy);
    assert_ne!(forged.judgement, judge(&forged.evidence));
    // Of damage that is called healthy the verdict stays as it was recorded, and does not follow either.
    let bad = self::evidence(1, 1_800, 9.0, &[]);
    let mut value: serde_json::Value = serde_json::from_str(&line).unwrap();
    value["evidence"] = serde_json::to_value(&bad).unwrap();
    let forged = read(&value.to_string());
    assert_eq!(forged.judgement.verdict, Verdict::Healthy);
    assert_eq!(judge(&forged.evidence).verdict, Verdict::Regressed);
    // Half of either form is no record.
    value["decision"] = serde_json::json!({"action": "pass", "why": "so"});
    assert_eq!(Record::of_line(&value.to_string()), None);
}

/// A line as version 1 wrote it.
const OLD: &str = include_str!("version_1.jsonl");

#[test]
fn what_version_1_wrote_follows_from_it_still() {
    for line in OLD.lines() {
        let record = read(line);
        assert_eq!(record.version, 1);
        assert_eq!(judge(&record.evidence), record.judgement);
        assert!(record.guards.len() > 2 && record.evidence.signals.iter().all(|one| !one.asked.is_empty()));
    }
    assert_eq!(OLD.lines().count(), 2);
}
