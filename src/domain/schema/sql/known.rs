//! What is known of a statement.

use super::super::effect::Effect;

/// What is known of a statement.
pub(super) type Known = (Effect, String);

pub(super) fn expand(why: &str) -> Known {
    (Effect::Expand, why.to_owned())
}

pub(super) fn unknown(why: &str) -> Known {
    (Effect::Unknown, why.to_owned())
}

pub(super) fn contract(why: &str) -> Known {
    (Effect::Contract, why.to_owned())
}
