//! The one integration binary: `backout` against real counterparts.

#[cfg(test)]
mod metrics;
#[cfg(test)]
mod support;
