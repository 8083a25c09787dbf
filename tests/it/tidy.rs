//! The rules of the house, as far as a test can see them.

use std::fs;
use std::path::{Path, PathBuf};

/// The most lines that a file of `src` may have.
const MAX_LINES: usize = 500;

/// A file of text, with its path from the root of the project.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The lines that are not comments alone, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The same, with each `use` that is spread over several lines put on its first.
    fn statements(&self) -> Vec<(usize, String)> {
        let mut statements: Vec<(usize, String)> = Vec::new();
        for (number, line) in self.code() {
            match statements.last_mut() {
                Some((_, open)) if is_use(open) && !open.contains(';') => open.push_str(line.trim()),
                _ => statements.push((number, line.to_owned())),
            }
        }
        statements
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn is_under(&self, directories: &[&str]) -> bool {
        directories.iter().any(|directory| {
            self.path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
        })
    }
}

fn is_use(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("use ") || line.starts_with("pub") && line.contains(" use ")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the project, except what is built, installed or belongs to Git.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    collect(root(), &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = String::from_utf8(fs::read(&path).unwrap()).ok()?;
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        Some(Source { path, text })
    };
    paths.into_iter().filter_map(read).collect()
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if matches!(name, ".git" | "target" | "node_modules")
            || name.ends_with(".pending-snap")
            || name.ends_with(".snap.new")
        {
            continue;
        }
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

fn rust(directory: &str) -> Vec<Source> {
    let mut found = sources();
    found.retain(|source| source.path.ends_with(".rs") && source.is_under(&[directory]));
    assert!(!found.is_empty(), "there is no Rust under {directory}");
    found
}

/// Fails with all findings at once.
#[track_caller]
fn none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

/// Whether a line names a path such as `std::fs`, also as `std::{fs, …}`.
fn names(line: &str, path: &str) -> bool {
    if let Some((first, rest)) = path.split_once("::")
        && let Some((_, group)) = line.split_once(&format!("{first}::{{"))
        && has_word(group, rest)
    {
        return true;
    }
    has_word(line, path)
}

/// Whether `word` stands in `line` with no letter, digit or `_` on either side.
fn has_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(|c| joins(c) || c == ':') && !after.starts_with(joins)
    })
}

/// Layers, each with the paths that it never names and what to do instead.
const LAYERS: [(&str, &[&str], &str); 4] = [
    (
        "src/domain",
        &[
            "crate::ports",
            "crate::agent",
            "crate::adapters",
            "crate::config",
            "crate::cli",
            "crate::telemetry",
            "tokio",
            "reqwest",
            "git2",
            "tracing",
            "std::fs",
            "std::net",
            "std::process",
        ],
        "the domain is pure: take the value as an argument, and do the work in the agent or an adapter",
    ),
    (
        "src/ports",
        &["crate::adapters", "crate::agent", "crate::cli", "crate::config"],
        "ports speak of the domain alone: move the type to the domain, or to the side that needs it",
    ),
    (
        "src/agent",
        &["crate::adapters", "crate::config", "crate::cli"],
        "the agent sees the world through crate::ports: add what it needs there",
    ),
    (
        "src/adapters",
        &["crate::agent", "crate::cli", "crate::config"],
        "adapters know the ports and the domain only: pass what they need as options",
    ),
];

#[test]
fn each_layer_names_only_what_is_below_it() {
    let mut findings = Vec::new();
    for (layer, forbidden, advice) in LAYERS {
        for source in rust(layer) {
            for (number, line) in source.statements() {
                for path in forbidden.iter().filter(|path| names(&line, path)) {
                    findings.push(format!("{}:{number}: {layer} names {path}: {advice}", source.path));
                }
            }
        }
    }
    none(&findings);
}

#[test]
fn only_the_command_line_prints() {
    let mut findings = Vec::new();
    for source in rust("src").iter().filter(|source| !source.is_under(&["src/cli"])) {
        for (number, line) in source.code() {
            for name in ["println!", "print!", "eprintln!", "eprint!"].iter().filter(|name| names(line, name))
            {
                findings.push(format!(
                    "{}:{number}: {name} outside src/cli: return the text, or log it with tracing",
                    source.path
                ));
            }
        }
    }
    none(&findings);
}

#[test]
fn files_are_short() {
    let long = |source: &Source| source.text.lines().count() > MAX_LINES;
    let finding = |source: &Source| {
        let lines = source.text.lines().count();
        format!("{}:{}: {lines} lines, at most {MAX_LINES}: split it by topic", source.path, MAX_LINES + 1)
    };
    none(&rust("src").iter().filter(|source| long(source)).map(finding).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_to_do() {
    // Put together, so that this file does not find itself.
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.path.ends_with(".rs")) {
        for (number, line) in source.lines() {
            for word in words.iter().filter(|word| has_word(line, word)) {
                findings.push(format!("{}:{number}: {word}: do it now, or open an issue", source.path));
            }
        }
    }
    none(&findings);
}

#[test]
fn unsafe_code_is_allowed_in_one_place_at_most() {
    let mut places = Vec::new();
    for source in rust("src") {
        for (number, _) in source.code().filter(|(_, line)| has_word(line, "unsafe_code")) {
            places.push(format!(
                "{}:{number}: unsafe code is expected in more than one place: find a safe way, or put both together",
                source.path
            ));
        }
    }
    if places.len() > 1 {
        none(&places);
    }
}

#[test]
fn every_example_is_in_the_readme() {
    let readme = fs::read_to_string(root().join("examples/README.md")).unwrap();
    let mut findings = Vec::new();
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "README.md"
            && !readme.contains(&format!("`{name}`"))
            && !readme.contains(&format!("`{name}/`"))
        {
            findings.push(format!("examples/README.md:1: examples/{name} is not named: say whom it is for"));
        }
    }
    none(&findings);
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    // Put together, so that this file does not find itself.
    let paths = [["/wo", "rk/"].concat(), ["/tmp/", "wt"].concat(), ["/Use", "rs/"].concat()];
    let mut findings = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            for path in &paths {
                let starts = |(at, _): (usize, &str)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-/}$".contains(c))
                };
                if line.match_indices(path.as_str()).any(starts) {
                    findings.push(format!(
                        "{}:{number}: {path}: use a path from the root of the project",
                        source.path
                    ));
                }
            }
        }
    }
    none(&findings);
}

#[test]
fn names_are_found_as_paths() {
    assert!(names("use std::{fmt, fs};", "std::fs"));
    assert!(names("    std::fs::read(path)", "std::fs"));
    assert!(!names("use std::fmt;", "std::fs"));
    assert!(!names("use std::fsync;", "std::fs"));
    assert!(!names("use other::std::fs;", "std::fs"));
    assert!(names("println!(\"x\")", "println!") && !names("eprintln!(\"x\")", "println!"));
}
