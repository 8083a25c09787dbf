//! A deployment with what was found out about it.

use crate::domain::artifact::TargetArtifacts;
use crate::domain::change::Motive;
use crate::domain::decision::{Case, Decision};
use crate::domain::deployment::Deployment;
use crate::domain::deployment::lineage::{Goal, Return};
use crate::domain::deployment::precedent::Precedent;
use crate::domain::deployment::trust::Trust;
use crate::domain::environment::policy::Policy;
use crate::domain::ids::CommitId;
use crate::domain::judge::evidence::{Evidence, Found, Gap, SignalEvidence};
use crate::domain::judge::verdict::{Judgement, judge};
use crate::domain::schema::change::SchemaChange;
use crate::domain::time::Time;

/// A deployment with what was found out about it.
#[derive(Clone, Debug)]
pub(in crate::agent) struct Judged {
    pub deployment: Deployment,
    pub policy: Policy,
    pub evidence: Evidence,
    pub judgement: Judgement,
    /// What the notes say was decided about it before, and when, where it is judged again all the same.
    pub told_before: Option<(Time, Decision)>,
    /// Whether a person was told because a revert could not be delivered then, while no guard was against it.
    pub refused_before: bool,
    /// Whether its watch window passed while no agent was looking.
    pub missed: bool,
    /// Who put it back after it had been reverted, in words; none where it was not.
    pub put_back: Option<String>,
    /// Why nobody can judge it and a person must know, where it came soon after a revert.
    pub unjudged: Option<String>,
    /// Whether it is blamed only because a record says when it landed.
    pub told: bool,
    /// Where its revert leads, where it regressed and that is known.
    pub goal: Option<Goal>,
    /// The schema changes of other commits that its revert would cross: each with the commit that brought it.
    pub crossed: Vec<(CommitId, SchemaChange)>,
    /// The changes that brought back what had run before, newest first, where it is one of them itself.
    pub returns: Vec<Return>,
    /// What people did with the reverts of its service, where that decides.
    pub trust: Option<Trust>,
    /// Why its revert is a person's to make, wherever it leads.
    pub by_hand: Option<String>,
    /// Why a person should look at its revert.
    pub doubts: Vec<String>,
    /// What the registries say about where its revert leads.
    pub artifacts: TargetArtifacts,
    /// The same in words, for people.
    pub checked: Vec<String>,
    /// The other services of its group that the same commit deployed and that have not gone back yet, by their names.
    pub members: Vec<Self>,
    /// What is known as bad from another environment and comes with it, where its revert is to be proposed because of that and was not yet.
    pub known_elsewhere: Option<Precedent>,
}

impl Judged {
    /// A deployment of which nothing is known but what the evidence says.
    pub(in crate::agent) fn new(deployment: Deployment, policy: Policy, evidence: Evidence) -> Self {
        Self {
            deployment,
            policy,
            judgement: judge(&evidence),
            evidence,
            told_before: None,
            refused_before: false,
            missed: false,
            put_back: None,
            unjudged: None,
            told: false,
            goal: None,
            crossed: Vec::new(),
            returns: Vec::new(),
            trust: None,
            by_hand: None,
            doubts: Vec::new(),
            artifacts: TargetArtifacts::default(),
            checked: Vec::new(),
            members: Vec::new(),
            known_elsewhere: None,
        }
    }

    /// Why it goes back, where it does.
    pub(in crate::agent) fn motive(&self) -> Motive<'_> {
        match &self.known_elsewhere {
            Some(precedent) => Motive::Elsewhere(precedent),
            None => Motive::judged(&self.judgement, &self.evidence),
        }
    }

    /// A deployment that is not judged in this pass: nothing of it is known to be bad.
    pub(in crate::agent) fn unjudged(policy: Policy, now: Time, deployment: &Deployment) -> Self {
        let evidence = Evidence::new(deployment.at, now, &policy, Vec::new());
        Self::new(deployment.clone(), policy, evidence)
    }

    /// What the guards are asked about.
    pub(in crate::agent) fn case(&self) -> Case<'_> {
        let is_silent = |found: &Found| matches!(found, Found::Gap(Gap::Unavailable(_)));
        let unavailable = |signal: &SignalEvidence| {
            is_silent(&signal.found) || signal.traffic.as_ref().is_some_and(is_silent)
        };
        Case {
            deployment: &self.deployment,
            judgement: &self.judgement,
            policy: &self.policy,
            unanswered: self.evidence.signals.iter().any(unavailable),
            contested: !self.evidence.rivals.is_empty(),
            missed: self.missed,
            unjudged: self.unjudged.as_deref(),
            told: self.told,
            goal: self.goal.as_ref(),
            crossed: &self.crossed,
            artifacts: Some(&self.artifacts),
            returns: &self.returns,
            trust: self.trust.as_ref(),
            is_fallback: self.evidence.after_revert.is_some(),
            members: &[],
            goes_with: None,
            turn: None,
            known_elsewhere: self.known_elsewhere.as_ref(),
        }
    }
}
