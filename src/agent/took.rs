//! How long the stages of a pass took.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// A stage of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Learning what is new at the remote.
    Fetch,
    /// Reading an environment's branch and notes, and judging what is open.
    Judge,
    /// Deciding, working reverts out and delivering them.
    Act,
    /// Writing the notes, and telling the forge.
    Tell,
    /// Going on with pull requests, recoveries and pins.
    Follow,
}

impl Stage {
    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Judge => "judge",
            Self::Act => "act",
            Self::Tell => "tell",
            Self::Follow => "follow",
        }
    }
}

/// How long each stage took that was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Took(BTreeMap<Stage, Duration>);

impl Took {
    /// Each stage with its time.
    pub fn stages(&self) -> impl Iterator<Item = (Stage, Duration)> {
        self.0.iter().map(|(stage, took)| (*stage, *took))
    }
}

/// Takes the time of one stage after the other.
pub(super) struct Laps(Instant);

impl Laps {
    /// Begins with the first stage.
    pub(super) fn begin() -> Self {
        Self(Instant::now())
    }

    /// Ends a stage, and begins with the next one.
    pub(super) fn end(&mut self, stage: Stage, took: &mut Took) {
        let now = Instant::now();
        *took.0.entry(stage).or_default() += now - self.0;
        self.0 = now;
    }
}
