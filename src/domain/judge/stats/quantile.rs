//! Percentiles and the median.

use super::real::real;

/// The percentile of `values` with linear interpolation between the two nearest order statistics. `percent` is 0 to
/// 100; more counts as 100. `None` when there are no values.
///
/// Source: definition 7 of R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The American
/// Statistician 50 (1996), 361–365; the default of numpy and R.
#[must_use]
pub fn percentile(values: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    // The position is a fraction with the denominator 100, so that no float decides which values are taken.
    let position = percent.min(100) * sorted.len().checked_sub(1)?;
    let below = *sorted.get(position / 100)?;
    let rest = position % 100;
    if rest == 0 {
        return Some(below);
    }
    let above = *sorted.get(position / 100 + 1)?;
    let weight = real(rest) / 100.0;
    // Two products instead of `below + weight × (above − below)`: the difference of huge values would overflow.
    let between = below * (1.0 - weight) + above * weight;
    Some(between.clamp(below, above))
}

/// The median: the value in the middle, or half way between the two in the middle. `None` when there are no values.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [f64; 7] = [3.1, -2.0, 7.25, 0.0, 3.1, 11.5, 4.0];

    fn close(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{found} is not {expected}");
    }

    /// numpy 2.4.6: `numpy.percentile(x, [0, 10, 50, 75, 90, 100])`.
    #[test]
    fn agrees_with_numpy() {
        for (percent, expected) in [(0, -2.0), (10, -0.8), (50, 3.1), (75, 5.625), (90, 8.95), (100, 11.5)] {
            close(percentile(&VALUES, percent), expected);
        }
        close(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn the_edges_are_defined() {
        assert_eq!(median(&[]), None);
        close(percentile(&[5.0], 90), 5.0);
        close(percentile(&VALUES, 1000), 11.5);
        assert_eq!(median(&[f64::MAX, f64::MAX]), Some(f64::MAX));
        assert_eq!(median(&[-f64::MAX, f64::MAX]), Some(0.0));
    }
}
