//! From the bytes of the fuzzer to three versions of a file.
//!
//! - Text is a file in which `%0` to `%3` stand for versions: the old ones in the parent, the new ones in the bad commit.
//!   After a line `%%%%` the file as it is now may follow, in which they are new.
//! - Three such parts are taken as they are, whatever bytes they hold.
//! - After a `!` the bytes choose: a seed, versions, and edits of all three, of the bad commit, or since.

use libfuzzer_sys::arbitrary::{Result, Unstructured};

use crate::field::Selection;

/// What [`crate::field::revert`] gets.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) path: &'static str,
    pub(crate) fields: Selection,
    pub(crate) parent: Vec<u8>,
    pub(crate) bad: Vec<u8>,
    pub(crate) current: Vec<u8>,
}

const SEEDS: [&str; 19] = [
    include_str!("../../seeds/values.yaml"),
    include_str!("../../seeds/kustomization.yaml"),
    include_str!("../../seeds/helmrelease.yaml"),
    include_str!("../../seeds/deployments.yaml"),
    include_str!("../../seeds/application.yaml"),
    include_str!("../../seeds/anchors.yaml"),
    include_str!("../../seeds/configmap.yaml"),
    include_str!("../../seeds/compose.yml"),
    include_str!("../../seeds/images.json"),
    include_str!("../../seeds/deploy.toml"),
    include_str!("../../seeds/main.tf"),
    include_str!("../../seeds/production.env"),
    include_str!("../../seeds/main.jsonnet"),
    include_str!("../../seeds/Dockerfile"),
    include_str!("../../seeds/values.gotmpl"),
    include_str!("../../seeds/version"),
    include_str!("../../seeds/names.yaml"),
    include_str!("../../seeds/pins.yaml"),
    include_str!("../../seeds/secrets.yaml"),
];

const PATHS: [&str; 4] =
    ["apps/web/values", "deploy/compose.yaml", "web/Dockerfile", "production/web.version"];

const VERSIONS: [&str; 16] = [
    "v1.2.3",
    "v1.2.4",
    "1.10.0",
    "1.10",
    "2.0.0-rc.1+b4",
    "826",
    "827",
    "b624446",
    "eea2737",
    "b624446ef4ee91318a0f797bd437d0349d8c755c",
    "eea27377c1528fe1472e67e2fc105f00376889ed",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    "main-20260102-b624446",
    "release-7",
    "latest",
];

const LINES: [&str; 24] = [
    "",
    "# %0",
    "---",
    "image: r/a:%0",
    "image: r/b:%1 # %1",
    "  tag: %0",
    "  tag: \"%1\"",
    "    - name: x",
    "      newTag: '%2'",
    "- %0",
    "  digest: sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    "  values: |",
    "  script: >-",
    "  <<: *a",
    "a: &a {tag: %0, n: 1}",
    "{{- if .x }}",
    "{{- end }}",
    "TAG=%0",
    "export B=\"%1\"",
    "}",
    "  version = \"%3\"",
    "\"version\": \"%3\",",
    "replicas: 3",
    "\ttag: %0",
];

impl Case {
    pub(crate) fn new(data: &[u8]) -> Option<Self> {
        if let Some(choices) = data.strip_prefix(b"!") {
            return chosen(&mut Unstructured::new(choices)).ok();
        }
        let parts = split(data);
        let first = *data.first()?;
        let text = |part: &[u8], new| render(&String::from_utf8_lossy(part), &[new; 4]).into_bytes();
        let (parent, bad, current) = match parts.as_slice() {
            [all] => (text(all, 0), text(all, 1), text(all, 1)),
            [all, now] => (text(all, 0), text(all, 1), text(now, 1)),
            [parent, bad, current, ..] => (parent.to_vec(), bad.to_vec(), current.to_vec()),
            [] => return None,
        };
        let path = PATHS[usize::from(first) % PATHS.len()];
        Some(Self { path, fields: Selection::default(), parent, bad, current })
    }
}

fn split(data: &[u8]) -> Vec<&[u8]> {
    const BETWEEN: &[u8] = b"\n%%%%\n";
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        // The line end before the mark is the part's own.
        parts.push(&rest[..=at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    parts.push(rest);
    parts
}

/// Puts versions in the place of `%0` to `%3`. Each has a base of its own, so that they differ.
fn render(text: &str, versions: &[usize; 4]) -> String {
    let mut text = text.to_owned();
    for (slot, version) in versions.iter().enumerate() {
        text = text.replace(&format!("%{slot}"), VERSIONS[version % VERSIONS.len()]);
    }
    text
}

fn chosen(u: &mut Unstructured<'_>) -> Result<Case> {
    let path = *u.choose(&PATHS)?;
    let fields = match u.int_in_range(0..=7u8)? {
        0 => Selection { add: vec!["replicas".to_owned()], exclude: Vec::new() },
        1 => Selection { add: Vec::new(), exclude: vec!["*.tag".to_owned()] },
        _ => Selection::default(),
    };
    let mut template = (*u.choose(&SEEDS)?).to_owned();
    let (mut old, mut new, mut now) = ([0; 4], [0; 4], [0; 4]);
    for slot in 0..4 {
        old[slot] = u.int_in_range(0..=VERSIONS.len() - 1)?;
        new[slot] = u.int_in_range(0..=VERSIONS.len() - 1)?;
        now[slot] = match u.int_in_range(0..=7u8)? {
            0 => old[slot],
            1 => u.int_in_range(0..=VERSIONS.len() - 1)?,
            _ => new[slot],
        };
    }
    for _ in 0..u.int_in_range(0..=4u8)? {
        edit(&mut template, u, &old)?;
    }
    let (parent, mut bad, mut current) =
        (render(&template, &old), render(&template, &new), render(&template, &now));
    for _ in 0..u.int_in_range(0..=2u8)? {
        // The same edit in both, as it came with the commit and stayed.
        let mut again = Unstructured::new(u.peek_bytes(u.len()).unwrap_or_default());
        edit(&mut bad, u, &new)?;
        edit(&mut current, &mut again, &new)?;
    }
    for _ in 0..u.int_in_range(0..=2u8)? {
        let mut again = Unstructured::new(u.peek_bytes(u.len()).unwrap_or_default());
        pin(&mut bad, u, &new)?;
        pin(&mut current, &mut again, &new)?;
    }
    for _ in 0..u.int_in_range(0..=4u8)? {
        match u.int_in_range(0..=3u8)? {
            0 => pin(&mut current, u, &now)?,
            _ => edit(&mut current, u, &now)?,
        }
    }
    Ok(Case { path, fields, parent: parent.into(), bad: bad.into(), current: current.into() })
}

/// What a commit does to a version besides putting another in its place: its line goes, or one comes behind another, a name of YAML takes
/// its place or goes from it, or what is around it gets another name.
fn pin(text: &mut String, u: &mut Unstructured<'_>, versions: &[usize; 4]) -> Result<()> {
    const KEYS: [&str; 4] = ["tag", "version", "digest", "image"];
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let named = |line: &&String| KEYS.iter().any(|key| line.contains(&format!("{key}: ")));
    let number = lines.iter().filter(named).count();
    if number == 0 {
        return Ok(());
    }
    let nth = u.int_in_range(0..=number - 1)?;
    let at = (0..lines.len()).filter(|at| named(&&lines[*at])).nth(nth).unwrap_or(0);
    let line = lines[at].clone();
    let indent = &line[..line.len() - line.trim_start().len()];
    let (head, value) = line.trim_end().split_once(": ").unwrap_or((&line, ""));
    match u.int_in_range(0..=5u8)? {
        0 => drop(lines.remove(at)),
        1 => {
            let new = render(u.choose(&["tag: %0", "version: %1", "digest: %2"])?, versions);
            lines.insert(at + 1, format!("{indent}{new}\n"));
        }
        2 => lines[at] = format!("{head}: *{}\n", u.choose(&["a", "b"])?),
        3 => {
            lines[at] =
                format!("{head}: &{} {}\n", u.choose(&["a", "b"])?, value.trim_start_matches(['*', '&']))
        }
        4 => lines[at] = format!("{head}: {}\n", render(u.choose(&["%0", "\"%1\"", "r/a:%2"])?, versions)),
        _ => {
            let (from, to) =
                *u.choose(&[("web", "shop"), ("name", "title"), ("image", "picture"), ("a:", "b:")])?;
            lines.iter_mut().for_each(|line| *line = line.replacen(from, to, 1));
        }
    }
    *text = lines.concat();
    Ok(())
}

/// Changes a text somehow: lines of it, its line ends, or a few bytes.
fn edit(text: &mut String, u: &mut Unstructured<'_>, versions: &[usize; 4]) -> Result<()> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let last = lines.len().max(1) - 1;
    let kind = u.int_in_range(0..=15u8)?;
    let (from, to) = (u.int_in_range(0..=last)?, u.int_in_range(0..=last)?);
    let (first, end) = (from.min(to), (from.max(to) + 1).min(lines.len()));
    match kind {
        0 | 1 => {
            let line = render(u.choose(&LINES)?, versions);
            lines.insert(from.min(lines.len()), format!("{line}\n"));
        }
        2 => drop(lines.drain(first..(first + 1).min(end))),
        3 => drop(lines.drain(first..end)),
        4 => {
            let block: Vec<String> = lines[first..end].to_vec();
            lines.splice(first..first, block);
        }
        5 => lines[first..end].reverse(),
        6 => {
            let block: Vec<String> = lines.drain(first..end).collect();
            let at = u.int_in_range(0..=lines.len())?;
            lines.splice(at..at, block);
        }
        7 => lines[first..end].iter_mut().for_each(|line| line.insert_str(0, "  ")),
        8 => lines[first..end].iter_mut().for_each(|line| {
            *line = line.strip_prefix("  ").unwrap_or(line).to_owned();
        }),
        9 => lines[first..end].iter_mut().for_each(|line| *line = line.replace('\n', "\r\n")),
        10 => lines.insert(0, "\u{feff}".to_owned()),
        11 => {
            if let Some(line) = lines.last_mut() {
                *line = line.trim_end_matches(['\r', '\n']).to_owned();
            }
        }
        12 => {
            let seed = render(u.choose(&SEEDS)?, versions);
            lines.push("---\n".to_owned());
            lines.push(seed);
        }
        13 => {
            let version = *u.choose(&VERSIONS)?;
            let other = *u.choose(&VERSIONS)?;
            lines[first..end].iter_mut().for_each(|line| *line = line.replacen(version, other, 1));
        }
        _ => {
            let (length, cut) = (u.int_in_range(0..=4usize)?, u.int_in_range(0..=4usize)?);
            let new = String::from_utf8_lossy(u.bytes(length.min(u.len()))?).into_owned();
            if let Some(line) = lines.get_mut(from) {
                let places: Vec<usize> = line.char_indices().map(|(at, _)| at).collect();
                let place = u.int_in_range(0..=places.len())?;
                let at = |place: usize| places.get(place).copied().unwrap_or(line.len());
                line.replace_range(at(place)..at(place + cut), &new);
            }
        }
    }
    *text = lines.concat();
    Ok(())
}
