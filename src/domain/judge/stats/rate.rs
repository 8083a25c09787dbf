//! How often something rare happens by itself.

use super::real::real;

/// The expected rate of events that come by themselves (a Poisson process), after `events` of them were seen in
/// `exposure` units of time, and `prior_events` in `prior_exposure` units were thought likely before: the mean of the
/// posterior Gamma distribution. More than 0 whenever `prior_events` is; infinite when there is no exposure at all.
///
/// Source: A. Gelman et al., "Bayesian Data Analysis", 3rd edition (2013), section 2.6: a Gamma(α, β) prior gives
/// a Gamma(α + Σy, β + Σx) posterior, whose mean is (α + Σy) / (β + Σx).
#[must_use]
pub fn predictive_rate(events: usize, exposure: usize, prior_events: f64, prior_exposure: f64) -> f64 {
    (real(events) + prior_events) / (real(exposure) + prior_exposure)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `scipy.stats.gamma.mean(a + k, scale=1 / (b + n))`.
    #[test]
    fn agrees_with_scipy() {
        for (events, exposure, expected) in
            [(0, 80, 0.003_076_923_076_923), (1, 80, 0.010_769_230_769_231), (3, 15, 0.052_307_692_307_692)]
        {
            let found = predictive_rate(events, exposure, 0.4, 50.0);
            assert!((found - expected).abs() < 1e-15, "{found} is not {expected}");
        }
    }
}
