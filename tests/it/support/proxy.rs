//! A proxy in front of a real server, which can be told to fail in every way and to work again.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::fault::Reply;

/// What becomes of a request.
#[derive(Clone)]
pub(crate) enum Turn {
    /// It is handed on.
    Forward,
    /// It is answered like this.
    Reply(Reply),
    /// It is handed on, and only so many bytes of the answer come back.
    Cut(usize),
    /// It is never answered.
    Hang,
}

struct State {
    turn: Turn,
    requests: Vec<String>,
}

/// The running proxy. Its threads end with the test program.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Starts it in front of the server at `url`, forwarding.
    pub(crate) fn start(url: &str) -> Self {
        let target = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { turn: Turn::Forward, requests: Vec::new() }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state, target) = (stream.unwrap(), Arc::clone(&shared), target.clone());
                std::thread::spawn(move || serve(stream, &state, &target));
            }
        });
        Self { address, state }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says what becomes of the requests from now on.
    pub(crate) fn turn(&self, turn: Turn) {
        self.state.lock().unwrap().turn = turn;
    }

    /// The requests so far: head and body of each.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

/// Serves one request of a connection, and closes it.
fn serve(mut stream: TcpStream, state: &Mutex<State>, target: &str) {
    let Some(request) = read_request(&mut stream) else { return };
    let turn = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        state.turn.clone()
    };
    let answer = match turn {
        Turn::Forward => forward(&request, target),
        Turn::Reply(reply) => reply.bytes,
        Turn::Cut(length) => {
            let mut answer = forward(&request, target);
            answer.truncate(length);
            answer
        }
        Turn::Hang => {
            // Until the client gives up.
            let mut rest = [0; 1];
            drop(stream.read(&mut rest));
            return;
        }
    };
    // The client may have hung up, which is its right.
    drop(stream.write_all(&answer));
}

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut chunk = [0; 65_536];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => request.extend_from_slice(&chunk[..read]),
            _ => return None,
        }
    }
}

/// The whole answer of the server, which closes the connection after it.
fn forward(request: &str, target: &str) -> Vec<u8> {
    let mut server = TcpStream::connect(target).unwrap();
    let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    server.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).unwrap();
    answer
}
