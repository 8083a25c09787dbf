//! What only GraphQL can do, or tells. Each document is a constant, so that a test can hold it against GitHub's schema.

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::GitHub;
use super::wire::GRAPHQL;
use crate::adapters::clock::SystemClock;
use crate::adapters::forge::rest::MAX_REASON;
use crate::domain::ids::BranchName;
use crate::domain::text::one_line;
use crate::ports::{Clock as _, ForgeError};

/// Every document that is sent, with variables as they are sent with it.
pub const DOCUMENTS: [&str; 7] =
    [SETTINGS, QUEUED, ENABLE_AUTO_MERGE, DISABLE_AUTO_MERGE, ENQUEUE, DEQUEUE, CREATE_COMMIT];

/// How a branch may be merged into.
pub(super) const SETTINGS: &str = "query($owner: String!, $name: String!, $branch: String!, $ref: String!) {
  repository(owner: $owner, name: $name) {
    autoMergeAllowed
    squashMergeAllowed
    mergeCommitAllowed
    rebaseMergeAllowed
    mergeQueue(branch: $branch) { id }
    ref(qualifiedName: $ref) {
      refUpdateRule { requiresSignatures requiresLinearHistory }
      rules(first: 100) { nodes { type } }
    }
  }
}";

/// Whether a pull request is in the merge queue.
pub(super) const QUEUED: &str = "query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) { isInMergeQueue } }
}";

pub(super) const ENABLE_AUTO_MERGE: &str = "mutation($input: EnablePullRequestAutoMergeInput!) {
  enablePullRequestAutoMerge(input: $input) { clientMutationId }
}";

pub(super) const DISABLE_AUTO_MERGE: &str = "mutation($input: DisablePullRequestAutoMergeInput!) {
  disablePullRequestAutoMerge(input: $input) { clientMutationId }
}";

pub(super) const ENQUEUE: &str = "mutation($input: EnqueuePullRequestInput!) {
  enqueuePullRequest(input: $input) { clientMutationId }
}";

pub(super) const DEQUEUE: &str = "mutation($input: DequeuePullRequestInput!) {
  dequeuePullRequest(input: $input) { clientMutationId }
}";

pub(super) const CREATE_COMMIT: &str = "mutation($input: CreateCommitOnBranchInput!) {
  createCommitOnBranch(input: $input) { commit { oid } }
}";

/// How long it is kept what a branch's rules are, in seconds.
const KEPT_SECS: i64 = 300;

/// How a branch may be merged into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Whether GitHub merges by itself.
    pub(super) auto_merge: bool,
    /// The ways to merge, in the order in which they are preferred.
    pub(super) methods: Vec<Way>,
    pub(super) has_queue: bool,
    pub(super) wants_signatures: bool,
}

/// A way to merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Squash,
    Merge,
    Rebase,
}

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

#[expect(clippy::struct_excessive_bools, reason = "these are the fields of the answer")]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RepositorySettings {
    #[serde(default)]
    auto_merge_allowed: bool,
    #[serde(default = "yes")]
    squash_merge_allowed: bool,
    #[serde(default = "yes")]
    merge_commit_allowed: bool,
    #[serde(default = "yes")]
    rebase_merge_allowed: bool,
    #[serde(default)]
    merge_queue: Option<Value>,
    #[serde(default, rename = "ref")]
    branch: Option<RefRules>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefRules {
    #[serde(default)]
    ref_update_rule: Option<UpdateRule>,
    #[serde(default)]
    rules: Option<Nodes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateRule {
    #[serde(default)]
    requires_signatures: bool,
    #[serde(default)]
    requires_linear_history: bool,
}

#[derive(Deserialize)]
struct Nodes {
    #[serde(default)]
    nodes: Option<Vec<Option<RuleKind>>>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct RuleKind {
    #[serde(rename = "type")]
    kind: String,
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
            Err(ForgeError::Denied(_) | ForgeError::Refused(_)) => Settings::unknown(),
            Err(error @ ForgeError::Unavailable(_)) => return Err(error),
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

impl Settings {
    fn unknown() -> Self {
        let methods = vec![Way::Squash, Way::Merge, Way::Rebase];
        Self { auto_merge: true, methods, has_queue: false, wants_signatures: false }
    }
}

impl From<RepositorySettings> for Settings {
    fn from(found: RepositorySettings) -> Self {
        let (update, rules) = match found.branch {
            Some(branch) => {
                (branch.ref_update_rule, branch.rules.and_then(|rules| rules.nodes).unwrap_or_default())
            }
            None => (None, Vec::new()),
        };
        let has = |kind: &str| rules.iter().flatten().any(|rule| rule.kind == kind);
        let linear = update.as_ref().is_some_and(|rule| rule.requires_linear_history)
            || has("REQUIRED_LINEAR_HISTORY");
        let allowed = [
            (Way::Squash, found.squash_merge_allowed),
            (Way::Merge, found.merge_commit_allowed && !linear),
            (Way::Rebase, found.rebase_merge_allowed),
        ];
        Self {
            auto_merge: found.auto_merge_allowed,
            methods: allowed.into_iter().filter(|(_, allowed)| *allowed).map(|(method, _)| method).collect(),
            has_queue: found.merge_queue.is_some_and(|queue| !queue.is_null()) || has("MERGE_QUEUE"),
            wants_signatures: update.is_some_and(|rule| rule.requires_signatures)
                || has("REQUIRED_SIGNATURES"),
        }
    }
}
