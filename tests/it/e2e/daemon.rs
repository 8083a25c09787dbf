//! The daemon: it reverts within its interval, and ends when it is told to.

use std::process::{Child, Output, Stdio};
use std::time::Duration;

use super::metrics::METRICS;
use super::stage::{BOT, Config, Stage, values};
use crate::support::command;
use crate::support::proxy::{Proxy, Turn};

/// The longest that a test waits for something to happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Within this time the program must end after SIGTERM.
const A_FEW_SECONDS: Duration = Duration::from_secs(8);

const STEP: Duration = Duration::from_millis(20);

/// Waits until something is so; says whether it came to be.
pub(super) fn within(patience: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    for _ in 0..patience.as_millis() / STEP.as_millis() {
        if is_so() {
            return true;
        }
        std::thread::sleep(STEP);
    }
    false
}

fn start(stage: &Stage) -> Child {
    stage.program(&["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends SIGTERM and waits for the end, which must come soon.
#[track_caller]
pub(super) fn terminate(mut daemon: Child) -> Output {
    let sent = command("kill").args(["-TERM", &daemon.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let ended = within(A_FEW_SECONDS, || daemon.try_wait().unwrap().is_some());
    if !ended {
        daemon.kill().unwrap();
    }
    let output = daemon.wait_with_output().unwrap();
    assert!(ended, "still running after SIGTERM: {output:?}");
    output
}

fn stage(url: &str) -> Stage {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.metrics_url = url.to_owned();
    config.run = "run: {interval: 1s}\n".to_owned();
    stage.configure(&config);
    stage
}

#[test]
fn it_reverts_what_is_pushed_while_it_runs() {
    let stage = stage(&METRICS.url);
    let daemon = start(&stage);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let reverted =
        within(PATIENCE, || stage.remote(&["rev-list", "--count", &format!("{bad}..main")]) == "1");
    // The record follows the push.
    let recorded = within(PATIENCE, || stage.refs().contains("refs/notes/backout"));
    let output = terminate(daemon);
    assert!(reverted && recorded, "{output:?}");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("regressed, reverted by"), "{printed}");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("watching") && log.contains("stopped"), "{log}");
    stage.nothing_more();
}

/// Starts the daemon, waits until it waits for the server behind the proxy, and ends it.
#[track_caller]
fn ends_soon_while_it_waits_for(proxy: &Proxy, stage: &Stage) {
    let so_far = proxy.requests().len();
    let daemon = start(stage);
    let asked = within(PATIENCE, || proxy.requests().len() > so_far);
    let output = terminate(daemon);
    assert!(asked, "{output:?}");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn it_ends_soon_though_the_metrics_are_slow() {
    let proxy = Proxy::start(&METRICS.url);
    proxy.turn(Turn::Hang);
    let stage = stage(&proxy.url());
    let bad = stage.deploy("web", "v2", -12, BOT);
    let before = stage.refs();
    ends_soon_while_it_waits_for(&proxy, &stage);
    assert_eq!(stage.refs(), before, "nothing is half done");
    assert_eq!(stage.tip(), bad);
    proxy.turn(Turn::Forward);
    stage.pass(3);
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
}

#[test]
fn it_ends_soon_though_it_asks_how_a_revert_does() {
    let proxy = Proxy::start(&METRICS.url);
    let stage = stage(&proxy.url());
    stage.deploy("web", "v2", -12, BOT);
    stage.pass(3);
    let before = stage.refs();
    proxy.turn(Turn::Hang);
    ends_soon_while_it_waits_for(&proxy, &stage);
    assert_eq!(stage.refs(), before);
}

#[test]
fn it_ends_soon_though_the_repository_is_slow() {
    let proxy = Proxy::start("http://127.0.0.1:1");
    proxy.turn(Turn::Hang);
    let stage = Stage::on(std::path::PathBuf::new(), format!("{}/env.git", proxy.url()));
    stage.configure(&Config::of("one"));
    ends_soon_while_it_waits_for(&proxy, &stage);
}
