//! From an answer to what it says about each service.

use std::collections::{BTreeMap, BTreeSet};

use super::request::{Part, Question};
use crate::domain::environment::signal::Window;
use crate::domain::judge::evidence::{Control, Found, Gap, Sample, Segment, Series};

/// The most controls that are kept as evidence for a signal.
pub const MAX_CONTROLS: usize = 8;

/// An answer: the series and what the source warned of.
pub type Reply = Result<(Vec<Series>, Vec<String>), Gap>;

/// An answer with its series sorted by service, so that it is taken apart once for all questions.
#[derive(Clone, Debug)]
pub struct Sorted<'r> {
    all: Result<&'r [Series], &'r Gap>,
    warnings: &'r [String],
    services: BTreeMap<&'r str, Vec<&'r Series>>,
    /// Services without a deployment, the ones with the most samples first.
    controls: Vec<(&'r str, &'r Series)>,
}

impl<'r> Sorted<'r> {
    /// Sorts an answer by the label `by`. Services in `not_controls` cannot be controls.
    #[must_use]
    pub fn new(reply: &'r Reply, by: Option<&str>, not_controls: &BTreeSet<String>) -> Self {
        let (all, warnings) = match reply {
            Ok((series, warnings)) => (Ok(series.as_slice()), warnings.as_slice()),
            Err(gap) => (Err(gap), &[][..]),
        };
        let mut services: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
        for one in all.unwrap_or_default() {
            if let Some(service) = by.and_then(|by| one.labels.get(by)) {
                services.entry(service).or_default().push(one);
            }
        }
        let untouched = |(service, series): (&&'r str, &Vec<&'r Series>)| match series.as_slice() {
            [one] if !not_controls.contains(*service) => Some((*service, *one)),
            _ => None,
        };
        let mut controls: Vec<(&str, &Series)> = services.iter().filter_map(untouched).collect();
        controls.sort_by_key(|(service, series)| (usize::MAX - series.samples.len(), *service));
        controls.truncate(MAX_CONTROLS);
        Self { all, warnings, services, controls }
    }

    /// What the answer says to one question.
    #[must_use]
    pub fn read(&self, question: &Question) -> Reading {
        let (window, all) = match (&question.request, self.all) {
            (Ok(request), Ok(all)) => (request.window, all),
            (Err(gap), _) | (Ok(_), Err(gap)) => return Reading::gap(gap.clone()),
        };
        let everything: Vec<&Series> = all.iter().collect();
        let none = Vec::new();
        let own = match question.signal.by {
            Some(_) => self.services.get(question.by_value.as_str()).unwrap_or(&none),
            None => &everything,
        };
        match (question.part, &question.signal.segment) {
            (Part::Signal, Some(label)) => self.split(own, label, window),
            (Part::Signal, None) => Reading {
                found: single(own, window),
                controls: self.controls_of(question, window),
                segments: Vec::new(),
                warnings: self.warnings.to_vec(),
                is_narrowed: false,
            },
            (Part::Traffic, _) => {
                Reading { warnings: self.warnings.to_vec(), ..Reading::of(single(own, window)) }
            }
        }
    }

    fn controls_of(&self, question: &Question, window: Window) -> Vec<Control> {
        let control = |(service, series): &(&str, &Series)| Control {
            service: (*service).to_owned(),
            samples: within(&series.samples, window),
        };
        let controls = self.controls.iter().filter(|(service, _)| *service != question.by_value).map(control);
        controls.filter(|control| !control.samples.is_empty()).collect()
    }

    /// The parts of a service's answer, told apart by a label.
    fn split(&self, own: &[&Series], label: &str, window: Window) -> Reading {
        let mut parts: BTreeMap<&str, &Series> = BTreeMap::new();
        for one in own {
            let Some(name) = one.labels.get(label).filter(|name| !name.is_empty()) else {
                return Reading::gap(Gap::Rejected(format!(
                    "a series has no label {label}, which tells the parts of the signal apart: keep it in the query"
                )));
            };
            if parts.insert(name, one).is_some() {
                let several = own.iter().filter(|one| one.labels.get(label) == Some(name)).count();
                return Reading::gap(Gap::Ambiguous(several));
            }
        }
        let part = |(name, series): (&str, &Series)| Segment {
            name: name.to_owned(),
            samples: within(&series.samples, window),
            seasonal: Vec::new(),
        };
        let segments: Vec<Segment> =
            parts.into_iter().map(part).filter(|segment| !segment.samples.is_empty()).collect();
        let found =
            segments.first().map_or(Found::Gap(Gap::NoData), |first| Found::Samples(first.samples.clone()));
        Reading { segments, warnings: self.warnings.to_vec(), ..Reading::of(found) }
    }
}

/// What a single series says, or why there is none.
fn single(own: &[&Series], window: Window) -> Found {
    match own {
        [] => Found::Gap(Gap::NoData),
        [one] => match within(&one.samples, window) {
            samples if samples.is_empty() => Found::Gap(Gap::NoData),
            samples => Found::Samples(samples),
        },
        several => Found::Gap(Gap::Ambiguous(several.len())),
    }
}

/// The samples of a window, rounded: what is judged is what is recorded.
fn within(samples: &[Sample], window: Window) -> Vec<Sample> {
    let inside = samples.iter().filter(|sample| window.start <= sample.at && sample.at <= window.end);
    inside.map(|sample| sample.rounded()).collect()
}

/// The part of an answer that belongs to one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The service's own samples.
    pub found: Found,
    /// The samples of services without a deployment.
    pub controls: Vec<Control>,
    /// The parts of a signal that is split by a label, all of them, in the order of their names; without seasons.
    /// `found` is then the first of them.
    pub segments: Vec<Segment>,
    /// What the source warned of.
    pub warnings: Vec<String>,
    /// Whether the answer leaves out other services, which could be controls.
    pub is_narrowed: bool,
}

impl Reading {
    /// No answer.
    #[must_use]
    pub fn gap(gap: Gap) -> Self {
        Self::of(Found::Gap(gap))
    }

    /// What was found, and nothing else.
    #[must_use]
    pub fn of(found: Found) -> Self {
        Self { found, controls: Vec::new(), segments: Vec::new(), warnings: Vec::new(), is_narrowed: false }
    }
}
