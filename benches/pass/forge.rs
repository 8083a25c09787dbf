//! As much of Gitea's API as it takes to open pull requests and to look at them again. Of each the head is where its branch is.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::process::command;
use crate::server::{Request, listen, serve};

/// A forge for one repository.
pub(crate) struct Forge {
    pub(crate) address: SocketAddr,
    repo: PathBuf,
    /// How long each answer takes, as on a network, from when [`Forge::answer_after`] was called.
    delay_ms: AtomicU64,
    requests: AtomicUsize,
    /// The branches of the pull requests, with the text of each.
    pulls: Mutex<BTreeMap<usize, (String, String)>>,
}

impl Forge {
    /// Starts it; it ends with the program.
    pub(crate) fn start(repo: PathBuf) -> anyhow::Result<Arc<Self>> {
        let (listener, address) = listen()?;
        let forge = Arc::new(Self {
            address,
            repo,
            delay_ms: AtomicU64::new(0),
            requests: AtomicUsize::new(0),
            pulls: Mutex::default(),
        });
        let serving = Arc::clone(&forge);
        serve(listener, move |stream| serving.connection(stream));
        Ok(forge)
    }

    /// Has each answer take this long.
    pub(crate) fn answer_after(&self, delay_ms: u64) {
        self.delay_ms.store(delay_ms, Ordering::Relaxed);
    }

    /// How many pull requests there are.
    pub(crate) fn count(&self) -> usize {
        self.pulls.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The requests since the last call.
    pub(crate) fn take_requests(&self) -> usize {
        self.requests.swap(0, Ordering::SeqCst)
    }

    fn connection(&self, stream: TcpStream) -> anyhow::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        while let Some(request) = Request::read(&mut stream)? {
            self.requests.fetch_add(1, Ordering::SeqCst);
            let body = self.answer(&request)?;
            std::thread::sleep(Duration::from_millis(self.delay_ms.load(Ordering::Relaxed)));
            let (status, body) = match body {
                Some(body) => ("200 OK", body.to_string()),
                None => ("404 Not Found", "{}".to_owned()),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n");
            write!(stream.get_mut(), "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> anyhow::Result<Option<Value>> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        if path == "/api/v1/user" {
            return Ok(Some(account()));
        }
        if path == "/api/v1/version" {
            return Ok(Some(json!({"version": "7.0.9+gitea-1.22.0"})));
        }
        let path = path.strip_prefix("/api/v1/repos/o/r").context("another repository")?;
        let sent: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        let number = |prefix: &str| path.strip_prefix(prefix)?.split('/').next()?.parse::<usize>().ok();
        Ok(match (request.method.as_str(), path) {
            ("POST", "/pulls") => {
                let text = |key: &str| sent.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                let number = pulls.len() + 1;
                pulls.insert(number, (text("head"), text("body")));
                Some(pull(&self.tips()?, number, &pulls[&number])?)
            }
            ("GET", "/pulls") => {
                let url = reqwest::Url::parse(&format!("http://localhost/?{query}"))?;
                let asked =
                    |key: &str| url.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value);
                let (head, page) = (asked("head"), asked("page"));
                let is_asked = |branch: &str| head.as_ref().is_none_or(|head| head.as_ref() == branch);
                let first = page.is_none_or(|page| page == "1");
                let shown = pulls.iter().filter(|(_, (branch, _))| first && is_asked(branch));
                let tips = self.tips()?;
                let shown: anyhow::Result<Vec<Value>> =
                    shown.map(|(number, of)| pull(&tips, *number, of)).collect();
                Some(Value::from(shown?))
            }
            ("GET", "") => {
                Some(json!({"permissions": {"admin": true, "push": true}, "allow_merge_commits": true}))
            }
            ("GET", "/branches/main") => Some(json!({"protected": false})),
            ("GET", "/issues" | "/labels") => Some(json!([])),
            ("GET", path) if path.ends_with("/timeline") || path.ends_with("/comments") => Some(json!([])),
            ("GET", path) if path.ends_with("/status") => Some(json!({"statuses": []})),
            ("GET" | "PATCH", path) if path.starts_with("/pulls/") => {
                let found = number("/pulls/").and_then(|number| Some((number, pulls.get(&number)?)));
                let tips = self.tips()?;
                found.map(|(number, of)| pull(&tips, number, of)).transpose()?
            }
            ("POST" | "PATCH", _) => Some(json!({"id": 1, "number": 1, "html_url": "http://localhost/"})),
            _ => None,
        })
    }

    /// The commit that each branch is at, by the name of the branch.
    fn tips(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let mut listing = command("git");
        listing.args(["for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads"]);
        let listed = String::from_utf8(listing.current_dir(&self.repo).output()?.stdout)?;
        let tip = |line: &str| line.split_once(' ').map(|(id, name)| (name.to_owned(), id.to_owned()));
        Ok(listed.lines().filter_map(tip).collect())
    }
}

fn pull(
    tips: &BTreeMap<String, String>,
    number: usize,
    (branch, body): &(String, String),
) -> anyhow::Result<Value> {
    let side = |name: &str| -> anyhow::Result<Value> {
        let sha = tips.get(name).with_context(|| format!("there is no branch {name}"))?;
        let repo = json!({"full_name": "o/r"});
        Ok(json!({"label": name, "ref": name, "sha": sha, "repo_id": 1, "repo": repo}))
    };
    Ok(json!({
        "number": number, "html_url": format!("http://localhost/{number}"), "state": "open", "user": account(),
        "title": "Revert", "draft": false, "body": body, "created_at": "2026-11-24T10:00:00Z", "merged": false,
        "head": side(branch)?, "base": side("main")?, "merge_base": side("main")?["sha"], "mergeable": true,
    }))
}

fn account() -> Value {
    json!({"id": 7, "login": "backout"})
}
