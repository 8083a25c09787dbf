//! Reviews: pull requests (on GitLab merge requests) that bring a revert before people and the forge's own rules.
//!
//! What is to be done about one next is a pure function of what the forge shows of it and of the branch as it is
//! ([`step`]). The texts that people read are in [`text`], what people may answer in [`command`].

pub mod codeowners;
pub mod command;
pub mod incoming;
pub mod markdown;
pub mod text;

mod chart;
mod next;
mod notice;
mod pull;

pub use self::next::{Branch, Outlook, Step, Watched, step, waits_for_person};
pub use self::notice::{CommitStatus, MAX_DESCRIPTION, ManualIssue, StatusState};
pub use self::pull::{Merging, NewReview, OpenPull, Review, ReviewState, Second, Standing};
