//! The record of a verdict. It is written without what follows from the rest of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::artifact::ArtifactsTold;
use crate::domain::change::receipt::{Receipt, ReviewPlace};
use crate::domain::decision::{
    Decision, FROZEN_GUARD, GuardAnswer, MODE_GUARD, PAUSED_GUARD, facts_of_healthy,
};
use crate::domain::deployment::precedent::Precedent;
use crate::domain::environment::brakes::Brakes;
use crate::domain::environment::policy::Mode;
use crate::domain::ids::{BranchName, CommitId, EnvironmentName, ServiceName};
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::{Judgement, Verdict, judge};
use crate::domain::time::Time;

/// What was found out about a deployment, and what was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "VerdictForm", into = "VerdictForm")]
#[schemars(with = "VerdictForm")]
pub struct VerdictRecord {
    /// The version of this form.
    pub version: u32,
    /// The rollback id.
    pub id: String,
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// The deployment's commit.
    pub deployment: CommitId,
    /// When this was decided.
    pub at: Time,
    /// What was found out.
    pub judgement: Judgement,
    /// What was decided.
    pub decision: Decision,
    /// What each guard said that was asked, in order, with the facts that it looked at.
    pub guards: Vec<GuardAnswer>,
    /// The commit on the environment branch that took the deployment back, if one did.
    pub revert: Option<CommitId>,
    /// Where the prepared revert waits, if it does.
    pub proposal: Option<Proposal>,
    /// What is known of its artifacts, and of those that its revert puts back; none where nothing is.
    pub artifacts: Option<ArtifactsTold>,
    /// What became of these artifacts in other environments, as far as it was known.
    pub elsewhere: Vec<Precedent>,
    /// Everything that the judgement was derived from.
    pub evidence: Evidence,
    /// The beginning of the SHA-256 of the configuration that was in force, in hexadecimal.
    pub config: String,
}

/// A prepared revert that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proposal {
    /// The branch that holds it.
    pub branch: BranchName,
    /// The commit at its tip.
    pub commit: CommitId,
    /// The pull request from it, where there is a forge.
    #[serde(default)]
    pub review: Option<ReviewPlace>,
}

impl Proposal {
    /// Where a receipt says that the revert waits.
    #[must_use]
    pub fn of(receipt: &Receipt) -> Option<Self> {
        let Receipt::Proposed { branch, commit, review, .. } = receipt else { return None };
        Some(Self { branch: branch.clone(), commit: *commit, review: review.clone() })
    }
}

impl VerdictRecord {
    /// Whether nothing is left to decide in this mode. What the agent did not do only because the mode forbade it is decided anew
    /// when the mode allows it.
    ///
    /// What was proposed because of another environment while nothing could be said here settles nothing: the deployment is watched on.
    #[must_use]
    pub fn settles(&self, mode: Mode) -> bool {
        let is_settled = self.held_by() != Some(MODE_GUARD)
            || match self.decision {
                Decision::Hold(_) => mode == Mode::Observe,
                Decision::Propose => mode != Mode::Auto,
                Decision::Wait | Decision::Pass(_) | Decision::Revert | Decision::Escalate(_) => true,
            };
        is_settled && !self.is_early()
    }

    /// Whether it is about a revert that was proposed because of another environment, while nothing could be said here yet.
    #[must_use]
    pub fn is_early(&self) -> bool {
        self.guards.iter().any(GuardAnswer::is_early)
    }

    /// Whether the agent did nothing, or only proposed, because of a pause or a freeze window that is over. Then it is decided anew. So it is
    /// where it is too late for the agent under a pause: a person has to know what it did not revert.
    #[must_use]
    pub fn is_released(&self, brakes: &Brakes, is_late: bool) -> bool {
        match self.held_by() {
            Some(PAUSED_GUARD) => is_late || brakes.paused(&self.service).is_none(),
            Some(FROZEN_GUARD) => brakes.frozen.is_none(),
            Some(_) | None => false,
        }
    }

    /// The guard that decided, where what it asks about can end while the deployment is still watched: the mode, a pause or a freeze
    /// window.
    pub(super) fn held_by(&self) -> Option<&str> {
        let last = self.guards.last().map(|last| last.guard.as_str());
        last.filter(|guard| [MODE_GUARD, PAUSED_GUARD, FROZEN_GUARD].contains(guard))
    }
}

/// What was found out about a deployment, and what was done.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "VerdictRecord")]
pub(super) struct VerdictForm {
    /// The version of this form.
    version: u32,
    /// The rollback id.
    id: String,
    /// The environment.
    environment: EnvironmentName,
    /// The service.
    service: ServiceName,
    /// The deployment's commit.
    deployment: CommitId,
    /// When this was decided.
    at: Time,
    /// What was found out.
    judgement: JudgementForm,
    /// What was decided. Left out beside a digest: a healthy deployment passes, for the reason that the judgement has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decision: Option<Decision>,
    /// What each guard said that was asked, in order. Left out beside a digest: the guards up to `verdict` were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    guards: Vec<GuardForm>,
    /// The commit on the environment branch that took the deployment back, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revert: Option<CommitId>,
    /// Where the prepared revert waits, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proposal: Option<Proposal>,
    /// What is known of its artifacts, and of those that its revert puts back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifacts: Option<ArtifactsTold>,
    /// What became of these artifacts in other environments, as far as it was known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    elsewhere: Vec<Precedent>,
    /// Everything that the judgement was derived from.
    evidence: Evidence,
    /// The beginning of the SHA-256 of the configuration that was in force, in hexadecimal.
    config: String,
}

/// What was found out.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "JudgementForm")]
enum JudgementForm {
    /// In full.
    Full(Judgement),
    /// Where the rest follows from the evidence.
    Derived {
        /// The verdict over all signals.
        verdict: Verdict,
        /// The first 16 hexadecimal digits of the SHA-256 of the judgement in full, as JSON: by it one sees whether the same
        /// follows.
        digest: String,
    },
}

/// What a guard said.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "GuardForm")]
enum GuardForm {
    /// Nothing against it, by facts that were not kept.
    Name(String),
    /// The guard, with the facts that it looked at and what it decided.
    Answer(GuardAnswer),
}

impl From<GuardForm> for GuardAnswer {
    fn from(form: GuardForm) -> Self {
        match form {
            GuardForm::Name(guard) => Self::without_facts(&guard, None),
            GuardForm::Answer(answer) => answer,
        }
    }
}

impl From<GuardAnswer> for GuardForm {
    fn from(answer: GuardAnswer) -> Self {
        match answer {
            GuardAnswer { guard, facts: None, decision: None } => Self::Name(guard),
            answer => Self::Answer(answer),
        }
    }
}

impl From<VerdictRecord> for VerdictForm {
    fn from(record: VerdictRecord) -> Self {
        let (judgement, decision, guards) = if follows(&record) {
            let digest = digest(&record.judgement);
            (JudgementForm::Derived { verdict: record.judgement.verdict, digest }, None, Vec::new())
        } else {
            let guards = record.guards.into_iter().map(GuardForm::from).collect();
            (JudgementForm::Full(record.judgement), Some(record.decision), guards)
        };
        Self {
            version: record.version,
            id: record.id,
            environment: record.environment,
            service: record.service,
            deployment: record.deployment,
            at: record.at,
            judgement,
            decision,
            guards,
            revert: record.revert,
            proposal: record.proposal,
            artifacts: record.artifacts,
            elsewhere: record.elsewhere,
            evidence: record.evidence,
            config: record.config,
        }
    }
}

impl TryFrom<VerdictForm> for VerdictRecord {
    type Error = &'static str;

    fn try_from(form: VerdictForm) -> Result<Self, Self::Error> {
        let (judgement, decision, guards) = match (form.judgement, form.decision) {
            (JudgementForm::Full(judgement), Some(decision)) => {
                (judgement, decision, form.guards.into_iter().map(GuardAnswer::from).collect())
            }
            (JudgementForm::Derived { verdict, digest }, None) => {
                let judgement = derived(&form.evidence, verdict, &digest);
                let (decision, guards) = passed(&judgement, &form.evidence, form.at);
                (judgement, decision, guards)
            }
            (JudgementForm::Full(_), None) => return Err("a judgement in full without a decision"),
            (JudgementForm::Derived { .. }, Some(_)) => return Err("a decision beside a digest"),
        };
        Ok(Self {
            version: form.version,
            id: form.id,
            environment: form.environment,
            service: form.service,
            deployment: form.deployment,
            at: form.at,
            judgement,
            decision,
            guards,
            revert: form.revert,
            proposal: form.proposal,
            artifacts: form.artifacts,
            elsewhere: form.elsewhere,
            evidence: form.evidence,
            config: form.config,
        })
    }
}

impl VerdictRecord {
    /// The record as JSON with all that follows from the rest of it.
    ///
    /// # Errors
    /// Does not happen for values that the agent makes.
    pub fn in_full(&self) -> Result<serde_json::Value, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("judgement".to_owned(), serde_json::to_value(&self.judgement)?);
            object.insert("decision".to_owned(), serde_json::to_value(&self.decision)?);
            object.insert("guards".to_owned(), serde_json::to_value(&self.guards)?);
        }
        Ok(value)
    }
}

/// What is decided about a healthy deployment, and what the guards say that are asked about it.
fn passed(judgement: &Judgement, evidence: &Evidence, at: Time) -> (Decision, Vec<GuardAnswer>) {
    let age_secs = at.secs_since(evidence.deployed_at);
    let facts = facts_of_healthy(&judgement.reason, age_secs, evidence.watch_secs);
    (Decision::Pass(judgement.reason.clone()), facts.map(GuardAnswer::to).to_vec())
}

/// Whether all that is said about a healthy deployment follows from its evidence.
fn follows(record: &VerdictRecord) -> bool {
    let (decision, guards) = passed(&record.judgement, &record.evidence, record.at);
    record.judgement.verdict == Verdict::Healthy
        && record.decision == decision
        && record.guards == guards
        && (&record.revert, &record.proposal) == (&None, &None)
        && judge(&record.evidence) == record.judgement
}

/// The judgement of which this is the digest. Where another one follows from the evidence, its findings are left out, so that it
/// is not taken for what was recorded.
fn derived(evidence: &Evidence, verdict: Verdict, expected: &str) -> Judgement {
    let derived = judge(evidence);
    if derived.verdict == verdict && digest(&derived) == expected {
        return derived;
    }
    Judgement { verdict, since: None, findings: Vec::new(), ..derived }
}

/// The digest of a judgement. It is of all of its JSON: what is added to the form later must be left out where it is not there.
fn digest(judgement: &Judgement) -> String {
    let text = serde_json::to_string(judgement).unwrap_or_default();
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
