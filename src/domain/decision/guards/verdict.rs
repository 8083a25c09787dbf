//! The guard `verdict`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::stack::{Inherited, inherited, is_open};
use crate::domain::decision::types::{Case, Decision, Guard, Situation, VerdictKind};
use crate::domain::judge::verdict::Verdict;

/// What the guard `verdict` looks at: what was found out about the deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictFacts {
    /// What was found out.
    pub verdict: VerdictKind,
    /// How long ago the deployment landed, in seconds.
    pub age_secs: i64,
    /// How long it is watched, in seconds.
    pub watch_secs: u32,
    /// Why the verdict is as it is, where that is what a person is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Why nobody can judge it and a person must know, where it came soon after a revert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<String>,
    /// Whether a metric source did not answer, where nothing could be said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unanswered: bool,
    /// Why a person must know that nothing could be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    /// Whether nobody knows if damage from before it is its own: it may have landed before the damage began.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_own: bool,
    /// Whether its revert is to be proposed because of another environment, while nothing can be said of it here yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub known_elsewhere: bool,
    /// The earlier deployment of the service with which damage from before it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_with: Option<Inherited>,
}

/// Why a person must know of a deployment about which nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// Other deployments could be to blame for its damage too.
    Contested,
    /// Nobody has watched it.
    Missed,
    /// It changed more than is compared.
    Beyond,
    /// A signal is bad, and nobody can say since when.
    BadSinceUnknown,
}

impl VerdictFacts {
    /// Of a deployment that is healthy, and of which nothing else is to be said.
    #[must_use]
    pub fn healthy(reason: String, age_secs: i64, watch_secs: u32) -> Self {
        Self {
            verdict: VerdictKind::Healthy,
            age_secs,
            watch_secs,
            reason,
            unjudged: None,
            unanswered: false,
            doubt: None,
            may_be_own: false,
            known_elsewhere: false,
            began_with: None,
        }
    }

    /// Whether the watch window is still open.
    fn is_watched(&self) -> bool {
        self.age_secs < i64::from(self.watch_secs)
    }

    /// Nothing can be said of it yet: the agent waits, or asks the other guards whether it may propose the revert all the same.
    fn not_yet(&self) -> Option<Decision> {
        (!self.known_elsewhere).then_some(Decision::Wait)
    }

    /// Whether the watch window ended so long ago that an answer is no longer waited for: half a window.
    fn is_long_over(&self) -> bool {
        self.age_secs.saturating_mul(2) > 3 * i64::from(self.watch_secs)
    }
}

impl Guard for VerdictFacts {
    const REASON: &'static str = "Only what has hurt users since it was deployed goes back. Without data there is no regression, and damage from before \
         is not the deployment's own.";

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        let verdict = VerdictKind::of(&case.judgement.verdict);
        let doubts = [
            (case.contested, Doubt::Contested),
            (case.missed, Doubt::Missed),
            (case.deployment.beyond.is_some(), Doubt::Beyond),
            (case.judgement.is_bad_since_unknown(), Doubt::BadSinceUnknown),
        ];
        let doubt = doubts.into_iter().find(|(is_so, _)| *is_so).map(|(_, doubt)| doubt);
        let is_inconclusive = verdict == VerdictKind::Inconclusive;
        let is_from_before = verdict == VerdictKind::Preexisting;
        let may_be_own = is_from_before && is_open(case);
        let is_told = match case.judgement.verdict {
            Verdict::Regressed | Verdict::Pending => false,
            Verdict::Healthy | Verdict::Preexisting | Verdict::Inconclusive(_) => true,
        };
        let is_unjudged =
            matches!(verdict, VerdictKind::Pending | VerdictKind::Healthy | VerdictKind::Inconclusive);
        Self {
            verdict,
            age_secs: situation.now.secs_since(case.deployment.at),
            watch_secs: case.policy.watch_secs,
            reason: if is_told { case.judgement.reason.clone() } else { String::new() },
            unjudged: case.unjudged.filter(|_| is_unjudged).map(str::to_owned),
            unanswered: is_inconclusive && case.unanswered,
            doubt: doubt.filter(|_| is_inconclusive),
            may_be_own,
            known_elsewhere: case.known_only_elsewhere().is_some(),
            began_with: if is_from_before && !may_be_own { inherited(case, situation) } else { None },
        }
    }

    fn answer(&self) -> Option<Decision> {
        match self.verdict {
            VerdictKind::Regressed => None,
            // The source may answer for the same window later.
            VerdictKind::Inconclusive if self.unanswered && !self.is_long_over() => self.not_yet(),
            // Later nobody could judge it either.
            VerdictKind::Pending | VerdictKind::Healthy | VerdictKind::Inconclusive
                if let Some(why) = &self.unjudged =>
            {
                Some(Decision::Escalate(why.clone()))
            }
            VerdictKind::Pending => self.not_yet(),
            // It may still turn bad.
            VerdictKind::Healthy if self.is_watched() => Some(Decision::Wait),
            // Nobody knows whether it is its own.
            VerdictKind::Preexisting if self.may_be_own => None,
            VerdictKind::Preexisting => Some(match &self.began_with {
                None => Decision::Pass(self.reason.clone()),
                Some(inherited) => inherited.decision(),
            }),
            // It is bad, and nobody can say by whose doing, or nobody has looked at it: that must not go by unseen.
            VerdictKind::Inconclusive if self.doubt.is_some() => {
                Some(Decision::Escalate(self.reason.clone()))
            }
            VerdictKind::Healthy | VerdictKind::Inconclusive => Some(Decision::Pass(self.reason.clone())),
        }
    }
}
