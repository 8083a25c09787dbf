//! Untrusted text that can steer neither a forge nor the reader's eyes.
//!
//! A forge reads commit messages, and the titles and descriptions of pull requests, for instructions: not to run
//! checks, to close issues, to tell somebody. What is quoted there (subjects, values, paths) must not give any. The
//! description of a pull request can become the message of the commit that merges it, so both need the same.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Whether a character shows nothing, or changes how those around it are shown: controls, line separators, marks of
/// direction, joiners, fillers, tags. Source: Unicode, `Default_Ignorable_Code_Point` and `Bidi_Control`, without the
/// variation selectors of symbols.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text with a space for every character that is not seen, line ends and tabs too.
#[must_use]
pub fn flat(text: &str) -> String {
    text.chars().map(|c| if is_unseen(c) { ' ' } else { c }).collect()
}

/// The same, but line ends and tabs stay.
#[must_use]
pub fn flat_lines(text: &str) -> String {
    let kept = |c| matches!(c, '\n' | '\t') || !is_unseen(c);
    text.replace("\r\n", "\n").chars().map(|c| if kept(c) { c } else { ' ' }).collect()
}

/// At most `max` characters of a text; `…` is the last of them where more is cut off.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Text of a server, a program or a file as a part of one line: flat, without the spaces around it, and cut.
#[must_use]
pub fn one_line(text: &str, max: usize) -> String {
    cut(flat(text).trim(), max)
}

/// `[skip ci]`, `[ci-skip]`, `[no ci]`, `[skip actions]`, `[azp skip]` …: any brackets around one of their words. Sources:
/// <https://docs.github.com/actions/managing-workflow-runs/skipping-workflow-runs>,
/// <https://docs.gitlab.com/ci/pipelines/#skip-a-pipeline>.
static SKIPS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\[([^\[\]]*(?i-u:skip|\bci\b|\bno\b)[^\[\]]*)\]").ok());

/// `***NO_CI***`. Source: <https://learn.microsoft.com/azure/devops/pipelines/repos/azure-repos-git#skip-ci>.
static STARS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\*{3,}").ok());

/// `#close`, `#comment`: commands behind the key of an issue. Source:
/// <https://support.atlassian.com/jira-software-cloud/docs/process-issues-with-smart-commits/>.
static COMMANDS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(^|\s)#([A-Za-z])").ok());

/// A closing word before something that can be an issue: `#5`, `owner/name#5`, `GH-5`, `ABC-5` or an address. GitLab
/// looks for them in the raw text of a description, in code too. Sources:
/// <https://docs.github.com/issues/tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue>,
/// <https://docs.gitlab.com/user/project/issues/managing_issues/#default-closing-pattern>.
static CLOSINGS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let word = r"(?i-u:(clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|implement(?:s|ed|ing)?|reopen(?:s|ed)?)\b)";
    let issue = r"(?:[0-9A-Za-z_./-]*[#!][0-9]|(?i-u:gh)-[0-9]|[A-Z][A-Z0-9_]*-[0-9]|(?i-u:https?)://)";
    Regex::new(&format!(r#"{word}([^0-9A-Za-z_#!"]{{0,8}}(?i-u:issues?[ \t]+)?{issue})"#)).ok()
});

/// The text with nothing in it that a forge takes for an instruction: words that skip checks are put in round brackets,
/// mentions and commands get a space, closing words quotation marks. Values stay readable, and image references and
/// addresses stay as they are. What is inert already does not change.
#[must_use]
pub fn inert(text: &str) -> String {
    let text = replaced(&SKIPS, text, |found| format!("({})", part(found, 1)));
    let text = replaced(&STARS, &text, |_| "*".to_owned());
    let text =
        replaced(&COMMANDS, &unmentioned(&text), |found| format!("{}# {}", part(found, 1), part(found, 2)));
    replaced(&CLOSINGS, &text, |found| format!("\"{}\"{}", part(found, 1), part(found, 2)))
}

/// The same for a value that is read back and compared, so that as little as possible changes: only what skips checks.
#[must_use]
pub fn inert_value(text: &str) -> String {
    let text = replaced(&SKIPS, text, |found| format!("({})", part(found, 1)));
    replaced(&STARS, &text, |_| "*".to_owned())
}

/// A space behind the `@` of `@ann`, `@org/team`, and of `@2h`, which counts as time spent; not behind that of a mail
/// address or an image's digest.
fn unmentioned(text: &str) -> String {
    let mut apart = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        apart.push(c);
        let begins = c == '@' && !before.is_ascii_alphanumeric() && before != '_';
        if begins && chars.peek().is_some_and(|next| !next.is_whitespace() && *next != '@') {
            apart.push(' ');
        }
        before = c;
    }
    apart
}

/// Replaces until nothing is found any more: what is found first can hide another behind it.
fn replaced(regex: &LazyLock<Option<Regex>>, text: &str, with: impl Fn(&Captures<'_>) -> String) -> String {
    let mut text = text.to_owned();
    let Some(regex) = regex.as_ref() else { return text };
    while let Cow::Owned(next) = regex.replace_all(&text, &with) {
        text = next;
    }
    text
}

fn part<'t>(found: &Captures<'t>, index: usize) -> &'t str {
    found.get(index).map_or("", |part| part.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_forge_would_obey_is_only_text() {
        for (text, expected) in [
            ("bump [skip ci]", "bump (skip ci)"),
            ("[CI Skip] [no ci] [skip actions]", "(CI Skip) (no ci) (skip actions)"),
            ("[skip-ci][azp skip][x[ci skip]]", "(skip-ci)(azp skip)(x(ci skip))"),
            ("***NO_CI***", "*NO_CI*"),
            ("fixes #5", "\"fixes\" #5"),
            ("Closes: GH-5, resolved owner/repo#5", "\"Closes\": GH-5, \"resolved\" owner/repo#5"),
            ("fix https://forge/o/r/issues/5", "\"fix\" https://forge/o/r/issues/5"),
            ("Fixes issue #5 and #6", "\"Fixes\" issue #5 and #6"),
            ("Implements `#5`", "\"Implements\" `#5`"),
            ("fixing ABC-12", "\"fixing\" ABC-12"),
            ("thanks @ann and @org/team", "thanks @ ann and @ org/team"),
            ("@@ann", "@@ ann"),
            ("ABC-1 #close", "ABC-1 # close"),
        ] {
            assert_eq!(inert(text), expected, "{text:?}");
        }
    }

    #[test]
    fn values_stay_as_they_are() {
        for text in [
            "registry.example.com/team/app@sha256:0123456789abcdef",
            "https://example.com/charts/app-1.2.tgz#sha256=5",
            "ann@example.com",
            "containers[name=web].image",
            "fix: the cart (#482)",
            "close to the limit",
            "v1.2.3-rc.1+build.5",
            "#5",
        ] {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn a_cut_text_shows_that_it_is_cut() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("äbcd", 3), "äb…");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn one_line_has_no_ends_of_lines_and_nothing_unseen() {
        assert_eq!(one_line("\r\n a\tb\u{1b}c\u{202e}d\n", 80), "a b c d");
        assert_eq!(one_line(" abcd", 3), "ab…");
    }

    proptest! {
        #[test]
        fn an_inert_text_is_inert(text in r"([@#\[\]*a-z0-9 ]|fixes |closes: |\[skip|ci\]|GH-|ABC-|\n|\PC){0,40}") {
            let once = inert(&flat_lines(&text));
            prop_assert_eq!(inert(&once), once.clone());
            let lower = once.to_lowercase();
            for never in ["[skip ci]", "[ci skip]", "[no ci]", "***", "fixes #5", "closes: #5", " @a", " #a"] {
                prop_assert!(!lower.contains(never), "{:?}", once);
            }
            // A part of an inert text is inert too: texts may be cut afterwards.
            let half: String = once.chars().take(once.chars().count() / 2).collect();
            prop_assert_eq!(inert(&half), half.clone());
        }
    }
}
