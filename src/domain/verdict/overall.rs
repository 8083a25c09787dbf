//! One verdict from the findings of all signals.

use super::{Finding, Judgement, Verdict};

/// A finding, and whether its signal is enough alone.
#[derive(Clone, Debug)]
pub(super) struct Weighted {
    pub(super) finding: Finding,
    pub(super) critical: bool,
    /// Whether it got worse, and so did services that were not deployed.
    pub(super) excused: bool,
}

/// The verdict over all signals.
///
/// - No signals: inconclusive.
/// - Regressed, as soon as a critical signal regressed or as many signals did as the quorum asks.
/// - Pending, while the watch window is open.
/// - Preexisting, when a signal is, and none regressed.
/// - Inconclusive, when some regressed but too few; when a critical signal is inconclusive; when one got worse together
///   with services that were not deployed; or when neither all signals nor as many as the quorum asks are healthy.
/// - Healthy otherwise. So an inconclusive signal that is not critical does not keep a deployment from being healthy
///   where enough others are: otherwise one sparse metric would leave every deployment without a verdict.
pub(super) fn combine(weighted: Vec<Weighted>, quorum: u32, open: bool) -> Judgement {
    let quorum = usize::try_from(quorum).unwrap_or(usize::MAX).max(1);
    let verdict = verdict(&weighted, quorum, open);
    let decisive: Vec<&Finding> = weighted
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
    let reason = reason(&verdict, &decisive);
    Judgement {
        verdict,
        since,
        reason,
        findings: weighted.into_iter().map(|weighted| weighted.finding).collect(),
    }
}

/// Whether these findings are enough for a regression.
pub(super) fn is_regression<'a>(weighted: impl Iterator<Item = &'a Weighted>, quorum: u32) -> bool {
    let mut regressed: u32 = 0;
    let mut critical = false;
    for weighted in weighted.filter(|weighted| weighted.finding.verdict == Verdict::Regressed) {
        regressed = regressed.saturating_add(1);
        critical |= weighted.critical;
    }
    critical || regressed >= quorum.max(1)
}

fn verdict(weighted: &[Weighted], quorum: usize, open: bool) -> Verdict {
    let is = |word: &'static str| move |weighted: &&Weighted| weighted.finding.verdict.word() == word;
    let count = |word: &'static str| weighted.iter().filter(is(word)).count();
    if weighted.is_empty() {
        return Verdict::Inconclusive("no signals".to_owned());
    }
    if is_regression(weighted.iter(), u32::try_from(quorum).unwrap_or(u32::MAX)) {
        return Verdict::Regressed;
    }
    if open {
        return Verdict::Pending;
    }
    let (regressed, healthy) = (count("regressed"), count("healthy"));
    if regressed > 0 {
        let names = list(weighted.iter().filter(is("regressed")));
        return Verdict::Inconclusive(format!(
            "only {regressed} of {quorum} needed signals regressed: {names}"
        ));
    }
    if count("preexisting") > 0 {
        return Verdict::Preexisting;
    }
    let blocks = |weighted: &Weighted| weighted.excused || weighted.critical && is("inconclusive")(&weighted);
    if healthy > 0 && !weighted.iter().any(blocks) && (healthy == weighted.len() || healthy >= quorum) {
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

fn list<'a>(weighted: impl Iterator<Item = &'a Weighted>) -> String {
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
