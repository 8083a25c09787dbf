//! CODEOWNERS: who is to be asked about a change of which files.
//!
//! The rules are GitHub's: <https://docs.github.com/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners>.
//! Of GitLab's the sections are read as far as the entries in them go: <https://docs.gitlab.com/user/project/codeowners/reference/>.

use globset::{GlobBuilder, GlobSetBuilder};

use crate::domain::ids::FilePath;

/// Where the file is looked for, the first place first.
pub const PLACES: [&str; 6] = [
    ".github/CODEOWNERS",
    "CODEOWNERS",
    "docs/CODEOWNERS",
    ".gitlab/CODEOWNERS",
    ".gitea/CODEOWNERS",
    ".forgejo/CODEOWNERS",
];

/// The most owners that are asked: GitHub takes 15 reviewers for a pull request.
pub const MAX_OWNERS: usize = 15;

/// The most entries of a file that are read; what comes later counts for nothing, so that a file costs no more than this.
const MAX_ENTRIES: usize = 5_000;

/// The longest pattern or owner that is read.
const MAX_WORD: usize = 255;

/// A pattern and whom it gives the files to.
struct Entry {
    globs: Vec<String>,
    owners: Vec<String>,
}

/// The owners of files as they are written (`@user`, `@org/team`, mail addresses), each once, in the order of the files:
/// for each file those of the last entry that matches it.
#[must_use]
pub fn owners(text: &str, paths: &[&FilePath]) -> Vec<String> {
    let entries: Vec<Entry> = text.lines().filter_map(entry).take(MAX_ENTRIES).collect();
    let mut set = GlobSetBuilder::new();
    let mut of_glob = Vec::new();
    for entry in &entries {
        let globs = entry.globs.iter().map(|glob| GlobBuilder::new(glob).literal_separator(true).build());
        for glob in globs.flatten() {
            set.add(glob);
            of_glob.push(&entry.owners);
        }
    }
    // A set that is too large to be built finds nobody: to ask the wrong people is worse than to ask none.
    let Ok(set) = set.build() else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    for path in paths {
        let last = set.matches(path.as_str()).into_iter().max();
        for owner in last.and_then(|last| of_glob.get(last)).into_iter().copied().flatten() {
            if found.len() < MAX_OWNERS && !found.contains(owner) {
                found.push(owner.clone());
            }
        }
    }
    found
}

/// The entry on a line, if there is one that GitHub would read.
fn entry(line: &str) -> Option<Entry> {
    let line = line.trim();
    // Sections of GitLab's begin with a bracket. Neither negations nor ranges of characters are known.
    if line.is_empty() || line.starts_with(['#', '!', '[', '^']) {
        return None;
    }
    let (pattern, rest) = pattern(line);
    let owners = rest.split_whitespace().take_while(|word| !word.starts_with('#'));
    let is_owner = |word: &&str| {
        let is_role = word.starts_with("@@");
        word.len() > 1 && word.len() <= MAX_WORD && word.contains('@') && !is_role
    };
    let owners = owners.filter(is_owner).map(str::to_owned).collect();
    (pattern.len() <= MAX_WORD).then(|| Entry { globs: globs(&pattern), owners })
}

/// The first word of a line, in which `\ ` is a space, and the rest of it.
fn pattern(line: &str) -> (String, &str) {
    let mut pattern = String::new();
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some((_, next))) => {
                pattern.push(*next);
                chars.next();
            }
            (c, _) if c.is_whitespace() => return (pattern, line.get(at..).unwrap_or("")),
            (c, _) => pattern.push(c),
        }
    }
    (pattern, "")
}

/// The globs that match what a pattern does. A name stands for a file and for a directory with all that is in it;
/// `docs/*` only for what is directly there.
fn globs(pattern: &str) -> Vec<String> {
    let body = pattern.trim_matches('/');
    if body.is_empty() {
        return Vec::new();
    }
    let anchored = pattern.starts_with('/') || body.contains('/');
    let plain: String =
        body.chars().flat_map(|c| if "[]{}\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect();
    let glob = if anchored { plain } else { format!("**/{plain}") };
    let below = format!("{glob}/**");
    if pattern.ends_with('/') {
        vec![below]
    } else if anchored && body.ends_with("/*") || body.ends_with("**") {
        vec![glob]
    } else {
        vec![glob, below]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, path: &str) -> Vec<String> {
        owners(text, &[&FilePath::new(path).unwrap()])
    }

    /// The example of GitHub's documentation, entry by entry.
    const DOCUMENTED: &str = "\
# This is a comment.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
";

    #[test]
    fn the_documented_examples() {
        for (path, expected) in [
            ("README.md", &["@global-owner1", "@global-owner2"][..]),
            ("a/b/c.js", &["@js-owner"]),
            ("main.go", &["docs@example.com"]),
            ("x/y.txt", &["@octo-org/octocats"]),
            ("build/logs/today/x", &["@octocat"]),
            ("deeply/nested/logs/x", &["@octocat"]),
            ("some/apps/web/x", &["@octocat"]),
            ("docs/a/b", &["@doctocat"]),
            ("scripts/run", &["@doctocat", "@octocat"]),
            ("apps/web/values.yaml", &["@octocat"]),
            ("apps/github/values.yaml", &[]),
        ] {
            assert_eq!(of(DOCUMENTED, path), expected, "{path}");
        }
    }

    #[test]
    fn one_star_behind_a_slash_is_not_recursive() {
        let text = "docs/* docs@example.com\n";
        assert_eq!(of(text, "docs/getting-started.md"), ["docs@example.com"]);
        assert!(of(text, "docs/build-app/troubleshooting.md").is_empty());
        assert!(of(text, "x/docs/getting-started.md").is_empty());
    }

    #[test]
    fn directories_are_anchored_where_the_pattern_says_so() {
        assert_eq!(of("/build/logs/ @a\n", "build/logs/x/y"), ["@a"]);
        assert!(of("/build/logs/ @a\n", "x/build/logs/y").is_empty());
        assert!(of("apps/ @a\n", "apps").is_empty());
        assert_eq!(of("apps/**/values.yaml @a\n", "apps/web/production/values.yaml"), ["@a"]);
        assert_eq!(of("/apps/**  @a\n", "apps/web/x"), ["@a"]);
        assert_eq!(of("a?c @a\n", "x/abc"), ["@a"]);
    }

    #[test]
    fn what_github_does_not_know_is_left_out() {
        let text = "* @all\n!x @no\n[Section] @no\n^[Optional][2] @no\n\\#x @hash\npath\\ with\\ space @space\n{a,b} @braces\n";
        assert_eq!(of(text, "x"), ["@all"]);
        assert_eq!(of(text, "path with space/x"), ["@space"]);
        assert_eq!(of(text, "a"), ["@all"]);
        assert_eq!(of(text, "{a,b}"), ["@braces"]);
        assert_eq!(of("* @@developer nobody @ @a\n", "x"), ["@a"]);
        assert!(of("", "x").is_empty() && of("* # nobody @a\n", "x").is_empty());
    }

    #[test]
    fn owners_are_named_once_and_not_without_end() {
        let many: String = (0..40).map(|i| format!("{i}.txt @a{i} @all\n")).collect();
        let paths: Vec<FilePath> = (0..40).map(|i| FilePath::new(format!("{i}.txt")).unwrap()).collect();
        let found = owners(&many, &paths.iter().collect::<Vec<_>>());
        assert_eq!(found.len(), MAX_OWNERS);
        assert_eq!(found[..3], ["@a0", "@all", "@a1"]);
    }
}
