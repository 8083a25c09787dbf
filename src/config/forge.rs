//! The forge: where it is, and how to log in.

use std::collections::BTreeSet;

use reqwest::Url;

use super::address::Address;
use super::context::Context;
use super::estates::{WrittenEstate, WrittenForge, repository_of};
use super::types::{self, ForgeKind as Wire};
use crate::adapters::forge::{ForgeAuth, ForgeKind, ForgeOptions};
use crate::domain::environment::policy::Delivery;

const TIMEOUT_SECS: u32 = 30;

impl Context<'_> {
    /// The forge of a repository, if it has one.
    pub(super) fn forge(&mut self, estate: &WrittenEstate<'_>, signed: bool) -> Option<ForgeOptions> {
        let forge = estate.forge.as_ref()?;
        let wire = forge.wire;
        let key = |name: &'static str| [&forge.keys, &[name][..]].concat();
        let http = self.http(&wire.http, TIMEOUT_SECS, &forge.keys);
        let auth = self.forge_auth(&wire.auth, wire.kind, &key("auth"));
        let address = Address::of(&estate.repository.url);
        let api = match &wire.url {
            Some(url) => {
                self.no_credentials(url, self.place(&key("url")), "write them as `auth`");
                self.http_url(url, self.place(&key("url")));
                Url::parse(url).ok()
            }
            None => address.as_ref().and_then(|address| address.api(wire.kind)),
        };
        self.is_one_server(forge);
        let repository = self.forge_repository(forge, address.map(|address| address.path));
        for (missing, name) in [(api.is_none(), "url"), (repository.is_none(), "repository")] {
            if missing {
                let url = estate.keys.join(".");
                let fix = if name == "repository" && forge.users.len() > 1 {
                    "give the repository a forge of its own, and write it there"
                } else {
                    "write it here"
                };
                let message = format!("`{url}.url` does not tell the forge's `{name}`: {fix}");
                self.findings.add(self.place(&forge.keys), message);
            }
        }
        Some(ForgeOptions {
            kind: kind(wire.kind),
            api: api?,
            repository: repository.unwrap_or_default(),
            auth,
            labels: wire.labels.clone().unwrap_or_default(),
            reviewers: wire.reviewers.clone().unwrap_or_default(),
            code_owners: wire.code_owners.unwrap_or(true),
            assignees: wire.assignees.clone().unwrap_or_default(),
            signed,
            http,
        })
    }

    /// What cannot be done without a forge.
    pub(super) fn needs_forge(&mut self, config: &types::Config, estate: &WrittenEstate<'_>) {
        let name_it = if config.repositories.is_some() {
            format!(
                "the repository `{}` has no forge: name one there (`forge: NAME`), or choose another way",
                estate.name
            )
        } else {
            "there is no `forge`: name one, or choose another way".to_owned()
        };
        if matches!(estate.repository.auth, Some(types::GitAuth::Forge)) {
            self.missing(self.place(&[&estate.keys, &["auth", "kind"][..]].concat()), name_it.clone());
        }
        for (name, environment) in &config.environments {
            let is_in_it = repository_of(config, environment) == Some(estate.name);
            if is_in_it && environment.delivery == Some(Delivery::PullRequest) {
                self.missing(self.place(&["environments", name, "delivery"]), name_it.clone());
            }
        }
    }

    /// What the repository is called on its forge: what is written there, else the path of the repository's URL.
    fn forge_repository(&mut self, forge: &WrittenForge<'_>, path: Option<String>) -> Option<String> {
        let Some(written) = &forge.wire.repository else { return path.filter(|path| is_full_name(path)) };
        let place = self.place(&[&forge.keys, &["repository"][..]].concat());
        if !is_full_name(written) {
            self.findings.add(place, "must be the owner and the name of a repository: `owner/name`");
        }
        if forge.users.len() > 1 {
            let users: Vec<String> = forge.users.iter().map(|(name, _)| format!("`{name}`")).collect();
            let users = users.join(", ");
            let message = format!(
                "the repositories {users} share this forge: leave this out, or give each a forge of its own"
            );
            self.findings.add(place, message);
        }
        Some(written.clone())
    }

    /// A forge is one server, and its credentials go to no other one.
    fn is_one_server(&mut self, forge: &WrittenForge<'_>) {
        let apis = forge.users.iter().filter_map(|(_, user)| Address::of(&user.url)?.api(forge.wire.kind));
        if forge.wire.url.is_none() && apis.collect::<BTreeSet<_>>().len() > 1 {
            let message =
                "its repositories are on several hosts: write its `url`, or define a forge for each host";
            self.findings.add(self.place(&forge.keys), message);
        }
    }

    fn forge_auth(&mut self, wire: &types::ForgeAuth, kind: Wire, keys: &[&str]) -> ForgeAuth {
        let key = |name: &'static str| [keys, &[name]].concat();
        match wire {
            types::ForgeAuth::Token { token } => ForgeAuth::Token(self.secret(token, &key("token"))),
            types::ForgeAuth::App { app_id, installation_id, private_key } => {
                if kind != Wire::Github {
                    self.findings.add(self.place(&key("kind")), "only GitHub has Apps: use `kind: token`");
                }
                ForgeAuth::App {
                    app_id: *app_id,
                    installation_id: *installation_id,
                    key: self.secret(private_key, &key("private_key")),
                }
            }
        }
    }
}

/// Whether `text` is an owner, perhaps groups, and a name, with slashes between them.
fn is_full_name(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_valid = |part: &&str| !part.is_empty() && !matches!(*part, "." | "..") && part.chars().all(plain);
    parts.len() >= 2 && parts.iter().all(is_valid)
}

fn kind(wire: Wire) -> ForgeKind {
    match wire {
        Wire::Github => ForgeKind::GitHub,
        Wire::Gitlab => ForgeKind::GitLab,
        Wire::Gitea => ForgeKind::Gitea,
        Wire::Forgejo => ForgeKind::Forgejo,
    }
}
