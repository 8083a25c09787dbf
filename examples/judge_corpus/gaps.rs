//! What missing samples do: nothing, ever, towards a revert. Losses of the baseline and losses after the deployment are
//! told apart: the second kind can never make a robust signal regress, the first may take away what would excuse it.
//!
//! Every case is judged with all of its samples and then again with a part of them lost, at the same ticks. What is
//! looked for is a deployment that is blamed with less data and is not with all of it.
#![expect(clippy::print_stdout, reason = "printing what was found is what this program is for")]

use std::collections::BTreeMap;

use anyhow::Result;
use fastrand::Rng;

use crate::cases::{Case, Metric};
use crate::stream::by_agent;
use crate::tables;

/// The same samples are lost in every run.
const SEED: u64 = 20_251_121;

/// Half of the stretch that is lost around the deployment: half an hour, or 3 steps where that is more.
const AROUND_SECS: i64 = 1800;

/// The shares of samples that are lost at random, in percent.
const AT_RANDOM: [u8; 3] = [10, 30, 60];

/// How often each share of a case is lost at random.
const DRAWS: usize = 5;

/// The cases with losses, as far as they were judged.
#[derive(Default)]
pub(crate) struct Gaps {
    families: BTreeMap<String, Counts>,
    /// The names of cases that are blamed only with a loss, each with the loss, and how often.
    wrong: BTreeMap<(String, String), usize>,
}

/// How many cases of one kind of loss there are, by whether they are blamed.
#[derive(Default)]
struct Counts {
    cases: usize,
    with_all: usize,
    with_both: usize,
    with_loss_alone: usize,
}

impl Gaps {
    /// Judges a case with every loss. `blamed` says whether it is with all of its samples.
    pub(crate) fn add(&mut self, case: &Case, blamed: bool) -> Result<()> {
        for (family, lossy) in losses(case) {
            let blamed_then = by_agent(&lossy)?.fired();
            if blamed_then && !blamed {
                let name = format!("{} ({})", case.id, case.label.word());
                *self.wrong.entry((name, family.clone())).or_default() += 1;
            }
            let counts = self.families.entry(family).or_default();
            counts.cases += 1;
            counts.with_all += usize::from(blamed);
            counts.with_both += usize::from(blamed && blamed_then);
            counts.with_loss_alone += usize::from(blamed_then && !blamed);
        }
        Ok(())
    }

    /// Prints the totals, and the name of each case that is blamed only with a loss.
    pub(crate) fn print(&self) {
        println!();
        let heading = ["lost", "cases", "blamed with all data", "still blamed", "blamed only then"];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        let mut total = 0;
        for (family, counts) in &self.families {
            let numbers = [counts.cases, counts.with_all, counts.with_both, counts.with_loss_alone];
            rows.push(
                std::iter::once(family.clone()).chain(numbers.map(|count| count.to_string())).collect(),
            );
            total += counts.with_loss_alone;
        }
        tables::aligned(&rows, false);
        println!("\nblamed with less data and not with all: {total}");
        for ((case, family), count) in &self.wrong {
            println!("    {case}: {family} ({count}×)");
        }
    }
}

/// The case with each kind of loss, by the kind's name.
fn losses(case: &Case) -> Vec<(String, Case)> {
    let deployed = case.deployed_at;
    let half = case.ticks.get(case.ticks.len() / 2).copied().unwrap_or(deployed);
    let third = deployed.saturating_sub(i64::from(case.baseline_secs() / 3));
    let around = AROUND_SECS.max(i64::from(case.step_secs).saturating_mul(3));
    let lost = |from: i64, to: i64| losing(case, |_, at| (from..=to).contains(&at));
    let mut losses = vec![
        ("all after the deployment".to_owned(), lost(deployed.saturating_add(1), i64::MAX)),
        ("all after half of the ticks".to_owned(), lost(half, i64::MAX)),
        ("all before the deployment".to_owned(), lost(i64::MIN, deployed)),
        ("the last third of the baseline".to_owned(), lost(third, deployed)),
        (
            "around the deployment".to_owned(),
            lost(deployed.saturating_sub(around), deployed.saturating_add(around)),
        ),
    ];
    // By the case as well, so that a case loses the same samples whatever stands beside it.
    let seed = case.id.bytes().fold(SEED, |seed, byte| seed.rotate_left(7) ^ u64::from(byte));
    let mut rng = Rng::with_seed(seed);
    for percent in AT_RANDOM {
        for _ in 0..DRAWS {
            let lossy = losing(case, |_, _| rng.f64() < f64::from(percent) / 100.0);
            losses.push((format!("{percent} % at random"), lossy));
            let lossy = losing(case, |_, at| at > deployed && rng.f64() < f64::from(percent) / 100.0);
            losses.push((format!("{percent} % at random after the deployment"), lossy));
        }
    }
    if case.metrics.len() > 1 {
        for metric in &case.metrics {
            let lossy = losing(case, |name, _| name == metric.name);
            losses.push(("one of several signals".to_owned(), lossy));
        }
    }
    losses
}

/// The case without the samples that are lost, by metric and time. Its ticks stay.
fn losing(case: &Case, mut is_lost: impl FnMut(&str, i64) -> bool) -> Case {
    let mut keep = |metric: &Metric| Metric {
        samples: metric
            .samples
            .iter()
            .filter(|sample| !is_lost(&metric.name, sample.at.unix()))
            .copied()
            .collect(),
        name: metric.name.clone(),
        ..*metric
    };
    Case {
        metrics: case.metrics.iter().map(&mut keep).collect(),
        id: case.id.clone(),
        source: case.source.clone(),
        ticks: case.ticks.clone(),
        ..*case
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::{BASELINE_STEPS, Label, ticks};
    use backout::domain::environment::signal::{Direction, SignalKind};
    use backout::domain::judge::evidence::Sample;

    fn case() -> Case {
        let times: Vec<i64> = (-80..=30).map(|step| step * 60).collect();
        let metric = |name: &str| Metric {
            name: name.to_owned(),
            kind: SignalKind::Latency,
            successes: false,
            direction: Direction::HigherIsWorse,
            min_difference: None,
            samples: times.iter().map(|at| Sample::from((*at, 1.0))).collect(),
        };
        Case {
            id: "a".to_owned(),
            source: "s".to_owned(),
            label: Label::Healthy,
            observable: true,
            deployed_at: 0,
            onset: None,
            step_secs: 60,
            horizon_secs: 1800,
            baseline_steps: BASELINE_STEPS,
            metrics: vec![metric("one"), metric("two")],
            ticks: ticks(times.iter().copied(), 0, 1800),
        }
    }

    #[test]
    fn each_loss_takes_what_it_says() {
        let left: Vec<(String, usize, usize)> = losses(&case())
            .into_iter()
            .map(|(name, case)| (name, case.metrics[0].samples.len(), case.ticks.len()))
            .collect();
        let counted = |name: &str| left.iter().find(|loss| loss.0 == name).unwrap().1;
        assert!(left.iter().all(|loss| loss.2 == 30));
        assert_eq!(counted("all after the deployment"), 81);
        assert_eq!(counted("all after half of the ticks"), 96);
        assert_eq!(counted("all before the deployment"), 30);
        assert_eq!(counted("around the deployment"), 50);
        assert!((90..=109).contains(&counted("10 % at random")));
        assert!((30..=60).contains(&counted("60 % at random")));
        assert!((83..=103).contains(&counted("60 % at random after the deployment")));
        assert_eq!(left.iter().filter(|loss| loss.0 == "one of several signals").count(), 2);
    }

    #[test]
    fn the_same_is_lost_each_time() {
        let samples =
            || -> Vec<usize> { losses(&case()).iter().map(|loss| loss.1.metrics[1].samples.len()).collect() };
        assert_eq!(samples(), samples());
    }
}
