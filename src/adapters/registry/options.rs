//! How registries are reached, and how they are logged in to.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::adapters::http::HttpOptions;

/// How a registry is reached.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// Its host, with its port where it has one, as artifacts name it: `ghcr.io`, `docker.io`.
    pub host: String,
    /// How to log in.
    pub auth: RegistryAuth,
    /// Whether it is spoken to without TLS.
    pub plain_http: bool,
    /// Time limits, certificates and proxy.
    pub http: HttpOptions,
}

/// How to log in to a registry.
#[derive(Clone, Debug)]
pub enum RegistryAuth {
    /// Not at all. Where it wants a token all the same, one is asked for without a name.
    None,
    /// With a name and a password; also where the registry hands out tokens for them.
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// With a token in the `Authorization` header.
    Token(SecretString),
    /// With what a file in the form of Docker's `config.json` holds, read anew for each look.
    DockerConfig(PathBuf),
}

/// Credentials, as a registry takes them.
pub(super) enum Credentials {
    None,
    Basic {
        username: String,
        password: SecretString,
    },
    /// A token that is sent to the registry as it is.
    Bearer(SecretString),
    /// A token for which the registry's own server of tokens gives others.
    Identity(SecretString),
}
