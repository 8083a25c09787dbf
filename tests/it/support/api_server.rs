//! The part of Kubernetes' API that keeps leases: a small server inside the test, or a real kube-apiserver where `BACKOUT_TEST_APISERVER`
//! names a directory with its `url` and with an `account`, which `scripts/test-kubernetes` makes.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::command;
use super::fault::Reply;

const NAMESPACE: &str = "agents";
const TOKEN: &str = "the token of the account";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/agents/leases";

/// How the server of the test answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As it should.
    Well,
    /// Not at all, for as long as the client waits.
    Silent,
    /// With an error.
    Broken,
    /// It lets read, and refuses to write.
    ReadOnly,
}

/// A server of leases.
pub(crate) struct ApiServer {
    pub(crate) url: String,
    /// The directory of the service account.
    pub(crate) account: PathBuf,
    /// The directory of the real server, with its keys.
    real: Option<PathBuf>,
    own: Option<(Arc<Mutex<State>>, tempfile::TempDir)>,
}

struct State {
    mood: Mood,
    version: u64,
    leases: BTreeMap<String, Value>,
}

impl ApiServer {
    /// The real one where there is one, else that of the test.
    pub(crate) fn start() -> Self {
        let real = std::env::var_os("BACKOUT_TEST_APISERVER").map(PathBuf::from);
        real.map_or_else(Self::own, |directory| Self {
            url: std::fs::read_to_string(directory.join("url")).unwrap().trim().to_owned(),
            account: directory.join("account"),
            real: Some(directory),
            own: None,
        })
    }

    /// That of the test.
    pub(crate) fn own() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let account = tempfile::tempdir().unwrap();
        std::fs::write(account.path().join("namespace"), NAMESPACE).unwrap();
        std::fs::write(account.path().join("token"), format!("{TOKEN}\n")).unwrap();
        let state = State { mood: Mood::Well, version: 0, leases: BTreeMap::new() };
        let state = Arc::new(Mutex::new(state));
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&serving);
                std::thread::spawn(move || serve(stream.unwrap(), &state));
            }
        });
        Self { url, account: account.path().to_owned(), real: None, own: Some((state, account)) }
    }

    /// Has the server of the test answer otherwise from now on.
    pub(crate) fn turn(&self, mood: Mood) {
        let (state, _) = self.own.as_ref().expect("only the server of the test has moods");
        state.lock().unwrap().mood = mood;
    }

    /// The real one, with the account of the chart.
    pub(crate) fn of_chart(self) -> Self {
        Self { account: self.real().join("chart"), ..self }
    }

    /// The id of the real one's process.
    pub(crate) fn pid(&self) -> String {
        std::fs::read_to_string(self.real().join("pid")).unwrap()
    }

    fn real(&self) -> &Path {
        self.real.as_deref().expect("this needs a kube-apiserver: scripts/test-kubernetes")
    }

    /// Sends a request about leases as the account does; gives the status and what was answered. `name` follows the path of all leases.
    pub(crate) fn ask(&self, method: &str, name: &str, body: Option<&Value>) -> (u16, Value) {
        let namespace = self.read("namespace");
        let place = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases{name}");
        self.ask_at(method, &place, body)
    }

    /// Sends a request as the account does.
    pub(crate) fn ask_at(&self, method: &str, place: &str, body: Option<&Value>) -> (u16, Value) {
        self.send(&self.read("token"), (method, place), body)
    }

    /// Sends a request that may do everything, to a real server.
    pub(crate) fn ask_as_admin(&self, method: &str, place: &str, body: Option<&Value>) -> (u16, Value) {
        let token = std::fs::read_to_string(self.real().join("admin-token")).unwrap();
        self.send(token.trim(), (method, place), body)
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.account.join(file)).unwrap().trim().to_owned()
    }

    fn send(&self, token: &str, (method, place): (&str, &str), body: Option<&Value>) -> (u16, Value) {
        let mut curl = command("curl");
        curl.args(["-sS", "--noproxy", "*", "-w", "\n%{http_code}", "-X", method]);
        curl.arg(format!("{}{place}", self.url)).arg("-H").arg(format!("Authorization: Bearer {token}"));
        if self.account.join("ca.crt").exists() {
            curl.arg("--cacert").arg(self.account.join("ca.crt"));
        }
        if let Some(body) = body {
            curl.args(["-H", "Content-Type: application/json", "--data-binary", &body.to_string()]);
        }
        let output = curl.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (said, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(said).unwrap_or(Value::Null))
    }

    /// Who holds a lease; empty where nobody does.
    pub(crate) fn holder(&self, name: &str) -> String {
        let (_, lease) = self.ask("GET", &format!("/{name}"), None);
        lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    }

    /// Writes a lease over whatever is there, as somebody with this clock.
    pub(crate) fn write(&self, name: &str, holder: &str, renewed: &str, duration_secs: u32) {
        let spec = json!({
            "holderIdentity": holder,
            "leaseDurationSeconds": duration_secs,
            "acquireTime": renewed,
            "renewTime": renewed,
            "leaseTransitions": 0,
        });
        for _ in 0..20 {
            let (_, lease) = self.ask("GET", &format!("/{name}"), None);
            let version = &lease["metadata"]["resourceVersion"];
            let body = json!({
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "resourceVersion": version},
                "spec": spec,
            });
            let (status, _) = match version.is_string() {
                true => self.ask("PUT", &format!("/{name}"), Some(&body)),
                false => self.ask("POST", "", Some(&body)),
            };
            if matches!(status, 200 | 201) {
                return;
            }
        }
        panic!("the lease {name} is not written");
    }
}

/// Reads one request and answers it. A client that is killed while it asks is no fault of the server.
fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    let (head, body) = loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                break (head.to_owned(), body.to_owned());
            }
        }
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => request.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    };
    let mood = state.lock().unwrap().mood;
    if mood == Mood::Silent {
        // Until the other side hangs up.
        while stream.read(&mut chunk).is_ok_and(|read| read > 0) {}
        return;
    }
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (status, answer) = match mood {
        _ if !head.contains(&format!("Bearer {TOKEN}")) => failure(401, "Unauthorized"),
        Mood::Broken => failure(500, "etcdserver: request timed out"),
        Mood::ReadOnly if method != "GET" => failure(403, "leases is forbidden"),
        Mood::Well | Mood::ReadOnly | Mood::Silent => state.lock().unwrap().answer(method, path, &body),
    };
    let json = [("Content-Type", "application/json")];
    drop(stream.write_all(&Reply::new(status, &json, answer.to_string()).bytes));
}

impl State {
    fn answer(&mut self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let Some(name) = path.strip_prefix(LEASES) else { return failure(404, "page not found") };
        let mut sent: Value = serde_json::from_str(body).unwrap_or_default();
        let name = match method {
            "POST" => sent["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            _ => name.trim_start_matches('/').to_owned(),
        };
        let known = self.leases.get(&name);
        match (method, known) {
            ("GET", Some(lease)) => return (200, lease.clone()),
            ("GET" | "PUT", None) => return failure(404, &format!("leases \"{name}\" not found")),
            ("POST", Some(_)) => return failure(409, &format!("leases \"{name}\" already exists")),
            ("PUT", Some(lease))
                if lease["metadata"]["resourceVersion"] != sent["metadata"]["resourceVersion"] =>
            {
                return failure(409, "the object has been modified");
            }
            ("PUT" | "POST", _) => {}
            _ => return failure(405, "not this way"),
        }
        if let Some(wrong) = what_is_wrong(&sent["spec"]) {
            return failure(422, wrong);
        }
        self.version += 1;
        sent["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.leases.insert(name, sent.clone());
        (if method == "POST" { 201 } else { 200 }, sent)
    }
}

/// What the real server would not take.
fn what_is_wrong(spec: &Value) -> Option<&'static str> {
    // Go's time.Parse with RFC3339Micro: as many digits as that.
    let is_micro = |time: &Value| {
        time.is_null() || time.as_str().is_some_and(|time| time.len() == "2026-12-01T00:00:00.000000Z".len())
    };
    if !(is_micro(&spec["acquireTime"]) && is_micro(&spec["renewTime"])) {
        return Some("a time is no MicroTime");
    }
    if spec["leaseDurationSeconds"].as_i64().is_some_and(|secs| secs <= 0) {
        return Some("leaseDurationSeconds must be greater than 0");
    }
    spec["leaseTransitions"]
        .as_i64()
        .is_some_and(|count| count < 0)
        .then_some("leaseTransitions must not be negative")
}

fn failure(status: u16, message: &str) -> (u16, Value) {
    (
        status,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status}),
    )
}
