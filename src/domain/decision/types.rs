//! What is decided about, and what is decided.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::artifact::TargetArtifacts;
use crate::domain::deployment::Deployment;
use crate::domain::deployment::lineage::{Goal, Return};
use crate::domain::deployment::precedent::Precedent;
use crate::domain::deployment::trust::Trust;
use crate::domain::environment::brakes::Brakes;
use crate::domain::environment::policy::{Budget, Policy};
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::{CommitId, GroupName, ServiceName};
use crate::domain::judge::verdict::{Judgement, Verdict};
use crate::domain::schema::change::SchemaChange;
use crate::domain::time::Time;

/// What is done about a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "action", content = "why")]
pub enum Decision {
    /// It is too early to say.
    Wait,
    /// Nothing has to be done.
    Pass(String),
    /// Back it out.
    Revert,
    /// Prepare the revert and ask a person.
    Propose,
    /// A person must look at it.
    Escalate(String),
    /// It is bad, and is left alone on purpose.
    Hold(String),
}

impl Decision {
    /// The decision in one lower-case word, for people.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Pass(_) => "pass",
            Self::Revert => "revert",
            Self::Propose => "propose",
            Self::Escalate(_) => "escalate",
            Self::Hold(_) => "hold",
        }
    }

    /// Why, where there is something to say.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Pass(why) | Self::Escalate(why) | Self::Hold(why) => Some(why),
            Self::Wait | Self::Revert | Self::Propose => None,
        }
    }
}

/// What is decided about.
#[expect(clippy::struct_excessive_bools, reason = "each is a finding of its own")]
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The deployment.
    pub deployment: &'a Deployment,
    /// What was found out about it.
    pub judgement: &'a Judgement,
    /// What the agent may do.
    pub policy: &'a Policy,
    /// Whether a metric source did not answer.
    pub unanswered: bool,
    /// Whether other deployments could be to blame for its damage.
    pub contested: bool,
    /// Whether nobody has watched it.
    pub missed: bool,
    /// Why nobody can judge it and a person must know, where it came soon after a revert.
    pub unjudged: Option<&'a str>,
    /// Whether it is blamed only because a record says when it landed.
    pub told: bool,
    /// Where its revert leads; none where that is not known.
    pub goal: Option<&'a Goal>,
    /// The changes of a database schema since the deployment, and since those that are taken back with it, that other commits brought.
    pub crossed: &'a [(CommitId, SchemaChange)],
    /// What the registries say about where its revert leads; none where that was not looked at.
    pub artifacts: Option<&'a TargetArtifacts>,
    /// The changes that brought back what had run before, newest first, where it is one of them itself.
    pub returns: &'a [Return],
    /// What people did with the reverts of its service; none where that was not looked at.
    pub trust: Option<&'a Trust>,
    /// Whether the agent's own revert has brought its state back, and that did not help.
    pub is_fallback: bool,
    /// The other services of its group that the same commit deployed and that have not gone back yet, with what the guards say of each.
    pub members: &'a [Member],
    /// The one of them whose revert takes this one back.
    pub goes_with: Option<&'a ServiceName>,
    /// Its place, where the services of its group go back one after another and that is due or has begun.
    pub turn: Option<&'a Turn>,
    /// What is known as bad from another environment and comes with it, where its revert is to be proposed because of that.
    pub known_elsewhere: Option<&'a Precedent>,
}

impl<'a> Case<'a> {
    /// What is known from another environment, as long as nothing can be said of the deployment in its own.
    pub(super) fn known_only_elsewhere(&self) -> Option<&'a Precedent> {
        let verdict = VerdictKind::of(&self.judgement.verdict);
        self.known_elsewhere.filter(|_| matches!(verdict, VerdictKind::Pending | VerdictKind::Inconclusive))
    }

    /// Why it does not go back by exactly this deployment, where that is so. What one commit deployed of a group goes back to what was there
    /// before that commit: the services have run so together.
    pub(super) fn way_of_group(&self) -> Option<String> {
        let own = self.deployment.commit;
        if let Some(why) = &self.deployment.beyond {
            return Some(why.clone());
        }
        match self.goal {
            None => Some("what it ran before is not known".to_owned()),
            Some(Goal::Undo(changes, _)) => match changes.as_slice() {
                [one] if one.commit == own => None,
                [newest, ..] if newest.commit != own => {
                    Some(format!("{} deployed it again since", newest.commit.short()))
                }
                _ => Some("the state just before is not known to be good".to_owned()),
            },
            Some(Goal::TakenBack(by)) => Some(format!("{} took it back", by.short())),
            // The guard `target` has the words for these.
            Some(Goal::NoneGood(_) | Goal::Under(_)) => None,
        }
    }
}

/// Another service of a group, of which the same commit deployed several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// The service.
    pub service: ServiceName,
    /// Why it does not go back by machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Why a person has to accept that it goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<String>,
}

/// The place of a service in a group whose services go back one after another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// The service that is bad, and because of which all of them go back.
    pub with: ServiceName,
    /// The service that goes back before this one. None for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ServiceName>,
    /// Until when this one waits since the one before it has landed. None for the first, and as long as the one before has not landed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// The group that the same commit deployed and that goes back before this one begins: a service of it depends on one of this group. None
    /// where there is none, and for all but the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<GroupName>,
    /// Whether it is its turn now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_due: bool,
    /// Why the rest of the group does not go back by machine, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// The services that go back after this one, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<ServiceName>,
}

impl Turn {
    /// Whether it is the next, and those before it have landed.
    #[must_use]
    pub fn is_next(&self) -> bool {
        self.after.is_none() || self.until.is_some()
    }

    /// What it waits for, in words.
    #[must_use]
    pub fn waits_for(&self) -> Option<String> {
        if let Some(group) = &self.behind {
            return Some(format!(
                "it goes back after the group {group}, which depends on this one: when {group} is back, when the agent cannot go on with \
                 {group}, or when the watch window of {} ends",
                self.with
            ));
        }
        let after = self.after.as_ref().filter(|_| !self.is_due)?;
        Some(match self.until {
            Some(until) => format!("it goes back after {after}, which is back, and not before {until}"),
            None => format!("it goes back after {after}, which is not back yet"),
        })
    }
}

/// A revert that is gone from the branch, whose history was rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoneRevert {
    /// The rollback id.
    pub id: String,
    /// The service.
    pub service: ServiceName,
    /// The deployment that it had taken back.
    pub reverts: CommitId,
    /// The revert itself.
    pub commit: CommitId,
    /// When it was made.
    pub at: Time,
    /// What became of the deployment.
    pub left: Left,
}

/// What became of a deployment of which the revert is gone from the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It runs again.
    Runs,
    /// Another one has replaced it.
    Replaced(CommitId),
    /// It is gone from the branch too.
    Gone,
    /// It is on the branch, and is not watched any more.
    Unwatched,
}

/// What else is going on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Now.
    pub now: Time,
    /// The environment's bounds on reverts.
    pub budget: Budget,
    /// What holds the agent back in the environment.
    pub brakes: &'a Brakes,
    /// The reverts of this environment, newest first.
    pub reverts: &'a [RevertEntry],
    /// The agent's reverts that somebody has taken off the branch, oldest first, of the deployments that are watched.
    pub gone: &'a [GoneRevert],
    /// The pins that stand as reverts have written them, each in words, by the commits of the reverts.
    pub pins: &'a BTreeMap<CommitId, Vec<String>>,
    /// All regressed deployments of this environment, this one included.
    pub regressed: &'a [Case<'a>],
    /// Deployments that were reverted and may still be red: nothing is known of the recovery yet, or the revert did not help.
    pub red_before: &'a [Deployment],
    /// The agent's own reverts that did not help, and that no person has answered since.
    pub in_vain: &'a [RevertEntry],
    /// All deployments of this environment without a verdict yet, this one included.
    pub open: &'a [Case<'a>],
    /// All deployments of this environment that are watched, oldest first.
    pub watched: &'a [Deployment],
}

/// A guard: it may stand against a revert. It collects the facts that it looks at, and answers from these alone, so that its
/// answer can be derived again from a record.
pub(super) trait Guard: Sized {
    /// What it stands against and why, in words.
    const REASON: &'static str;
    /// Whether it looks at when a deployment was made. Where the agent itself has brought the deployment's state back, such a guard
    /// has nothing to say and is not asked.
    const BY_TIME: bool = false;
    /// Whether it is asked about a service, too, that goes back only because another one of its group does.
    const OF_MEMBER: bool = false;
    /// Whether it is asked, too, before each service of a group that goes back one service after another.
    const IN_TURN: bool = false;

    /// The facts that it looks at.
    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self;

    /// What it decides by these facts; none where it has nothing against a revert.
    fn answer(&self) -> Option<Decision>;

    /// What a person is told who is asked to accept the revert, where the answer is to propose it. None where something else says it.
    fn doubt(&self) -> Option<String> {
        None
    }
}

/// What was found out about a deployment, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictKind {
    /// Nothing got worse.
    Healthy,
    /// It got worse, and since the deployment.
    Regressed,
    /// It is bad, and was so before the deployment.
    Preexisting,
    /// Nothing can be said.
    Inconclusive,
    /// The watch window is still open and nothing is wrong so far.
    Pending,
}

impl VerdictKind {
    /// That of a verdict.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Healthy => Self::Healthy,
            Verdict::Regressed => Self::Regressed,
            Verdict::Preexisting => Self::Preexisting,
            Verdict::Inconclusive(_) => Self::Inconclusive,
            Verdict::Pending => Self::Pending,
        }
    }
}

/// How long after the end of the watch window a late pass may still act, in seconds: a cron job's interval.
pub const LATE_SECS: i64 = 300;

/// The most characters of a person's name that are kept.
pub(super) const MAX_NAME: usize = 60;

/// The most characters of another text from a repository that are kept.
pub(super) const MAX_TEXT: usize = 300;
