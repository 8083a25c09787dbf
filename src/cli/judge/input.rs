//! From a file to the metrics that are judged.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use crate::adapters::metrics::json_points;
use crate::adapters::metrics::samples::{RawSeries, by_the_second};
use crate::adapters::metrics::selector::{NAME_LABEL, Selector};
use crate::adapters::metrics::table::{self, Columns, TableError};
use crate::cli::output::plain;
use crate::domain::ids::SignalName;
use crate::domain::judge::evidence::Series;

/// The largest file.
const MAX_BYTES: u64 = 256 << 20;
/// The most metrics that are judged at once.
const MAX_METRICS: usize = 100;
/// The most names that a message lists.
const MAX_LISTED: usize = 12;
/// The label that holds the service.
pub(super) const SERVICE_LABEL: &str = "service";
/// Prometheus' own label for the name of a metric.
const PROMETHEUS_NAME: &str = "__name__";
/// What a metric is called in a file that does not say.
const NAMELESS: &str = "value";

/// What is taken from a file.
pub(super) struct Chosen<'a> {
    pub(super) file: &'a Path,
    pub(super) columns: Columns,
    pub(super) select: Option<&'a str>,
    pub(super) service: Option<&'a str>,
}

/// The metrics of a file.
pub(super) struct Input {
    /// In the order in which they begin.
    pub(super) metrics: Vec<FileMetric>,
    /// The service, where there are several or one is named.
    pub(super) service: Option<String>,
    /// What is odd about the file.
    pub(super) warnings: Vec<String>,
}

/// One metric: the series that is judged, and those of other services.
pub(super) struct FileMetric {
    /// As the file has it.
    pub(super) title: String,
    /// As a signal may be called.
    pub(super) name: SignalName,
    /// All series, the own among them.
    pub(super) raw: Vec<RawSeries>,
    /// The same by the second.
    pub(super) series: Vec<Series>,
    /// Which of them is the own.
    own: usize,
}

impl FileMetric {
    /// The points of the series that is judged.
    pub(super) fn own(&self) -> Option<&RawSeries> {
        self.raw.get(self.own)
    }
}

/// Reads the file.
pub(super) fn load(wanted: &Chosen<'_>) -> anyhow::Result<Input> {
    let shown = plain(&wanted.file.display().to_string());
    let (mut series, warnings) = read(wanted).with_context(|| shown.clone())?;
    if let Some(selector) = wanted.select {
        let selector = Selector::parse(selector).map_err(|reason| anyhow::anyhow!("--select: {reason}"))?;
        series.retain(|one| selector.matches(&one.labels));
    }
    if series.is_empty() {
        let which = if wanted.select.is_some() { "nothing that --select leaves" } else { "no values" };
        bail!("{shown} has {which}");
    }
    let service = service(&series, wanted.service)?;
    let mut metrics: Vec<FileMetric> = Vec::new();
    for one in series {
        let title = [NAME_LABEL, PROMETHEUS_NAME].iter().find_map(|label| one.labels.get(*label));
        let title = title.cloned().unwrap_or_else(|| NAMELESS.to_owned());
        if let Some(metric) = metrics.iter_mut().find(|metric| metric.title == title) {
            metric.raw.push(one);
            continue;
        }
        ensure!(
            metrics.len() < MAX_METRICS,
            "{shown} has more than {MAX_METRICS} metrics: choose some with --select '{{metric=~\"a|b\"}}'"
        );
        let name = signal_name(&title, &metrics)?;
        metrics.push(FileMetric { title, name, raw: vec![one], series: Vec::new(), own: 0 });
    }
    let is_own =
        |one: &RawSeries| service.as_ref().is_none_or(|name| one.labels.get(SERVICE_LABEL) == Some(name));
    metrics.retain(|metric| metric.raw.iter().any(is_own));
    for metric in &mut metrics {
        let own: Vec<usize> =
            metric.raw.iter().enumerate().filter(|(_, one)| is_own(one)).map(|(index, _)| index).collect();
        metric.own = match own.as_slice() {
            [one] => *one,
            several => bail!("{}", ambiguous(metric, several)),
        };
        let by_the_second =
            |one: &RawSeries| Series { labels: one.labels.clone(), samples: by_the_second(&one.points) };
        metric.series = metric.raw.iter().map(by_the_second).collect();
    }
    Ok(Input { metrics, service, warnings })
}

fn read(wanted: &Chosen<'_>) -> anyhow::Result<(Vec<RawSeries>, Vec<String>)> {
    let mut bytes = Vec::new();
    std::fs::File::open(wanted.file)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        bail!("larger than {} MiB: keep what lies around the deployment", MAX_BYTES >> 20);
    }
    let begins = bytes.trim_ascii_start().first();
    let json = wanted.file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    if json || matches!(begins, Some(b'[' | b'{')) {
        let document = json_points::read(&bytes).map_err(|reason| anyhow::anyhow!(plain(&reason)))?;
        return Ok((document.series, document.warnings));
    }
    match table::read(&bytes, &wanted.columns) {
        Ok(table) => Ok((table.series, table.warnings)),
        Err(TableError::Columns(reason)) => {
            bail!("{} (here: --timestamp-column, --value-column, --label-column)", plain(&reason))
        }
        Err(TableError::Row(reason)) => bail!(plain(&reason)),
    }
}

/// Which service is judged.
fn service(series: &[RawSeries], named: Option<&str>) -> anyhow::Result<Option<String>> {
    let all: BTreeSet<&String> = series.iter().filter_map(|one| one.labels.get(SERVICE_LABEL)).collect();
    match (named, all.len()) {
        (Some(name), 0) => {
            bail!("no series has the label `{SERVICE_LABEL}`, so --service {} means nothing", plain(name))
        }
        (Some(name), _) if all.iter().any(|known| *known == name) => Ok(Some(name.to_owned())),
        (Some(name), _) => {
            bail!("there is no service {}: there are {}", plain(name), listed(all.into_iter()))
        }
        (None, 0 | 1) => Ok(all.into_iter().next().cloned()),
        (None, count) => {
            bail!("there are {count} services: choose one with --service: {}", listed(all.into_iter()))
        }
    }
}

fn listed<'n>(names: impl ExactSizeIterator<Item = &'n String>) -> String {
    let more = if names.len() > MAX_LISTED { ", …" } else { "" };
    plain(&names.take(MAX_LISTED).map(String::as_str).collect::<Vec<_>>().join(", ")) + more
}

/// Names the labels in which the series differ.
fn ambiguous(metric: &FileMetric, several: &[usize]) -> String {
    let of = |index: &usize| metric.raw.get(*index).map(|one| &one.labels);
    let labels: BTreeSet<&String> = several.iter().filter_map(of).flat_map(|labels| labels.keys()).collect();
    let differ = labels.into_iter().filter(|label| {
        let values: BTreeSet<_> = several.iter().filter_map(of).map(|labels| labels.get(*label)).collect();
        values.len() > 1
    });
    let differ: Vec<&String> = differ.collect();
    format!(
        "{} has {} series, which differ in {}: choose one with --select, such as --select '{{LABEL=\"VALUE\"}}'",
        plain(&metric.title),
        several.len(),
        listed(differ.into_iter())
    )
}

/// The metric's name with every character that a signal's name may not have replaced, unlike any before it.
fn signal_name(title: &str, metrics: &[FileMetric]) -> anyhow::Result<SignalName> {
    const MAX_CHARS: usize = 40;
    let plain = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '-' };
    let mut name: String = title.chars().take(MAX_CHARS).map(plain).collect();
    if SignalName::new(&*name).is_err() {
        name = format!("metric{name}");
    }
    let taken = |name: &str| metrics.iter().any(|metric| metric.name.as_str() == name);
    if taken(&name) {
        name = format!("{name}_{}", metrics.len() + 1);
    }
    Ok(SignalName::new(name)?)
}
