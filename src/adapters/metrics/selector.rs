//! A filter over labels, written as a selector of PromQL: `errors{service="checkout"}`, `{metric="errors"}`, or the
//! matchers alone. Source: <https://prometheus.io/docs/prometheus/latest/querying/basics/#time-series-selectors>.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::CharIndices;

use regex::{Regex, RegexBuilder};

/// The label that a bare name in front of the braces is about.
pub const NAME_LABEL: &str = "metric";
/// The most memory that a regular expression may take once it is compiled, in bytes.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// What a series must be like.
#[derive(Clone, Debug)]
pub struct Selector {
    matchers: Vec<Matcher>,
}

#[derive(Clone, Debug)]
struct Matcher {
    label: String,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    Equal(String),
    Other(String),
    Like(Regex),
}

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// Says at which character it is wrong, and what may stand there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { chars: text.char_indices().peekable(), text };
        let mut matchers = Vec::new();
        let braced = match parser.next_char() {
            None => return Err("an empty query: write {} for everything".to_owned()),
            Some('{') => true,
            Some(_) => {
                let name = parser.label()?;
                match parser.next_char() {
                    Some('=' | '!') => {
                        matchers.push(parser.matcher(name)?);
                        if parser.take(',') {
                            parser.matchers(&mut matchers)?;
                        }
                        false
                    }
                    next => {
                        matchers.push(Matcher { label: NAME_LABEL.to_owned(), wanted: Wanted::Equal(name) });
                        next.is_some()
                    }
                }
            }
        };
        if braced {
            parser.expect('{')?;
            parser.matchers(&mut matchers)?;
            parser.expect('}')?;
        }
        match parser.next_char() {
            None => Ok(Self { matchers }),
            Some(_) => Err(parser.wrong("nothing may follow here")),
        }
    }

    /// The labels that it looks at.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.matchers.iter().map(|matcher| matcher.label.as_str())
    }

    /// Whether a series with these labels is meant. A label that is missing is an empty one.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matchers.iter().all(|matcher| {
            let value = labels.get(&matcher.label).map_or("", String::as_str);
            match &matcher.wanted {
                Wanted::Equal(wanted) => value == wanted,
                Wanted::Other(unwanted) => value != unwanted,
                Wanted::Like(pattern) => pattern.is_match(value),
            }
        })
    }
}

struct Parser<'t> {
    chars: Peekable<CharIndices<'t>>,
    text: &'t str,
}

impl Parser<'_> {
    /// The next character that is no space, not taken yet.
    fn next_char(&mut self) -> Option<char> {
        while self.chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        self.chars.peek().map(|(_, c)| *c)
    }

    fn take(&mut self, wanted: char) -> bool {
        self.next_char() == Some(wanted) && self.chars.next().is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.take(wanted) { Ok(()) } else { Err(self.wrong(&format!("`{wanted}` is missing here"))) }
    }

    /// What is wrong, with its place.
    fn wrong(&mut self, what: &str) -> String {
        let at = self.chars.peek().map_or(self.text.len(), |(at, _)| *at);
        let place = self.text.get(..at).map_or(0, |before| before.chars().count()) + 1;
        format!(
            "the query, character {place}: {what}; a filter over labels is all that is understood, such as \
             errors{{service=\"checkout\"}}, with =, != and =~"
        )
    }

    /// The matchers up to a closing brace or the end; a comma after the last is fine.
    fn matchers(&mut self, matchers: &mut Vec<Matcher>) -> Result<(), String> {
        while !matches!(self.next_char(), None | Some('}')) {
            let label = self.label()?;
            matchers.push(self.matcher(label)?);
            if !self.take(',') {
                break;
            }
        }
        Ok(())
    }

    fn matcher(&mut self, label: String) -> Result<Matcher, String> {
        let negated = self.take('!');
        if !self.take('=') {
            return Err(self.wrong("`=`, `!=` or `=~` is missing here"));
        }
        let like = !negated && self.take('~');
        self.next_char();
        let mut before = self.chars.clone();
        let value = self.quoted()?.ok_or_else(|| self.wrong("a value in quotes is missing here"))?;
        let wanted = match (negated, like) {
            (true, _) => Wanted::Other(value),
            (false, false) => Wanted::Equal(value),
            (false, true) => {
                let anchored = format!("^(?s:{value})$");
                match RegexBuilder::new(&anchored).size_limit(MAX_REGEX_BYTES).build() {
                    Ok(pattern) => Wanted::Like(pattern),
                    Err(_) => {
                        std::mem::swap(&mut self.chars, &mut before);
                        return Err(self.wrong("not a valid regular expression, or too large a one"));
                    }
                }
            }
        };
        Ok(Matcher { label, wanted })
    }

    /// A name, in quotes where it has other characters than letters, digits, `_` and `:`.
    fn label(&mut self) -> Result<String, String> {
        self.next_char();
        if let Some(quoted) = self.quoted()? {
            return Ok(quoted);
        }
        let mut name = String::new();
        while let Some((_, c)) = self.chars.next_if(|(_, c)| {
            c.is_ascii_alphabetic() || matches!(c, '_' | ':') || (!name.is_empty() && c.is_ascii_digit())
        }) {
            name.push(c);
        }
        if name.is_empty() { Err(self.wrong("the name of a label is missing here")) } else { Ok(name) }
    }

    /// A text in quotes, if there is one here.
    fn quoted(&mut self) -> Result<Option<String>, String> {
        let Some((_, quote)) = self.chars.next_if(|(_, c)| matches!(c, '"' | '\'' | '`')) else {
            return Ok(None);
        };
        let mut text = String::new();
        loop {
            match self.chars.next() {
                None => return Err(self.wrong("the closing quote is missing")),
                Some((_, c)) if c == quote => return Ok(Some(text)),
                Some((_, '\\')) if quote != '`' => text.push(self.escaped()?),
                Some((_, c)) => text.push(c),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        let digits = match self.chars.peek().map(|(_, c)| *c) {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            next => {
                let plain = match next {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some(c @ ('\\' | '"' | '\'')) => c,
                    _ => return Err(self.wrong("an unknown escape: a backslash is written \\\\")),
                };
                self.chars.next();
                return Ok(plain);
            }
        };
        self.chars.next();
        let mut code = 0;
        for _ in 0..digits {
            let digit = self.chars.next_if(|(_, c)| c.is_ascii_hexdigit()).and_then(|(_, c)| c.to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.wrong("a hexadecimal digit is missing here"))?;
        }
        char::from_u32(code).ok_or_else(|| self.wrong("this escape is no character"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::environment::signal::render_query;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Selector::parse(selector).unwrap_or_else(|error| panic!("{selector}: {error}")).matches(&labels)
    }

    #[test]
    fn all_ways_to_write_a_filter_mean_the_same() {
        let labels = [("metric", "errors"), ("service", "checkout")];
        for selector in [
            r#"errors{service="checkout"}"#,
            r#"metric="errors", service="checkout""#,
            r#" { metric = 'errors' , service = `checkout`, } "#,
            r#"{"metric"="errors","service"=~"check.*"}"#,
            r#""errors"{service!="cart", zone=""}"#,
            "errors",
            "errors{}",
            "{}",
            r#"service="\x63heckout""#,
            r#"zone!="eu""#,
        ] {
            assert!(matches(selector, &labels), "{selector}");
        }
        for selector in [
            "error",
            r#"errors{service="Checkout"}"#,
            r#"service=~"check""#,
            r#"service=~"a|b""#,
            r#"service!="checkout""#,
            r#"zone="eu""#,
        ] {
            assert!(!matches(selector, &labels), "{selector}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_place() {
        for (selector, place) in [
            ("", "an empty query"),
            ("  ", "an empty query"),
            ("rate(errors[5m])", "character 5: `{` is missing here"),
            ("errors[5m]", "character 7"),
            ("sum by (x) (errors)", "character 5"),
            (r#"a="b" or c="d""#, "character 7: nothing may follow"),
            (r#"{a!~"b"}"#, "character 4: `=`, `!=` or `=~`"),
            (r#"{a=b}"#, "character 4: a value in quotes"),
            (r#"{a="b}"#, "character 7: the closing quote"),
            (r#"{a="b""#, "character 7: `}` is missing"),
            (r#"{a="b"}}"#, "character 8: nothing may follow"),
            (r#"{a=~"("}"#, "character 5: not a valid regular expression"),
            (r#"{a=~"(a{1000}){1000}"}"#, "too large"),
            (r#"{a="\q"}"#, "an unknown escape"),
            (r#"{a="\ud800"}"#, "no character"),
            ("{ä=\"b\"}", "character 2: the name of a label"),
            ("7", "character 1: the name of a label"),
        ] {
            let reason = Selector::parse(selector).unwrap_err();
            assert!(reason.contains(place), "{selector}: {reason}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_service_is_called_only_it_is_found(service in any::<String>(), other in any::<String>()) {
            let values = BTreeMap::from([("service".to_owned(), service.clone())]);
            for quote in ["\"", "'", "`"] {
                let template = format!("errors{{service={quote}{{{{ service }}}}{quote}}}");
                let query = render_query(&template, &values).unwrap();
                // Between backticks nothing is escaped, so what needs it finds nothing; it never finds another.
                let Ok(selector) = Selector::parse(&query) else { panic!("{query}") };
                let labels = |service: &str| {
                    BTreeMap::from([
                        ("metric".to_owned(), "errors".to_owned()),
                        ("service".to_owned(), service.to_owned()),
                    ])
                };
                prop_assert!(quote == "`" || selector.matches(&labels(&service)));
                prop_assert!(other == service || quote == "`" || !selector.matches(&labels(&other)));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-z{}=~!\"'`\\\\,( 0-9é]{0,24}") {
            drop(Selector::parse(&text));
        }
    }
}
