//! What the agent needs from a server that keeps leases.

use super::future::BoxFuture;
use crate::domain::lease::Lease;

/// Why a lease was not read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else has written it meanwhile.
    #[error("somebody else was first")]
    Lost,
    /// The server did not answer in time, or not so that it is understood, or it refuses us. No caller does something different about it.
    #[error("{0}")]
    Unanswered(String),
}

/// A server that keeps a lease for each shard. Implementations do not retry: the agent asks again soon.
pub trait Leases: Send + Sync {
    /// The lease of a shard; none where there is none yet.
    fn read(&self, shard: u32) -> BoxFuture<'_, Result<Option<Lease>, LeaseError>>;

    /// Writes who holds a lease, an empty text for nobody, provided that it is still as it was read or written last (`over`): none where
    /// there was none.
    fn write<'a>(
        &'a self,
        shard: u32,
        holder: &'a str,
        over: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<Lease, LeaseError>>;
}
