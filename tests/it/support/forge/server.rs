//! The forge's HTTP server: it reads requests, hands them to the face, and fails where it is told to.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Face, State, gitea, github, gitlab};
use crate::support::eventually;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// The path, percent-decoded piece by piece, without what the face has in front of all.
    pub(crate) path: Vec<String>,
    /// The query, decoded.
    pub(crate) query: BTreeMap<String, String>,
    /// The path and the query as they were sent.
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Option<Value>,
}

impl Asked {
    /// Method and path, for people and for counting: `POST /repos/shop/environments/pulls`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.target.split('?').next().unwrap())
    }

    /// Whether it may change something.
    pub(crate) fn writes(&self) -> bool {
        let is_query = self.body.as_ref().is_some_and(|body| {
            body.get("query").and_then(Value::as_str).is_some_and(|query| query.starts_with("query"))
        });
        let is_login = self.target.ends_with("/access_tokens");
        self.method != "GET" && !is_query && !is_login
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Reply {
    /// An answer with a body.
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// A refusal with a message.
    pub(crate) fn no(status: u16, message: &str) -> Self {
        Self::json(status, serde_json::json!({"message": message}))
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What becomes of a request.
pub(crate) enum Fate {
    /// It is answered.
    Go,
    /// It is answered like this, and nothing is done.
    Instead(Reply),
    /// It is done, and this is the answer all the same.
    Lost(Reply),
    /// Whoever asks is killed before anything is done.
    DieBefore,
    /// Whoever asks is killed after it is done.
    DieAfter,
}

type Fates = Box<dyn FnMut(usize, &Asked) -> Fate + Send>;

struct Shared {
    face: Face,
    state: Mutex<State>,
    log: Mutex<Vec<Asked>>,
    /// Every request there ever was.
    all: Mutex<Vec<Asked>>,
    fates: Mutex<Fates>,
    /// The process to kill.
    victim: Mutex<Option<Arc<Mutex<Child>>>>,
    /// How often "not modified" was answered.
    unmodified: Mutex<usize>,
}

/// The running forge. Its threads end with the test program.
pub(crate) struct SimForge {
    shared: Arc<Shared>,
    url: String,
}

impl SimForge {
    /// Starts it over a bare repository.
    pub(crate) fn start(face: Face, repository: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State::new(PathBuf::from(repository), url.clone());
        let shared = Arc::new(Shared {
            face,
            state: Mutex::new(state),
            log: Mutex::default(),
            all: Mutex::default(),
            fates: Mutex::new(Box::new(|_, _| Fate::Go)),
            victim: Mutex::default(),
            unmodified: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&serving));
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { shared, url }
    }

    /// Where its API is.
    pub(crate) fn url(&self) -> String {
        match self.shared.face {
            Face::GitHub => self.url.clone(),
            Face::GitLab => format!("{}/api/v4", self.url),
            Face::Gitea => format!("{}/api/v1", self.url),
        }
    }

    /// What it knows, to look at and to change.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.shared.state.lock().unwrap();
        state.tick();
        state
    }

    /// Says what becomes of the requests from now on, by their numbers.
    pub(crate) fn fates(&self, fates: impl FnMut(usize, &Asked) -> Fate + Send + 'static) {
        self.shared.log.lock().unwrap().clear();
        *self.shared.fates.lock().unwrap() = Box::new(fates);
    }

    /// The requests since the fates were last said.
    pub(crate) fn log(&self) -> Vec<Asked> {
        self.shared.log.lock().unwrap().clone()
    }

    /// The requests that may change something, since the fates were last said.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.log().iter().filter(|asked| asked.writes()).map(Asked::line).collect()
    }

    /// Starts a program that a fate may kill, and waits for its end.
    pub(crate) fn run_victim(&self, mut program: Command) -> ExitStatus {
        let child = Arc::new(Mutex::new(program.spawn().unwrap()));
        *self.shared.victim.lock().unwrap() = Some(Arc::clone(&child));
        let status = loop {
            if let Some(status) = child.lock().unwrap().try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        *self.shared.victim.lock().unwrap() = None;
        status
    }

    /// How often "not modified" was answered.
    pub(crate) fn unmodified(&self) -> usize {
        *self.shared.unmodified.lock().unwrap()
    }

    /// Every request there ever was.
    pub(crate) fn all(&self) -> Vec<Asked> {
        self.shared.all.lock().unwrap().clone()
    }
}

impl Drop for SimForge {
    /// Whatever a test is about: nothing was sent that the forge's own description does not allow.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let all = self.all();
        let complaints = match self.shared.face {
            Face::GitHub => github::complaints(&all),
            Face::GitLab => gitlab::complaints(&all),
            Face::Gitea => gitea::complaints(&all),
        };
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) {
    while let Some(asked) = read(&mut stream) {
        let number = {
            let mut log = shared.log.lock().unwrap();
            shared.all.lock().unwrap().push(asked.clone());
            log.push(asked.clone());
            log.len() - 1
        };
        let fate = (shared.fates.lock().unwrap())(number, &asked);
        let reply = match fate {
            Fate::Go => answer(shared, &asked),
            Fate::Instead(reply) => reply,
            Fate::Lost(reply) => {
                answer(shared, &asked);
                reply
            }
            Fate::DieBefore => return kill(shared),
            Fate::DieAfter => {
                answer(shared, &asked);
                return kill(shared);
            }
        };
        // The client may have hung up, which is its right.
        if stream.write_all(&bytes(&conditional(shared, &asked, reply))).is_err() {
            return;
        }
    }
}

/// Kills the agent, and waits until it is dead: it must not see its connection close.
fn kill(shared: &Shared) {
    let is_known = eventually(|| shared.victim.lock().unwrap().is_some());
    assert!(is_known, "nobody said whom to kill");
    let victim = shared.victim.lock().unwrap().clone().unwrap();
    victim.lock().unwrap().kill().unwrap();
    assert!(eventually(|| victim.lock().unwrap().try_wait().unwrap().is_some()), "the agent does not die");
}

fn answer(shared: &Shared, asked: &Asked) -> Reply {
    let mut state = shared.state.lock().unwrap();
    state.tick();
    let reply = match shared.face {
        Face::GitHub => github::answer(&mut state, asked),
        Face::GitLab => gitlab::answer(&mut state, asked),
        Face::Gitea => gitea::answer(&mut state, asked),
    };
    state.tick();
    reply
}

/// Gives the answer a tag, or says that it is the same as before.
fn conditional(shared: &Shared, asked: &Asked, reply: Reply) -> Reply {
    if asked.method != "GET" || reply.status != 200 {
        return reply;
    }
    let digest = Sha256::digest(reply.body.to_string().as_bytes());
    let tag = format!("\"{}\"", digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>());
    if asked.headers.get("if-none-match") == Some(&tag) {
        *shared.unmodified.lock().unwrap() += 1;
        return Reply::json(304, Value::Null).with("ETag", &tag);
    }
    reply.with("ETag", &tag)
}

fn bytes(reply: &Reply) -> Vec<u8> {
    let body = if reply.body.is_null() { String::new() } else { reply.body.to_string() };
    let mut head = format!("HTTP/1.1 {} x\r\nContent-Type: application/json\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !matches!(reply.status, 204 | 304) {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    format!("{head}\r\n{body}").into_bytes()
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut request = Vec::new();
    let mut chunk = [0; 65_536];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let first = lines.next()?.to_owned();
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned()))
                .collect();
            let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(parsed(&first, headers, body));
            }
        }
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => request.extend_from_slice(&chunk[..read]),
            _ => return None,
        }
    }
}

fn parsed(first: &str, headers: BTreeMap<String, String>, body: &str) -> Asked {
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let path = path.split('/').filter(|piece| !piece.is_empty()).map(decoded).collect();
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    let query = query.split('&').filter(|text| !text.is_empty()).map(pair).collect();
    let body = (!body.is_empty()).then(|| serde_json::from_str(body).unwrap());
    Asked { method, path, query, target, headers, body }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned()
}
