//! Looking: what stands still during a pass ([`context::Pass`]), and what the pass has read of one environment
//! ([`state::State`]).

pub(super) mod artifacts;
pub(super) mod branches;
pub(super) mod context;
pub(super) mod elsewhere;
pub(super) mod found;
pub(super) mod gone;
pub(super) mod landed;
pub(super) mod left;
pub(super) mod lineage;
pub(super) mod paused_since;
pub(super) mod pauses;
pub(super) mod pins;
pub(super) mod precedents;
pub(super) mod proposals;
pub(super) mod records;
pub(super) mod search;
pub(super) mod services;
pub(super) mod state;
pub(super) mod waiting;
