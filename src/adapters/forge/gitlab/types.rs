//! What GitLab answers, as far as it is read. Everything that a server of another version or tier may omit is optional.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) username: String,
}

/// A merge request; what only the answer for a single one has is optional.
/// Source: <https://docs.gitlab.com/api/merge_requests/#retrieve-a-merge-request>.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct MergeRequest {
    pub(super) iid: u64,
    pub(super) web_url: String,
    /// `opened`, `closed`, `merged`, or `locked` while it is being merged.
    pub(super) state: String,
    /// Who has opened it.
    #[serde(default)]
    pub(super) author: Option<User>,
    #[serde(default)]
    pub(super) description: Option<String>,
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) sha: Option<String>,
    #[serde(default)]
    pub(super) merge_commit_sha: Option<String>,
    #[serde(default)]
    pub(super) squash_commit_sha: Option<String>,
    #[serde(default)]
    pub(super) source_branch: String,
    /// None where the fork was deleted.
    #[serde(default)]
    pub(super) source_project_id: Option<u64>,
    #[serde(default)]
    pub(super) target_project_id: Option<u64>,
    #[serde(default)]
    pub(super) draft: bool,
    /// What older servers call a draft.
    #[serde(default)]
    pub(super) work_in_progress: bool,
    /// Whether it is merged by itself, in whatever way.
    #[serde(default)]
    pub(super) merge_when_pipeline_succeeds: bool,
    /// Since GitLab 15.6.
    #[serde(default)]
    pub(super) detailed_merge_status: Option<String>,
    #[serde(default)]
    pub(super) merge_status: Option<String>,
    #[serde(default)]
    pub(super) head_pipeline: Option<Pipeline>,
    #[serde(default)]
    pub(super) closed_by: Option<User>,
    #[serde(default)]
    pub(super) assignees: Option<Vec<User>>,
    #[serde(default)]
    pub(super) reviewers: Option<Vec<User>>,
}

impl MergeRequest {
    /// The commit by which a merged one came to the branch: of a fast-forward, its own.
    pub(super) fn merged_as(&self) -> Option<&str> {
        let made = self.merge_commit_sha.as_deref().or(self.squash_commit_sha.as_deref());
        made.or(self.sha.as_deref())
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "opened" | "locked")
    }

    /// The id of the account that has opened it.
    pub(super) fn opener(&self) -> Option<i64> {
        self.author.as_ref().map(|user| user.id)
    }

    /// Whether its branch is of the same project: anybody may name a branch of a fork like ours.
    pub(super) fn is_own(&self) -> bool {
        self.source_project_id.is_some() && self.source_project_id == self.target_project_id
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pipeline {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) status: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) allow_failure: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Approvals {
    /// Not told by the free tier, which has no rules to count by.
    #[serde(default)]
    pub(super) approvals_left: Option<usize>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reviewer {
    pub(super) user: User,
    #[serde(default)]
    pub(super) state: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Note {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) author: Option<User>,
    #[serde(default)]
    pub(super) body: Option<String>,
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) updated_at: Option<String>,
    /// Whether GitLab itself wrote it.
    #[serde(default)]
    pub(super) system: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Member {
    #[serde(default)]
    pub(super) access_level: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    pub(super) iid: u64,
    pub(super) web_url: String,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) author: Option<User>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Status {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) target_url: Option<String>,
}

/// What comes of taking back that it is merged by itself: the merge request, or how that went.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Cancelled {
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) message: Option<String>,
}

/// Source: <https://docs.gitlab.com/api/projects/>.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Project {
    #[serde(default)]
    pub(super) archived: bool,
    #[serde(default)]
    pub(super) issues_enabled: Option<bool>,
    #[serde(default)]
    pub(super) issues_access_level: Option<String>,
    #[serde(default)]
    pub(super) merge_requests_enabled: Option<bool>,
    #[serde(default)]
    pub(super) permissions: Option<Permissions>,
    /// `merge`, `rebase_merge` or `ff`.
    #[serde(default)]
    pub(super) merge_method: Option<String>,
    /// `never`, `always`, `default_on` or `default_off`.
    #[serde(default)]
    pub(super) squash_option: Option<String>,
    #[serde(default)]
    pub(super) only_allow_merge_if_pipeline_succeeds: Option<bool>,
    #[serde(default)]
    pub(super) merge_trains_enabled: Option<bool>,
}

/// What the token's user is in the project and in its groups.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Permissions {
    #[serde(default)]
    project_access: Option<Member>,
    #[serde(default)]
    group_access: Option<Member>,
}

impl Permissions {
    /// The higher of the two; none for who is neither, such as an administrator.
    pub(super) fn level(&self) -> Option<u32> {
        let both = [&self.project_access, &self.group_access];
        both.into_iter().flatten().map(|member| member.access_level).max()
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Branch {
    #[serde(default)]
    pub(super) protected: bool,
    #[serde(default)]
    pub(super) developers_can_merge: bool,
    /// Whether the branch takes pushes of whoever asks.
    #[serde(default)]
    pub(super) can_push: Option<bool>,
}

/// A rule for branches, by name or by pattern. Source: <https://docs.gitlab.com/api/protected_branches/>.
#[derive(Debug, Deserialize)]
pub(super) struct Protection {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) merge_access_levels: Vec<AccessLevel>,
}

/// Who may do something with a protected branch: a role, or one user, or one group.
#[derive(Debug, Default, Deserialize)]
pub(super) struct AccessLevel {
    /// Of a role; 0 is nobody.
    #[serde(default)]
    pub(super) access_level: Option<u32>,
    #[serde(default)]
    pub(super) user_id: Option<i64>,
    #[serde(default)]
    pub(super) group_id: Option<i64>,
}

/// Something that somebody has done in the project. Source: <https://docs.gitlab.com/api/events/>.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    #[serde(default)]
    pub(super) created_at: Option<String>,
    #[serde(default)]
    pub(super) push_data: Option<PushData>,
}

/// What was pushed.
#[derive(Debug, Deserialize)]
pub(super) struct PushData {
    /// `branch` or `tag`.
    #[serde(default)]
    pub(super) ref_type: Option<String>,
    /// None where several were pushed at once.
    #[serde(default, rename = "ref")]
    pub(super) reference: Option<String>,
    /// None where it was removed.
    #[serde(default)]
    pub(super) commit_to: Option<String>,
}
