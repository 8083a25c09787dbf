//! Judging: what the metric sources say about each deployment, and which of several is to blame.

pub(super) mod behind;
pub(super) mod blame;
pub(super) mod controls;
pub(super) mod elsewhere;
pub(super) mod fallback;
pub(super) mod gather;
pub(super) mod judged;
pub(super) mod open;
mod others;
pub(super) mod recovered;
pub(super) mod returned;
pub(super) mod reverted;
mod sources;
pub(super) mod told;
pub(super) mod turns;
mod usual;
