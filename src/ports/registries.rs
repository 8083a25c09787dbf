//! What the rules need from registries of images and charts, and from Git servers.

use super::future::BoxFuture;
use crate::domain::artifact::Artifact;
use crate::domain::artifact::image::Image;
use crate::domain::schema::images::ImageLabels;
/// Why a registry says nothing about an artifact: its host is not in the configuration, it did not answer in time or not so that it is
/// understood, or it refuses us. No caller does something different about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RegistryError(pub String);

/// What stands under the name of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The digest of it; none where the registry has none, or where the name stands for something else every day.
    pub digest: Option<String>,
}

/// The registries that the configuration names. Implementations ask no other host, whatever an artifact names, and retry on their own, a
/// bounded number of times.
pub trait Registries: Send + Sync {
    /// What stands under the name of an artifact; none where its registry knows the repository, and nothing of that name in it.
    fn find<'a>(&'a self, artifact: &'a Artifact) -> BoxFuture<'a, Result<Option<Held>, RegistryError>>;

    /// The labels of an image and the annotations of its manifest. Of one for several platforms those of linux/amd64, or else of the first.
    fn labels<'a>(&'a self, image: &'a Image) -> BoxFuture<'a, Result<ImageLabels, RegistryError>>;
}
