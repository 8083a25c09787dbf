//! What the rules need from a metric source.

use super::future::BoxFuture;
use crate::domain::environment::signal::RangeQuery;
use crate::domain::judge::evidence::Series;

/// What can go wrong when asking a metric source. An empty answer is no error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// No answer, not in time, not in full, or not understood; trying again later may help.
    #[error("{0}")]
    Unavailable(String),
    /// The source refuses the question: a mistake in the query, the address or the credentials.
    #[error("{0}")]
    Rejected(String),
}

/// What a metric source said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The series, all values finite, samples in time order.
    pub series: Vec<Series>,
    /// What the source warned of.
    pub warnings: Vec<String>,
    /// Whether series are left out because only some were wanted.
    pub is_narrowed: bool,
}

/// A place to ask for metrics. It retries on its own, a bounded number of times.
pub trait MetricSource: Send + Sync {
    /// Asks for one range of samples.
    fn range<'a>(&'a self, query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>>;
}
