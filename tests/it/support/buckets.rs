//! A simulated S3: the program `emulate`, which keeps buckets in memory. It takes every host for itself, so that it can be put in the
//! place of a proxy: whoever asks Amazon or Google through it asks it.

use std::fs;

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use backout::adapters::http::{HttpOptions, client_for};

use super::Server;
use super::npm::node;

/// A simulated S3 on a free port of 127.0.0.1. Stopped on drop.
pub(crate) struct Buckets {
    url: String,
    client: Client,
    _server: Server,
    _directory: TempDir,
}

impl Buckets {
    /// Starts it with this bucket, which is empty.
    pub(crate) fn start(bucket: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let line = directory.path().join("ready");
        let buckets = |port: u16| {
            let mut buckets = node("buckets.mjs");
            let arguments = json!({"port": port, "bucket": bucket});
            buckets.arg(arguments.to_string()).stdout(fs::File::create(&line).unwrap());
            buckets
        };
        let said = || fs::read_to_string(&line).unwrap();
        let started = Server::on_free_port(buckets, |_| said().ends_with('\n'));
        let (server, _) = started.expect("the simulated S3 did not start");
        let ready: Value = serde_json::from_str(&said()).unwrap();
        let url = ready["url"].as_str().unwrap().to_owned();
        let client = client_for(&url.parse().unwrap(), &HttpOptions::default()).unwrap();
        Self { url, client, _server: server, _directory: directory }
    }

    /// Its address, also as a proxy.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Writes a file.
    pub(crate) async fn put(&self, path: &str, body: &'static str) {
        let answer = self.client.put(format!("{}/{path}", self.url)).body(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    /// Removes one.
    pub(crate) async fn remove(&self, path: &str) {
        let answer = self.client.delete(format!("{}/{path}", self.url)).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }
}
