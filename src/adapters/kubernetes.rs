//! Leases in the API of Kubernetes: a few plain requests. A write names the version that it replaces, and the server takes one of two.
//! Source: <https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/>.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::{HttpError, HttpOptions, client_for};
use crate::domain::lease::Lease;
use crate::domain::text::one_line;
use crate::ports::{BoxFuture, Clock, LeaseError, Leases};

/// The largest answer that is read, in bytes. A lease has less than one KiB.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// The largest file of the service account that is read, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 10;
/// The longest reason of the server that is passed on, in characters.
const MAX_REASON: usize = 300;

/// Where the leases are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseOptions {
    /// What the leases are called: `NAME-0` and so on.
    pub name: String,
    /// How many there are.
    pub shards: u32,
    /// When a lease runs out that is not renewed.
    pub expiry: Duration,
    /// The URL of the API server; none where the environment names none.
    pub server: Option<String>,
    /// The directory with `token`, `namespace` and `ca.crt`, as a pod has it.
    pub account: PathBuf,
    /// Who asks: the pod's name; none where the environment has none.
    pub me: Option<String>,
}

/// The leases of a namespace.
pub struct KubernetesLeases {
    options: LeaseOptions,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    /// Made when it is needed, and anew after a failure: the server's certificate may come from another authority by then.
    client: Mutex<Option<reqwest::Client>>,
}

/// A lease as the API has it.
#[derive(Deserialize)]
struct Answer {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    holder_identity: Option<String>,
    acquire_time: Option<String>,
    lease_transitions: Option<u32>,
}

impl KubernetesLeases {
    /// Nobody is asked yet. A request may take as long as `timeout`.
    #[must_use]
    pub fn new(options: LeaseOptions, timeout: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { options, timeout, clock, client: Mutex::default() }
    }

    async fn get(&self, shard: u32) -> Result<Option<Lease>, LeaseError> {
        let (status, body) = self.ask(Method::GET, Some(shard), None).await?;
        match status {
            StatusCode::OK => Ok(Some(lease_in(&body)?)),
            // Not of the server itself: another one that answers so does not know what a lease is.
            StatusCode::NOT_FOUND if kind_of(&body).as_deref() == Some("Status") => Ok(None),
            status => Err(refused(status, &body)),
        }
    }

    async fn put(&self, shard: u32, holder: &str, over: Option<&Lease>) -> Result<Lease, LeaseError> {
        // As the API wants its times.
        let now = self.clock.now().to_string().replace('Z', ".000000Z");
        let is_new = over.is_none_or(|over| over.holder != holder);
        let acquired = over.and_then(|over| over.acquired.clone()).filter(|_| !is_new);
        let transitions = over.map_or(0, |over| over.transitions.saturating_add(u32::from(is_new)));
        let body = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self.name(shard),
                "namespace": self.namespace()?,
                "resourceVersion": over.map(|over| &over.version),
            },
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": self.options.expiry.as_secs().max(1),
                "acquireTime": acquired.as_ref().unwrap_or(&now),
                "renewTime": now,
                "leaseTransitions": transitions.min(i32::MAX.unsigned_abs()),
            },
        });
        let (method, place) = match over {
            Some(_) => (Method::PUT, Some(shard)),
            None => (Method::POST, None),
        };
        let (status, body) = self.ask(method, place, Some(body)).await?;
        match status {
            StatusCode::OK | StatusCode::CREATED => lease_in(&body),
            // It is there by now, or has another version.
            StatusCode::CONFLICT => Err(LeaseError::Lost),
            // Somebody has removed it.
            StatusCode::NOT_FOUND if over.is_some() => Err(LeaseError::Lost),
            status => Err(refused(status, &body)),
        }
    }

    fn name(&self, shard: u32) -> String {
        format!("{}-{shard}", self.options.name)
    }

    fn namespace(&self) -> Result<String, LeaseError> {
        Ok(read_file(&self.options.account.join("namespace"))?.trim().to_owned())
    }

    /// Sends a request about the lease of a shard, or about all of them. Gives the answer's status and body.
    async fn ask(
        &self,
        method: Method,
        shard: Option<u32>,
        body: Option<Value>,
    ) -> Result<(StatusCode, Vec<u8>), LeaseError> {
        let server = self.options.server.as_deref().ok_or_else(|| {
            unanswered("no API server is known: KUBERNETES_SERVICE_HOST is not set, and neither is `run.lease.server`")
        })?;
        let mut url = Url::parse(server).map_err(|error| unanswered(&format!("`{server}`: {error}")))?;
        let (namespace, name) = (self.namespace()?, shard.map(|shard| self.name(shard)));
        {
            let mut path = url.path_segments_mut().map_err(|()| unanswered("the URL has no host"))?;
            path.pop_if_empty().extend([
                "apis",
                "coordination.k8s.io",
                "v1",
                "namespaces",
                &namespace,
                "leases",
            ]);
            path.extend(name);
        }
        // Read for each request: it is replaced every hour.
        let token = SecretString::from(read_file(&self.options.account.join("token"))?.trim().to_owned());
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
        let mut bearer = bearer.map_err(|_token| unanswered("the token is not valid"))?;
        bearer.set_sensitive(true);
        let client = self.client(&url).map_err(|error| unanswered(&error.to_string()))?;
        let request = client.request(method, url).header(AUTHORIZATION, bearer);
        let request = body.iter().fold(request, |request, body| request.json(body));
        let answer = read(request).await;
        if answer.is_err() {
            *self.client.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        answer
    }

    fn client(&self, url: &Url) -> Result<reqwest::Client, HttpError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = client.as_ref() {
            return Ok(client.clone());
        }
        let ca_file = Some(self.options.account.join("ca.crt")).filter(|_| url.scheme() == "https");
        let (timeout, connect_timeout) = (self.timeout, self.timeout);
        let options = HttpOptions { timeout, connect_timeout, ca_file, ..HttpOptions::default() };
        Ok(client.insert(client_for(url, &options)?).clone())
    }
}

impl Leases for KubernetesLeases {
    fn read(&self, shard: u32) -> BoxFuture<'_, Result<Option<Lease>, LeaseError>> {
        Box::pin(self.get(shard))
    }

    fn write<'a>(
        &'a self,
        shard: u32,
        holder: &'a str,
        over: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        Box::pin(self.put(shard, holder, over))
    }
}

/// Sends a request and reads the answer, within its bounds.
async fn read(request: reqwest::RequestBuilder) -> Result<(StatusCode, Vec<u8>), LeaseError> {
    let failed = |error: reqwest::Error| {
        let innermost =
            std::iter::successors(std::error::Error::source(&error), |error| error.source()).last();
        let why = innermost.map_or_else(|| "no answer".to_owned(), ToString::to_string);
        let why = if error.is_timeout() { "no answer in time" } else { &why };
        unanswered(&format!("the API server cannot be asked: {}", one_line(why, MAX_REASON)))
    };
    let mut response = request.send().await.map_err(failed)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(unanswered("the answer of the API server is too large for a lease"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), body))
}

fn lease_in(body: &[u8]) -> Result<Lease, LeaseError> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|error| unanswered(&format!("the answer of the API server is no lease: {error}")))?;
    Ok(Lease {
        holder: answer.spec.holder_identity.unwrap_or_default(),
        version: answer.metadata.resource_version,
        acquired: answer.spec.acquire_time,
        transitions: answer.spec.lease_transitions.unwrap_or(0),
    })
}

fn kind_of(body: &[u8]) -> Option<String> {
    let said: Value = serde_json::from_slice(body).ok()?;
    Some(said.get("kind")?.as_str()?.to_owned())
}

fn refused(status: StatusCode, body: &[u8]) -> LeaseError {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let why = said.get("message").and_then(Value::as_str).unwrap_or("no reason");
    unanswered(&format!("the API server answers {status}: {}", one_line(why, MAX_REASON)))
}

fn unanswered(why: &str) -> LeaseError {
    LeaseError::Unanswered(why.to_owned())
}

/// The text of a file of the service account.
fn read_file(path: &Path) -> Result<String, LeaseError> {
    let read = || {
        let mut text = String::new();
        std::fs::File::open(path)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    read().map_err(|error| unanswered(&format!("cannot read {}: {error}", path.display())))
}
