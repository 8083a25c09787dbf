//! A change of a database schema, with what says that it is one.

use super::effect::Effect;
use crate::domain::environment::policy::{SchemaDetector, SchemaPolicy};

/// What says that a deployment changed a database schema, or the version of what keeps data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaChange {
    /// What it means for the release before.
    pub effect: Effect,
    /// What found it.
    pub detector: SchemaDetector,
    /// What was found, and where: `commit trailer Schema-Change`, `it touches db/migrations/2.sql`. Has untrusted text in it.
    pub what: String,
}

impl SchemaChange {
    /// One of which nobody can tell what it means.
    #[must_use]
    pub fn unknown(detector: SchemaDetector, what: String) -> Self {
        Self { effect: Effect::Unknown, detector, what }
    }

    /// Whether the agent must not revert the deployment by itself because of it. What a policy says of schemas does not hold for the
    /// version of what keeps data: an older engine does not start on the files of a newer one.
    #[must_use]
    pub fn is_for_a_person(&self, policy: SchemaPolicy) -> bool {
        is_for_a_person(policy, self.detector, self.effect)
    }
}

/// Whether the agent must not revert a deployment by itself that brought a change which this found and which means that; see
/// [`SchemaChange::is_for_a_person`].
#[must_use]
pub fn is_for_a_person(policy: SchemaPolicy, detector: SchemaDetector, effect: Effect) -> bool {
    if detector == SchemaDetector::Engines {
        return true;
    }
    match policy {
        SchemaPolicy::Manual => true,
        SchemaPolicy::AllowExpand => effect != Effect::Expand,
        SchemaPolicy::Ignore => false,
    }
}

/// Says of the worst of these changes what it is, and how many more there are. The words follow on a subject: "it".
#[must_use]
pub fn words(changes: &[SchemaChange]) -> Option<String> {
    let worst = changes.first()?;
    let more = match changes.len() - 1 {
        0 => String::new(),
        count => format!(", and {count} more"),
    };
    let what = &worst.what;
    Some(match worst.detector {
        SchemaDetector::Engines => {
            format!("changed the version of what keeps data, or of a cluster ({what}{more})")
        }
        SchemaDetector::Trailers
        | SchemaDetector::Labels
        | SchemaDetector::Files
        | SchemaDetector::Jobs
        | SchemaDetector::Resources
        | SchemaDetector::ConfigMaps
        | SchemaDetector::Values
        | SchemaDetector::Images
        | SchemaDetector::Sources => format!("changed a database schema ({what}{more})"),
    })
}
