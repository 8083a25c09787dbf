//! Asking: which queries a pass sends, and what an answer means for each service.
//!
//! A signal that keeps a service label (`by`) is asked once for all services; the answer is then taken apart. Services
//! in the answer that had no deployment serve as controls.

mod reply;
mod request;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::Policy;
use crate::domain::environment::signal::{Rule, Signal, Window};
use crate::domain::field::{FieldRule, tokens};
use crate::domain::ids::{EnvironmentName, ServiceName};
use crate::domain::judge::evidence::{Evidence, Found, Gap, Sample, Seasonal, SignalEvidence};
use crate::domain::judge::usual::usual;
use crate::domain::time::{Time, human_secs};

pub use self::reply::{Reading, Reply, Sorted};
pub use self::request::{Part, Question, ask, requests};

/// The most controls that are kept as evidence for a signal.
pub const MAX_CONTROLS: usize = 8;

/// The most parts of a signal that are kept as evidence.
pub const MAX_SEGMENTS: usize = 32;

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
    /// Times before the deployment that do not say what is usual.
    pub unusual: Vec<Window>,
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
            unusual: Vec::new(),
        }
    }

    /// Leaves these times out of the baseline, which becomes that much longer: at most twice as long.
    #[must_use]
    pub fn without(mut self, windows: Vec<Window>) -> Self {
        let usual = usual(windows, self.deployed_at, self.policy.baseline_secs);
        self.policy.baseline_secs = usual.baseline_secs;
        self.unusual = usual.unusual;
        self
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

/// Puts the evidence about a subject together from its questions, in the order of [`ask`], and what they found.
#[must_use]
pub fn evidence(subject: &Subject, until: Time, readings: Vec<(Question, Reading)>) -> Evidence {
    let mut signals: Vec<SignalEvidence> = Vec::with_capacity(subject.signals.len());
    for (question, reading) in readings {
        if question.part == Part::Traffic {
            if let Some(signal) = signals.last_mut() {
                signal.traffic = Some(reading.found);
                signal.warnings.extend(reading.warnings);
            }
            continue;
        }
        let asked = question.request.map_or_else(|_| question.signal.query.clone(), |request| request.query);
        let mut signal = SignalEvidence {
            controls: reading.controls,
            warnings: reading.warnings,
            segments: reading.segments,
            ..SignalEvidence::new(question.signal, asked, reading.found)
        };
        bound_segments(&mut signal);
        signals.push(signal);
    }
    let unusual = subject.unusual.clone();
    Evidence { unusual, ..Evidence::new(subject.deployed_at, until, &subject.policy, signals) }
}

/// Leaves the parts with the most samples, and says how many are left out.
fn bound_segments(signal: &mut SignalEvidence) {
    let left_out = signal.segments.len().saturating_sub(MAX_SEGMENTS);
    if left_out == 0 {
        return;
    }
    signal.segments.sort_by_key(|segment| Reverse(segment.samples.len()));
    signal.segments.truncate(MAX_SEGMENTS);
    signal.segments.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(first) = signal.segments.first() {
        signal.found = Found::Samples(first.samples.clone());
    }
    let (label, all) = (signal.signal.segment.as_deref().unwrap_or_default(), left_out + MAX_SEGMENTS);
    signal.warnings.push(format!(
        "{left_out} of {all} parts by {label} are left out: those with the fewest samples; {MAX_SEGMENTS} are judged at most"
    ));
}

/// Adds the same window at another time to the evidence, in the order of [`ask`]. A window without samples says that there
/// is no season; one that could not be asked says nothing, and then the signal says nothing either: without its season an
/// everyday peak looks like damage. Each part of a signal has its own season.
pub fn add_seasonal(evidence: &mut Evidence, shift_secs: u32, readings: Vec<Reading>) {
    for (signal, mut reading) in evidence.signals.iter_mut().zip(readings) {
        for segment in &mut signal.segments {
            let same = reading.segments.iter_mut().find(|found| found.name == segment.name);
            let samples = same.map_or_else(Vec::new, |found| std::mem::take(&mut found.samples));
            segment.seasonal.push(Seasonal { shift_secs, samples });
        }
        let samples: Vec<Sample> = match reading.found {
            // The whole stands for its first part, whose name may be another at another time.
            Found::Samples(_) if signal.signal.segment.is_some() => {
                let first = signal.segments.first().and_then(|first| first.seasonal.last());
                first.map_or_else(Vec::new, |season| season.samples.clone())
            }
            Found::Samples(samples) => samples,
            Found::Gap(Gap::NoData) => Vec::new(),
            Found::Gap(gap @ (Gap::Unavailable(_) | Gap::Rejected(_) | Gap::Ambiguous(_))) => {
                if signal.signal.rule == Rule::Robust {
                    let earlier = human_secs(shift_secs.into());
                    signal.found =
                        Found::Gap(Gap::Unavailable(format!("the window {earlier} before: {gap}")));
                    // What has no season cannot be judged in parts either.
                    signal.segments.clear();
                }
                Vec::new()
            }
        };
        signal.seasonal.push(Seasonal { shift_secs, samples });
    }
}

#[cfg(test)]
mod tests;
