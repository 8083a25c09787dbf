//! Lines that are parts of queries: of metrics, of logs, of a database. A version in one selects what is looked at, and deploys nothing.

use std::collections::HashSet;

use super::leaves::Text;
use super::leaves::leaf::{Leaf, LeafKind};
use super::lines::{comment_start, is_trifle};
use super::vocabulary::{WordRole, ends_in, words_of};

/// How many lines above one are looked at for the key of the text that it is in.
const MAX_ABOVE: usize = 200;

/// Whether a line holds a query, or is a line of one.
pub(super) fn is_of_query(text: &Text<'_>, leaf: &Leaf) -> bool {
    if leaf.kind != LeafKind::Line {
        return false;
    }
    let line = text.line_of(&leaf.span);
    let body = text.lines.body(line);
    assigned(body).is_some_and(|(key, value)| is_query(key) && is_expression(value))
        || is_below_query(text, line)
}

/// Whether a query stands under a key.
fn is_query(key: &str) -> bool {
    ends_in(&words_of(key), WordRole::Query)
}

/// The key that a line assigns, and what it assigns.
fn assigned(body: &str) -> Option<(&str, &str)> {
    let body = body.get(..comment_start(body)).unwrap_or(body);
    let (key, value) = body.split_once(['=', ':'])?;
    Some((key.trim_matches(|c: char| " \t-\"'".contains(c)), value.trim()))
}

/// Whether a value is a query, and no single word (`query = "shop/query:v1"`) nor a mapping (`query = { tag = "v1" }`).
fn is_expression(value: &str) -> bool {
    let is_sentence = value.starts_with(['"', '\'', '`']) && value.contains(' ');
    is_sentence || !value.starts_with('{') && value.contains(['{', '('])
}

/// Whether a line stands in a text of several lines under the key of a query.
fn is_below_query(text: &Text<'_>, line: usize) -> bool {
    let indent = |body: &str| body.len() - body.trim_start().len();
    let mut margin = indent(text.lines.body(line));
    let mut below: HashSet<&str> = HashSet::new();
    for above in (line.saturating_sub(MAX_ABOVE)..line).rev() {
        let body = text.lines.body(above);
        // `<<EOT`, `<<-EOT`: its lines may stand anywhere up to the mark.
        if let Some((head, mark)) = body.split_once("<<") {
            let mark = mark.trim_start_matches(['-', '~']).trim_matches(['"', '\'']);
            let is_mark = !mark.is_empty() && mark.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if is_mark && !below.contains(mark) {
                return assigned(head).is_some_and(|(key, _)| is_query(key));
            }
        }
        below.insert(body.trim());
        if is_trifle(body) || indent(body) >= margin {
            continue;
        }
        margin = indent(body);
        let opens = |value: &str| {
            value.starts_with(['|', '>', '"', '\''])
                || value.starts_with(|c: char| c.is_alphanumeric()) && !value.ends_with('{')
        };
        if assigned(body).is_some_and(|(key, value)| is_query(key) && opens(value)) {
            return true;
        }
    }
    false
}
