//! How much of a value is still in the next one.

use super::real;

/// The autocorrelation at lag 1, −1 to 1: near 0 for independent values, near 1 where each value mostly repeats the
/// one before (a rate over five minutes that is sampled every minute). `None` when there are fewer than 3 values or
/// all are equal.
///
/// Source: G. E. P. Box, G. M. Jenkins, G. C. Reinsel and G. M. Ljung, "Time Series Analysis", 5th edition (2015),
/// section 2.1.5: r₁ = Σ (xₜ − m)(xₜ₊₁ − m) / Σ (xₜ − m)².
#[must_use]
pub fn lag1(values: &[f64]) -> Option<f64> {
    if values.len() < 3 {
        return None;
    }
    // Scaling by the largest value changes nothing in a ratio and keeps the squares of huge values finite.
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest <= 0.0 {
        return None;
    }
    let scaled: Vec<f64> = values.iter().map(|value| value / largest).collect();
    let mean = scaled.iter().sum::<f64>() / real(scaled.len());
    let variance: f64 = scaled.iter().map(|value| (value - mean).powi(2)).sum();
    let covariance: f64 =
        scaled.iter().zip(scaled.iter().skip(1)).map(|(one, next)| (one - mean) * (next - mean)).sum();
    // Rounding leaves a trace of variance in a constant series; a ratio of two traces would mean nothing.
    if variance <= 1e-24 * real(scaled.len()) {
        return None;
    }
    Some((covariance / variance).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy 2.4.6: `d = x - x.mean(); (d[:-1] * d[1:]).sum() / (d * d).sum()`.
    #[test]
    fn agrees_with_numpy() {
        let found = lag1(&[3.1, -2.0, 7.25, 0.0, 3.1, 11.5, 4.0]).unwrap();
        assert!((found + 0.251_881_105_799_210_1).abs() < 1e-12, "{found}");
        let ramp: Vec<f64> = (0..20).map(f64::from).collect();
        assert!((lag1(&ramp).unwrap() - 0.85).abs() < 1e-12);
    }

    #[test]
    fn the_edges_are_defined() {
        assert_eq!(lag1(&[]), None);
        assert_eq!(lag1(&[1.0, 2.0]), None);
        assert_eq!(lag1(&[0.1; 30]), None);
        assert_eq!(lag1(&[0.0; 30]), None);
        assert!(lag1(&[f64::MAX, -f64::MAX, f64::MAX, f64::MAX]).unwrap().is_finite());
        assert!(lag1(&[1e-300, 2e-300, 1e-300, 4e-300]).unwrap().is_finite());
    }
}
