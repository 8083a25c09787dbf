//! Signals: metric questions with a direction and rules; and the questions that a pass asks.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{SignalName, SourceName};
use crate::domain::time::Time;

/// What a signal measures; sets its defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignalKind {
    /// A share of failures, 0 to 1.
    ErrorRatio,
    /// A duration, in any unit.
    Latency,
    /// Requests, in any unit; lower is worse.
    Traffic,
    /// How full something is, in any unit.
    Saturation,
    /// How good a model's or a ranking's answers are, in any unit; lower is worse.
    Quality,
    /// Anything else.
    #[default]
    Custom,
}

/// Which way is bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// A rise harms users.
    #[default]
    HigherIsWorse,
    /// A fall harms users.
    LowerIsWorse,
}

/// When a signal counts as regressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Rule {
    /// Worse than what the baseline explains.
    #[default]
    Robust,
    /// Beyond a fixed value, for long enough.
    Limit {
        /// The value; above it is bad when higher is worse, below it when lower is worse.
        limit: f64,
        /// How long without a break, in seconds.
        for_secs: u32,
    },
    /// Worse than the baseline's median by more than a share of it, for long enough.
    Change {
        /// The share: 0.5 is half as much again (or half as much, when lower is worse).
        share: f64,
        /// How long without a break, in seconds.
        for_secs: u32,
    },
}

/// What a signal is worth among the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It counts with its weight towards the quorum.
    #[default]
    Normal,
    /// It is enough alone, whatever the quorum.
    Critical,
    /// It is shown, and is never enough.
    Advisory,
}

/// What a sample that is not there means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// Nothing: it was not measured.
    #[default]
    Unknown,
    /// Zero: a counter of errors does not exist before the first of them.
    Zero,
}

/// The traffic below which a signal says nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MinTraffic {
    /// A query for the service's request rate: a template like the signal's own, with the same `by`.
    pub query: String,
    /// A sample counts only where the rate at its time is at least this, in the query's own unit.
    pub at_least: f64,
}

/// A metric question about a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Form", into = "Form")]
#[schemars(with = "Form")]
pub struct Signal {
    /// Its name.
    pub name: SignalName,
    /// Who answers it.
    pub source: SourceName,
    /// The query: a template over `service`, `environment`, `namespace`, `image_tag` and the service's labels. Empty where it
    /// was not kept: in the record of a healthy deployment.
    pub query: String,
    /// The label of the answer's series that holds the service's name. With it, one request answers for many
    /// services; without it the query must give a single series.
    pub by: Option<String>,
    /// The label by which the series of one service are told apart (a region, a browser). Each is judged alone, with a
    /// correction for looking many times.
    pub segment: Option<String>,
    /// What it measures.
    pub kind: SignalKind,
    /// Which way is bad.
    pub direction: Direction,
    /// When it counts as regressed.
    pub rule: Rule,
    /// The smallest difference that matters, in the signal's own unit.
    pub min_difference: f64,
    /// The distance of samples, in seconds.
    pub step_secs: u32,
    /// The time over which the query takes rates, in seconds: samples closer together than this repeat each other. 0 when
    /// it takes none, or when it is not known.
    pub rate_window_secs: u32,
    /// How long it takes until a sample is complete, in seconds: labels that come late, batches. Younger ones do not count.
    pub delay_secs: u32,
    /// What a sample that is not there means.
    pub missing: Missing,
    /// How many samples after the deployment are needed for a regression.
    pub min_samples: u32,
    /// The traffic below which it says nothing.
    pub min_traffic: Option<MinTraffic>,
    /// What it is worth among the others.
    pub role: Role,
    /// How much it counts towards the quorum; at least 1.
    pub weight: u32,
}

/// What is written of a signal into a record: what is not usual. So what is usual is a part of the form, and must stay:
/// [`Signal::new`], with the defaults of the kind.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Signal")]
struct Form {
    /// Its name.
    name: SignalName,
    /// Who answers it.
    source: SourceName,
    /// The query: a template over `service`, `environment`, `namespace`, `image_tag` and the service's labels. Left out in the
    /// record of a healthy deployment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    query: String,
    /// The label of the answer's series that holds the service's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// The label by which the series of one service are told apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    segment: Option<String>,
    /// What it measures.
    kind: SignalKind,
    /// Which way is bad. Left out where it is as usual for the kind: a rise, but for traffic and quality a fall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    /// When it counts as regressed. Left out where it is the robust rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<Rule>,
    /// The smallest difference that matters, in the signal's own unit. Left out where it is as usual for the kind: 0.01 for an
    /// error ratio, 5 for saturation, and 0 for the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_difference: Option<f64>,
    /// The distance of samples, in seconds. Left out where it is 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step_secs: Option<u32>,
    /// The time over which the query takes rates, in seconds. Left out where it is 0: none, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate_window_secs: Option<u32>,
    /// How long it takes until a sample is complete, in seconds. Left out where it is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay_secs: Option<u32>,
    /// What a sample that is not there means. Left out where it means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<Missing>,
    /// How many samples after the deployment are needed for a regression. Left out where it is 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_samples: Option<u32>,
    /// The traffic below which it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_traffic: Option<MinTraffic>,
    /// What it is worth among the others. Left out where it is normal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    /// How much it counts towards the quorum. Left out where it is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
}

impl From<Form> for Signal {
    fn from(form: Form) -> Self {
        let usual = Self::new(form.name, form.source, &form.query, form.kind);
        Self {
            by: form.by,
            segment: form.segment,
            direction: form.direction.unwrap_or(usual.direction),
            rule: form.rule.unwrap_or(usual.rule),
            min_difference: form.min_difference.unwrap_or(usual.min_difference),
            step_secs: form.step_secs.unwrap_or(usual.step_secs),
            rate_window_secs: form.rate_window_secs.unwrap_or(usual.rate_window_secs),
            delay_secs: form.delay_secs.unwrap_or(usual.delay_secs),
            missing: form.missing.unwrap_or(usual.missing),
            min_samples: form.min_samples.unwrap_or(usual.min_samples),
            min_traffic: form.min_traffic,
            role: form.role.unwrap_or(usual.role),
            weight: form.weight.unwrap_or(usual.weight),
            ..usual
        }
    }
}

impl From<Signal> for Form {
    fn from(signal: Signal) -> Self {
        let usual = Signal::new(signal.name.clone(), signal.source.clone(), "", signal.kind);
        fn unless<T: PartialEq>(value: T, usual: &T) -> Option<T> {
            (value != *usual).then_some(value)
        }
        Self {
            direction: unless(signal.direction, &usual.direction),
            rule: unless(signal.rule, &usual.rule),
            min_difference: unless(signal.min_difference, &usual.min_difference),
            step_secs: unless(signal.step_secs, &usual.step_secs),
            rate_window_secs: unless(signal.rate_window_secs, &usual.rate_window_secs),
            delay_secs: unless(signal.delay_secs, &usual.delay_secs),
            missing: unless(signal.missing, &usual.missing),
            min_samples: unless(signal.min_samples, &usual.min_samples),
            role: unless(signal.role, &usual.role),
            weight: unless(signal.weight, &usual.weight),
            name: signal.name,
            source: signal.source,
            query: signal.query,
            by: signal.by,
            segment: signal.segment,
            kind: signal.kind,
            min_traffic: signal.min_traffic,
        }
    }
}

const USUAL_MIN_SAMPLES: u32 = 3;

/// Samples this far apart, in seconds, stand for much raw data each, and waiting for another costs much.
pub const LONG_STEP_SECS: u32 = 120;

/// How many samples after the deployment a regression takes where nothing is said: 3, or 2 where they are far apart.
#[must_use]
pub fn usual_min_samples(step_secs: u32) -> u32 {
    if step_secs >= LONG_STEP_SECS { 2 } else { USUAL_MIN_SAMPLES }
}

impl Signal {
    /// A signal with the defaults of its kind, a step of 60 s and the robust rule.
    #[must_use]
    pub fn new(name: SignalName, source: SourceName, query: &str, kind: SignalKind) -> Self {
        Self {
            name,
            source,
            query: query.to_owned(),
            by: None,
            segment: None,
            kind,
            direction: kind.direction(),
            rule: Rule::Robust,
            min_difference: kind.min_difference(),
            step_secs: 60,
            rate_window_secs: 0,
            delay_secs: 0,
            missing: Missing::Unknown,
            min_samples: USUAL_MIN_SAMPLES,
            min_traffic: None,
            role: Role::Normal,
            weight: 1,
        }
    }
}

impl SignalKind {
    /// Which way is bad, where nothing else is said.
    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Self::Traffic | Self::Quality => Direction::LowerIsWorse,
            Self::ErrorRatio | Self::Latency | Self::Saturation | Self::Custom => Direction::HigherIsWorse,
        }
    }

    /// The smallest difference that matters, where nothing else is said: 1 point of an error ratio, 5 of a percentage of
    /// saturation, and none for the rest.
    #[must_use]
    pub fn min_difference(self) -> f64 {
        match self {
            Self::ErrorRatio => 0.01,
            Self::Saturation => 5.0,
            Self::Latency | Self::Traffic | Self::Quality | Self::Custom => 0.0,
        }
    }
}

/// A template that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidTemplate(String);

/// The names in `query` that are neither given nor labels are the caller's to check.
///
/// # Errors
/// When the template cannot be parsed.
pub fn template_variables(query: &str) -> Result<Vec<String>, InvalidTemplate> {
    let env = environment();
    let template = env.template_from_str(query).map_err(|e| InvalidTemplate(describe(&e)))?;
    let mut names: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    names.sort();
    Ok(names)
}

/// Fills in a query template. Every value is escaped for a quoted string of PromQL; `{{ value | regex }}` escapes it
/// for use in a regular expression (`=~`) as well.
///
/// # Errors
/// When the template cannot be parsed, uses a value that is not given, or does not end within its fuel.
pub fn render_query(query: &str, values: &BTreeMap<String, String>) -> Result<String, InvalidTemplate> {
    let env = environment();
    let template = env.template_from_str(query).map_err(|e| InvalidTemplate(describe(&e)))?;
    template.render(values).map_err(|e| InvalidTemplate(describe(&e)))
}

/// How much work a template may do; rendering a query takes a few dozen instructions.
const TEMPLATE_FUEL: u64 = 10_000;

fn environment() -> minijinja::Environment<'static> {
    let mut env = minijinja::Environment::empty();
    env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    env.set_fuel(Some(TEMPLATE_FUEL));
    env.add_filter("regex", |text: String| regex::escape(&text));
    env.set_formatter(|out, _state, value| {
        if value.is_undefined() {
            return Err(minijinja::Error::new(
                minijinja::ErrorKind::UndefinedError,
                "the query uses a value that this service does not have",
            ));
        }
        let text = value.to_string();
        out.write_str(&escape_promql(&text)).map_err(minijinja::Error::from)
    });
    env
}

fn describe(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()))
}

/// Escapes text for a quoted string of PromQL, whichever quotes are around it. Backquotes take no escapes.
/// Source: <https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals>. A quote that is not the one around
/// the string must not be escaped by a backslash, so it is written as a number.
#[must_use]
pub fn escape_promql(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\x22"),
            '\'' => escaped.push_str("\\x27"),
            '`' => escaped.push_str("\\x60"),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// The first moment.
    pub start: Time,
    /// The last moment.
    pub end: Time,
}

/// One request to a metric source: what to ask, and whose answers are wanted of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeQuery {
    /// Who answers it.
    pub source: SourceName,
    /// The query, filled in.
    pub query: String,
    /// From when to when; both ends are multiples of `step_secs`.
    pub window: Window,
    /// The distance of samples, in seconds.
    pub step_secs: u32,
    /// The series that are wanted; none: all of them.
    pub only: Option<Only>,
}

/// Which series of an answer are wanted. A source that cannot tell them apart may give the others too, and none of these may
/// be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Only {
    /// The label by which they are told apart.
    pub label: String,
    /// Its values in the series that are wanted.
    pub values: BTreeSet<String>,
}
