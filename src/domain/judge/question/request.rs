//! From a subject to the requests that are sent.

use std::collections::BTreeMap;

use super::subject::Subject;
use crate::domain::environment::signal::{Only, RangeQuery, Signal, Window, render_query};
use crate::domain::ids::SourceName;
use crate::domain::judge::evidence::Gap;
use crate::domain::time::Time;

/// What of a signal is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The signal itself.
    Signal,
    /// The traffic below which it says nothing: that of the whole service, also where the signal is split.
    Traffic,
}

/// One signal asked about one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The signal.
    pub signal: Signal,
    /// What of the signal is asked for.
    pub part: Part,
    /// The value of the `by` label that means this service.
    pub by_value: String,
    /// What to send, or why it cannot be asked.
    pub request: Result<RangeQuery, Gap>,
    /// How long before the subject's own window it lies; 0 for the window itself.
    pub shift_secs: u32,
}

impl Question {
    /// The series that say something about the service: none where the query tells no services apart.
    #[must_use]
    pub fn only(&self) -> Option<Only> {
        let by = self.signal.by.as_ref()?;
        Some(Only { label: by.clone(), values: [self.by_value.clone()].into() })
    }
}

/// The questions about a subject in the window from its baseline to `until` or the end of the watch window, `shift_secs`
/// earlier: one for each signal, and behind it one for its traffic where it has a least one. At another time than the
/// window's own the traffic is not asked for.
#[must_use]
pub fn ask(subject: &Subject, until: Time, shift_secs: u32) -> Vec<Question> {
    let values = subject.values();
    let window_end = until.min(subject.deployed_at.plus_secs(subject.policy.watch_secs.into()));
    let window_start = subject.deployed_at.minus_secs(subject.policy.baseline_secs.into());
    let question = |signal: &Signal, part: Part, template: &str| {
        let by_value =
            signal.by.as_ref().and_then(|by| subject.labels.get(by).or(subject.labels.get("service")));
        let query = render_query(template, &values).map_err(|problem| Gap::Rejected(problem.to_string()));
        let mut question = Question {
            part,
            by_value: by_value.cloned().unwrap_or_else(|| subject.service.to_string()),
            request: query.map(|query| RangeQuery {
                source: signal.source.clone(),
                query,
                window: aligned(window_start, window_end, shift_secs, signal.step_secs),
                step_secs: signal.step_secs.max(1),
                only: None,
            }),
            signal: signal.clone(),
            shift_secs,
        };
        let only = question.only();
        if let Ok(request) = &mut question.request {
            request.only = only;
        }
        question
    };
    let mut questions = Vec::with_capacity(subject.signals.len());
    for signal in &subject.signals {
        questions.push(question(signal, Part::Signal, &signal.query));
        if let Some(traffic) = signal.min_traffic.as_ref().filter(|_| shift_secs == 0) {
            questions.push(question(signal, Part::Traffic, &traffic.query));
        }
    }
    questions
}

/// A window whose ends are multiples of the step, so that the same moments are asked for whenever a pass runs.
fn aligned(start: Time, end: Time, shift_secs: u32, step_secs: u32) -> Window {
    let step = i64::from(step_secs.max(1));
    let floor = |time: Time| Time::from_unix(time.unix().div_euclid(step) * step);
    let shift = i64::from(shift_secs);
    let start = floor(start.minus_secs(shift));
    Window { start, end: floor(end.minus_secs(shift)).max(start) }
}

/// The fewest requests that answer all the questions, and for each question which of them does (`None` where it cannot
/// be asked).
#[must_use]
pub fn requests(questions: &[Question]) -> (Vec<RangeQuery>, Vec<Option<usize>>) {
    let mut merged: Vec<RangeQuery> = Vec::new();
    let mut known: BTreeMap<(SourceName, String, u32, u32, Option<String>), usize> = BTreeMap::new();
    let mut place = |question: &Question| {
        let request = question.request.as_ref().ok()?;
        let by = question.signal.by.clone();
        let key = (request.source.clone(), request.query.clone(), request.step_secs, question.shift_secs, by);
        let index = *known.entry(key).or_insert_with(|| {
            merged.push(request.clone());
            merged.len() - 1
        });
        if let Some(union) = merged.get_mut(index) {
            union.window.start = union.window.start.min(request.window.start);
            union.window.end = union.window.end.max(request.window.end);
            union.only = match (union.only.take(), &request.only) {
                (Some(mut all), Some(one)) => {
                    all.values.extend(one.values.iter().cloned());
                    Some(all)
                }
                (None, _) | (_, None) => None,
            };
        }
        Some(index)
    };
    let places = questions.iter().map(&mut place).collect();
    (merged, places)
}
