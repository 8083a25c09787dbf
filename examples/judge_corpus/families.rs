//! Made-up deployments of known kinds, many of each, the same in every run.
//!
//! Each family is a kind of series that breaks some rule of thumb: heavy tails, seasons, few requests. A case has one
//! metric with a sample a minute, half an hour to watch, and 80, 360 or 15 samples before the deployment. Of each
//! family there are 240 healthy cases, so that a share of 0.5 % shows, 120 regressions and 60 with damage from before.
//!
//! What difference matters: 60 % for a latency (half as much again is what users set as a limit, and a difference of
//! just that would be a matter of luck), 2 points for an error ratio (5 where there are 20 requests a minute at most, as
//! less cannot be told there by anybody), 20 points for a processor. Regressions come in three sizes, the smallest being
//! that one. Half of them begin with the deployment, half 1 to 12 minutes later.

use backout::domain::environment::signal::{Direction, SignalKind};
use backout::domain::judge::evidence::Sample;
use backout::domain::judge::stats::real;
use fastrand::Rng;

use crate::cases::{Case, Label, Metric, ticks};

/// The same cases in every run.
const SEED: u64 = 20_251_121;

/// A Tuesday at 06:00 UTC.
const DEPLOYED_AT: i64 = 1_750_140_000;

/// How many samples after the deployment there are.
const AFTER: i32 = 30;

/// The steps of a day.
const DAY: i32 = 1440;

/// How many samples before the deployment there are, in turn.
const BEFORE: [i32; 3] = [80, 360, 15];

/// How many cases of each label a family has.
const COUNTS: [(Label, usize); 3] =
    [(Label::Healthy, 240), (Label::Regression, 120), (Label::Preexisting, 60)];

/// A kind of series.
struct Family {
    name: &'static str,
    kind: SignalKind,
    /// The smallest difference that matters, where a user would have set one.
    min_difference: Option<f64>,
    /// How much worse regressions are: as shares of what is usual, or in the metric's own unit.
    sizes: [f64; 3],
    /// Over how many steps the damage grows to its size.
    grows: i32,
    /// The values from the first step to the last, with holes.
    values: fn(&mut Rng, &Plan) -> Vec<Option<f64>>,
}

/// 60 % more, twice as much, and four times as much.
const LATENCIES: [f64; 3] = [0.6, 1.0, 3.0];

const FAMILIES: [Family; 11] = [
    Family::latency("step", 1, step),
    Family::latency("ramp", 10, drift),
    Family::latency("spike", 1, spike),
    Family::latency("seasonal", 1, seasonal),
    Family::latency("heavy-tails", 1, heavy_tails),
    Family::latency("autocorrelated", 1, autocorrelated),
    Family::latency("constant", 1, constant),
    Family::errors("sparse", [0.05, 0.2, 0.5], sparse),
    Family::errors("busy", [0.02, 0.05, 0.2], busy),
    Family::errors("zeros", [0.02, 0.05, 0.2], zeros),
    Family {
        name: "saturating",
        kind: SignalKind::Saturation,
        min_difference: Some(5.0),
        sizes: [20.0, 30.0, 60.0],
        grows: 1,
        values: saturating,
    },
];

impl Family {
    const fn latency(
        name: &'static str,
        grows: i32,
        values: fn(&mut Rng, &Plan) -> Vec<Option<f64>>,
    ) -> Self {
        Self { name, kind: SignalKind::Latency, min_difference: None, sizes: LATENCIES, grows, values }
    }

    const fn errors(
        name: &'static str,
        sizes: [f64; 3],
        values: fn(&mut Rng, &Plan) -> Vec<Option<f64>>,
    ) -> Self {
        Self { name, kind: SignalKind::ErrorRatio, min_difference: None, sizes, grows: 1, values }
    }
}

/// What is to become of one case. Steps are counted from the deployment: 1 is the first sample after it.
struct Plan {
    label: Label,
    number: usize,
    before: i32,
    damage: Option<Damage>,
}

/// Damage from a step on.
struct Damage {
    onset: i32,
    size: f64,
    grows: i32,
}

impl Plan {
    fn new(rng: &mut Rng, family: &Family, label: Label, number: usize) -> Self {
        let before = BEFORE.into_iter().cycle().nth(number).unwrap_or(AFTER);
        let size = family.sizes.into_iter().cycle().nth(number / BEFORE.len()).unwrap_or(1.0);
        let onset = match label {
            Label::Healthy => None,
            Label::Regression if number.is_multiple_of(2) => Some(1),
            Label::Regression => Some(rng.i32(2..=13)),
            // In full at the deployment, or nothing would tell it from a regression.
            Label::Preexisting => {
                let earliest = (before / 2).clamp(family.grows + 3, 40);
                Some(rng.i32(-earliest..=-family.grows - 2))
            }
        };
        let damage = onset.map(|onset| Damage { onset, size, grows: family.grows });
        Self { label, number, before, damage }
    }

    /// The steps with samples.
    fn steps(&self) -> std::ops::RangeInclusive<i32> {
        1 - self.before..=AFTER
    }

    /// How much damage there is at a step.
    fn damage_at(&self, step: i32) -> f64 {
        self.damage.as_ref().map_or(0.0, |damage| {
            let grown = f64::from(step - damage.onset + 1) / f64::from(damage.grows);
            damage.size * grown.clamp(0.0, 1.0)
        })
    }

    /// A latency that would usually be as given by `usual` at each step.
    fn latency(&self, mut usual: impl FnMut(i32) -> f64) -> Vec<Option<f64>> {
        self.steps().map(|step| Some(usual(step) * (1.0 + self.damage_at(step)))).collect()
    }

    /// The share of failures among so many requests at each step, each failing with the share that is usual or by
    /// damage; a hole where there are no requests.
    fn failures(&self, rng: &mut Rng, usual: f64, requests: fn(&mut Rng) -> usize) -> Vec<Option<f64>> {
        let mut one_step = |step| {
            let requests = requests(rng);
            let chance = usual + self.damage_at(step);
            let failed = (0..requests).filter(|_| rng.f64() < chance).count();
            (requests > 0).then(|| real(failed) / real(requests))
        };
        self.steps().map(&mut one_step).collect()
    }
}

/// All cases of all families, one after the other.
pub(crate) fn all() -> impl Iterator<Item = Case> {
    FAMILIES.iter().flat_map(|family| {
        let mut rng = Rng::with_seed(SEED);
        let numbers =
            COUNTS.into_iter().flat_map(|(label, count)| (0..count).map(move |number| (label, number)));
        numbers.map(move |(label, number)| {
            let plan = Plan::new(&mut rng, family, label, number);
            case(&mut rng, family, &plan)
        })
    })
}

fn case(rng: &mut Rng, family: &Family, plan: &Plan) -> Case {
    let values = (family.values)(rng, plan);
    // The seasonal family gives more than the baseline: whatever there is, it ends with the last step.
    let last = DEPLOYED_AT + i64::from(AFTER) * 60;
    let mut samples: Vec<Sample> = values
        .into_iter()
        .rev()
        .zip(0..)
        .filter_map(|(value, back)| Some(Sample::from((last - back * 60, value?))))
        .collect();
    samples.reverse();
    let metric = Metric {
        name: family.name.to_owned(),
        kind: family.kind,
        successes: false,
        direction: Direction::HigherIsWorse,
        min_difference: family.min_difference,
        samples,
    };
    let size = plan.damage.as_ref().map_or_else(String::new, |damage| format!("-{}", damage.size));
    Case {
        id: format!("{}-{}{size}-{:03}", family.name, plan.label.word(), plan.number),
        source: family.name.to_owned(),
        label: plan.label,
        observable: true,
        deployed_at: DEPLOYED_AT,
        onset: plan.damage.as_ref().map(|damage| DEPLOYED_AT + i64::from(damage.onset - 1) * 60),
        step_secs: 60,
        horizon_secs: 1800,
        baseline_steps: u32::try_from(plan.before).unwrap_or(0),
        metrics: vec![metric],
        // The agent looks every minute, whether or not there is a new sample.
        ticks: ticks((1..=AFTER).map(|step| DEPLOYED_AT + i64::from(step) * 60), DEPLOYED_AT, last),
    }
}

/// A normal deviate, by the method of G. E. P. Box and M. E. Muller (1958).
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

/// A factor around 1 with a deviation of 5 %.
fn noise(rng: &mut Rng) -> f64 {
    1.0 + 0.05 * normal(rng).clamp(-6.0, 6.0)
}

/// 200 ms, give or take 5 %.
fn step(rng: &mut Rng, plan: &Plan) -> Vec<Option<f64>> {
    plan.latency(|_| 200.0 * noise(rng))
}

/// The same, drifting by up to 5 % over the watch window in either direction, which is harmless.
fn drift(rng: &mut Rng, plan: &Plan) -> Vec<Option<f64>> {
    let slope = (rng.f64() - 0.5) * 0.1 / f64::from(AFTER);
    plan.latency(|step| 200.0 * noise(rng) * (1.0 + slope * f64::from(step)))
}

/// The same, with single samples that are 3 to 10 times as high: one in 25, and never two in a row.
fn spike(rng: &mut Rng, plan: &Plan) -> Vec<Option<f64>> {
    let mut last = false;
    plan.latency(|_| {
        last = !last && rng.f64() < 0.04;
        200.0 * noise(rng) * if last { 3.0 + 7.0 * rng.f64() } else { 1.0 }
    })
}

/// The same, going up and down by 60 % each day, on its rising flank at the deployment, with the week before.
fn seasonal(rng: &mut Rng, plan: &Plan) -> Vec<Option<f64>> {
    let shift = rng.i32(-120..=120);
    let week = Plan { before: plan.before + 7 * DAY, damage: None, ..*plan };
    let season = |step: i32| {
        let turn = f64::from(step + shift) / f64::from(DAY);
        1.0 + 0.6 * (std::f64::consts::TAU * turn).sin()
    };
    let usual = week.latency(|step| 200.0 * season(step) * noise(rng));
    let steps = week.steps();
    usual.into_iter().zip(steps).map(|(value, step)| Some(value? * (1.0 + plan.damage_at(step)))).collect()
}

/// Independent lognormal values (σ = 0.5) or Pareto values (α = 3), in turn.
fn heavy_tails(rng: &mut Rng, plan: &Plan) -> Vec<Option<f64>> {
    let is_pareto = plan.number.is_multiple_of(2);
    plan.latency(|_| {
        200.0 * if is_pareto { (1.0 - rng.f64()).powf(-1.0 / 3.0) } else { (0.5 * normal(rng)).exp() }
    })
}

/// An autoregression of the first order with a deviation of 10 % and ρ from 0.5 to 0.95.
fn autocorrelated(rng: &mut Rng, plan: &Plan) -> Vec<Option<f64>> {
    let rho = 0.5 + 0.45 * rng.f64();
    let mut state = normal(rng);
    plan.latency(|_| {
        state = rho * state + (1.0 - rho * rho).sqrt() * normal(rng);
        200.0 * (1.0 + 0.1 * state)
    })
}

/// The same value all the time.
fn constant(rng: &mut Rng, plan: &Plan) -> Vec<Option<f64>> {
    let value = f64::from(rng.i32(1..=500));
    plan.latency(|_| value)
}

/// 0 to 20 requests a step, of which 0 to 2 % fail.
fn sparse(rng: &mut Rng, plan: &Plan) -> Vec<Option<f64>> {
    let usual = rng.f64() * 0.02;
    plan.failures(rng, usual, |rng| rng.usize(0..=20))
}

/// About 500 requests a step, of which 0.2 to 1 % fail.
fn busy(rng: &mut Rng, plan: &Plan) -> Vec<Option<f64>> {
    let usual = 0.002 + rng.f64() * 0.008;
    plan.failures(rng, usual, |rng| rng.usize(400..=600))
}

/// About 200 requests a step, of which none fails; in half of the cases, one single request does.
fn zeros(rng: &mut Rng, plan: &Plan) -> Vec<Option<f64>> {
    let mut values = plan.failures(rng, 0.0, |rng| rng.usize(150..=250));
    let chosen = rng.usize(0..values.len());
    if let Some(Some(value)) = values.get_mut(chosen)
        && plan.number.is_multiple_of(2)
    {
        *value += 1.0 / 200.0;
    }
    values
}

/// A processor in percent: around half busy, give or take 5 points; and half of the healthy cases at the ceiling
/// nearly all the time. Nothing is above 100 %.
fn saturating(rng: &mut Rng, plan: &Plan) -> Vec<Option<f64>> {
    let at_ceiling = plan.label == Label::Healthy && plan.number.is_multiple_of(2);
    let usual = if at_ceiling { 99.0 } else { 50.0 };
    let deviation = if at_ceiling { 2.0 } else { 5.0 };
    let value = |step| Some((usual + deviation * normal(rng) + plan.damage_at(step)).clamp(0.0, 100.0));
    plan.steps().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_enough_cases_of_each_family() {
        let mut counts = std::collections::BTreeMap::<String, usize>::new();
        for case in all() {
            *counts.entry(case.source.clone()).or_default() += 1;
            assert_eq!(case.ticks.len(), 30);
            let onset = case.onset.map(|onset| onset >= case.deployed_at);
            assert_eq!(
                onset,
                match case.label {
                    Label::Healthy => None,
                    Label::Regression => Some(true),
                    Label::Preexisting => Some(false),
                }
            );
            let [metric] = case.metrics.as_slice() else { panic!("{} has one metric", case.id) };
            assert!(metric.samples.is_sorted_by(|one, next| one.at < next.at), "{}", case.id);
            assert!(metric.samples.iter().all(|sample| sample.value.is_finite()), "{}", case.id);
            assert!(metric.samples.last().is_some_and(|sample| sample.at.unix() <= case.closes_at()));
        }
        assert_eq!(counts.len(), FAMILIES.len());
        assert!(counts.values().all(|count| *count == 420), "{counts:?}");
    }

    #[test]
    fn the_cases_are_the_same_each_time() {
        let few = || -> Vec<Sample> {
            all().step_by(97).flat_map(|case| case.metrics[0].samples.clone()).collect()
        };
        assert_eq!(few(), few());
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "halves and wholes are exact")]
    fn damage_grows_from_its_onset() {
        let damage = Some(Damage { onset: 3, size: 2.0, grows: 4 });
        let plan = Plan { label: Label::Regression, number: 0, before: 15, damage };
        assert_eq!([2, 3, 4, 6, 30].map(|step| plan.damage_at(step)), [0.0, 0.5, 1.0, 2.0, 2.0]);
    }
}
