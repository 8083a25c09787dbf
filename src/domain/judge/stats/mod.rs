//! Statistics, one a file, each with its source.
//!
//! All functions are total: any slice of finite numbers gives an answer or `None`, never a panic and never NaN. All
//! are deterministic to the bit: sums run in the order of the slice, and sorting uses the total order of IEEE 754.

mod mad;
mod onset;
mod quantile;
mod rate;

pub use mad::scaled_mad;
pub use onset::onset_prior;
pub use quantile::{median, percentile};
pub use rate::predictive_rate;

/// A count as a number to calculate with. Exact up to 2^32 − 1, which no series here comes near; more saturates.
#[must_use]
pub fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
