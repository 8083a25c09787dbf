//! Repositories of Helm charts: one file, `index.yaml`, lists all charts with all versions.
//! Source: <https://helm.sh/docs/topics/chart_repository/#the-index-file>.

use reqwest::{Method, StatusCode, Url};

use super::server::{Ask, Server};
use crate::ports::{Held, RegistryError};

/// The largest index that is read: the largest public ones have some 20 MiB. It is read line by line, and not held.
const MAX_INDEX_BYTES: usize = 64 << 20;
/// The longest line of it. Descriptions and lists stand on lines of their own.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Whether the index lists this version of a chart.
pub(super) async fn find(
    server: &Server,
    mut url: Url,
    (name, version): (&str, &str),
) -> Result<Option<Held>, RegistryError> {
    let no_path = |()| server.error("has no charts at such an address");
    url.path_segments_mut().map_err(no_path)?.pop_if_empty().push("index.yaml");
    let ask =
        Ask { method: Method::GET, url, accept: "", repository: None, elsewhere: false, may_refuse: false };
    let mut response = server.ask(&ask).await?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(server.error(&format!("answered {status} to the question for index.yaml")));
    }
    let mut index = Index::new(name, version);
    let (mut read, mut line) = (0, Vec::new());
    while let Some(piece) = server.piece(&mut response).await? {
        read += piece.len();
        for byte in piece {
            if byte == b'\n' {
                index.line(&String::from_utf8_lossy(&line));
                line.clear();
            } else {
                line.push(byte);
            }
        }
        if read > MAX_INDEX_BYTES || line.len() > MAX_LINE_BYTES {
            return Err(server.error(&format!("has an index.yaml of more than {MAX_INDEX_BYTES} bytes")));
        }
    }
    index.line(&String::from_utf8_lossy(&line));
    match (index.found(), index.is_known) {
        (Some(digest), _) => Ok(Some(Held { digest })),
        (None, true) => Ok(None),
        (None, false) => Err(server.error(&format!("lists no chart {name} in its index.yaml"))),
    }
}

/// One version of a chart, as far as it was read.
#[derive(Default)]
struct Entry {
    version: Option<String>,
    digest: Option<String>,
}

/// Looks through an index, line by line, as `helm repo index` and the servers of charts write it: a chart's name under `entries`, and
/// below it a list of versions.
struct Index<'a> {
    name: &'a str,
    version: &'a str,
    in_entries: bool,
    /// How far the names of charts are indented.
    names_at: Option<usize>,
    /// Whether the lines are about the chart.
    is_here: bool,
    /// How far the dashes of the list are indented.
    dashes_at: Option<usize>,
    entry: Entry,
    /// The digest of the version, once that was seen.
    seen: Option<Option<String>>,
    /// Whether the chart is listed at all.
    is_known: bool,
}

impl<'a> Index<'a> {
    fn new(name: &'a str, version: &'a str) -> Self {
        Self {
            name,
            version,
            in_entries: false,
            names_at: None,
            is_here: false,
            dashes_at: None,
            entry: Entry::default(),
            seen: None,
            is_known: false,
        }
    }

    fn line(&mut self, line: &str) {
        let line = line.trim_end();
        let text = line.trim_start();
        if text.is_empty() || text.starts_with('#') {
            return;
        }
        let depth = line.len() - text.len();
        if depth == 0 && !text.starts_with('-') {
            self.end_entry();
            (self.in_entries, self.is_here) = (text == "entries:", false);
            return;
        }
        if !self.in_entries {
            return;
        }
        let names_at = *self.names_at.get_or_insert(depth);
        if depth <= names_at && !text.starts_with('-') {
            self.end_entry();
            self.is_here = text.strip_suffix(':').is_some_and(|key| plain(key) == self.name);
            self.is_known |= self.is_here;
            self.dashes_at = None;
            return;
        }
        if self.is_here {
            self.line_of_chart(depth, text);
        }
    }

    fn line_of_chart(&mut self, depth: usize, text: &str) {
        let inner = text.strip_prefix("- ");
        let dashes_at = match (self.dashes_at, inner) {
            (Some(at), _) => at,
            (None, Some(_)) => *self.dashes_at.insert(depth),
            (None, None) => return,
        };
        let pair = match inner {
            Some(pair) if depth == dashes_at => {
                self.end_entry();
                pair
            }
            Some(_) => return,
            // What is deeper belongs to a value of the version: its dependencies have versions too.
            None if depth == dashes_at + 2 => text,
            None => return,
        };
        let Some((key, value)) = pair.split_once(':') else { return };
        match key.trim() {
            "version" => self.entry.version = Some(plain(value).to_owned()),
            "digest" => self.entry.digest = Some(plain(value).to_owned()).filter(|digest| !digest.is_empty()),
            _ => {}
        }
    }

    fn end_entry(&mut self) {
        let entry = std::mem::take(&mut self.entry);
        let bare = |version: &str| version.strip_prefix('v').unwrap_or(version).to_owned();
        if entry.version.is_some_and(|version| bare(&version) == bare(self.version)) {
            self.seen.get_or_insert(entry.digest);
        }
    }

    /// Whether the version is listed, with its digest.
    fn found(&mut self) -> Option<Option<String>> {
        self.end_entry();
        self.seen.take()
    }
}

/// A scalar without its quotes.
fn plain(text: &str) -> &str {
    let text = text.trim();
    let within = |quote: char| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = r#"apiVersion: v1
entries:
  other:
  - version: 1.2.3
    digest: other
  redis:
  - annotations:
      version: 9.9.9
    apiVersion: v2
    dependencies:
    - name: common
      version: 8.8.8
    description: |
      version: 7.7.7
    digest: aa11
    version: 1.2.3
  - digest: "bb22"
    version: '1.2.4'
  - version: v1.3.0
generated: "2026-01-01T00:00:00Z"
"#;

    #[test]
    fn the_versions_of_a_chart_are_found_and_no_others() {
        let found = |text: &str, name: &str, version: &str| {
            let mut index = Index::new(name, version);
            text.lines().for_each(|line| index.line(line));
            (index.found(), index.is_known)
        };
        let digest = |text: &str| Some(Some(text.to_owned()));
        for (name, version, expected) in [
            ("redis", "1.2.3", (digest("aa11"), true)),
            ("redis", "1.2.4", (digest("bb22"), true)),
            ("redis", "1.3.0", (Some(None), true)),
            ("redis", "v1.2.4", (digest("bb22"), true)),
            ("redis", "7.7.7", (None, true)),
            ("redis", "8.8.8", (None, true)),
            ("redis", "9.9.9", (None, true)),
            ("other", "1.2.3", (digest("other"), true)),
            ("other", "1.2.4", (None, true)),
            ("none", "1.2.3", (None, false)),
        ] {
            assert_eq!(found(INDEX, name, version), expected, "{name} {version}");
            let wider = INDEX.replace("  - ", "    - ").replace("    digest", "      digest");
            let wider = wider.replace("\n    version", "\n      version");
            if !matches!(version, "7.7.7" | "8.8.8" | "9.9.9") {
                assert_eq!(found(&wider, name, version), expected, "{name} {version}, indented:\n{wider}");
            }
        }
        assert_eq!(found("", "redis", "1.2.3"), (None, false));
        assert_eq!(found("entries: {}\n", "redis", "1.2.3"), (None, false));
    }
}
