//! Counts as numbers to calculate with.

/// A count as a number to calculate with. Exact up to 2^32 − 1, which no series here comes near; more saturates.
#[must_use]
pub fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
