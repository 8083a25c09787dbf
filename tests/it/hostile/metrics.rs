//! The metric source: errors follow the version that the environment's branch has, and every question is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use backout::domain::environment::signal::RangeQuery;
use backout::domain::ids::BranchName;
use backout::domain::judge::evidence::{Sample, Series};
use backout::domain::time::Time;
use backout::ports::{Answer, BoxFuture, MetricSource, SourceError};

use super::world::{SERVICES, is_bad_text, path};
use crate::support::simulated::Remote;

/// What was asked: the source that was asked, the source that the request names, the query, and the label and the values that
/// were wanted of it.
pub(super) type Asked = BTreeSet<(&'static str, String, String, Option<(String, BTreeSet<String>)>)>;

pub(super) struct Metrics {
    /// The source's name.
    pub(super) name: &'static str,
    pub(super) remote: Arc<Mutex<Remote>>,
    pub(super) branch: BranchName,
    /// How long after it was deployed a bad version shows.
    pub(super) lag_secs: i64,
    pub(super) asked: Arc<Mutex<Asked>>,
}

impl Metrics {
    fn series(&self, service: &str, query: &RangeQuery) -> Series {
        let remote = self.remote.lock().unwrap();
        let file = path(service);
        let of_branch = remote.moves.iter().filter(|(branch, ..)| *branch == self.branch);
        let states: Vec<(i64, bool)> = of_branch
            .map(|(_, _, commit, at)| {
                (at.unix(), remote.commits[commit].tree.get(&file).is_some_and(|text| is_bad_text(text)))
            })
            .collect();
        drop(remote);
        let step = i64::from(query.step_secs);
        let is_bad = |at: i64| {
            let now = states.iter().rposition(|(since, _)| *since < at);
            now.is_some_and(|now| states[now].1 && states[now].0 + self.lag_secs < at)
        };
        let value =
            |at: i64| if is_bad(at) { 0.3 } else { 0.001 + 0.000_1 * f64::from((at / step % 3) as i32) };
        let times = (0..).map(|n| query.window.start.unix() + n * step);
        let times = times.take_while(|at| *at <= query.window.end.unix());
        let samples = times.map(|at| Sample { at: Time::from_unix(at), value: value(at) }).collect();
        Series { labels: BTreeMap::from([("service".to_owned(), service.to_owned())]), samples }
    }
}

impl MetricSource for Metrics {
    fn range<'a>(&'a self, query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>> {
        let only = query.only.as_ref().map(|only| (only.label.clone(), only.values.clone()));
        let asked = (self.name, query.source.to_string(), query.query.clone(), only);
        self.asked.lock().unwrap().insert(asked);
        let series = SERVICES.iter().map(|service| self.series(service, query)).collect();
        Box::pin(async move { Ok(Answer { series, warnings: Vec::new(), is_narrowed: false }) })
    }
}
