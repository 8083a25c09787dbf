//! Whether a text is still one of its kind: it can be read where it could be, and closes what it opens.

use super::super::leaves::Document;
use super::super::leaves::outline::Directive;
use super::super::lines::Lines;

/// Whether a text that takes the place of another one can be read where that one can.
pub(in super::super) fn is_kept(now: &Document, after: &Document) -> bool {
    let (before, text) = (now.text(), after.text());
    if now.is_yaml() { after.is_yaml() && is_json_kept(before, text) } else { are_lines_kept(before, text) }
}

/// Whether a text is JSON where another one is.
pub(in super::super) fn is_json_kept(before: &str, text: &str) -> bool {
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    !before.trim_start().starts_with(['{', '[']) || !is_json(before) || is_json(text)
}

/// Whether a text of which the grammar is not known closes what it opens as another one does.
pub(in super::super) fn are_lines_kept(before: &str, text: &str) -> bool {
    let (was, is) = (Form::of(before), Form::of(text));
    is.open_brackets == was.open_brackets
        && is.open_quotes == was.open_quotes
        && is.stray_words <= was.stray_words
        && is.heads_twice <= was.heads_twice
}

/// What can be wrong with a text of which the grammar is not known.
struct Form {
    /// How many brackets of each kind it opens and does not close.
    open_brackets: [i32; 3],
    /// How many long quotes it opens and does not close: `"""` and `'''`.
    open_quotes: [usize; 2],
    /// How many words of templates stand without their beginning or their end.
    stray_words: usize,
    /// How many heads of sections stand there already: `[a]`.
    heads_twice: usize,
}

impl Form {
    fn of(text: &str) -> Self {
        let lines = Lines::new(text);
        let bodies: Vec<&str> = (0..lines.len()).map(|line| lines.body(line).trim()).collect();
        let is_head = |line: &&&str| line.starts_with('[') && !line.starts_with("[[") && line.ends_with(']');
        let mut heads: Vec<&str> = bodies.iter().filter(is_head).copied().collect();
        let count = heads.len();
        heads.sort_unstable();
        heads.dedup();
        Self {
            open_brackets: open_brackets(text),
            open_quotes: ["\"\"\"", "'''"].map(|quote| text.matches(quote).count() % 2),
            stray_words: stray_words(text),
            heads_twice: count - heads.len(),
        }
    }
}

/// How many brackets of each kind a text opens and does not close.
fn open_brackets(text: &str) -> [i32; 3] {
    let net = |open: char, close: char| {
        text.chars().map(|c| i32::from(c == open) - i32::from(c == close)).sum::<i32>()
    };
    [net('{', '}'), net('[', ']'), net('(', ')')]
}

/// How many words of templates (`{{ if }}`, `{{ else }}`, `{{ end }}`, `{% endif %}`) stand without their beginning or their end.
fn stray_words(text: &str) -> usize {
    let (mut open, mut stray) = (0_usize, 0);
    for directive in text.match_indices('{').filter_map(|(at, _)| Directive::of(text.get(at..)?)) {
        match directive {
            Directive::Begins => open += 1,
            Directive::GoesOn | Directive::Ends if open == 0 => stray += 1,
            Directive::GoesOn => {}
            Directive::Ends => open -= 1,
        }
    }
    stray + open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_one_of_its_kind() {
        for (now, after, is_right) in [
            ("a: 1\n", "a: 2\n", true),
            ("a: &x 1\nb: *x\n", "a: 1\nb: *x\n", false),
            ("a: 1\n", "a: [1\n", false),
            ("{\"a\": 1}", "{\"a\": 1,}", false),
            // It was none before.
            ("{\"a\": 1,}", "{\"a\": 2,}", true),
            ("[a]\nb = 1\n", "[a]\nb = 2\n", true),
            ("[a]\nb = 1\n[c]\nb = 1\n", "[a]\nb = 1\n[a]\nb = 1\n", false),
            ("[[a]]\nb = 1\n", "[[a]]\nb = 1\n[[a]]\nb = 2\n", true),
            ("a = \"\"\"\nb\n\"\"\"\n", "a = \"\"\"\nb\n", false),
            ("x {\n  a = 1\n}\n", "x {\n  a = 1\n", false),
            ("{{ if .a }}\nb: 1\n{{ end }}\n", "b: 1\n", true),
            ("{{ if .a }}\nb: 1\n{{ else }}\nb: 2\n{{ end }}\n", "b: 1\n{{ else }}\nb: 2\n", false),
            ("{{- if .a }}\nb: 1\n{{- end }}\n", "{{- if .a }}\nb: 1\n", false),
            ("{% if a %}\nb: 1\n{% endif %}\n", "b: 1\n{% endif %}\n", false),
            ("x: {{ .b }}\n", "x: {{ .c }}\n", true),
        ] {
            let [now, after] = [now, after].map(Document::from);
            assert_eq!(is_kept(&now, &after), is_right, "{}", after.text());
        }
    }
}
