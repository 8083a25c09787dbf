//! By which tools the agent keeps a value out that it has backed out, and for how long.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the agent does to Flux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FluxPin {
    /// The semver range of the `ImagePolicy` leaves the version out.
    Exclude,
    /// The `ImageUpdateAutomation` is suspended, with all that it updates.
    Suspend,
}

/// A field of the user's own, into which the agent writes a version that is to stay out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PinField {
    /// The file: a template over `{service}`, `{environment}` and the labels of the service.
    pub file: String,
    /// The address of the field in it: `frozen_versions`, `Kind/name: spec.frozen`.
    pub key: String,
    /// What is written; `{version}` stands for the version.
    pub value: String,
}

/// By which tools the agent keeps a value out that it has backed out, and for how long. It pins nothing without a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PinRules {
    /// By Flux.
    pub flux: Option<FluxPin>,
    /// By the annotation `<alias>.ignore-tags` of Argo CD Image Updater.
    pub argocd_image_updater: bool,
    /// By a rule in Renovate's configuration.
    pub renovate: bool,
    /// By a field of the user's own.
    pub field: Option<PinField>,
    /// For how long, in seconds.
    pub for_secs: u32,
}

impl Default for PinRules {
    fn default() -> Self {
        Self { flux: None, argocd_image_updater: false, renovate: false, field: None, for_secs: 7 * 86_400 }
    }
}

impl PinRules {
    /// For how long a pin is remembered after its revert, in seconds: a week longer than it holds, so that it is lifted where no agent ran
    /// when its time was over.
    #[must_use]
    pub fn remembered_secs(&self) -> u32 {
        if self.is_none() { 0 } else { self.for_secs.saturating_add(7 * 86_400) }
    }

    /// Whether there is nothing to pin by.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.flux.is_none() && !self.argocd_image_updater && !self.renovate && self.field.is_none()
    }
}
