//! Path globs, and path patterns with captures such as `apps/{service}/{environment}/**`.

mod directories;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use regex::Regex;
use serde::{Deserialize, Serialize};

pub use directories::Directories;
use directories::{Piece, glob_piece, wild_or_text};

/// What is wrong with a glob or pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pattern:?}: {problem}")]
pub struct InvalidPattern {
    pattern: String,
    problem: String,
}

impl InvalidPattern {
    /// What is wrong with a text.
    #[must_use]
    pub fn new(pattern: &str, problem: &str) -> Self {
        Self { pattern: pattern.to_owned(), problem: problem.to_owned() }
    }
}

/// A set of path globs: `*` stays within a path part, `**` crosses parts. Matches nothing when empty.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct PathGlobs {
    globs: Vec<String>,
    /// Where what matches can be; asked first, because it costs little.
    directories: Vec<Directories>,
    /// Made when a path is first compared: a pass over a hundred environments needs few of theirs.
    set: Arc<OnceLock<GlobSet>>,
}

/// Globs of at most this many bytes, without `{`, always compile: their expression is a few bytes for each of theirs and
/// not nested, and the limit of globset is 10 MiB of compiled expression.
const SURELY_COMPILES_BYTES: usize = 1000;

impl PathGlobs {
    /// Compiles the globs.
    ///
    /// # Errors
    /// Names the first glob that is not valid.
    pub fn new(globs: Vec<String>) -> Result<Self, InvalidPattern> {
        for text in &globs {
            let invalid =
                |e: globset::Error| InvalidPattern { pattern: text.clone(), problem: e.kind().to_string() };
            parsed(text).map_err(invalid)?;
        }
        let directories = globs.iter().map(|glob| Directories::of(glob, glob_piece)).collect();
        let set = OnceLock::new();
        let bytes: usize = globs.iter().map(String::len).sum();
        if bytes > SURELY_COMPILES_BYTES || globs.iter().any(|glob| glob.contains('{')) {
            let too_large = |e: globset::Error| InvalidPattern {
                pattern: globs.join(", "),
                problem: e.kind().to_string(),
            };
            let compiled = compiled(&globs).map_err(too_large)?;
            set.get_or_init(|| compiled);
        }
        Ok(Self { globs, directories, set: Arc::new(set) })
    }

    /// Whether one of the globs matches `path`.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let possible = |directory: &str| self.directories.iter().any(|some| some.admit(directory));
        path.rsplit_once('/').is_none_or(|(directory, _)| possible(directory))
            && self.set.get_or_init(|| compiled(&self.globs).unwrap_or_default()).is_match(path)
    }

    /// Whether there is no glob.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.globs.is_empty()
    }

    /// The globs as they are written.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.globs.iter().map(String::as_str)
    }

    /// The directories that can hold what each glob matches.
    pub fn directories(&self) -> impl Iterator<Item = Directories> {
        self.directories.iter().cloned()
    }
}

fn parsed(glob: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(glob).literal_separator(true).build()
}

fn compiled(globs: &[String]) -> Result<GlobSet, globset::Error> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(parsed(glob)?);
    }
    builder.build()
}

impl PartialEq for PathGlobs {
    fn eq(&self, other: &Self) -> bool {
        self.globs == other.globs
    }
}

impl Eq for PathGlobs {}

impl fmt::Debug for PathGlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.globs.fmt(f)
    }
}

impl TryFrom<Vec<String>> for PathGlobs {
    type Error = InvalidPattern;

    fn try_from(globs: Vec<String>) -> Result<Self, InvalidPattern> {
        Self::new(globs)
    }
}

impl From<PathGlobs> for Vec<String> {
    fn from(globs: PathGlobs) -> Self {
        globs.globs
    }
}

impl schemars::JsonSchema for PathGlobs {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PathGlobs".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        <Vec<String>>::json_schema(generator)
    }
}

/// A path pattern whose `{name}` parts capture text: `apps/{service}/{environment}/**`.
///
/// `{name}` stands for one or more characters within a path part, `*` for any within a part, `**` for any number of
/// parts. A name that occurs twice must capture the same text.
#[derive(Clone)]
pub struct PathPattern {
    text: String,
    regex: Regex,
    /// The name of each capture group, in order.
    names: Vec<String>,
}

impl PathPattern {
    /// Compiles the pattern.
    ///
    /// # Errors
    /// When a brace is not closed, a name is not made of letters, digits and `_`, or the pattern is too large.
    pub fn new(text: &str) -> Result<Self, InvalidPattern> {
        let invalid =
            |problem: &str| InvalidPattern { pattern: text.to_owned(), problem: problem.to_owned() };
        let mut names = Vec::new();
        let mut regex = String::from("^");
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("**/") {
                regex.push_str("(?:[^/]+/)*");
                rest = after;
            } else if let Some(after) = rest.strip_prefix("**") {
                regex.push_str(".+");
                rest = after;
            } else if let Some(after) = rest.strip_prefix('*') {
                regex.push_str("[^/]*");
                rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                let (name, after) = after.split_once('}').ok_or_else(|| invalid("has a { without a }"))?;
                if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    return Err(invalid("has a {name} that is not made of letters, digits and _"));
                }
                names.push(name.to_owned());
                regex.push_str("([^/]+)");
                rest = after;
            } else {
                regex.push_str(&regex::escape(first.encode_utf8(&mut [0; 4])));
                rest = rest.get(first.len_utf8()..).unwrap_or("");
            }
        }
        regex.push('$');
        let regex = Regex::new(&regex).map_err(|e| invalid(&e.to_string()))?;
        Ok(Self { text: text.to_owned(), regex, names })
    }

    /// The names that the pattern captures, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// What the names capture in `path`, each name once and in the order of the path, and the path up to the end of the
    /// last of them but `{environment}`. `None` where it does not match.
    #[must_use]
    pub fn captures<'p>(&self, path: &'p str) -> Option<(Vec<(&str, &'p str)>, &'p str)> {
        let groups = self.regex.captures(path)?;
        let mut captured: Vec<(&str, &str)> = Vec::new();
        let mut end = 0;
        for (name, group) in self.names.iter().zip(groups.iter().skip(1)) {
            let group = group?;
            if name != "environment" {
                end = group.end();
            }
            match captured.iter().find(|(before, _)| before == name) {
                Some((_, text)) if *text != group.as_str() => return None,
                Some(_) => {}
                None => captured.push((name, group.as_str())),
            }
        }
        Some((captured, path.get(..end)?))
    }

    /// What the names must have captured for all of it together, `{environment}` left out, to be `joined` with slashes.
    /// Nothing where that cannot be.
    #[must_use]
    pub fn captures_of<'t>(&self, joined: &'t str) -> BTreeMap<&str, &'t str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.names().filter(|name| *name != "environment") {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let parts: Vec<&str> = joined.split('/').collect();
        if parts.len() == names.len() { names.into_iter().zip(parts).collect() } else { BTreeMap::new() }
    }

    /// The directories that can hold what the pattern matches, where some of the names are known to stand for one text.
    pub fn directories<'t>(&self, known: impl Fn(&str) -> Option<&'t str>) -> Directories {
        Directories::of(&self.text, |rest| {
            if let Some((name, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
                return (known(name).map_or(Piece::Wild, |text| Piece::Text(text.to_owned())), after);
            }
            wild_or_text(rest, &['*'])
        })
    }
}

impl fmt::Debug for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl PartialEq for PathPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
        let pattern = PathPattern::new(pattern).unwrap();
        let captured = pattern.captures(path).map(|(captured, _)| captured);
        captured.map(|all| all.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    #[test]
    fn patterns_capture_within_parts() {
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let pattern = "apps/{service}/{environment}/**";
        let expected = vec![pair("service", "checkout"), pair("environment", "production")];
        assert_eq!(captured(pattern, "apps/checkout/production/values.yaml"), Some(expected.clone()));
        assert_eq!(captured(pattern, "apps/checkout/production/a/b.yaml"), Some(expected));
        assert_eq!(captured(pattern, "apps/checkout/values.yaml"), None);
        assert_eq!(captured("**/{service}.y*ml", "x/y/web.yaml"), Some(vec![pair("service", "web")]));
        assert_eq!(captured("**/{service}.yaml", "web.yaml"), Some(vec![pair("service", "web")]));
        assert_eq!(captured("{s}/{s}.yaml", "a/a.yaml"), Some(vec![pair("s", "a")]));
        assert_eq!(captured("{s}/{s}.yaml", "a/b.yaml"), None);
        assert_eq!(captured("a+(b)/{s}", "a+(b)/x"), Some(vec![pair("s", "x")]));
    }

    #[test]
    fn broken_patterns_are_named() {
        assert!(PathPattern::new("apps/{service").unwrap_err().to_string().contains("without a }"));
        PathPattern::new("apps/{ser vice}").unwrap_err();
        PathGlobs::new(vec!["a/[".to_owned()]).unwrap_err();
    }
}
