//! What a pass did, or would do: a value that the command line prints and a page shows.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::json;

use super::took::Took;
use crate::domain::artifact::ArtifactsTold;
use crate::domain::change::receipt::Receipt;
use crate::domain::change::receipt::ReviewPlace;
use crate::domain::decision::{Decision, GuardAnswer, is_of_incident};
use crate::domain::deployment::precedent::Precedent;
use crate::domain::environment::brakes::Brakes;
use crate::domain::history::landing::Landing;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::ids::{BranchName, CommitId, EnvironmentName, ServiceName};
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::Judgement;
use crate::domain::time::Time;
use crate::record::{Proposal, Recovery, ReviewOutcome, VerdictRecord};

/// A whole pass.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PassReport {
    /// When it began.
    pub at: Time,
    /// Each environment, in the order of the configuration.
    pub environments: Vec<EnvironmentReport>,
    /// How long it took besides the environments.
    #[serde(skip)]
    pub took: Took,
}

/// One environment in a pass.
#[derive(Clone, Debug, Serialize)]
pub struct EnvironmentReport {
    /// Its name.
    pub environment: EnvironmentName,
    /// The branch's head at the end.
    pub head: Option<CommitId>,
    /// What holds the agent back: pauses, and a freeze window.
    pub brakes: Brakes,
    /// The deployments that were looked at, oldest first.
    pub items: Vec<Item>,
    /// The incident of which some of them are a part, if there is one.
    pub incident: Option<Incident>,
    /// The pull requests of earlier passes that were followed.
    pub reviews: Vec<Reviewed>,
    /// The reverts whose effect became clear.
    pub recoveries: Vec<Recovered>,
    /// What became of pins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<PinNews>,
    /// The reverts of watched deployments that wait on branches which the agent does not follow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingProposal>,
    /// What a person should know, and is no error: of the forge, and in a plan of what is still bad.
    pub facts: Vec<String>,
    /// What went wrong, in words; the rest of the pass went on.
    pub problems: Vec<String>,
    /// Whether the pass was asked to end before it was through with it: what is not told here is for the next pass.
    pub cut_short: bool,
    /// How many reverts its budget still allows; none where the pass did not get that far.
    #[serde(skip)]
    pub budget_left: Option<u32>,
    /// The deployments that were left as they are although something is to be said of them, oldest first.
    #[serde(skip)]
    pub left: Vec<LeftAlone>,
    /// The newest reverts of the agent on the branch, newest first.
    #[serde(skip)]
    pub reverts: Vec<RevertEntry>,
    /// How long its stages took.
    #[serde(skip)]
    pub took: Took,
}

/// A deployment that runs and whose watch window is not long over, of which an earlier pass or this one has decided something else than
/// that nothing has to be done.
#[derive(Clone, Debug)]
pub struct LeftAlone {
    /// The service.
    pub service: ServiceName,
    /// The deployment's commit.
    pub deployment: CommitId,
    /// Its subject; untrusted text.
    pub subject: String,
    /// When it came to be on the branch.
    pub deployed_at: Time,
    /// When it was decided.
    pub at: Time,
    /// What was found out, in a word.
    pub verdict: &'static str,
    /// What was decided.
    pub decision: Decision,
    /// Why: what the decision says, or the judgement.
    pub why: String,
    /// The guard that decided, if one did.
    pub guard: Option<String>,
}

impl LeftAlone {
    /// What a verdict says of a deployment that runs; none where nothing had to be done.
    pub(super) fn of(verdict: &VerdictRecord, subject: &str, deployed_at: Time) -> Option<Self> {
        let VerdictRecord { at, judgement, decision, guards, service, deployment, .. } = verdict;
        let why = match decision {
            Decision::Wait | Decision::Pass(_) => return None,
            Decision::Revert | Decision::Propose => &judgement.reason,
            Decision::Escalate(why) | Decision::Hold(why) => why,
        };
        let decisive = guards.last().filter(|last| last.decision.is_some());
        Some(Self {
            service: service.clone(),
            deployment: *deployment,
            subject: subject.to_owned(),
            deployed_at,
            at: *at,
            verdict: judgement.verdict.word(),
            decision: decision.clone(),
            why: why.clone(),
            guard: decisive.map(|last| last.guard.clone()),
        })
    }
}

/// Services that are red at once: one finding for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// How many services are red, and which, in words.
    pub why: String,
    /// Those of which this pass tells for the first time.
    pub services: Vec<ServiceName>,
    /// Whether an earlier pass has told a person of it: then these have only joined it.
    pub told_before: bool,
}

/// One deployment in a pass.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// The service.
    pub service: ServiceName,
    /// The deployment's commit.
    pub deployment: CommitId,
    /// Its subject; untrusted text.
    pub subject: String,
    /// When it came to be on the branch.
    pub deployed_at: Time,
    /// How that is known.
    pub landing: Landing,
    /// What was found out.
    pub judgement: Judgement,
    /// What that was derived from.
    #[serde(skip)]
    pub evidence: Arc<Evidence>,
    /// Who put it back after it had been reverted, in words; none where it was not.
    pub put_back: Option<String>,
    /// What was decided.
    #[serde(flatten)]
    pub decision: Decision,
    /// What each guard said.
    pub guards: Vec<GuardAnswer>,
    /// The revert in words, where one was made, planned, or worked out for a person.
    pub plan: Option<String>,
    /// Whether it leads to the newest state that is known to be good, and not just to the one before the deployment.
    #[serde(skip)]
    pub is_to_good: bool,
    /// The other services of its group that the plan takes back too.
    #[serde(skip)]
    pub with: Vec<ServiceName>,
    /// What is known of the artifacts that the revert puts back.
    pub artifacts: Option<ArtifactsTold>,
    /// What became of the artifacts that it brought in other environments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Precedent>,
    /// The revert as a unified diff, where there is one.
    pub diff: Option<String>,
    /// The commit that reverted it, now or before, if there is one.
    pub revert: Option<CommitId>,
    /// What this pass did about it: planned, pushed, proposed or merged the revert.
    #[serde(rename = "outcome", serialize_with = "as_outcome")]
    pub receipt: Option<Receipt>,
}

/// A pull request of an earlier pass.
#[derive(Clone, Debug, Serialize)]
pub struct Reviewed {
    /// The service.
    pub service: ServiceName,
    /// The bad deployment.
    pub deployment: CommitId,
    /// The pull request, where it is known which.
    pub review: Option<ReviewPlace>,
    /// What became of it; none while it waits.
    pub outcome: Option<ReviewOutcome>,
    /// How it stands, in words.
    pub state: String,
    /// When the revert was prepared.
    #[serde(skip)]
    pub decided_at: Time,
}

/// A revert whose effect became clear.
#[derive(Clone, Debug, Serialize)]
pub struct Recovered {
    /// The service.
    pub service: ServiceName,
    /// The bad deployment.
    pub deployment: CommitId,
    /// The commit that reverted it.
    pub revert: CommitId,
    /// Whether it helped.
    pub outcome: Recovery,
    /// Why, in words.
    pub reason: String,
    /// When it was reverted.
    #[serde(skip)]
    pub reverted_at: Time,
}

/// A revert that waits on a branch which the agent does not follow, until a person merges it.
#[derive(Clone, Debug, Serialize)]
pub struct WaitingProposal {
    /// The service.
    pub service: ServiceName,
    /// The deployment that it takes back.
    pub deployment: CommitId,
    /// The rollback id.
    #[serde(skip)]
    pub id: String,
    /// Its subject; untrusted text.
    pub subject: String,
    /// Since when it waits.
    pub since: Time,
    /// The branch that holds it.
    pub branch: BranchName,
    /// The branch into which it is to be merged.
    pub into: BranchName,
}

/// What became of the pins of a revert.
#[derive(Clone, Debug, Serialize)]
pub struct PinNews {
    /// The service.
    pub service: ServiceName,
    /// The revert that wrote them.
    pub revert: CommitId,
    /// The pins, each in words.
    pub pins: Vec<String>,
    /// What became of them.
    pub step: PinStep,
    /// The commit that takes them off, where it is known.
    pub commit: Option<CommitId>,
    /// Why, in words.
    pub reason: String,
}

/// What became of pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinStep {
    /// They would be taken off.
    Planned,
    /// They are off.
    Lifted,
    /// The commit that takes them off waits to be merged.
    Proposed,
    /// A person has changed them: they are left alone.
    Changed,
}

/// A receipt as reports show it: `planned`, `pushed`, or where the revert waits or was merged.
fn as_outcome<S: Serializer>(receipt: &Option<Receipt>, serializer: S) -> Result<S::Ok, S::Error> {
    let shown = receipt.as_ref().and_then(|receipt| match receipt {
        Receipt::Planned => Some(json!("planned")),
        Receipt::Pushed(_) => Some(json!("pushed")),
        Receipt::Proposed { .. } => Some(json!({"proposed": Proposal::of(receipt)?})),
        Receipt::Merged(review) => Some(json!({"merged": review})),
        Receipt::Postponed
        | Receipt::Superseded(_)
        | Receipt::Declined { .. }
        | Receipt::Stuck { .. }
        | Receipt::Refused(_) => None,
    });
    shown.serialize(serializer)
}

impl Reviewed {
    /// What a receipt says of it.
    pub(super) fn new(verdict: &VerdictRecord, receipt: &Receipt) -> Self {
        Self {
            service: verdict.service.clone(),
            deployment: verdict.deployment,
            decided_at: verdict.at,
            review: receipt.review().cloned(),
            outcome: ReviewOutcome::of(receipt),
            state: receipt.to_string(),
        }
    }
}

impl Item {
    /// Whether it is left to a person as a part of an incident.
    #[must_use]
    pub fn is_of_incident(&self) -> bool {
        is_of_incident(&self.decision, &self.guards)
    }
}

impl Incident {
    /// The incident that these deployments are a part of, if they are.
    pub(super) fn of(items: &[Item], told_before: bool) -> Option<Self> {
        let parts: Vec<&Item> = items.iter().filter(|item| item.is_of_incident()).collect();
        let why = parts.first()?.decision.why()?.to_owned();
        Some(Self { why, services: parts.iter().map(|item| item.service.clone()).collect(), told_before })
    }
}

impl EnvironmentReport {
    /// Whether a person must look at one of the deployments. What joins an incident is no new finding.
    fn has_deployment_for_person(&self) -> bool {
        let is_known = |item: &Item| {
            item.is_of_incident() && self.incident.as_ref().is_some_and(|incident| incident.told_before)
        };
        let mut left = self.items.iter().filter(|item| matches!(item.decision, Decision::Escalate(_)));
        left.any(|item| !is_known(item))
    }

    /// Whether the pass has read the branch, and was through with it.
    #[must_use]
    pub fn is_examined(&self) -> bool {
        self.head.is_some() && !self.cut_short
    }

    /// Of an environment of which nothing is known yet.
    pub(crate) fn new(environment: EnvironmentName) -> Self {
        Self {
            environment,
            head: None,
            brakes: Brakes::default(),
            items: Vec::new(),
            incident: None,
            reviews: Vec::new(),
            recoveries: Vec::new(),
            pins: Vec::new(),
            waiting: Vec::new(),
            facts: Vec::new(),
            problems: Vec::new(),
            cut_short: false,
            budget_left: None,
            left: Vec::new(),
            reverts: Vec::new(),
            took: Took::default(),
        }
    }
}

impl PassReport {
    /// Whether a branch was changed, or a proposal was made.
    #[must_use]
    pub fn acted(&self) -> bool {
        let done = |item: &Item| {
            matches!(item.receipt, Some(Receipt::Pushed(_) | Receipt::Proposed { .. } | Receipt::Merged(_)))
        };
        let is_off = |news: &PinNews| matches!(news.step, PinStep::Lifted | PinStep::Proposed);
        self.environments.iter().any(|environment| environment.pins.iter().any(is_off))
            || self.items().any(done)
            || self.reviews().any(|review| review.outcome == Some(ReviewOutcome::Merged))
    }

    /// Whether a person must look at something.
    #[must_use]
    pub fn escalated(&self) -> bool {
        let is_stuck = |review: &Reviewed| {
            matches!(review.outcome, Some(ReviewOutcome::NotRestored | ReviewOutcome::Overdue))
        };
        let unhelpful =
            |recovery: &Recovered| matches!(recovery.outcome, Recovery::NotRecovered | Recovery::Gone);
        self.environments.iter().any(EnvironmentReport::has_deployment_for_person)
            || self.reviews().any(is_stuck)
            || self.environments.iter().any(|environment| environment.recoveries.iter().any(unhelpful))
    }

    /// Whether something went wrong, or the pass was asked to end before it was through.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.environments.iter().any(|environment| environment.cut_short || !environment.problems.is_empty())
    }

    /// Every pull request that was followed.
    pub fn reviews(&self) -> impl Iterator<Item = &Reviewed> {
        self.environments.iter().flat_map(|environment| &environment.reviews)
    }

    /// Every deployment that was looked at.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.environments.iter().flat_map(|environment| &environment.items)
    }
}
