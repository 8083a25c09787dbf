//! The counterparts: what is started for a test and stopped after it.

pub(crate) mod fault;
pub(crate) mod prometheus;
pub(crate) mod victoria_metrics;
