//! The guards, one a file, in the order in which they are asked.

mod already_reverted;
mod artifact;
mod budget;
mod cooldown;
mod earlier_revert;
mod elsewhere;
mod fix;
mod frozen;
mod group;
mod incident;
mod landing;
mod later_deployment;
mod mixed_commit;
mod mode;
mod oscillation;
mod overridden;
mod paused;
mod quarantine;
mod rollback;
mod schema_change;
mod service_budget;
mod superseded;
mod target;
mod trust;
mod verdict;
mod watch_window;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::already_reverted::AlreadyRevertedFacts;
use self::artifact::ArtifactFacts;
use self::budget::BudgetFacts;
pub use self::budget::used_of_budget;
use self::cooldown::CooldownFacts;
use self::earlier_revert::EarlierRevertFacts;
use self::elsewhere::ElsewhereFacts;
use self::fix::FixFacts;
use self::frozen::FrozenFacts;
use self::group::GroupFacts;
use self::incident::IncidentFacts;
pub use self::incident::is_incident;
use self::landing::LandingFacts;
use self::later_deployment::LaterDeploymentFacts;
use self::mixed_commit::MixedCommitFacts;
use self::mode::ModeFacts;
use self::oscillation::OscillationFacts;
use self::overridden::OverrideFacts;
use self::paused::PausedFacts;
use self::quarantine::QuarantineFacts;
use self::rollback::RollbackFacts;
use self::schema_change::SchemaChangeFacts;
use self::service_budget::ServiceBudgetFacts;
use self::superseded::SupersededFacts;
use self::target::TargetFacts;
use self::trust::TrustFacts;
use self::verdict::VerdictFacts;
use self::watch_window::WatchWindowFacts;
use super::types::{Case, Decision, Guard, Situation, Turn, VerdictKind};
use crate::domain::ids::CommitId;
use crate::domain::text::one_line;

/// A guard in the order in which they are asked.
#[derive(Clone, Copy, Debug)]
pub struct GuardRow {
    /// Its name, as records and reports have it.
    pub name: &'static str,
    /// What it stands against and why, in words.
    pub reason: &'static str,
    /// Whether it looks at when a deployment was made.
    pub by_time: bool,
    /// Whether it is asked about a service, too, that goes back only because another one of its group does.
    pub of_member: bool,
    /// Whether it is asked, too, before each service of a group that goes back one service after another.
    pub in_turn: bool,
    /// Collects the facts that it looks at.
    pub collect: fn(&Case<'_>, &Situation<'_>) -> Facts,
}

/// Makes of the list of guards the table [`GUARDS`] and the type [`Facts`].
macro_rules! guards {
    ($count:literal: $($name:literal => $guard:ident($facts:ident),)*) => {
        /// The facts that a guard looked at.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "guard", content = "facts")]
        pub enum Facts {
            $(
                #[doc = concat!("Those of the guard `", $name, "`.")]
                #[serde(rename = $name)]
                $guard($facts),
            )*
        }

        impl Facts {
            /// The name of the guard that looks at them.
            #[must_use]
            pub fn guard(&self) -> &'static str {
                match self {
                    $(Self::$guard(_) => $name,)*
                }
            }

            /// What the guard decides by them alone; none where it has nothing against a revert.
            #[must_use]
            pub fn answer(&self) -> Option<Decision> {
                match self {
                    $(Self::$guard(facts) => facts.answer(),)*
                }
            }

            /// What a person is told who is asked to accept a revert because of them; none where something else says it.
            #[must_use]
            pub fn doubt(&self) -> Option<String> {
                match self {
                    $(Self::$guard(facts) => facts.doubt(),)*
                }
            }
        }

        /// The guards, in the order in which they are asked. The first that decides something is the last that is asked.
        pub const GUARDS: [GuardRow; $count] = [
            $(GuardRow {
                name: $name,
                reason: $facts::REASON,
                by_time: $facts::BY_TIME,
                of_member: $facts::OF_MEMBER,
                in_turn: $facts::IN_TURN,
                collect: |case, situation| Facts::$guard($facts::collect(case, situation)),
            },)*
        ];
    };
}

guards! {
    26:
    "already reverted" => AlreadyReverted(AlreadyRevertedFacts),
    "superseded" => Superseded(SupersededFacts),
    "verdict" => Verdict(VerdictFacts),
    "schema change" => SchemaChange(SchemaChangeFacts),
    "mixed commit" => MixedCommit(MixedCommitFacts),
    "watch window" => WatchWindow(WatchWindowFacts),
    "rollback" => Rollback(RollbackFacts),
    "later deployment" => LaterDeployment(LaterDeploymentFacts),
    "quarantine" => Quarantine(QuarantineFacts),
    "oscillation" => Oscillation(OscillationFacts),
    "cooldown" => Cooldown(CooldownFacts),
    "incident" => Incident(IncidentFacts),
    "earlier revert" => EarlierRevert(EarlierRevertFacts),
    "budget" => Budget(BudgetFacts),
    "artifact" => Artifact(ArtifactFacts),
    "target" => Target(TargetFacts),
    "paused" => Paused(PausedFacts),
    "group" => Group(GroupFacts),
    "mode" => Mode(ModeFacts),
    "trust" => Trust(TrustFacts),
    "frozen" => Frozen(FrozenFacts),
    "service budget" => ServiceBudget(ServiceBudgetFacts),
    "fix" => Fix(FixFacts),
    "landing" => Landing(LandingFacts),
    "override" => Override(OverrideFacts),
    "elsewhere" => Elsewhere(ElsewhereFacts),
}

/// The name of the guard that asks what the agent may do at all.
pub const MODE_GUARD: &str = "mode";

/// The name of the guard that asks whether a person has paused the agent.
pub const PAUSED_GUARD: &str = "paused";

/// The name of the guard that asks whether a freeze window is open.
pub const FROZEN_GUARD: &str = "frozen";

/// The name of the guard that asks what was found out.
pub const VERDICT_GUARD: &str = "verdict";

/// The name of the guard that leaves changes of a database schema to people.
pub const SCHEMA_GUARD: &str = "schema change";

/// The name of the guard that leaves services which are red at once to people.
pub(super) const INCIDENT_GUARD: &str = "incident";

/// The facts of the guards that are asked about a deployment that is healthy to the end of its watch window, and that still runs.
#[must_use]
pub fn facts_of_healthy(reason: &str, age_secs: i64, watch_secs: u32) -> [Facts; 3] {
    [
        Facts::AlreadyReverted(AlreadyRevertedFacts::default()),
        Facts::Superseded(SupersededFacts::default()),
        Facts::Verdict(VerdictFacts::healthy(reason.to_owned(), age_secs, watch_secs)),
    ]
}

impl Facts {
    /// What the guard `verdict` was told was found out; none of another guard.
    #[must_use]
    pub fn verdict(&self) -> Option<VerdictKind> {
        if let Self::Verdict(facts) = self { Some(facts.verdict) } else { None }
    }

    /// Whether they are about a revert that is to be proposed because of another environment, while nothing can be said here yet; no of
    /// another guard than `verdict`.
    #[must_use]
    pub fn is_early(&self) -> bool {
        matches!(self, Self::Verdict(facts) if facts.known_elsewhere)
    }

    /// Why a person should look at a revert because of the other services that go back with it; none of another guard than `group`.
    #[must_use]
    pub fn doubts_of_group(&self) -> Vec<String> {
        if let Self::Group(facts) = self { facts.doubts() } else { Vec::new() }
    }

    /// The place of the service in a group whose services go back one after another; none of another guard than `group`.
    #[must_use]
    pub fn turn(&self) -> Option<&Turn> {
        if let Self::Group(facts) = self { facts.turn.as_deref() } else { None }
    }

    /// The earlier deployment of the service with which the damage began, and whose revert is to take this one back too.
    #[must_use]
    pub fn goes_back_with(&self) -> Option<CommitId> {
        let Self::Verdict(facts) = self else { return None };
        facts.began_with.as_ref().filter(|earlier| earlier.goes_back).map(|earlier| earlier.commit)
    }

    /// The same where that earlier deployment does not go back.
    #[must_use]
    pub fn left_with_it(mut self) -> Self {
        if let Self::Verdict(VerdictFacts { began_with: Some(earlier), .. }) = &mut self {
            earlier.goes_back = false;
        }
        self
    }

    /// The facts, each on a line by its name in the record: `used: 0`, and what a fact holds by the names on the way to it: `began_with commit: …`.
    /// At most 30 lines, each of one line's text. Empty where there are none.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let json = serde_json::to_value(self).unwrap_or_default();
        let mut lines = Vec::new();
        if let Some(facts) = json.get("facts") {
            add_lines("", facts, &mut lines);
        }
        let more = lines.len().saturating_sub(MAX_LINES);
        lines.truncate(MAX_LINES);
        if more > 0 {
            lines.push(format!("{more} more facts: `--format json` has them"));
        }
        lines
    }

    /// The same with another reason for the verdict, where that is told.
    #[must_use]
    pub fn with_reason(mut self, reason: &str) -> Self {
        if let Self::Verdict(facts) = &mut self
            && !facts.reason.is_empty()
        {
            facts.reason = reason.to_owned();
        }
        self
    }
}

/// The most lines of facts, and the most characters of one.
const MAX_LINES: usize = 30;
const MAX_LINE: usize = 300;

/// Adds a line for each plain value that a value holds.
fn add_lines(name: &str, value: &Value, lines: &mut Vec<String>) {
    let within = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name} {key}") };
    let plain = match value {
        Value::Object(all) if !all.is_empty() => {
            return all.iter().for_each(|(key, value)| add_lines(&within(key), value, lines));
        }
        Value::Array(all) if all.iter().any(|one| one.is_object() || one.is_array()) => {
            return (1..)
                .zip(all)
                .for_each(|(number, one)| add_lines(&within(&number.to_string()), one, lines));
        }
        Value::Array(all) if !all.is_empty() => all.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => shown(value),
    };
    // Texts are of people and programs: none makes a line of its own.
    lines.push(one_line(&format!("{name}: {plain}"), MAX_LINE));
}

/// A value in words.
fn shown(value: &Value) -> String {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests;
