//! What stands around each page, and the small parts that several have.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::place::Place;
use super::site::Site;
use crate::domain::ids::CommitId;
use crate::domain::text::flat;
use crate::domain::time::{Time, human_secs};

/// What a browser may do with a page: show it, with its own style sheet. Nothing else is loaded, run or sent anywhere. A server says also
/// that no other page may frame it, which a page cannot say of itself.
pub const CSP: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The same as a page says it of itself, which makes no difference but for files.
const OWN_CSP: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'";

/// A whole page.
pub(super) fn frame(site: &Site, place: &Place, title: &str, body: &Markup) -> String {
    let (home, style) = (Place::Index.link(place), Place::Style.link(place));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(OWN_CSP);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (text(title)) " · backout" }
                link rel="stylesheet" href=(style);
            }
            body {
                header { a href=(home) { "backout" } span { "as of " (moment(site.at)) } }
                main {
                    h1 { (text(title)) }
                    (body)
                }
                footer { "Times are in UTC. This page changes nothing: what backout does is decided by its configuration, in Git." }
            }
        }
    };
    page.into_string()
}

/// Untrusted text: no character of it steers the reader's eyes.
pub(super) fn text(text: &str) -> String {
    flat(text)
}

/// A time.
pub(super) fn moment(at: Time) -> Markup {
    let iso = at.to_string();
    let words = iso.replace('T', " ");
    let words = words.get(..16).unwrap_or(&iso);
    html! { time datetime=(iso) { (words) } }
}

/// A time with how long ago it was.
pub(super) fn ago(at: Time, now: Time) -> Markup {
    let secs = now.secs_since(at);
    let ago =
        if secs < 0 { format!("in {}", human_secs(-secs)) } else { format!("{} ago", human_secs(secs)) };
    html! { (moment(at)) " " span.faint { "(" (ago) ")" } }
}

/// A commit.
pub(super) fn commit(id: CommitId) -> Markup {
    html! { code title=(id.to_string()) { (id.short()) } }
}

/// A word in a colour that says how things stand.
pub(super) fn badge(word: &str) -> Markup {
    let tone = match word {
        "regressed" | "escalate" => "bad",
        "healthy" | "pass" => "good",
        "reverted" | "revert" => "done",
        "watched" | "pending" | "wait" => "busy",
        _ => "open",
    };
    html! { span.badge.(tone) { (word) } }
}

/// An address on a server, as a link where it can be one.
pub(super) fn address(url: &str) -> Markup {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    html! {
        @if is_web { a href=(url) rel="noreferrer" { (text(url)) } } @else { (text(url)) }
    }
}

/// A table, which can be moved sideways where it is wider than the screen. On a phone each row is a block, whose cells have the heads as
/// their labels. The cell at `named` names the row.
pub(super) fn table<const N: usize>(
    caption: &str,
    heads: [&str; N],
    named: usize,
    rows: impl IntoIterator<Item = [Markup; N]>,
) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { @for row in rows { tr {
                    @for (index, (cell, head)) in row.iter().zip(heads).enumerate() {
                        @if index == named {
                            th scope="row" data-head=(head) { div { (cell) } }
                        } @else {
                            td data-head=(head) { div { (cell) } }
                        }
                    }
                } } }
            }
        }
    }
}

/// Lines as a list; nothing where there are none.
pub(super) fn list<T: AsRef<str>>(class: &str, lines: &[T]) -> Markup {
    html! {
        @if !lines.is_empty() {
            ul class=(class) { @for line in lines { li { (text(line.as_ref())) } } }
        }
    }
}

/// A drawing that is markup already.
pub(super) fn drawn(svg: String) -> Markup {
    PreEscaped(svg)
}
