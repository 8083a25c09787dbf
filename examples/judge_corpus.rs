//! Scores the judge on a folder of labelled deployments: one folder a case, with `case.json` and `series.csv`
//! (`timestamp,metric,value`; unix seconds).
//!
//! ```text
//! cargo run --release --example judge_corpus -- DIR [--cases]
//! ```
//!
//! Every case is streamed: at each sample time up to the horizon the judge sees the samples up to then, as the agent
//! would. The first `Regressed` ends the case. As in the agent, seasonal windows are given only where the judge asks
//! for them. `--cases` prints each wrong answer with its reason.
#![expect(clippy::print_stdout, reason = "printing the scores is what this program is for")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use backout::domain::evidence::{Evidence, Found, Gap, Sample, Seasonal, SignalEvidence};
use backout::domain::ids::{SignalName, SourceName};
use backout::domain::policy::Policy;
use backout::domain::signal::{Direction, Signal, SignalKind, usual_min_samples};
use backout::domain::time::Time;
use backout::domain::verdict::{Judgement, Verdict, judge, needs_history};
use serde::Deserialize;

/// Enough for the judge's 60 samples, and for the 20 of the earliest pretended deployment before them.
const BASELINE_SAMPLES: u32 = 80;

#[derive(Deserialize)]
struct Case {
    id: String,
    source: String,
    label: String,
    deploy_time: i64,
    metrics: BTreeMap<String, Metric>,
    step_s: u32,
    eval_horizon_s: u32,
    observable: bool,
    fault_onset: Option<i64>,
}

#[derive(Deserialize)]
struct Metric {
    direction: String,
    kind: String,
    abs_min: Option<f64>,
}

/// What became of one case.
struct Outcome {
    judgement: Judgement,
    at: i64,
    judgements: u32,
    spent_micros: f64,
}

#[derive(Default)]
struct Scores {
    regressions: Vec<bool>,
    healthy: Vec<bool>,
    preexisting: Vec<bool>,
    from_deployment: Vec<f64>,
    from_onset: Vec<f64>,
    words: BTreeMap<&'static str, u32>,
    by_label: BTreeMap<(String, &'static str), u32>,
    cases: u32,
    judgements: u32,
    spent_micros: f64,
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let Some(dir) = args.next() else { bail!("usage: judge_corpus DIR [--cases]") };
    let verbose = args.next().is_some_and(|arg| arg == "--cases");
    let mut folders: Vec<_> = std::fs::read_dir(&dir)
        .with_context(|| format!("{dir} cannot be listed"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    folders.sort();
    let mut scores: BTreeMap<String, Scores> = BTreeMap::new();
    for folder in folders.iter().filter(|folder| folder.join("case.json").is_file()) {
        let case: Case = serde_json::from_str(&read(&folder.join("case.json"))?)
            .with_context(|| format!("{} is not a case", folder.display()))?;
        let series = read_series(&folder.join("series.csv"))?;
        let outcome = stream(&case, &series)?;
        if verbose {
            print_if_wrong(&case, &outcome);
        }
        for key in [case.source.as_str(), "all"] {
            scores.entry(key.to_owned()).or_default().add(&case, &outcome);
        }
    }
    println!(
        "source        recall           false alarms:    preexisting  min from  min from  inconcl.  µs per"
    );
    println!(
        "                               healthy                       deploy    onset     of all    judgement"
    );
    for (source, scores) in
        scores.iter().filter(|(source, _)| *source != "all").chain(scores.get_key_value("all"))
    {
        scores.print(source);
    }
    if let Some(all) = scores.get("all") {
        println!();
        for ((label, word), count) in &all.by_label {
            println!("labelled {label}, last judged {word}: {count}");
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn read_series(path: &Path) -> Result<BTreeMap<String, Vec<Sample>>> {
    let mut series: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    for (number, row) in read(path)?.lines().enumerate().skip(1) {
        let place = || format!("{} line {}", path.display(), number + 1);
        let mut cells = row.split(',');
        let (Some(at), Some(metric), Some(value)) = (cells.next(), cells.next(), cells.next()) else {
            bail!("{} has not three cells", place());
        };
        if value.is_empty() {
            continue;
        }
        let (whole, _) = at.split_once('.').unwrap_or((at, ""));
        let sample = Sample {
            at: Time::from_unix(whole.parse().with_context(place)?),
            value: value.parse().with_context(place)?,
        };
        series.entry(metric.to_owned()).or_default().push(sample);
    }
    series.values_mut().for_each(|samples| samples.sort_by_key(|sample| sample.at));
    Ok(series)
}

/// The signal of a metric, and what its values are multiplied by.
fn signal(name: &str, metric: &Metric, step_secs: u32) -> Result<(Signal, f64)> {
    let (kind, scale) = match metric.kind.as_str() {
        "error_rate" => (SignalKind::ErrorRatio, 1.0),
        "success_pct" => (SignalKind::ErrorRatio, 0.01),
        "latency" => (SignalKind::Latency, 1.0),
        "traffic" => (SignalKind::Traffic, 1.0),
        "saturation" => (SignalKind::Saturation, 1.0),
        _ => (SignalKind::Custom, 1.0),
    };
    let (signal_name, source) = (SignalName::new(name.replace('_', "-"))?, SourceName::new("corpus")?);
    let signal = Signal {
        direction: match metric.direction.as_str() {
            "lower_is_worse" => Direction::LowerIsWorse,
            _ => Direction::HigherIsWorse,
        },
        min_difference: metric.abs_min.unwrap_or(0.0) * scale,
        step_secs,
        min_samples: usual_min_samples(step_secs),
        ..Signal::new(signal_name, source, name, kind)
    };
    Ok((signal, scale))
}

/// Judges a case at every sample time until it regresses or the horizon is reached.
fn stream(case: &Case, series: &BTreeMap<String, Vec<Sample>>) -> Result<Outcome> {
    let closes_at = case.deploy_time + i64::from(case.eval_horizon_s);
    let mut ticks: BTreeSet<i64> = series
        .values()
        .flatten()
        .map(|sample| sample.at.unix())
        .filter(|at| *at > case.deploy_time)
        .collect();
    ticks.insert(closes_at);
    let (mut judgements, mut spent_micros) = (0, 0.0);
    let mut last = None;
    for at in ticks.range(..=closes_at) {
        let mut evidence = evidence(case, series, *at, false)?;
        let (mut judgement, mut micros) = timed(|| judge(&evidence));
        if needs_history(&evidence) {
            evidence = self::evidence(case, series, *at, true)?;
            (judgement, micros) = timed(|| judge(&evidence));
        }
        judgements += 1;
        spent_micros += micros;
        let regressed = judgement.verdict == Verdict::Regressed;
        last = Some((judgement, *at));
        if regressed {
            break;
        }
    }
    let (judgement, at) = last.context("a case without ticks")?;
    Ok(Outcome { judgement, at, judgements, spent_micros })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads a clock")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let start = std::time::Instant::now();
    let result = work();
    (result, start.elapsed().as_secs_f64() * 1e6)
}

fn evidence(
    case: &Case,
    series: &BTreeMap<String, Vec<Sample>>,
    now: i64,
    with_history: bool,
) -> Result<Evidence> {
    let baseline_secs = case.step_s * BASELINE_SAMPLES;
    let from = case.deploy_time - i64::from(baseline_secs);
    let horizon = case.deploy_time + i64::from(case.eval_horizon_s);
    let mut signals = Vec::new();
    for (name, metric) in &case.metrics {
        let (signal, scale) = signal(name, metric, case.step_s)?;
        let cut = |from: i64, to: i64| -> Vec<Sample> {
            let samples = series.get(name).map(Vec::as_slice).unwrap_or_default();
            let inside = samples.iter().filter(|sample| (from..=to).contains(&sample.at.unix()));
            inside.map(|sample| Sample { value: sample.value * scale, ..*sample }).collect()
        };
        let season = |shift_secs: u32| {
            let shift = i64::from(shift_secs);
            Seasonal { shift_secs, samples: cut(from - shift, (horizon - shift).min(now)) }
        };
        let samples = cut(from, now);
        let found = if samples.is_empty() { Found::Gap(Gap::NoData) } else { Found::Samples(samples) };
        signals.push(SignalEvidence {
            seasonal: if with_history { vec![season(86_400), season(604_800)] } else { Vec::new() },
            ..SignalEvidence::new(signal, name.clone(), found)
        });
    }
    let policy =
        Policy { settle_secs: 0, watch_secs: case.eval_horizon_s, baseline_secs, ..Policy::default() };
    Ok(Evidence::new(Time::from_unix(case.deploy_time), Time::from_unix(now), &policy, signals))
}

fn print_if_wrong(case: &Case, outcome: &Outcome) {
    let regressed = outcome.judgement.verdict == Verdict::Regressed;
    let should = case.label == "regression";
    if regressed != should && (case.observable || !should) {
        let kind = if should { "missed" } else { "false alarm" };
        println!("{kind}: {}: {}", case.id, outcome.judgement.reason);
        for finding in outcome.judgement.findings.iter().filter(|_| should) {
            println!("    {}: {}", finding.verdict.word(), finding.reason);
        }
    }
}

impl Scores {
    fn add(&mut self, case: &Case, outcome: &Outcome) {
        let regressed = outcome.judgement.verdict == Verdict::Regressed;
        self.cases += 1;
        self.judgements += outcome.judgements;
        self.spent_micros += outcome.spent_micros;
        *self.words.entry(outcome.judgement.verdict.word()).or_default() += 1;
        *self.by_label.entry((case.label.clone(), outcome.judgement.verdict.word())).or_default() += 1;
        match case.label.as_str() {
            "regression" if case.observable => {
                self.regressions.push(regressed);
                if regressed {
                    let onset = case.fault_onset.unwrap_or(case.deploy_time);
                    self.from_deployment.push(minutes(outcome.at - case.deploy_time));
                    self.from_onset.push(minutes(outcome.at - onset));
                }
            }
            "healthy" => self.healthy.push(regressed),
            "preexisting" => self.preexisting.push(regressed),
            _ => {}
        }
    }

    fn print(&self, source: &str) {
        let inconclusive = self.words.get("inconclusive").copied().unwrap_or(0);
        println!(
            "{source:<13} {:<16} {:<16} {:<12} {:<9} {:<9} {:<9} {:.0}",
            share(&self.regressions),
            share(&self.healthy),
            share(&self.preexisting),
            middle(&self.from_deployment),
            middle(&self.from_onset),
            format!("{:.1} %", f64::from(inconclusive) / f64::from(self.cases.max(1)) * 100.0),
            self.spent_micros / f64::from(self.judgements.max(1)),
        );
    }
}

fn minutes(secs: i64) -> f64 {
    f64::from(i32::try_from(secs).unwrap_or(i32::MAX)) / 60.0
}

fn middle(minutes: &[f64]) -> String {
    backout::domain::stats::median(minutes).map_or_else(|| "-".to_owned(), |minutes| format!("{minutes:.1}"))
}

fn share(flags: &[bool]) -> String {
    let set = flags.iter().filter(|flag| **flag).count();
    if flags.is_empty() {
        return "-".to_owned();
    }
    let share = backout::domain::stats::real(set) / backout::domain::stats::real(flags.len());
    format!("{:.1} % ({set}/{})", share * 100.0, flags.len())
}
