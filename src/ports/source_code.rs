//! What the rules need from the repositories in which applications are written.

use super::future::BoxFuture;
use crate::domain::artifact::source::SourceRange;
use crate::domain::environment::pattern::PathGlobs;
use crate::domain::schema::Migration;

/// Why nothing is known of an application's source: its repository is not in the configuration, does not answer, refuses us, has no such
/// revision, or is larger than the bounds. No caller does something different about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceCodeError(pub String);

/// The repositories that the configuration lists. Implementations ask no other one, whatever an image names, and each for a bounded time.
pub trait SourceCode: Send + Sync {
    /// Whether the repository at a URL may be asked: the configuration lists it, or what is above it.
    fn is_listed(&self, url: &str) -> bool;

    /// The files that came, went or changed from the old revision to the new one, and that are migrations by their names or in `paths`.
    fn migrations<'a>(
        &'a self,
        range: &'a SourceRange,
        paths: &'a PathGlobs,
    ) -> BoxFuture<'a, Result<Vec<Migration>, SourceCodeError>>;
}
