//! When a branch was moved.

use super::types::{Activity, Pushed};
use super::{Gitea, MAX_PAGES, page_path};
use crate::adapters::forge::rest::parsed_time;
use crate::adapters::forge::shared::{logged_move, newest_moves};
use crate::domain::history::landing::BranchMove;
use crate::domain::ids::BranchName;
use crate::domain::time::Time;
use crate::ports::{ForgeError, MAX_MOVES};

impl Gitea {
    /// Gitea has one feed of all that happens in a repository, newest first. It logs a merge as a push too, with the commit
    /// that came of it; the entry of the merge itself names none. What people do who keep their activity private it shows to
    /// administrators of the server alone.
    /// Source: <https://github.com/go-gitea/gitea/blob/main/services/feed/notifier.go>, `PushCommits`, and
    /// <https://github.com/go-gitea/gitea/blob/main/models/activities/action.go>, `ActivityQueryCondition`.
    pub(super) async fn branch_moves(
        &self,
        branch: &BranchName,
        since: Time,
    ) -> Result<Vec<BranchMove>, ForgeError> {
        let path = format!("{}/activities/feeds", self.root);
        let mut moves = Vec::new();
        for number in 1..=MAX_PAGES {
            let page: Option<Option<Vec<Activity>>> =
                self.rest.get_if_told(&page_path(&path, number)).await?;
            let page = page.flatten().unwrap_or_default();
            let is_older = |one: &Activity| parsed_time(&one.created).is_some_and(|at| at < since);
            let is_last = page.is_empty() || page.iter().any(is_older);
            moves.extend(page.iter().filter_map(|one| moved(one, branch)));
            if is_last || moves.len() >= MAX_MOVES {
                break;
            }
        }
        Ok(newest_moves(moves, since))
    }
}

/// The move of a branch that an entry of the feed is about, where it is about one and names the commit. The entry of a new
/// branch has an empty content, and a second one beside it names the commit.
fn moved(activity: &Activity, branch: &BranchName) -> Option<BranchMove> {
    if !matches!(activity.op_type.as_str(), "commit_repo" | "mirror_sync_push") {
        return None;
    }
    // Older servers leave out what stands before the name.
    let name = activity.ref_name.strip_prefix("refs/heads/").unwrap_or(&activity.ref_name);
    let pushed: Pushed = serde_json::from_str(&activity.content).ok().filter(|_| name == branch.as_str())?;
    logged_move(&pushed.head_commit?.sha1, &activity.created)
}
