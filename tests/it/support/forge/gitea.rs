//! The simulated forge as Gitea shows it: as much of its API as the agent uses.

use super::{Asked, Reply, State};

/// What Gitea's own description does not allow of what was asked.
pub(super) fn complaints(_log: &[Asked]) -> Vec<String> {
    Vec::new()
}

/// Answers a request.
pub(super) fn answer(_state: &mut State, _asked: &Asked) -> Reply {
    Reply::no(404, "Not Found")
}
