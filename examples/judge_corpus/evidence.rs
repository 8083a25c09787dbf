//! What the agent would know of a case at a tick, as the judge takes it.

use backout::domain::environment::policy::Policy;
use backout::domain::environment::signal::{Signal, usual_min_samples};
use backout::domain::ids::{SignalName, SourceName};
use backout::domain::judge::evidence::{Evidence, Found, Gap, Seasonal, SignalEvidence};
use backout::domain::time::Time;

use anyhow::Result;

use crate::cases::{Case, Metric, within};

/// The windows of a day and a week ago.
const SEASONS_SECS: [u32; 2] = [86_400, 604_800];

/// The evidence of a case at a tick: nothing later than `now` is in it. The seasonal windows are there only where
/// they were asked for.
pub(crate) fn evidence(case: &Case, now: i64, with_seasons: bool) -> Result<Evidence> {
    let signals = case.metrics.iter().enumerate().map(|(index, metric)| {
        let signal = signal(case, metric, index)?;
        Ok(signal_evidence(case, metric, signal, now, with_seasons))
    });
    let policy = Policy {
        settle_secs: 0,
        watch_secs: case.horizon_secs,
        baseline_secs: case.baseline_secs(),
        ..Policy::default()
    };
    let (deployed_at, now) = (Time::from_unix(case.deployed_at), Time::from_unix(now));
    Ok(Evidence::new(deployed_at, now, &policy, signals.collect::<Result<_>>()?))
}

fn signal_evidence(
    case: &Case,
    metric: &Metric,
    signal: Signal,
    now: i64,
    with_seasons: bool,
) -> SignalEvidence {
    let from = case.deployed_at.saturating_sub(i64::from(case.baseline_secs()));
    let samples = within(&metric.samples, from, now);
    let season = |shift_secs: u32| {
        let shift = i64::from(shift_secs);
        let to = case.closes_at().saturating_sub(shift).min(now);
        Seasonal { shift_secs, samples: within(&metric.samples, from.saturating_sub(shift), to).to_vec() }
    };
    let found = if samples.is_empty() { Found::Gap(Gap::NoData) } else { Found::Samples(samples.to_vec()) };
    SignalEvidence {
        seasonal: if with_seasons { SEASONS_SECS.map(season).into() } else { Vec::new() },
        ..SignalEvidence::new(signal, metric.name.clone(), found)
    }
}

fn signal(case: &Case, metric: &Metric, index: usize) -> Result<Signal> {
    let (name, source) = (signal_name(&metric.name, index)?, SourceName::new("corpus")?);
    Ok(Signal {
        direction: metric.direction,
        min_difference: metric.min_difference.unwrap_or(0.0),
        step_secs: case.step_secs,
        min_samples: usual_min_samples(case.step_secs),
        ..Signal::new(name, source, &metric.name, metric.kind)
    })
}

/// The metric's name as far as a signal's may be like it, else its number.
fn signal_name(metric: &str, index: usize) -> Result<SignalName> {
    let name: String = metric
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    Ok(SignalName::new(name.trim_matches('-')).or_else(|_| SignalName::new(format!("metric-{index}")))?)
}
