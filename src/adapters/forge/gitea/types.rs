//! What Gitea answers, as far as it is read. Everything that a server may omit is optional, and a list may be `null`,
//! which is how Go writes an empty one.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

/// What is `null` as what is not there.
fn nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    /// Negative for accounts that the server itself has, such as that of deleted ones.
    #[serde(default)]
    pub(super) id: Option<i64>,
    pub(super) login: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Repo {
    #[serde(default)]
    pub(super) full_name: String,
}

/// One side of a pull request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Tip {
    /// The branch, also where it is gone; `ref` is then another one.
    #[serde(default)]
    pub(super) label: String,
    #[serde(default, rename = "ref")]
    pub(super) name: String,
    #[serde(default)]
    pub(super) sha: String,
    #[serde(default)]
    pub(super) repo_id: i64,
    /// None where the repository was deleted.
    #[serde(default)]
    pub(super) repo: Option<Repo>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) html_url: String,
    pub(super) state: String,
    /// Who has opened it.
    #[serde(default)]
    pub(super) user: Option<User>,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) draft: Option<bool>,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) body: String,
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) merged: bool,
    #[serde(default)]
    pub(super) merge_commit_sha: Option<String>,
    pub(super) head: Tip,
    pub(super) base: Tip,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) merge_base: String,
    #[serde(default)]
    pub(super) mergeable: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    pub(super) number: u64,
    pub(super) html_url: String,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) body: String,
    #[serde(default)]
    pub(super) user: Option<User>,
    /// Pull requests are issues too.
    #[serde(default)]
    pub(super) pull_request: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Label {
    pub(super) id: i64,
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Comment {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) user: Option<User>,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) body: String,
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) updated_at: Option<String>,
}

/// Something that happened to a pull request or an issue.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) user: Option<User>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Permission {
    pub(super) permission: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct CombinedStatus {
    #[serde(default, deserialize_with = "nothing")]
    pub(super) statuses: Vec<Status>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Status {
    pub(super) context: String,
    #[serde(rename = "status")]
    pub(super) state: String,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) description: String,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) target_url: String,
}

/// A branch, with what everybody may know of its protection.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Branch {
    #[serde(default)]
    pub(super) protected: bool,
    #[serde(default)]
    pub(super) required_approvals: usize,
    #[serde(default)]
    pub(super) enable_status_check: bool,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) status_check_contexts: Vec<String>,
    #[serde(default)]
    pub(super) user_can_push: Option<bool>,
    #[serde(default)]
    pub(super) user_can_merge: Option<bool>,
    /// The name of the protection, which administrators of the repository are told.
    #[serde(default, deserialize_with = "nothing")]
    pub(super) effective_branch_protection_name: String,
}

/// The rest of a protection.
#[derive(Debug, Default, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "Gitea has a switch for each rule")]
pub(super) struct Protection {
    #[serde(default)]
    pub(super) block_on_outdated_branch: bool,
    #[serde(default)]
    pub(super) block_on_rejected_reviews: bool,
    #[serde(default)]
    pub(super) block_on_official_review_requests: bool,
    #[serde(default)]
    pub(super) ignore_stale_approvals: bool,
    #[serde(default)]
    pub(super) enable_merge_whitelist: bool,
    #[serde(default, deserialize_with = "nothing")]
    pub(super) merge_whitelist_usernames: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SubmittedReview {
    /// None where a team was asked.
    #[serde(default)]
    pub(super) user: Option<User>,
    #[serde(default)]
    pub(super) state: String,
    /// Whether the branch's protection counts it.
    #[serde(default)]
    pub(super) official: bool,
    #[serde(default)]
    pub(super) dismissed: bool,
    #[serde(default)]
    pub(super) stale: bool,
}

#[derive(Debug, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "Gitea has a switch for each way to merge")]
pub(super) struct RepoInfo {
    #[serde(default)]
    pub(super) archived: bool,
    #[serde(default)]
    pub(super) has_issues: Option<bool>,
    /// The tracker outside of the server that keeps the repository's issues, where one does. The server says `has_issues` then, and keeps
    /// none.
    #[serde(default)]
    pub(super) external_tracker: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) has_pull_requests: Option<bool>,
    #[serde(default)]
    pub(super) permissions: Option<RepoPermissions>,
    #[serde(default)]
    pub(super) allow_squash_merge: bool,
    #[serde(default)]
    pub(super) allow_merge_commits: bool,
    #[serde(default)]
    pub(super) allow_rebase_explicit: bool,
    #[serde(default)]
    pub(super) allow_rebase: bool,
    #[serde(default)]
    pub(super) allow_fast_forward_only_merge: bool,
}

impl RepoInfo {
    /// Whether the server keeps no issues of the repository.
    pub(super) fn has_no_issues(&self) -> bool {
        self.has_issues == Some(false) || self.external_tracker.is_some()
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct RepoPermissions {
    #[serde(default)]
    pub(super) admin: bool,
    #[serde(default)]
    pub(super) push: bool,
}

/// An entry of the feed of a repository.
#[derive(Debug, Deserialize)]
pub(super) struct Activity {
    #[serde(default)]
    pub(super) op_type: String,
    /// `refs/heads/main`.
    #[serde(default, deserialize_with = "nothing")]
    pub(super) ref_name: String,
    /// Of a push, a [`Pushed`] as JSON.
    #[serde(default, deserialize_with = "nothing")]
    pub(super) content: String,
    #[serde(default)]
    pub(super) created: String,
}

/// What was pushed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Pushed {
    /// Where the branch was then. Left out where all that was pushed is too long to be logged.
    #[serde(default)]
    pub(super) head_commit: Option<PushedCommit>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PushedCommit {
    pub(super) sha1: String,
}
