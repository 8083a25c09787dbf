//! Webhooks: a proven one has the next pass begin sooner over what it is about. Nothing in it is believed, so one that is lost, forged
//! or repeated changes nothing but when the agent looks.

mod concern;
mod proof;
mod rate;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use self::concern::{Concern, concern};
use self::proof::is_proven;
use self::rate::Rate;
use super::board::Board;
use super::options::{HookOptions, Sender};
use crate::agent::Wakes;
use crate::domain::ids::{BranchName, RepositoryName};
use crate::ports::Clock;

/// The largest body, in bytes. GitHub sends up to 2,048 commits with a push, which come to some megabytes.
const MAX_BODY: usize = 8 << 20;

/// How long a client may take to send it, in seconds. GitHub itself waits 10 s for an answer.
const BODY_SECS: u64 = 10;

/// Whom webhooks can wake.
#[derive(Clone, Debug)]
pub struct Sleeper {
    /// The repository, as the configuration calls it.
    pub name: RepositoryName,
    /// Its path on its server, such as `acme/environments`; none where it is a local one.
    pub path: Option<String>,
    /// The branches of its environments.
    pub branches: Vec<BranchName>,
}

/// All webhooks, and whom they wake.
pub(super) struct Hooks {
    all: BTreeMap<String, Hook>,
    sleepers: Vec<Sleeper>,
    wakes: Wakes,
    board: Arc<Board>,
    clock: Arc<dyn Clock>,
}

struct Hook {
    options: HookOptions,
    rate: Rate,
}

/// What is answered: a status, a word for the counter, and a line for the sender.
type Answer = (StatusCode, &'static str, String);

impl Hooks {
    pub(super) fn new(
        hooks: BTreeMap<String, HookOptions>,
        sleepers: Vec<Sleeper>,
        wakes: Wakes,
        (board, clock): (Arc<Board>, Arc<dyn Clock>),
    ) -> Self {
        let all = hooks.into_iter().map(|(name, options)| (name, Hook { options, rate: Rate::default() }));
        Self { all: all.collect(), sleepers, wakes, board, clock }
    }

    fn take(&self, hook: &Hook, headers: &HeaderMap, body: &[u8]) -> Answer {
        let HookOptions { sender, secret } = &hook.options;
        if !is_proven(*sender, secret, (headers, body), self.clock.now()) {
            return (StatusCode::UNAUTHORIZED, "unproven", "no valid signature or token\n".to_owned());
        }
        let body = match payload(headers, body) {
            Ok(body) => body,
            Err(reason) => return (StatusCode::BAD_REQUEST, "unreadable", format!("{reason}\n")),
        };
        match concern(*sender, event(*sender, headers), &body) {
            Err(reason) => (StatusCode::BAD_REQUEST, "unreadable", format!("{reason}\n")),
            Ok(Concern::Nothing(why)) => (StatusCode::ACCEPTED, "ignored", format!("ignored: {why}\n")),
            Ok(about) => {
                let woken = self.sleepers.iter().filter(|sleeper| self.concerns(sleeper, &about));
                let woken = woken.map(|sleeper| self.wakes.wake(&sleeper.name)).count();
                let result = if woken == 0 { "ignored" } else { "woke" };
                (StatusCode::ACCEPTED, result, format!("passes that begin sooner: {woken}\n"))
            }
        }
    }

    /// Whether a webhook is about a repository. One pass too many does no harm.
    fn concerns(&self, sleeper: &Sleeper, about: &Concern) -> bool {
        match about {
            Concern::Push { path, branch } => {
                let is_it = |own: &String| own.eq_ignore_ascii_case(path);
                // Behind a proxy or a mirror a repository may be called otherwise: where there is only one, it is meant.
                let may_be = self.sleepers.len() == 1 || sleeper.path.as_ref().is_some_and(is_it);
                may_be && sleeper.branches.contains(branch)
            }
            Concern::Applied(branch) => sleeper.branches.contains(branch),
            // An alert changes nothing in Git: it matters only where something is watched.
            Concern::Alert => self.board.is_watching(&sleeper.name),
            Concern::Named(name) => sleeper.name == *name,
            Concern::All => true,
            Concern::Nothing(_) => false,
        }
    }
}

/// Takes a webhook. Its body is read only where it may be taken at all.
pub(super) async fn take_hook(
    State(hooks): State<Arc<Hooks>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let Some(hook) = hooks.all.get(&name) else {
        return (StatusCode::NOT_FOUND, "there is no such webhook\n").into_response();
    };
    if !hook.rate.is_free(hooks.clock.now()) {
        hooks.board.metrics.hook(&name, "too-many");
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], "too many requests\n")
            .into_response();
    }
    let (head, body) = request.into_parts();
    let (status, result, text) = match read(body).await {
        Ok(body) => hooks.take(hook, &head.headers, &body),
        Err(answer) => answer,
    };
    hooks.board.metrics.hook(&name, result);
    tracing::debug!(hook = name, result, "webhook");
    (status, text).into_response()
}

/// Reads a body of bounded size in bounded time.
async fn read(body: Body) -> Result<Bytes, Answer> {
    let too_large = || (StatusCode::PAYLOAD_TOO_LARGE, "too-large", format!("more than {MAX_BODY} bytes\n"));
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    let reading = tokio::time::timeout(Duration::from_secs(BODY_SECS), to_bytes(body, MAX_BODY));
    match reading.await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "too-slow", format!("not sent within {BODY_SECS} s\n"))),
    }
}

/// The event that a header names.
fn event(sender: Sender, headers: &HeaderMap) -> Option<&str> {
    let names: &[&str] = match sender {
        Sender::Github => &["x-github-event"],
        Sender::Gitea => &["x-gitea-event", "x-forgejo-event", "x-github-event"],
        Sender::Gitlab => &["x-gitlab-event"],
        Sender::Alertmanager | Sender::Flux | Sender::Generic => &[],
    };
    names.iter().find_map(|name| headers.get(*name)?.to_str().ok())
}

/// The JSON of a body: GitHub and Gitea can send it in a form too, as its field `payload`.
fn payload<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<Cow<'b, [u8]>, String> {
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("");
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Ok(Cow::Borrowed(body));
    }
    let fields: Vec<(String, String)> =
        serde_urlencoded::from_bytes(body).map_err(|error| format!("the form cannot be read: {error}"))?;
    let found = fields.into_iter().find(|(name, _)| name == "payload");
    found
        .map(|(_, text)| Cow::Owned(text.into_bytes()))
        .ok_or_else(|| "the form has no field `payload`".to_owned())
}
