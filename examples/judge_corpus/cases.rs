//! Labelled deployments, and how a folder of them is read.
//!
//! What the rules cannot do without is an error: a label, a time of deployment, a table with three columns. All else
//! may be absent: metrics without samples, samples of metrics that nobody names, values that are no numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use backout::domain::environment::signal::{Direction, SignalKind};
use backout::domain::judge::evidence::Sample;
use backout::domain::time::Time;
use serde::Deserialize;

/// How many steps before the deployment are its baseline: enough for the judge's 60 samples, and for the 20 of the
/// earliest pretended deployment before them.
pub(crate) const BASELINE_STEPS: u32 = 80;

/// The step of a case that neither says it nor has two samples.
const USUAL_STEP_SECS: u32 = 60;

/// The watch window of a case that does not say it.
const USUAL_HORIZON_SECS: u32 = 1800;

/// What a deployment really did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// It did damage.
    Regression,
    /// It did none.
    Healthy,
    /// There is damage, from before the deployment.
    Preexisting,
}

impl Label {
    fn read(word: &str) -> Result<Self> {
        match word {
            "regression" => Ok(Self::Regression),
            "healthy" => Ok(Self::Healthy),
            "preexisting" => Ok(Self::Preexisting),
            _ => bail!("the label is {word:?}, not regression, healthy or preexisting"),
        }
    }

    /// The label in one word, for people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Healthy => "healthy",
            Self::Preexisting => "preexisting",
        }
    }
}

/// One deployment with the metrics around it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) id: String,
    /// Where it comes from: scores are given for each source.
    pub(crate) source: String,
    /// What the deployment really did.
    pub(crate) label: Label,
    /// Whether the damage can be seen in these metrics at all.
    pub(crate) observable: bool,
    /// When it was deployed, in unix seconds.
    pub(crate) deployed_at: i64,
    /// When the damage began, where that is known.
    pub(crate) onset: Option<i64>,
    /// The distance of samples, in seconds.
    pub(crate) step_secs: u32,
    /// How long the deployment is watched, in seconds.
    pub(crate) horizon_secs: u32,
    /// How many steps before the deployment are the baseline.
    pub(crate) baseline_steps: u32,
    /// What was measured.
    pub(crate) metrics: Vec<Metric>,
    /// When to judge, in order; the last is the end of the watch window.
    pub(crate) ticks: Vec<i64>,
}

/// One metric of a case. Shares of successes in percent are shares of 1 here.
#[derive(Clone, Debug)]
pub(crate) struct Metric {
    /// Its name.
    pub(crate) name: String,
    /// What it measures.
    pub(crate) kind: SignalKind,
    /// Whether its values are shares of successes.
    pub(crate) successes: bool,
    /// Which way is bad.
    pub(crate) direction: Direction,
    /// The smallest difference that matters, where one is given.
    pub(crate) min_difference: Option<f64>,
    /// In time order, all finite.
    pub(crate) samples: Vec<Sample>,
}

impl Case {
    /// The end of the watch window, in unix seconds.
    pub(crate) fn closes_at(&self) -> i64 {
        self.deployed_at.saturating_add(i64::from(self.horizon_secs))
    }

    /// How much before the deployment is the baseline.
    pub(crate) fn baseline_secs(&self) -> u32 {
        self.step_secs.saturating_mul(self.baseline_steps)
    }
}

/// The distinct times of samples within the watch window, and its end.
pub(crate) fn ticks(times: impl Iterator<Item = i64>, deployed_at: i64, closes_at: i64) -> Vec<i64> {
    let mut ticks: BTreeSet<i64> = times.filter(|at| *at > deployed_at && *at < closes_at).collect();
    ticks.insert(closes_at);
    ticks.into_iter().collect()
}

/// The samples from one time to another, both included.
pub(crate) fn within(samples: &[Sample], from: i64, to: i64) -> &[Sample] {
    let start = samples.partition_point(|sample| sample.at.unix() < from);
    let end = samples.partition_point(|sample| sample.at.unix() <= to);
    samples.get(start..end).unwrap_or_default()
}

/// The folders of a folder that hold a case, in the order of their names.
pub(crate) fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(dir)
        .with_context(|| format!("{} cannot be listed", dir.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    folders.retain(|folder| ["case.json", "series.csv"].iter().any(|file| folder.join(file).exists()));
    folders.sort();
    Ok(folders)
}

/// `case.json`, as far as it matters here.
#[derive(Deserialize)]
struct Description {
    id: Option<String>,
    source: Option<String>,
    label: String,
    deploy_time: f64,
    metrics: Option<BTreeMap<String, Option<MetricDescription>>>,
    direction: Option<serde_json::Value>,
    step_s: Option<f64>,
    eval_horizon_s: Option<f64>,
    observable: Option<bool>,
    fault_onset: Option<f64>,
}

#[derive(Default, Deserialize)]
struct MetricDescription {
    direction: Option<String>,
    kind: Option<String>,
    abs_min: Option<f64>,
}

/// Reads the case of a folder: `case.json` and `series.csv` (`timestamp,metric,value`; unix seconds).
pub(crate) fn read(folder: &Path) -> Result<Case> {
    // Python writes NaN where there is nothing, which is no JSON.
    let description = read_text(&folder.join("case.json"))?.replace(": NaN", ": null");
    let description: Description = serde_json::from_str(&description).context("case.json is not a case")?;
    let mut series = read_series(&folder.join("series.csv")).context("series.csv")?;
    let deployed_at = unix(description.deploy_time).context("deploy_time")?;
    let onset = description.fault_onset.map(unix).transpose().context("fault_onset")?;
    let step_secs = match description.step_s {
        Some(secs) => duration(secs),
        None => usual_gap(&series).unwrap_or(USUAL_STEP_SECS),
    };
    let horizon_secs = description.eval_horizon_s.map_or(USUAL_HORIZON_SECS, duration);
    let closes_at = deployed_at.saturating_add(i64::from(horizon_secs));
    let times = series.values().flatten().map(|sample| sample.at.unix());
    let ticks = ticks(times, deployed_at, closes_at);
    let named = description.metrics.unwrap_or_else(|| directions_alone(description.direction.as_ref()));
    let metrics = named
        .into_iter()
        .map(|(name, metric)| {
            let samples = series.remove(&name).unwrap_or_default();
            let beside = description.direction.as_ref().and_then(|all| all.get(&name)?.as_str());
            read_metric(name, &metric.unwrap_or_default(), beside, samples)
        })
        .collect();
    let folder_name = || folder.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Case {
        id: description.id.or_else(folder_name).unwrap_or_default(),
        source: description.source.unwrap_or_else(|| "unknown".to_owned()),
        label: Label::read(&description.label)?,
        observable: description.observable.unwrap_or(true),
        deployed_at,
        onset,
        step_secs,
        horizon_secs,
        baseline_steps: BASELINE_STEPS,
        metrics,
        ticks,
    })
}

/// The metrics of a case that says their directions and nothing else.
fn directions_alone(directions: Option<&serde_json::Value>) -> BTreeMap<String, Option<MetricDescription>> {
    let names = directions.and_then(serde_json::Value::as_object).into_iter().flat_map(serde_json::Map::keys);
    names.map(|name| (name.clone(), None)).collect()
}

fn read_metric(
    name: String,
    metric: &MetricDescription,
    beside: Option<&str>,
    mut samples: Vec<Sample>,
) -> Metric {
    let (kind, successes) = match metric.kind.as_deref().unwrap_or_default() {
        "error_rate" => (SignalKind::ErrorRatio, false),
        "success_pct" => (SignalKind::ErrorRatio, true),
        "latency" => (SignalKind::Latency, false),
        "traffic" => (SignalKind::Traffic, false),
        "saturation" => (SignalKind::Saturation, false),
        _ => (SignalKind::Custom, false),
    };
    let scale = if successes { 0.01 } else { 1.0 };
    samples.iter_mut().for_each(|sample| sample.value *= scale);
    let direction = match metric.direction.as_deref().or(beside) {
        Some("lower_is_worse") => Direction::LowerIsWorse,
        Some(_) => Direction::HigherIsWorse,
        None if successes || kind == SignalKind::Traffic => Direction::LowerIsWorse,
        None => Direction::HigherIsWorse,
    };
    Metric {
        name,
        kind,
        successes,
        direction,
        min_difference: metric.abs_min.map(|least| least * scale),
        samples,
    }
}

fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn read_series(path: &Path) -> Result<BTreeMap<String, Vec<Sample>>> {
    let text = read_text(path)?;
    let mut series: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    for (index, row) in text.lines().enumerate().skip(1).filter(|(_, row)| !row.trim().is_empty()) {
        let place = || format!("line {}", index + 1);
        let mut cells = row.split(',').map(|cell| cell.trim().trim_matches('"'));
        let (Some(at), Some(metric), Some(value)) = (cells.next(), cells.next(), cells.next()) else {
            bail!("{} has not three cells", place());
        };
        let at: f64 = at.parse().with_context(place)?;
        let value = match value {
            "" | "null" | "None" | "NA" => continue,
            number => number.parse::<f64>().with_context(place)?,
        };
        if value.is_finite() {
            let sample = Sample { at: Time::from_unix(unix(at).with_context(place)?), value };
            series.entry(metric.to_owned()).or_default().push(sample);
        }
    }
    series.values_mut().for_each(|samples| samples.sort_by_key(|sample| sample.at));
    Ok(series)
}

/// The most usual distance of two samples.
fn usual_gap(series: &BTreeMap<String, Vec<Sample>>) -> Option<u32> {
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for samples in series.values() {
        for (one, next) in samples.iter().zip(samples.iter().skip(1)) {
            *counts.entry(next.at.secs_since(one.at)).or_default() += 1;
        }
    }
    counts.remove(&0);
    let (gap, _) = counts.into_iter().max_by_key(|(gap, count)| (*count, -gap))?;
    u32::try_from(gap).ok()
}

/// Whole unix seconds, rounded down.
fn unix(secs: f64) -> Result<i64> {
    // The year 5138: what is beyond it is in milliseconds, or no time at all.
    if !secs.is_finite() || secs.abs() > 1e11 {
        bail!("{secs} is no time in unix seconds");
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole, and small enough")]
    let whole = secs.floor() as i64;
    Ok(whole)
}

/// Whole seconds, at least one.
fn duration(secs: f64) -> u32 {
    let whole = unix(secs.round()).unwrap_or(0);
    u32::try_from(whole).unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(description: &str, series: &str) -> Result<Case> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("case.json"), description)?;
        std::fs::write(folder.path().join("series.csv"), series)?;
        read(folder.path())
    }

    #[test]
    fn what_is_absent_has_a_usual_value() {
        let description = r#"{"label": "healthy", "deploy_time": 1000.5, "fault_onset": NaN, "more": [1],
            "metrics": {"a": {"kind": "success_pct", "abs_min": 1.0}, "b": null, "c": {"kind": "new", "abs_min": null}}}"#;
        let series =
            "timestamp,metric,value\n1060.25,a,99\n940,a,100\n1000,a,\n1060,a,nan\n1120,a,98\n1180,d,1\n";
        let case = case(description, series).unwrap();
        assert_eq!((case.deployed_at, case.onset, case.step_secs, case.horizon_secs), (1000, None, 60, 1800));
        assert_eq!(case.ticks, [1060, 1120, 1180, 2800]);
        assert!(case.observable);
        let names: Vec<(&str, usize)> =
            case.metrics.iter().map(|metric| (metric.name.as_str(), metric.samples.len())).collect();
        assert_eq!(names, [("a", 3), ("b", 0), ("c", 0)]);
        assert_eq!(case.metrics[0].direction, Direction::LowerIsWorse);
        assert_eq!(case.metrics[0].min_difference, Some(0.01));
        assert_eq!(case.metrics[0].samples[1], Sample::from((1060, 0.99)));
        assert_eq!(case.metrics[1].direction, Direction::HigherIsWorse);
    }

    #[test]
    fn directions_may_stand_beside_the_metrics() {
        let description =
            r#"{"label": "preexisting", "deploy_time": 0, "direction": {"t": "lower_is_worse"}}"#;
        let case = case(description, "").unwrap();
        assert_eq!(case.metrics[0].direction, Direction::LowerIsWorse);
        assert_eq!(case.ticks, [1800]);
    }

    #[test]
    fn what_is_no_case_says_why() {
        let problem = |description, series| format!("{:#}", case(description, series).unwrap_err());
        assert!(problem("{", "").starts_with("case.json is not a case"));
        assert!(problem(r#"{"label": "odd", "deploy_time": 1}"#, "").contains("the label is \"odd\""));
        assert!(
            problem(r#"{"label": "healthy", "deploy_time": 1e12}"#, "").contains("no time in unix seconds")
        );
        let healthy = r#"{"label": "healthy", "deploy_time": 1}"#;
        assert_eq!(problem(healthy, "h\n1,a\n"), "series.csv: line 2 has not three cells");
        assert!(problem(healthy, "h\n1,a,x\n").starts_with("series.csv: line 2: invalid float"));
    }
}
