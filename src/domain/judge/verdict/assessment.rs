//! What a test found out about one series, before it is put into words.

use crate::domain::time::Time;

/// What a test says about one series, whatever the state of the watch window.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// It got worse since the deployment.
    Regressed,
    /// It is bad, and was so before the deployment.
    Preexisting,
    /// Nothing is wrong, and there is enough to say so.
    Fine,
    /// Nothing can be said yet; more samples may change that.
    Unclear(String),
    /// It is bad, and nobody can say since when: the samples around the deployment are missing.
    Blind,
    /// Nothing can be said, and more samples after the deployment will not change that.
    Never(String),
    /// It got worse, and so did services that were not deployed.
    Excused(String),
}

/// What a test found, with the numbers behind it in the signal's original orientation.
#[derive(Clone, Debug)]
pub(super) struct Assessment {
    /// What it says.
    pub(super) state: State,
    /// The typical value before the deployment.
    pub(super) before: Option<f64>,
    /// The typical value since the damage began, or since the deployment.
    pub(super) after: Option<f64>,
    /// When the damage began.
    pub(super) since: Option<Time>,
    /// The line beyond which a sample is bad.
    pub(super) line: Option<f64>,
    /// How many samples are beyond the line …
    pub(super) beyond: usize,
    /// … of how many since the damage began, or since the deployment.
    pub(super) of: usize,
    /// The logarithm of how many times likelier what is seen is if the deployment did it.
    pub(super) proof: Option<f64>,
    /// Whether it has surely been bad before the deployment.
    pub(super) surely_before: bool,
    /// How often as much was seen in the baseline.
    pub(super) precedents: usize,
}

impl Assessment {
    /// Of how many deployments that do no harm one would look as bad by coincidence, at most: 0 to 1.
    pub(super) fn coincidence(&self) -> Option<f64> {
        self.proof.map(|score| (-score).exp().min(1.0))
    }

    /// An assessment without numbers.
    pub(super) fn bare(state: State) -> Self {
        Self {
            state,
            before: None,
            after: None,
            since: None,
            line: None,
            beyond: 0,
            of: 0,
            proof: None,
            surely_before: false,
            precedents: 0,
        }
    }
}
