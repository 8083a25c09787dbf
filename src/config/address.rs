//! Where a repository is, as its URL tells.

use std::path::{Path, PathBuf};

use reqwest::Url;

use super::types::ForgeKind;

/// The host and the path of a repository on a server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `https://host`, with the port where the URL is of the web.
    origin: String,
    host: String,
    /// The port, where the URL has one that its scheme does not imply.
    port: Option<u16>,
    /// The path without slashes around it and without `.git`.
    pub(super) path: String,
}

impl Address {
    /// Reads `https://host/a/b.git`, `ssh://user@host/a/b.git` and `user@host:a/b.git`. None for a path on this machine.
    pub(super) fn of(url: &str) -> Option<Self> {
        let (origin, host, port, path) = match Url::parse(url).ok().filter(|_| url.contains("://")) {
            Some(url) => {
                let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
                let origin = match (url.scheme(), url.port()) {
                    (scheme @ ("http" | "https"), Some(port)) => format!("{scheme}://{host}:{port}"),
                    (scheme @ ("http" | "https"), None) => format!("{scheme}://{host}"),
                    ("file", _) => return None,
                    (_, _) => format!("https://{host}"),
                };
                (origin, host, url.port(), url.path().to_owned())
            }
            None => {
                let (before, path) = url.split_once(':').filter(|(before, _)| !before.contains('/'))?;
                let host = before.rsplit('@').next().unwrap_or(before).to_owned();
                (format!("https://{host}"), host, None, path.to_owned())
            }
        };
        let path = path.trim_matches('/').trim_end_matches(".git").to_owned();
        (!host.is_empty() && !path.is_empty()).then_some(Self { origin, host, port, path })
    }

    /// Where the API of such a forge is on this host.
    pub(super) fn api(&self, kind: ForgeKind) -> Option<Url> {
        let text = match kind {
            ForgeKind::Github
                if ["github.com", "ssh.github.com"].contains(&self.host.to_lowercase().as_str()) =>
            {
                "https://api.github.com".to_owned()
            }
            // GitHub Enterprise Cloud with data residency.
            ForgeKind::Github if self.host.ends_with(".ghe.com") => format!("https://api.{}", self.host),
            ForgeKind::Github => format!("{}/api/v3", self.origin),
            ForgeKind::Gitlab => format!("{}/api/v4", self.origin),
            ForgeKind::Gitea | ForgeKind::Forgejo => format!("{}/api/v1", self.origin),
        };
        Url::parse(&text).ok()
    }
}

/// Whether two URLs, or two paths on this machine, mean the same repository, as far as they tell: the scheme, the user and
/// a `.git` at the end make no difference.
pub(super) fn same_repository(a: &str, b: &str) -> bool {
    match (Address::of(a), Address::of(b)) {
        (Some(a), Some(b)) => {
            (a.host.to_lowercase(), a.port, a.path) == (b.host.to_lowercase(), b.port, b.path)
        }
        (None, None) => on_this_machine(a) == on_this_machine(b),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn on_this_machine(url: &str) -> PathBuf {
    let path = Path::new(url.strip_prefix("file://").unwrap_or(url));
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repositorys_url_tells_where_the_forge_is() {
        use ForgeKind::{Forgejo, Github, Gitlab};
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
            let address = Address::of(url).unwrap();
            assert_eq!(address.api(kind).unwrap().as_str(), api, "{url}");
            assert_eq!(address.path, path, "{url}");
        }
        for local in ["/srv/env.git", "../env", "file:///srv/env.git", "env:"] {
            assert_eq!(Address::of(local), None, "{local}");
        }
    }
}
