//! What keeps a merge request from being merged, each job and rule by its name.

use serde::de::IgnoredAny;

use super::GitLab;
use super::types::{Approvals, Job, MergeRequest, Pipeline, Reviewer};
use crate::adapters::forge::shared::{LOOKS, blocked, missing_approvals, plain, settled};
use crate::domain::review::Standing;
use crate::ports::ForgeError;

/// How a merge request stands, in one word of GitLab's.
fn word(request: &MergeRequest) -> &str {
    if let Some(detailed) = request.detailed_merge_status.as_deref() {
        return detailed;
    }
    // Before 15.6 there is no more than whether it conflicts.
    match request.merge_status.as_deref() {
        Some("can_be_merged") if request.draft || request.work_in_progress => "draft_status",
        Some("can_be_merged") => "mergeable",
        Some("cannot_be_merged") => "conflict",
        _ => "unchecked",
    }
}

fn is_settled(word: &str) -> bool {
    !matches!(word, "unchecked" | "checking" | "preparing" | "approvals_syncing")
}

impl GitLab {
    async fn request(&self, number: u64) -> Result<MergeRequest, ForgeError> {
        self.rest.get(&self.place(number)).await
    }

    /// The merge request, once GitLab has worked out whether it can be merged, or a moment later.
    pub(super) async fn settled_request(&self, number: u64) -> Result<MergeRequest, ForgeError> {
        let is_known = |request: &MergeRequest| !request.is_open() || is_settled(word(request));
        let request = self.request(number).await?;
        if is_known(&request) {
            return Ok(request);
        }
        self.have_it_checked(number).await;
        settled(LOOKS - 1, || self.request(number), is_known).await
    }

    /// A merge request that nobody looks at can stay unchecked for minutes. Asking for its test merge has GitLab look at
    /// once; what comes of it is in the merge request, also where it conflicts or may not be asked for.
    /// Source: <https://docs.gitlab.com/api/merge_requests/#merge-to-default-merge-ref-path>.
    async fn have_it_checked(&self, number: u64) {
        let path = format!("{}/merge_ref", self.place(number));
        if let Err(error) = self.rest.get_if_any::<IgnoredAny>(&path).await {
            tracing::debug!(number, %error, "there is no test merge");
        }
    }

    /// Source of the words: <https://docs.gitlab.com/api/merge_requests/>. GitLab tells one thing of several.
    pub(super) async fn standing(&self, request: &MergeRequest) -> Result<Standing, ForgeError> {
        if !request.is_open() {
            return Ok(Standing::Unknown);
        }
        Ok(blocked(match word(request) {
            "mergeable" => return Ok(Standing::Ready),
            "conflict" | "broken_status" => return Ok(Standing::Conflict),
            "need_rebase" => return Ok(Standing::Behind),
            "not_open" => return Ok(Standing::Unknown),
            word if !is_settled(word) => return Ok(Standing::Unknown),
            "ci_must_pass" | "ci_still_running" => self.jobs(request.head_pipeline.as_ref()).await?,
            "not_approved" => self.approvals(request.iid).await?,
            "requested_changes" => self.objections(request.iid).await?,
            other => vec![told(other)],
        }))
    }

    /// The jobs of a pipeline that have not succeeded, or what it says as a whole. Never empty.
    /// Source: <https://docs.gitlab.com/api/jobs/>.
    async fn jobs(&self, pipeline: Option<&Pipeline>) -> Result<Vec<String>, ForgeError> {
        let Some(pipeline) = pipeline else {
            return Ok(vec!["a pipeline has to succeed, and none has begun".to_owned()]);
        };
        let path = format!("{}/pipelines/{}/jobs?per_page=100", self.root, pipeline.id);
        let jobs: Option<Vec<Job>> = self.rest.get_if_any(&path).await?;
        let counts = |job: &&Job| !job.allow_failure && !matches!(job.status.as_str(), "success" | "skipped");
        let mut jobs: Vec<Job> = jobs.into_iter().flatten().collect();
        // What has failed keeps it back even when all others succeed.
        jobs.sort_by_key(|job| job.status != "failed");
        let names: Vec<String> = jobs
            .iter()
            .filter(counts)
            .map(|job| format!("the job `{}` {}", plain(&job.name), progress(&job.status)))
            .collect();
        if names.is_empty() {
            return Ok(vec![format!("the pipeline has to succeed and {}", progress(&pipeline.status))]);
        }
        Ok(names)
    }

    /// How many approvals are missing: at least one. Source: <https://docs.gitlab.com/api/merge_request_approvals/>.
    async fn approvals(&self, number: u64) -> Result<Vec<String>, ForgeError> {
        let path = format!("{}/approvals", self.place(number));
        let approvals: Option<Approvals> = self.rest.get_if_any(&path).await?;
        let left = approvals.and_then(|approvals| approvals.approvals_left);
        // Where GitLab does not count them it has still said that it is not approved.
        Ok(missing_approvals(left.unwrap_or(1).max(1)).into_iter().collect())
    }

    /// Who wants changes. Source: <https://docs.gitlab.com/api/merge_requests/#retrieve-merge-request-reviewers>.
    async fn objections(&self, number: u64) -> Result<Vec<String>, ForgeError> {
        let path = format!("{}/reviewers", self.place(number));
        let reviewers: Option<Vec<Reviewer>> = self.rest.get_if_any(&path).await?;
        let against = reviewers.into_iter().flatten().filter(|one| one.state == "requested_changes");
        let names: Vec<String> =
            against.map(|one| format!("{} wants changes", plain(&one.user.username))).collect();
        Ok(if names.is_empty() { vec!["a reviewer wants changes".to_owned()] } else { names })
    }
}

/// How far a job or a pipeline is. Source: <https://docs.gitlab.com/ci/jobs/>.
fn progress(status: &str) -> String {
    match status {
        "failed" => "has failed".to_owned(),
        "canceled" | "canceling" => "was canceled".to_owned(),
        "running" => "is running".to_owned(),
        "manual" => "waits for a person to start it".to_owned(),
        "created" | "pending" | "preparing" | "scheduled" | "waiting_for_resource" => {
            "has not begun".to_owned()
        }
        other => format!("is {}", plain(other)),
    }
}

/// A word of GitLab's as a piece of a sentence.
fn told(word: &str) -> String {
    match word {
        "draft_status" => "it is a draft".to_owned(),
        "discussions_not_resolved" => "a thread is not resolved".to_owned(),
        "merge_request_blocked" | "blocked_status" => "another merge request has to come first".to_owned(),
        "status_checks_must_pass" | "external_status_checks" => {
            "an external status check has not passed".to_owned()
        }
        "locked_paths" | "locked_lfs_files" => "somebody has locked a file that it changes".to_owned(),
        "policies_denied" | "security_policy_violations" => "a security policy is not met".to_owned(),
        "security_policy_pipeline_check" => "a security policy waits for a pipeline".to_owned(),
        "merge_time" => "it is not to be merged yet".to_owned(),
        "title_regex" => "its title does not fit the project's pattern".to_owned(),
        "jira_association_missing" => "it names no Jira issue".to_owned(),
        "commits_status" => "its branch is gone or has no commits".to_owned(),
        other => format!("the rule `{}`", plain(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(more: &serde_json::Value) -> MergeRequest {
        let mut whole = serde_json::json!({
            "iid": 1, "web_url": "https://gitlab.example.com/shop/env/-/merge_requests/1", "state": "opened",
            "created_at": "2026-01-01T00:00:00.000Z",
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn older_servers_tell_less() {
        for (told, expected) in [
            (serde_json::json!({"merge_status": "can_be_merged"}), "mergeable"),
            (serde_json::json!({"merge_status": "can_be_merged", "work_in_progress": true}), "draft_status"),
            (serde_json::json!({"merge_status": "cannot_be_merged"}), "conflict"),
            (serde_json::json!({"merge_status": "cannot_be_merged_recheck"}), "unchecked"),
            (serde_json::json!({"merge_status": "can_be_merged", "detailed_merge_status": "x"}), "x"),
            (serde_json::json!({}), "unchecked"),
        ] {
            assert_eq!(word(&request(&told)), expected, "{told}");
        }
    }
}
