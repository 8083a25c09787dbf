//! When a branch was moved.

use super::GitHub;
use super::types::Activity;
use crate::adapters::forge::rest::path_part;
use crate::adapters::forge::shared::{logged_move, newest_moves};
use crate::domain::history::landing::BranchMove;
use crate::domain::ids::BranchName;
use crate::domain::time::Time;
use crate::ports::{ForgeError, MAX_MOVES};

impl GitHub {
    /// GitHub logs each push, merge, merge of a queue, making and removal of a branch, and shows the newest first.
    /// Source: <https://docs.github.com/en/rest/repos/repos#list-repository-activities>.
    pub(super) async fn branch_moves(
        &self,
        branch: &BranchName,
        since: Time,
    ) -> Result<Vec<BranchMove>, ForgeError> {
        let reference = format!("refs/heads/{branch}");
        let path = format!("{}/activity?ref={}&per_page={MAX_MOVES}", self.root, path_part(&reference));
        let logged: Option<Vec<Activity>> = self.rest.get_if_told(&path).await?;
        let of_it = logged.into_iter().flatten().filter(|one| one.reference == reference);
        Ok(newest_moves(of_it.filter_map(|one| logged_move(&one.after, &one.timestamp)), since))
    }
}
