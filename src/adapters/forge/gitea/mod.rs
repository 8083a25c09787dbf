//! Gitea and Forgejo, whose APIs are the same as far as they are used here. Only what both have is asked for, and nothing
//! that came after Gitea 1.22 is relied on.
//!
//! Both ask the owners of changed files for reviews themselves, and read their `CODEOWNERS` by rules of their own (regular
//! expressions), so that [`crate::domain::review::NewReview::owners`] is left to them.
//! Source: <https://docs.gitea.com/usage/code-owners>.

mod beside;
mod labels;
mod merge;
mod moves;
mod pulls;
mod standing;
mod types;

use std::sync::Arc;

use serde::de::DeserializeOwned;

use self::types::{RepoInfo, User};
use super::calls::calls;
use super::options::{ForgeKind, ForgeOptions, TokenSource};
use super::plain::PlainWire;
use super::rest::Rest;
use super::shared::{Account, OwnAccount, Version, is_at_least, style};
use crate::adapters::http::HttpError;
use crate::domain::review::text::ChartStyle;
use crate::ports::{BoxFuture, Forge, ForgeError, Forged};

/// Every operation of the API that is used, by its id in Forgejo's description of it. A test holds what is sent against
/// this list, and the list against the description.
pub const OPERATIONS: [&str; 30] = [
    "getVersion",
    "issueCreateComment",
    "issueCreateIssue",
    "issueCreateLabel",
    "issueDeleteComment",
    "issueEditComment",
    "issueEditIssue",
    "issueGetComments",
    "issueGetCommentsAndTimeline",
    "issueListIssues",
    "issueListLabels",
    "orgListLabels",
    "repoCancelScheduledAutoMerge",
    "repoCreatePullRequest",
    "repoCreatePullReviewRequests",
    "repoCreateStatus",
    "repoEditPullRequest",
    "repoGet",
    "repoGetBranch",
    "repoGetBranchProtection",
    "repoGetCombinedStatusByRef",
    "repoGetCommitPullRequest",
    "repoGetPullRequest",
    "repoGetPullRequestByBaseHead",
    "repoGetRepoPermissions",
    "repoListActivityFeeds",
    "repoListPullRequests",
    "repoListPullReviews",
    "repoMergePullRequest",
    "userGetCurrent",
];

/// How long a page is asked to be: longer ones are cut to this unless an administrator has raised the limit.
/// Source: <https://docs.gitea.com/administration/config-cheat-sheet#api-api>.
const PAGE: usize = 50;
/// The most pages that are read of a list; of what is longer, the beginning counts.
const MAX_PAGES: usize = 20;

/// A repository on Gitea.
pub struct Gitea {
    rest: Rest<PlainWire>,
    options: ForgeOptions,
    /// The name of the server in messages: `Gitea` or `Forgejo`.
    kind: &'static str,
    /// `/repos/owner/name`.
    root: String,
    account: OwnAccount,
}

impl Gitea {
    /// Reads the credentials; nothing is sent yet.
    ///
    /// # Errors
    /// When the HTTP options are not valid.
    pub fn new(options: ForgeOptions) -> Result<Self, HttpError> {
        let host = options.api.host_str().unwrap_or("").to_owned();
        let wire = PlainWire::new(&options, http::header::AUTHORIZATION, "token ")?;
        let kind = if options.kind == ForgeKind::Forgejo { "Forgejo" } else { "Gitea" };
        let name = format!("{kind} at {host}, {}", options.repository);
        let root = format!("/repos/{}", options.repository);
        Ok(Self { rest: Rest::new(name, wire), options, kind, root, account: OwnAccount::default() })
    }

    /// The credentials, for Git.
    pub(super) fn tokens(&self) -> Arc<dyn TokenSource> {
        self.rest.tokens()
    }

    /// The account that the token is of.
    async fn own_account(&self) -> Result<&Account, ForgeError> {
        self.account
            .get("give the token the scope `read:user`", || async {
                let user: User = self.rest.get("/user").await?;
                let unknown = || ForgeError::Denied(self.rest.named("the token is of no account"));
                Ok(Account { id: user.id.ok_or_else(unknown)?, name: user.login })
            })
            .await
    }

    /// The settings of the repository, as far as they are told.
    async fn info(&self) -> Result<Option<RepoInfo>, ForgeError> {
        self.rest.get_if_told(&self.root).await
    }

    /// Why no command is obeyed where the agent is no administrator.
    fn deafness(&self) -> String {
        format!(
            "{} tells only administrators of the repository who may push, and the agent's account is none: give it that right",
            self.kind
        )
    }

    /// The part before the slash.
    fn owner(&self) -> &str {
        self.options.repository.split('/').next().unwrap_or("")
    }

    /// One page of a list, by its number from 1.
    async fn page<T: DeserializeOwned>(&self, path: &str, number: usize) -> Result<Vec<T>, ForgeError> {
        let page: Option<Vec<T>> = self.rest.get(&page_path(path, number)).await?;
        Ok(page.unwrap_or_default())
    }

    /// A list whose pages do not say whether there are more. A page of the timeline may be short, as comments on code are
    /// left out of it after it was cut; so only an empty one is the end.
    async fn pages<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ForgeError> {
        self.pages_to_the_end(path).await.map(|(all, _)| all)
    }

    /// The same, and whether the end was reached: at most [`MAX_PAGES`] are read.
    async fn pages_to_the_end<T: DeserializeOwned>(&self, path: &str) -> Result<(Vec<T>, bool), ForgeError> {
        let mut all = Vec::new();
        for number in 1..=MAX_PAGES {
            let page = self.page(path, number).await?;
            if page.is_empty() {
                return Ok((all, true));
            }
            all.extend(page);
        }
        Ok((all, false))
    }
}

/// Where one page of a list is, by its number from 1.
fn page_path(path: &str, number: usize) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}limit={PAGE}&page={number}")
}

impl Forge for Gitea {
    /// Both draw mermaid with the version that the server came with, and show an error in place of a kind of chart that this does not
    /// know: mermaid has it since 10.6. Forgejo 7 came with 10.9, and calls itself `7.0.9+gitea-1.22.0`, for it is like Gitea 1.22.
    fn chart(&self) -> BoxFuture<'_, ChartStyle> {
        Box::pin(async {
            let told = self.rest.get::<Version>("/version").await;
            let draws = |version: &str| {
                let gitea = version.split_once("+gitea-").map_or(version, |(_, gitea)| gitea);
                is_at_least(gitea, (1, 22))
            };
            style(told.is_ok_and(|told| draws(&told.version)))
        })
    }

    fn deaf(&self) -> Forged<'_, Option<String>> {
        Box::pin(async {
            let permissions = self.info().await?.and_then(|info| info.permissions);
            Ok(permissions.filter(|permissions| !permissions.admin).map(|_| self.deafness()))
        })
    }

    calls!();
}
