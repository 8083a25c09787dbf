//! The deployments of a year: by hour and weekday, alone and in trains.

use super::year::Setup;

/// One deployment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deployment {
    pub(super) at_ms: i64,
    pub(super) repo: usize,
    /// When it begins to do harm, if it does.
    pub(super) onset_ms: Option<i64>,
}

/// How much is deployed in each hour of a working day, beside each other hour: two peaks, and the nights of other continents.
const HOURS: [f64; 24] = [
    1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 6.0, 10.0, 14.0, 16.0, 14.0, 9.0, 12.0, 16.0, 16.0, 13.0, 9.0, 6.0,
    4.0, 3.0, 2.0, 1.0, 1.0,
];
/// A day at the weekend, beside a working day.
const WEEKEND: f64 = 0.15;
/// The share of deployments that come in trains: one change of many services within some minutes, such as a new base image.
const IN_TRAINS: f64 = 0.25;
/// The most services of a train; on average it has half as many.
const TRAIN: usize = 200;
/// Over how long a train goes out.
const TRAIN_MS: i64 = 300_000;
/// How many deployments do harm: one in 200.
const BAD: f64 = 0.005;

/// All deployments of the days of a setup, in their order. Some repos are deployed to far more often than others.
pub(super) fn deployments(setup: &Setup, random: &mut fastrand::Rng) -> Vec<Deployment> {
    let weights: Vec<f64> = (0..setup.repos).map(|nth| 1.0 / ((nth + 10) as f64).powf(0.7)).collect();
    let mut sums = Vec::with_capacity(weights.len());
    let mut sum = 0.0;
    for weight in weights {
        sum += weight;
        sums.push(sum);
    }
    let of_hours: f64 = HOURS.iter().sum();
    // Over a week the days come to what was asked for.
    let of_day = setup.deployments_a_day * 7.0 / (5.0 + 2.0 * WEEKEND);
    let mut all = Vec::new();
    for hour in 0..setup.days * 24 {
        let share = HOURS[hour % 24] / of_hours * if hour / 24 % 7 < 5 { 1.0 } else { WEEKEND };
        let begin = hour as i64 * 3_600_000;
        for _ in 0..poisson(of_day * share * (1.0 - IN_TRAINS), random) {
            all.push(one(begin + random.i64(0..3_600_000), &sums, random));
        }
        for _ in 0..poisson(of_day * share * IN_TRAINS / (TRAIN as f64 / 2.0), random) {
            let start = begin + random.i64(0..3_600_000);
            for _ in 0..random.usize(1..TRAIN) {
                all.push(one(start + random.i64(0..TRAIN_MS), &sums, random));
            }
        }
    }
    all.sort_by_key(|one| one.at_ms);
    all
}

fn one(at_ms: i64, sums: &[f64], random: &mut fastrand::Rng) -> Deployment {
    let point = random.f64() * sums[sums.len() - 1];
    let repo = sums.partition_point(|sum| *sum < point).min(sums.len() - 1);
    // Most harm begins with the first requests, some only minutes later.
    let onset = at_ms + 60_000 + if random.f64() < 0.7 { 0 } else { random.i64(0..900_000) };
    let is_bad = random.f64() < BAD;
    Deployment { at_ms, repo, onset_ms: is_bad.then_some(onset) }
}

/// How many come where so many are expected.
fn poisson(mean: f64, random: &mut fastrand::Rng) -> usize {
    let (mut count, mut time) = (0, 0.0);
    loop {
        time -= (1.0 - random.f64()).ln();
        if time > mean {
            return count;
        }
        count += 1;
    }
}
