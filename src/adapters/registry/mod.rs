//! Registries of images and charts, and the refs of Git repositories: whether an artifact is there, and what an image says of itself.
//!
//! An environment repo names artifacts, and whoever may write to it chooses the names. So only hosts that the configuration lists are asked.

mod buckets;
mod challenge;
mod charts;
mod docker_config;
mod git_refs;
mod manifest;
mod options;
mod server;

use std::collections::BTreeMap;

use reqwest::Url;

pub use self::options::{RegistryAuth, RegistryOptions};
use self::server::Server;
use crate::adapters::http::HttpError;
use crate::domain::artifact::Artifact;
use crate::domain::artifact::image::Image;
use crate::domain::schema::images::ImageLabels;
use crate::ports::{BoxFuture, Held, Registries, RegistryError};

/// All registries that may be asked.
#[derive(Debug)]
pub struct ListedRegistries {
    servers: BTreeMap<String, Server>,
}

/// Prepares to ask these registries. It asks nothing yet.
///
/// # Errors
/// When a host, a proxy or a certificate is not valid.
pub fn connect(options: &[RegistryOptions]) -> Result<ListedRegistries, HttpError> {
    let server = |one: &RegistryOptions| Ok((one.host.to_ascii_lowercase(), Server::new(one)?));
    Ok(ListedRegistries { servers: options.iter().map(server).collect::<Result<_, HttpError>>()? })
}

impl ListedRegistries {
    /// The server of this host, if it may be asked.
    fn server(&self, host: &str) -> Result<&Server, RegistryError> {
        self.servers
            .get(&host.to_ascii_lowercase())
            .ok_or_else(|| RegistryError(format!("registry {host} is not in `registries`")))
    }

    /// The server of a URL. A repository may name any URL: it counts where the server is spoken to like that.
    fn server_of(&self, url: &str) -> Result<(&Server, Url), RegistryError> {
        let invalid = || RegistryError("its URL is not one that can be asked".to_owned());
        let url = Url::parse(url).map_err(|_invalid| invalid())?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let host = url.host_str().filter(|_| is_plain).ok_or_else(invalid)?;
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let server = self.server(&host)?;
        if url.scheme() != server.scheme() {
            let reason = format!("registry {host} is asked over {} only", server.scheme());
            return Err(RegistryError(reason));
        }
        Ok((server, url))
    }

    async fn ask(&self, artifact: &Artifact) -> Result<Option<Held>, RegistryError> {
        match artifact {
            Artifact::Image(image) => manifest::find(self.server(&image.registry)?, image).await,
            Artifact::Chart { repository, name, version } => match repository.strip_prefix("oci://") {
                Some(place) => {
                    // Source: <https://helm.sh/docs/topics/registries/>: tags know no plus.
                    let tag = version.replace('+', "_");
                    let image = Image::parse(&format!("{place}/{name}:{tag}"));
                    let image = image.ok_or_else(|| RegistryError("its name is not valid".to_owned()))?;
                    manifest::find(self.server(&image.registry)?, &image).await
                }
                None => {
                    let (server, url) = self.server_of(repository)?;
                    charts::find(server, url, (name, version)).await
                }
            },
            Artifact::GitRef { url, reference } => {
                let (server, url) = self.server_of(url)?;
                git_refs::find(server, url, reference).await
            }
            Artifact::InBucket { store, bucket, key } => {
                buckets::find(self.server(buckets::host(*store))?, bucket, key).await
            }
        }
    }
}

impl Registries for ListedRegistries {
    fn find<'a>(&'a self, artifact: &'a Artifact) -> BoxFuture<'a, Result<Option<Held>, RegistryError>> {
        Box::pin(self.ask(artifact))
    }

    fn labels<'a>(&'a self, image: &'a Image) -> BoxFuture<'a, Result<ImageLabels, RegistryError>> {
        Box::pin(async { manifest::labels(self.server(&image.registry)?, image).await })
    }
}
