//! The metrics of all end-to-end tests: a Prometheus with two hours of history that reach a little beyond now.
//!
//! The history is only read, so that tests share it. Namespaces keep their services apart. Minutes count from the
//! history's now, and the program under test goes by the real time: so a test that begins when the history has grown old
//! gets a new one, and has as much time as the first.

use std::fmt::Write as _;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use crate::support::prometheus::{READY, program, run};
use crate::support::{command, eventually, free_port};

/// Seconds between two samples of a service.
const STEP: i64 = 15;
/// How far the history reaches back, and ahead.
const PAST: i64 = 110 * 60;
const FUTURE: i64 = 25 * 60;

/// How many services the namespace `many` has.
pub(super) const MANY: usize = 1_000;

/// A service: its namespace, its name, and the minutes (from now) between which it fails. `99` has no end.
type Service = (&'static str, &'static str, &'static [(i64, i64)]);

/// It fails since 11 minutes.
const LATELY: &[(i64, i64)] = &[(-11, 99)];

const SERVICES: [Service; 35] = [
    ("shop", "checkout", LATELY),
    ("shop", "catalog", &[]),
    ("shop", "ledger", &[(-50, 99)]),
    ("orders", "orders", LATELY),
    ("stock", "stock", LATELY),
    ("users", "users", LATELY),
    ("shop", "front", &[]),
    ("shop", "mail", &[]),
    ("one", "web", LATELY),
    ("one", "calm-1", &[]),
    ("one", "calm-2", &[]),
    ("fine", "web", &[]),
    ("fine", "calm-1", &[]),
    ("fine", "calm-2", &[]),
    ("pair", "api", &[(-17, 99)]),
    ("pair", "web", LATELY),
    ("pair", "calm-1", &[]),
    ("pair", "calm-2", &[]),
    ("half", "api", &[]),
    ("half", "web", LATELY),
    ("half", "calm-1", &[]),
    ("half", "calm-2", &[]),
    ("trio", "api", LATELY),
    ("trio", "jobs", LATELY),
    ("trio", "web", LATELY),
    ("trio", "calm-1", &[]),
    ("trio", "calm-2", &[]),
    ("everywhere", "web", LATELY),
    ("everywhere", "api", LATELY),
    ("everywhere", "jobs", LATELY),
    ("again", "web", &[(-40, -30), (-11, 99)]),
    ("again", "calm-1", &[]),
    ("healed", "web", &[(-40, -27)]),
    ("stuck", "web", &[(-40, 99)]),
    ("late", "web", &[(-30, -17)]),
];

/// A running Prometheus.
pub(super) struct Metrics {
    /// Its address.
    pub(super) url: String,
    /// The moment that the minutes of the history count from.
    pub(super) now: i64,
    /// Its standard input is closed when no test needs it any more, or when the tests end, however they do. That ends
    /// the server.
    _shell: Child,
}

/// How old a history's now may be when a test begins, in seconds.
const MAX_AGE: i64 = 150;

/// The Prometheus of a test that begins now.
pub(super) fn metrics() -> Arc<Metrics> {
    static NEWEST: Mutex<Option<Arc<Metrics>>> = Mutex::new(None);
    let mut newest = NEWEST.lock().unwrap_or_else(PoisonError::into_inner);
    match &*newest {
        Some(metrics) if clock() - metrics.now <= MAX_AGE => Arc::clone(metrics),
        Some(_) | None => Arc::clone(newest.insert(Arc::new(start()))),
    }
}

/// Now, in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the program under test reads the clock too")]
pub(super) fn clock() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

fn start() -> Metrics {
    let now = clock() / 60 * 60;
    let directory = tempfile::tempdir().unwrap().keep();
    let path = |name: &str| directory.join(name);
    std::fs::write(path("history"), history(now)).unwrap();
    std::fs::write(path("prometheus.yml"), "scrape_configs: []\n").unwrap();
    let backfill = ["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=168h"];
    run(program("promtool").args(backfill).arg(path("history")).arg(path("data")));
    for _ in 0..5 {
        let port = free_port();
        // The shell ends the server, and deletes its data, when its standard input ends with this program.
        let script =
            r#""$@" 2>"$0/log" & server=$!; read -r _; kill "$server"; wait "$server"; rm -rf -- "$0""#;
        let mut shell = command("sh")
            .args(["-c", script])
            .arg(&directory)
            .arg("prometheus")
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--storage.tsdb.retention.time=20y")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        if is_ready(&path("log")) {
            return Metrics { url: format!("http://127.0.0.1:{port}"), now, _shell: shell };
        }
        // The port was taken in the meantime. Its data must outlive this shell.
        shell.kill().unwrap();
        shell.wait().unwrap();
    }
    panic!("prometheus did not start:\n{}", std::fs::read_to_string(path("log")).unwrap());
}

fn is_ready(log: &std::path::Path) -> bool {
    let text = || std::fs::read_to_string(log).unwrap_or_default();
    eventually(|| text().contains(READY) || text().contains("address already in use"))
        && text().contains(READY)
}

/// The whole history in OpenMetrics' text format.
fn history(now: i64) -> String {
    let mut text = "# TYPE requests counter\n".to_owned();
    for service in SERVICES {
        requests(&mut text, service, now);
    }
    text.push_str("# TYPE request_seconds counter\n");
    for service in SERVICES {
        seconds(&mut text, service, now);
    }
    text.push_str("# TYPE load gauge\n");
    for number in 0..MANY {
        load(&mut text, number, now);
    }
    text + "# EOF\n"
}

fn moments() -> impl Iterator<Item = i64> {
    (-PAST..=FUTURE).step_by(usize::try_from(STEP).unwrap())
}

fn fails(service: Service, moment: i64) -> bool {
    service.2.iter().any(|(from, to)| from * 60 <= moment && moment < to * 60)
}

/// Real traffic is never quite even: a number between 0 and 1 that belongs to a service and a moment.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn uneven(service: Service, moment: i64) -> f64 {
    let seed = service.1.bytes().fold(moment.unsigned_abs(), |sum, byte| sum * 31 + u64::from(byte));
    (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / (1 << 24) as f64
}

/// About 20 requests a second; of these 0.2 % fail, or 30 %.
fn requests(text: &mut String, service: Service, now: i64) {
    for code in ["200", "500"] {
        let mut total = 1_000.0;
        for moment in moments() {
            let share = if fails(service, moment) { 0.3 } else { 0.002 };
            let share = if code == "500" { share } else { 1.0 - share };
            total += 15.0 * (18.0 + 4.0 * uneven(service, moment)) * share;
            let (namespace, app, _) = service;
            let labels = format!("namespace=\"{namespace}\",app=\"{app}\",code=\"{code}\"");
            writeln!(text, "requests_total{{{labels}}} {total:.3} {}", now + moment).unwrap();
        }
    }
}

/// About 50 ms a request, or 250 ms.
fn seconds(text: &mut String, service: Service, now: i64) {
    let mut total = 50.0;
    for moment in moments() {
        let each = if fails(service, moment) { 0.25 } else { 0.05 };
        total += 15.0 * 20.0 * each * (0.95 + 0.1 * uneven(service, moment));
        let (namespace, app, _) = service;
        let labels = format!("namespace=\"{namespace}\",app=\"{app}\"");
        writeln!(text, "request_seconds_total{{{labels}}} {total:.3} {}", now + moment).unwrap();
    }
}

/// One of many services: a gauge a minute. The service 500 is at 9 since 11 minutes, the rest at 1.
fn load(text: &mut String, number: usize, now: i64) {
    for moment in (-60 * 60..=FUTURE).step_by(60) {
        let value = if number == 500 && moment >= -11 * 60 { 9 } else { 1 };
        writeln!(text, "load{{namespace=\"many\",app=\"svc-{number}\"}} {value} {}", now + moment).unwrap();
    }
}
