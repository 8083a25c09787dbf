//! The registries: how to reach them.

use std::collections::BTreeSet;

use super::context::Context;
use super::report::Place;
use super::tree::Node;
use super::types;
use crate::adapters::registry::{RegistryAuth, RegistryOptions};
use crate::domain::artifact::image::is_host;
use crate::domain::environment::policy::SchemaDetector;

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
                Some(types::RegistryAuth::Basic { username, password }) => RegistryAuth::Basic {
                    username: username.clone(),
                    password: self.secret(password, &key("password")),
                },
                Some(types::RegistryAuth::Token { token }) => {
                    RegistryAuth::Token(self.secret(token, &key("token")))
                }
                Some(types::RegistryAuth::DockerConfig { path }) => {
                    RegistryAuth::DockerConfig(self.path(path, self.place(&key("path"))))
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
            self.needs_registries(config);
        }
        registries
    }

    /// Whoever names the detector of images relies on it, and without a registry it sees none.
    fn needs_registries(&mut self, config: &types::Config) {
        for (name, policy) in config.policies.iter().flatten() {
            let detectors = policy.schema.as_ref().and_then(|schema| schema.detectors.as_ref());
            if detectors.is_some_and(|named| named.contains(&SchemaDetector::Images)) {
                let place = self.place(&["policies", name, "schema", "detectors"]);
                self.missing(
                    place,
                    "the detector `images` needs `registries`: list those that hold the images",
                );
            }
        }
    }
}
