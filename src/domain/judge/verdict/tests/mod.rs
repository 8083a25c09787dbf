//! Table and property tests of the judge on generated series.

mod counted;
mod limits;
mod overall;
mod properties;
mod robust;

use super::*;
use crate::domain::environment::policy::Policy;
use crate::domain::environment::signal::{Direction, Role, Signal, SignalKind};
use crate::domain::ids::{SignalName, SourceName};
use crate::domain::judge::evidence::{Control, Gap, Sample, Seasonal};
use crate::domain::time::Time;

/// 2026-11-20T03:12:55Z: not on the grid of samples, as no deployment is.
const DEPLOYED: i64 = 1_795_144_375;
const STEP: i64 = 15;

fn samples(values: impl IntoIterator<Item = (i64, f64)>) -> Vec<Sample> {
    values.into_iter().map(|(at, value)| Sample { at: Time::from_unix(at), value }).collect()
}

/// A series on the grid of `step` seconds: `before` ends at the last grid point up to the deployment, `after` starts
/// at the next one.
fn grid(step: i64, before: &[f64], after: &[f64]) -> Vec<Sample> {
    let last = DEPLOYED - DEPLOYED.rem_euclid(step);
    let count = i64::try_from(before.len()).unwrap();
    let values = before.iter().chain(after);
    samples((1..).zip(values).map(|(index, value)| (last + (index - count) * step, *value)))
}

/// Uniform noise around `level`, the same for the same seed.
fn noise(seed: u64, level: f64, width: f64, count: usize) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| level + width * (random.f64() - 0.5)).collect()
}

fn signal(name: &str, rule: Rule) -> Signal {
    let (name, source) = (SignalName::new(name).unwrap(), SourceName::new("prometheus").unwrap());
    Signal { rule, step_secs: 15, ..Signal::new(name, source, "", SignalKind::Custom) }
}

fn asked(signal: Signal, samples: Vec<Sample>) -> SignalEvidence {
    SignalEvidence::new(signal, String::new(), Found::Samples(samples))
}

/// An evidence whose window is over: no settling, ten minutes of watching, an hour of baseline.
fn evidence(signals: Vec<SignalEvidence>) -> Evidence {
    let policy = Policy { settle_secs: 0, watch_secs: 600, baseline_secs: 3_600, ..Policy::default() };
    Evidence::new(Time::from_unix(DEPLOYED), Time::from_unix(DEPLOYED + 600), &policy, signals)
}

/// The same evidence as it was so many seconds after the deployment.
fn after(secs: i64, mut evidence: Evidence) -> Evidence {
    evidence.judged_at = Time::from_unix(DEPLOYED + secs);
    evidence
}

fn only(evidence: &Evidence) -> Finding {
    let mut findings = judge(evidence).findings;
    assert_eq!(findings.len(), 1);
    findings.remove(0)
}

fn word(evidence: &Evidence) -> &'static str {
    judge(evidence).verdict.word()
}

fn shape(before: usize, ok: &[(usize, f64)]) -> (Vec<f64>, Vec<f64>) {
    let after = ok.iter().flat_map(|(count, value)| std::iter::repeat_n(*value, *count)).collect();
    (vec![1.0; before], after)
}
