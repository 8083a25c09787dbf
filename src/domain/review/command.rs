//! What people tell the agent in comments: `/backout approve`, `/backout hold 2h`, `/backout retry`.

use crate::domain::time::Time;

/// The longest that a pull request can be held, in seconds: a week.
const MAX_HOLD_SECS: i64 = 7 * 86_400;

/// A command in a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Who wrote it, as the forge calls them.
    pub by: String,
    /// When.
    pub at: Time,
    /// What they want.
    pub order: Order,
    /// Whether they may want that. Nobody else is obeyed.
    pub right: Right,
}

/// Whether somebody may give a command, as the forge says: to hold and to try again takes the right to push to the
/// repository, and to approve the right to merge into the environment's branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// They may.
    Given,
    /// They may not push.
    Missing,
    /// They may push, and not merge into the branch. The text says why: "`main` takes merges of administrators alone".
    PushOnly(String),
}

/// What a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Merge it as soon as the forge's rules let it.
    Approve,
    /// Do not merge it for so many seconds.
    Hold(i64),
    /// End a hold, and begin to wait anew.
    Retry,
}

/// The order in a comment: its first line, and nothing else on it. Anything else is talk.
#[must_use]
pub fn order(comment: &str) -> Option<Order> {
    let line = comment.trim_start().lines().next()?;
    let mut words = line.split_whitespace();
    if words.next()? != "/backout" {
        return None;
    }
    let order = match (words.next()?, words.next()) {
        ("approve", None) => Order::Approve,
        ("retry", None) => Order::Retry,
        ("hold", Some(time)) => Order::Hold(hold_secs(time)?),
        _ => return None,
    };
    words.next().is_none().then_some(order)
}

/// The seconds of a time such as `2h`, `1h30m` or `1d`, at most [`MAX_HOLD_SECS`].
fn hold_secs(text: &str) -> Option<i64> {
    let span: jiff::Span = text.parse().ok()?;
    let secs = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()?.as_secs();
    (secs > 0).then_some(secs.min(MAX_HOLD_SECS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_stand_alone_on_the_first_line() {
        for (comment, expected) in [
            ("/backout approve", Some(Order::Approve)),
            ("  /backout   retry \nthanks", Some(Order::Retry)),
            ("/backout hold 2h", Some(Order::Hold(7200))),
            ("/backout hold 1h30m\r\n", Some(Order::Hold(5400))),
            ("/backout hold", None),
            ("/backout hold forever", None),
            ("/backout hold -2h", None),
            ("/backout hold 1d", Some(Order::Hold(86_400))),
            ("/backout hold 1w", Some(Order::Hold(MAX_HOLD_SECS))),
            ("/backout hold 400d", Some(Order::Hold(MAX_HOLD_SECS))),
            ("/backout hold 9999h", Some(Order::Hold(MAX_HOLD_SECS))),
            ("/backout hold 0s", None),
            ("/backout approve please", None),
            ("> /backout approve", None),
            ("I would say /backout approve", None),
            ("/backoutapprove", None),
            ("", None),
        ] {
            assert_eq!(order(comment), expected, "{comment:?}");
        }
    }
}
