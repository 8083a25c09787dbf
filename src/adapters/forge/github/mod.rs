//! GitHub, on github.com and Enterprise: REST for all that it can do, and GraphQL for merging by itself, merge queues and
//! verified commits.

mod beside;
mod commit;
mod documents;
mod graphql;
mod merge;
mod pulls;
mod settings;
mod standing;
mod types;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub use self::documents::DOCUMENTS;
use self::settings::Settings;
use self::wire::GitHubWire;
use super::options::{ForgeOptions, TokenSource};
use super::rest::Rest;
use crate::adapters::http::HttpError;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::review::text::ChartStyle;
use crate::domain::review::{CommitStatus, ManualIssue, Merging, NewReview, Review};
use crate::domain::time::Time;
use crate::ports::{CommitRequest, Forge, Forged};

/// Every operation of GitHub's REST API that is used, by its id in GitHub's OpenAPI description. A test holds what is sent
/// against this list, and the list against the description.
pub const OPERATIONS: [&str; 27] = [
    "apps/create-installation-access-token",
    "apps/get-repo-installation",
    "checks/list-for-ref",
    "git/create-ref",
    "issues/add-assignees",
    "issues/add-labels",
    "issues/create",
    "issues/create-comment",
    "issues/get",
    "issues/list-comments",
    "issues/list-for-repo",
    "issues/update",
    "pulls/create",
    "pulls/get",
    "pulls/list",
    "pulls/list-reviews",
    "pulls/merge",
    "pulls/request-reviewers",
    "pulls/update",
    "repos/create-commit-status",
    "repos/get",
    "repos/get-branch",
    "repos/get-branch-rules",
    "repos/get-collaborator-permission-level",
    "repos/get-combined-status-for-ref",
    "repos/list-pull-requests-associated-with-commit",
    "repos/merge",
];

/// A repository on GitHub.
pub struct GitHub {
    rest: Rest<GitHubWire>,
    options: ForgeOptions,
    /// `/repos/owner/name`.
    root: String,
    /// How branches may be merged into, and when that was asked.
    settings: Mutex<BTreeMap<BranchName, (Time, Settings)>>,
}

impl GitHub {
    /// Reads the credentials; nothing is sent yet.
    ///
    /// # Errors
    /// When the HTTP options or the private key are not valid.
    pub fn new(options: ForgeOptions) -> Result<Self, HttpError> {
        let host = options.api.host_str().unwrap_or("").to_owned();
        let wire = GitHubWire::new(&options)?;
        let name = format!("GitHub at {host}, {}", options.repository);
        let root = format!("/repos/{}", options.repository);
        Ok(Self { rest: Rest::new(name, wire), options, root, settings: Mutex::default() })
    }

    /// The credentials, for Git.
    pub(super) fn tokens(&self) -> Arc<dyn TokenSource> {
        self.rest.tokens()
    }

    /// The part before the slash.
    fn owner(&self) -> &str {
        self.options.repository.split('/').next().unwrap_or("")
    }
}

impl Forge for GitHub {
    fn chart(&self) -> ChartStyle {
        ChartStyle::Mermaid
    }

    fn review<'a>(&'a self, branch: &'a BranchName, base: &'a BranchName) -> Forged<'a, Option<Review>> {
        Box::pin(self.find_review(branch, base))
    }

    fn open<'a>(&'a self, new: &'a NewReview) -> Forged<'a, Review> {
        Box::pin(self.open_review(new))
    }

    fn describe<'a>(&'a self, review: &'a Review, body: &'a str) -> Forged<'a, ()> {
        Box::pin(self.describe_review(review, body))
    }

    fn merge<'a>(
        &'a self,
        review: &'a Review,
        base: &'a BranchName,
        message: &'a str,
    ) -> Forged<'a, Merging> {
        Box::pin(self.merge_review(review, base, message))
    }

    fn unschedule<'a>(&'a self, review: &'a Review) -> Forged<'a, ()> {
        Box::pin(self.unschedule_review(review))
    }

    fn close<'a>(&'a self, review: &'a Review) -> Forged<'a, ()> {
        Box::pin(self.close_review(review))
    }

    fn commit<'a>(
        &'a self,
        request: &'a CommitRequest<'a>,
        base: &'a BranchName,
    ) -> Forged<'a, Option<CommitId>> {
        Box::pin(self.verified_commit(request, base))
    }

    fn issues(&self) -> Forged<'_, Vec<ManualIssue>> {
        Box::pin(self.manual_issues())
    }

    fn open_issue<'a>(&'a self, title: &'a str, body: &'a str) -> Forged<'a, ManualIssue> {
        Box::pin(self.open_manual_issue(title, body))
    }

    fn close_issue<'a>(&'a self, number: u64, comment: &'a str) -> Forged<'a, ()> {
        Box::pin(self.close_manual_issue(number, comment))
    }

    fn status<'a>(&'a self, status: &'a CommitStatus) -> Forged<'a, ()> {
        Box::pin(self.show_status(status))
    }

    fn comment<'a>(&'a self, commit: CommitId, text: &'a str) -> Forged<'a, ()> {
        Box::pin(self.comment_on_source(commit, text))
    }

    fn check<'a>(&'a self, base: &'a BranchName) -> Forged<'a, String> {
        Box::pin(self.check_repository(base))
    }
}
