//! GitHub, on github.com and Enterprise: REST for all that it can do, and GraphQL for merging by itself, merge queues and
//! verified commits.

mod account;
mod beside;
mod commit;
mod documents;
mod graphql;
mod merge;
mod moves;
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
use super::calls::calls;
use super::options::{ForgeOptions, TokenSource};
use super::rest::Rest;
use super::shared::OwnAccount;
use crate::adapters::http::HttpError;
use crate::domain::ids::{BranchName, CommitId};
use crate::domain::review::text::ChartStyle;
use crate::domain::time::Time;
use crate::ports::{BoxFuture, CommitRequest, Forge, Forged};

/// Every operation of GitHub's REST API that is used, by its id in GitHub's OpenAPI description. A test holds what is sent
/// against this list, and the list against the description.
pub const OPERATIONS: [&str; 32] = [
    "apps/create-installation-access-token",
    "apps/get-repo-installation",
    "checks/list-for-ref",
    "git/create-ref",
    "issues/add-assignees",
    "issues/add-labels",
    "issues/create",
    "issues/create-comment",
    "issues/delete-comment",
    "issues/get",
    "issues/list-comments",
    "issues/list-for-repo",
    "issues/update",
    "issues/update-comment",
    "pulls/create",
    "pulls/get",
    "pulls/list",
    "pulls/list-reviews",
    "pulls/merge",
    "pulls/request-reviewers",
    "pulls/update",
    "repos/create-commit-status",
    "repos/get",
    "repos/get-access-restrictions",
    "repos/get-branch",
    "repos/get-branch-rules",
    "repos/get-collaborator-permission-level",
    "repos/get-combined-status-for-ref",
    "repos/list-activities",
    "repos/list-pull-requests-associated-with-commit",
    "repos/merge",
    "users/get-authenticated",
];

/// A repository on GitHub.
pub struct GitHub {
    rest: Rest<GitHubWire>,
    options: ForgeOptions,
    /// `/repos/owner/name`.
    root: String,
    /// How branches may be merged into, and when that was asked.
    settings: Mutex<BTreeMap<BranchName, (Time, Settings)>>,
    account: OwnAccount,
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
        Ok(Self {
            rest: Rest::new(name, wire),
            options,
            root,
            settings: Mutex::default(),
            account: OwnAccount::default(),
        })
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
    fn chart(&self) -> BoxFuture<'_, ChartStyle> {
        Box::pin(async { ChartStyle::Mermaid })
    }

    fn commit<'a>(
        &'a self,
        request: &'a CommitRequest<'a>,
        base: &'a BranchName,
    ) -> Forged<'a, Option<CommitId>> {
        Box::pin(self.verified_commit(request, base))
    }

    calls!();
}
