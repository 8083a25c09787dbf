//! When commits came to a branch. Git does not know it: a commit is dated when it is made, and may be pushed or merged much
//! later. A forge does.

use crate::domain::ids::CommitId;
use crate::domain::time::Time;

/// A move of a branch, as a forge has logged it: a push, or the merge of a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchMove {
    /// Where the branch was after it.
    pub after: CommitId,
    /// When it was.
    pub at: Time,
}
