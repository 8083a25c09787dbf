//! Gathering evidence: sends the questions and puts the answers together.

use std::collections::BTreeSet;

use super::others::{Others, add_others};
use super::sources::read_all;
use crate::agent::look::context::Pass;
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::question::{
    Question, Reading, SEASONAL_SHIFTS_SECS, Subject, add_seasonal, ask, evidence,
};
use crate::domain::judge::verdict::needs_history;
use crate::domain::time::Time;

/// The evidence about each subject, with samples up to its time. Sources are asked as few times as possible; services without a
/// deployment, and the windows a day and a week before, are asked for only where a verdict rests on them.
pub(super) async fn gather(
    pass: &Pass<'_>,
    subjects: &[(Subject, Time)],
    deployed: &BTreeSet<String>,
) -> Vec<Evidence> {
    let asked: Vec<Vec<Question>> = subjects.iter().map(|(subject, until)| ask(subject, *until, 0)).collect();
    let readings = read_all(pass, asked.concat(), deployed).await;
    let mut readings = readings.into_iter();
    let mut others = Others::default();
    let mut found: Vec<Evidence> = Vec::with_capacity(subjects.len());
    for ((subject, until), questions) in subjects.iter().zip(&asked) {
        let of_subject: Vec<_> = readings.by_ref().take(questions.len()).collect();
        others.leave_out_told(found.len(), &of_subject);
        found.push(evidence(subject, *until, of_subject));
    }
    add_others(pass, subjects, &mut found, deployed, &mut others).await;
    for shift in SEASONAL_SHIFTS_SECS {
        add_history(pass, subjects, &mut found, shift, deployed).await;
    }
    // By the line of the season another signal may have regressed.
    add_others(pass, subjects, &mut found, deployed, &mut others).await;
    found
}

/// Asks for the windows `shift_secs` earlier, of those subjects whose verdict needs them.
async fn add_history(
    pass: &Pass<'_>,
    subjects: &[(Subject, Time)],
    found: &mut [Evidence],
    shift_secs: u32,
    deployed: &BTreeSet<String>,
) {
    let first = SEASONAL_SHIFTS_SECS.first() == Some(&shift_secs);
    let wanted: Vec<bool> = found
        .iter()
        .map(|evidence| {
            if first {
                needs_history(evidence)
            } else {
                evidence.signals.iter().any(|s| !s.seasonal.is_empty())
            }
        })
        .collect();
    let pairs = || subjects.iter().zip(&wanted).filter(|(_, wanted)| **wanted).map(|(pair, _)| pair);
    let questions: Vec<Question> =
        pairs().flat_map(|(subject, until)| ask(subject, *until, shift_secs)).collect();
    if questions.is_empty() {
        return;
    }
    let mut readings = read_all(pass, questions, deployed).await.into_iter();
    for (evidence, _) in found.iter_mut().zip(&wanted).filter(|(_, wanted)| **wanted) {
        let count = evidence.signals.len();
        let of_subject: Vec<Reading> = readings.by_ref().take(count).map(|(_, reading)| reading).collect();
        add_seasonal(evidence, shift_secs, of_subject);
    }
}
