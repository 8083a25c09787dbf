//! The forge: where it is, as far as the repository's URL tells, and how to log in.

use reqwest::Url;

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
        let place = Place::of(&config.repository.url);
        let api = match &wire.url {
            Some(url) => {
                self.no_credentials(url, self.place(&key("url")), "write them as `auth`");
                self.http_url(url, self.place(&key("url")));
                Url::parse(url).ok()
            }
            None => place.as_ref().and_then(|place| place.api(wire.kind)),
        };
        let repository = wire.repository.clone().or_else(|| place.map(|place| place.path));
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

/// Where a repository is, as its URL tells.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// `https://host`, with the port where the URL is of the web.
    origin: String,
    host: String,
    /// The path without slashes around it and without `.git`.
    path: String,
}

impl Place {
    /// Reads `https://host/a/b.git`, `ssh://user@host/a/b.git` and `user@host:a/b.git`. None for a path on this machine.
    fn of(url: &str) -> Option<Self> {
        let (origin, host, path) = match Url::parse(url).ok().filter(|_| url.contains("://")) {
            Some(url) => {
                let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
                let origin = match (url.scheme(), url.port()) {
                    (scheme @ ("http" | "https"), Some(port)) => format!("{scheme}://{host}:{port}"),
                    (scheme @ ("http" | "https"), None) => format!("{scheme}://{host}"),
                    ("file", _) => return None,
                    (_, _) => format!("https://{host}"),
                };
                (origin, host, url.path().to_owned())
            }
            None => {
                let (before, path) = url.split_once(':').filter(|(before, _)| !before.contains('/'))?;
                let host = before.rsplit('@').next().unwrap_or(before).to_owned();
                (format!("https://{host}"), host, path.to_owned())
            }
        };
        let path = path.trim_matches('/').trim_end_matches(".git").to_owned();
        (!host.is_empty() && !path.is_empty()).then_some(Self { origin, host, path })
    }

    fn api(&self, kind: Wire) -> Option<Url> {
        let text = match kind {
            Wire::Github if ["github.com", "ssh.github.com"].contains(&self.host.to_lowercase().as_str()) => {
                "https://api.github.com".to_owned()
            }
            // GitHub Enterprise Cloud with data residency.
            Wire::Github if self.host.ends_with(".ghe.com") => format!("https://api.{}", self.host),
            Wire::Github => format!("{}/api/v3", self.origin),
            Wire::Gitlab => format!("{}/api/v4", self.origin),
            Wire::Gitea | Wire::Forgejo => format!("{}/api/v1", self.origin),
        };
        Url::parse(&text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repositorys_url_tells_where_the_forge_is() {
        use Wire::{Forgejo, Github, Gitlab};
        for (kind, url, api, path) in [
            (Github, "https://github.com/shop/env.git", "https://api.github.com/", "shop/env"),
            (Github, "git@github.com:shop/env.git", "https://api.github.com/", "shop/env"),
            (Github, "ssh://git@github.com/shop/env", "https://api.github.com/", "shop/env"),
            (Github, "ssh://git@ssh.github.com:443/shop/env.git", "https://api.github.com/", "shop/env"),
            (Github, "https://shop.ghe.com/shop/env", "https://api.shop.ghe.com/", "shop/env"),
            (Github, "https://ghe.example.com:8443/a/b", "https://ghe.example.com:8443/api/v3", "a/b"),
            (Github, "ssh://git@ghe.example.com:2222/a/b.git", "https://ghe.example.com/api/v3", "a/b"),
            (
                Gitlab,
                "https://gitlab.com/shop/platform/env.git",
                "https://gitlab.com/api/v4",
                "shop/platform/env",
            ),
            (Forgejo, "git@codeberg.org:shop/env.git", "https://codeberg.org/api/v1", "shop/env"),
        ] {
            let place = Place::of(url).unwrap();
            assert_eq!(place.api(kind).unwrap().as_str(), api, "{url}");
            assert_eq!(place.path, path, "{url}");
        }
        for local in ["/srv/env.git", "../env", "file:///srv/env.git", "env:"] {
            assert_eq!(Place::of(local), None, "{local}");
        }
    }
}
