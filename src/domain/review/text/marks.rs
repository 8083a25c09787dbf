//! The agent's marks within the texts: what a pull request is for, how it stands, and why the agent has closed it.
//!
//! They are HTML comments, which no untrusted text can write. Forges keep the text between them as it is, but for the
//! ends of lines, which become those of the web when a person edits a text there.

use crate::domain::review::markdown::prose;
use crate::domain::text::{cut, flat, inert};

const STATUS_BEGIN: &str = "<!-- backout:status -->";
const STATUS_END: &str = "<!-- /backout:status -->";
const CLOSED_BEGIN: &str = "<!-- backout:closed ";
const MARK_END: &str = " -->";
const ID_BEGIN: &str = "<!-- backout-id: ";

/// The line in the body of a pull request that was opened because of what is known from another environment.
pub(super) const ELSEWHERE: &str = "<!-- backout:elsewhere -->\n";

/// Whether a pull request was opened because of what is known from another environment, and not because of damage in its own.
#[must_use]
pub fn is_because_of_elsewhere(body: &str) -> bool {
    body.lines().any(|line| line.trim() == ELSEWHERE.trim())
}

/// The longest status, in characters.
const MAX_STATUS: usize = 1_500;
/// The longest reason of a closing.
const MAX_REASON: usize = 500;

/// The first line of a pull request's body.
pub(super) fn first_line(id: &str) -> String {
    format!("{ID_BEGIN}{id}{MARK_END}")
}

/// The rollback id in the marker on a body's first line.
#[must_use]
pub fn id_in(body: &str) -> Option<&str> {
    let id = marked(body, ID_BEGIN)?;
    is_id(id).then_some(id)
}

/// What stands in a mark on the first line.
pub(super) fn marked<'b>(body: &'b str, begin: &str) -> Option<&'b str> {
    body.lines().next()?.trim().strip_prefix(begin)?.strip_suffix(MARK_END)
}

pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The block that says how it stands.
pub(super) fn status_block(status: &str) -> String {
    block(&now(&prose(status, MAX_STATUS)))
}

fn now(text: &str) -> String {
    format!("**Now:** {text}")
}

fn block(inner: &str) -> String {
    format!("{STATUS_BEGIN}\n{inner}\n{STATUS_END}\n")
}

/// Where the text of the first status block is in a body.
fn status_in(body: &str) -> Option<(usize, usize)> {
    let begin = body.find(STATUS_BEGIN)? + STATUS_BEGIN.len();
    let length = body.get(begin..)?.find(STATUS_END)?;
    Some((begin, begin + length))
}

fn with_inner(body: &str, inner: &str) -> Option<String> {
    let (begin, end) = status_in(body)?;
    let (before, now, after) = (body.get(..begin)?, body.get(begin..end)?, body.get(end..)?);
    let is_same = now.trim().lines().map(str::trim_end).eq(inner.lines());
    (!is_same).then(|| format!("{before}\n{inner}\n{after}"))
}

/// The body with another status. `None` where that changes nothing, and where the block is gone: a person has taken it
/// out. What it said of a closing goes: who sets a status does not close.
#[must_use]
pub fn with_status(body: &str, status: &str) -> Option<String> {
    with_inner(body, &now(&prose(status, MAX_STATUS)))
}

/// The body with the mark that the agent itself closes it, and why. Where the status block is gone it is put back at the
/// top, because a closing without it would count as a person's no.
#[must_use]
pub fn with_closing(body: &str, reason: &str) -> String {
    let told = inert(&flat(reason)).replace("--", "- -");
    let told = cut(told.trim(), MAX_REASON);
    let inner =
        format!("{}\n{CLOSED_BEGIN}{told}{MARK_END}", now(&format!("closed: {}", prose(reason, MAX_REASON))));
    if status_in(body).is_some() {
        return with_inner(body, &inner).unwrap_or_else(|| body.to_owned());
    }
    let is_first = |line: &str| marked(line, ID_BEGIN).is_some();
    match body.split_once('\n') {
        Some((first, rest)) if is_first(first) => format!("{first}\n\n{}\n{rest}", block(&inner)),
        None if is_first(body) => format!("{body}\n\n{}", block(&inner)),
        _ => format!("{}\n{body}", block(&inner)),
    }
}

/// How the reason begins for which the agent closes the second of two pull requests.
const SAME_AS: &str = "the same as ";

/// Why the agent closes a pull request where another one, at `url`, is followed.
#[must_use]
pub fn same_as(url: &str) -> String {
    format!("{SAME_AS}{url}")
}

/// Whether the agent has closed a pull request because another one is followed.
#[must_use]
pub fn is_second(body: &str) -> bool {
    closing_reason(body).is_some_and(|reason| reason.starts_with(SAME_AS))
}

/// Why the agent has closed a pull request, where it was the agent: as [`with_closing`] has written it into the status
/// block, and nowhere else.
#[must_use]
pub fn closing_reason(body: &str) -> Option<&str> {
    let (begin, end) = status_in(body)?;
    let (_, rest) = body.get(begin..end)?.split_once(CLOSED_BEGIN)?;
    rest.split_once(MARK_END).map(|(reason, _)| reason)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body() -> String {
        format!("{}\n\nDeployment x\n\n{}\nmore\n", first_line("abc123"), status_block("waits"))
    }

    #[test]
    fn a_status_is_replaced_and_nothing_else() {
        let changed = with_status(&body(), "merged").unwrap();
        assert_eq!(changed, body().replace("waits", "merged"));
        assert_eq!(with_status(&body(), "waits"), None);
        assert_eq!(with_status(&body().replace('\n', "\r\n"), "waits"), None);
        assert_eq!(with_status("no block", "waits"), None);
    }

    #[test]
    fn a_closing_is_read_back_and_goes_with_the_next_status() {
        let closed = with_closing(&body(), "the good values are back already");
        assert_eq!(closing_reason(&closed), Some("the good values are back already"));
        assert!(closed.contains("**Now:** closed: the good values are back already\n"));
        let reopened = with_status(&closed, "waits").unwrap();
        assert_eq!(closing_reason(&reopened), None);
        assert_eq!(reopened, body());
    }

    #[test]
    fn a_closing_is_told_where_the_block_was_removed() {
        for body in [
            format!("{}\ntext", first_line("abc123")),
            first_line("abc123"),
            "text".to_owned(),
            String::new(),
        ] {
            let closed = with_closing(&body, "done");
            assert_eq!(closing_reason(&closed), Some("done"), "{closed}");
            assert_eq!(id_in(&closed), id_in(&body));
        }
    }

    #[test]
    fn marks_count_in_their_places_only() {
        let elsewhere = format!("{}\n<!-- backout:closed no -->\n", body());
        assert_eq!(closing_reason(&elsewhere), None);
        assert_eq!(closing_reason("<!-- backout:closed no -->"), None);
        assert_eq!(id_in(&body()), Some("abc123"));
        assert_eq!(id_in(&format!("\n{}", body())), None);
        assert_eq!(id_in("<!-- backout-id: a b -->"), None);
        assert_eq!(id_in("<!-- backout-id: abc -->\r\nx"), Some("abc"));
    }

    proptest! {
        #[test]
        fn no_reason_or_status_leaves_its_place(text in "(\\PC|-->|<!--|<!-- /backout:status -->|<!-- backout:closed x -->|\n|`){0,30}") {
            let closed = with_closing(&body(), &text);
            prop_assert!(closing_reason(&closed).is_some());
            prop_assert_eq!(with_status(&closed, "waits"), Some(body()));
            let told = with_status(&body(), &text).unwrap_or_else(body);
            prop_assert_eq!(closing_reason(&told), None);
            prop_assert_eq!(with_status(&told, "waits").unwrap_or_else(body), body());
        }
    }
}
