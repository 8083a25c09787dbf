//! A metric source of which each answer is counted.

use std::sync::Arc;

use super::board::Board;
use crate::domain::environment::signal::RangeQuery;
use crate::ports::{Answer, BoxFuture, MetricSource, SourceError};

/// A metric source that tells the board what becomes of each request.
pub struct CountedSource {
    source: Arc<dyn MetricSource>,
    board: Arc<Board>,
}

impl CountedSource {
    /// Asks this source.
    #[must_use]
    pub fn new(source: Arc<dyn MetricSource>, board: Arc<Board>) -> Self {
        Self { source, board }
    }
}

impl MetricSource for CountedSource {
    fn range<'a>(&'a self, query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>> {
        Box::pin(async move {
            let answer = self.source.range(query).await;
            self.board.asked(&query.source, answer.as_ref().err());
            answer
        })
    }
}
