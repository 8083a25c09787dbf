//! Gathering evidence: sends the questions and puts the answers together.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use crate::agent::look::context::Pass;
use crate::domain::environment::signal::RangeQuery;
use crate::domain::judge::evidence::{Evidence, Gap};
use crate::domain::judge::question::{
    Question, Reading, Reply, SEASONAL_SHIFTS_SECS, Sorted, Subject, add_seasonal, ask, evidence, requests,
};
use crate::domain::judge::verdict::needs_history;
use crate::domain::time::Time;
use crate::ports::SourceError;

/// The evidence about each subject, with samples up to its time. Sources are asked as few times as possible; the windows
/// a day and a week before are asked for only where a verdict rests on them.
pub(super) async fn gather(
    pass: &Pass<'_>,
    subjects: &[(Subject, Time)],
    deployed: &BTreeSet<String>,
) -> Vec<Evidence> {
    let asked: Vec<Vec<Question>> = subjects.iter().map(|(subject, until)| ask(subject, *until, 0)).collect();
    let readings = read_all(pass, asked.concat(), deployed).await;
    let mut readings = readings.into_iter();
    let mut found: Vec<Evidence> = subjects
        .iter()
        .zip(&asked)
        .map(|((subject, until), questions)| {
            evidence(subject, *until, readings.by_ref().take(questions.len()).collect())
        })
        .collect();
    for shift in SEASONAL_SHIFTS_SECS {
        add_history(pass, subjects, &mut found, shift, deployed).await;
    }
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

/// Answers questions, in their order.
pub(in crate::agent) async fn read_all(
    pass: &Pass<'_>,
    questions: Vec<Question>,
    deployed: &BTreeSet<String>,
) -> Vec<(Question, Reading)> {
    let (requests, places) = requests(&questions);
    let mut by = vec![None; requests.len()];
    for (question, place) in questions.iter().zip(&places) {
        if let Some(slot) = place.and_then(|place| by.get_mut(place)) {
            slot.clone_from(&question.signal.by);
        }
    }
    let replies = fetch_all(pass, requests).await;
    let sorted: Vec<Sorted<'_>> =
        replies.iter().zip(&by).map(|(reply, by)| Sorted::new(reply, by.as_deref(), deployed)).collect();
    let read = |(question, place): (Question, &Option<usize>)| {
        let reading = match (&question.request, place.and_then(|place| sorted.get(place))) {
            (_, Some(sorted)) => sorted.read(&question),
            (Err(gap), None) => Reading::gap(gap.clone()),
            (Ok(_), None) => Reading::gap(Gap::NoData),
        };
        (question, reading)
    };
    questions.into_iter().zip(&places).map(read).collect()
}

async fn fetch_all(pass: &Pass<'_>, requests: Vec<RangeQuery>) -> Vec<Reply> {
    let mut tasks = JoinSet::new();
    let unanswered = || Err(Gap::Unavailable("the request was cut short".to_owned()));
    let mut replies: Vec<Reply> = requests.iter().map(|_| unanswered()).collect();
    for (index, request) in requests.into_iter().enumerate() {
        let source = pass.world.sources.get(&request.source).cloned();
        let estate = pass.estate.name.clone();
        tasks.spawn(async move {
            let Some(source) = source else {
                return (index, Err(Gap::Rejected(format!("there is no metric source {}", request.source))));
            };
            let reply = match source.range(&estate, &request).await {
                Ok(answer) => Ok((answer.series, answer.warnings)),
                Err(SourceError::Unavailable(reason)) => {
                    tracing::warn!(source = %request.source, %reason, "no answer: nothing can be judged by it");
                    Err(Gap::Unavailable(reason))
                }
                Err(SourceError::Rejected(reason)) => {
                    tracing::warn!(source = %request.source, %reason, "query refused: nothing can be judged by it");
                    Err(Gap::Rejected(reason))
                }
            };
            (index, reply)
        });
    }
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((index, reply)) => {
                if let Some(slot) = replies.get_mut(index) {
                    *slot = reply;
                }
            }
            // A fault of the program: nothing is judged by the rest.
            Err(crash) if crash.is_panic() => std::panic::resume_unwind(crash.into_panic()),
            Err(_cancelled) => {}
        }
    }
    replies
}
