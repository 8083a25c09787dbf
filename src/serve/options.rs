//! What the configuration says of the server.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

/// The server of the daemon.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The webhooks, each by its name: the last part of its path.
    pub hooks: BTreeMap<String, HookOptions>,
    /// The pages for people; none where there are none.
    pub page: Option<PageOptions>,
}

/// The pages for people.
#[derive(Clone, Debug)]
pub struct PageOptions {
    /// What proves that somebody may read them: a bearer token, or the password of any user. None where everybody may who reaches the
    /// server.
    pub secret: Option<SecretString>,
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct HookOptions {
    /// Who sends it.
    pub sender: Sender,
    /// What proves that it is them.
    pub secret: SecretString,
}

/// Who sends a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "HookSender")]
pub enum Sender {
    /// GitHub, on a push.
    Github,
    /// GitLab, on a push: with a secret token or a signing token.
    Gitlab,
    /// Gitea or Forgejo, on a push.
    Gitea,
    /// Alertmanager, with a bearer token (`http_config.authorization`), when an alert fires.
    Alertmanager,
    /// Flux's notification controller (`generic-hmac`), when something was applied.
    Flux,
    /// Anything else, with a bearer token. The body is empty, or JSON that may name a `repository`.
    Generic,
}
