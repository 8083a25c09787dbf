//! GitLab, on gitlab.com and elsewhere, through version 4 of its REST API.

mod beside;
mod merge;
mod moves;
mod requests;
mod rights;
mod standing;
mod types;

use std::sync::Arc;

use self::types::User;
use super::calls::calls;
use super::options::{ForgeOptions, TokenSource};
use super::plain::PlainWire;
use super::rest::{Rest, path_part};
use super::shared::{Account, OwnAccount, Version, is_at_least, style};
use crate::adapters::http::HttpError;
use crate::domain::review::text::ChartStyle;
use crate::ports::{BoxFuture, Forge, ForgeError};

/// A repository on GitLab.
pub struct GitLab {
    rest: Rest<PlainWire>,
    options: ForgeOptions,
    /// `/projects/` with the full path as one piece: `/projects/shop%2Fplatform%2Fenv`.
    /// Source: <https://docs.gitlab.com/api/rest/#namespaced-paths>.
    root: String,
    account: OwnAccount,
}

impl GitLab {
    /// Reads the credentials; nothing is sent yet. Personal, project and group access tokens go where OAuth's do:
    /// <https://docs.gitlab.com/api/rest/authentication/>.
    ///
    /// # Errors
    /// When the HTTP options are not valid.
    pub fn new(options: ForgeOptions) -> Result<Self, HttpError> {
        let host = options.api.host_str().unwrap_or("").to_owned();
        let wire = PlainWire::new(&options, http::header::AUTHORIZATION, "Bearer ")?;
        let name = format!("GitLab at {host}, {}", options.repository);
        let root = format!("/projects/{}", path_part(&options.repository));
        Ok(Self { rest: Rest::new(name, wire), options, root, account: OwnAccount::default() })
    }

    /// The credentials, for Git.
    pub(super) fn tokens(&self) -> Arc<dyn TokenSource> {
        self.rest.tokens()
    }

    /// The account that the token is of; tokens of projects and groups are of bots.
    /// Source: <https://docs.gitlab.com/api/users/#retrieve-the-current-user>.
    async fn own_account(&self) -> Result<&Account, ForgeError> {
        self.account
            .get("give the token the scope `api`", || async {
                let user: User = self.rest.get("/user").await?;
                Ok(Account { id: user.id, name: user.username })
            })
            .await
    }
}

impl Forge for GitLab {
    /// GitLab draws mermaid with the version that the server came with (10.7 on gitlab.com in 2025), and shows an error in place of a
    /// kind of chart that this does not know: mermaid has it since 10.6, and GitLab 17 is younger than that.
    /// Sources: <https://gitlab.com/gitlab-org/gitlab/-/issues/554889>, <https://docs.gitlab.com/api/version/>.
    fn chart(&self) -> BoxFuture<'_, ChartStyle> {
        Box::pin(async {
            let told = self.rest.get::<Version>("/version").await;
            style(told.is_ok_and(|told| is_at_least(&told.version, (17, 0))))
        })
    }

    calls!();
}
