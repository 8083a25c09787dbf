//! The rules of the house, as far as a test can see them.

mod imports;

use std::fs;
use std::path::{Path, PathBuf};

use self::imports::{circles, imports};

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
        if matches!(name, ".git" | "target" | "node_modules" | ".venv")
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

/// The folders and files of a layer in their order: each imports only from those before it.
const ORDERS: [(&str, &[&str]); 3] = [
    (
        "src/domain",
        &[
            "ids",
            "time",
            "text",
            "lease",
            "field",
            "environment",
            "history",
            "schema",
            "artifact",
            "deployment",
            "judge",
            "chart",
            "decision",
            "pin",
            "change",
            "review",
        ],
    ),
    (
        "src/agent",
        &[
            "caught",
            "world",
            "share",
            "queue",
            "took",
            "report",
            "events",
            "look",
            "judge",
            "decide",
            "act",
            "tell",
            "follow",
            "pass",
            "run",
            "request",
            "no_effect",
            "check",
            "status",
            "overview",
            "unpin",
        ],
    ),
    (
        "src",
        &["domain", "record", "ports", "telemetry", "agent", "adapters", "page", "serve", "config", "cli"],
    ),
];

/// Where a public type has a name of its own.
const NAMESPACES: [&str; 11] = [
    "src/domain",
    "src/agent",
    "src/config",
    "src/cli",
    "src/adapters/git",
    "src/adapters/metrics",
    "src/adapters/forge/github",
    "src/adapters/forge/gitlab",
    "src/adapters/forge/gitea",
    "src/ports",
    "src/record",
];

/// Findings for arrows on circles.
fn circles_in(sources: &[Source]) -> Vec<String> {
    let arrows = circles(&imports(sources));
    let finding = |(from, to): &(String, String)| {
        format!(
            "{from}:1: imports from {to}, which leads back to it: put what both need into a file below them"
        )
    };
    arrows.iter().map(finding).collect()
}

/// Findings for arrows against the order of a layer's folders.
fn arrows_against(layer: &str, order: &[&str], sources: &[Source]) -> Vec<String> {
    let place = |path: &str| {
        let rest = path.strip_prefix(layer)?.strip_prefix('/')?;
        let name = rest.split('/').next()?.trim_end_matches(".rs");
        Some((name.to_owned(), order.iter().position(|known| *known == name)))
    };
    let mut findings = Vec::new();
    for (from, to_all) in imports(sources) {
        let Some((folder, place_of_from)) = place(&from) else { continue };
        if ["mod", "lib", "main"].contains(&folder.as_str()) {
            continue;
        }
        let Some(place_of_from) = place_of_from else {
            findings.push(format!(
                "{from}:1: {layer}/{folder} has no place in the order of {layer}: give it one"
            ));
            continue;
        };
        for to in to_all {
            let Some((other, place_of_to)) = place(&to) else { continue };
            if place_of_to.is_some_and(|to| to > place_of_from) {
                findings.push(format!(
                    "{from}:1: imports from {to}: {layer}/{folder} comes before {layer}/{other} and must not know it"
                ));
            } else if other == "mod" {
                findings.push(format!("{from}:1: imports from {to}: import from the file that defines it"));
            }
        }
    }
    findings
}

/// Findings for public types of one name in one layer.
fn names_twice(layer: &str, sources: &[Source]) -> Vec<String> {
    let mut places: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_under(&[layer])) {
        for (number, line) in source.code() {
            if let Some(name) = public_type(line) {
                places.entry(name.to_owned()).or_default().push(format!("{}:{number}", source.path));
            }
        }
    }
    let several = places.into_iter().filter(|(_, places)| places.len() > 1);
    several
        .map(|(name, places)| {
            format!(
                "{}: {name} is the name of several things in {layer}: say what each is",
                places.join(", ")
            )
        })
        .collect()
}

/// The type that a line defines for others than its own file.
fn public_type(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("pub")?;
    let rest = match rest.strip_prefix('(') {
        Some(within) => within.split_once(')')?.1,
        None => rest,
    };
    let (kind, name) = rest.trim_start().split_once(' ')?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    let is_type = ["struct", "enum", "trait", "type", "union"].contains(&kind);
    // A name that begins with `$` is made by a macro.
    (is_type && end > 0).then(|| &name[..end])
}

/// Findings for files that are too long.
fn long_files(sources: &[Source]) -> Vec<String> {
    let long = |source: &&Source| source.text.lines().count() > MAX_LINES;
    let finding = |source: &Source| {
        let lines = source.text.lines().count();
        format!("{}:{}: {lines} lines, at most {MAX_LINES}: split it by topic", source.path, MAX_LINES + 1)
    };
    sources.iter().filter(long).map(finding).collect()
}

#[test]
fn no_files_import_in_a_circle() {
    none(&circles_in(&rust("src")));
}

#[test]
fn each_folder_imports_only_from_those_before_it() {
    let sources = rust("src");
    let findings = ORDERS.iter().flat_map(|(layer, order)| arrows_against(layer, order, &sources));
    none(&findings.collect::<Vec<_>>());
}

#[test]
fn a_public_type_has_a_name_of_its_own_in_its_layer() {
    let sources = rust("src");
    none(&NAMESPACES.iter().flat_map(|layer| names_twice(layer, &sources)).collect::<Vec<_>>());
}

/// Findings for files of the code that a page names and that are not there.
fn stale_names(page: &str, text: &str, paths: &[String]) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let spans = line.split('`').skip(1).step_by(2);
        let files = spans.filter(|span| span.ends_with(".rs") && !span.contains(' '));
        for file in files.filter(|file| !paths.iter().any(|path| path.ends_with(&format!("/{file}")))) {
            findings.push(format!("{page}:{}: there is no {file}: say where it is now", index + 1));
        }
    }
    findings
}

#[test]
fn the_pages_about_the_code_name_files_that_are_there() {
    let paths: Vec<String> = sources().into_iter().map(|source| format!("/{}", source.path)).collect();
    let mut findings = Vec::new();
    for page in fs::read_dir(root().join("docs")).unwrap() {
        let page = page.unwrap().path();
        if page.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&page).unwrap();
            findings.extend(stale_names(page.strip_prefix(root()).unwrap().to_str().unwrap(), &text, &paths));
        }
    }
    none(&findings);
}

#[test]
fn planted_stale_names_are_found() {
    let paths = ["/src/domain/a.rs".to_owned()];
    let found = |text: &str| stale_names("x.md", text, &paths).len();
    assert_eq!(found("`domain/a.rs` and `src/domain/a.rs`, `a.rs`, `cargo run a.rs`"), 0);
    assert_eq!(found("`domain/b.rs`, `b.rs`"), 2);
}

#[test]
fn files_are_short() {
    none(&long_files(&rust("src")));
}

/// Files as a rule would find them, each as its path and text.
fn planted(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().map(|(path, text)| Source { path: (*path).to_owned(), text: (*text).to_owned() }).collect()
}

#[test]
fn planted_circles_are_found() {
    let clean = [
        ("src/domain/mod.rs", "pub mod a;\npub mod b;\n"),
        (
            "src/domain/a.rs",
            "// use super::b;\npub struct A;\n#[cfg(test)]\nmod tests {\n    use crate::domain::b::B;\n}\n",
        ),
        ("src/domain/b.rs", "use crate::domain::a::A;\npub(in crate::domain) struct B(A);\n"),
    ];
    assert!(circles_in(&planted(&clean)).is_empty());
    let circles: [(&str, &str, &str); 6] = [
        ("a use", "src/domain/a.rs", "use super::b::B;\n"),
        ("a group over lines", "src/domain/a.rs", "use crate::domain::{\n    b::{B},\n};\n"),
        ("a path in the code", "src/domain/a.rs", "fn f() -> usize { crate::domain::b::f() }\n"),
        ("through mod.rs", "src/domain/a.rs", "use super::B;\n"),
        ("a re-export", "src/domain/a.rs", "pub use self::inner::X;\nmod inner;\n"),
        ("a child by its bare name", "src/domain/a.rs", "mod inner;\nfn f() { inner::f() }\n"),
    ];
    for (what, path, text) in circles {
        let mut files = clean.to_vec();
        files[0].1 = "pub mod a;\npub mod b;\npub use b::B;\n";
        files[1] = (path, text);
        files.push(("src/domain/a/inner.rs", "use super::Y;\n"));
        assert!(!circles_in(&planted(&files)).is_empty(), "{what}: not found");
    }
}

#[test]
fn planted_arrows_against_the_order_are_found() {
    let files = |a: &'static str| planted(&[("src/x/a.rs", a), ("src/x/b/mod.rs", "use crate::x::a::A;\n")]);
    let found = |sources: &[Source], order: &[&str]| arrows_against("src/x", order, sources).len();
    assert_eq!(found(&files(""), &["a", "b"]), 0);
    assert_eq!(found(&files(""), &["b", "a"]), 1);
    assert_eq!(found(&files(""), &["a"]), 1, "a folder without a place");
    assert_eq!(found(&files("use crate::x::b::B;\n"), &["a", "b"]), 1);
    let through = planted(&[("src/x/a.rs", "use super::B;\n"), ("src/x/mod.rs", "")]);
    assert_eq!(found(&through, &["a"]), 1, "through mod.rs");
}

#[test]
fn planted_names_that_stand_twice_are_found() {
    let found =
        |a: &str, b: &str| names_twice("src/x", &planted(&[("src/x/a.rs", a), ("src/x/b.rs", b)])).len();
    assert_eq!(found("pub struct A;\nstruct B;\n", "struct A;\npub(super) struct B;\n"), 0);
    assert_eq!(found("pub struct A<T>(T);\n", "pub(crate) enum A {}\n"), 1);
    assert_eq!(found("pub(in crate::x) trait A {}\n", "    pub type A = u8;\n"), 1);
    assert_eq!(found("pub fn a() -> A {\n", "pub use other::A;\n"), 0);
}

#[test]
fn planted_long_files_are_found() {
    let of_lines = |lines: usize| "x\n".repeat(lines);
    assert_eq!(long_files(&planted(&[("src/x.rs", &of_lines(MAX_LINES))])).len(), 0);
    assert_eq!(long_files(&planted(&[("src/x.rs", &of_lines(MAX_LINES + 1))])).len(), 1);
}
