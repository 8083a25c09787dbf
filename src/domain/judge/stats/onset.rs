//! How soon after its cause damage begins.

/// The probability that damage which a deployment does begins `lag` steps after it: (1 + lag)^−1.2 / ζ(1.2). Most of
/// it shows at once, and some of it hours later.
///
/// This is a Zipf (zeta) distribution: it adds up to 1 over all lags, however many there are, which is what lets
/// evidence be looked at after every sample (see `docs/judging.md`). Source: N. L. Johnson, A. W. Kemp and S. Kotz,
/// "Univariate Discrete Distributions", 3rd edition (2005), section 11.2.20. The exponent is ours: it is close to the
/// smallest for which the sum exists, so that late damage is not ruled out.
#[must_use]
pub fn onset_prior(lag: u32) -> f64 {
    (1.0 + f64::from(lag)).powf(-EXPONENT) / ZETA
}

const EXPONENT: f64 = 1.2;
/// ζ(1.2).
const ZETA: f64 = 5.591_582_441_177_75;

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `scipy.stats.zipf.pmf(lag + 1, 1.2)`.
    #[test]
    fn agrees_with_scipy() {
        for (lag, expected) in
            [(0, 0.178_840_250), (1, 0.077_844_740), (9, 0.011_284_057), (59, 0.001_314_267)]
        {
            let found = onset_prior(lag);
            assert!((found - expected).abs() < 1e-8, "{found} is not {expected}");
        }
    }

    #[test]
    fn all_lags_together_are_no_more_than_certain() {
        assert!((0..1_000_000).map(onset_prior).sum::<f64>() < 1.0);
    }
}
