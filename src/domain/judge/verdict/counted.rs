//! Which samples count at all: what had too little traffic is left out, and what is missing is zero where that is meant.

use super::assessment::State;
use super::frame::Frame;
use crate::domain::environment::signal::{Missing, Signal};
use crate::domain::judge::evidence::{Found, Gap, Sample};
use crate::domain::time::Time;

/// No series is filled up to more samples than this.
const MAX_FILLED: i64 = 100_000;

/// The samples that count, in any order; or why there are none.
///
/// Where the signal asks for traffic, a sample counts only where the traffic at its time was enough, and a missing one is
/// zero only there. An answer that could not be had stays a gap, whatever missing samples mean.
pub(super) fn samples(
    signal: &Signal,
    found: &Found,
    traffic: Option<&Found>,
    frame: &Frame,
) -> Result<Vec<Sample>, State> {
    let mut samples = match found {
        Found::Samples(samples) => samples.clone(),
        Found::Gap(Gap::NoData) if signal.missing == Missing::Zero => Vec::new(),
        Found::Gap(gap) => return Err(State::Unclear(gap.to_string())),
    };
    if signal.missing == Missing::Zero {
        samples.extend(zeros(&samples, frame));
    }
    let Some(least) = &signal.min_traffic else { return Ok(samples) };
    let traffic = match traffic {
        Some(Found::Samples(traffic)) => traffic,
        Some(Found::Gap(gap)) => return Err(State::Unclear(format!("its traffic is not known: {gap}"))),
        None => return Err(State::Unclear("its traffic was not asked for".to_owned())),
    };
    let before = samples.len();
    samples.retain(|sample| enough(traffic, sample.at, least.at_least, frame.step));
    let after = |sample: &&Sample| sample.at > frame.deployed_at && sample.at <= frame.end;
    if samples.len() < before && samples.iter().find(after).is_none() {
        return Err(State::Unclear(format!(
            "too little traffic to say anything: less than {}",
            least.at_least
        )));
    }
    Ok(samples)
}

/// A zero for each step of the window at which there is no sample.
fn zeros(samples: &[Sample], frame: &Frame) -> Vec<Sample> {
    let step = frame.step;
    let first = frame.start.unix().div_euclid(step).saturating_add(1);
    let last = frame.end.unix().div_euclid(step);
    let mut known: Vec<i64> = samples.iter().map(|sample| sample.at.unix()).collect();
    known.sort_unstable();
    let is_missing = |at: &i64| {
        let next = known.partition_point(|other| other < at);
        let near = |index: usize| known.get(index).is_some_and(|other| (other - at).abs() <= step / 2);
        !near(next) && !next.checked_sub(1).is_some_and(near)
    };
    if last.saturating_sub(first) > MAX_FILLED {
        return Vec::new();
    }
    let slots = (first..=last).map(|slot| slot.saturating_mul(step));
    slots.filter(is_missing).map(|at| Sample { at: Time::from_unix(at), value: 0.0 }).collect()
}

/// Whether the traffic less than a step away from a time was enough, by the nearest sample of it.
fn enough(traffic: &[Sample], at: Time, at_least: f64, step: i64) -> bool {
    let next = traffic.partition_point(|sample| sample.at < at);
    let around = traffic.get(next.saturating_sub(1)..(next + 1).min(traffic.len())).unwrap_or_default();
    let distance = |sample: &&Sample| sample.at.secs_since(at).abs();
    let nearest = around.iter().filter(|sample| distance(sample) < step).min_by_key(distance);
    nearest.is_some_and(|sample| sample.value >= at_least)
}
