//! A server that answers as it is told, byte for byte, so that it can be wrong in every way.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// An answer on the wire.
#[derive(Clone)]
pub(crate) struct Reply {
    /// What is sent; the connection is closed after it.
    pub(crate) bytes: Vec<u8>,
    /// Whether nothing is sent for as long as the client waits.
    hangs: bool,
}

impl Reply {
    /// A well-formed answer.
    pub(crate) fn new(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut head =
            format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        Self { bytes: [head.as_bytes(), body].concat(), hangs: false }
    }

    /// The same, cut off.
    pub(crate) fn cut(mut self, left: usize) -> Self {
        self.bytes.truncate(left);
        self
    }

    /// No answer, for as long as the client waits.
    pub(crate) fn never() -> Self {
        Self { bytes: Vec::new(), hangs: true }
    }
}

/// The running server. Its thread ends with the test program.
pub(crate) struct FaultServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl FaultServer {
    /// Starts it. It gives one reply after the other, and then the last one for ever.
    pub(crate) fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let reply = replies.get(index).or(replies.last()).cloned().unwrap();
                let (stream, seen) = (stream.unwrap(), Arc::clone(&seen));
                std::thread::spawn(move || answer(stream, &reply, &seen));
            }
        });
        Self { address, requests }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far: head and body of each.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, reply: &Reply, seen: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                seen.lock().unwrap().push(text);
                break;
            }
        }
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => request.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    }
    if reply.hangs {
        drop(stream.read(&mut chunk));
    }
    // The client may have hung up, which is its right.
    drop(stream.write_all(&reply.bytes));
}
