//! The daemon: it reverts within its interval, and ends when it is told to.

use std::process::{Child, Output, Stdio};

use super::stage::{BOT, Config, Stage, values};
use crate::support::proxy::{Proxy, Turn};
use crate::support::{command, eventually};

fn start(stage: &Stage) -> Child {
    stage.program(&["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends SIGTERM.
pub(super) fn terminate(daemon: &Child) {
    let sent = command("kill").args(["-TERM", &daemon.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits for the end after SIGTERM, which must come.
#[track_caller]
pub(super) fn ended(mut daemon: Child) -> Output {
    let has_ended = eventually(|| daemon.try_wait().unwrap().is_some());
    if !has_ended {
        daemon.kill().unwrap();
    }
    let output = daemon.wait_with_output().unwrap();
    assert!(has_ended, "still running after SIGTERM: {output:?}");
    output
}

/// A configuration in which no request ends by itself for as long as a test waits.
fn config() -> Config {
    let mut config = Config::of("one");
    config.repository = "  timeout: 1h\n".to_owned();
    config.metrics = ", timeout: 1h".to_owned();
    config.run = "run: {interval: 1s}\n".to_owned();
    config
}

/// A service, and metrics behind a proxy.
fn behind_a_proxy() -> (Stage, Proxy) {
    let stage = Stage::with("one", &["web"]);
    let proxy = Proxy::start(stage.metrics_url());
    stage.configure(&Config { metrics_url: Some(proxy.url()), ..config() });
    (stage, proxy)
}

#[test]
fn it_reverts_what_is_pushed_while_it_runs() {
    let stage = Stage::with("one", &["web"]);
    stage.configure(&config());
    let daemon = start(&stage);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let reverted = eventually(|| stage.remote(&["rev-list", "--count", &format!("{bad}..main")]) == "1");
    // The record follows the push.
    let recorded = eventually(|| stage.refs().contains("refs/notes/backout"));
    terminate(&daemon);
    let output = ended(daemon);
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
    let asked = eventually(|| proxy.requests().len() > so_far);
    terminate(&daemon);
    let output = ended(daemon);
    assert!(asked, "{output:?}");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn it_ends_soon_though_the_metrics_are_slow() {
    let (stage, proxy) = behind_a_proxy();
    proxy.turn(Turn::Hang);
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
    let (stage, proxy) = behind_a_proxy();
    stage.deploy("web", "v2", -12, BOT);
    stage.pass(3);
    // Until two thirds of the time have gone by nobody is asked.
    stage.backdate(-11);
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
    stage.configure(&config());
    ends_soon_while_it_waits_for(&proxy, &stage);
}
