//! Asking for a few series of a query. PromQL narrows any query from outside, so that nobody has to rewrite it:
//!
//! ```text
//! (sum by (app) (errors)
//! ) and on (app) (label_replace(vector(1), "app", "checkout", "", "") or label_replace(vector(1), "app", "cart", "", ""))
//! ```
//!
//! What is left keeps its labels and values.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/operators/#logical-set-binary-operators>.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::domain::environment::signal::{Only, escape_promql};
use crate::ports::Answer;

/// The longest narrowed query, in bytes as they are sent (percent-encoded). nginx takes request lines of up to 8 KiB
/// (`large_client_header_buffers`), where a proxy lets only GET through, and the rest of the line needs room too.
/// VictoriaMetrics takes queries of up to 16 KiB (`-search.maxQueryLen`). A POST is bounded by neither Prometheus nor nginx below
/// 1 MiB (`client_max_body_size`).
const MAX_SENT_BYTES: usize = 7 << 10;
/// The most narrowed queries in the place of one. The server works out the whole query for each; so beyond some 250 services all
/// are asked for at once.
const MAX_QUERIES: usize = 4;
/// How many refused queries are remembered: more than a configuration has signals.
const MAX_REFUSED: usize = 256;

/// The queries that together ask for these series alone; none where that is not possible, or not worth it.
pub(super) fn narrowed(query: &str, only: &Only) -> Option<Vec<String>> {
    if !is_plain_label(&only.label) || !is_closed(query) {
        return None;
    }
    // A comment at the end of the query ends with the line.
    let head = format!("({query}\n) and on ({}) (", only.label);
    let room = MAX_SENT_BYTES.checked_sub(sent_bytes(&head) + sent_bytes(")"))?;
    let mut queries: Vec<String> = Vec::new();
    let mut terms: Vec<String> = Vec::new();
    let mut taken = 0;
    for value in &only.values {
        // A `$` begins the name of a group in what `label_replace` puts in; two of them are one.
        let value = escape_promql(&value.replace('$', "$$"));
        let term = format!("label_replace(vector(1), \"{}\", \"{value}\", \"\", \"\")", only.label);
        let bytes = sent_bytes(&term) + sent_bytes(" or ");
        if bytes > room {
            return None;
        }
        if taken + bytes > room {
            queries.push(format!("{head}{})", terms.join(" or ")));
            (taken, terms) = (0, Vec::new());
        }
        taken += bytes;
        terms.push(term);
    }
    if !terms.is_empty() {
        queries.push(format!("{head}{})", terms.join(" or ")));
    }
    (1..=MAX_QUERIES).contains(&queries.len()).then_some(queries)
}

/// A query that gives one series where a server narrows as it should, whatever data it has: of two made-up ones the one whose name
/// has what must be escaped.
pub(super) fn probe() -> Option<(String, Only)> {
    let only = |values: &[&str]| Only {
        label: "backout".to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let wanted = only(&["a\"$1\\b"]);
    let both = narrowed("vector(1)", &only(&["a\"$1\\b", "other"]))?.pop()?;
    let (_, both) = both.split_once(" and on (backout) ")?;
    Some((narrowed(both, &wanted)?.pop()?, wanted))
}

/// Whether PromQL takes the label without quotes; names that begin with two underscores are Prometheus' own.
fn is_plain_label(label: &str) -> bool {
    let mut bytes = label.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && !label.starts_with("__") && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a query closes no bracket that it did not open: else brackets around it would make another query of it.
fn is_closed(query: &str) -> bool {
    let mut depth = 0_u32;
    let mut quote = None;
    let mut chars = query.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('"' | '\''), '\\') => {
                chars.next();
            }
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '#') => {
                let _comment = chars.by_ref().find(|c| *c == '\n');
            }
            (None, '(') => depth += 1,
            (None, ')') => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            (None, _) => {}
        }
    }
    depth == 0 && quote.is_none()
}

/// How many bytes a text has in a form or in a URL: three for each that is not plain.
fn sent_bytes(text: &str) -> usize {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() || b"-_.~ ".contains(&byte) { 1 } else { 3 })
        .sum()
}

/// Which of the wanted series are in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// Only wanted ones, and at least one.
    Wanted,
    /// None at all: perhaps there are none.
    Nothing,
    /// Others too: nothing was narrowed.
    Others,
}

/// What of an answer is wanted.
pub(super) fn share(answer: &Answer, only: &Only) -> Share {
    let is_wanted = |labels: &BTreeMap<String, String>| {
        labels.get(&only.label).is_some_and(|value| only.values.contains(value))
    };
    match answer.series.as_slice() {
        [] => Share::Nothing,
        series if series.iter().all(|one| is_wanted(&one.labels)) => Share::Wanted,
        _ => Share::Others,
    }
}

/// What is known of a server, as long as the process lives.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Facts>);

#[derive(Debug, Default)]
struct Facts {
    /// It has narrowed a query as it should.
    narrows: bool,
    /// The queries that it does not narrow, oldest first.
    refused: VecDeque<String>,
}

impl Known {
    /// Whether the server has narrowed a query as it should.
    pub(super) fn narrows(&self) -> bool {
        self.with(|facts| facts.narrows)
    }

    /// The server has narrowed a query as it should.
    pub(super) fn set_narrows(&self) {
        self.with(|facts| facts.narrows = true);
    }

    /// Whether the server does not narrow this query.
    pub(super) fn refuses(&self, query: &str) -> bool {
        self.with(|facts| facts.refused.iter().any(|refused| refused == query))
    }

    /// The server does not narrow this query.
    pub(super) fn set_refuses(&self, query: &str) {
        self.with(|facts| {
            if facts.refused.len() >= MAX_REFUSED {
                facts.refused.pop_front();
            }
            facts.refused.push_back(query.to_owned());
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Facts) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn only<'a>(label: &str, values: impl IntoIterator<Item = &'a str>) -> Only {
        Only { label: label.to_owned(), values: values.into_iter().map(str::to_owned).collect() }
    }

    #[test]
    fn a_query_is_narrowed_from_outside() {
        let narrowed = narrowed("sum by (app) (x) # all", &only("app", ["cart", "web"])).unwrap();
        assert_eq!(
            narrowed,
            [
                "(sum by (app) (x) # all\n) and on (app) (label_replace(vector(1), \"app\", \"cart\", \"\", \"\") \
              or label_replace(vector(1), \"app\", \"web\", \"\", \"\"))"
            ]
        );
    }

    #[test]
    fn what_would_become_another_query_is_left_as_it_is() {
        for query in ["a) or (b", "(a", "a)", "x{a=\"b}", "(a # )", "x{a='\\'}", "(\"\\\")\""] {
            assert_eq!(narrowed(query, &only("app", ["cart"])), None, "{query}");
        }
        for query in [
            "(a) or (b)",
            "x{a=\")\"}",
            "x{a=')\\''}",
            "x{a=`)\\`}",
            "a # ) \"",
            "a # )\n + (b)",
            "x{a=\"#)\"}",
        ] {
            assert!(narrowed(query, &only("app", ["cart"])).is_some(), "{query}");
        }
        for label in ["", "a-b", "7a", "__name__", "ä", "a) or vector(1"] {
            assert_eq!(narrowed("x", &only(label, ["cart"])), None, "{label}");
        }
        assert_eq!(narrowed("x", &only("app", [])), None);
    }

    #[test]
    fn many_services_are_asked_for_in_turns_and_too_many_at_once() {
        let names: Vec<String> = (0..1_000).map(|n| format!("service-{n:04}")).collect();
        let of = |count: usize| {
            narrowed("sum by (app) (x)", &only("app", names.iter().take(count).map(String::as_str)))
        };
        assert_eq!(of(10).map(|queries| queries.len()), Some(1));
        let several = of(200).unwrap();
        assert!((2..=MAX_QUERIES).contains(&several.len()));
        for (nth, name) in names.iter().enumerate() {
            let in_one = several.iter().filter(|query| query.contains(&format!("\"{name}\""))).count();
            assert_eq!(in_one, usize::from(nth < 200), "{name}");
        }
        assert!(several.iter().all(|query| sent_bytes(query) <= MAX_SENT_BYTES));
        assert_eq!(of(1_000), None);
        assert_eq!(narrowed(&"x".repeat(MAX_SENT_BYTES), &only("app", ["cart"])), None);
        assert_eq!(narrowed("x", &only("app", [format!("{:>8000}", "é").as_str()])), None);
    }

    proptest! {
        #[test]
        fn no_name_gets_out_of_its_quotes(names in prop::collection::btree_set(".{0,20}", 1..5)) {
            let query = narrowed("x", &only("app", names.iter().map(String::as_str))).unwrap().concat();
            prop_assert!(is_closed(&query), "{}", query);
            // What follows the first name in quotes is that of the function: two empty texts.
            prop_assert_eq!(query.matches('"').count(), 8 * names.len());
            prop_assert!(!query.contains('\'') && !query.contains('`'));
        }
    }
}
