//! The guard `superseded`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::decision::stack::last_of;
use crate::domain::decision::types::{Case, Decision, Guard, Situation, VerdictKind};
use crate::domain::deployment::lineage::Goal;
use crate::domain::ids::{CommitId, SignalName};
use crate::domain::judge::verdict::{Judgement, Verdict};
use crate::domain::time::Time;

/// What the guard `superseded` looks at: whether the deployment still runs, and how what runs instead of it does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SupersededFacts {
    /// The commit that took the deployment back, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back_by: Option<CommitId>,
    /// The commit that replaced all that it deployed, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<CommitId>,
    /// The last of those that replaced it, where the damage began before that one and it is not judged for good yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Replacement>,
}

/// What replaced a bad deployment, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Replacement {
    /// Its commit.
    pub commit: CommitId,
    /// What was found out about it so far.
    pub verdict: VerdictKind,
    /// How long ago it landed, in seconds.
    pub age_secs: i64,
    /// How long a revert is given to help, in seconds.
    pub recovery_secs: u32,
    /// A signal that was bad before it landed already and still is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad_since_before: Option<SignalName>,
    /// A signal that is nearer to how it was with the bad deployment than to how it was before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_bad: Option<SignalName>,
}

impl Replacement {
    fn of(later: &Case<'_>, bad: &Judgement, situation: &Situation<'_>) -> Self {
        let at = later.deployment.at;
        let is_before = |since: Time| since < at;
        let findings = &later.judgement.findings;
        let before = findings.iter().find(|finding| finding.since.is_some_and(is_before));
        Self {
            commit: later.deployment.commit,
            verdict: VerdictKind::of(&later.judgement.verdict),
            age_secs: situation.now.secs_since(at),
            recovery_secs: later.policy.recovery_secs,
            bad_since_before: before.map(|finding| finding.signal.clone()),
            as_bad: as_bad(later.judgement, bad),
        }
    }

    /// Whether it has not mended what was bad before it, after as long as a revert would be given for that.
    fn carries_on(&self) -> bool {
        self.age_secs >= i64::from(self.recovery_secs) && self.bad_since_before.is_some()
    }
}

/// The signal by which what replaced a bad deployment is healthy only beside it: what got worse is nearer to how it was with
/// the bad one than to how it was before.
fn as_bad(later: &Judgement, bad: &Judgement) -> Option<SignalName> {
    let mut worse = bad.findings.iter().filter(|finding| finding.verdict == Verdict::Regressed);
    let is_as_bad = worse.find(|finding| {
        let same = later.findings.iter().find(|other| other.signal == finding.signal);
        let levels = finding.before.zip(finding.after).zip(same.and_then(|same| same.after));
        levels.is_some_and(|((before, after), now)| (now - after).abs() < (now - before).abs())
    });
    is_as_bad.map(|finding| finding.signal.clone())
}

impl Guard for SupersededFacts {
    const REASON: &'static str = "What does not run any more does no harm. What replaced it may have mended the damage, or carries it on: then both go \
         back.";
    const BY_TIME: bool = true;

    fn collect(case: &Case<'_>, situation: &Situation<'_>) -> Self {
        let own = case.deployment;
        // What replaced it may have been replaced too: the last of them tells.
        let is_last = |other: &&Case<'_>| {
            other.deployment.service == own.service && Some(&other.deployment.id) == last_of(own, situation)
        };
        let is_older =
            |later: &&Case<'_>| case.judgement.since.is_some_and(|since| since < later.deployment.at);
        let is_bad = own.superseded_by.is_some() && case.judgement.verdict == Verdict::Regressed;
        let last = situation.open.iter().filter(|_| is_bad).find(is_last).filter(is_older);
        let taken_back_by = match case.goal {
            Some(Goal::TakenBack(by)) => Some(*by),
            Some(Goal::Undo(..) | Goal::NoneGood(_) | Goal::Under(_)) | None => None,
        };
        Self {
            taken_back_by,
            replaced_by: own.superseded_by,
            last: last.map(|later| Replacement::of(later, case.judgement, situation)),
        }
    }

    fn answer(&self) -> Option<Decision> {
        if let Some(by) = self.taken_back_by {
            return Some(Decision::Pass(format!("{} has taken it back", by.short())));
        }
        let replaced_by = self.replaced_by?;
        if let Some(last) = &self.last {
            match last.verdict {
                VerdictKind::Pending if last.carries_on() => return None,
                VerdictKind::Pending => return Some(Decision::Wait),
                VerdictKind::Preexisting => return None,
                VerdictKind::Healthy if last.as_bad.is_some() => {
                    return Some(Decision::Escalate(format!(
                        "{} has replaced what it deployed, and the signals are still as bad",
                        last.commit.short()
                    )));
                }
                VerdictKind::Healthy | VerdictKind::Regressed | VerdictKind::Inconclusive => {}
            }
        }
        Some(Decision::Pass(format!("{} has replaced what it deployed", replaced_by.short())))
    }
}
