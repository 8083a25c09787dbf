//! Signals and policies as they are written; the other half of [`super::types`].

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{Duration, Ratio};
use crate::domain::environment::pin_rules::FluxPin;
use crate::domain::environment::policy::{KnownElsewhere, Mixed, Mode, SchemaDetector, SchemaPolicy};
use crate::domain::environment::signal::{Direction, Missing, SignalKind};

/// A metric question about a service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Signal {
    /// The metric source that answers it. Default: the only one there is.
    pub(super) source: Option<String>,
    /// The query: a template over `{{ service }}`, `{{ environment }}`, `{{ namespace }}`, `{{ image_tag }}` and the
    /// labels of the service.
    #[schemars(length(min = 1))]
    pub(super) query: String,
    /// The label of the answer's series that holds the service's name. With it, one request answers for many
    /// services; without it the query must give a single series.
    pub(super) by: Option<String>,
    /// What it measures; sets the defaults below. Default: `custom`.
    pub(super) kind: Option<SignalKind>,
    /// Which way is bad. Default: what `above` or `below` says, else `lower-is-worse` for `traffic` and
    /// `higher-is-worse` for the rest.
    pub(super) direction: Option<Direction>,
    /// Regressed above this value.
    pub(super) above: Option<Ratio>,
    /// Regressed below this value.
    pub(super) below: Option<Ratio>,
    /// Regressed when worse than the baseline's median by more than this share of it. Without `above`, `below` and
    /// `change`: when worse than what the baseline explains.
    pub(super) change: Option<Ratio>,
    /// For how long without a break; goes with `above`, `below` and `change`. Default: `60s`.
    pub(super) r#for: Option<Duration>,
    /// The distance of samples. Default: `60s`.
    pub(super) step: Option<Duration>,
    /// The label by which the series of one service are told apart: a region, a browser. Each part is judged alone, with
    /// a correction for looking many times.
    pub(super) segment: Option<String>,
    /// Whether it is enough alone, whatever the quorum. Default: `false`.
    pub(super) critical: Option<bool>,
    /// Whether it is only shown, and never enough. Default: `false`.
    pub(super) advisory: Option<bool>,
    /// How much it counts towards the quorum. Default: 1.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) weight: Option<u32>,
    /// How many samples after the deployment are needed for a regression. Default: 3, or 2 from a step of 2 minutes on.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) min_samples: Option<u32>,
    /// The traffic below which it says nothing.
    pub(super) min_traffic: Option<MinTraffic>,
    /// The time over which the query takes rates (the `5m` of `rate(…[5m])`), where it is longer than `step`: samples
    /// within it repeat each other. Default: as the samples themselves show.
    pub(super) rate_window: Option<Duration>,
    /// How long it takes until a sample is complete: labels that come late, batches. Default: `0s`.
    pub(super) delay: Option<Duration>,
    /// What a sample that is not there means: `unknown`, or `zero` for counters that begin to exist with the first
    /// error. Default: `unknown`.
    pub(super) missing: Option<Missing>,
    /// The smallest difference that matters, in the signal's own unit. Default: `1%` for `error-ratio`, 5 for
    /// `saturation`, else 0.
    pub(super) min_difference: Option<Ratio>,
}

/// The traffic below which a signal says nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MinTraffic {
    /// A query for the request rate of a service: a template like the signal's own, with the same `by`.
    #[schemars(length(min = 1))]
    pub(super) query: String,
    /// A sample of the signal counts only where the rate at its time is at least this.
    pub(super) at_least: Ratio,
}

/// A set of rules.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    /// Samples this soon after the deployment are not judged: pods start, caches are cold. Default: `60s`.
    pub(super) settle: Option<Duration>,
    /// How long after the deployment it is watched. Default: `30m`.
    pub(super) watch: Option<Duration>,
    /// How much history before the deployment is the baseline. Default: `80m`.
    pub(super) baseline: Option<Duration>,
    /// How much regressed signals must weigh together; critical ones are enough alone. Default: 1.
    #[schemars(range(min = 1))]
    pub(super) quorum: Option<u32>,
    /// How long after a revert the same service is left alone. Default: `1h`.
    pub(super) cooldown: Option<Duration>,
    /// How long a value that was backed out is remembered as bad. Default: `14d`.
    pub(super) quarantine: Option<Duration>,
    /// How long after a revert its effect is watched. Default: `15m`.
    pub(super) recovery: Option<Duration>,
    /// What the agent may do. A service's mode comes first, then its environment's, then this. Default: `observe`.
    pub(super) mode: Option<Mode>,
    /// In the mode `earn`: after how many reverts of a service that people accepted, in the last year and without a no since, the agent
    /// reverts it by itself. Default: 3.
    #[schemars(range(min = 1, max = 100))]
    pub(super) earn_after: Option<u32>,
    /// What marks a deployment as one that changed a database schema. The agent does not revert such a deployment by itself.
    pub(super) schema: Option<SchemaMarks>,
    /// Fields that count as release fields besides those that are found, and ones that do not.
    pub(super) fields: Option<Fields>,
    /// What goes back where the commit changed other things in the service's files too: the whole `deployment` by a
    /// three-way merge, only the release `fields`, or nothing without a person (`manual`). Default: `deployment`.
    pub(super) mixed: Option<Mixed>,
    /// How many states back a revert may go to find one that was good. Default: 3.
    #[schemars(range(min = 1, max = 20))]
    pub(super) targets: Option<u32>,
    /// From how many reverts of a service on the agent only proposes further ones. Default: none, only the environment's budget holds.
    pub(super) service_budget: Option<ServiceBudget>,
    /// How often the agent goes one good state further back where its revert did not help. Default: 0, it stops.
    #[schemars(range(max = 10))]
    pub(super) fallback: Option<u32>,
    /// Whether a deployment may go back in a part of its fields where others have moved on since, so that a state comes
    /// about that was never deployed. Default: `false`.
    pub(super) partial: Option<bool>,
    /// By which tools the agent keeps a version out that it has backed out. It writes that into the commit of the revert, and takes it back
    /// later. Default: by none.
    pub(super) pin: Option<Pin>,
    /// What the status says of a pull request or a commit that brings a version which is known as bad from another environment: it
    /// succeeds and tells (`tell`), or it fails (`block`). Default: `tell`.
    pub(super) elsewhere: Option<KnownElsewhere>,
}

/// How the agent keeps automation from putting back a version that it has backed out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Pin {
    /// `exclude` leaves the version out of the semver range of Flux's `ImagePolicy`, `suspend` suspends the `ImageUpdateAutomation`.
    /// Default: neither.
    pub(super) flux: Option<FluxPin>,
    /// Whether the version is added to the annotation `<alias>.ignore-tags` of Argo CD Image Updater. Default: `false`.
    pub(super) argocd_image_updater: Option<bool>,
    /// Whether a rule with `allowedVersions` is added to Renovate's configuration. Default: `false`.
    pub(super) renovate: Option<bool>,
    /// A field of your own into which the version is written.
    pub(super) field: Option<PinField>,
    /// For how long. Default: `7d`.
    pub(super) r#for: Option<Duration>,
}

/// A field of your own into which a version is written that is to stay out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PinField {
    /// The file: a path from the root of the repository, in which `{service}`, `{environment}` and the labels of the service stand for their
    /// values.
    #[schemars(length(min = 1))]
    #[schemars(extend("errorMessage" = "write the path of a file from the root of the repository, such as `apps/{service}/freeze.yaml`"))]
    pub(super) file: String,
    /// The address of the field in it, as plans show addresses: `frozen_versions`, `image.frozen`, `Freeze/web: spec.frozen`. A list gets one more
    /// item. A value is set where it is empty, `null`, `none` or `false`.
    #[schemars(length(min = 1))]
    #[schemars(extend("errorMessage" = "write the address of the field, as plans show addresses: `frozen_versions`, `image.frozen`, `Freeze/web: spec.frozen`"))]
    pub(super) key: String,
    /// What is written; `{version}` stands for the version. Not empty. Default: `{version}`.
    pub(super) value: Option<String>,
}

/// From how many reverts of a service on the agent only proposes further ones.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceBudget {
    /// This many reverts of the service that no person asked for, within the window.
    #[schemars(range(min = 1))]
    pub(super) max_reverts: u32,
    /// The window. Default: `24h`.
    pub(super) window: Option<Duration>,
}

/// Fields that are named: by their key (`replicas`), or by their address as plans show it, in which `*` stands for any
/// text (`*.values.*.replicas`).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    /// Fields that count although no rule finds them. Default: none.
    pub(super) add: Option<Vec<String>>,
    /// Fields that never count. They win over `add`. Default: none.
    pub(super) exclude: Option<Vec<String>>,
}

/// What marks a deployment as one that changed a database schema: any one of these is enough.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SchemaMarks {
    /// What the agent does with such a deployment. With `manual` it leaves the deployment to a person. With `allow-expand` it reverts the
    /// deployment where the older release keeps working on the newer schema. With `ignore` it reverts the deployment. The agent leaves a
    /// changed version of a database to a person in each case. Default: `manual`.
    pub(super) policy: Option<SchemaPolicy>,
    /// The detectors that `backout` asks. Default: all.
    pub(super) detectors: Option<BTreeSet<SchemaDetector>>,
    /// Commit trailers. Default: `Schema-Change` and `Database-Migration`.
    pub(super) trailers: Option<Vec<String>>,
    /// Keys of labels or annotations in the service's manifests. Default: `backout/schema-change`.
    pub(super) labels: Option<Vec<String>>,
    /// Globs of paths that hold migrations. Default: none.
    pub(super) paths: Option<Vec<String>>,
    /// Labels of images, or annotations of their manifests, that say which schema an image needs: where the value differs between the image
    /// that runs and the one that would run again, the schema changed. Default: `org.backout.schema-version` and `schema-version`.
    pub(super) image_labels: Option<Vec<String>>,
    /// The URL of the Git repository in which the application is written; `{service}`, `{environment}` and the labels of the service stand for
    /// their values. Default: what the image's label `org.opencontainers.image.source` says.
    #[schemars(extend("examples" = ["https://github.com/acme/{service}"]))]
    pub(super) source: Option<String>,
}
