//! A real Alertmanager wakes the agent where something is watched.

use std::fs;
use std::process::Stdio;

use reqwest::Method;

use super::{Daemon, SECRET};
use crate::e2e::stage::{BOT, Config, Stage};
use crate::support::{Server, command, eventually, free_port, installed};

#[test]
fn a_firing_alert_of_alertmanager_begins_a_pass() {
    let mut stage = Stage::with("one", &["web"]);
    // It was deployed just now: it is watched, and nothing is known of it yet.
    stage.deploy("web", "v2", 0, BOT);
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &["alertmanager"]);
    assert_eq!(
        daemon.value(r#"backout_watched_deployments{environment="production"}"#).as_deref(),
        Some("1")
    );
    let passes = daemon.passes();
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("alertmanager.yml");
    let receiver = format!(
        "route: {{receiver: backout, group_wait: 0s}}\nreceivers:\n  - name: backout\n    webhook_configs:\n      \
         - url: {}/hooks/alertmanager\n        send_resolved: true\n        http_config: {{authorization: {{credentials: \"{SECRET}\"}}}}\n",
        daemon.url
    );
    fs::write(&config, receiver).unwrap();
    let program = installed("prometheus-alertmanager", "prometheus-alertmanager");
    let alertmanager = |port: u16| {
        let mut start = command(&program);
        start
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", directory.path().display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!("--cluster.listen-address=127.0.0.1:{}", free_port()))
            .stderr(Stdio::null());
        start
    };
    let is_ready = |port: u16| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    let (_server, port) =
        Server::on_free_port(alertmanager, is_ready).expect("the Alertmanager did not start");
    let alert = r#"[{"labels": {"alertname": "TooManyErrors", "service": "web"}}]"#;
    let sent = daemon.runtime.block_on(async {
        let url = format!("http://127.0.0.1:{port}/api/v2/alerts");
        let request = daemon.client.request(Method::POST, url).header("content-type", "application/json");
        request.body(alert).send().await.unwrap().status()
    });
    assert!(sent.is_success(), "{sent}");
    assert!(eventually(|| daemon.passes() > passes));
    assert!(daemon.value(r#"backout_hooks_total{hook="alertmanager",result="woke"}"#).is_some());
    daemon.end(&stage);
}
