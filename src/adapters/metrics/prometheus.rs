//! Prometheus' query API, as Thanos, Mimir, Cortex and VictoriaMetrics speak it too.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries>.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::adapters::http::{self, HttpError, HttpOptions};
use crate::domain::signal::RangeQuery;
use crate::ports::{Answer, BoxFuture, MetricSource, SourceError};

/// How to reach a Prometheus.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its address, e.g. `http://prometheus:9090`; `/api/v1/query_range` is added to its path.
    pub url: String,
    /// How to log in.
    pub auth: Auth,
    /// Headers to send with each request, e.g. `X-Scope-OrgID`.
    pub headers: BTreeMap<String, SecretString>,
    /// Time limits, certificates and proxy.
    pub http: HttpOptions,
    /// The largest answer that is read, in bytes, after decompression.
    pub max_body_bytes: u64,
}

/// How to log in to a metric source.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Not at all.
    None,
    /// With a name and a password.
    Basic {
        /// The user's name.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// With a token in the `Authorization` header.
    Bearer(SecretString),
}

/// A client for one Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    _client: reqwest::Client,
}

impl Prometheus {
    /// Makes the client.
    ///
    /// # Errors
    /// When the address, a header, the proxy or a certificate is not valid.
    pub fn new(options: &Options) -> Result<Self, HttpError> {
        Ok(Self { _client: http::client(&options.http)? })
    }
}

impl MetricSource for Prometheus {
    fn range<'a>(&'a self, _query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>> {
        Box::pin(async { Err(SourceError::Unavailable("not built yet".to_owned())) })
    }
}
