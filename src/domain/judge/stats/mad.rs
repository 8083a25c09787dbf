//! A standard deviation that outliers do not move.

use super::quantile::median;

/// The median absolute deviation from the median, times 1.4826: an estimate of the standard deviation that is right
/// for normal noise and that up to half of the values cannot move. `None` when there are no values; infinite only
/// when the spread is beyond what a float can hold.
///
/// Source: P. J. Rousseeuw and C. Croux, "Alternatives to the Median Absolute Deviation", Journal of the American
/// Statistical Association 88 (1993), 1273–1283; 1.4826 is 1 / Φ⁻¹(3/4).
#[must_use]
pub fn scaled_mad(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    let deviations: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    Some(1.4826 * median(&deviations)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `1.4826 * scipy.stats.median_abs_deviation(x)`.
    #[test]
    fn agrees_with_scipy() {
        let found = scaled_mad(&[3.1, -2.0, 7.25, 0.0, 3.1, 11.5, 4.0]).unwrap();
        assert!((found - 4.596_06).abs() < 1e-9, "{found}");
    }

    #[test]
    fn the_edges_are_defined() {
        assert_eq!(scaled_mad(&[]), None);
        assert_eq!(scaled_mad(&[2.0]), Some(0.0));
        assert_eq!(scaled_mad(&[7.0; 20]), Some(0.0));
        assert!(!scaled_mad(&[f64::MAX, -f64::MAX]).unwrap().is_nan());
    }
}
