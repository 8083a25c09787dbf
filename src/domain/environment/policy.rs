//! Limits, budgets and modes: what a person allows the agent to do.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::environment::pattern::PathGlobs;
use crate::domain::environment::pin_rules::PinRules;
use crate::domain::field::Selection;

/// What the agent may do when it finds a regression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Judge and record, and change no branch.
    #[default]
    Observe,
    /// Prepare the revert for a person to accept.
    Propose,
    /// Propose the reverts of a service until people have accepted enough of them, and then revert.
    Earn,
    /// Revert.
    Auto,
}

impl Mode {
    /// Its name in the configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Propose => "propose",
            Self::Earn => "earn",
            Self::Auto => "auto",
        }
    }
}

/// How a revert reaches the environment branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// A commit pushed to the environment branch itself.
    #[default]
    Push,
    /// A commit pushed to a branch of its own (`backout/<environment>/<service>/<short id>`), for a person to merge.
    Branch,
    /// The same, with a pull request (on GitLab a merge request) from it.
    PullRequest,
}

/// Who merges a pull request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Merge {
    /// The forge, as soon as its own rules let it.
    #[default]
    Auto,
    /// A person: merging is the approval.
    Manual,
}

/// What holds for the pull requests of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewRules {
    /// Who merges them.
    pub merge: Merge,
    /// How long after it was opened one that merges itself may stay unmerged before a person is asked to look.
    pub deadline_secs: u32,
}

impl Default for ReviewRules {
    fn default() -> Self {
        Self { merge: Merge::Auto, deadline_secs: 30 * 60 }
    }
}

/// How many of the dependencies between services the configuration names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Declared {
    /// Some of them: two services without a declared dependency may still call each other.
    #[default]
    Partial,
    /// All of them: a deployment does no harm to a service that no chain of dependencies connects with it.
    Complete,
}

/// The rules for a service in an environment. All times in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// What the agent may do.
    pub mode: Mode,
    /// In the mode `earn`: after how many reverts of the service that people accepted the agent reverts it by itself.
    pub earn_after: u32,
    /// Samples this soon after the deployment are not judged: pods start, caches are cold.
    pub settle_secs: u32,
    /// How long after the deployment it is watched.
    pub watch_secs: u32,
    /// How much history before the deployment is the baseline. 80 steps: 60 for the line, 20 to look for earlier damage.
    pub baseline_secs: u32,
    /// How many signals must have regressed; critical ones are enough alone.
    pub quorum: u32,
    /// How long after a revert the same service is left alone.
    pub cooldown_secs: u32,
    /// How long a value that was backed out is remembered as bad.
    pub quarantine_secs: u32,
    /// How long after a revert its effect is watched.
    pub recovery_secs: u32,
    /// What marks a deployment as one that changed a database schema.
    pub schema: SchemaRules,
    /// Which fields count as release fields besides those that the rules find, and which do not.
    pub fields: Selection,
    /// What goes back where a commit changed other things too.
    pub mixed: Mixed,
    /// How many states back a revert may go to find one that was good.
    pub targets: u32,
    /// How often the agent goes one good state further back where its revert did not help.
    pub fallback: u32,
    /// From how many reverts of the service on the agent only proposes; none where nothing bounds that but the environment's budget.
    pub service_budget: Option<ServiceBudget>,
    /// Names and mail addresses of machines, besides those that are known.
    pub automation: Vec<String>,
    /// Whether a deployment may go back in a part of its fields, where others have moved on since.
    pub partial: bool,
    /// By which tools a value is kept out that was backed out.
    pub pin: PinRules,
    /// What is made of it that a version is known as bad from another environment.
    pub elsewhere: KnownElsewhere,
}

/// What the agent makes of it that a pull request or a commit brings a version that is known as bad from another environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KnownElsewhere {
    /// It says so in a status that succeeds.
    #[default]
    Tell,
    /// It says so in a status that fails.
    Block,
    /// It says so in a status that succeeds. Where the version is deployed all the same, the agent proposes at once to revert it.
    Propose,
}

/// How many reverts of one service the agent makes before it only proposes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceBudget {
    /// From this many reverts of the service on …
    pub max_reverts: u32,
    /// … within this many seconds the agent only proposes.
    pub window_secs: u32,
}

/// What goes back where a deployment's commit changed other things in the service's files than release fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mixed {
    /// The release fields; the rest stays.
    Fields,
    /// All that the commit changed in the service's files, by a three-way merge.
    #[default]
    Deployment,
    /// Nothing: a person must look at it.
    Manual,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Observe,
            earn_after: 3,
            settle_secs: 60,
            watch_secs: 30 * 60,
            baseline_secs: 80 * 60,
            quorum: 1,
            cooldown_secs: 60 * 60,
            quarantine_secs: 14 * 86_400,
            recovery_secs: 15 * 60,
            schema: SchemaRules::default(),
            fields: Selection::default(),
            mixed: Mixed::default(),
            targets: 3,
            fallback: 0,
            service_budget: None,
            automation: Vec::new(),
            partial: false,
            pin: PinRules::default(),
            elsewhere: KnownElsewhere::default(),
        }
    }
}

impl Policy {
    /// How long a state must have run without being found bad to count as tried: as long as it takes until a deployment is
    /// judged healthy, which is two thirds of the watch window.
    #[must_use]
    pub fn tried_secs(&self) -> i64 {
        i64::from(self.watch_secs) * 2 / 3
    }
}

/// How many reverts an environment bears, and how many services red at once are one incident for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Budget {
    /// At most this many reverts in the environment …
    pub max_reverts: u32,
    /// … within this many seconds.
    pub window_secs: u32,
    /// From this many services red at once it is one incident for a person, and none is reverted. At least 2.
    pub incident_services: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { max_reverts: 3, window_secs: 60 * 60, incident_services: 3 }
    }
}

/// What finds changes of a database schema, from evidence in the environment repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaDetector {
    /// Trailers of the commit's message.
    Trailers,
    /// Labels and annotations of the manifests that the commit changed.
    Labels,
    /// Files that hold migrations: those of `paths`, and those of the service that are migrations by their names.
    Files,
    /// Jobs, hooks and init containers that migrate a database.
    Jobs,
    /// Resources that describe a schema: CustomResourceDefinitions, those of Atlas and SchemaHero, and the like.
    Resources,
    /// SQL in ConfigMaps and Secrets.
    ConfigMaps,
    /// Values that say to which state a schema is migrated: `migrations.version`, `flyway.target`.
    Values,
    /// The versions of databases, of what else keeps data, and of clusters.
    Engines,
    /// Labels of the images themselves, as their registries have them. Only where the deployment would be reverted otherwise.
    Images,
    /// The source of the application between the revisions from which the two images were built. Only where the deployment would be reverted
    /// otherwise.
    Sources,
}

impl SchemaDetector {
    /// All that there are.
    pub const ALL: [Self; 10] = [
        Self::Trailers,
        Self::Labels,
        Self::Files,
        Self::Jobs,
        Self::Resources,
        Self::ConfigMaps,
        Self::Values,
        Self::Engines,
        Self::Images,
        Self::Sources,
    ];

    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trailers => "trailers",
            Self::Labels => "labels",
            Self::Files => "files",
            Self::Jobs => "jobs",
            Self::Resources => "resources",
            Self::ConfigMaps => "config-maps",
            Self::Values => "values",
            Self::Engines => "engines",
            Self::Images => "images",
            Self::Sources => "sources",
        }
    }
}

/// What the agent does with a deployment that changed a database schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaPolicy {
    /// It leaves the deployment to a person.
    #[default]
    Manual,
    /// It reverts the deployment where the older release keeps working on the newer schema: all evidence is files of SQL that only expand. It
    /// leaves all others to a person.
    AllowExpand,
    /// It reverts the deployment like any other one.
    Ignore,
}

/// What marks a deployment as one that changed a database schema: any one of these is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SchemaRules {
    /// What the agent does with such a deployment.
    pub policy: SchemaPolicy,
    /// The detectors that are asked.
    pub detectors: BTreeSet<SchemaDetector>,
    /// Commit trailers; one is present unless its value is `false`, `no`, `none` or `0`. Compared without case.
    pub trailers: Vec<String>,
    /// Keys of labels or annotations in the manifests that the deployment changed, with the same values.
    pub labels: Vec<String>,
    /// Paths that hold migrations: a deployment whose commit touches one changed the schema.
    pub paths: PathGlobs,
    /// Labels of images, or annotations of their manifests, that say which schema an image needs: another value is another schema.
    pub image_labels: Vec<String>,
    /// Whether a person decides where the labels of an image cannot be read. So it is where the configuration names the detector `images`.
    pub must_see_images: bool,
    /// The URL of the application's source: a template. None where the labels of its images say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether a person decides where the source cannot be looked at. So it is where the configuration names the detector `sources`.
    #[serde(default)]
    pub must_see_sources: bool,
}

impl Default for SchemaRules {
    fn default() -> Self {
        Self {
            policy: SchemaPolicy::default(),
            detectors: BTreeSet::from(SchemaDetector::ALL),
            trailers: vec!["Schema-Change".to_owned(), "Database-Migration".to_owned()],
            labels: vec!["backout/schema-change".to_owned()],
            paths: PathGlobs::default(),
            image_labels: vec!["org.backout.schema-version".to_owned(), "schema-version".to_owned()],
            must_see_images: false,
            source: None,
            must_see_sources: false,
        }
    }
}
