//! Keys of the configuration, by what they hold for: for messages that name their places.

use crate::domain::ids::EnvironmentName;

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigKey {
    /// The environment for which it holds.
    pub environment: EnvironmentName,
    /// What it belongs to.
    pub of: KeyOwner,
    /// The keys on the way to it from there. A list has its items by their number, from 0.
    pub path: Vec<String>,
}

/// What a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOwner {
    /// The environment itself.
    Environment,
    /// The rule of services at this place in [`Environment::services`](super::Environment::services).
    Service(usize),
    /// The policy of that rule.
    Policy(usize),
}

impl ConfigKey {
    /// The key at this path.
    #[must_use]
    pub fn new(environment: &EnvironmentName, of: KeyOwner, path: &[&str]) -> Self {
        Self { environment: environment.clone(), of, path: path.iter().map(|&key| key.to_owned()).collect() }
    }
}
