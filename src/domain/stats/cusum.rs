//! Where a series rose.

use super::real;

/// The index of the first value of the higher level, taking the series for one that rose once: the place after the
/// minimum of the cumulative sum of deviations from the mean. `None` when there are fewer than 2 values, all are
/// equal, or the sum never falls below 0, as when the series only fell. It always names a place in a series that
/// varies: whether the rise there is a real one is for the caller to find out.
///
/// Source: W. A. Taylor, "Change-Point Analysis: A Powerful New Tool for Detecting Changes" (2000); the sum is that
/// of E. S. Page, "Continuous Inspection Schemes", Biometrika 41 (1954), 100–115.
#[must_use]
pub fn rise(values: &[f64]) -> Option<usize> {
    let largest = values.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if values.len() < 2 || largest <= 0.0 {
        return None;
    }
    let mean = values.iter().map(|value| value / largest).sum::<f64>() / real(values.len());
    let mut sum = 0.0;
    // Sums nearer to 0 than this are rounding, not a rise.
    let mut lowest = -1e-12 * real(values.len());
    let mut place = None;
    for (index, value) in values.iter().enumerate() {
        sum += value / largest - mean;
        if sum < lowest && index + 1 < values.len() {
            lowest = sum;
            place = Some(index + 1);
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy 2.4.6: `numpy.argmin(numpy.cumsum(x - x.mean())) + 1`.
    #[test]
    fn agrees_with_numpy() {
        let series = [1.0, 1.2, 0.9, 1.1, 1.0, 3.1, 2.8, 3.3, 2.9];
        assert_eq!(rise(&series), Some(5));
        assert_eq!(rise(&[3.1, -2.0, 7.25, 0.0, 3.1, 11.5, 4.0]), Some(5));
    }

    #[test]
    fn the_edges_are_defined() {
        assert_eq!(rise(&[]), None);
        assert_eq!(rise(&[1.0]), None);
        assert_eq!(rise(&[0.1; 50]), None);
        assert_eq!(rise(&[3.0, 3.0, 1.0, 1.0]), None);
        assert_eq!(rise(&[1.0, 2.0]), Some(1));
        assert_eq!(rise(&[-f64::MAX, -f64::MAX, f64::MAX]), Some(2));
    }
}
