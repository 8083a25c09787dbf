//! What a metric source said: samples, or the reason why there are none.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::series;
pub use super::series::Sample;
use crate::domain::environment::policy::Policy;
use crate::domain::environment::signal::{Signal, Window};
use crate::domain::ids::CommitId;
use crate::domain::time::Time;

/// A time series as a source gave it: labels and samples in time order, one a timestamp at most.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// The labels that tell it from the others of the same answer.
    pub labels: BTreeMap<String, String>,
    /// The samples, in time order, all finite.
    pub samples: Vec<Sample>,
}

/// Why there is nothing to judge. Never a reason to revert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "gap", content = "reason")]
pub enum Gap {
    /// The source answered, and has no samples.
    #[error("no data")]
    NoData,
    /// The source did not answer, or not in time, or not in full.
    #[error("metric source unavailable: {0}")]
    Unavailable(String),
    /// The source refused the question, or the question cannot be asked.
    #[error("query rejected: {0}")]
    Rejected(String),
    /// The source answered with several series where one is needed.
    #[error(
        "{0} series where one is needed: aggregate the query, or say which label names the service with `by`"
    )]
    Ambiguous(usize),
}

/// All that is known for judging one deployment. A verdict is a pure function of this value, and this value is what
/// the audit log keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// When the deployment came to be on its branch, or the revert after which it is looked at.
    pub deployed_at: Time,
    /// The revert after which it is looked at, where there is one. The baseline is then what was before the deployment that it
    /// reverted, moved to be before the revert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_revert: Option<CommitId>,
    /// Until when samples were looked at; nothing later is in here.
    pub judged_at: Time,
    /// Samples before `deployed_at + settle_secs` are not judged.
    pub settle_secs: u32,
    /// How long after the deployment it is watched.
    pub watch_secs: u32,
    /// How much history before the deployment is the baseline.
    pub baseline_secs: u32,
    /// How much regressed signals must weigh together; critical ones are enough alone.
    pub quorum: u32,
    /// What each signal said.
    pub signals: Vec<SignalEvidence>,
    /// Times before the deployment that do not say what is usual: another deployment was settling, or was bad.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unusual: Vec<Window>,
    /// Other deployments that could be to blame for what is seen here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rivals: Vec<Rival>,
}

/// Another deployment about whose signals the same can be said at about the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rival {
    /// Its service.
    pub service: String,
    /// When it was deployed.
    pub deployed_at: Time,
    /// Since when its own signals are worse.
    pub since: Time,
    /// The distance of its samples, in seconds: of several signals, the longest.
    pub step_secs: u32,
    /// How its service stands to this one.
    pub relation: Relation,
}

/// How another service stands to this one, by the dependencies that are declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// This one depends on it, maybe through others.
    Dependency,
    /// It depends on this one, maybe through others.
    Dependent,
    /// Neither is declared, or both are.
    #[default]
    Unknown,
}

/// What one signal said about one deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SignalEvidence {
    /// The signal, with its rule.
    pub signal: Signal,
    /// The query as it was asked. Empty where it was not kept: in the record of a healthy deployment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub asked: String,
    /// The samples from the start of the baseline to the end of the watch window or `judged_at`.
    pub found: Found,
    /// The same window at other times (a day and a week ago), where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seasonal: Vec<Seasonal>,
    /// The same signal, in the same window, for services that had no deployment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<Control>,
    /// What the source warned of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The parts into which the signal is split by its label, in the order of their names; `found` is the first of them
    /// then, or says why there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
    /// The service's traffic, where the signal asks for a least one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Found>,
}

/// One part of a signal that is split by a label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// The label's value: `eu-west-1`.
    pub name: String,
    /// Its samples, in time order, all finite.
    #[serde(with = "series")]
    #[schemars(with = "series::Form")]
    pub samples: Vec<Sample>,
    /// The same window at other times, as for the whole signal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seasonal: Vec<Seasonal>,
}

impl SignalEvidence {
    /// What a signal said, and nothing else.
    #[must_use]
    pub fn new(signal: Signal, asked: String, found: Found) -> Self {
        Self {
            signal,
            asked,
            found,
            seasonal: Vec::new(),
            controls: Vec::new(),
            warnings: Vec::new(),
            segments: Vec::new(),
            traffic: None,
        }
    }
}

impl Evidence {
    /// The distance of samples, in seconds: of several signals, the longest.
    #[must_use]
    pub fn step_secs(&self) -> u32 {
        self.signals.iter().map(|signal| signal.signal.step_secs).max().unwrap_or(0)
    }

    /// Evidence about a deployment under a policy, with nothing said about other deployments.
    #[must_use]
    pub fn new(deployed_at: Time, judged_at: Time, policy: &Policy, signals: Vec<SignalEvidence>) -> Self {
        Self {
            deployed_at,
            after_revert: None,
            judged_at,
            settle_secs: policy.settle_secs,
            watch_secs: policy.watch_secs,
            baseline_secs: policy.baseline_secs,
            quorum: policy.quorum,
            signals,
            unusual: Vec::new(),
            rivals: Vec::new(),
        }
    }

    /// The same with every time so many seconds later.
    #[must_use]
    pub fn moved(mut self, secs: i64) -> Self {
        let later = |time: &mut Time| *time = time.plus_secs(secs);
        let all = |samples: &mut Vec<Sample>| samples.iter_mut().for_each(|sample| later(&mut sample.at));
        let found = |found: &mut Found| {
            if let Found::Samples(samples) = found {
                all(samples);
            }
        };
        later(&mut self.deployed_at);
        later(&mut self.judged_at);
        for window in &mut self.unusual {
            later(&mut window.start);
            later(&mut window.end);
        }
        for rival in &mut self.rivals {
            later(&mut rival.deployed_at);
            later(&mut rival.since);
        }
        for signal in &mut self.signals {
            found(&mut signal.found);
            signal.traffic.iter_mut().for_each(found);
            signal.seasonal.iter_mut().for_each(|one| all(&mut one.samples));
            signal.controls.iter_mut().for_each(|one| all(&mut one.samples));
            for segment in &mut signal.segments {
                all(&mut segment.samples);
                segment.seasonal.iter_mut().for_each(|one| all(&mut one.samples));
            }
        }
        self
    }
}

/// Samples, or why there are none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// Samples in time order, all finite; at least one.
    Samples(
        #[serde(with = "series")]
        #[schemars(with = "series::Form")]
        Vec<Sample>,
    ),
    /// Nothing to judge.
    Gap(Gap),
}

/// A signal's samples in the same window some time before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Seasonal {
    /// How long before, in seconds: a day or a week.
    pub shift_secs: u32,
    /// The samples at their own times (not shifted), in time order, all finite.
    #[serde(with = "series")]
    #[schemars(with = "series::Form")]
    pub samples: Vec<Sample>,
}

/// A signal's samples for a service that had no deployment in the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// Which service.
    pub service: String,
    /// Its samples, in time order, all finite.
    #[serde(with = "series")]
    #[schemars(with = "series::Form")]
    pub samples: Vec<Sample>,
}
