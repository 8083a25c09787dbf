//! The share of the environments that this process works on. Where several agents share them, it keeps the leases that say so.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::world::{Estate, Stop};
use crate::domain::ids::{EnvironmentName, RepositoryName};
use crate::domain::lease::{LeaseState, Move, Terms, View, home_of, shard_of};
use crate::ports::{LeaseError, Leases};

/// The environments that this process works on: all, or those of the shards whose leases it holds.
#[derive(Clone, Default)]
pub struct Share(Option<Arc<Keeper>>);

/// Keeps the leases.
struct Keeper {
    leases: Arc<dyn Leases>,
    /// Under which name.
    me: String,
    /// The shard that it takes at once.
    home: Option<u32>,
    terms: Terms,
    begun: Instant,
    /// What is known of each lease, with what the log said of it last.
    views: Mutex<Vec<(View, LeaseState)>>,
    /// Told after each round.
    changed: Notify,
}

impl Share {
    /// Those of the shards whose leases it holds under the name `me`, of so many. None until [`Share::keep`] has begun.
    #[must_use]
    pub fn leased(leases: Arc<dyn Leases>, me: &str, shards: u32, terms: Terms) -> Self {
        let views = (0..shards).map(|_| (View::default(), LeaseState::StandsBy)).collect();
        Self(Some(Arc::new(Keeper {
            leases,
            me: me.to_owned(),
            home: home_of(me, shards),
            terms,
            begun: Instant::now(),
            views: Mutex::new(views),
            changed: Notify::new(),
        })))
    }

    /// Whether work may begin on an environment.
    #[must_use]
    pub fn has(&self, repository: &RepositoryName, environment: &EnvironmentName) -> bool {
        let Some(keeper) = &self.0 else { return true };
        let states = keeper.states();
        let shard = shard_of(repository, environment, u32::try_from(states.len()).unwrap_or(0));
        usize::try_from(shard)
            .ok()
            .and_then(|shard| states.get(shard))
            .is_some_and(|state| *state != LeaseState::StandsBy)
    }

    /// Whether work may begin on any environment of an estate.
    pub(super) fn has_any(&self, estate: &Estate) -> bool {
        estate.environments.iter().any(|environment| self.has(&estate.name, &environment.name))
    }

    /// How each shard stands, in their order; empty where there are no leases.
    #[must_use]
    pub fn states(&self) -> Vec<LeaseState> {
        self.0.as_ref().map_or_else(Vec::new, |keeper| keeper.states())
    }

    /// Waits until the share may have changed; for ever where there are no leases.
    pub(super) async fn changed(&self) {
        match &self.0 {
            Some(keeper) => keeper.changed.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Keeps the leases until the end is asked for, and then gives back those that it holds.
    pub async fn keep(&self, end: &Stop) {
        let Some(keeper) = &self.0 else { return };
        while end.unless_set(keeper.round()).await.is_some() {
            // With a tenth of jitter, so that agents do not march in step.
            let rest = keeper.terms.retry.mul_f64(1.0 + fastrand::f64() / 10.0);
            end.unless_set(tokio::time::sleep(rest)).await;
        }
        keeper.for_each(keeper.shards(), Step::GiveBack).await;
    }
}

/// What is done with leases.
#[derive(Clone, Copy)]
enum Step {
    /// Renew it where it is this agent's, else look at it.
    Look,
    Take,
    GiveBack,
}

impl Keeper {
    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn views(&self) -> MutexGuard<'_, Vec<(View, LeaseState)>> {
        // Whatever panicked, each of its values is whole.
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view<T>(&self, shard: u32, with: impl FnOnce(&mut View) -> T) -> Option<T> {
        let place = usize::try_from(shard).ok()?;
        self.views().get_mut(place).map(|(view, _)| with(view))
    }

    fn shards(&self) -> Vec<u32> {
        (0..u32::try_from(self.views().len()).unwrap_or(0)).collect()
    }

    fn states(&self) -> Vec<LeaseState> {
        let now = self.now();
        self.views().iter().map(|(view, _)| view.state(&self.me, self.terms, now)).collect()
    }

    /// Looks at all leases, renews its own, and takes those whose turn it is.
    async fn round(self: &Arc<Self>) {
        self.for_each(self.shards(), Step::Look).await;
        self.take().await;
        self.tell();
        self.changed.notify_waiters();
    }

    /// Takes its home, and one other lease that is due. So agents that begin together share them.
    async fn take(self: &Arc<Self>) {
        let (at_home, mut away): (Vec<u32>, Vec<u32>) =
            self.due().into_iter().partition(|shard| self.home == Some(*shard));
        self.for_each(at_home, Step::Take).await;
        // Others may try the same: each begins elsewhere.
        fastrand::shuffle(&mut away);
        for shard in away {
            self.write(shard).await;
            let is_answered = self.view(shard, |view| view.failure().is_none()).unwrap_or(false);
            let is_mine = self.view(shard, |view| view.is_of(&self.me)).unwrap_or(false);
            if is_mine || !is_answered {
                return;
            }
        }
    }

    /// The same with several leases at once: one that gets no answer holds up no other for long.
    async fn for_each(self: &Arc<Self>, shards: Vec<u32>, step: Step) {
        let mut steps = JoinSet::new();
        for shard in shards {
            let keeper = Arc::clone(self);
            steps.spawn(async move {
                let is_mine = keeper.view(shard, |view| view.is_of(&keeper.me)).unwrap_or(false);
                match step {
                    Step::Look if !is_mine => keeper.look(shard).await,
                    Step::Look | Step::Take => keeper.write(shard).await,
                    Step::GiveBack if is_mine => keeper.give_back(shard).await,
                    Step::GiveBack => {}
                }
            });
        }
        while steps.join_next().await.is_some() {}
    }

    /// The leases whose turn it is.
    fn due(&self) -> Vec<u32> {
        let now = self.now();
        let next = |shard| {
            let rank = self.rank(shard);
            self.view(shard, |view| view.next(&self.me, rank, self.terms, now))
        };
        self.shards().into_iter().filter(|shard| next(*shard) == Some(Move::Take)).collect()
    }

    /// Whether a shard is its home, and how many others it holds or is about to.
    fn rank(&self, shard: u32) -> (bool, u32) {
        let is_home = self.home == Some(shard);
        let counts = |(other, state): (u32, LeaseState)| {
            other != shard && (state == LeaseState::Held || self.home == Some(other))
        };
        let held = (0..).zip(self.states()).filter(|one| counts(*one)).count();
        (is_home, u32::try_from(held).unwrap_or(u32::MAX))
    }

    async fn look(&self, shard: u32) {
        let read = self.leases.read(shard).await;
        let (now, rank) = (self.now(), self.rank(shard));
        self.view(shard, |view| match read {
            Ok(lease) => {
                view.saw(lease, now);
                if view.next(&self.me, rank, self.terms, now) == Move::Leave {
                    view.settled(now);
                }
            }
            Err(error) => view.failed(now, error.to_string()),
        });
    }

    async fn write(&self, shard: u32) {
        // It holds from when it was asked for: the answer may have been long on its way.
        let asked = self.now();
        let over = self.view(shard, |view| view.lease().cloned()).flatten();
        match self.leases.write(shard, &self.me, over.as_ref()).await {
            Ok(lease) => {
                let now = self.now();
                self.view(shard, |view| {
                    view.saw(Some(lease), now);
                    view.settled(asked);
                });
            }
            Err(LeaseError::Lost) => self.look(shard).await,
            Err(error @ LeaseError::Unanswered(_)) => {
                let now = self.now();
                self.view(shard, |view| view.failed(now, error.to_string()));
            }
        }
    }

    /// Has another agent take a lease at once. Where that fails the lease runs out.
    async fn give_back(&self, shard: u32) {
        let over = self.view(shard, |view| view.lease().cloned()).flatten();
        let Err(LeaseError::Lost) = self.leases.write(shard, "", over.as_ref()).await else { return };
        // A renewal that was broken off may have come through.
        if let Ok(Some(lease)) = self.leases.read(shard).await
            && lease.holder == self.me
            && let Err(error) = self.leases.write(shard, "", Some(&lease)).await
        {
            tracing::warn!(shard, %error, "the lease is not given back, and runs out");
        }
    }

    /// Writes into the log what has changed.
    fn tell(&self) {
        let now = self.now();
        for (shard, (view, told)) in self.views().iter_mut().enumerate() {
            let state = view.state(&self.me, self.terms, now);
            if state == std::mem::replace(told, state) {
                continue;
            }
            match state {
                LeaseState::Held => tracing::info!(shard, "holds the lease, and watches the shard"),
                LeaseState::StandsBy => {
                    let holder = view.lease().map_or("", |lease| &lease.holder);
                    tracing::info!(shard, holder, "another agent watches the shard");
                }
                LeaseState::Unanswered => {
                    let error = view.failure().unwrap_or_default();
                    tracing::warn!(
                        shard,
                        error,
                        "nobody says who holds the lease: watches the shard all the same"
                    );
                }
            }
        }
    }
}
