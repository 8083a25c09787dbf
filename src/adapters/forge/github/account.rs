//! Which account the credentials are of.

use serde::Deserialize;
use serde_json::json;

use super::GitHub;
use super::documents::VIEWER;
use super::types::User;
use crate::adapters::forge::shared::Account;
use crate::ports::ForgeError;

/// What a person can do where GitHub does not say it.
const FIX: &str = "log in with a GitHub App or with a personal access token";

#[derive(Deserialize)]
struct Viewing {
    viewer: Viewer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Viewer {
    #[serde(default)]
    database_id: Option<i64>,
    login: String,
}

impl GitHub {
    /// REST tells it to the tokens of people, and refuses those of an App's installation with 403, to whom GraphQL tells
    /// it. Source: <https://docs.github.com/en/rest/users/users#get-the-authenticated-user>.
    pub(super) async fn own_account(&self) -> Result<&Account, ForgeError> {
        self.account
            .get(FIX, || async {
                let user: Option<User> = self.rest.get_if_told("/user").await?;
                if let Some(User { id: Some(id), login }) = user {
                    return Ok(Account { id, name: login });
                }
                let Viewing { viewer } = self.graphql(VIEWER, json!({})).await?;
                let unknown = || ForgeError::Denied(self.rest.named("the credentials are of no account"));
                let id = viewer.database_id.ok_or_else(unknown)?;
                Ok(Account { id, name: viewer.login })
            })
            .await
    }
}
