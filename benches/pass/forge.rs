//! As much of Gitea's API as it takes to open pull requests and to look at them again. Of each the head is where its branch is.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::process::command;
use crate::server::{Request, listen, serve};

/// A forge for one repository.
pub(crate) struct Forge {
    pub(crate) address: SocketAddr,
    repo: PathBuf,
    /// The branches of the pull requests, with the text of each.
    pulls: Mutex<BTreeMap<usize, (String, String)>>,
}

impl Forge {
    /// Starts it; it ends with the program.
    pub(crate) fn start(repo: PathBuf) -> anyhow::Result<Arc<Self>> {
        let (listener, address) = listen()?;
        let forge = Arc::new(Self { address, repo, pulls: Mutex::default() });
        let serving = Arc::clone(&forge);
        serve(listener, move |stream| serving.connection(stream));
        Ok(forge)
    }

    /// How many pull requests there are.
    pub(crate) fn count(&self) -> usize {
        self.pulls.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn connection(&self, stream: TcpStream) -> anyhow::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        while let Some(request) = Request::read(&mut stream)? {
            let body = self.answer(&request)?;
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
                Some(self.pull(number, &pulls[&number])?)
            }
            ("GET", "/pulls") => {
                let url = reqwest::Url::parse(&format!("http://localhost/?{query}"))?;
                let asked =
                    |key: &str| url.query_pairs().find(|(name, _)| name == key).map(|(_, value)| value);
                let (head, page) = (asked("head"), asked("page"));
                let is_asked = |branch: &str| head.as_ref().is_none_or(|head| head.as_ref() == branch);
                let first = page.is_none_or(|page| page == "1");
                let shown = pulls.iter().filter(|(_, (branch, _))| first && is_asked(branch));
                let shown: anyhow::Result<Vec<Value>> =
                    shown.map(|(number, pull)| self.pull(*number, pull)).collect();
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
                found.map(|(number, pull)| self.pull(number, pull)).transpose()?
            }
            ("POST" | "PATCH", _) => Some(json!({"id": 1, "number": 1, "html_url": "http://localhost/"})),
            _ => None,
        })
    }

    fn pull(&self, number: usize, (branch, body): &(String, String)) -> anyhow::Result<Value> {
        let tip = |name: &str| -> anyhow::Result<String> {
            let output = command("git").args(["rev-parse", name]).current_dir(&self.repo).output()?;
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        let side = |name: &str| -> anyhow::Result<Value> {
            let repo = json!({"full_name": "o/r"});
            Ok(
                json!({"label": name, "ref": name, "sha": tip(&format!("refs/heads/{name}"))?, "repo_id": 1, "repo": repo}),
            )
        };
        Ok(json!({
            "number": number, "html_url": format!("http://localhost/{number}"), "state": "open", "user": account(),
            "title": "Revert", "draft": false, "body": body, "created_at": "2026-11-24T10:00:00Z", "merged": false,
            "head": side(branch)?, "base": side("main")?, "merge_base": tip("main")?, "mergeable": true,
        }))
    }
}

fn account() -> Value {
    json!({"id": 7, "login": "backout"})
}
