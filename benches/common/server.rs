//! One web server in this process: the range part of Prometheus' query API for as many services as there are, and the
//! repo over Git's smart HTTP through `git http-backend`. It counts what it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;

use crate::process::command;
use crate::repo;

/// What the server knows and counts.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    services: usize,
    /// The directory that holds the repo.
    root: PathBuf,
    /// The services that fail, each with since when.
    bad: Mutex<BTreeMap<usize, i64>>,
    requests: AtomicUsize,
    bytes: AtomicUsize,
    git_requests: AtomicUsize,
    git_bytes: AtomicUsize,
}

/// The requests to the server, and the bytes of its answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// Requests for metrics.
    pub(crate) requests: usize,
    /// The bytes of their answers.
    pub(crate) bytes: usize,
    /// Requests of Git.
    pub(crate) git_requests: usize,
    /// The bytes of the answers to Git.
    pub(crate) git_bytes: usize,
}

/// One request; the names of headers in lower case.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn read(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Option<Self>> {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace();
        let (method, target) = (words.next().context("no method")?, words.next().context("no path")?);
        let mut request = Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if request.header("expect").is_some() {
            stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let length = request.header("content-length").map_or(Ok(0), str::parse)?;
        request.body.resize(length, 0);
        stream.read_exact(&mut request.body)?;
        Ok(Some(request))
    }
}

/// A place for a server of this process.
pub(crate) fn listen() -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Answers each connection in a thread of its own, until the program ends.
pub(crate) fn serve(
    listener: TcpListener,
    answer: impl Fn(TcpStream) -> anyhow::Result<()> + Send + Sync + 'static,
) {
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                if let Err(error) = answer(stream) {
                    eprintln!("the server: {error:#}");
                }
            });
        }
    });
}

impl Server {
    /// Starts it; it ends with the program.
    pub(crate) fn start(services: usize, root: PathBuf) -> anyhow::Result<Arc<Self>> {
        let (listener, address) = listen()?;
        let server = Arc::new(Self {
            address,
            services,
            root,
            bad: Mutex::default(),
            requests: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            git_requests: AtomicUsize::new(0),
            git_bytes: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&server);
        serve(listener, move |stream| serving.connection(stream));
        Ok(server)
    }

    /// The configuration for its repo and its metrics; `environments` are lines of the configuration.
    pub(crate) fn config(&self, environments: &str) -> String {
        let address = self.address;
        format!(
            r#"repository: {{url: "http://{address}/env.git", cache: cache}}
environments:
{environments}metrics:
  prometheus: {{kind: prometheus, url: "http://{address}"}}
signals:
  errors: {{query: "sum by (app) (errors)", by: app, kind: error-ratio}}
  latency: {{query: "sum by (app) (latency)", by: app, kind: latency}}
  saturation: {{query: "sum by (app) (cpu)", by: app, kind: saturation}}
services:
  - pattern: "apps/{{service}}/{{environment}}/values.yaml"
"#
        )
    }

    /// From then on these services fail, and no others.
    pub(crate) fn fail(&self, bad: impl IntoIterator<Item = (usize, i64)>) {
        *self.bad.lock().unwrap_or_else(PoisonError::into_inner) = bad.into_iter().collect();
    }

    /// The requests since the last call, and the bytes of the answers.
    pub(crate) fn take_counts(&self) -> Counts {
        let taken = |counter: &AtomicUsize| counter.swap(0, Ordering::SeqCst);
        Counts {
            requests: taken(&self.requests),
            bytes: taken(&self.bytes),
            git_requests: taken(&self.git_requests),
            git_bytes: taken(&self.git_bytes),
        }
    }

    fn connection(&self, stream: TcpStream) -> anyhow::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        while let Some(request) = Request::read(&mut stream)? {
            let (head, body) = if request.target.starts_with("/api/v1/query_range") {
                let body = self.range(&request)?;
                self.requests.fetch_add(1, Ordering::SeqCst);
                self.bytes.fetch_add(body.len(), Ordering::SeqCst);
                ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n".to_owned(), body.into_bytes())
            } else {
                let (head, body) = self.git(&request)?;
                self.git_requests.fetch_add(1, Ordering::SeqCst);
                self.git_bytes.fetch_add(body.len(), Ordering::SeqCst);
                (head, body)
            };
            let out = stream.get_mut();
            out.write_all(format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes())?;
            out.write_all(&body)?;
        }
        Ok(())
    }

    /// Asks `git http-backend`, which speaks CGI. See <https://git-scm.com/docs/git-http-backend>.
    fn git(&self, request: &Request) -> anyhow::Result<(String, Vec<u8>)> {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let mut git = command("git");
        git.arg("http-backend")
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("REQUEST_METHOD", &request.method)
            .env("REMOTE_ADDR", "127.0.0.1")
            .env("CONTENT_LENGTH", request.body.len().to_string());
        for (header, variable) in [
            ("content-type", "CONTENT_TYPE"),
            ("content-encoding", "HTTP_CONTENT_ENCODING"),
            ("git-protocol", "GIT_PROTOCOL"),
        ] {
            if let Some(value) = request.header(header) {
                git.env(variable, value);
            }
        }
        let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("no pipe to git")?;
        let body = request.body.clone();
        let writer = std::thread::spawn(move || stdin.write_all(&body));
        let output = child.wait_with_output()?.stdout;
        writer.join().ok().context("the thread that writes to git has ended")??;
        let end = output.windows(4).position(|four| four == b"\r\n\r\n").context("git sent no headers")?;
        let headers = std::str::from_utf8(&output[..end])?;
        let status = headers.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
        Ok((format!("HTTP/1.1 {status}\r\n{headers}\r\n"), output[end + 4..].to_vec()))
    }

    /// The answer to a range query: every service, or those that the query names.
    fn range(&self, request: &Request) -> anyhow::Result<String> {
        let (_, query) = request.target.split_once('?').unwrap_or_default();
        let body = std::str::from_utf8(&request.body)?;
        let url = reqwest::Url::parse(&format!("http://localhost/?{query}&{body}"))?;
        let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
        let number = |name: &str| anyhow::Ok(value(name).context("a parameter is missing")?.parse::<i64>()?);
        let (start, end, step) = (number("start")?, number("end")?, number("step")?);
        let query = value("query").context("no query")?;
        // Narrowed from outside by the program, or from inside by hand.
        let mut named: BTreeSet<&str> = BTreeSet::new();
        for mark in ["\"app\", \"", "app=\""] {
            named.extend(query.split(mark).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)));
        }
        let scale = if query.contains("errors") { 0.01 } else { 1.0 };
        let good: Vec<String> = (0..64).map(|n| format!("\"{}\"", scale * level(n))).collect();
        let worse: Vec<String> = (0..64).map(|n| format!("\"{}\"", scale * level(n) * 40.0)).collect();
        let bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut text = String::from(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
        let mut first = true;
        for index in 0..self.services {
            let name = repo::service(index);
            if !named.is_empty() && !named.contains(name.as_str()) {
                continue;
            }
            let comma = if first { "" } else { "," };
            first = false;
            write!(text, r#"{comma}{{"metric":{{"app":"{name}"}},"values":["#)?;
            let mut at = start;
            while at <= end {
                let fails = bad.get(&index).is_some_and(|since| at > *since);
                let levels = if fails { &worse } else { &good };
                let nth = (at / step).unsigned_abs() as usize * 31 + index * 17;
                let comma = if at == start { "" } else { "," };
                write!(text, "{comma}[{at},{}]", levels[nth % levels.len()])?;
                at += step;
            }
            text.push_str("]}");
        }
        text.push_str("]}}");
        Ok(text)
    }
}

/// Noise around one, with as many digits as real answers have.
fn level(nth: u32) -> f64 {
    1.0 + 0.2 * (f64::from(nth) * 2.399_963_229_728_653).sin()
}
