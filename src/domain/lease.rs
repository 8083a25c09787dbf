//! Who works on what, where several agents share the environments: each environment belongs to a shard, and each shard has a lease.
//!
//! Two agents do each other no harm, so a lease only saves work. Where nobody can say who holds one, an agent rather works than waits.

#[cfg(test)]
mod tests;

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::ids::{EnvironmentName, RepositoryName};

/// The most shards. Each agent reads the leases that it does not hold every two seconds.
pub const MAX_SHARDS: u32 = 16;

/// The shard of an environment, from 0 on; 0 where there are no shards. Every version and every replica comes to the same. Where there
/// is one shard more, environments only move to the new one.
#[must_use]
pub fn shard_of(repository: &RepositoryName, environment: &EnvironmentName, shards: u32) -> u32 {
    let weight = |shard: u32| {
        // No name has a NUL in it.
        let text = format!("{repository}\0{environment}\0{shard}");
        <[u8; 32]>::from(Sha256::digest(text.as_bytes()))
    };
    (0..shards).max_by_key(|shard| weight(*shard)).unwrap_or(0)
}

/// The shard that an agent takes at once, whoever holds it: the number at the end of its name, as pods of a StatefulSet have one. None
/// where the name ends otherwise, or there is no such shard.
#[must_use]
pub fn home_of(me: &str, shards: u32) -> Option<u32> {
    let (_, number) = me.rsplit_once('-')?;
    number.parse().ok().filter(|home| *home < shards)
}

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// After this time without a change a lease has run out.
    pub expiry: Duration,
    /// After this time without a renewal its holder begins nothing more.
    pub deadline: Duration,
    /// The time between two tries.
    pub retry: Duration,
}

impl Terms {
    /// For leases that run out after this time. With 15 s they are those of client-go, 15, 10 and 2 s. Source:
    /// <https://github.com/kubernetes/component-base/blob/v0.37.2/config/v1alpha1/defaults.go>.
    #[must_use]
    pub fn of(expiry: Duration) -> Self {
        Self { expiry, deadline: expiry * 2 / 3, retry: expiry * 2 / 15 }
    }
}

/// A lease as the server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it; empty where nobody does.
    pub holder: String,
    /// Changes with each write.
    pub version: String,
    /// Since when its holder has it, as the server has it written down. Nothing is made of it.
    pub acquired: Option<String>,
    /// How often it has changed hands.
    pub transitions: u32,
}

/// Whether an agent works on a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// It does: it holds the lease.
    Held,
    /// It does, because the server of the leases does not say who holds it.
    Unanswered,
    /// Another agent does, or will.
    StandsBy,
}

/// What is to be done about a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Write it again: it is this agent's.
    Renew,
    /// Write this agent into it.
    Take,
    /// Nothing.
    Leave,
}

/// What one agent knows of one lease. All times are durations since the agent began, by its own clock that never goes back: what others
/// write about times counts for nothing.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The lease as it was read or written last, none where there is none, and since when it has been like that.
    seen: Option<(Option<Lease>, Duration)>,
    /// When it was last sure who holds it.
    settled: Duration,
    /// When the last try ended, whatever came of it.
    tried: Option<Duration>,
    /// Why the last try failed, where it did.
    failure: Option<String>,
}

impl View {
    /// Takes note of the lease as the server had it at a time.
    pub fn saw(&mut self, lease: Option<Lease>, now: Duration) {
        (self.tried, self.failure) = (Some(now), None);
        let version = |lease: &Option<Lease>| lease.as_ref().map(|lease| lease.version.clone());
        match &self.seen {
            Some((known, _)) if version(known) == version(&lease) => {}
            _ => self.seen = Some((lease, now)),
        }
    }

    /// Takes note that it was sure at a time who holds the lease.
    pub fn settled(&mut self, at: Duration) {
        self.settled = at;
    }

    /// Takes note that the server did not answer, or did not do what it was asked for.
    pub fn failed(&mut self, now: Duration, why: String) {
        (self.tried, self.failure) = (Some(now), Some(why));
    }

    /// Why the last try failed, where it did.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The lease as it was read or written last.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        self.seen.as_ref().and_then(|(lease, _)| lease.as_ref())
    }

    /// Whether it was last this agent's.
    #[must_use]
    pub fn is_of(&self, me: &str) -> bool {
        self.lease().is_some_and(|lease| lease.holder == me)
    }

    /// What the agent `me` does about the lease, which it has just read. `held` is how many others it holds: who holds fewer goes first.
    #[must_use]
    pub fn next(&self, me: &str, (is_home, held): (bool, u32), terms: Terms, now: Duration) -> Move {
        let Some((lease, since)) = &self.seen else { return Move::Leave };
        if self.failure.is_some() {
            return Move::Leave;
        }
        let free_after = match lease.as_ref().map_or("", |lease| &lease.holder) {
            holder if holder == me => return Move::Renew,
            "" => Duration::ZERO,
            _ => terms.expiry,
        };
        let unchanged = now.saturating_sub(*since);
        let is_turn = is_home || unchanged >= free_after + terms.retry * held;
        if is_turn { Move::Take } else { Move::Leave }
    }

    /// Whether the agent `me` may begin work on the shard.
    #[must_use]
    pub fn state(&self, me: &str, terms: Terms, now: Duration) -> LeaseState {
        let is_recent = |at: Duration| now.saturating_sub(at) < terms.deadline;
        let is_mine = self.is_of(me);
        if is_mine && is_recent(self.settled) {
            return LeaseState::Held;
        }
        // Who was stopped for a while has not tried, and first asks.
        let has_tried = self.tried.is_some_and(is_recent);
        let is_unsure = now.saturating_sub(self.settled) >= terms.expiry;
        if has_tried && (is_mine || is_unsure) { LeaseState::Unanswered } else { LeaseState::StandsBy }
    }
}
