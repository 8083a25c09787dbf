//! A real VictoriaMetrics (a single node) with a history.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use tempfile::TempDir;

use super::Server;
use super::prometheus::program;

/// A VictoriaMetrics on a free port of 127.0.0.1, with its data in a directory of its own. Stopped on drop.
pub(crate) struct VictoriaMetrics {
    _server: Server,
    port: u16,
    _directory: TempDir,
}

impl VictoriaMetrics {
    /// Starts it with this history, in Prometheus' text format with timestamps in milliseconds.
    pub(crate) fn start(history: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let start = |port| {
            let mut start = program("victoria-metrics");
            start
                .arg(format!("-storageDataPath={}", directory.path().join("data").display()))
                .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
                .arg("-retentionPeriod=20y")
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            start
        };
        let started = Server::on_free_port(start, |port| TcpStream::connect(("127.0.0.1", port)).is_ok());
        let (server, port) = started.expect("victoria-metrics did not start");
        let server = Self { _server: server, port, _directory: directory };
        assert!(server.post("/api/v1/import/prometheus", history).starts_with("HTTP/1.1 204"));
        assert!(server.post("/internal/force_flush", "").starts_with("HTTP/1.1 200"));
        server
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn post(&self, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}
