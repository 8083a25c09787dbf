//! What pages are drawn from.

use crate::agent::{EnvironmentReport, LeftAlone, Overview};
use crate::domain::environment::Environment;
use crate::domain::ids::{EnvironmentName, RepositoryName};
use crate::domain::time::Time;

/// What all pages of a site have in common.
#[derive(Clone, Debug)]
pub struct Site {
    /// When it was drawn.
    pub at: Time,
    /// Whether somebody answers to a search: not where the pages are files.
    pub is_served: bool,
    /// What is wrong with the agent itself, each in a sentence.
    pub notices: Vec<String>,
    /// The environments, in the order of the configuration.
    pub environments: Vec<Seen>,
}

/// What the newest pass over an environment has seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The environment.
    pub name: EnvironmentName,
    /// The repository that it is in.
    pub repository: RepositoryName,
    /// Whether this agent watches it. Else another one does, which has its own pages.
    pub is_own: bool,
    /// What the newest pass that came that far has found, and when it began; none where none has.
    pub report: Option<(Time, EnvironmentReport)>,
    /// What went wrong since, if anything did.
    pub problem: Option<String>,
    /// The deployments that run, that were judged, and that were neither found good nor reverted.
    pub left: Vec<LeftAlone>,
    /// The modes of its services, each once.
    pub modes: Vec<&'static str>,
}

impl Seen {
    /// One of which nothing is known yet.
    #[must_use]
    pub fn new(repository: &RepositoryName, environment: &Environment) -> Self {
        let modes = environment.services.iter().map(|rule| rule.policy.mode.word());
        let mut modes: Vec<&str> = modes.collect();
        modes.sort_unstable();
        modes.dedup();
        Self {
            name: environment.name.clone(),
            repository: repository.clone(),
            is_own: true,
            report: None,
            problem: None,
            left: Vec::new(),
            modes,
        }
    }
}

/// An environment with what was read for it.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// The site.
    pub site: &'a Site,
    /// What passes have seen.
    pub seen: &'a Seen,
    /// What its branch and its notes say.
    pub overview: &'a Overview,
}
