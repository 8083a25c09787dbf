//! The forge: where it is, and how to log in.

use reqwest::Url;

use super::address::Address;
use super::context::Context;
use super::types::{self, ForgeKind as Wire};
use crate::adapters::forge::{ForgeAuth, ForgeKind, ForgeOptions};

const TIMEOUT_SECS: u32 = 30;

impl Context<'_> {
    /// The forge, if one is named.
    pub(super) fn forge(&mut self, config: &types::Config, signed: bool) -> Option<ForgeOptions> {
        let Some(wire) = &config.forge else {
            self.needs_forge(config);
            return None;
        };
        let key = |name: &'static str| ["forge", name];
        let http = self.http(&wire.http, TIMEOUT_SECS, &["forge"]);
        let auth = self.forge_auth(&wire.auth, wire.kind);
        let address = Address::of(&config.repository.url);
        let api = match &wire.url {
            Some(url) => {
                self.no_credentials(url, self.place(&key("url")), "write them as `auth`");
                self.http_url(url, self.place(&key("url")));
                Url::parse(url).ok()
            }
            None => address.as_ref().and_then(|address| address.api(wire.kind)),
        };
        let repository = wire.repository.clone().or_else(|| address.map(|address| address.path));
        for (missing, name) in [(api.is_none(), "url"), (repository.is_none(), "repository")] {
            if missing {
                let message = format!("`repository.url` does not tell the forge's `{name}`: write it here");
                self.findings.add(self.place(&["forge"]), message);
            }
        }
        let repository = repository.unwrap_or_default();
        let parts: Vec<&str> = repository.split('/').collect();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_valid =
            |part: &&str| !part.is_empty() && !matches!(*part, "." | "..") && part.chars().all(plain);
        if !repository.is_empty() && (parts.len() < 2 || !parts.iter().all(is_valid)) {
            let place = self.place(&key("repository"));
            self.findings.add(place, "must be the owner and the name of a repository: `owner/name`");
        }
        Some(ForgeOptions {
            kind: kind(wire.kind),
            api: api?,
            repository,
            auth,
            labels: wire.labels.clone().unwrap_or_default(),
            reviewers: wire.reviewers.clone().unwrap_or_default(),
            code_owners: wire.code_owners.unwrap_or(true),
            assignees: wire.assignees.clone().unwrap_or_default(),
            signed,
            http,
        })
    }

    fn forge_auth(&mut self, wire: &types::ForgeAuth, kind: Wire) -> ForgeAuth {
        match wire {
            types::ForgeAuth::Token { token } => {
                ForgeAuth::Token(self.secret(token, &["forge", "auth", "token"]))
            }
            types::ForgeAuth::App { app_id, installation_id, private_key } => {
                if kind != Wire::Github {
                    let place = self.place(&["forge", "auth", "kind"]);
                    self.findings.add(place, "only GitHub has Apps: use `kind: token`");
                }
                ForgeAuth::App {
                    app_id: *app_id,
                    installation_id: *installation_id,
                    key: self.secret(private_key, &["forge", "auth", "private_key"]),
                }
            }
        }
    }

    /// What cannot be done without a forge.
    fn needs_forge(&mut self, config: &types::Config) {
        use crate::domain::environment::policy::Delivery;
        let name_it = "there is no `forge`: name one, or choose another way";
        if matches!(config.repository.auth, Some(types::GitAuth::Forge)) {
            self.missing(self.place(&["repository", "auth", "kind"]), name_it);
        }
        for (name, environment) in &config.environments {
            if environment.delivery == Some(Delivery::PullRequest) {
                self.missing(self.place(&["environments", name, "delivery"]), name_it);
            }
        }
    }
}

fn kind(wire: Wire) -> ForgeKind {
    match wire {
        Wire::Github => ForgeKind::GitHub,
        Wire::Gitlab => ForgeKind::GitLab,
        Wire::Gitea | Wire::Forgejo => ForgeKind::Gitea,
    }
}
