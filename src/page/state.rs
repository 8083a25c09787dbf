//! How services stand, in words.

use std::str::FromStr;

use crate::agent::ServiceStatus;

/// How a service stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceState {
    /// Its newest deployment regressed.
    Regressed,
    /// Nobody could tell how its newest deployment does.
    Inconclusive,
    /// It was bad before its newest deployment.
    Preexisting,
    /// It is watched.
    Watched,
    /// It was reverted.
    Reverted,
    /// Its newest deployment does no harm.
    Healthy,
    /// It was not deployed lately, or nobody has watched that.
    Unknown,
}

impl ServiceState {
    /// All of them, in the order in which people look for them.
    pub const ALL: [Self; 7] = [
        Self::Regressed,
        Self::Inconclusive,
        Self::Preexisting,
        Self::Watched,
        Self::Reverted,
        Self::Healthy,
        Self::Unknown,
    ];

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Inconclusive => "inconclusive",
            Self::Preexisting => "preexisting",
            Self::Watched => "watched",
            Self::Reverted => "reverted",
            Self::Healthy => "healthy",
            Self::Unknown => "unknown",
        }
    }

    /// How a service stands.
    pub(super) fn of(service: &ServiceStatus) -> Self {
        service.state.parse().unwrap_or(Self::Unknown)
    }
}

impl FromStr for ServiceState {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            // A verdict that is still to come.
            "pending" => Ok(Self::Watched),
            word => Self::ALL.into_iter().find(|state| state.word() == word).ok_or(()),
        }
    }
}
