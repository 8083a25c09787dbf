//! The registries, and the source of applications: how to reach them.

use std::collections::BTreeSet;
use std::path::Path;

use super::context::Context;
use super::report::Place;
use super::tree::Node;
use super::{artifact_types, types};
use crate::adapters::git::{GitOptions, is_repository_url};
use crate::adapters::registry::{RegistryAuth, RegistryOptions};
use crate::domain::artifact::image::is_host;
use crate::domain::environment::name_template::NameTemplate;
use crate::domain::environment::policy::SchemaDetector;
use crate::domain::history::snapshot::Person;
use crate::record::keys::RecordKeys;

const REGISTRY_TIMEOUT_SECS: u32 = 10;

impl Context<'_> {
    /// All registries that the configuration lists.
    pub(super) fn registries(&mut self, config: &types::Config) -> Vec<RegistryOptions> {
        let places: Vec<Place> = self
            .root
            .get("registries")
            .map_or(&[][..], Node::items)
            .iter()
            .map(|node| node.get("host").map_or(node.place, |host| host.place))
            .collect();
        let mut known = BTreeSet::new();
        let mut registries = Vec::new();
        let listed = config.registries.iter().flatten();
        for (index, wire) in listed.enumerate() {
            let place = places.get(index).copied().unwrap_or_default();
            let host = wire.host.to_ascii_lowercase();
            if !is_host(&host) {
                let message =
                    "must be a host, with a port where it has one: no https:// before it, no path behind it";
                self.findings.add(place, message);
            } else if !known.insert(host.clone()) {
                self.findings.add(place, format!("`{host}` is listed twice: keep one of them"));
            }
            let index = index.to_string();
            let keys = ["registries", index.as_str()];
            let key = |name: &'static str| [&keys[..], &["auth", name]].concat();
            let auth = match &wire.auth {
                None => RegistryAuth::None,
                Some(artifact_types::RegistryAuth::Basic { username, password }) => RegistryAuth::Basic {
                    username: username.clone(),
                    password: self.secret(password, &key("password")),
                },
                Some(artifact_types::RegistryAuth::Token { token }) => {
                    RegistryAuth::Token(self.secret(token, &key("token")))
                }
                Some(artifact_types::RegistryAuth::DockerConfig { path }) => {
                    RegistryAuth::DockerConfig(self.file(path, self.place(&key("path"))))
                }
            };
            let http = self.http(&wire.http, REGISTRY_TIMEOUT_SECS, &keys);
            registries.push(RegistryOptions {
                host,
                auth,
                plain_http: wire.plain_http.unwrap_or(false),
                http,
            });
        }
        if registries.is_empty() {
            let message = "the detector `images` needs `registries`: list those that hold the images";
            self.detector_needs(config, SchemaDetector::Images, message);
        }
        registries
    }

    /// Where the source of applications is. Their copies are in this directory of the cache.
    pub(super) fn source_code(&mut self, config: &types::Config, cache_dir: &Path) -> Vec<GitOptions> {
        let mut listed = Vec::new();
        for (index, wire) in config.sources.iter().flatten().enumerate() {
            let index = index.to_string();
            let keys = ["sources", index.as_str()];
            let place = self.place(&["sources", &index, "url"]);
            self.no_credentials(&wire.url, place, "write them as `auth`");
            if !is_repository_url(&wire.url) {
                let message =
                    "must be a URL that begins with https://, http:// or ssh://, without `?`, `#` and `%`";
                self.findings.add(place, message);
            }
            if let Some(types::GitAuth::Forge) = wire.auth {
                let message =
                    "goes with an environment repo only: use `kind: token`, `kind: basic` or `kind: ssh`";
                self.findings.add(self.place(&["sources", &index, "auth", "kind"]), message);
            }
            let (auth, ssh) = self.git_auth((&wire.url, wire.auth.as_ref()), &keys);
            let agent = Person { name: "backout".to_owned(), email: "backout@localhost".to_owned() };
            listed.push(GitOptions {
                url: wire.url.clone(),
                cache_dir: cache_dir.to_owned(),
                auth,
                ssh,
                author: agent.clone(),
                committer: agent,
                sign_off: false,
                signing: None,
                record_keys: RecordKeys::default(),
                http: self.http(&wire.http, REGISTRY_TIMEOUT_SECS, &keys),
            });
        }
        if listed.is_empty() {
            let message =
                "the detector `sources` needs `sources`: list where the source of the applications is";
            self.detector_needs(config, SchemaDetector::Sources, message);
        } else if cache_dir.as_os_str().is_empty() {
            let message = "neither XDG_CACHE_HOME nor HOME is set: write `repository.cache` with a directory";
            self.findings.add(self.place(&["sources"]), message);
        }
        listed
    }

    /// The template of the URL of an application's source.
    pub(super) fn source_template(&mut self, template: &str, place: Place) {
        self.no_credentials(template, place, "write them in `sources`, as `auth`");
        if let Err(error) = NameTemplate::new(template) {
            self.findings.add(place, error.to_string());
        } else if !["https://", "http://", "ssh://"].iter().any(|begin| template.starts_with(begin)) {
            self.findings.add(place, "must be a URL that begins with https://, http:// or ssh://");
        }
    }

    /// Whoever names a detector relies on it, and without a server to ask it sees nothing.
    fn detector_needs(&mut self, config: &types::Config, detector: SchemaDetector, message: &str) {
        for (name, policy) in config.policies.iter().flatten() {
            let detectors = policy.schema.as_ref().and_then(|schema| schema.detectors.as_ref());
            if detectors.is_some_and(|named| named.contains(&detector)) {
                let place = self.place(&["policies", name, "schema", "detectors"]);
                self.missing(place, message);
            }
        }
    }
}
