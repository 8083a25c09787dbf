//! What the values name that a revert puts back: a file or a directory of the repository that may be gone by now.

use std::collections::{BTreeMap, BTreeSet};

use super::needed::joined;
use crate::domain::field::leaves::yaml::leaves;
use crate::domain::history::scope::{Interest, Scope};
use crate::domain::history::snapshot::Content;
use crate::domain::ids::FilePath;

/// The most values of a revert that are looked at.
const MAX_NAMED: usize = 1_000;

/// A value that a revert puts back, and those that stand in its place now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPath {
    /// The file that it stands in.
    pub file: FilePath,
    /// Where in it.
    pub address: String,
    /// The value.
    pub value: String,
    /// The values in its place now: of a list, all of its items.
    pub instead: Vec<String>,
}

/// The values that a revert puts back. `now` are the files as they are, `files` the new contents of each that it changes.
#[must_use]
pub fn named(
    now: &BTreeMap<FilePath, Option<Content>>,
    files: &BTreeMap<FilePath, Option<Content>>,
) -> Vec<NamedPath> {
    let text = |content: &'_ Option<Content>| {
        let bytes = content.as_ref().and_then(Content::bytes)?;
        leaves(std::str::from_utf8(bytes).ok()?)
    };
    let mut found = Vec::new();
    for (path, content) in files {
        let Some((before, after)) = now.get(path).and_then(text).zip(text(content)) else { continue };
        let known: BTreeSet<(&str, &str)> =
            before.iter().map(|leaf| (leaf.address.as_str(), leaf.value.as_str())).collect();
        let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for leaf in &before {
            places.entry(place(&leaf.address)).or_default().push(&leaf.value);
        }
        let is_new = |address: &str, value: &str| !known.contains(&(address, value));
        for leaf in after.iter().filter(|leaf| is_new(&leaf.address, &leaf.value)) {
            let instead = places.get(place(&leaf.address)).into_iter().flatten();
            found.push(NamedPath {
                file: path.clone(),
                address: leaf.address.clone(),
                value: leaf.value.clone(),
                instead: instead.map(|value| (*value).to_owned()).collect(),
            });
        }
    }
    found.truncate(MAX_NAMED);
    found
}

/// The address of a value, or of the list of which it is an item.
fn place(address: &str) -> &str {
    let item = address.strip_suffix(']').and_then(|inside| inside.rfind('['));
    item.and_then(|at| address.get(..at)).unwrap_or(address)
}

impl NamedPath {
    /// The paths that a value may mean: from the directory of its file, and from the root of the repository.
    fn paths_of(&self, value: &str) -> Vec<String> {
        let directory = self.file.as_str().rsplit_once('/').map_or("", |(directory, _)| directory);
        // `key=path`, as generators have it.
        let value = value.rsplit('=').next().unwrap_or(value);
        let both = [joined(directory, value), joined("", value)];
        both.into_iter().flatten().filter(|path| !path.is_empty()).collect()
    }

    /// All paths that it, and what stands in its place, may mean.
    pub fn paths(&self) -> impl Iterator<Item = String> {
        std::iter::once(&self.value).chain(&self.instead).flat_map(|value| self.paths_of(value))
    }

    /// Whether it names what is not there, in a place where now stands the name of what is.
    #[must_use]
    pub fn is_gone(&self, is_there: &impl Fn(&str) -> bool) -> bool {
        let is_path = |value: &str| self.paths_of(value).iter().any(|path| is_there(path));
        !is_path(&self.value)
            && !self.paths_of(&self.value).is_empty()
            && self.instead.iter().any(|value| is_path(value))
    }
}

/// The files at some paths, and below them.
pub struct AtOrBelow(pub BTreeSet<String>);

impl Scope for AtOrBelow {
    fn file(&self, path: &str) -> Interest {
        let is_it = |known: &str| self.0.contains(known);
        let above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        if is_it(path) || above.into_iter().any(is_it) { Interest::Bytes } else { Interest::Nothing }
    }

    fn directory(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let below = format!("{path}/");
        let is_on_the_way =
            self.0.range(below.clone()..).next().is_some_and(|known| known.starts_with(&below));
        is_on_the_way || self.file(path) == Interest::Bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(file: &str, now: &str, after: &str, there: &[&str]) -> Vec<String> {
        let path = FilePath::new(file).unwrap();
        let of = |text: &str| BTreeMap::from([(path.clone(), Some(text.as_bytes().to_vec().into()))]);
        let named = named(&of(now), &of(after));
        let is_there =
            |path: &str| there.iter().any(|known| *known == path || known.starts_with(&format!("{path}/")));
        named.into_iter().filter(|one| one.is_gone(&is_there)).map(|one| one.value).collect()
    }

    #[test]
    fn a_value_that_names_what_is_gone_is_found() {
        for (file, now, after, there, expected) in [
            (
                "a/k.yaml",
                "resources: [b.yaml]\n",
                "resources: [a.yaml]\n",
                &["a/b.yaml"][..],
                &["a.yaml"][..],
            ),
            ("a/k.yaml", "resources: [b.yaml]\n", "resources: [a.yaml]\n", &["a/b.yaml", "a/a.yaml"], &[]),
            ("x/app.yaml", "path: rel/2\n", "path: rel/1\n", &["rel/2/a.yaml"], &["rel/1"]),
            ("x/app.yaml", "path: rel/2\n", "path: rel/1\n", &["rel/2/a.yaml", "rel/1/a.yaml"], &[]),
            ("a/k.yaml", "files: [k=b.txt]\n", "files: [k=a.txt]\n", &["a/b.txt"], &["k=a.txt"]),
            ("a/k.yaml", "resources: [../b]\n", "resources: [../c]\n", &["b/x.yaml"], &["../c"]),
            // No path stands there now.
            ("a/v.yaml", "tag: v2\n", "tag: v1\n", &["a/v1.yaml"], &[]),
            ("a/v.yaml", "image: r/a:v2\n", "image: r/a:v1\n", &["r/x"], &[]),
            ("a/v.yaml", "url: https://x/2\n", "url: https://x/1\n", &["x/2"], &[]),
            ("a/v.yaml", "tag: v2\n", "tag: v1\nmore: a.yaml\n", &["a/b.yaml"], &[]),
        ] {
            assert_eq!(gone(file, now, after, there), expected, "{now} -> {after}");
        }
    }

    #[test]
    fn only_what_is_on_the_way_is_looked_at() {
        let scope = AtOrBelow(BTreeSet::from(["a/b".to_owned(), "c.yaml".to_owned()]));
        for (path, is_wanted) in [
            ("a/b", true),
            ("a/b/c.yaml", true),
            ("c.yaml", true),
            ("a/bc", false),
            ("a", false),
            ("d", false),
        ] {
            assert_eq!(scope.file(path) == Interest::Bytes, is_wanted, "{path}");
        }
        for (path, is_wanted) in [("a", true), ("a/b", true), ("a/b/c", true), ("b", false), ("a/c", false)] {
            assert_eq!(scope.directory(path), is_wanted, "{path}");
        }
    }
}
