//! What only GraphQL can do, or tells.

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::GitHub;
use super::documents::{QUEUED, SETTINGS};
use super::settings::{RepositorySettings, Settings};
use super::wire::GRAPHQL;
use crate::adapters::clock::SystemClock;
use crate::adapters::forge::reply::MAX_REASON;
use crate::domain::ids::BranchName;
use crate::domain::text::one_line;
use crate::ports::{Clock as _, ForgeError};

/// How long it is kept what a branch's rules are, in seconds.
const KEPT_SECS: i64 = 300;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    message: String,
}

#[derive(Deserialize)]
struct InRepository<T> {
    repository: Option<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithPull {
    pull_request: Option<Queued>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Queued {
    #[serde(default)]
    is_in_merge_queue: bool,
}

impl GitHub {
    /// Asks GraphQL. What it refuses as things stand is [`ForgeError::Refused`].
    pub(super) async fn graphql<T: DeserializeOwned>(
        &self,
        document: &str,
        variables: Value,
    ) -> Result<T, ForgeError> {
        let answer = self.ask(document, variables).await?;
        if let Some(problem) = answer.errors.first() {
            let reason = self.rest.named(&one_line(&problem.message, MAX_REASON));
            return Err(match problem.kind.as_deref() {
                Some("FORBIDDEN" | "INSUFFICIENT_SCOPES") => ForgeError::Denied(format!(
                    "{reason}: the credentials may not do this; give them the right to"
                )),
                Some("RATE_LIMITED" | "SERVICE_UNAVAILABLE") => ForgeError::Unavailable(reason),
                _ => ForgeError::Refused(reason),
            });
        }
        self.understood(answer.data)
    }

    async fn ask(&self, document: &str, variables: Value) -> Result<Answer, ForgeError> {
        let body = json!({"query": document, "variables": variables});
        self.rest.send_for(Method::POST, GRAPHQL, &body).await
    }

    fn understood<T: DeserializeOwned>(&self, data: Value) -> Result<T, ForgeError> {
        serde_json::from_value(data).map_err(|error| {
            ForgeError::Unavailable(self.rest.named(&format!("the answer is not understood: {error}")))
        })
    }

    fn named_repository(&self) -> (&str, &str) {
        self.options.repository.split_once('/').unwrap_or((&self.options.repository, ""))
    }

    /// How a branch may be merged into; asked again after some minutes. What these credentials may not see, and what a
    /// server does not have, is not known to be forbidden.
    pub(super) async fn settings(&self, base: &BranchName) -> Result<Settings, ForgeError> {
        let known = || self.settings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = SystemClock.now();
        if let Some((asked_at, settings)) = known().get(base)
            && now.secs_since(*asked_at) < KEPT_SECS
        {
            return Ok(settings.clone());
        }
        let (owner, name) = self.named_repository();
        let variables = json!({
            "owner": owner, "name": name, "branch": base.as_str(), "ref": format!("refs/heads/{base}"),
        });
        let settings = match self.ask(SETTINGS, variables).await {
            // A part may be refused, and the rest be there.
            Ok(answer) => {
                for problem in &answer.errors {
                    tracing::debug!(
                        problem.message,
                        "GitHub does not say all of how the branch may be merged into"
                    );
                }
                let found: Option<InRepository<RepositorySettings>> = self.understood(answer.data)?;
                found.and_then(|found| found.repository).map_or_else(Settings::unknown, Settings::from)
            }
            Err(error @ ForgeError::Unavailable(_)) => return Err(error),
            Err(_not_told) => Settings::unknown(),
        };
        known().insert(base.clone(), (now, settings.clone()));
        Ok(settings)
    }

    /// Whether a pull request waits in the merge queue.
    pub(super) async fn is_queued(&self, number: u64) -> Result<bool, ForgeError> {
        let (owner, name) = self.named_repository();
        let variables = json!({"owner": owner, "name": name, "number": number});
        let found: InRepository<WithPull> = self.graphql(QUEUED, variables).await?;
        let pull = found.repository.and_then(|repository| repository.pull_request);
        Ok(pull.is_some_and(|pull| pull.is_in_merge_queue))
    }
}
