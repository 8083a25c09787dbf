//! Manifests of images, as OCI's distribution specification has them.
//! Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.

use std::collections::BTreeMap;

use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::server::{Ask, Server};
use crate::domain::artifact::image::{Image, ImageVersion, is_digest};
use crate::domain::schema::images::ImageLabels;
use crate::ports::{Held, RegistryError};

/// The largest manifest or configuration of an image that is read: the size up to which registries take manifests. Source: the section
/// "Pushing Manifests" of the specification.
const MAX_BYTES: usize = 4 << 20;
/// The forms of manifests: those of OCI and of Docker, of one platform and of several.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
const DIGEST: &str = "docker-content-digest";

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    config: Option<Descriptor>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

#[derive(Deserialize)]
struct ImageConfig {
    config: Option<RunConfig>,
}

#[derive(Deserialize)]
struct RunConfig {
    #[serde(rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

/// Whether the image is there. Where the registry says that it is not, it must know other tags of that name: else the name may have been
/// read wrongly, or the registry hides what we may not see.
pub(super) async fn find(server: &Server, image: &Image) -> Result<Option<Held>, RegistryError> {
    let response = ask_for_manifest(server, image, &image.version, Method::HEAD).await?;
    match response.status() {
        StatusCode::OK => {
            let digest = digest_of(&response);
            let digest = match digest {
                Some(digest) => digest,
                // Registries may leave it out.
                None => {
                    let whole = ask_for_manifest(server, image, &image.version, Method::GET).await?;
                    digest_of_bytes(&server.body(whole, MAX_BYTES).await?)
                }
            };
            Ok(Some(Held { digest: Some(digest) }))
        }
        StatusCode::NOT_FOUND if knows_repository(server, image).await? => Ok(None),
        StatusCode::NOT_FOUND => Err(server.error(&format!(
            "knows no {}: backout may have read the name wrongly, or may not see it",
            image.repository
        ))),
        status => Err(server.error(&format!("answered {status}"))),
    }
}

async fn knows_repository(server: &Server, image: &Image) -> Result<bool, RegistryError> {
    let mut url = server.api(&format!("{}/tags/list", image.repository))?;
    url.set_query(Some("n=1"));
    let repository = Some(image.repository.as_str());
    let ask = Ask { method: Method::GET, url, accept: "", repository, elsewhere: false, may_refuse: false };
    match server.ask(&ask).await?.status() {
        StatusCode::OK => Ok(true),
        StatusCode::NOT_FOUND => Ok(false),
        status => Err(server.error(&format!("answered {status}"))),
    }
}

/// The labels of an image and the annotations of its manifests; a label counts more than an annotation of the same name.
pub(super) async fn labels(server: &Server, image: &Image) -> Result<ImageLabels, RegistryError> {
    let mut manifest: Manifest = manifest(server, image, &image.version).await?;
    let mut labels = manifest.annotations.take().unwrap_or_default();
    if !manifest.manifests.is_empty() {
        let is_usual = |one: &&Descriptor| {
            one.platform
                .as_ref()
                .is_some_and(|of| (of.os.as_str(), of.architecture.as_str()) == ("linux", "amd64"))
        };
        let one = manifest.manifests.iter().find(is_usual).or(manifest.manifests.first());
        let digest = one.map(|one| one.digest.clone()).unwrap_or_default();
        manifest = self::manifest(server, image, &checked(server, digest)?).await?;
        labels.extend(manifest.annotations.take().unwrap_or_default());
    }
    let Some(config) = manifest.config else { return Ok(labels) };
    let digest = checked(server, config.digest)?;
    let url = server.api(&format!("{}/blobs/{}", image.repository, digest.as_str()))?;
    let repository = Some(image.repository.as_str());
    let ask = Ask { method: Method::GET, url, accept: "", repository, elsewhere: true, may_refuse: false };
    let bytes = fetched(server, server.ask(&ask).await?, Some(&digest)).await?;
    let config: ImageConfig = parsed(server, &bytes)?;
    labels.extend(config.config.and_then(|config| config.labels).unwrap_or_default());
    Ok(labels)
}

async fn manifest(server: &Server, image: &Image, version: &ImageVersion) -> Result<Manifest, RegistryError> {
    let response = ask_for_manifest(server, image, version, Method::GET).await?;
    let expected = matches!(version, ImageVersion::Digest(_)).then_some(version);
    parsed(server, &fetched(server, response, expected).await?)
}

async fn ask_for_manifest(
    server: &Server,
    image: &Image,
    version: &ImageVersion,
    method: Method,
) -> Result<Response, RegistryError> {
    let url = server.api(&format!("{}/manifests/{}", image.repository, version.as_str()))?;
    let repository = Some(image.repository.as_str());
    server.ask(&Ask { method, url, accept: MANIFESTS, repository, elsewhere: false, may_refuse: false }).await
}

/// What was sent; it must be what was asked for.
async fn fetched(
    server: &Server,
    response: Response,
    expected: Option<&ImageVersion>,
) -> Result<Vec<u8>, RegistryError> {
    let status = response.status();
    if status != StatusCode::OK {
        return Err(server.error(&format!("answered {status}")));
    }
    let bytes = server.body(response, MAX_BYTES).await?;
    let is_other = |expected: &ImageVersion| {
        expected.as_str().starts_with("sha256:") && digest_of_bytes(&bytes) != expected.as_str()
    };
    if expected.is_some_and(is_other) {
        return Err(server.error("sent something else than what was asked for"));
    }
    Ok(bytes)
}

fn parsed<T: DeserializeOwned>(server: &Server, bytes: &[u8]) -> Result<T, RegistryError> {
    serde_json::from_slice(bytes).map_err(|error| server.error(&format!("sent what is no manifest: {error}")))
}

fn checked(server: &Server, digest: String) -> Result<ImageVersion, RegistryError> {
    if is_digest(&digest) {
        return Ok(ImageVersion::Digest(digest));
    }
    Err(server.error("sent a manifest with a digest that is none"))
}

fn digest_of(response: &Response) -> Option<String> {
    let digest = response.headers().get(DIGEST)?.to_str().ok()?;
    is_digest(digest).then(|| digest.to_owned())
}

fn digest_of_bytes(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
