//! Which file of `src` imports from which: read from the text, without a compiler.
//!
//! A file imports from another where a `use`, or a path in its code, names something in the other's module. `mod x;` is no
//! import, and neither is what stands in tests.

use std::collections::{BTreeMap, BTreeSet};

use super::Source;

/// The files that each file imports from, by their paths.
pub(super) type Imports = BTreeMap<String, BTreeSet<String>>;

/// Reads the imports of these files from each other.
pub(super) fn imports(sources: &[Source]) -> Imports {
    let modules: BTreeMap<Vec<String>, &str> = sources
        .iter()
        .filter(|source| !is_test(&source.path))
        .map(|source| (module_of(&source.path), source.path.as_str()))
        .collect();
    let of_source = |source: &Source| {
        let own = module_of(&source.path);
        let code = without_tests(&without_comments(&source.text));
        let mut found: BTreeSet<String> = BTreeSet::new();
        for path in paths(&code) {
            let Some(absolute) = absolute(&own, &path, &modules) else { continue };
            // The longest part of the path that is a file.
            let file = (1..=absolute.len()).rev().find_map(|length| modules.get(&absolute[..length]));
            found.extend(file.filter(|file| **file != source.path).map(|file| (*file).to_owned()));
        }
        (source.path.clone(), found)
    };
    sources.iter().filter(|source| !is_test(&source.path)).map(of_source).collect()
}

/// The arrows that lie on circles, or between two of them.
pub(super) fn circles(imports: &Imports) -> Vec<(String, String)> {
    let mut left = imports.clone();
    loop {
        let imported: BTreeSet<String> = left.values().flatten().cloned().collect();
        let before = left.len();
        left.retain(|file, of_file| !of_file.is_empty() && imported.contains(file));
        let files: BTreeSet<String> = left.keys().cloned().collect();
        for of_file in left.values_mut() {
            of_file.retain(|file| files.contains(file));
        }
        if left.len() == before && left.values().all(|of_file| !of_file.is_empty()) {
            let arrows = |(file, of_file): (&String, &BTreeSet<String>)| {
                of_file.iter().map(|to| (file.clone(), to.clone())).collect::<Vec<_>>()
            };
            return left.iter().flat_map(arrows).collect();
        }
    }
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// `src/domain/field/mod.rs` is `domain::field`.
fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// The code in front of the first test module, which stands at the end of its file.
fn without_tests(code: &str) -> String {
    let mut kept = code;
    if let Some((at, _)) = code.match_indices("#[cfg(test)]").find(|(at, _)| {
        let rest = code[at + "#[cfg(test)]".len()..].trim_start();
        let rest = rest.strip_prefix("pub(crate) ").unwrap_or(rest);
        rest.starts_with("mod ")
    }) {
        kept = &code[..at];
    }
    kept.to_owned()
}

/// Every path in the code, `use` groups taken apart. `pub(in crate::agent)` says who may import, and imports nothing.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut visible = code.split("pub(in ");
    let first = visible.next().unwrap_or("").to_owned();
    let code = visible.fold(first, |code, rest| code + rest.split_once(')').map_or("", |(_, rest)| rest));
    let code = code.as_str();
    let mut found = Vec::new();
    let mut rest = String::new();
    let mut statements = code.split(';').peekable();
    while let Some(statement) = statements.next() {
        let words: Vec<&str> = statement.split_whitespace().collect();
        // What stands before the `use` of a statement is the end of another item.
        let at = words.iter().rposition(|word| *word == "use").filter(|_| statements.peek().is_some());
        match at {
            Some(at) => expand(&[], &words[at + 1..].join(" "), &mut found),
            None => {
                rest.push_str(statement);
                rest.push(';');
            }
        }
        if let Some(at) = at {
            rest.push_str(&words[..at].join(" "));
            rest.push(';');
        }
    }
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for word in rest.split(|c: char| !is_part(c)).filter(|word| word.contains("::")) {
        found.push(word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect());
    }
    found
}

/// `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expand(before: &[String], tree: &str, found: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let parts = |text: &str| -> Vec<String> {
        let text = text.split(" as ").next().unwrap_or("");
        text.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    };
    let Some((head, group)) = tree.split_once('{') else {
        let path = [before, &parts(tree)].concat();
        if !path.is_empty() {
            found.push(path);
        }
        return;
    };
    let before = [before, &parts(head)].concat();
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                expand(&before, &group[start..at], found);
                start = at + 1;
            }
            _ => {}
        }
    }
    expand(&before, &group[start..], found);
}

/// The path from the root of the crate, where it is one of the crate's own.
fn absolute(own: &[String], path: &[String], modules: &BTreeMap<Vec<String>, &str>) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([own, rest].concat()),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let base = own.get(..own.len().checked_sub(ups)?)?;
            Some([base, &path[ups..]].concat())
        }
        // A child by its bare name.
        _ => {
            let child = [own, std::slice::from_ref(first)].concat();
            modules.contains_key(&child).then(|| [own, path].concat())
        }
    }
}
