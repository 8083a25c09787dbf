//! A metric server inside the test that answers at once: values are a function of the service and the time.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fault::Reply;

/// The value of a service's series at a time in seconds since 1970; none where there is no sample.
type Value = dyn Fn(&str, i64) -> Option<f64> + Send + Sync;

/// The running server, which speaks `query_range`. Its threads end with the test program.
pub(crate) struct MetricServer {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl MetricServer {
    /// Starts it. Whatever the query is, the answer has one series for each service, with the label `service`.
    pub(crate) fn start(
        services: &'static [&'static str],
        value: impl Fn(&str, i64) -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let (count, value) = (Arc::clone(&requests), Arc::new(value));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (count, value) = (Arc::clone(&count), Arc::clone(&value));
                std::thread::spawn(move || serve(stream.unwrap(), services, value.as_ref(), &count));
            }
        });
        Self { address, requests }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests it has answered.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Reads one request and answers it. A client that is killed while it asks is no fault of the server.
fn serve(mut stream: TcpStream, services: &[&str], value: &Value, count: &AtomicUsize) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    let body = loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                break body.to_owned();
            }
        }
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => request.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    };
    count.fetch_add(1, Ordering::SeqCst);
    let json = [("Content-Type", "application/json")];
    drop(stream.write_all(&Reply::new(200, &json, answer(&body, services, value)).bytes));
}

fn answer(form: &str, services: &[&str], value: &Value) -> String {
    let number = |name: &str| -> i64 {
        let pair = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.expect("every range query has a start, an end and a step").parse().unwrap()
    };
    let (start, end, step) = (number("start"), number("end"), number("step"));
    let series = |service: &&str| {
        let times = (0..).map(|index| start + index * step).take_while(|at| *at <= end);
        let sample = |at| Some(format!("[{at},\"{}\"]", value(service, at)?));
        let samples: Vec<String> = times.filter_map(sample).collect();
        format!("{{\"metric\":{{\"service\":\"{service}\"}},\"values\":[{}]}}", samples.join(","))
    };
    let all: Vec<String> = services.iter().map(series).collect();
    let result = all.join(",");
    format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{result}]}}}}")
}
