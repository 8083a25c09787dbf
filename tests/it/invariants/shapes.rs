//! Files that deploy a version, in the shapes in which real repos hold them, and metrics that follow the version.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use backout::domain::environment::signal::RangeQuery;
use backout::domain::ids::{BranchName, FilePath};
use backout::domain::judge::evidence::{Sample, Series};
use backout::domain::time::Time;
use backout::ports::{Answer, BoxFuture, MetricSource, SourceError};

use crate::support::process::Process;
use crate::support::simulated::Remote;

/// How many shapes there are.
pub(super) const SHAPES: usize = 8;

/// The path of a service's file.
pub(super) fn path(service: &str, shape: usize) -> FilePath {
    let file = match shape {
        0 | 6 => "values.yaml",
        1 => "kustomization.yaml",
        2 => "deployment.yaml",
        3 => "VERSION",
        4 => "release.json",
        5 => "application.yaml",
        _ => "release.env",
    };
    FilePath::new(format!("apps/{service}/{file}")).unwrap()
}

/// The file with a version, and something else that may change.
pub(super) fn text(service: &str, shape: usize, version: &str, other: u32) -> String {
    match shape {
        0 => format!(
            "# by hand\nimage:\n  repository: shop/{service}\n  tag: {version}  # keep\nreplicas: {other}\n"
        ),
        1 => format!(
            "replicas: [{{name: x, count: {other}}}]\nimages:\n- name: shop/{service}\n  newTag: \"{version}\"\n"
        ),
        2 => format!(
            "spec:\n  replicas: {other}\n  template:\n    spec:\n      containers:\n      - name: main\n        image: \
             shop/{service}:{version}\n      - name: side\n        image: shop/side:v3.0.0\n"
        ),
        3 => format!("{version}\n"),
        4 => format!("{{\n  \"image\": {{\"tag\": \"{version}\"}},\n  \"replicas\": {other}\n}}\n"),
        5 => format!(
            "spec:\n  source:\n    chart: {service}\n    targetRevision: {version}\n  count: {other}\n"
        ),
        6 => format!("replicas: {other}\r\nimage:\r\n  tag: '{version}'\r\n"),
        _ => format!("REPLICAS={other}\nIMAGE_TAG={version}\n"),
    }
}

/// The version in such a file.
pub(super) fn version(text: &str) -> String {
    let start = text.rfind("v1.").expect("every file has a version");
    text[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect()
}

/// Whether a version is bad.
pub(super) fn is_bad(version: &str) -> bool {
    version.ends_with(".9")
}

/// What is wrong with metrics or services, besides bad versions.
#[derive(Clone, Debug, Default)]
pub(super) struct Weather {
    /// Services that are broken from one time to another, whatever their version is.
    pub(super) trouble: Vec<(String, i64, i64)>,
    /// Times without samples.
    pub(super) holes: Vec<(i64, i64)>,
    /// No request is ever answered with enough to judge: 1 unavailable, 2 rejected, 3 no data, 4 ambiguous, 5 only
    /// samples from before.
    pub(super) always_a_gap: u8,
}

/// The metric source: errors are a function of what the branch that `query` names has deployed at each moment. It may name a
/// region too.
pub(super) struct Metrics {
    pub(super) remote: Arc<Mutex<Remote>>,
    pub(super) process: Arc<Process>,
    pub(super) weather: Weather,
    pub(super) services: Vec<(String, usize)>,
}

impl Metrics {
    fn series(&self, service: &str, shape: usize, query: &RangeQuery) -> Series {
        let remote = self.remote.lock().unwrap();
        let branch = query.query.split(' ').next().unwrap_or_default();
        let branch = BranchName::new(branch).unwrap();
        let file = path(service, shape);
        let step = i64::from(query.step_secs);
        let mut states: Vec<(i64, bool)> = Vec::new();
        for (_, _, commit, at) in remote.moves.iter().filter(|(moved, ..)| *moved == branch) {
            let text = String::from_utf8_lossy(&remote.commits[commit].tree[&file]).into_owned();
            states.push((at.unix(), is_bad(&version(&text))));
        }
        drop(remote);
        let value = |at: i64| {
            let bad = states.iter().rev().find(|(since, _)| *since < at).is_some_and(|(_, bad)| *bad);
            let mut troubles = self.weather.trouble.iter();
            let trouble = troubles.any(|(name, from, to)| name == service && (*from..*to).contains(&at));
            if bad || trouble { 0.3 } else { 0.001 + 0.000_1 * f64::from((at / step % 3) as i32) }
        };
        let times = (0..).map(|n| query.window.start.unix() + n * step);
        let times = times.take_while(|at| *at <= query.window.end.unix());
        let known = times.filter(|at| !self.weather.holes.iter().any(|(from, to)| (*from..*to).contains(at)));
        let samples = known.map(|at| Sample { at: Time::from_unix(at), value: value(at) }).collect();
        let name = service.rsplit('/').next().unwrap_or_default().to_owned();
        Series { labels: BTreeMap::from([("service".to_owned(), name)]), samples }
    }

    fn answer(&self, query: &RangeQuery) -> Result<Answer, SourceError> {
        // Of the region that stands behind the branch, where one does.
        let region = query.query.split(' ').nth(1);
        let is_asked = |(service, _): &&(String, usize)| {
            region.is_none_or(|region| service.split('/').next() == Some(region))
        };
        let asked = self.services.iter().filter(is_asked);
        let each = asked.map(|(service, shape)| self.series(service, *shape, query));
        let mut series: Vec<Series> = each.filter(|series| !series.samples.is_empty()).collect();
        if let Some(only) = &query.only {
            series.retain(|one| one.labels.get(&only.label).is_some_and(|value| only.values.contains(value)));
        }
        match self.weather.always_a_gap {
            1 => return Err(SourceError::Unavailable("down".to_owned())),
            2 => return Err(SourceError::Rejected("no".to_owned())),
            3 => series.clear(),
            4 => series.extend(series.clone()),
            5 => {
                let remote = self.remote.lock().unwrap();
                let first = remote.moves.iter().find(|(_, old, ..)| old.is_some()).map_or(0, |m| m.3.unix());
                series.iter_mut().for_each(|one| one.samples.retain(|sample| sample.at.unix() <= first));
                series.retain(|one| !one.samples.is_empty());
            }
            _ => {}
        }
        Ok(Answer { series, warnings: Vec::new(), is_narrowed: query.only.is_some() })
    }
}

impl MetricSource for Metrics {
    fn range<'a>(&'a self, query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>> {
        let answer = self.process.call("range", || self.answer(query));
        Box::pin(async move {
            answer.unwrap_or_else(|| Err(SourceError::Unavailable("the source did not answer".to_owned())))
        })
    }
}
