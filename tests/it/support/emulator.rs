//! A simulated GitHub: the program `emulate`, which keeps repositories, pull requests and their rules in memory.
//!
//! What it does not have answers 404: GraphQL (but for whose a token is), commit statuses, the pull requests of a commit,
//! rule sets, and Git over HTTP. The head of a pull request stays what it was when it was opened.

use std::fs;
use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use backout::adapters::http::{HttpOptions, client_for};

use super::npm::node;
use super::{Server, command, installed};

/// The owner of the repository, who may do everything.
pub(crate) const OWNER: &str = "acme";
/// The name of the repository. It is private, and its default branch is `main`.
pub(crate) const REPO: &str = "environments";
/// The path of the file on its branch `main`, beside a README.
pub(crate) const FILE: &str = "production/web.yaml";
/// The text of that file.
pub(crate) const TEXT: &str = "image: web\ntag: 1.2.3\n";
/// The check without which nothing is merged into `main`.
pub(crate) const CHECK: &str = "lint";
/// The id of the GitHub App.
pub(crate) const APP_ID: u64 = 12_345;
/// The id of its installation on the repository.
pub(crate) const INSTALLATION: u64 = 678;
/// A token of the owner.
pub(crate) const ADMIN_TOKEN: &str = "token-of-the-owner";

/// The simulated GitHub on a free port of 127.0.0.1. Stopped on drop.
pub(crate) struct Emulator {
    url: String,
    private_key: String,
    client: reqwest::Client,
    _server: Server,
    _directory: TempDir,
}

impl Emulator {
    /// Starts it with a repository, a GitHub App that is installed on it, and a protected branch.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let [key, line] = ["app.pem", "ready"].map(|name| directory.path().join(name));
        let mut openssl = command(&installed("openssl", "openssl"));
        let made = openssl.args(["genrsa", "-out"]).arg(&key).arg("2048").stderr(Stdio::null()).status();
        assert!(made.unwrap().success(), "openssl makes no key");
        let emulator = |port: u16| {
            let arguments = json!({
                "port": port,
                "owner": OWNER,
                "repo": REPO,
                "file": {"path": FILE, "text": TEXT},
                "admin": ADMIN_TOKEN,
                "app": {"id": APP_ID, "slug": "backout", "installation": INSTALLATION, "private_key": key},
                "check": CHECK,
            });
            let mut emulator = node("emulator.mjs");
            emulator.arg(arguments.to_string()).stdout(fs::File::create(&line).unwrap());
            emulator
        };
        let said = || fs::read_to_string(&line).unwrap();
        let started = Server::on_free_port(emulator, |_| said().ends_with('\n'));
        let (server, _) = started.expect("the simulated GitHub did not start");
        let ready: Value = serde_json::from_str(&said()).unwrap();
        let url = ready["url"].as_str().unwrap().to_owned();
        Self {
            client: client_for(&url.parse().unwrap(), &HttpOptions::default()).unwrap(),
            url,
            private_key: fs::read_to_string(&key).unwrap(),
            _server: server,
            _directory: directory,
        }
    }

    /// Its address, which is the one of the REST API.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The private key of the GitHub App, in PEM.
    pub(crate) fn private_key(&self) -> &str {
        &self.private_key
    }

    /// The status and the JSON of the answer to a request of the owner; null where there is no JSON.
    pub(crate) async fn request(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.request_as(ADMIN_TOKEN, method, path, body).await
    }

    /// The same with another token.
    pub(crate) async fn request_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let answer = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }
}
