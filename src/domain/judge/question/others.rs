//! Controls for a signal that is asked with `by`: which other services the query knows, and of which of them to ask.

use std::collections::BTreeSet;

use super::reply::{MAX_CONTROLS, Reply};
use super::request::Question;
use crate::domain::environment::signal::{Only, Window};
use crate::domain::time::Time;

/// How many services are asked about to find [`MAX_CONTROLS`] among them that have many samples. Where all of them have all
/// samples, the controls are the same as if every service had been asked about: the first by name.
const MAX_CANDIDATES: usize = 4 * MAX_CONTROLS;

/// The same question about all services at one moment, which shows who there is.
#[must_use]
pub fn at_one_moment(question: &Question, at: Time) -> Question {
    let mut moment = question.clone();
    if let Ok(request) = &mut moment.request {
        let step = i64::from(request.step_secs.max(1));
        let at = Time::from_unix(at.unix().div_euclid(step) * step);
        request.window = Window { start: at, end: at };
        request.only = None;
    }
    moment
}

/// Of which services to ask, given who there is: the first by name that may be controls. None, which is all of them, where
/// there are not more: one that had no sample at that moment may have others.
#[must_use]
pub fn candidates(present: &Reply, by: &str, not_controls: &BTreeSet<String>) -> Option<Only> {
    let (series, _) = present.as_ref().ok()?;
    let names: BTreeSet<&String> = series.iter().filter_map(|one| one.labels.get(by)).collect();
    let mut free = names.into_iter().filter(|name| !not_controls.contains(*name)).cloned();
    let values: BTreeSet<String> = free.by_ref().take(MAX_CANDIDATES).collect();
    free.next().map(|_| Only { label: by.to_owned(), values })
}
