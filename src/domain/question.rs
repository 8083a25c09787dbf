//! Asking: which queries a pass sends, and what an answer means for each service.
//!
//! A signal that keeps a service label (`by`) is asked once for all services; the answer is then taken apart. Services
//! in the answer that had no deployment serve as controls.

use std::collections::{BTreeMap, BTreeSet};

use super::deployment::Deployment;
use super::evidence::{Control, Evidence, Found, Gap, Sample, Seasonal, Series, SignalEvidence};
use super::field::{FieldRule, tokens};
use super::ids::{EnvironmentName, ServiceName, SourceName};
use super::policy::Policy;
use super::signal::{RangeQuery, Rule, Signal, Window, render_query};
use super::time::{Time, human_secs};

/// The most controls that are kept as evidence for a signal.
pub const MAX_CONTROLS: usize = 8;

/// How long before the window the seasonal windows lie: a day and a week.
pub const SEASONAL_SHIFTS_SECS: [u32; 2] = [86_400, 604_800];

/// What is asked about: one service around one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// The service's labels.
    pub labels: BTreeMap<String, String>,
    /// The new image tag or digest, where the deployment has one.
    pub image_tag: Option<String>,
    /// When it was deployed.
    pub deployed_at: Time,
    /// The limits in time.
    pub policy: Policy,
    /// What to ask.
    pub signals: Vec<Signal>,
}

impl Subject {
    /// What to ask about a deployment.
    #[must_use]
    pub fn of(deployment: &Deployment, policy: &Policy, signals: &[Signal]) -> Self {
        Self {
            environment: deployment.environment.clone(),
            service: deployment.service.clone(),
            labels: deployment.labels.clone(),
            image_tag: image_tag(deployment),
            deployed_at: deployment.at,
            policy: policy.clone(),
            signals: signals.to_vec(),
        }
    }

    fn values(&self) -> BTreeMap<String, String> {
        let mut values = self.labels.clone();
        values.insert("service".to_owned(), self.service.to_string());
        values.insert("environment".to_owned(), self.environment.to_string());
        values.extend(self.image_tag.clone().map(|tag| ("image_tag".to_owned(), tag)));
        values
    }
}

/// The tag (or digest) of the first image that a deployment changed.
fn image_tag(deployment: &Deployment) -> Option<String> {
    let image = |rule| matches!(rule, FieldRule::Image | FieldRule::Tag | FieldRule::ImageAnywhere);
    let field = deployment.fields.iter().find(|field| image(field.rule))?;
    let text = field.new.trim_matches(['"', '\'']);
    let tag = tokens::image_parts(text).map_or(text, |(_, rest)| rest.trim_start_matches([':', '@']));
    Some(tag.to_owned())
}

/// One signal asked about one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The signal.
    pub signal: Signal,
    /// The value of the `by` label that means this service.
    pub by_value: String,
    /// What to send, or why it cannot be asked.
    pub request: Result<RangeQuery, Gap>,
    /// How long before the subject's own window it lies; 0 for the window itself.
    pub shift_secs: u32,
}

/// The questions about a subject, one for each signal, in the window from its baseline to `until` or the end of the
/// watch window, `shift_secs` earlier.
#[must_use]
pub fn ask(subject: &Subject, until: Time, shift_secs: u32) -> Vec<Question> {
    let values = subject.values();
    let window_end = until.min(subject.deployed_at.plus_secs(subject.policy.watch_secs.into()));
    let window_start = subject.deployed_at.minus_secs(subject.policy.baseline_secs.into());
    let question = |signal: &Signal| {
        let by_value = signal.by.as_ref().and_then(|by| subject.labels.get(by));
        let query =
            render_query(&signal.query, &values).map_err(|problem| Gap::Rejected(problem.to_string()));
        Question {
            by_value: by_value.cloned().unwrap_or_else(|| subject.service.to_string()),
            request: query.map(|query| RangeQuery {
                source: signal.source.clone(),
                query,
                window: aligned(window_start, window_end, shift_secs, signal.step_secs),
                step_secs: signal.step_secs.max(1),
            }),
            signal: signal.clone(),
            shift_secs,
        }
    };
    subject.signals.iter().map(question).collect()
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
        }
        Some(index)
    };
    let places = questions.iter().map(&mut place).collect();
    (merged, places)
}

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
    /// Sorts an answer by the label `by`. Services in `deployed` cannot be controls.
    #[must_use]
    pub fn new(reply: &'r Reply, by: Option<&str>, deployed: &BTreeSet<String>) -> Self {
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
            [one] if !deployed.contains(*service) => Some((*service, *one)),
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
        let found = match own.as_slice() {
            [] => Found::Gap(Gap::NoData),
            [one] => match within(&one.samples, window) {
                samples if samples.is_empty() => Found::Gap(Gap::NoData),
                samples => Found::Samples(samples),
            },
            several => Found::Gap(Gap::Ambiguous(several.len())),
        };
        let control = |(service, series): &(&str, &Series)| Control {
            service: (*service).to_owned(),
            samples: within(&series.samples, window),
        };
        let controls = self.controls.iter().filter(|(service, _)| *service != question.by_value).map(control);
        Reading {
            found,
            controls: controls.filter(|control| !control.samples.is_empty()).collect(),
            warnings: self.warnings.to_vec(),
        }
    }
}

fn within(samples: &[Sample], window: Window) -> Vec<Sample> {
    samples.iter().copied().filter(|sample| window.start <= sample.at && sample.at <= window.end).collect()
}

/// The part of an answer that belongs to one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The service's own samples.
    pub found: Found,
    /// The samples of services without a deployment.
    pub controls: Vec<Control>,
    /// What the source warned of.
    pub warnings: Vec<String>,
}

impl Reading {
    /// No answer.
    #[must_use]
    pub fn gap(gap: Gap) -> Self {
        Self { found: Found::Gap(gap), controls: Vec::new(), warnings: Vec::new() }
    }
}

/// Puts the evidence about a subject together from its questions and what they found.
#[must_use]
pub fn evidence(subject: &Subject, until: Time, readings: Vec<(Question, Reading)>) -> Evidence {
    let signal = |(question, reading): (Question, Reading)| {
        let asked = question.request.map_or_else(|_| question.signal.query.clone(), |request| request.query);
        SignalEvidence {
            controls: reading.controls,
            warnings: reading.warnings,
            ..SignalEvidence::new(question.signal, asked, reading.found)
        }
    };
    Evidence::new(subject.deployed_at, until, &subject.policy, readings.into_iter().map(signal).collect())
}

/// Adds the same window at another time to the evidence, in the order of [`ask`]. A window without samples says that there
/// is no season; one that could not be asked says nothing, and then the signal says nothing either: without its season an
/// everyday peak looks like damage.
pub fn add_seasonal(evidence: &mut Evidence, shift_secs: u32, found: Vec<Found>) {
    for (signal, found) in evidence.signals.iter_mut().zip(found) {
        let samples = match found {
            Found::Samples(samples) => samples,
            Found::Gap(Gap::NoData) => Vec::new(),
            Found::Gap(gap @ (Gap::Unavailable(_) | Gap::Rejected(_) | Gap::Ambiguous(_))) => {
                if signal.signal.rule == Rule::Robust {
                    let earlier = human_secs(shift_secs.into());
                    signal.found =
                        Found::Gap(Gap::Unavailable(format!("the window {earlier} before: {gap}")));
                }
                Vec::new()
            }
        };
        signal.seasonal.push(Seasonal { shift_secs, samples });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SignalName;
    use crate::domain::signal::SignalKind;

    fn signal(query: &str, by: Option<&str>) -> Signal {
        let (name, source) = (SignalName::new("errors").unwrap(), SourceName::new("prom").unwrap());
        Signal { by: by.map(str::to_owned), ..Signal::new(name, source, query, SignalKind::ErrorRatio) }
    }

    fn subject(service: &str, at: i64, query: &str, by: Option<&str>) -> Subject {
        Subject {
            environment: EnvironmentName::new("production").unwrap(),
            service: ServiceName::new(service).unwrap(),
            labels: BTreeMap::new(),
            image_tag: None,
            deployed_at: Time::from_unix(at),
            policy: Policy::default(),
            signals: vec![signal(query, by)],
        }
    }

    fn series(service: &str, values: &[(i64, f64)]) -> Series {
        Series {
            labels: BTreeMap::from([("app".to_owned(), service.to_owned())]),
            samples: values.iter().copied().map(Sample::from).collect(),
        }
    }

    #[test]
    fn one_request_answers_for_many_services() {
        let until = Time::from_unix(100_000);
        let questions: Vec<Question> = (0..1_000)
            .flat_map(|i| {
                ask(&subject(&format!("s{i}"), 99_000 + i % 7, "sum by (app) (x)", Some("app")), until, 0)
            })
            .collect();
        assert_eq!(questions.len(), 1_000);
        assert_eq!(requests(&questions).0.len(), 1);
        let own = ask(&subject("a", 99_000, "x{app=\"{{service}}\"}", None), until, 0);
        let other = ask(&subject("b", 99_000, "x{app=\"{{service}}\"}", None), until, 0);
        assert_eq!(requests(&[own, other].concat()).0.len(), 2);
    }

    #[test]
    fn windows_lie_on_the_step_whenever_they_are_asked_for() {
        let question = &ask(&subject("a", 99_999, "x", None), Time::from_unix(100_001), 0)[0];
        let window = question.request.as_ref().unwrap().window;
        assert_eq!((window.start.unix() % 60, window.end.unix()), (0, 99_960));
    }

    #[test]
    fn an_answer_is_taken_apart_by_service() {
        let question = &ask(&subject("a", 6_000, "x", Some("app")), Time::from_unix(6_600), 0)[0];
        let reply: Reply = Ok((
            vec![series("a", &[(6_000, 1.0)]), series("b", &[(6_000, 2.0)]), series("c", &[(6_000, 3.0)])],
            vec![],
        ));
        let deployed = BTreeSet::from(["a".to_owned(), "c".to_owned()]);
        let reading = Sorted::new(&reply, Some("app"), &deployed).read(question);
        assert_eq!(reading.found, Found::Samples(vec![Sample::from((6_000, 1.0))]));
        assert_eq!(reading.controls.iter().map(|c| c.service.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_season_that_could_not_be_asked_leaves_no_verdict() {
        let subject = subject("a", 6_000, "x", None);
        let until = Time::from_unix(7_000);
        let question = ask(&subject, until, 0).remove(0);
        let reading = Reading {
            found: Found::Samples(vec![Sample::from((6_060, 1.0))]),
            controls: vec![],
            warnings: vec![],
        };
        let whole = evidence(&subject, until, vec![(question, reading)]);
        let mut empty = whole.clone();
        add_seasonal(&mut empty, 86_400, vec![Found::Gap(Gap::NoData)]);
        assert!(matches!(empty.signals[0].found, Found::Samples(_)));
        let mut unanswered = whole;
        add_seasonal(&mut unanswered, 86_400, vec![Found::Gap(Gap::Unavailable("503".to_owned()))]);
        assert!(
            matches!(&unanswered.signals[0].found, Found::Gap(Gap::Unavailable(why)) if why.contains("503"))
        );
    }

    #[test]
    fn missing_several_or_no_series_are_gaps() {
        let question = &ask(&subject("a", 6_000, "x", None), Time::from_unix(6_600), 0)[0];
        let found = |question, reply: &Reply| Sorted::new(reply, None, &BTreeSet::new()).read(question).found;
        assert_eq!(found(question, &Ok((vec![], vec![]))), Found::Gap(Gap::NoData));
        let two: Reply = Ok((vec![series("a", &[(6_000, 1.0)]), series("b", &[(6_000, 2.0)])], vec![]));
        assert_eq!(found(question, &two), Found::Gap(Gap::Ambiguous(2)));
        let broken = &ask(&subject("a", 6_000, "x{{nothing}}", None), Time::from_unix(6_600), 0)[0];
        assert!(matches!(found(broken, &two), Found::Gap(Gap::Rejected(_))));
    }
}
