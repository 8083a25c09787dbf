//! The lines of any text, addressed by what they assign and by the blocks around them: TOML, HCL, `.env`, properties,
//! jsonnet, Dockerfiles, templates, shell scripts.
//!
//! No grammar is known here. A line that is indented further than one before it belongs to that one, and a line in
//! brackets at the margin is the head of what follows.

use std::collections::HashMap;

use super::leaf::{Leaf, LeafKind};
use super::lines::{Lines, comment_start, is_trifle};
use super::tokens;

/// How many lines below `[[package]]` its name is looked for.
const NAME_WITHIN: usize = 4;
/// The longest identity of a line that is kept, in bytes.
const MAX_IDENTITY: usize = 200;

struct Block {
    indent: usize,
    address: String,
}

/// The lines that hold something, in their order. A line of a text that stands twice in the same block is not sure.
pub(super) fn leaves(text: &str) -> Vec<Leaf> {
    let lines = Lines::new(text);
    let mut blocks: Vec<Block> = Vec::new();
    let mut section = String::new();
    let mut out: Vec<Leaf> = Vec::new();
    for index in 0..lines.len() {
        let body = lines.body(index).trim_start_matches('\u{feff}');
        let content = body.trim_start();
        if is_trifle(body) {
            continue;
        }
        let indent = body.len() - content.len();
        if indent == 0 && content.starts_with('[') && content.ends_with(']') {
            section = head(&lines, index, content);
            blocks.clear();
            continue;
        }
        blocks.truncate(blocks.partition_point(|block| block.indent < indent));
        let around = blocks.last().map_or(section.as_str(), |block| &block.address);
        let named = (!around.is_empty()).then(|| around.rsplit(" > ").next().unwrap_or("").to_owned());
        let (identity, key) = identity(content);
        let address = if around.is_empty() { identity } else { format!("{around} > {identity}") };
        if address.len() <= 16 * MAX_IDENTITY {
            blocks.push(Block { indent, address: address.clone() });
        }
        let end = lines.range(index).start + lines.body(index).len();
        out.push(Leaf {
            kind: LeafKind::Line,
            address,
            key,
            named,
            source: None,
            span: end - content.len()..end,
            value: content.to_owned(),
            sure: true,
        });
    }
    only_once(&mut out);
    out
}

/// `[dependencies]`, and `[[package]] name = "serde"`.
fn head(lines: &Lines<'_>, index: usize, content: &str) -> String {
    let below = (index + 1..lines.len().min(index + 1 + NAME_WITHIN)).map(|line| lines.body(line).trim());
    let inside = below.take_while(|line| !line.starts_with('['));
    let name = inside.filter(|_| content.starts_with("[[")).find(|line| line.starts_with("name"));
    name.map_or_else(|| content.to_owned(), |name| format!("{content} {name}"))
}

/// What tells a line from its neighbours, whatever version it holds, and the key of its value.
fn identity(content: &str) -> (String, String) {
    let content = content.get(..comment_start(content)).unwrap_or(content).trim_end();
    let assigned = assignment(content);
    let key = assigned.and_then(|at| content.get(..at)).map(plain).unwrap_or_default();
    // `- name: web` is known by its value.
    let names = ["name", "id", "key"].contains(&key.as_str());
    let identity = match assigned.filter(|_| !names) {
        Some(at) => content.get(..at).unwrap_or(content).trim_end().to_owned(),
        None => tokens::versionless(content),
    };
    let cut = identity.char_indices().map(|(at, _)| at).find(|at| *at > MAX_IDENTITY);
    (identity.get(..cut.unwrap_or(identity.len())).unwrap_or("").to_owned(), key)
}

/// Where the `=` or `:` stands behind which the value begins: not in a URL, an image reference, a template or a call.
fn assignment(content: &str) -> Option<usize> {
    let mut marks = content.char_indices().zip(content.chars().skip(1).map(Some).chain([None]));
    let assigns = |c: char, next: Option<char>| {
        c == '=' || c == ':' && next.is_none_or(|next| next.is_whitespace() || "\"'`:=[{".contains(next))
    };
    let at = marks.find(|((_, c), next)| assigns(*c, *next)).map(|((at, _), _)| at)?;
    let before = content.get(..at)?;
    let is_key = before.contains(char::is_alphanumeric)
        && before.split_whitespace().count() <= 3
        && !before.contains(['{', '(', '?', '<'])
        && !before.contains("//")
        && !before.split_whitespace().skip(1).any(|word| word.starts_with("--"));
    is_key.then_some(at)
}

/// A key without quotes, dashes and the words before it: `export "FOO"` → `FOO`.
fn plain(before: &str) -> String {
    let word = before.split_whitespace().next_back().unwrap_or("");
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}

fn only_once(leaves: &mut [Leaf]) {
    let mut counts: HashMap<String, usize> = HashMap::with_capacity(leaves.len());
    for leaf in leaves.iter() {
        *counts.entry(leaf.address.clone()).or_default() += 1;
    }
    for leaf in leaves {
        leaf.sure = counts.get(&leaf.address) == Some(&1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, String, bool)> {
        let leaf = |leaf: Leaf| (leaf.address, leaf.key, leaf.sure);
        leaves(text).into_iter().map(leaf).collect()
    }

    fn has(text: &str, address: &str, key: &str) {
        let found = found(text);
        assert!(found.contains(&(address.to_owned(), key.to_owned(), true)), "{address}: {found:?}");
    }

    #[test]
    fn lines_are_known_by_what_they_assign_and_by_their_block() {
        has("module \"a\" {\n  source = \"x?ref=v1\"\n}\n", "module \"a\" { > source", "source");
        has("[tool]\nversion = \"1\"\n", "[tool] > version", "version");
        has("[[package]]\nname = \"a\"\nversion = \"1\"\n", "[[package]] name = \"a\" > version", "version");
        has("export A_TAG=v1\n", "export A_TAG", "A_TAG");
        has("FROM golang:1.22 AS build\n", "FROM golang AS build", "");
        has("{\n  image:: {\n    tag: 'v1',\n  },\n}\n", "image > tag", "tag");
        has("- name: web\n  image: {{ .x }}/a:v1\n", "- name: web > image", "image");
        has("nodejs 20.1.0\n", "nodejs *", "");
        has("curl https://x/v1.2.3/y\n", "curl https://x/*/y", "");
    }

    #[test]
    fn a_line_that_stands_twice_in_its_block_is_not_sure() {
        let leaves = leaves("a {\n  tag = 1\n}\nb {\n  tag = 1\n  tag = 2\n}\n");
        let sure: Vec<bool> = leaves.iter().filter(|leaf| leaf.key == "tag").map(|leaf| leaf.sure).collect();
        assert_eq!(sure, [true, false, false]);
    }

    #[test]
    fn comments_are_no_leaves_unless_a_template_runs_in_them() {
        assert_eq!(found("# a: 1\n\n// b\n"), []);
        has("# {{ $version := \"v1\" }}\n", "# {{ $version := \"*\" }}", "");
    }
}
