//! One verdict from the findings of all signals.

use super::judgement::{Finding, Judgement, Verdict};
use crate::domain::environment::signal::Role;
use crate::domain::time::Time;

/// A finding, and what its signal is worth.
#[derive(Clone, Debug)]
pub(super) struct Weighted {
    pub(super) finding: Finding,
    /// Whether the robust rule judged it, and no line that a person set.
    pub(super) judged_by_robust: bool,
    pub(super) role: Role,
    pub(super) weight: u32,
    /// Since when it has surely been bad, where that was before the deployment.
    pub(super) bad_before: Option<Time>,
    /// Whether it got worse, and so did services that were not deployed.
    pub(super) excused: bool,
    /// What is known of the times before and since the deployment.
    pub(super) sight: Sight,
}

/// What is known of the times before and since the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Enough, as far as the times are concerned.
    Clear,
    /// Too little of the time before the deployment to judge it.
    Blind,
    /// There are no samples since the deployment.
    Unseen,
}

/// The verdict over all signals.
///
/// Signals weigh 1 where nothing else is said. Advisory ones are shown and never asked.
///
/// - No signals: inconclusive.
/// - Regressed, as soon as a critical signal regressed or those that did weigh as much as the quorum asks.
/// - Pending, while the watch window is open; but healthy as soon as all signals are, which takes two thirds of it.
/// - Preexisting, when a signal is, and none regressed.
/// - Inconclusive, when some regressed but too few; when a critical signal is inconclusive; when one got worse together
///   with services that were not deployed; or when neither all signals nor as many as the quorum asks are healthy.
/// - Healthy otherwise. So an inconclusive signal that is not critical does not keep a deployment from being healthy
///   where enough others are: otherwise one sparse metric would leave every deployment without a verdict.
pub(super) fn combine(weighted: Vec<Weighted>, quorum: u32, open: bool) -> Judgement {
    let asked: Vec<&Weighted> = weighted.iter().filter(|weighted| weighted.role != Role::Advisory).collect();
    let verdict = verdict(&asked, quorum.max(1), open);
    let decisive: Vec<&Finding> = asked
        .iter()
        .map(|weighted| &weighted.finding)
        .filter(|finding| finding.verdict.word() == verdict.word())
        .collect();
    let since = match verdict {
        Verdict::Regressed | Verdict::Preexisting => {
            decisive.iter().filter_map(|finding| finding.since).min()
        }
        Verdict::Healthy | Verdict::Inconclusive(_) | Verdict::Pending => None,
    };
    let reason = match asked.iter().find(|weighted| weighted.excused) {
        Some(excused) if verdict == Verdict::Pending => excused.finding.reason.clone(),
        _ => reason(&verdict, &decisive) + &without_answer(&verdict, &asked),
    };
    Judgement {
        verdict,
        since,
        reason,
        findings: weighted.into_iter().map(|weighted| weighted.finding).collect(),
    }
}

/// How much a verdict about a segment asks to be heard: the lowest first.
pub(super) fn concern(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Regressed => 0,
        Verdict::Preexisting => 1,
        Verdict::Pending => 2,
        Verdict::Inconclusive(_) => 3,
        Verdict::Healthy => 4,
    }
}

/// A regression that cannot be laid to this deployment.
pub(super) fn left_open(judgement: Judgement, why: String, open: bool) -> Judgement {
    let reason = format!("{}; {why}", judgement.reason);
    let verdict = if open { Verdict::Pending } else { Verdict::Inconclusive(why) };
    Judgement { verdict, since: None, reason, ..judgement }
}

/// Takes back what the robust rule held against a deployment where another signal shows that the service was in trouble
/// already: damage spreads from one signal to the next.
pub(super) fn excuse_spreading(weighted: &mut [Weighted], open: bool) {
    let first = |weighted: &Weighted| Some((weighted.bad_before?, weighted.finding.signal.clone()));
    let Some((since, cause)) = weighted.iter().filter_map(first).min() else { return };
    for one in weighted.iter_mut().filter(|one| one.judged_by_robust) {
        if one.finding.verdict == Verdict::Regressed {
            one.finding.verdict = if open { Verdict::Pending } else { Verdict::Preexisting };
            one.finding.since = (!open).then_some(since);
            one.finding.reason.push_str(&format!("; but {cause} was bad before the deployment already"));
        }
    }
}

/// Whether these findings are enough for a regression.
pub(super) fn is_regression<'a>(weighted: impl Iterator<Item = &'a Weighted>, quorum: u32) -> bool {
    let mut regressed: u32 = 0;
    for weighted in weighted.filter(|weighted| weighted.finding.verdict == Verdict::Regressed) {
        match weighted.role {
            Role::Critical => return true,
            Role::Normal => regressed = regressed.saturating_add(weighted.weight.max(1)),
            Role::Advisory => {}
        }
    }
    regressed >= quorum.max(1)
}

fn verdict(weighted: &[&Weighted], quorum: u32, open: bool) -> Verdict {
    let is = |word: &'static str| move |weighted: &&&Weighted| weighted.finding.verdict.word() == word;
    let weight = |word: &'static str| -> u32 {
        let these = weighted.iter().filter(is(word));
        these.fold(0, |sum, weighted| sum.saturating_add(weighted.weight.max(1)))
    };
    if weighted.is_empty() {
        return Verdict::Inconclusive("no signals".to_owned());
    }
    if is_regression(weighted.iter().copied(), quorum) {
        return Verdict::Regressed;
    }
    if open {
        // Before the end it takes all of them.
        let all = weighted.iter().all(|weighted| weighted.finding.verdict == Verdict::Healthy);
        return if all { Verdict::Healthy } else { Verdict::Pending };
    }
    let (regressed, healthy) = (weight("regressed"), weight("healthy"));
    if regressed > 0 {
        let names = list(weighted.iter().filter(is("regressed")));
        return Verdict::Inconclusive(format!(
            "what regressed weighs {regressed} where {quorum} are needed: {names}"
        ));
    }
    if weight("preexisting") > 0 {
        return Verdict::Preexisting;
    }
    let unclear = is("inconclusive");
    let blocks =
        |weighted: &&Weighted| weighted.excused || weighted.role == Role::Critical && unclear(&weighted);
    let all = weighted.iter().filter(is("healthy")).count() == weighted.len();
    if healthy > 0 && !weighted.iter().any(blocks) && (all || healthy >= quorum) {
        return Verdict::Healthy;
    }
    let unclear: Vec<String> = weighted
        .iter()
        .filter_map(|weighted| match &weighted.finding.verdict {
            Verdict::Inconclusive(why) => Some(format!("{}: {why}", weighted.finding.signal.as_str())),
            Verdict::Healthy | Verdict::Regressed | Verdict::Preexisting | Verdict::Pending => None,
        })
        .collect();
    Verdict::Inconclusive(unclear.join("; "))
}

/// Which signals nobody could judge where the others are healthy: a reader would take the deployment for healthy in all.
fn without_answer(verdict: &Verdict, asked: &[&Weighted]) -> String {
    let unclear = |weighted: &&&Weighted| matches!(weighted.finding.verdict, Verdict::Inconclusive(_));
    let names: Vec<&Weighted> = asked.iter().filter(unclear).copied().collect();
    match names.is_empty() || *verdict != Verdict::Healthy {
        true => String::new(),
        false => format!("; not known of {}", list(names.iter())),
    }
}

fn list<'a>(weighted: impl Iterator<Item = &'a &'a Weighted>) -> String {
    weighted.map(|weighted| weighted.finding.signal.as_str()).collect::<Vec<_>>().join(", ")
}

/// The sentence of the signal that was hit first, and the names of the others that say the same.
fn reason(verdict: &Verdict, decisive: &[&Finding]) -> String {
    if let Verdict::Inconclusive(why) = verdict {
        return why.clone();
    }
    // `min_by_key` takes the first of equals, in the order of the evidence; signals without a time come last.
    let Some(first) = decisive.iter().min_by_key(|finding| (finding.since.is_none(), finding.since)) else {
        return "nothing is wrong so far".to_owned();
    };
    let others: Vec<&str> = decisive
        .iter()
        .filter(|finding| finding.signal != first.signal)
        .map(|finding| finding.signal.as_str())
        .collect();
    if others.is_empty() {
        first.reason.clone()
    } else {
        format!("{}; likewise {}", first.reason, others.join(", "))
    }
}
