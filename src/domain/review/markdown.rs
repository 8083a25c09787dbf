//! Untrusted text within Markdown: in code spans, sentences and blocks that it cannot leave.
//!
//! Three forges read what is written here, each with a parser and filters of its own (GitHub and GitLab with cmark-gfm
//! or its successors, Gitea with goldmark), so what could end its place is replaced by a look-alike rather than escaped
//! by rules that they may see differently.

use crate::domain::text::{cut, flat, flat_lines, inert, one_line};

/// The longest run of backticks that is left within a block.
const MAX_RUN: usize = 16;

/// Untrusted text as a code span of at most `max_chars` characters, which is one in a table too. Backticks and bars are
/// shown as their look-alikes; a text that is empty is called so.
#[must_use]
pub fn code(text: &str, max_chars: usize) -> String {
    let plain = inert(&flat(&shortened(text, max_chars)));
    let plain = without_comments(&plain.replace('`', "'").replace('|', "¦"));
    let plain = cut(plain.trim(), max_chars);
    // A cut may leave a space at the end.
    let plain = plain.trim();
    if plain.is_empty() { "`(nothing)`".to_owned() } else { format!("`{plain}`") }
}

/// Untrusted text as a part of a sentence, at most about `max_chars` characters: what would be markup is shown as it is
/// written. Code spans stay code spans, and addresses of web pages stay what forges make links of.
#[must_use]
pub fn prose(text: &str, max_chars: usize) -> String {
    let text = one_line(&shortened(text, max_chars), max_chars);
    let pieces: Vec<&str> = text.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return plain(&text.replace('`', "'"));
    }
    let last = pieces.len() - 1;
    let piece = |(place, piece): (usize, &&str)| match place % 2 {
        // Two spans side by side would be one.
        0 if piece.is_empty() && place > 0 && place < last => " ".to_owned(),
        0 => plain(piece),
        _ => code(piece, max_chars),
    };
    pieces.iter().enumerate().map(piece).collect()
}

/// The same of several lines: those behind the first that begin with `- ` are a list.
#[must_use]
pub fn prose_lines(text: &str, max_chars: usize) -> String {
    let mut lines = text.lines();
    let mut out = prose(lines.next().unwrap_or(""), max_chars);
    for line in lines {
        let left = max_chars.saturating_sub(out.chars().count());
        match line.strip_prefix("- ") {
            Some(item) if left > 0 => out.push_str(&format!("\n- {}", prose(item, left))),
            Some(_) => {}
            None => out.push_str(&format!(" {}", prose(line, left))),
        }
    }
    out
}

/// Text without any markup.
fn plain(text: &str) -> String {
    let words = inert(text);
    let word = |word: &str| {
        // What ends a sentence or a bracket is no part of an address, for a forge neither.
        let address = word.trim_end_matches(['.', ',', ';', ':', ')']);
        if is_address(address) { word.to_owned() } else { escaped(word) }
    };
    words.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Whether a word is an address of a web page, of characters that mean nothing in Markdown.
fn is_address(word: &str) -> bool {
    let rest = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://"));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "./:%=?#-".contains(c);
    rest.is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphanumeric()) && rest.chars().all(is_plain)
    })
}

/// A word whose punctuation means nothing in Markdown, and which names no issue.
fn escaped(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    let mut chars = word.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '|' {
            escaped.push('¦');
            continue;
        }
        if c.is_ascii_punctuation() && !".,;:%'\"()+=-/@?".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
        let names_issue = matches!(c, '#' | '!') && chars.peek().is_some_and(char::is_ascii_digit);
        if names_issue || c == '@' && chars.peek().is_some() {
            escaped.push(' ');
        }
    }
    escaped.replace("://", ": //").replace("-->", "-- >").replace("www.", "www .")
}

/// Untrusted lines as a fenced block of at most `max_chars` characters and its fences. `info` says what it is to a forge.
#[must_use]
pub fn fenced(info: &str, text: &str, max_chars: usize) -> String {
    let text = without_comments(&inert(&flat_lines(&shortened(text, max_chars))));
    let text = short_runs(&text);
    let text = if text.trim().is_empty() { "(nothing)" } else { text.trim_end() };
    let mut kept = String::new();
    let mut left = max_chars.saturating_sub(2);
    for line in text.lines() {
        let line = no_command(line);
        let length = line.chars().count() + 1;
        if length > left {
            // Whole lines, but for the first, or nothing might be left of it.
            if kept.is_empty() {
                kept.push_str(&cut(&line, left));
                kept.push('\n');
            }
            kept.push_str("…\n");
            break;
        }
        left -= length;
        kept.push_str(&line);
        kept.push('\n');
    }
    let fence = "`".repeat(longest_run(&kept).max(2) + 1);
    format!("{fence}{info}\n{kept}{fence}\n")
}

/// The beginning of a text, with room for what is taken out of it: there is no end to what a repository may hold.
fn shortened(text: &str, max_chars: usize) -> String {
    text.chars().take(max_chars.saturating_mul(4)).collect()
}

/// The text with nothing in it that begins or ends an HTML comment, by which the agent marks places.
fn without_comments(text: &str) -> String {
    text.replace("<!--", "<! --").replace("-->", "-- >")
}

/// GitLab does what a line says that begins with `/merge` and the like, and has looked for them in code too.
fn no_command(line: &str) -> String {
    let rest = line.trim_start();
    let indent = line.len() - rest.len();
    match rest.strip_prefix('/').filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic())) {
        Some(name) => format!("{}/ {name}", line.get(..indent).unwrap_or("")),
        None => line.to_owned(),
    }
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

fn short_runs(text: &str) -> String {
    let mut run = 0;
    let keep = |c: &char| {
        run = if *c == '`' { run + 1 } else { 0 };
        run <= MAX_RUN
    };
    text.chars().filter(keep).collect()
}

/// A heading of a table and the line below it.
#[must_use]
pub fn table_head(columns: &[&str]) -> String {
    let rule = vec!["---"; columns.len()];
    format!("| {} |\n| {} |\n", columns.join(" | "), rule.join(" | "))
}

/// A row of a table, of cells that are Markdown already.
#[must_use]
pub fn table_row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};

    use super::*;

    /// What would end its place, steer a forge, or name somebody; and anything else.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[`|~<>\\\\#@!*_\\[\\]()&;:/ \n\r\t$-]{1,6}",
            "\\PC{0,8}",
            "(<!--|-->|```|\\| x \\||</details>|<script>|@ann|fixes #5|https://x\\.y/z|www\\.x\\.y|\u{202e}|\u{200b}|/merge\n)",
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    fn events(markdown: &str) -> Vec<Event<'_>> {
        Parser::new_ext(
            markdown,
            Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_MATH,
        )
        .collect()
    }

    fn is_text(event: &Event<'_>) -> bool {
        matches!(event, Event::Text(_) | Event::Code(_))
    }

    #[test]
    fn code_is_readable_where_it_can_be() {
        assert_eq!(code("v1.4.2", 40), "`v1.4.2`");
        assert_eq!(code("app@sha256:00ff", 40), "`app@sha256:00ff`");
        assert_eq!(code("a`b|c <!-- x -->", 40), "`a'b¦c <! -- x -- >`");
        assert_eq!(code("\u{202e}abc\u{200b}\n", 40), "`abc`");
        assert_eq!(code("abcdef", 4), "`abc…`");
        assert_eq!(code(" \n", 4), "`(nothing)`");
    }

    #[test]
    fn prose_keeps_code_and_addresses() {
        let text =
            "ann holds it, or comment `/backout approve`: see https://forge.example/o/r/pull/5, or ask.";
        assert_eq!(prose(text, 200), text);
        assert_eq!(prose("*x* [a](b) <b> #5 @ann", 200), r"\*x\* \[a\](b) \<b\> \# 5 @ ann");
    }

    #[test]
    fn a_block_is_cut_at_a_line() {
        assert_eq!(fenced("diff", "-a\n+b\n", 40), "```diff\n-a\n+b\n```\n");
        assert_eq!(fenced("", "one\ntwo\nthree", 12), "```\none\ntwo\n…\n```\n");
        assert_eq!(fenced("", "````\n/merge", 40), "`````\n````\n/ merge\n`````\n");
    }

    proptest! {
        #[test]
        fn code_stays_one_span_in_a_sentence(text in hostile(), max in 1_usize..60) {
            let span = code(&text, max);
            let markdown = format!("before {span} after");
            let events = events(&markdown);
            let [_, Event::Text(before), Event::Code(inner), Event::Text(after), _] = &events[..] else {
                panic!("{events:?}")
            };
            prop_assert_eq!((&**before, &**after), ("before ", " after"));
            prop_assert!(inner.chars().count() <= max.max("(nothing)".len()));
            prop_assert!(!span.contains("<!--") && !span.contains("-->") && !span.contains('|'));
        }

        #[test]
        fn code_stays_one_cell(text in hostile(), max in 1_usize..60) {
            let span = code(&text, max);
            let markdown = format!("{}{}", table_head(&["a", "b"]), table_row(&[span.clone(), span]));
            let events = events(&markdown);
            let cells = events.iter().filter(|event| matches!(event, Event::Start(Tag::TableCell))).count();
            let spans = events.iter().filter(|event| matches!(event, Event::Code(_))).count();
            let texts = events.iter().filter(|event| matches!(event, Event::Text(_))).count();
            prop_assert_eq!((cells, spans, texts), (4, 2, 2));
        }

        #[test]
        fn prose_is_a_paragraph_of_text(text in hostile(), max in 1_usize..200) {
            let markdown = format!("**Now:** {}", prose(&text, max));
            let events = events(&markdown);
            // The paragraph, and what is bold in it.
            prop_assert!(events.iter().filter(|event| !is_text(event)).count() == 4, "{:?}", events);
            prop_assert!(!markdown.contains("<!--") && !markdown.contains("-->"));
        }

        #[test]
        fn a_block_stays_one_block(text in hostile(), max in 4_usize..200) {
            let block = fenced("diff", &text, max);
            let markdown = format!("before\n\n{block}\nafter\n");
            let events = events(&markdown);
            let starts: Vec<_> = events.iter().filter(|event| matches!(event, Event::Start(_))).collect();
            prop_assert_eq!(starts.len(), 3);
            let is_block = matches!(
                starts[1],
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if &**info == "diff"
            );
            prop_assert!(is_block, "{:?}", starts);
            prop_assert!(block.chars().count() <= max + 2 * (MAX_RUN + 1) + 10, "{}", block);
            prop_assert!(!block.contains("<!--") && !block.contains("-->") && !block.contains("\n/m"));
        }
    }
}
