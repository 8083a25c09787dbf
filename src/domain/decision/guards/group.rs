//! The guard `group`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::types::{Case, Decision, Guard, Member, Situation, Turn};
use crate::domain::deployment::Deployment;
use crate::domain::history::trailers::{MAX_BLOCKS, trailer_value};
use crate::domain::ids::{CommitId, GroupName, ServiceName};

/// What the guard `group` looks at: what the commit deployed of the service's group. All of it is empty where the service is in no group,
/// and where nothing else of its group was deployed lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupFacts {
    /// The group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// The other services of the group that the same commit deployed, and that have not gone back yet. At most nineteen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// Whether there are more than these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Why the service does not go back by exactly this deployment, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// The service of the group whose revert takes this one back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_with: Option<ServiceName>,
    /// Whether the agent's own revert has brought the state back, and did not help.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_fallback: bool,
    /// The last deployment of another service of the group by another commit with which the state to go back to has not run for long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untried: Option<Untried>,
    /// Its place, where the services of the group go back one after another and that is due or has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<Box<Turn>>,
}

/// A deployment of another service of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Untried {
    /// The service.
    pub service: ServiceName,
    /// The commit.
    pub commit: CommitId,
}

impl Guard for GroupFacts {
    const REASON: &'static str = "Services of a group are made for each other. What one commit deployed of a group goes back together, or not at all.";
    const IN_TURN: bool = true;

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        let own = case.deployment;
        let untried = untried(case, situation);
        let is_alone =
            case.members.is_empty() && !case.is_fallback && untried.is_none() && case.turn.is_none();
        if own.group.is_none() || is_alone {
            return Self::default();
        }
        Self {
            group: own.group.clone(),
            members: case.members.iter().take(MAX_BLOCKS - 1).cloned().collect(),
            more: case.members.len() >= MAX_BLOCKS,
            held: case.way_of_group().filter(|_| !case.members.is_empty() || case.turn.is_some()),
            goes_with: case.goes_with.cloned(),
            is_fallback: case.is_fallback,
            untried,
            turn: case.turn.cloned().map(Box::new),
        }
    }

    fn answer(&self) -> Option<Decision> {
        let group = self.group.as_ref()?;
        if self.turn.as_ref().is_some_and(|turn| !turn.is_next()) {
            return Some(Decision::Wait);
        }
        if self.is_fallback {
            return Some(Decision::Escalate(format!(
                "it is of the group {group}, and the agent does not go a step further back with one service of a group"
            )));
        }
        if self.more {
            return Some(Decision::Escalate(format!(
                "the commit deployed more than {MAX_BLOCKS} services of the group {group}, and no more go back together by machine"
            )));
        }
        let of = match self.turn.as_ref().and_then(|turn| turn.after.as_ref()) {
            Some(after) => format!(
                "{after} of the group {group} is back, and {} more services of the group are to follow",
                self.members.len() + 1
            ),
            None => format!("the commit deployed {} services of the group {group}", self.members.len() + 1),
        };
        let broken = self.turn.as_ref().and_then(|turn| turn.broken.clone());
        let own = self.held.as_ref().map(|why| format!("it would not: {why}"));
        let held =
            self.members.iter().filter_map(|one| Some(format!("{}: {}", one.service, one.held.as_ref()?)));
        let all: Vec<String> = broken.into_iter().chain(own).chain(held).collect();
        if !all.is_empty() {
            let why = all.join("; ");
            return Some(Decision::Escalate(format!("{of}, which go back together or not at all. {why}")));
        }
        if self.turn.as_ref().is_some_and(|turn| !turn.is_due) {
            return Some(Decision::Wait);
        }
        let with = self.goes_with.as_ref()?;
        Some(Decision::Hold(format!("it goes back with {with}, of the same group {group}")))
    }
}

impl GroupFacts {
    /// Why a person should look at the revert: because of another service that goes back too, or because the services of the group have
    /// not run so together.
    pub(in crate::domain::decision) fn doubts(&self) -> Vec<String> {
        let proposed = |one: &Member| Some(format!("{}: {}", one.service, one.proposed.as_ref()?));
        let mut doubts: Vec<String> = self.members.iter().filter_map(proposed).collect();
        if let (Some(Untried { service, commit }), Some(group)) = (&self.untried, &self.group) {
            doubts.push(format!(
                "{} deployed {service} of the group {group}, and the state to go back to has not run with that for long enough",
                commit.short()
            ));
        }
        doubts
    }
}

/// The last deployment of another service of the group by another commit that the state to go back to has not run with, or not for
/// as long as it takes to be tried.
fn untried(case: &Case<'_>, situation: &Situation<'_>) -> Option<Untried> {
    let own = case.deployment;
    let is_back = |other: &Deployment| situation.reverts.iter().any(|entry| other.was_taken_back_by(entry));
    // Who has put back what the same commit deployed of another service has brought back what ran with the state to go back to.
    let is_put_back = |other: &Deployment| {
        let of_commit = |one: &&Deployment| one.commit == own.commit && one.service == other.service;
        let before = |one: &Deployment| -> BTreeSet<String> {
            one.fields.iter().map(|field| trailer_value(&field.old)).collect()
        };
        let values = other.trailer_values();
        situation.watched.iter().filter(of_commit).any(|one| values.is_subset(&before(one)))
    };
    let is_untried = |other: &&Deployment| {
        own.group.is_some()
            && (&own.group, &own.environment) == (&other.group, &other.environment)
            && own.service != other.service
            && own.commit != other.commit
            && own.at.secs_since(other.at) < case.policy.tried_secs()
            && !is_back(other)
            && !is_put_back(other)
    };
    let last = situation.watched.iter().rev().find(is_untried)?;
    Some(Untried { service: last.service.clone(), commit: last.commit })
}
