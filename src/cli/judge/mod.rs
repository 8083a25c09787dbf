//! `backout judge`: judges a file of metrics around a deployment, as the agent would, without any repository.

mod args;
mod guess;
mod input;
mod show;
mod weigh;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

pub(super) use self::args::{AFTER_HELP, JudgeArgs};
use self::guess::{Nature, guess};
use self::input::{Chosen, FileMetric, Input};
use self::weigh::{Stream, Weighed, title};
use super::common::{Common, Ending, Format};
use super::output;
use crate::adapters::metrics::samples::Point;
use crate::adapters::metrics::table::Columns;
use crate::config::ratio;
use crate::domain::environment::policy::Policy;
use crate::domain::environment::signal::{Direction, Signal, SignalKind};
use crate::domain::judge::verdict::{Judgement, Verdict, judge};
use crate::domain::time::Time;
use crate::page::svg;

/// How many steps are watched, and are the baseline, where that is longer than the agent's own defaults.
const WATCH_STEPS: u32 = 30;
const BASELINE_STEPS: u32 = 80;

/// What is printed as JSON.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    judgement: &'a Judgement,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'a Stream>,
}

/// Runs the command.
pub(super) fn run(common: &Common, args: &JudgeArgs) -> anyhow::Result<Ending> {
    let labels = (!args.label_column.is_empty()).then(|| args.label_column.clone());
    let columns =
        Columns { timestamp: args.timestamp_column.clone(), value: args.value_column.clone(), labels };
    let input = input::load(&Chosen {
        file: &args.series,
        columns,
        select: args.select.as_deref(),
        service: args.service.as_deref(),
    })?;
    input.warnings.iter().for_each(|warning| output::warning(warning));
    let signals = signals(args, &input)?;
    let step = signals.iter().map(|signal| signal.step_secs).max().unwrap_or(1);
    let policy = policy(args, step)?;
    let finest = signals.iter().map(|signal| signal.step_secs).min().unwrap_or(1);
    let until = until(args, &input, &policy, finest)?;
    let case = Weighed::new(&input, signals, args.deployed_at, policy, args.step.is_some())?;
    let (stream, evidence, judgement) = if args.stream {
        let (stream, evidence, judgement) = case.stream(until)?;
        (Some(stream), evidence, judgement)
    } else {
        let evidence = case.evidence(until);
        let judgement = judge(&evidence);
        (None, evidence, judgement)
    };
    let guessed = guessed(args, &input);
    let story = show::Story { input: &input, evidence: &evidence, judgement: &judgement, guessed };
    match common.format {
        Format::Json => output::json(&Report { judgement: &judgement, stream: stream.as_ref() })?,
        Format::Text => output::text(&story.text(args, stream.as_ref())),
    }
    if let Some(path) = &args.svg {
        let written = std::fs::write(path, svg::draw(&story.picture()));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(if judgement.verdict == Verdict::Regressed { Ending::Escalated } else { Ending::Quiet })
}

/// Until when samples count, `step_secs` being the least distance of samples.
fn until(args: &JudgeArgs, input: &Input, policy: &Policy, step_secs: u32) -> anyhow::Result<Time> {
    let edges = |edge: fn(&[crate::domain::judge::evidence::Sample]) -> Option<Time>| {
        input.metrics.iter().flat_map(|metric| &metric.series).filter_map(move |series| edge(&series.samples))
    };
    let first = edges(|samples| samples.first().map(|sample| sample.at)).min();
    let last = edges(|samples| samples.last().map(|sample| sample.at)).max();
    let (Some(first), Some(last)) = (first, last) else { bail!("the file has no values") };
    let deployed_at = args.deployed_at;
    ensure!(
        first <= deployed_at && deployed_at <= last.plus_secs(policy.baseline_secs.into()),
        "the file's values are from {first} to {last}, and the deployment at {deployed_at} is not among them"
    );
    match args.at {
        Some(at) if at < deployed_at => bail!("--at {at} is before the deployment"),
        Some(at) => Ok(at),
        None => {
            // The step that the last sample belongs to has to be a part of the window.
            let until = last.max(deployed_at).plus_secs(args.step.map_or(0, |step| i64::from(step) - 1));
            // Where there is no room for another sample, the file shows the whole watch.
            let closes_at = deployed_at.plus_secs(policy.watch_secs.into());
            let whole = closes_at.secs_since(last) < i64::from(step_secs);
            Ok(if whole { until.max(closes_at) } else { until })
        }
    }
}

fn policy(args: &JudgeArgs, step: u32) -> anyhow::Result<Policy> {
    let usual = Policy::default();
    let policy = Policy {
        settle_secs: args.settle.unwrap_or(usual.settle_secs),
        watch_secs: args.watch.unwrap_or_else(|| usual.watch_secs.max(step.saturating_mul(WATCH_STEPS))),
        baseline_secs: args
            .baseline
            .unwrap_or_else(|| usual.baseline_secs.max(step.saturating_mul(BASELINE_STEPS))),
        ..usual
    };
    ensure!(policy.settle_secs < policy.watch_secs, "--settle must be shorter than --watch");
    Ok(policy)
}

fn signals(args: &JudgeArgs, input: &Input) -> anyhow::Result<Vec<Signal>> {
    let kinds = overrides(&args.kind, input, "--kind", word::<SignalKind>)?;
    let directions = overrides(&args.direction, input, "--direction", word::<Direction>)?;
    let differences =
        overrides(&args.min_difference, input, "--min-difference", |text| ratio(text).filter(|n| *n >= 0.0))?;
    ensure!(args.step != Some(0), "--step must be more than zero");
    let signal = |metric: &FileMetric| {
        let usual = kinds.of(metric).map_or_else(|| guessed_nature(metric), Nature::of);
        let nature = Nature {
            direction: directions.of(metric).unwrap_or(usual.direction),
            min_difference: differences.of(metric).unwrap_or(usual.min_difference),
            ..usual
        };
        let step_secs = args.step.unwrap_or_else(|| metric.own().map_or(60, |own| spacing(&own.points)));
        weigh::signal(metric, nature, step_secs, input.service.is_some())
    };
    input.metrics.iter().map(signal).collect()
}

fn guessed_nature(metric: &FileMetric) -> Nature {
    let in_unit = metric.own().is_some_and(|own| own.points.iter().all(|p| (0.0..=1.0).contains(&p.value)));
    guess(&metric.title, in_unit)
}

/// The metrics whose kind nobody has named.
fn guessed(args: &JudgeArgs, input: &Input) -> Vec<bool> {
    let named = |metric: &FileMetric| {
        args.kind.iter().any(|text| text.rsplit_once('=').is_none_or(|(name, _)| name == metric.title))
    };
    input.metrics.iter().map(|metric| !named(metric)).collect()
}

/// The median distance of points, in whole seconds.
fn spacing(points: &[Point]) -> u32 {
    let mut gaps: Vec<i64> = points
        .windows(2)
        .filter_map(|pair| match pair {
            [one, other] => Some(other.at_ms - one.at_ms),
            _ => None,
        })
        .collect();
    gaps.sort_unstable();
    let median = gaps.get(gaps.len() / 2).copied().unwrap_or(60_000);
    u32::try_from((median + 500) / 1000).unwrap_or(u32::MAX).max(1)
}

/// What was said for all metrics, and for some.
struct Overrides<T> {
    all: Option<T>,
    named: Vec<(String, T)>,
}

impl<T: Copy> Overrides<T> {
    fn of(&self, metric: &FileMetric) -> Option<T> {
        let named = self.named.iter().rfind(|(name, _)| *name == metric.title);
        named.map(|(_, value)| *value).or(self.all)
    }
}

fn overrides<T>(
    texts: &[String],
    input: &Input,
    flag: &str,
    read: impl Fn(&str) -> Option<T>,
) -> anyhow::Result<Overrides<T>> {
    let mut found = Overrides { all: None, named: Vec::new() };
    for text in texts {
        let (name, value) =
            text.rsplit_once('=').map_or((None, text.as_str()), |(name, value)| (Some(name), value));
        let value = read(value).with_context(|| format!("{flag}: {value:?} is not known; see --help"))?;
        match name {
            None => found.all = Some(value),
            Some(name) if input.metrics.iter().any(|metric| metric.title == name) => {
                found.named.push((name.to_owned(), value));
            }
            Some(name) => {
                let known: Vec<&str> = input.metrics.iter().map(|m| title(input, &m.name)).collect();
                bail!("{flag}: there is no metric {name:?}: there are {}", output::plain(&known.join(", ")))
            }
        }
    }
    Ok(found)
}

/// One of the words of the configuration.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_the_median_distance() {
        let points = |times: &[i64]| -> Vec<Point> {
            times.iter().map(|at_ms| Point { at_ms: *at_ms, value: 0.0 }).collect()
        };
        assert_eq!(spacing(&points(&[0, 60_200, 120_000, 180_100, 900_000])), 60);
        assert_eq!(spacing(&points(&[0, 100, 200])), 1);
        assert_eq!(spacing(&points(&[5])), 60);
    }
}
