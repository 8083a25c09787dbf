//! What GitHub answers, as far as it is read. Everything that a server may omit is optional.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    pub(super) login: String,
    #[serde(default)]
    pub(super) id: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Repo {
    pub(super) id: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Tip {
    #[serde(rename = "ref")]
    pub(super) name: String,
    pub(super) sha: String,
    /// None where the repository was deleted.
    #[serde(default)]
    pub(super) repo: Option<Repo>,
}

/// A pull request; what only the answer for a single one has is optional.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    #[serde(default)]
    pub(super) node_id: String,
    pub(super) html_url: String,
    pub(super) state: String,
    /// Who has opened it.
    #[serde(default)]
    pub(super) user: Option<User>,
    #[serde(default)]
    pub(super) draft: Option<bool>,
    #[serde(default)]
    pub(super) body: Option<String>,
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) merged_at: Option<String>,
    pub(super) head: Tip,
    pub(super) base: Tip,
    /// Of an open one it is a merge that GitHub tries out.
    #[serde(default)]
    pub(super) merge_commit_sha: Option<String>,
    #[serde(default)]
    pub(super) auto_merge: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) mergeable_state: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    pub(super) number: u64,
    pub(super) html_url: String,
    #[serde(default)]
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) user: Option<User>,
    #[serde(default)]
    pub(super) closed_by: Option<User>,
    /// Pull requests are issues too.
    #[serde(default)]
    pub(super) pull_request: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Comment {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) user: Option<User>,
    #[serde(default)]
    pub(super) body: Option<String>,
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) updated_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Permission {
    pub(super) permission: String,
}

/// Who may push to a branch that restricts it.
#[derive(Debug, Deserialize)]
pub(super) struct Restrictions {
    #[serde(default)]
    pub(super) users: Vec<User>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CombinedStatus {
    #[serde(default)]
    pub(super) statuses: Vec<Status>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Status {
    pub(super) context: String,
    pub(super) state: String,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) target_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckRuns {
    #[serde(default)]
    pub(super) check_runs: Vec<CheckRun>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckRun {
    pub(super) name: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) conclusion: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Branch {
    #[serde(default)]
    pub(super) protection: Option<Protection>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Protection {
    #[serde(default)]
    pub(super) required_status_checks: Option<RequiredChecks>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RequiredChecks {
    #[serde(default)]
    pub(super) contexts: Vec<String>,
}

/// A rule of a ruleset that is in force for a branch.
#[derive(Debug, Deserialize)]
pub(super) struct BranchRule {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) parameters: Option<RuleParameters>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RuleParameters {
    #[serde(default)]
    pub(super) required_status_checks: Vec<RequiredCheck>,
    #[serde(default)]
    pub(super) required_approving_review_count: usize,
}

#[derive(Debug, Deserialize)]
pub(super) struct RequiredCheck {
    pub(super) context: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct SubmittedReview {
    #[serde(default)]
    pub(super) user: Option<User>,
    pub(super) state: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Merged {
    #[serde(default)]
    pub(super) merged: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sha {
    pub(super) sha: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct RepoInfo {
    #[serde(default)]
    pub(super) archived: bool,
    #[serde(default)]
    pub(super) has_issues: Option<bool>,
    #[serde(default)]
    pub(super) permissions: Option<RepoPermissions>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RepoPermissions {
    #[serde(default)]
    pub(super) push: bool,
}

/// A move of a branch.
#[derive(Debug, Deserialize)]
pub(super) struct Activity {
    #[serde(default, rename = "ref")]
    pub(super) reference: String,
    #[serde(default)]
    pub(super) after: String,
    #[serde(default)]
    pub(super) timestamp: String,
}
