//! What a pass works with: the repositories, forges and metric sources, the clock, and the wish to stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, Semaphore};

use crate::domain::deployment::Memo;
use crate::domain::environment::Environment;
use crate::domain::environment::signal::RangeQuery;
use crate::domain::ids::{RepositoryName, SourceName};
use crate::domain::time::Time;
use crate::ports::{
    Answer, Clock, Forge, MetricSource, Registries, Repository, RepositoryError, SourceCode, SourceError,
};

/// How far back the changes of a service are looked for, in days.
pub(super) const SEARCH_DAYS: i64 = 90;

/// How far back it is looked what people did with the reverts of a service, in days. A service regresses seldom: in 90 days hardly any
/// would earn anything.
pub(super) const TRUST_DAYS: i64 = 365;

/// Everything that a process works with.
#[derive(Clone)]
pub struct World {
    /// The estates, each worked on by itself: a slow or dead one holds up no other.
    pub estates: Vec<Arc<Estate>>,
    /// The metric sources, by name.
    pub sources: BTreeMap<SourceName, Source>,
    /// The registries that may be asked for artifacts; none where none is configured.
    pub registries: Option<Arc<dyn Registries>>,
    /// The repositories of applications that may be asked; none where none is configured.
    pub source_code: Option<Arc<dyn SourceCode>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// SHA-256 of the configuration, for records.
    pub config: String,
    /// Whether every record that is read was proven to be the agent's own. Else the notes are what others may have written: a
    /// pass derives anew what it acts on.
    pub records_proven: bool,
    /// What was found in files that were compared: kept from pass to pass, for all environments.
    pub memo: Arc<Memo>,
}

/// One repository with its forge and its environments.
#[derive(Clone)]
pub struct Estate {
    /// The name of the repository in the configuration.
    pub name: RepositoryName,
    /// The environment repo.
    pub repository: Arc<dyn Repository>,
    /// The forge on which pull requests are opened, if there is one.
    pub forge: Option<Arc<dyn Forge>>,
    /// What is watched.
    pub environments: Vec<Arc<Environment>>,
}

/// A metric source, and how many may ask it at once: over all estates and passes.
#[derive(Clone)]
pub struct Source {
    port: Arc<dyn MetricSource>,
    /// One is held for each request under way.
    permits: Arc<Semaphore>,
    /// The same for each estate: one with many questions, or with slow ones, does not keep the others from asking.
    shares: BTreeMap<RepositoryName, Arc<Semaphore>>,
}

/// The most requests under way at once to one metric source.
const CONCURRENT_REQUESTS: usize = 8;

impl Source {
    /// A source that these estates ask at most eight questions at once, each its share of them and at least one.
    #[must_use]
    pub fn new(port: Arc<dyn MetricSource>, estates: &[RepositoryName]) -> Self {
        let share = (CONCURRENT_REQUESTS / estates.len().max(1)).max(1);
        let shares = estates.iter().map(|name| (name.clone(), Arc::new(Semaphore::new(share)))).collect();
        Self { port, permits: Arc::new(Semaphore::new(CONCURRENT_REQUESTS)), shares }
    }

    /// Asks for one range of samples, when it is the estate's turn.
    ///
    /// # Errors
    /// As [`MetricSource::range`].
    pub async fn range(&self, estate: &RepositoryName, query: &RangeQuery) -> Result<Answer, SourceError> {
        let share = self.shares.get(estate).unwrap_or(&self.permits);
        let _own = share.acquire().await;
        let _of_all = match Arc::ptr_eq(share, &self.permits) {
            true => None,
            false => self.permits.acquire().await.ok(),
        };
        self.port.range(query).await
    }
}

impl Estate {
    /// Where its repository stands in the configuration: `repository`, or `repositories.NAME` where there are several.
    #[must_use]
    pub fn key(&self) -> String {
        match self.name.as_str() {
            "repository" => "repository".to_owned(),
            name => format!("repositories.{name}"),
        }
    }
}

impl World {
    /// Every environment with its estate, in the order of the configuration.
    pub fn environments(&self) -> impl Iterator<Item = (&Arc<Estate>, &Arc<Environment>)> {
        self.estates
            .iter()
            .flat_map(|estate| estate.environments.iter().map(move |environment| (estate, environment)))
    }
}

/// Asks a pass to end soon: the pass begins no new work, gives up looking and asking, and finishes a change that it has
/// begun.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    waiting: Arc<Notify>,
}

impl Stop {
    /// Asks for the end.
    pub fn set(&self) {
        self.flag.store(true, Ordering::SeqCst);
        self.waiting.notify_waiters();
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// The same for work that does not wait, and asks it now and then.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// Waits until the end is asked for.
    pub async fn wait(&self) {
        let notified = self.waiting.notified();
        if !self.is_set() {
            notified.await;
        }
    }

    /// What comes of work that changes nothing; none when the end is asked for before it is done. What work makes that was
    /// asked to end is not all that it would have made.
    pub async fn unless_set<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            done = work => Some(done).filter(|_| !self.is_set()),
        }
    }
}

/// So many of a list. Where there are more, each pass begins elsewhere, so that none waits for ever.
pub(super) fn in_turn<T>(mut list: Vec<T>, limit: usize, now: Time) -> impl Iterator<Item = T> {
    let turn = usize::try_from(now.unix().unsigned_abs() / 60).unwrap_or(0);
    let first = turn.checked_rem(list.len()).filter(|_| list.len() > limit).unwrap_or(0);
    list.rotate_left(first);
    list.into_iter().take(limit)
}

/// Runs blocking work on a repository off the async threads.
pub(super) async fn blocking<T, E>(
    repository: &Arc<dyn Repository>,
    work: impl FnOnce(&dyn Repository) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<RepositoryError> + Send + 'static,
{
    let repository = Arc::clone(repository);
    match tokio::task::spawn_blocking(move || work(repository.as_ref())).await {
        Ok(result) => result,
        Err(crash) => {
            Err(RepositoryError::Broken(format!("work on the repository was cut short: {crash}")).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::signal::Window;
    use crate::ports::BoxFuture;

    /// Answers nothing to the query `slow`, and everything else at once.
    struct HalfSlow;

    impl MetricSource for HalfSlow {
        fn range<'a>(&'a self, query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>> {
            Box::pin(async move {
                if query.query == "slow" {
                    std::future::pending::<()>().await;
                }
                Ok(Answer::default())
            })
        }
    }

    fn query(text: &str) -> RangeQuery {
        let window = Window { start: Time::from_unix(0), end: Time::from_unix(60) };
        RangeQuery {
            source: SourceName::new("prom").unwrap(),
            query: text.to_owned(),
            window,
            step_secs: 60,
            only: None,
        }
    }

    #[tokio::test]
    async fn an_estate_with_many_slow_questions_keeps_no_other_from_asking() {
        let names = ["x", "y"].map(|name| RepositoryName::new(name).unwrap());
        let source = Source::new(Arc::new(HalfSlow), &names);
        for _ in 0..100 {
            let (source, x) = (source.clone(), names[0].clone());
            tokio::spawn(async move { source.range(&x, &query("slow")).await });
        }
        while source.permits.available_permits() > CONCURRENT_REQUESTS / 2 {
            tokio::task::yield_now().await;
        }
        source.range(&names[1], &query("quick")).await.unwrap();
        assert_eq!(
            source.permits.available_permits(),
            CONCURRENT_REQUESTS / 2,
            "x has its share, and no more"
        );
    }
}
