//! The sequential likelihood ratio of exceedances.

use super::real;

/// What one observation says for "a share `bad` of the samples exceeds the line" against "a share `usual` does", as
/// a log likelihood ratio. The sum over independent observations is the evidence of Wald's sequential test; held at
/// 0 from below, it is Page's one-sided scheme.
///
/// Source: A. Wald, "Sequential Tests of Statistical Hypotheses", Annals of Mathematical Statistics 16 (1945),
/// 117–186, for a Bernoulli variable; E. S. Page, "Continuous Inspection Schemes", Biometrika 41 (1954), 100–115.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sprt {
    /// The increment of a sample beyond the line; positive.
    pub beyond: f64,
    /// The increment of a sample within the line; negative.
    pub within: f64,
}

impl Sprt {
    /// The increments for the two shares. Both are held within 0.001 … 0.999, and `bad` at or above `usual`, so that
    /// the logarithms are finite and the signs are as documented.
    #[must_use]
    pub fn new(usual: f64, bad: f64) -> Self {
        let usual = usual.clamp(0.001, 0.999);
        let bad = bad.clamp(usual, 0.999);
        Self { beyond: (bad / usual).ln(), within: ((1.0 - bad) / (1.0 - usual)).ln() }
    }
}

/// The share of samples to expect beyond the line when nothing is wrong, from `beyond` of `count` in the baseline:
/// the mean of the posterior under a uniform prior (Laplace's rule of succession), held within 0.02 … 0.5. The lower
/// end keeps one exceedance from counting for too much, the upper end keeps exceedances from counting against a
/// deployment's guilt.
#[must_use]
pub fn base_rate(beyond: usize, count: usize) -> f64 {
    (real(beyond.saturating_add(1)) / real(count.saturating_add(2))).clamp(0.02, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy 2.4.6: `numpy.log(.8 / p0), numpy.log(.2 / (1 - p0))`.
    #[test]
    fn agrees_with_numpy() {
        for (usual, beyond, within) in EXPECTED {
            let sprt = Sprt::new(usual, 0.8);
            assert!((sprt.beyond - beyond).abs() < 1e-12, "{sprt:?}");
            assert!((sprt.within - within).abs() < 1e-12, "{sprt:?}");
        }
    }

    const EXPECTED: [(f64, f64, f64); 3] = [
        (0.02, 3.688_879_454_113_936_3, -1.589_235_205_116_581),
        (0.1, 2.079_441_541_679_835_7, -1.504_077_396_776_274),
        (0.5, 0.470_003_629_245_735_63, -0.916_290_731_874_155),
    ];

    #[test]
    fn the_base_rate_is_held_within_its_ends() {
        assert!((base_rate(0, 60) - 0.02).abs() < 1e-12);
        assert!((base_rate(0, 8) - 0.1).abs() < 1e-12);
        assert!((base_rate(60, 60) - 0.5).abs() < 1e-12);
        assert!((base_rate(0, 0) - 0.5).abs() < 1e-12);
        assert!(base_rate(usize::MAX, usize::MAX).is_finite());
    }

    #[test]
    fn the_edges_are_defined() {
        let sprt = Sprt::new(0.0, 2.0);
        assert!(sprt.beyond.is_finite() && sprt.within.is_finite());
        let none = Sprt::new(0.9, 0.8);
        assert!(none.beyond.abs() < 1e-12 && none.within.abs() < 1e-12);
    }
}
