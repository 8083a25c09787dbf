//! A real VictoriaMetrics (a single node) with a history.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::prometheus::program;

/// A VictoriaMetrics on a free port of 127.0.0.1, with its data in a directory of its own. Stopped on drop.
pub(crate) struct VictoriaMetrics {
    child: Child,
    port: u16,
    _directory: TempDir,
}

impl VictoriaMetrics {
    /// Starts it with this history, in Prometheus' text format with timestamps in milliseconds.
    pub(crate) fn start(history: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = program("victoria-metrics")
            .arg(format!("-storageDataPath={}", directory.path().join("data").display()))
            .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
            .arg("-retentionPeriod=20y")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, port, _directory: directory };
        server.wait_until_ready();
        assert!(server.post("/api/v1/import/prometheus", history).starts_with("HTTP/1.1 204"));
        assert!(server.post("/internal/force_flush", "").starts_with("HTTP/1.1 200"));
        server
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn wait_until_ready(&self) {
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("victoria-metrics did not start");
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

impl Drop for VictoriaMetrics {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
