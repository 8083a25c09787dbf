//! Asking a forge over HTTP: one way to try again, to bound an answer, to ask only for what is new, to go through pages,
//! and to say what went wrong so that a person can do something about it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{ETAG, IF_NONE_MATCH, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::options::TokenSource;
use super::reply::{Advice, MAX_ASKED, Reply};
use crate::domain::ids::CommitId;
use crate::domain::text::one_line;
use crate::domain::time::Time;
use crate::ports::{BoxFuture, ForgeError};

/// The largest answer that is read, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 16 << 20;
/// How often a request is sent again.
const MAX_RETRIES: u32 = 2;
/// The first wait before a request is sent again; each further one is twice as long.
const MIN_WAIT: Duration = Duration::from_millis(500);
/// The longest wait that a forge may ask for within a pass. Longer ones are left to the next pass.
const MAX_WAIT_SECS: u64 = 10;
/// The most pages that are read of a list; of what is longer, the beginning counts.
pub(super) const MAX_PAGES: usize = 10;
/// How many answers are kept to be asked for conditionally.
const MAX_KEPT: usize = 256;
/// The largest answer that is kept, in bytes.
const MAX_KEPT_BYTES: usize = 1 << 20;

/// How requests reach a server: through whatever client, with credentials.
pub(super) trait Wire: TokenSource + 'static {
    /// Sends one request. The body of the answer is bounded by [`MAX_BODY_BYTES`].
    fn send(&self, request: Request<Vec<u8>>) -> BoxFuture<'_, Result<Response<Vec<u8>>, Lost>>;

    /// Forgets credentials that the server has refused. Whether there are others to try with.
    fn renew(&self) -> bool;
}

/// A request without a usable answer.
#[derive(Debug)]
pub(super) struct Lost {
    /// Why.
    pub(super) reason: String,
    /// Whether the server has surely not seen the request.
    pub(super) unsent: bool,
    /// Whether a person has to mend it: a mistake in the credentials, not in the network.
    pub(super) denied: bool,
    /// Whether the same request may end otherwise.
    pub(super) again: bool,
}

/// A server that is asked.
pub(super) struct Rest<W> {
    wire: Arc<W>,
    /// What it is and where, for messages.
    name: String,
    /// The answers that carried an `ETag`, by their paths.
    kept: Mutex<HashMap<String, (HeaderValue, Reply)>>,
}

impl<W: Wire> Rest<W> {
    pub(super) fn new(name: String, wire: W) -> Self {
        Self { wire: Arc::new(wire), name, kept: Mutex::default() }
    }

    /// The credentials, for Git.
    pub(super) fn tokens(&self) -> Arc<dyn TokenSource> {
        Arc::<W>::clone(&self.wire)
    }

    /// Reads something.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ForgeError> {
        self.read(path).await?.json(&self.name)
    }

    /// Reads something that may not be there.
    pub(super) async fn get_if_any<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ForgeError> {
        let reply = self.exchange(&Method::GET, path, None).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(None),
            _ => self.accepted(reply)?.json(&self.name).map(Some),
        }
    }

    /// Reads something that may not be there, or that these credentials may not see: what is not told is not known.
    pub(super) async fn get_if_told<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ForgeError> {
        let told = self.read_if_told(path).await?;
        told.map(|reply| reply.json(&self.name)).transpose()
    }

    /// Reads a list, page by page, at most [`MAX_PAGES`].
    pub(super) async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ForgeError> {
        let first = self.read(path).await?;
        self.list_from(path, first).await
    }

    /// The same of a list of which nothing may be missing.
    pub(super) async fn whole_list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ForgeError> {
        let first = self.read(path).await?;
        match self.list_to_the_end(path, first).await? {
            (all, true) => Ok(all),
            (all, false) => Err(ForgeError::Refused(
                self.named(&format!("there are more than the {} that are read", all.len())),
            )),
        }
    }

    /// The same of a list that may not be there, or that these credentials may not see: what is not told is empty.
    pub(super) async fn list_if_told<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ForgeError> {
        match self.read_if_told(path).await? {
            Some(first) => self.list_from(path, first).await,
            None => Ok(Vec::new()),
        }
    }

    /// A list from its first page on.
    async fn list_from<T: DeserializeOwned>(&self, path: &str, first: Reply) -> Result<Vec<T>, ForgeError> {
        self.list_to_the_end(path, first).await.map(|(all, _)| all)
    }

    /// The same, and whether the end was reached.
    async fn list_to_the_end<T: DeserializeOwned>(
        &self,
        path: &str,
        first: Reply,
    ) -> Result<(Vec<T>, bool), ForgeError> {
        let place = path.split('?').next().unwrap_or(path);
        let mut all: Vec<T> = first.json(&self.name)?;
        let mut next = first.next_page();
        for _ in 1..MAX_PAGES {
            let Some(query) = next else { break };
            let reply = self.read(&format!("{place}?{query}")).await?;
            next = reply.next_page();
            all.extend(reply.json::<Vec<T>>(&self.name)?);
        }
        Ok((all, next.is_none()))
    }

    /// Changes something. What the forge refuses as things stand is [`ForgeError::Refused`].
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Reply, ForgeError> {
        let reply = self.offer(method, path, body).await?;
        self.accepted(reply)
    }

    /// The same, and hands back also what is refused.
    pub(super) async fn offer(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Reply, ForgeError> {
        let body = serde_json::to_vec(body).map_err(|e| ForgeError::Refused(e.to_string()))?;
        self.exchange(&method, path, Some(body)).await
    }

    /// The same, and reads what comes back.
    pub(super) async fn send_for<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ForgeError> {
        self.send(method, path, body).await?.json(&self.name)
    }

    /// Whether these credentials may open issues, tried with one that has no title: who may not is told so, and who may is told that
    /// the title is missing. `fix` is what a person can do.
    pub(super) async fn may_open_issues(&self, path: &str, fix: &str) -> Result<(), ForgeError> {
        let reply = self.offer(Method::POST, path, &serde_json::json!({"title": ""})).await?;
        match self.accepted(reply) {
            Err(ForgeError::Denied(reason)) => Err(ForgeError::Denied(format!("{reason}: {fix}"))),
            Err(error @ ForgeError::Unavailable(_)) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Removes something. Whether it was there.
    pub(super) async fn remove(&self, path: &str) -> Result<bool, ForgeError> {
        let reply = self.exchange(&Method::DELETE, path, None).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(false),
            _ => self.accepted(reply).map(|_| true),
        }
    }

    async fn read(&self, path: &str) -> Result<Reply, ForgeError> {
        let reply = self.exchange(&Method::GET, path, None).await?;
        self.accepted(reply)
    }

    /// None where the forge says that it is not there or not for these credentials. Credentials that it does not take at
    /// all, and limits, which some forges tell by the same status, are errors.
    async fn read_if_told(&self, path: &str) -> Result<Option<Reply>, ForgeError> {
        let reply = self.exchange(&Method::GET, path, None).await?;
        let is_kept_back = matches!(reply.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
        match self.accepted(reply) {
            Err(ForgeError::Denied(reason)) if is_kept_back => {
                tracing::debug!(reason, "not told");
                Ok(None)
            }
            told => told.map(Some),
        }
    }

    /// Sends a request until there is an answer, a bounded number of times: reading after whatever went wrong, and what
    /// changes something only where the server has surely not taken it.
    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Reply, ForgeError> {
        let is_reading = *method == Method::GET;
        let mut renewed = false;
        for tries in 0..=MAX_RETRIES {
            let is_last = tries == MAX_RETRIES;
            let wait = MIN_WAIT.saturating_mul(1 << tries);
            match self.wire.send(self.request(method, path, body.clone())?).await {
                Ok(response) => {
                    let reply = self.remembered(path, is_reading, Reply::to(method, path, response));
                    if reply.status == StatusCode::UNAUTHORIZED && !renewed && self.wire.renew() {
                        renewed = true;
                        continue;
                    }
                    match reply.advice() {
                        Advice::Wait(secs) if secs <= MAX_WAIT_SECS && !is_last => {
                            tracing::debug!(forge = self.name, secs, "the forge asks to wait");
                            tokio::time::sleep(Duration::from_secs(secs)).await;
                        }
                        Advice::Again if is_reading && !is_last => tokio::time::sleep(wait).await,
                        Advice::Wait(_) | Advice::Again | Advice::Take => return Ok(reply),
                    }
                }
                Err(lost) if lost.denied => return Err(ForgeError::Denied(self.named(&lost.reason))),
                Err(lost) if !is_last && lost.again && (is_reading || lost.unsent) => {
                    tokio::time::sleep(wait).await;
                }
                Err(lost) => return Err(ForgeError::Unavailable(self.named(&lost.reason))),
            }
        }
        Err(ForgeError::Unavailable(self.named("no answer")))
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Request<Vec<u8>>, ForgeError> {
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header(http::header::CONTENT_TYPE, "application/json");
        }
        if let Some((tag, _)) = self.kept().get(path).filter(|_| *method == Method::GET) {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let invalid = |e: http::Error| ForgeError::Refused(self.named(&format!("not a valid request: {e}")));
        request.body(body.unwrap_or_default()).map_err(invalid)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, (HeaderValue, Reply)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer from before where the forge says that it is still right; a new one with a tag is kept.
    fn remembered(&self, path: &str, is_reading: bool, reply: Reply) -> Reply {
        if !is_reading {
            return reply;
        }
        let mut kept = self.kept();
        if reply.status == StatusCode::NOT_MODIFIED
            && let Some((_, before)) = kept.get(path)
        {
            return before.copy();
        }
        let tag = reply.headers.get(ETAG).filter(|_| reply.status == StatusCode::OK);
        if let Some(tag) = tag.filter(|_| reply.body.len() <= MAX_KEPT_BYTES) {
            if kept.len() >= MAX_KEPT {
                kept.clear();
            }
            kept.insert(path.to_owned(), (tag.clone(), reply.copy()));
        }
        reply
    }

    /// What a reply says, as a type.
    pub(super) fn understood<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, ForgeError> {
        reply.json(&self.name)
    }

    /// A reply that says yes, or why not.
    pub(super) fn accepted(&self, reply: Reply) -> Result<Reply, ForgeError> {
        if reply.status.is_success() {
            return Ok(reply);
        }
        let reason = reply.reason();
        let say = |advice: &str| {
            let status = reply.status.as_u16();
            self.named(&format!("{status} to `{}`{reason}{advice}", reply.asked))
        };
        Err(match (reply.status.as_u16(), reply.advice()) {
            (_, Advice::Wait(secs)) => ForgeError::Unavailable(say(&format!(
                ": the limit of requests is reached, and more are taken in {secs} s"
            ))),
            (500..=599 | 408, _) => ForgeError::Unavailable(say("")),
            (401, _) => ForgeError::Denied(say(": the credentials are not accepted; check `forge.auth`")),
            (403, _) => ForgeError::Denied(say(": the credentials may not do this; give them the right to")),
            (404, _) => ForgeError::Denied(say(
                ": it is not there, or the credentials may not see it; check `forge.repository` and `forge.auth`",
            )),
            (300..=399, _) => {
                let place = one_line(reply.header(LOCATION.as_str()).unwrap_or("another place"), MAX_ASKED);
                ForgeError::Denied(say(&format!(
                    ": it points to `{place}`; set `forge.repository` or `forge.url` to where it is now, or have the API answer \
                     without a login page"
                )))
            }
            _ => ForgeError::Refused(say("")),
        })
    }

    /// A commit's id in an answer.
    pub(super) fn commit_id(&self, text: &str) -> Result<CommitId, ForgeError> {
        text.parse().map_err(|_e| self.odd("a commit's id", text))
    }

    /// A time in an answer.
    pub(super) fn time(&self, text: &str) -> Result<Time, ForgeError> {
        parsed_time(text).ok_or_else(|| self.odd("a time", text))
    }

    /// Something in an answer that cannot be what it should be.
    fn odd(&self, what: &str, text: &str) -> ForgeError {
        let text = one_line(text, 80);
        ForgeError::Unavailable(self.named(&format!("the answer is not understood: {what} is {text:?}")))
    }

    pub(super) fn named(&self, reason: &str) -> String {
        format!("{}: {reason}", self.name)
    }
}

/// What is at the bottom of an error: what lies above it says that something failed, and may hold a URL.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let is_late = innermost.to_string().contains("timed out");
    if is_late { "no answer in time: raise `forge.timeout`".to_owned() } else { innermost.to_string() }
}

/// A time as all forges write it.
pub(super) fn parsed_time(text: &str) -> Option<Time> {
    let parsed: Option<jiff::Timestamp> = text.parse().ok();
    parsed.map(|time| Time::from_unix(time.as_second()))
}

/// What stands for itself in a piece of a path or a query. Source: <https://datatracker.ietf.org/doc/html/rfc3986#section-2.3>.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name as a piece of a path or a query.
pub(super) fn path_part(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}
