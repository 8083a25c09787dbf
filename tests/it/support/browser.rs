//! Pages as people see them: in a headless Chromium, which says what it does not like, and to axe, which finds what keeps people out.

use std::io::Write as _;
use std::process::Stdio;

use serde::{Deserialize, Serialize};

use super::npm::node;

/// A page to open.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Visit {
    /// Its address.
    pub(crate) url: String,
    /// How wide the window is.
    pub(crate) width: u32,
    /// Whether the reader's system is dark.
    pub(crate) dark: bool,
    /// What the reader answers when asked for a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    /// Where a picture of it is put.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) screenshot: Option<String>,
}

impl Visit {
    /// On a wide and light screen.
    pub(crate) fn to(url: &str) -> Self {
        Self { url: url.to_owned(), width: 1280, dark: false, password: None, screenshot: None }
    }

    /// On a phone.
    pub(crate) fn on_phone(self) -> Self {
        Self { width: 360, ..self }
    }

    /// On a dark screen.
    pub(crate) fn in_dark(self) -> Self {
        Self { dark: true, ..self }
    }
}

/// A page that was open.
#[derive(Debug, Deserialize)]
pub(crate) struct Visited {
    pub(crate) url: String,
    /// The answer's status; 0 where it came from a disk.
    pub(crate) status: u16,
    /// How long it took to load.
    pub(crate) millis: u64,
    /// What the browser has complained of.
    pub(crate) messages: Vec<String>,
    /// What axe has found.
    pub(crate) findings: Vec<String>,
    pub(crate) text: String,
    /// How wide all of it is.
    pub(crate) taken: u32,
    /// Whether the style sheet is in use.
    pub(crate) styled: bool,
    /// Where its links lead.
    pub(crate) links: Vec<String>,
    /// The names of its elements.
    pub(crate) elements: Vec<String>,
}

/// Opens pages, one after the other.
///
/// # Panics
/// When Chromium, or what drives it, is not installed.
pub(crate) fn visit(visits: &[Visit]) -> Vec<Visited> {
    let browser = which("chromium-headless-shell");
    let mut node = node("pages.mjs")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = serde_json::json!({"browser": browser, "pages": visits});
    node.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Opens pages, each of which must please the browser and axe, be no wider than the window, and have no script.
#[track_caller]
pub(crate) fn visit_well(visits: &[Visit]) -> Vec<Visited> {
    let visited = visit(visits);
    for (visit, one) in visits.iter().zip(&visited) {
        let Visited { url, messages, findings, taken, .. } = one;
        assert!(messages.is_empty(), "{url}: {messages:#?}");
        assert!(findings.is_empty(), "{url}: {findings:#?}");
        assert!(*taken <= visit.width, "{url} takes {taken} of {}", visit.width);
        assert!(one.styled, "{url} has no style");
        assert!(
            one.elements.iter().all(|name| !["script", "iframe", "img", "object"].contains(&name.as_str())),
            "{one:?}"
        );
    }
    visited
}

fn which(name: &str) -> String {
    let paths = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&paths).map(|path| path.join(name)).find(|path| path.exists());
    found
        .unwrap_or_else(|| panic!("this test needs {name}: run scripts/test once"))
        .to_str()
        .unwrap()
        .to_owned()
}
