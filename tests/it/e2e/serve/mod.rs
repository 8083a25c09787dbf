//! The daemon's server: health, metrics and webhooks, asked over HTTP.

mod alertmanager;
mod github;
mod hooks;
mod pages;
mod reload;
mod shown;

use std::fs::File;
use std::io::Read as _;
use std::process::Child;
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use reqwest::{Client, Method, StatusCode};
use sha2::Sha256;
use tokio::runtime::Runtime;

use backout::adapters::http::{HttpOptions, client_for};

use super::daemon::{ended, terminate};
use super::stage::{Config, Stage};
use crate::support::eventually;

/// The secret of each webhook.
const SECRET: &str = "a secret of the webhooks";

/// A daemon with a server, whose passes are an hour apart unless it is woken. Killed on drop.
struct Daemon {
    child: Option<Child>,
    url: String,
    client: Client,
    runtime: Runtime,
}

/// A webhook as the configuration has it.
fn hook(sender: &str) -> String {
    format!("{sender}: {{sender: {sender}, secret: {{env: HOOK_SECRET}}}}")
}

impl Daemon {
    /// Starts it with these webhooks, and waits until its first pass is over.
    fn start(stage: &mut Stage, config: &Config, senders: &[&str]) -> Self {
        let hooks: Vec<String> = senders.iter().map(|sender| hook(sender)).collect();
        Self::start_with(stage, config, &format!("hooks: {{{}}}", hooks.join(", ")))
    }

    /// The same with more keys of `run`.
    fn start_with(stage: &mut Stage, config: &Config, more: &str) -> Self {
        let run = format!("run: {{interval: 1h, listen: \"127.0.0.1:0\", {more}}}\n");
        stage.configure(&Config { run, ..config.clone() });
        stage.variables.push(("HOOK_SECRET".to_owned(), SECRET.to_owned()));
        let log = stage.home.path().join("log");
        let mut program = stage.program(&["run"]);
        let file = File::create(&log).unwrap();
        let child = program.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let read = || std::fs::read_to_string(&log).unwrap();
        let mut address = None;
        let listens = eventually(|| {
            let log = read();
            let told = log.split_once("listening").and_then(|(_, rest)| rest.split_once("127.0.0.1:"));
            address = told.map(|(_, rest)| {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                format!("http://127.0.0.1:{port}")
            });
            address.is_some()
        });
        assert!(listens, "{}", read());
        let url = address.unwrap();
        let client = client_for(&url.parse().unwrap(), &HttpOptions::default()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let daemon = Self { child: Some(child), url, client, runtime };
        assert!(eventually(|| daemon.passes() >= 1), "no first pass: {}", read());
        daemon
    }

    /// Sends a request, and returns the status and the body of the answer.
    fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, String) {
        self.runtime.block_on(async {
            // No connection is kept: the server ends those that are quiet for long.
            let mut request = self
                .client
                .request(method, format!("{}{path}", self.url))
                .header("connection", "close")
                .body(body.to_owned());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = request.send().await.unwrap();
            (answer.status(), answer.text().await.unwrap())
        })
    }

    fn get(&self, path: &str) -> (StatusCode, String) {
        self.ask(Method::GET, path, &[], "")
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, String) {
        self.ask(Method::POST, path, headers, body)
    }

    /// How many passes have ended.
    fn passes(&self) -> usize {
        let (_, metrics) = self.get("/metrics");
        let counts = metrics.lines().filter(|line| line.starts_with("backout_passes_total{"));
        counts.map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap()).sum()
    }

    /// The value of a series, as it is printed; none where it is not there.
    fn value(&self, series: &str) -> Option<String> {
        let (_, metrics) = self.get("/metrics");
        metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned))
    }

    /// Ends it, and returns what it has written.
    fn end(mut self, stage: &Stage) -> String {
        let child = self.child.take().unwrap();
        terminate(&child);
        let output = ended(child);
        let log = std::fs::read_to_string(stage.home.path().join("log")).unwrap();
        assert_eq!(output.status.code(), Some(0), "{log}");
        log
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// The HMAC-SHA-256 of a body by the secret, in hexadecimal.
fn signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Time in which what must not happen would.
fn a_while() {
    std::thread::sleep(Duration::from_millis(1_500));
}

/// Reads a file of text.
fn text_of(path: &std::path::Path) -> String {
    let mut text = String::new();
    File::open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}
