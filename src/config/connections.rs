//! The environment repo and the metric sources: how to reach them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue as HttpHeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::context::Context;
use super::report::Place;
use super::types;
use super::values::Size;
use crate::adapters::git::{GitAuth, GitOptions, Signing, SshOptions};
use crate::adapters::http::HttpOptions;
use crate::adapters::metrics::table::Columns;
use crate::adapters::metrics::{SourceOptions, csv_file, http_json, prometheus};
use crate::domain::history::snapshot::Person;
use crate::record::keys::RecordKeys;

const GIT_TIMEOUT_SECS: u32 = 60;
const SOURCE_TIMEOUT_SECS: u32 = 30;
const SOURCE_MAX_BODY_BYTES: u64 = 64 << 20;

/// Headers with one of these in their names carry credentials: their values are secrets.
const SECRET_HEADERS: [&str; 7] =
    ["authorization", "cookie", "token", "secret", "password", "api-key", "apikey"];

impl Context<'_> {
    /// The environment repo that stands at `keys`.
    pub(super) fn repository(&mut self, wire: &types::Repository, keys: &[&str]) -> GitOptions {
        let key = |name: &'static str| [keys, &[name]].concat();
        let url_place = self.place(&key("url"));
        let local = !wire.url.contains("://") && !is_scp_like(&wire.url);
        self.no_credentials(&wire.url, url_place, "write them as `auth`");
        let url = if local {
            self.path(Path::new(&wire.url), url_place).display().to_string()
        } else {
            wire.url.clone()
        };
        let author = wire.author.as_ref().map_or_else(
            || Person { name: "backout".to_owned(), email: "backout@localhost".to_owned() },
            |person| self.person(person, &key("author")),
        );
        let committer = wire.committer.as_ref().map(|person| self.person(person, &key("committer")));
        let (auth, ssh) = self.git_auth((&wire.url, wire.auth.as_ref()), keys);
        let cache_dir = match &wire.cache {
            Some(cache) => self.path(cache, self.place(&key("cache"))),
            // A local repository needs none; what is remembered of its branches is then remembered nowhere.
            None if local => self.usual_cache().unwrap_or_default(),
            None => self.default_cache(keys),
        };
        GitOptions {
            url,
            cache_dir,
            auth,
            ssh,
            committer: committer.unwrap_or_else(|| author.clone()),
            author,
            sign_off: wire.sign_off.unwrap_or(false),
            signing: wire.signing.as_ref().map(|signing| self.signing(signing, keys)),
            record_keys: RecordKeys::default(),
            http: self.http(&wire.http, GIT_TIMEOUT_SECS, keys),
        }
    }

    /// How to log in to the repository at a URL, as the map at `keys` says.
    pub(super) fn git_auth(
        &mut self,
        (url, wire): (&str, Option<&types::GitAuth>),
        keys: &[&str],
    ) -> (GitAuth, SshOptions) {
        let key = |name: &'static str| [keys, &["auth", name]].concat();
        let over_http = url.starts_with("http://") || url.starts_with("https://");
        let wants_http = match wire {
            None => return (GitAuth::None, SshOptions::default()),
            Some(types::GitAuth::Token { .. } | types::GitAuth::Basic { .. } | types::GitAuth::Forge) => true,
            Some(types::GitAuth::Ssh { .. }) => false,
        };
        if over_http != wants_http {
            let message = if wants_http {
                "goes with http:// and https:// only: use `kind: ssh`, or leave `auth` out for a local path"
            } else {
                "does not go with an http(s) URL: use `kind: token` or `kind: basic`"
            };
            self.findings.add(self.place(&key("kind")), message);
        }
        match wire {
            None | Some(types::GitAuth::Forge) => (GitAuth::None, SshOptions::default()),
            Some(types::GitAuth::Token { token }) => {
                (GitAuth::Token(self.secret(token, &key("token"))), SshOptions::default())
            }
            Some(types::GitAuth::Basic { username, password }) => {
                let password = self.secret(password, &key("password"));
                (GitAuth::Basic { username: username.clone(), password }, SshOptions::default())
            }
            Some(types::GitAuth::Ssh { key: file, known_hosts }) => {
                let key_file = self.optional_file(file.as_ref(), self.place(&key("key")));
                let hosts = self.optional_file(known_hosts.as_ref(), self.place(&key("known_hosts")));
                (GitAuth::None, SshOptions { key_file, known_hosts_file: hosts })
            }
        }
    }

    fn default_cache(&mut self, keys: &[&str]) -> PathBuf {
        self.usual_cache().unwrap_or_else(|| {
            let message = "neither XDG_CACHE_HOME nor HOME is set: write `cache` with a directory";
            self.findings.add(self.place(keys), message);
            PathBuf::new()
        })
    }

    fn usual_cache(&self) -> Option<PathBuf> {
        let directory = |name: &str| {
            (self.environment_variables)(name).map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let cache = directory("XDG_CACHE_HOME").or_else(|| directory("HOME").map(|home| home.join(".cache")));
        cache.map(|cache| cache.join("backout"))
    }

    fn person(&mut self, wire: &types::Person, keys: &[&str]) -> Person {
        for (name, text) in [("name", &wire.name), ("email", &wire.email)] {
            let plain = |c: char| !c.is_control() && c != '<' && c != '>';
            if text.trim().is_empty() || !text.chars().all(plain) {
                let place = self.place(&[keys, &[name]].concat());
                self.findings.add(place, "must be text on one line, without < and >");
            }
        }
        Person { name: wire.name.trim().to_owned(), email: wire.email.trim().to_owned() }
    }

    fn signing(&mut self, wire: &types::Signing, keys: &[&str]) -> Signing {
        let key = |name: &'static str| [keys, &["signing", name]].concat();
        match wire {
            types::Signing::Ssh { key: file, passphrase } => Signing::Ssh {
                key_file: self.file(file, self.place(&key("key"))),
                passphrase: passphrase.as_ref().map(|secret| self.secret(secret, &key("passphrase"))),
            },
            types::Signing::Openpgp { key: id, home } => Signing::OpenPgp {
                key_id: id.clone(),
                home: home.as_ref().map(|home| self.path(home, self.place(&key("home")))),
            },
        }
    }

    /// A metric source.
    pub(super) fn source(&mut self, name: &str, wire: &types::Source) -> SourceOptions {
        match wire {
            types::Source::Prometheus { url, server } => {
                self.http_url(url, self.place(&["metrics", name, "url"]));
                SourceOptions::Prometheus(self.server(name, url, server))
            }
            types::Source::HttpJson { url, server } => {
                let place = self.place(&["metrics", name, "url"]);
                self.http_url(url, place);
                self.template_url(url, place);
                SourceOptions::HttpJson(self.server(name, url, server))
            }
            types::Source::Csv { path, timestamp, value, labels, max_size } => {
                SourceOptions::Csv(csv_file::CsvOptions {
                    path: self.path(path, self.place(&["metrics", name, "path"])),
                    columns: Columns {
                        timestamp: timestamp.clone(),
                        value: value.clone(),
                        labels: labels.clone(),
                    },
                    max_bytes: self.size(*max_size, &["metrics", name, "max_size"]),
                })
            }
        }
    }

    /// How much is read of a source at once, in bytes.
    fn size(&mut self, size: Option<Size>, keys: &[&str]) -> u64 {
        let bytes = size.map_or(SOURCE_MAX_BODY_BYTES, |size| size.0);
        if bytes == 0 || bytes > 4 << 30 {
            self.findings.add(self.place(keys), "must be from 1B to 4GiB");
        }
        bytes
    }

    /// A metric source that is a server.
    fn server(&mut self, name: &str, url: &str, wire: &types::Server) -> prometheus::Options {
        let key = |key: &'static str| ["metrics", name, key];
        self.no_credentials(url, self.place(&key("url")), "write them as `auth`");
        let mut http = self.http(&wire.http, SOURCE_TIMEOUT_SECS, &["metrics", name]);
        http.identity = wire.client_certificate.as_ref().map(|files| {
            let inner = |inner: &'static str| ["metrics", name, "client_certificate", inner];
            let certificate = self.pem(&files.certificate, &inner("certificate"));
            let key = self.pem(&files.key, &inner("key"));
            SecretString::from(format!("{certificate}\n{key}\n"))
        });
        let auth = match &wire.auth {
            None => prometheus::Auth::None,
            Some(types::SourceAuth::Basic { username, password }) => prometheus::Auth::Basic {
                username: username.clone(),
                password: self.secret(password, &["metrics", name, "auth", "password"]),
            },
            Some(types::SourceAuth::Bearer { token }) => {
                prometheus::Auth::Bearer(self.secret(token, &["metrics", name, "auth", "token"]))
            }
        };
        prometheus::Options {
            url: url.to_owned(),
            auth,
            headers: wire.headers.as_ref().map_or_else(BTreeMap::new, |headers| self.headers(name, headers)),
            http,
            max_body_bytes: self.size(wire.max_body, &key("max_body")),
        }
    }

    fn headers(
        &mut self,
        source: &str,
        wire: &BTreeMap<String, types::HeaderValue>,
    ) -> BTreeMap<String, SecretString> {
        let mut headers = BTreeMap::new();
        for (name, value) in wire {
            let keys = ["metrics", source, "headers", name];
            let place = self.place(&keys);
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                self.findings.add(place, format!("`{name}` is not the name of a header"));
            }
            let value = match value {
                types::HeaderValue::Secret(secret) => self.secret(secret, &keys),
                types::HeaderValue::Text(text) => {
                    let lower = name.to_ascii_lowercase();
                    if SECRET_HEADERS.iter().any(|part| lower.contains(part)) {
                        self.findings.hide(place);
                        let message =
                            "a secret never stands in the configuration: write {env: NAME} or {file: PATH}";
                        self.findings.add(place, message);
                    }
                    SecretString::from(text.clone())
                }
            };
            if HttpHeaderValue::from_str(value.expose_secret()).is_err() {
                self.findings.add(place, "a header's value must be one line of visible ASCII text");
            }
            headers.insert(name.clone(), value);
        }
        headers
    }

    /// How a server is reached, as the map at `keys` says.
    pub(super) fn http(
        &mut self,
        wire: &types::Http,
        default_timeout_secs: u32,
        keys: &[&str],
    ) -> HttpOptions {
        let key = |name: &'static str| [keys, &[name]].concat();
        let timeout = self.seconds(wire.timeout, default_timeout_secs, self.place(&key("timeout")));
        if let Some(proxy) = &wire.proxy {
            let place = self.place(&key("proxy"));
            self.no_credentials(proxy, place, "set the environment variable HTTPS_PROXY instead");
            self.http_url(proxy, place);
        }
        HttpOptions {
            timeout: Duration::from_secs(timeout.into()),
            ca_file: self.optional_file(wire.ca_file.as_ref(), self.place(&key("ca_file"))),
            proxy: wire.proxy.clone(),
            ..HttpOptions::default()
        }
    }

    pub(super) fn http_url(&mut self, url: &str, place: Place) {
        let valid =
            Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !valid {
            self.findings.add(place, "must be a URL that begins with http:// or https://");
        }
    }

    /// A URL that is filled in, and that no key stands in.
    fn template_url(&mut self, url: &str, place: Place) {
        let (_, parameters) = url.split_once('?').unwrap_or((url, ""));
        let name = |pair: &str| pair.split('=').next().unwrap_or("").to_ascii_lowercase().replace('_', "-");
        if parameters.split('&').map(name).any(|name| SECRET_HEADERS.iter().any(|part| name.contains(part))) {
            self.findings.hide(place);
            self.findings.add(place, "credentials never stand in a URL: write them as `auth` or `headers`");
        } else if let Err(reason) = http_json::check_url(url) {
            self.findings.add(place, reason);
        }
    }

    /// A URL must not hold a password or a token. A bare user name is fine where SSH wants one.
    pub(super) fn no_credentials(&mut self, url: &str, place: Place, instead: &str) {
        let Some((scheme, rest)) = url.split_once("://") else { return };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
        let Some((user, _)) = authority.rsplit_once('@') else { return };
        if user.contains(':') || scheme.starts_with("http") {
            self.findings.hide(place);
            self.findings.add(place, format!("credentials never stand in a URL: {instead}"));
        }
    }
}

/// `user@host:path`, as Git takes it: a colon before any slash.
fn is_scp_like(url: &str) -> bool {
    url.split_once(':').is_some_and(|(host, _)| !host.is_empty() && !host.contains('/'))
}
