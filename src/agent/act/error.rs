//! Why a change was not delivered.

use crate::ports::{ForgeError, PushError, RepositoryError};

/// Why a change was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// Git: see [`PushError`].
    #[error(transparent)]
    Push(#[from] PushError),
    /// The forge: see [`ForgeError`].
    #[error(transparent)]
    Forge(#[from] ForgeError),
}

impl From<RepositoryError> for DeliveryError {
    fn from(error: RepositoryError) -> Self {
        Self::Push(error.into())
    }
}
