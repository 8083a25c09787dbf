//! The guard `schema change`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, MAX_TEXT, Situation};
use crate::domain::deployment::Deployment;
use crate::domain::deployment::lineage::Goal;
use crate::domain::environment::policy::{SchemaDetector, SchemaPolicy};
use crate::domain::ids::CommitId;
use crate::domain::schema::change::{SchemaChange, is_for_a_person};
use crate::domain::schema::effect::Effect;
use crate::domain::text::one_line;

/// What the guard `schema change` looks at: the changes of database schemas that a revert would go back over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SchemaChangeFacts {
    /// Which of them the policy leaves to a person.
    pub policy: SchemaPolicy,
    /// Those of the deployment, and of each that would be taken back with it: first what is for a person, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_back: Vec<ChangedSchema>,
    /// Those that other commits brought since: first what is for a person, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub since: Vec<ChangedSchema>,
    /// Those that the labels of the images show which change places: first what is for a person, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_images: Vec<ChangedSchema>,
    /// Why the labels of an image were not looked at; none where all were, or where that does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen_images: Option<String>,
    /// Those that the application's source shows between the two images: first what is for a person, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_sources: Vec<ChangedSchema>,
    /// Why the source of an image was not looked at; none where it was, or where that does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen_sources: Option<String>,
}

/// What a commit changed of a database schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangedSchema {
    /// The commit; none where it is the deployment itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
    /// What it changed, in words.
    pub what: String,
    /// What found the changes, and what each means for the release before.
    pub found: BTreeSet<SchemaFinding>,
}

/// What found a change of a schema, and what it means for the release before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SchemaFinding {
    /// What found it.
    pub by: SchemaDetector,
    /// What it means.
    pub effect: Effect,
}

/// The most commits whose changes are kept. Those for a person come first, and the first of them decides.
const MAX_KEPT: usize = 10;

impl ChangedSchema {
    fn new(commit: Option<CommitId>, what: &str, changes: &[SchemaChange]) -> Self {
        let found = changes.iter().map(|one| SchemaFinding { by: one.detector, effect: one.effect });
        Self { commit, what: one_line(what, MAX_TEXT), found: found.collect() }
    }

    fn is_for_a_person(&self, policy: SchemaPolicy) -> bool {
        self.found.iter().any(|one| is_for_a_person(policy, one.by, one.effect))
    }

    fn who(&self) -> Option<String> {
        self.commit.map(|commit| commit.short())
    }
}

/// First what is for a person, each in the order in which it was found.
fn kept(policy: SchemaPolicy, all: impl Iterator<Item = ChangedSchema>) -> Vec<ChangedSchema> {
    let (mut first, rest): (Vec<_>, Vec<_>) = all.partition(|one| one.is_for_a_person(policy));
    first.extend(rest);
    first.truncate(MAX_KEPT);
    first
}

impl Guard for SchemaChangeFacts {
    const REASON: &'static str = "A revert does not take a migration back. The release before may not run on the newer schema, or data may be lost.";
    const OF_MEMBER: bool = true;

    fn collect(case: &Case<'_>, _: &Situation<'_>) -> Self {
        let policy = case.policy.schema.policy;
        let own = case.deployment;
        let undone = match case.goal {
            Some(Goal::Undo(changes, _)) => changes.as_slice(),
            Some(Goal::NoneGood(_) | Goal::TakenBack(_) | Goal::Under(_)) | None => &[],
        };
        let changed = |one: &Deployment| {
            let commit = (one.commit != own.commit).then_some(one.commit);
            Some(ChangedSchema::new(commit, &one.schema_words()?, &one.schema))
        };
        let others = undone.iter().filter(|one| one.commit != own.commit);
        let taken_back = std::iter::once(own).chain(others).filter_map(changed);
        let crossed = case.crossed.iter();
        let since = crossed
            .map(|(commit, one)| ChangedSchema::new(Some(*commit), &one.what, std::slice::from_ref(one)));
        let found_by = |detector| {
            let all = case.artifacts.into_iter().flat_map(|artifacts| &artifacts.schema);
            let by_it = all.filter(move |one| one.detector == detector);
            by_it.map(|one| ChangedSchema::new(None, &one.what, std::slice::from_ref(one)))
        };
        let matters = |must_see: bool| must_see && policy != SchemaPolicy::Ignore;
        let rules = &case.policy.schema;
        let unseen = case.artifacts.filter(|_| matters(rules.must_see_images));
        let unseen = unseen.and_then(|artifacts| artifacts.unseen.as_ref());
        let unseen_source = case.artifacts.filter(|_| matters(rules.must_see_sources));
        let unseen_source = unseen_source.and_then(|artifacts| artifacts.unseen_source.as_ref());
        Self {
            policy,
            taken_back: kept(policy, taken_back),
            since: kept(policy, since),
            of_images: kept(policy, found_by(SchemaDetector::Images)),
            unseen_images: unseen.map(|why| one_line(why, MAX_TEXT)),
            of_sources: kept(policy, found_by(SchemaDetector::Sources)),
            unseen_sources: unseen_source.map(|why| one_line(why, MAX_TEXT)),
        }
    }

    fn answer(&self) -> Option<Decision> {
        let is_for_a_person = |one: &&ChangedSchema| one.is_for_a_person(self.policy);
        if let Some(flagged) = self.taken_back.iter().find(is_for_a_person) {
            let with_it = |commit: String| format!("{commit}, which would be taken back with it,");
            let who = flagged.who().map_or_else(|| "it".to_owned(), with_it);
            let what = &flagged.what;
            return Some(Decision::Escalate(format!(
                "{who} {what}: going back may lose data, so a person decides"
            )));
        }
        if let Some(crossed) = self.since.iter().find(is_for_a_person) {
            return Some(Decision::Escalate(format!(
                "{} changed a database schema ({}) after the release that would run again was deployed: that may not run on it, so a person decides",
                crossed.who().unwrap_or_default(),
                crossed.what
            )));
        }
        if let Some(found) = self.of_images.iter().find(is_for_a_person) {
            return Some(Decision::Escalate(format!(
                "its image needs another database schema ({}): going back may lose data, so a person decides",
                found.what
            )));
        }
        if let Some(found) = self.of_sources.iter().find(is_for_a_person) {
            return Some(Decision::Escalate(format!(
                "its source changed a database schema since the release that would run again ({}): going back may lose data, so a person decides",
                found.what
            )));
        }
        let unseen = |what: &str, detector: SchemaDetector, why: &String| {
            let detector = detector.name();
            Decision::Escalate(format!(
                "{what} not looked at, and its policy names the detector `{detector}`: {why}"
            ))
        };
        let images = self.unseen_images.as_ref();
        let images = images.map(|why| unseen("the labels of its images were", SchemaDetector::Images, why));
        let sources = self.unseen_sources.as_ref();
        images.or_else(|| sources.map(|why| unseen("its source was", SchemaDetector::Sources, why)))
    }
}
