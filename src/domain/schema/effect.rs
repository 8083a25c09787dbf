//! What a change of a schema means.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a change of a schema means for the release before it. The words are those of the expand and contract pattern. Source:
/// <https://martinfowler.com/bliki/ParallelChange.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The older release keeps working.
    Expand,
    /// Nobody can tell from what is at hand.
    Unknown,
    /// The older release may fail, or what it needs is gone.
    Contract,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expand => "expand",
            Self::Unknown => "unknown",
            Self::Contract => "contract",
        })
    }
}
