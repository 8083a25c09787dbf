//! Sending questions to the sources.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use crate::agent::look::context::Pass;
use crate::domain::environment::signal::RangeQuery;
use crate::domain::judge::evidence::Gap;
use crate::domain::judge::question::{Question, Reading, Reply, Sorted, requests};
use crate::ports::SourceError;

/// Answers questions, in their order. Neither the services in `deployed` nor those that are asked about are controls, but those
/// are that a source tells of besides.
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
    let not_controls = not_controls(&questions, deployed);
    let sorted: Vec<Sorted<'_>> = replies
        .iter()
        .zip(&by)
        .map(|(told, by)| Sorted::new(&told.reply, by.as_deref(), &not_controls))
        .collect();
    let read = |(question, place): (Question, &Option<usize>)| {
        let mut reading = match (&question.request, place.and_then(|place| sorted.get(place))) {
            (_, Some(sorted)) => sorted.read(&question),
            (Err(gap), None) => Reading::gap(gap.clone()),
            (Ok(_), None) => Reading::gap(Gap::NoData),
        };
        reading.is_narrowed = place.and_then(|place| replies.get(place)).is_some_and(|told| told.is_narrowed);
        (question, reading)
    };
    questions.into_iter().zip(&places).map(read).collect()
}

/// The services that are no controls: those with a deployment, and those that these questions are about.
pub(super) fn not_controls(questions: &[Question], deployed: &BTreeSet<String>) -> BTreeSet<String> {
    let asked = questions.iter().map(|question| question.by_value.clone());
    asked.chain(deployed.iter().cloned()).collect()
}

/// What came of a request.
pub(super) struct Told {
    pub reply: Reply,
    /// Whether series are left out because only some were wanted.
    is_narrowed: bool,
}

/// Sends requests, and gives the answers in their order.
pub(super) async fn fetch_all(pass: &Pass<'_>, requests: Vec<RangeQuery>) -> Vec<Told> {
    let mut tasks = JoinSet::new();
    let gap = |gap: Gap| Told { reply: Err(gap), is_narrowed: false };
    let unanswered = || gap(Gap::Unavailable("the request was cut short".to_owned()));
    let mut replies: Vec<Told> = requests.iter().map(|_| unanswered()).collect();
    for (index, request) in requests.into_iter().enumerate() {
        let source = pass.world.sources.get(&request.source).cloned();
        let estate = pass.estate.name.clone();
        tasks.spawn(async move {
            let Some(source) = source else {
                return (index, gap(Gap::Rejected(format!("there is no metric source {}", request.source))));
            };
            let reply = match source.range(&estate, &request).await {
                Ok(answer) => {
                    Told { reply: Ok((answer.series, answer.warnings)), is_narrowed: answer.is_narrowed }
                }
                Err(SourceError::Unavailable(reason)) => {
                    tracing::warn!(source = %request.source, %reason, "no answer: nothing can be judged by it");
                    gap(Gap::Unavailable(reason))
                }
                Err(SourceError::Rejected(reason)) => {
                    tracing::warn!(source = %request.source, %reason, "query refused: nothing can be judged by it");
                    gap(Gap::Rejected(reason))
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
