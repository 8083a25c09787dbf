//! Paths of a description, and which of them a request's path is.

/// A path of a description, in segments.
pub(super) struct Route {
    pub(super) template: String,
    segments: Vec<Segment>,
}

enum Segment {
    Literal(String),
    /// `{name}`; some may be several segments of a request's path, such as a branch's name.
    Parameter {
        name: String,
        multi: bool,
    },
    /// `{first}…{second}` with a text between.
    Pair {
        first: String,
        separator: String,
        second: String,
    },
}

impl Route {
    /// Reads a template; the parameters named by `multi` may be several segments.
    pub(super) fn new(template: &str, multi: &[&str]) -> Self {
        let segment = |text: &str| match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            None => Segment::Literal(text.to_owned()),
            Some(inner) => match inner.split_once('}').map(|(first, rest)| (first, rest.split_once('{'))) {
                Some((first, Some((separator, second)))) => Segment::Pair {
                    first: first.to_owned(),
                    separator: separator.to_owned(),
                    second: second.to_owned(),
                },
                _ => Segment::Parameter { name: inner.to_owned(), multi: multi.contains(&inner) },
            },
        };
        Self { template: template.to_owned(), segments: template.split('/').map(segment).collect() }
    }

    /// How much of it is fixed: the more, the closer it is to a path that it matches.
    fn literal(&self) -> usize {
        let weight = |segment: &Segment| match segment {
            Segment::Literal(_) => 2,
            Segment::Pair { .. } => 1,
            Segment::Parameter { .. } => 0,
        };
        self.segments.iter().map(weight).sum()
    }
}

/// The route that a path is on, with the values of its parameters; of several, the most literal one.
pub(super) fn find<'r>(routes: &'r [Route], path: &str) -> Option<(&'r Route, Vec<(String, String)>)> {
    let segments: Vec<String> = path.split('/').map(decode).collect();
    let on_it = |route: &'r Route| {
        let mut values = Vec::new();
        matches(&route.segments, &segments, &mut values).then_some((route, values))
    };
    // With fewer segments taken by one parameter, of those with the same number of literals.
    let rank = |(route, _): &(&Route, _)| (route.literal(), route.segments.len());
    routes.iter().filter_map(on_it).max_by_key(rank)
}

fn matches(pattern: &[Segment], path: &[String], values: &mut Vec<(String, String)>) -> bool {
    let (Some((segment, pattern)), Some((text, rest))) = (pattern.split_first(), path.split_first()) else {
        return pattern.is_empty() && path.is_empty();
    };
    match segment {
        Segment::Literal(literal) => literal == text && matches(pattern, rest, values),
        Segment::Pair { first, separator, second } => {
            let Some((before, after)) = text.rsplit_once(separator.as_str()) else { return false };
            let filled = !before.is_empty() && !after.is_empty();
            values.push((first.clone(), before.to_owned()));
            values.push((second.clone(), after.to_owned()));
            filled && matches(pattern, rest, values)
        }
        Segment::Parameter { name, multi } => (1..=if *multi { path.len() } else { 1 }).any(|taken| {
            let known = values.len();
            values.push((name.clone(), path[..taken].join("/")));
            let found =
                path[..taken].iter().all(|text| !text.is_empty()) && matches(pattern, &path[taken..], values);
            if !found {
                values.truncate(known);
            }
            found
        }),
    }
}

/// Decodes `%20` and the like; what is no such code stays as it is.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let code = more.first_chunk::<2>().and_then(|digits| str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
