//! Which directories can hold a file that a glob or pattern matches, so that the others need not be looked into.

/// The directories in which a glob or a pattern can match a file: all of those, and perhaps some more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directories {
    /// What the first parts of a path must look like.
    parts: Vec<Part>,
    /// Whether anything may follow; else the last part is a file's name.
    open: bool,
}

/// One part of a path: the text at its beginning, and behind the first wildcard the one at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    start: String,
    end: Option<String>,
}

/// What a glob or a pattern has at one place within a part.
pub(super) enum Piece {
    /// This very text.
    Text(String),
    /// Any text without a slash.
    Wild,
    /// Something that may have slashes in it, or that is not looked into here.
    Open,
}

impl Directories {
    /// `next` takes the first piece from what is left of a part.
    pub(super) fn of(text: &str, next: impl Fn(&str) -> (Piece, &str)) -> Self {
        let mut parts = Vec::new();
        for part in text.split('/') {
            match Part::of(part, &next) {
                Some(part) => parts.push(part),
                None => return Self { parts, open: true },
            }
        }
        Self { parts, open: false }
    }

    /// Whether the directory can hold a file that matches, at whatever depth.
    #[must_use]
    pub fn admit(&self, directory: &str) -> bool {
        let mut parts = self.parts.iter();
        for name in directory.split('/') {
            match parts.next() {
                Some(part) if part.admits(name) => {}
                Some(_) => return false,
                None => return self.open,
            }
        }
        self.open || parts.next().is_some()
    }
}

impl Part {
    /// `None` where it may be more than one part.
    fn of(text: &str, next: impl Fn(&str) -> (Piece, &str)) -> Option<Self> {
        let mut part = Self { start: String::new(), end: None };
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = next(rest);
            rest = after;
            match piece {
                Piece::Text(text) => part.end.as_mut().unwrap_or(&mut part.start).push_str(&text),
                Piece::Wild => part.end = Some(String::new()),
                Piece::Open => return None,
            }
        }
        Some(part)
    }

    fn admits(&self, name: &str) -> bool {
        match &self.end {
            None => name == self.start,
            Some(end) => {
                name.strip_prefix(self.start.as_str()).is_some_and(|rest| rest.ends_with(end.as_str()))
            }
        }
    }
}

/// The first piece of a glob. Classes, choices and escapes are not looked into.
pub(super) fn glob_piece(rest: &str) -> (Piece, &str) {
    if rest.starts_with(['[', '{', '\\']) { (Piece::Open, "") } else { wild_or_text(rest, &['*', '?']) }
}

/// `**`, one of the wildcards for a part, or a character that stands for itself.
pub(super) fn wild_or_text<'r>(rest: &'r str, wildcards: &[char]) -> (Piece, &'r str) {
    let mut chars = rest.chars();
    let first = chars.next();
    let piece = match first {
        _ if rest.starts_with("**") => Piece::Open,
        Some(first) if wildcards.contains(&first) => Piece::Wild,
        first => Piece::Text(first.map_or_else(String::new, String::from)),
    };
    (piece, chars.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::domain::environment::pattern::{PathGlobs, PathPattern, compiled};

    /// Every directory above a file.
    fn above(path: &str) -> impl Iterator<Item = &str> {
        path.match_indices('/').map(|(at, _)| &path[..at])
    }

    #[test]
    fn directories_that_cannot_hold_a_match_are_left_out() {
        let pattern = PathPattern::new("apps/{service}/{environment}/x-*.yaml").unwrap();
        let known = |name: &str| (name == "environment").then_some("production");
        let directories = pattern.directories(known);
        for yes in ["apps", "apps/web", "apps/web/production"] {
            assert!(directories.admit(yes), "{yes}");
        }
        for no in ["app", "apps/web/staging", "apps/web/production/deeper", "other/web"] {
            assert!(!directories.admit(no), "{no}");
        }
        let globs = |text: &str| PathGlobs::new(vec![text.to_owned()]).unwrap().directories().next().unwrap();
        assert!(globs("a/b-*-c/**").admit("a/b-x-c/d/e") && !globs("a/b-*-c/**").admit("a/b-x-d"));
        assert!(globs("a/**/z.yaml").admit("a") && globs("a/**/z.yaml").admit("a/b/c"));
        assert!(!globs("a/**/z.yaml").admit("b") && !globs("*.yaml").admit("b"));
        assert!(globs("**/z.yaml").admit("b") && globs("{a,b/c}/d").admit("b/c"));
    }

    proptest! {
        /// Whatever matches is found from above.
        #[test]
        fn every_directory_above_a_match_is_admitted(
            glob in "(a|b|\\*|\\?|\\*\\*|/|/|\\{a,b/a\\}|\\[ab\\]|\\*\\*/|ab){1,6}",
            pattern in "(a|b|\\*|\\{x\\}|\\{y\\}|\\*\\*|/|/|\\*\\*/|ab){1,6}",
            path in "[ab]{1,3}(/[ab]{1,2}){0,4}",
        ) {
            let matches = compiled(std::slice::from_ref(&glob)).is_ok_and(|set| set.is_match(&path));
            if let Ok(globs) = PathGlobs::new(vec![glob.clone()]) {
                prop_assert_eq!(globs.matches(&path), matches);
                for directory in above(&path).filter(|_| matches) {
                    prop_assert!(globs.directories().any(|d| d.admit(directory)), "{glob} {path} {directory}");
                }
            }
            let compiled = PathPattern::new(&pattern).unwrap();
            if let Some((captured, root)) = compiled.captures(&path) {
                prop_assert!(path.starts_with(root));
                for directory in above(&path) {
                    let unknown = compiled.directories(|_| None);
                    prop_assert!(unknown.admit(directory), "{pattern} {path} {directory}");
                    let text = |name: &str| captured.iter().find(|(own, _)| *own == name).map(|(_, text)| *text);
                    let known = compiled.directories(text);
                    prop_assert!(known.admit(directory), "{pattern} {path} {directory} {captured:?}");
                }
            }
        }
    }
}
