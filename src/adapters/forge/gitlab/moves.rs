//! When a branch was moved.

use super::GitLab;
use super::types::{Event, PushData};
use crate::adapters::forge::shared::{logged_move, newest_moves};
use crate::domain::history::landing::BranchMove;
use crate::domain::ids::BranchName;
use crate::domain::time::Time;
use crate::ports::ForgeError;

/// How much earlier than it has to GitLab is asked to begin: it takes a day alone, leaves that day out, and goes by the
/// time zone of the server, which may be half a day behind.
const SPARE_SECS: i64 = 2 * 86_400;

impl GitLab {
    /// GitLab logs a merge as a push too. Where one push moves more branches than an administrator allows (3 where
    /// nobody has said otherwise) GitLab logs how many they were, and none of them.
    /// Sources: <https://docs.gitlab.com/api/events/>,
    /// <https://docs.gitlab.com/administration/settings/push_event_activities_limit/>.
    pub(super) async fn branch_moves(
        &self,
        branch: &BranchName,
        since: Time,
    ) -> Result<Vec<BranchMove>, ForgeError> {
        let begin = since.minus_secs(SPARE_SECS).max(Time::from_unix(0)).to_string();
        let day = begin.split('T').next().unwrap_or_default();
        let path = format!("{}/events?action=pushed&after={day}&per_page=100", self.root);
        let logged: Vec<Event> = self.rest.list_if_told(&path).await?;
        let is_of_it = |data: &PushData| {
            data.ref_type.as_deref() == Some("branch") && data.reference.as_deref() == Some(branch.as_str())
        };
        let moved = |event: Event| {
            let data = event.push_data.filter(is_of_it)?;
            logged_move(&data.commit_to?, &event.created_at?)
        };
        Ok(newest_moves(logged.into_iter().filter_map(moved), since))
    }
}
