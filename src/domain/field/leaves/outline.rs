//! The lines of any text, addressed by what they assign and by the blocks around them: TOML, HCL, `.env`, properties,
//! jsonnet, Dockerfiles, templates, shell scripts.
//!
//! No grammar is known here. A line that is indented further than one before it belongs to that one, and a line in
//! brackets at the margin is the head of what follows.

use std::collections::HashMap;

use super::super::lines::{Lines, comment_start, is_trifle};
use super::super::tokens;
use super::super::vocabulary::{self, WordRole};
use super::leaf::{Leaf, LeafKind};

/// How many lines below `[[package]]` its name is looked for.
const NAME_WITHIN: usize = 4;
/// The longest identity of a line that is kept, in bytes, and the longest address.
const MAX_IDENTITY: usize = 200;
const MAX_ADDRESS: usize = 1_600;

/// What lines belong to. The one that was opened last counts.
#[derive(Clone, Default)]
struct Block {
    line: usize,
    indent: usize,
    /// Whether items may follow that are indented no further: `env:`.
    opens_list: bool,
    address: String,
    /// The whole texts of the heads whose versions the address leaves out.
    wholes: Vec<String>,
    sure: bool,
}

/// The blocks that are open at a line: by indentation, by brackets, by templates, and by a head in brackets.
#[derive(Default)]
struct Open {
    indents: Vec<Block>,
    brackets: Vec<Block>,
    templates: Vec<Block>,
    section: Option<Block>,
}

impl Open {
    fn around(&self) -> Option<&Block> {
        let last = [self.indents.last(), self.brackets.last(), self.templates.last(), self.section.as_ref()];
        last.into_iter().flatten().max_by_key(|block| block.line)
    }

    fn close_brackets(&mut self, content: &str) {
        let closing = content.chars().take_while(|c| "}])".contains(*c)).count();
        self.brackets.truncate(self.brackets.len().saturating_sub(closing));
    }
}

/// The lines that hold something, in their order. A line of a text that stands twice in the same block is not sure.
pub(super) fn leaves(text: &str) -> Vec<Leaf> {
    let lines = Lines::new(text);
    let mut open = Open::default();
    let mut out: Vec<Leaf> = Vec::new();
    // A head has something below it: `[shop/web:v1, shop/api:v1]` alone is a list.
    let is_one_line = (0..lines.len()).filter(|line| !is_trifle(lines.body(*line))).nth(1).is_none();
    for line in 0..lines.len() {
        let body = lines.body(line).trim_start_matches('\u{feff}');
        let content = body.trim_start();
        open.close_brackets(content);
        if is_trifle(body) {
            continue;
        }
        let indent = body.len() - content.len();
        if !is_one_line && is_head(content, indent, &open) {
            let (address, sure) = head(&lines, line, content);
            open =
                Open { section: Some(Block { line, address, sure, ..Block::default() }), ..Open::default() };
            continue;
        }
        let is_item = content.starts_with("- ");
        let is_around =
            |block: &Block| block.indent < indent || block.indent == indent && is_item && block.opens_list;
        open.indents.truncate(open.indents.partition_point(is_around));
        let around = open.around().cloned().unwrap_or(Block { sure: true, ..Block::default() });
        let (identity, key) = identity(content);
        let named = (!around.address.is_empty())
            .then(|| around.address.rsplit(" > ").next().unwrap_or("").to_owned());
        let opens_list = !is_item && content.ends_with(':');
        let mut block = Block { line, indent, opens_list, address: identity, ..around.clone() };
        if !around.address.is_empty() && around.address.len() <= MAX_ADDRESS {
            block.address = format!("{} > {}", around.address, block.address);
        }
        let end = lines.range(line).start + lines.body(line).len();
        out.push(Leaf {
            kind: LeafKind::Line,
            block: if block.address.len() > around.address.len() { around.address.len() } else { 0 },
            address: block.address.clone(),
            key,
            named,
            source: (!around.wholes.is_empty()).then(|| around.wholes.join(" ")),
            span: end - content.len()..end,
            value: content.to_owned(),
            sure: around.sure,
            anchor: None,
            brought: None,
        });
        if !block.address.ends_with(content) && tokens::mask(content) != content {
            block.wholes.push(content.to_owned());
        }
        open_blocks(&mut open, block, content);
    }
    only_once(&mut out);
    out
}

/// Whether a line is the head of a section. Within brackets it is an item, and further in only what is a plain name is a head.
fn is_head(content: &str, indent: usize, open: &Open) -> bool {
    let is_bracketed = content.starts_with('[') && content.ends_with(']');
    let name = content.trim_matches(['[', ']']);
    let is_plain = || {
        let is_name = !name.is_empty() && name.trim() == name && !name.contains([',', '{', '=', '(', '$']);
        is_name && open.brackets.is_empty()
    };
    is_bracketed && (indent == 0 || is_plain())
}

/// Opens what a line opens.
fn open_blocks(open: &mut Open, block: Block, content: &str) {
    match Directive::of(content) {
        Some(Directive::Begins) => open.templates.push(block.clone()),
        Some(Directive::Ends) => drop(open.templates.pop()),
        Some(Directive::GoesOn) => {
            open.templates.pop();
            open.templates.push(block.clone());
        }
        None => {}
    }
    if content.get(..comment_start(content)).unwrap_or(content).trim_end().ends_with(['{', '[', '(']) {
        open.brackets.push(block.clone());
    }
    open.indents.push(block);
}

/// What a directive of a template does to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Directive {
    /// It begins one: `{{ if }}`.
    Begins,
    /// It ends one and begins the next: `{{ else }}`.
    GoesOn,
    /// It ends one: `{{ end }}`, `{% endif %}`.
    Ends,
}

impl Directive {
    /// The directive that a text begins with. None where that is another template, or none.
    pub(in super::super) fn of(text: &str) -> Option<Self> {
        let inside = text.strip_prefix("{{").or_else(|| text.strip_prefix("{%"))?;
        let inside = inside.trim_start_matches('-').trim_start();
        match inside.split(|c: char| !c.is_alphanumeric()).next()? {
            "if" | "range" | "with" | "define" | "block" | "for" | "macro" | "call" | "filter" => {
                Some(Self::Begins)
            }
            "else" | "elif" | "elsif" => Some(Self::GoesOn),
            word => word.starts_with("end").then_some(Self::Ends),
        }
    }
}

/// `[dependencies]`, and `[[package]] name = "serde"`: a head that stands several times is known by what comes first
/// below it, and is not sure where nothing tells.
fn head(lines: &Lines<'_>, index: usize, content: &str) -> (String, bool) {
    if !content.starts_with("[[") {
        return (content.to_owned(), true);
    }
    let below = (index + 1..lines.len().min(index + 1 + NAME_WITHIN)).map(|line| lines.body(line).trim());
    let inside: Vec<&str> = below.take_while(|line| !line.starts_with('[')).collect();
    let tells = |line: &&&str| tokens::mask(line) == **line && line.contains(['"', '\'']);
    let name = inside.iter().find(|line| line.starts_with("name")).or_else(|| inside.iter().find(tells));
    name.map_or_else(|| (content.to_owned(), false), |name| (format!("{content} {name}"), true))
}

/// What tells a line from its neighbours, whatever version it holds, and the key of its value.
fn identity(content: &str) -> (String, String) {
    let content = content.get(..comment_start(content)).unwrap_or(content).trim_end();
    if let Some(tag) = xml_tag(content) {
        return (format!("<{tag}>"), tag.to_owned());
    }
    let option = content.starts_with("--").then(|| content.find([' ', '='])).flatten();
    let assigned = option.or_else(|| assignment(content));
    let key = assigned.and_then(|at| content.get(..at)).map(plain).unwrap_or_default();
    // `- name: web` and the like is known by its value.
    let names = vocabulary::is(&key, WordRole::LineName) || content.starts_with("- ");
    let identity = match assigned.filter(|_| !names) {
        Some(at) => content.get(..at).unwrap_or(content).trim_end().to_owned(),
        None => tokens::versionless(content),
    };
    let cut = identity.char_indices().map(|(at, _)| at).find(|at| *at > MAX_IDENTITY);
    (identity.get(..cut.unwrap_or(identity.len())).unwrap_or("").to_owned(), key)
}

/// The name of an element that has its line for itself: `<version>1.2</version>`.
fn xml_tag(content: &str) -> Option<&str> {
    let (tag, rest) = content.strip_prefix('<')?.split_once('>')?;
    let (_, end) = rest.split_once("</")?;
    (end.strip_suffix('>') == Some(tag)).then_some(tag)
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
    fn a_line_in_brackets_is_a_list_where_it_is_all_of_the_text() {
        has("[shop/web:v1, shop/api:v1,]\n", "[shop/web:*, shop/api:*,]", "");
        has("# All.\n---\n[shop/web:v1]", "[shop/web:*]", "");
        assert_eq!(found("[tool]\na = 1\n").len(), 1);
    }

    #[test]
    fn comments_are_no_leaves_unless_a_template_runs_in_them() {
        assert_eq!(found("# a: 1\n\n// b\n"), []);
        has("# {{ $version := \"v1\" }}\n", "# {{ $version := \"*\" }}", "");
    }
}
