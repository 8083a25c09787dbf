//! One way to make an HTTP client: TLS by rustls, with its limits set.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::trust;

/// How to reach a server.
#[derive(Clone)]
pub struct HttpOptions {
    /// The longest a whole request may take, body included.
    pub timeout: Duration,
    /// The longest connecting may take.
    pub connect_timeout: Duration,
    /// A file with certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// A proxy's URL. Without it the usual environment variables count (`HTTPS_PROXY`, `NO_PROXY`, …).
    pub proxy: Option<String>,
    /// A client certificate and its key, both PEM in one text.
    pub identity: Option<SecretString>,
}

impl fmt::Debug for HttpOptions {
    /// Without the proxy's URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("ca_file", &self.ca_file)
            .field("proxy", &self.proxy.is_some())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            ca_file: None,
            proxy: None,
            identity: None,
        }
    }
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The file with certificates cannot be read.
    #[error("cannot read the certificates in {path}: {reason}")]
    Certificates {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Anything else: the proxy's URL or the client certificate is not valid.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
}

/// Makes a client for the server at `url`. Where that is this machine itself (`localhost`, `127.0.0.1`, as after
/// `kubectl port-forward`), the proxy of the environment variables does not count, as in most programs; one that is
/// named in the options does. Redirects are followed to the same host only, at most three.
///
/// # Errors
/// When a file cannot be read or an option is not valid.
pub fn client_for(url: &Url, options: &HttpOptions) -> Result<reqwest::Client, HttpError> {
    let builder = reqwest::Client::builder();
    build(if is_loopback(url) { builder.no_proxy() } else { builder }, options)
}

/// Whether the URL's host is this machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or("");
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn build(builder: reqwest::ClientBuilder, options: &HttpOptions) -> Result<reqwest::Client, HttpError> {
    // The first call decides for the process; every later one finds it decided.
    let _decided = rustls::crypto::ring::default_provider().install_default();
    let client_error = |e: reqwest::Error| HttpError::Client(e.without_url().to_string());
    let mut builder = builder
        .user_agent(concat!("backout/", env!("CARGO_PKG_VERSION")))
        .timeout(options.timeout)
        .connect_timeout(options.connect_timeout)
        .redirect(reqwest::redirect::Policy::custom(|attempt| {
            let first = attempt.previous().first();
            let same_host = first.is_some_and(|url| {
                url.host_str() == attempt.url().host_str()
                    && (url.scheme() == attempt.url().scheme() || attempt.url().scheme() == "https")
            });
            if attempt.previous().len() > 3 || !same_host { attempt.stop() } else { attempt.follow() }
        }));
    if options.ca_file.is_none() && options.identity.is_none() {
        let tls = trust::by_system().map_err(|error| HttpError::Client(error.to_string()))?;
        builder = builder.tls_backend_preconfigured(tls);
    }
    if let Some(path) = &options.ca_file {
        let broken = |reason: String| HttpError::Certificates { path: path.clone(), reason };
        let pem = std::fs::read(path).map_err(|e| broken(e.to_string()))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| broken(e.to_string()))?;
        for certificate in certificates {
            builder = builder.add_root_certificate(certificate);
        }
    }
    if let Some(proxy) = &options.proxy {
        builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(client_error)?);
    }
    if let Some(identity) = &options.identity {
        let identity =
            reqwest::Identity::from_pem(identity.expose_secret().as_bytes()).map_err(client_error)?;
        builder = builder.identity(identity);
    }
    builder.build().map_err(client_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_told_from_others() {
        for (url, expected) in [
            ("http://localhost:9090", true),
            ("http://LOCALHOST", true),
            ("http://127.0.0.1:9090/x", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:9090", true),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
            ("http://[::2]", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
