//! Statistics, one a file, each with its source.
//!
//! All functions are total: any slice of finite numbers gives an answer or `None`, never a panic and never NaN. All
//! are deterministic to the bit: sums run in the order of the slice, and sorting uses the total order of IEEE 754.

mod mad;
mod onset;
mod quantile;
mod rate;
mod real;

pub use self::mad::scaled_mad;
pub use self::onset::onset_prior;
pub use self::quantile::{median, percentile};
pub use self::rate::predictive_rate;
pub use self::real::real;
