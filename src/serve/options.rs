//! What the configuration says of the server.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use secrecy::SecretString;

/// The server of the daemon.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The webhooks, each by its name: the last part of its path.
    pub hooks: BTreeMap<String, HookOptions>,
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct HookOptions {
    /// Who sends it.
    pub sender: Sender,
    /// What proves that it is them.
    pub secret: SecretString,
}

/// Who sends webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// GitHub: pushes, signed with HMAC-SHA-256.
    Github,
    /// GitLab: pushes, with a token, or signed as Standard Webhooks says.
    Gitlab,
    /// Gitea and Forgejo: pushes, signed with HMAC-SHA-256.
    Gitea,
    /// Alertmanager: alerts, with a bearer token.
    Alertmanager,
    /// Flux's notification controller, `generic-hmac`: what was applied, signed with HMAC-SHA-256.
    Flux,
    /// Anything else, with a bearer token.
    Generic,
}
