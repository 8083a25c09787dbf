//! Asking the registries about artifacts.

use super::context::{Intent, Pass};
use crate::domain::artifact::image::{Image, ImageVersion};
use crate::domain::artifact::named::MAX_ARTIFACTS;
use crate::domain::artifact::{Artifact, ArtifactFinding, NO_REGISTRIES, Presence, RanArtifact};
use crate::domain::deployment::Deployment;
use crate::domain::deployment::artifacts::brought_by;
use crate::domain::schema::images::ImageLabels;

/// Whether an artifact is there. `then` is the digest that it had when the service ran it, where that is known.
pub(in crate::agent) async fn look_for(
    pass: &Pass<'_>,
    artifact: &Artifact,
    then: Option<&str>,
) -> ArtifactFinding {
    let presence = match &pass.world.registries {
        None => Presence::NotAsked { why: NO_REGISTRIES.to_owned() },
        Some(registries) => match registries.find(artifact).await {
            Err(error) => Presence::NotAsked { why: error.to_string() },
            Ok(None) => Presence::Gone,
            Ok(Some(held)) => match (then, held.digest) {
                (Some(then), Some(now)) if then != now => Presence::Moved { then: then.to_owned(), now },
                (_, digest) => Presence::Exists { digest },
            },
        },
    };
    ArtifactFinding { artifact: artifact.to_string(), presence }
}

/// The labels of an image, or why nobody knows them.
pub(in crate::agent) async fn labels_of(pass: &Pass<'_>, image: &Image) -> Result<ImageLabels, String> {
    match &pass.world.registries {
        None => Err(NO_REGISTRIES.to_owned()),
        Some(registries) => registries.labels(image).await.map_err(|error| error.to_string()),
    }
}

/// What a deployment brought, with what stands under these names now, just after it was judged: by that one sees later whether the service
/// would run the same again. What is named by its digest stays the same.
pub(in crate::agent) async fn ran_artifacts(pass: &Pass<'_>, deployment: &Deployment) -> Vec<RanArtifact> {
    let Some(registries) = pass.world.registries.as_ref().filter(|_| pass.intent == Intent::Act) else {
        return Vec::new();
    };
    let mut ran = Vec::new();
    for artifact in brought_by(deployment).into_iter().filter(|one| !is_pinned(one)).take(MAX_ARTIFACTS) {
        match registries.find(&artifact).await {
            Ok(Some(held)) => {
                let artifact = artifact.to_string();
                ran.extend(held.digest.map(|digest| RanArtifact { artifact, digest }));
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%artifact, %error, "what it is now is not recorded"),
        }
    }
    ran
}

fn is_pinned(artifact: &Artifact) -> bool {
    matches!(artifact, Artifact::Image(Image { version: ImageVersion::Digest(_), .. }))
}
