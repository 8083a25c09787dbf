//! Rules to compare with: what a team would use instead of the judge. Each looks at one metric, at each tick anew; a
//! deployment is blamed as soon as any of its metrics is. None of them knows about seasons or about damage from before
//! the deployment, as none of the tools that they are taken from does.

use backout::domain::environment::signal::Direction;
use backout::domain::judge::evidence::Sample;
use backout::domain::judge::stats::{percentile, real};

use crate::cases::{Case, Metric, within};

/// How many samples before the deployment are compared with.
const BASELINE: usize = 60;

/// With fewer samples before the deployment no rule says anything.
const LEAST_BASELINE: usize = 8;

/// With fewer samples after the deployment no mean and no rank is taken.
const LEAST_OBSERVED: usize = 3;

/// How much worse the mean must be to matter.
const WORSE_RATIO: f64 = 1.5;

/// Φ⁻¹(0.99): what lies beyond it on either side has a probability of 2 %.
const TWO_SIDED_98_PERCENT: f64 = 2.326_347_874_040_841;

/// How far back the chart goes from which a person reads a limit.
const CHART_SECS: i64 = 604_800;

/// A rule with its name.
pub(crate) struct Baseline {
    /// As it is shown.
    pub(crate) name: &'static str,
    /// Whether it blames the deployment for what a metric shows.
    pub(crate) fires: fn(&Window) -> bool,
}

/// All of them.
pub(crate) const BASELINES: [Baseline; 4] = [
    Baseline { name: "mean-ratio", fires: mean_ratio },
    Baseline { name: "mann-whitney", fires: mann_whitney },
    Baseline { name: "static-limit", fires: static_limit },
    Baseline { name: "msprt", fires: msprt },
];

/// Which way is bad, for rules that take ratios and so cannot just change the sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// A rise.
    High,
    /// A fall.
    Low,
}

/// A metric of a case as the rules see it, in time order; shares of successes are shares of failures here.
pub(crate) struct Series {
    times: Vec<i64>,
    values: Vec<f64>,
    deployed: usize,
    bad: Bad,
    limit: Option<f64>,
}

/// What is known of a metric at a tick.
pub(crate) struct Window<'a> {
    /// The last samples before the deployment.
    pub(crate) before: &'a [f64],
    /// The samples since the deployment.
    pub(crate) after: &'a [f64],
    /// Which way is bad.
    pub(crate) bad: Bad,
    /// The limit that a person would have set.
    pub(crate) limit: Option<f64>,
}

impl Series {
    /// The metric's samples up to the end of the watch window.
    pub(crate) fn new(case: &Case, metric: &Metric) -> Self {
        let turn = |sample: &Sample| if metric.successes { 1.0 - sample.value } else { sample.value };
        let seen = within(&metric.samples, i64::MIN, case.closes_at());
        let chart = within(&metric.samples, case.deployed_at.saturating_sub(CHART_SECS), case.deployed_at);
        let chart: Vec<f64> = chart.iter().map(turn).collect();
        let bad = match metric.direction {
            Direction::LowerIsWorse if !metric.successes => Bad::Low,
            Direction::LowerIsWorse | Direction::HigherIsWorse => Bad::High,
        };
        Self {
            times: seen.iter().map(|sample| sample.at.unix()).collect(),
            values: seen.iter().map(turn).collect(),
            deployed: seen.partition_point(|sample| sample.at.unix() <= case.deployed_at),
            bad,
            limit: limit_from_chart(&chart, bad, metric.successes),
        }
    }

    /// What is known at a tick; `None` when there is too little before the deployment.
    pub(crate) fn at(&self, now: i64) -> Option<Window<'_>> {
        let end = self.times.partition_point(|at| *at <= now).max(self.deployed);
        let before = self.values.get(self.deployed.saturating_sub(BASELINE)..self.deployed)?;
        let after = self.values.get(self.deployed..end)?;
        let enough = before.len() >= LEAST_BASELINE;
        enough.then_some(Window { before, after, bad: self.bad, limit: self.limit })
    }
}

/// The limit that a person reads from last week's chart, no harm having been done there: a fifth beyond the 95th
/// percentile (beyond the 5th, where a fall is bad). For shares of failures it is at least 1 %: Flagger's own limit
/// for the success rate is 99 %.
fn limit_from_chart(chart: &[f64], bad: Bad, failures: bool) -> Option<f64> {
    if chart.len() < LEAST_BASELINE {
        return None;
    }
    match bad {
        Bad::High => percentile(chart, 95).map(|high| (high * 1.2).max(if failures { 0.01 } else { high })),
        Bad::Low => percentile(chart, 5).map(|low| low / 1.2),
    }
}

/// The mean since the deployment is more than 1.5 times the mean of the last 60 samples before it. It takes 3 samples.
fn mean_ratio(window: &Window) -> bool {
    window.after.len() >= LEAST_OBSERVED && is_worse_by_ratio(window)
}

/// Whether the mean is worse by half of what it was. From 0, any rise is.
fn is_worse_by_ratio(window: &Window) -> bool {
    let (Some(before), Some(after)) = (mean(window.before), mean(window.after)) else { return false };
    match window.bad {
        Bad::High => after > WORSE_RATIO * before,
        Bad::Low => after * WORSE_RATIO < before,
    }
}

/// A two-sided Mann–Whitney test at 98 % confidence, with the correction for ties and for continuity, and a mean that
/// is worse by the factor 1.5. It takes 3 samples since the deployment.
///
/// As Kayenta's `NetflixACAJudge-v1.0` (`kayenta-judge/…/judge/NetflixACAJudge.scala` and
/// `…/classifiers/metric/MannWhitneyClassifier.scala` in <https://github.com/spinnaker/kayenta>): `confLevel = 0.98`,
/// the interval by the asymptotic formula of R's `wilcox.test`, corrected for ties and continuity; the effect size is
/// the ratio of the means. Its critical limit is a metric's own setting; 1.5 stands for what a team would set. Kayenta
/// asks for the interval to lie beyond a quarter of the Hodges–Lehmann estimate, which is a little more than the test
/// asks for here. It compares with a canary's control at the end of some intervals; here it is asked at each tick, as
/// the others are, and so repeats the test. Kayenta's removal of outliers before the test is left out.
fn mann_whitney(window: &Window) -> bool {
    if window.after.len() < LEAST_OBSERVED || !is_worse_by_ratio(window) {
        return false;
    }
    let deviations = match window.bad {
        Bad::High => deviations_of_ranks(window.after, window.before),
        Bad::Low => deviations_of_ranks(window.before, window.after),
    };
    deviations.is_some_and(|deviations| deviations > TWO_SIDED_98_PERCENT)
}

/// How far the Mann–Whitney statistic U of `one` lies above what it would be if both groups were alike, in standard
/// deviations of its normal approximation, with the correction for ties and for continuity. `None` when a group is
/// empty or all values are equal.
///
/// Source: M. Hollander, D. A. Wolfe and E. Chicken, "Nonparametric Statistical Methods", 3rd edition (2014), section
/// 4.1: the variance is n·m/12 · (N + 1 − Σ (t³ − t) / (N (N − 1))), t being the sizes of the groups of ties.
fn deviations_of_ranks(one: &[f64], other: &[f64]) -> Option<f64> {
    let mut all: Vec<(f64, bool)> = one.iter().map(|value| (*value, true)).collect();
    all.extend(other.iter().map(|value| (*value, false)));
    all.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    let (n, m, both) = (real(one.len()), real(other.len()), real(all.len()));
    let (mut passed, mut ranks, mut ties) = (0.0, 0.0, 0.0);
    for tied in all.chunk_by(|left, right| left.0.total_cmp(&right.0).is_eq()) {
        let size = real(tied.len());
        // Each value of a tie has the middle of the ranks that the tie takes up.
        ranks += real(tied.iter().filter(|(_, of_one)| *of_one).count()) * (passed + (size + 1.0) / 2.0);
        ties += size.powi(3) - size;
        passed += size;
    }
    let excess = ranks - n * (n + 1.0) / 2.0 - n * m / 2.0;
    let variance = n * m / 12.0 * (both + 1.0 - ties / (both * (both - 1.0)));
    // Half a step towards no difference.
    let corrected = excess.signum() * (excess.abs() - 0.5).max(0.0);
    (variance > 0.0).then(|| corrected / variance.sqrt())
}

/// The last 3 samples are all beyond the limit of [`limit_from_chart`].
///
/// As Flagger (<https://docs.flagger.app/usage/metrics>): a metric has a `thresholdRange`, each check beyond it counts
/// as failed, and the deployment is rolled back at the analysis' `threshold` of failed checks.
fn static_limit(window: &Window) -> bool {
    let Some(limit) = window.limit else { return false };
    let last = window.after.get(window.after.len().saturating_sub(3)..).unwrap_or_default();
    let beyond = |value: &&f64| match window.bad {
        Bad::High => **value > limit,
        Bad::Low => **value < limit,
    };
    last.len() == 3 && last.iter().filter(beyond).count() == 3
}

/// The mixture sequential probability ratio test with a normal mixture, at α = 0.001: an "always valid" test, that may
/// be asked at every sample. It fires on the worse side only.
///
/// Source: R. Johari, L. Pekelis and D. J. Walsh, "Always Valid Inference: Bringing Sequential Analysis to A/B
/// Testing" (2015, arXiv:1512.04922), equation for normal data with variance V and a mixture N(0, τ²):
/// Λₙ = √(V / (V + n τ²)) · exp(n² τ² (ȳ − θ₀)² / (2 V (V + n τ²))); it rejects once Λₙ ≥ 1/α. θ₀ and V are the mean
/// and the variance before the deployment, and τ² = V, so that differences of about one deviation are looked for. It
/// takes the samples for independent, which rates over a window are not.
fn msprt(window: &Window) -> bool {
    let (Some(usual), Some(now)) = (mean(window.before), mean(window.after)) else { return false };
    let shift = match window.bad {
        Bad::High => now - usual,
        Bad::Low => usual - now,
    };
    // What varies less than by this share of its mean is constant but for rounding.
    let variance = variance(window.before, usual).max((usual * 1e-9).powi(2));
    if shift <= 0.0 {
        return false;
    }
    if variance <= 0.0 {
        return true;
    }
    let count = real(window.after.len());
    let log_ratio =
        -0.5 * (1.0 + count).ln() + count * count * shift * shift / (2.0 * variance * (1.0 + count));
    log_ratio >= 1000.0_f64.ln()
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / real(values.len()))
}

/// The unbiased variance around a mean; 0 for a single value.
fn variance(values: &[f64], mean: f64) -> f64 {
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    squares / real(values.len().saturating_sub(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window<'a>(before: &'a [f64], after: &'a [f64], bad: Bad) -> Window<'a> {
        Window { before, after, bad, limit: limit_from_chart(before, bad, false) }
    }

    /// 0.9, 1.0, 1.1, …: a mean of 1, and some spread.
    fn usual() -> Vec<f64> {
        [0.9, 1.0, 1.1].repeat(20)
    }

    fn fired(before: &[f64], after: &[f64], bad: Bad) -> Vec<&'static str> {
        let window = window(before, after, bad);
        BASELINES.iter().filter(|rule| (rule.fires)(&window)).map(|rule| rule.name).collect()
    }

    /// scipy 1.17.1: `norm.isf(p / 2)` of the p-value of `mannwhitneyu(x, y, alternative="two-sided",
    /// method="asymptotic", use_continuity=True)`.
    #[test]
    fn ranks_agree_with_scipy() {
        let before = [1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 2.0, 1.0, 3.0, 2.0, 4.0, 3.0];
        let found = deviations_of_ranks(&[3.0, 5.0, 6.0, 4.0, 7.0, 8.0], &before).unwrap();
        assert!((found - 2.705_817_345_637_606).abs() < 1e-9, "{found}");
        let before = [0.3, 0.31, 0.29, 0.28, 0.33, 0.305, 0.315, 0.325, 0.295, 0.285];
        let found = deviations_of_ranks(&[0.45, 0.5, 0.47, 0.31], &before).unwrap();
        assert!((found - 2.265_232_335_333_320_4).abs() < 1e-9, "{found}");
        assert_eq!(deviations_of_ranks(&[1.0; 5], &[1.0; 9]), None);
        assert_eq!(deviations_of_ranks(&[], &[1.0; 9]), None);
    }

    #[test]
    fn nothing_fires_on_more_of_the_same() {
        assert!(fired(&usual(), &[0.9, 1.1, 1.0, 0.9, 1.1], Bad::High).is_empty());
        assert!(fired(&[7.0; 60], &[7.0; 10], Bad::High).is_empty());
        assert!(fired(&[0.0; 60], &[0.0; 10], Bad::High).is_empty());
    }

    #[test]
    fn everything_fires_on_damage_in_either_direction() {
        let all: Vec<&str> = BASELINES.iter().map(|rule| rule.name).collect();
        assert_eq!(fired(&usual(), &[3.0, 3.1, 2.9], Bad::High), all);
        assert_eq!(fired(&usual(), &[0.1, 0.2, 0.1], Bad::Low), all);
        assert!(fired(&usual(), &[3.0, 3.1, 2.9], Bad::Low).is_empty());
        assert!(fired(&usual(), &[0.1, 0.2, 0.1], Bad::High).is_empty());
    }

    #[test]
    fn one_sample_is_enough_for_msprt_alone() {
        assert_eq!(fired(&usual(), &[3.0], Bad::High), ["msprt"]);
        assert!(fired(&usual(), &[], Bad::High).is_empty());
    }

    /// Λ for n = 4 and V = τ² = 1: √(1/5) · exp(16 · shift² / 10), which is 1,032 for a shift of 2.2, 963 for 2.19.
    #[test]
    fn msprt_fires_at_its_boundary() {
        // Mean 0 and an unbiased variance of 1.
        let unit = (59.0_f64 / 60.0).sqrt();
        let before = [unit, -unit].repeat(30);
        assert!(msprt(&window(&before, &[2.2; 4], Bad::High)));
        assert!(!msprt(&window(&before, &[2.19; 4], Bad::High)));
    }

    #[test]
    fn a_limit_for_failures_is_one_percent_at_least() {
        assert_eq!(limit_from_chart(&[0.0; 60], Bad::High, true), Some(0.01));
        assert_eq!(limit_from_chart(&[1.0; 60], Bad::High, false), Some(1.2));
        assert_eq!(limit_from_chart(&[1.2; 60], Bad::Low, false), Some(1.0));
        assert_eq!(limit_from_chart(&[1.0; 7], Bad::High, false), None);
    }
}
