//! What is asked about: a service, when it was deployed, and which signals.

use std::collections::BTreeMap;

use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::Policy;
use crate::domain::environment::signal::{Signal, Window};
use crate::domain::field::{FieldRule, tokens};
use crate::domain::ids::{EnvironmentName, ServiceName};
use crate::domain::judge::usual::usual;
use crate::domain::time::Time;

/// What is asked about: one service around one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// The service's labels.
    pub labels: BTreeMap<String, String>,
    /// The new image tag or digest, where the deployment has one.
    pub image_tag: Option<String>,
    /// When it was deployed.
    pub deployed_at: Time,
    /// The limits in time.
    pub policy: Policy,
    /// What to ask.
    pub signals: Vec<Signal>,
    /// Times before the deployment that do not say what is usual.
    pub unusual: Vec<Window>,
}

impl Subject {
    /// What to ask about a deployment.
    #[must_use]
    pub fn of(deployment: &Deployment, policy: &Policy, signals: &[Signal]) -> Self {
        Self {
            environment: deployment.environment.clone(),
            service: deployment.service.clone(),
            labels: deployment.labels.clone(),
            image_tag: image_tag(deployment),
            deployed_at: deployment.at,
            policy: policy.clone(),
            signals: signals.to_vec(),
            unusual: Vec::new(),
        }
    }

    /// Leaves these times out of the baseline, which becomes that much longer: at most twice as long.
    #[must_use]
    pub fn without(mut self, windows: Vec<Window>) -> Self {
        let usual = usual(windows, self.deployed_at, self.policy.baseline_secs);
        self.policy.baseline_secs = usual.baseline_secs;
        self.unusual = usual.unusual;
        self
    }

    /// What a query may name: the labels, and what is known of the deployment.
    pub(super) fn values(&self) -> BTreeMap<String, String> {
        let mut values = self.labels.clone();
        values.entry("service".to_owned()).or_insert_with(|| self.service.to_string());
        values.insert("environment".to_owned(), self.environment.to_string());
        values.extend(self.image_tag.clone().map(|tag| ("image_tag".to_owned(), tag)));
        values
    }
}

/// The tag (or digest) of the first image that a deployment changed.
fn image_tag(deployment: &Deployment) -> Option<String> {
    let image = |rule| matches!(rule, FieldRule::Image | FieldRule::Tag | FieldRule::ImageAnywhere);
    let field = deployment.fields.iter().find(|field| image(field.rule))?;
    let text = field.new.trim_matches(['"', '\'']);
    let tag = tokens::image_parts(text).map_or(text, |(_, rest)| rest.trim_start_matches([':', '@']));
    Some(tag.to_owned())
}
