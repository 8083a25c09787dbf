//! Puts the evidence together as the agent does, and judges it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::guess::Nature;
use super::input::{FileMetric, Input, SERVICE_LABEL};
use crate::adapters::metrics::samples::{RawSeries, aligned};
use crate::domain::environment::policy::Policy;
use crate::domain::environment::signal::{Signal, Window, usual_min_samples};
use crate::domain::ids::{EnvironmentName, ServiceName, SignalName, SourceName};
use crate::domain::judge::evidence::{Evidence, Found, Series};
use crate::domain::judge::question::{
    Question, Reading, Reply, SEASONAL_SHIFTS_SECS, Sorted, Subject, add_seasonal, ask, evidence,
};
use crate::domain::judge::verdict::{Judgement, Verdict, judge, needs_history};
use crate::domain::time::Time;

/// The most moments at which a file is judged.
const MAX_MOMENTS: usize = 5_000;

/// What is judged, and how.
pub(super) struct Weighed<'i> {
    input: &'i Input,
    subject: Subject,
    /// Whether samples are taken at the steps of the query, as the agent takes them, and not at their own times.
    on_steps: bool,
}

/// The verdict over time.
#[derive(Debug, Serialize)]
pub(super) struct Stream {
    /// When the verdict was first final; none while it is pending.
    pub(super) final_at: Option<Time>,
    /// When it became another.
    pub(super) changes: Vec<Change>,
    /// At how many moments the file was judged.
    pub(super) moments: usize,
}

/// A verdict that is another than the one before.
#[derive(Debug, Serialize)]
pub(super) struct Change {
    pub(super) at: Time,
    #[serde(flatten)]
    pub(super) verdict: Verdict,
    pub(super) reason: String,
}

/// A signal for a metric.
pub(super) fn signal(
    metric: &FileMetric,
    nature: Nature,
    step_secs: u32,
    by_service: bool,
) -> anyhow::Result<Signal> {
    // A name has no character that means something in a template.
    let signal =
        Signal::new(metric.name.clone(), SourceName::new("file")?, metric.name.as_str(), nature.kind);
    Ok(Signal {
        by: by_service.then(|| SERVICE_LABEL.to_owned()),
        direction: nature.direction,
        min_difference: nature.min_difference,
        step_secs,
        min_samples: usual_min_samples(step_secs),
        ..signal
    })
}

impl<'i> Weighed<'i> {
    /// One deployment, with a signal for each metric of the input.
    pub(super) fn new(
        input: &'i Input,
        signals: Vec<Signal>,
        deployed_at: Time,
        policy: Policy,
        on_steps: bool,
    ) -> anyhow::Result<Self> {
        let labels: BTreeMap<String, String> =
            input.service.iter().map(|service| (SERVICE_LABEL.to_owned(), service.clone())).collect();
        let subject = Subject {
            environment: EnvironmentName::new("file")?,
            service: ServiceName::new("file")?,
            labels,
            image_tag: None,
            deployed_at,
            policy,
            signals,
            unusual: Vec::new(),
        };
        Ok(Self { input, subject, on_steps })
    }

    /// All that is known at `until`; the windows a day and a week before, where the verdict needs them.
    pub(super) fn evidence(&self, until: Time) -> Evidence {
        let mut found = evidence(&self.subject, until, self.readings(until, 0));
        if needs_history(&found) {
            for shift in SEASONAL_SHIFTS_SECS {
                let readings = self.readings(until, shift);
                add_seasonal(&mut found, shift, readings.into_iter().map(|(_, reading)| reading).collect());
            }
        }
        found
    }

    /// Judges at each moment with a sample after the deployment, until the verdict is final. Returns the last evidence.
    pub(super) fn stream(&self, until: Time) -> anyhow::Result<(Stream, Evidence, Judgement)> {
        let deployed_at = self.subject.deployed_at;
        let closes_at = deployed_at.plus_secs(self.subject.policy.watch_secs.into());
        let whole = self.evidence(until);
        let mut moments: BTreeSet<Time> = whole
            .signals
            .iter()
            .filter_map(|signal| match &signal.found {
                Found::Samples(samples) => Some(samples),
                Found::Gap(_) => None,
            })
            .flatten()
            .map(|sample| sample.at)
            .filter(|at| *at > deployed_at && *at <= until.min(closes_at))
            .collect();
        moments.insert(until.min(closes_at));
        anyhow::ensure!(
            moments.len() <= MAX_MOMENTS,
            "{} moments after the deployment, more than {MAX_MOMENTS}: use a longer --step, or a shorter --watch",
            moments.len()
        );
        let mut stream = Stream { final_at: None, changes: Vec::new(), moments: 0 };
        let mut last = (judge(&whole), whole);
        for at in moments {
            let evidence = self.evidence(at);
            let judgement = judge(&evidence);
            stream.moments += 1;
            let verdict = &judgement.verdict;
            if stream.changes.last().is_none_or(|change| change.verdict.word() != verdict.word()) {
                let reason = judgement.reason.clone();
                stream.changes.push(Change { at, verdict: verdict.clone(), reason });
            }
            let settled = *verdict != Verdict::Pending;
            last = (judgement, evidence);
            if settled {
                stream.final_at = Some(at);
                break;
            }
        }
        let (judgement, evidence) = last;
        Ok((stream, evidence, judgement))
    }

    fn readings(&self, until: Time, shift_secs: u32) -> Vec<(Question, Reading)> {
        let deployed: BTreeSet<String> = self.input.service.iter().cloned().collect();
        let questions = ask(&self.subject, until, shift_secs);
        let answer = |(mut question, metric): (Question, &FileMetric)| {
            if !self.on_steps
                && let Ok(request) = &mut question.request
            {
                request.window = self.window(until, shift_secs);
            }
            let reply: Reply = Ok((self.series(&question, metric), Vec::new()));
            let reading = Sorted::new(&reply, question.signal.by.as_deref(), &deployed).read(&question);
            (question, reading)
        };
        questions.into_iter().zip(&self.input.metrics).map(answer).collect()
    }

    /// The window to the second, for samples at their own times.
    fn window(&self, until: Time, shift_secs: u32) -> Window {
        let Subject { deployed_at, policy, .. } = &self.subject;
        let shift = i64::from(shift_secs);
        let end = until.min(deployed_at.plus_secs(policy.watch_secs.into()));
        Window {
            start: deployed_at.minus_secs(policy.baseline_secs.into()).minus_secs(shift),
            end: end.minus_secs(shift),
        }
    }

    fn series(&self, question: &Question, metric: &FileMetric) -> Vec<Series> {
        let Ok(request) = &question.request else { return Vec::new() };
        let window = request.window;
        let taken = |(raw, series): (&RawSeries, &Series)| {
            let samples = if self.on_steps {
                aligned(&raw.points, window, request.step_secs)
            } else {
                let first = series.samples.partition_point(|sample| sample.at < window.start);
                let end = series.samples.partition_point(|sample| sample.at <= window.end);
                series.samples.get(first..end).unwrap_or_default().to_vec()
            };
            Series { labels: series.labels.clone(), samples }
        };
        let all = metric.raw.iter().zip(&metric.series).map(taken);
        all.filter(|series| !series.samples.is_empty()).collect()
    }
}

/// The names of the signals, for messages.
pub(super) fn title<'i>(input: &'i Input, name: &SignalName) -> &'i str {
    input.metrics.iter().find(|metric| metric.name == *name).map_or("", |metric| metric.title.as_str())
}
