//! What of the evidence is kept about a healthy deployment.
//!
//! A revert is looked at by people, maybe months later: all that it rests on is kept, as it was judged. Nearly all deployments
//! are healthy, and nobody looks at most of them. Of these as much is kept as it takes to see that nothing got worse.

use super::evidence::{Evidence, Found, Sample, SignalEvidence};
use super::series::Grain;
use super::stats::median;
use super::verdict::{Judgement, Verdict, judge};

/// Into how many parts the distance from what is usual to the line is divided at least, the coarsest first. By that distance the
/// judge tells good from bad: half of it is the grossest by which both ends still differ.
const PARTS: [f64; 3] = [2.0, 8.0, 32.0];

/// The least evidence, of some that is tried, from which the same follows about a healthy deployment: the same verdict, and the
/// same one on each signal. With it what follows from it, to the bit. None where the deployment is not healthy.
///
/// Queries are left out: what follows does not depend on them, and they are in the configuration. So are controls and seasons,
/// which can only excuse. Values are rounded further, except where all values of a series are whole numbers below 1,000: counts
/// stay exact. (Of other numbers from 1,000 on nothing but whole ones are left of four digits.)
#[must_use]
pub fn lean(evidence: &Evidence, judgement: &Judgement) -> Option<(Evidence, Judgement)> {
    if judgement.verdict != Verdict::Healthy {
        return None;
    }
    let unasked = without_queries(evidence);
    let bare = without_comparisons(&unasked);
    let coarse = PARTS.iter().map(|parts| coarse(&bare, judgement, *parts));
    let same = |judged: &Judgement| {
        let words = |of: &Judgement| of.findings.iter().map(|one| one.verdict.word()).collect::<Vec<_>>();
        judged.verdict == judgement.verdict && words(judged) == words(judgement)
    };
    let tried = coarse.chain([bare.clone()]).map(|evidence| {
        let judged = judge(&evidence);
        (evidence, judged)
    });
    Some(tried.into_iter().find(|(_, judged)| same(judged)).unwrap_or_else(|| (unasked, judgement.clone())))
}

/// The evidence without the controls, and without the seasons of each signal, where the same judgement follows without them: they
/// would make up most of a record.
#[must_use]
pub fn without_idle(evidence: &Evidence, judgement: &Judgement) -> Evidence {
    let mut kept = evidence.clone();
    let mut leave_out = |change: &dyn Fn(&mut Evidence)| {
        let mut less = kept.clone();
        change(&mut less);
        if less != kept && judge(&less) == *judgement {
            kept = less;
        }
    };
    leave_out(&|less| less.signals.iter_mut().for_each(|asked| asked.controls.clear()));
    for index in 0..evidence.signals.len() {
        leave_out(&|less| {
            if let Some(asked) = less.signals.get_mut(index) {
                asked.seasonal.clear();
                asked.segments.iter_mut().for_each(|segment| segment.seasonal.clear());
            }
        });
    }
    kept
}

fn without_queries(evidence: &Evidence) -> Evidence {
    let mut kept = evidence.clone();
    for asked in &mut kept.signals {
        asked.asked.clear();
        asked.signal.query.clear();
        asked.signal.by = None;
        if let Some(least) = &mut asked.signal.min_traffic {
            least.query.clear();
        }
    }
    kept
}

fn without_comparisons(evidence: &Evidence) -> Evidence {
    let mut kept = evidence.clone();
    for asked in &mut kept.signals {
        asked.controls.clear();
        asked.seasonal.clear();
        asked.segments.iter_mut().for_each(|segment| segment.seasonal.clear());
    }
    kept
}

fn coarse(evidence: &Evidence, judgement: &Judgement, parts: f64) -> Evidence {
    let mut kept = evidence.clone();
    for (asked, finding) in kept.signals.iter_mut().zip(&judgement.findings) {
        if let (Some(before), Some(line)) = (finding.before, finding.line) {
            coarsen(asked, (line - before).abs() / parts);
        }
        let least = asked.signal.min_traffic.as_ref().map(|least| least.at_least);
        if let (Some(Found::Samples(traffic)), Some(least)) = (&mut asked.traffic, least) {
            let usual = median(&values(traffic)).unwrap_or(0.0);
            round(traffic, (usual - least).abs() / parts);
        }
    }
    kept
}

fn coarsen(asked: &mut SignalEvidence, distance: f64) {
    if let Found::Samples(samples) = &mut asked.found {
        round(samples, distance);
    }
    for segment in &mut asked.segments {
        round(&mut segment.samples, distance);
    }
}

/// Rounds the values of a series to multiples of at most `distance`. What is usual keeps one digit.
fn round(samples: &mut [Sample], distance: f64) {
    if samples.iter().all(|sample| sample.value.fract() == 0.0 && sample.value.abs() < 1_000.0) {
        return;
    }
    let usual = median(&values(samples)).map(f64::abs).filter(|usual| *usual > 0.0);
    let digit = usual.and_then(Grain::digit_of);
    let grain = Grain::below(distance).into_iter().chain(digit).min();
    if let Some(grain) = grain {
        samples.iter_mut().for_each(|sample| *sample = sample.rounded_to(grain));
    }
}

fn values(samples: &[Sample]) -> Vec<f64> {
    samples.iter().map(|sample| sample.value).collect()
}
