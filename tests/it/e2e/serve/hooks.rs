//! Webhooks wake the agent, and do nothing else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use reqwest::{Method, StatusCode};

use super::{Daemon, SECRET, a_while, signature};
use crate::e2e::stage::{BOT, Config, Stage, values};
use crate::support::eventually;

const PUSH: &str = r#"{"ref": "refs/heads/main", "repository": {"full_name": "acme/environments"}}"#;
const GITLAB_PUSH: &str =
    r#"{"ref": "refs/heads/main", "project": {"path_with_namespace": "acme/environments"}}"#;
const FLUX_EVENT: &str = r#"{"involvedObject": {"kind": "Kustomization", "name": "apps"}, "severity": "info",
    "metadata": {"kustomize.toolkit.fluxcd.io/revision": "main@sha1:1a2b3c"}}"#;

/// A sender with the headers and the body of a webhook of theirs.
type Sent = (&'static str, Vec<(&'static str, String)>, &'static str);

/// Webhooks that wake the agent.
fn all() -> Vec<Sent> {
    let mac = signature(PUSH);
    let bearer = || vec![("authorization", format!("Bearer {SECRET}"))];
    vec![
        (
            "github",
            vec![("x-github-event", "push".to_owned()), ("x-hub-signature-256", format!("sha256={mac}"))],
            PUSH,
        ),
        ("gitea", vec![("x-gitea-event", "push".to_owned()), ("x-gitea-signature", mac)], PUSH),
        (
            "gitlab",
            vec![("x-gitlab-event", "Push Hook".to_owned()), ("x-gitlab-token", SECRET.to_owned())],
            GITLAB_PUSH,
        ),
        ("flux", vec![("x-signature", format!("sha256={}", signature(FLUX_EVENT)))], FLUX_EVENT),
        ("generic", bearer(), ""),
        ("generic", bearer(), r#"{"repository": "repository"}"#),
    ]
}

const SENDERS: [&str; 6] = ["github", "gitea", "gitlab", "flux", "generic", "alertmanager"];

fn borrowed<'h>(headers: &'h [(&'static str, String)]) -> Vec<(&'static str, &'h str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn a_push_is_reverted_at_once_though_passes_are_an_hour_apart() {
    let mut stage = Stage::with("one", &["web"]);
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &["github"]);
    let bad = stage.deploy("web", "v2", -12, BOT);
    a_while();
    assert_eq!(stage.tip(), bad, "nobody has told the agent");
    let (_, headers, body) = &all()[0];
    let (status, text) = daemon.post("/hooks/github", &borrowed(headers), body);
    assert_eq!((status, text.as_str()), (StatusCode::ACCEPTED, "passes that begin sooner: 1\n"));
    assert!(eventually(|| stage.file("main", "web") == values("web", "v1")));
    assert!(eventually(|| daemon.passes() >= 2));
    let log = daemon.end(&stage);
    assert!(log.contains("revert of web"), "{log}");
}

#[test]
fn each_sender_wakes_it_and_whoever_proves_nothing_does_not() {
    let mut stage = Stage::with("one", &["web"]);
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &SENDERS);
    let mut passes = daemon.passes();
    for (sender, headers, body) in all() {
        let path = format!("/hooks/{sender}");
        let (status, text) = daemon.post(&path, &borrowed(&headers), body);
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::ACCEPTED, "passes that begin sooner: 1\n"),
            "{sender}"
        );
        passes += 1;
        assert!(eventually(|| daemon.passes() == passes), "{sender}");
    }
    for (sender, headers, body) in all() {
        let path = format!("/hooks/{sender}");
        let is_proof =
            |name: &str| name.contains("signature") || name.contains("token") || name == "authorization";
        let without: Vec<_> = headers.iter().filter(|(name, _)| !is_proof(name)).cloned().collect();
        assert_eq!(daemon.post(&path, &borrowed(&without), body).0, StatusCode::UNAUTHORIZED, "{sender}");
        let forged: Vec<_> = headers
            .iter()
            .map(|(name, value)| {
                (*name, if is_proof(name) { value.replace(['a', '1'], "0") } else { value.clone() })
            })
            .collect();
        assert_eq!(daemon.post(&path, &borrowed(&forged), body).0, StatusCode::UNAUTHORIZED, "{sender}");
    }
    // What is proven and is about something else.
    let other = PUSH.replace("main", "other");
    let headers = [("x-github-event", "push"), ("x-hub-signature-256", &signature(&other))];
    assert_eq!(daemon.post("/hooks/github", &headers, &other).1, "passes that begin sooner: 0\n");
    let tag = PUSH.replace("heads/main", "tags/v1");
    let headers = [("x-github-event", "push"), ("x-hub-signature-256", &signature(&tag))];
    assert_eq!(daemon.post("/hooks/github", &headers, &tag).1, "ignored: no branch was pushed\n");
    let headers = [("authorization", &*format!("Bearer {SECRET}"))];
    assert_eq!(
        daemon.post("/hooks/generic", &headers, r#"{"repository": "another"}"#).1,
        "passes that begin sooner: 0\n"
    );
    // An alert, where nothing is watched.
    let alert = r#"{"status": "firing", "alerts": [{}]}"#;
    assert_eq!(daemon.post("/hooks/alertmanager", &headers, alert).1, "passes that begin sooner: 0\n");
    for body in ["", "{", "[]", "\"x\"", "{\"alerts\": 1}"] {
        assert_eq!(daemon.post("/hooks/alertmanager", &headers, body).0, StatusCode::BAD_REQUEST, "{body}");
    }
    a_while();
    assert_eq!(daemon.passes(), passes, "none of these began a pass");
    let unproven = daemon.value(r#"backout_hooks_total{hook="github",result="unproven"}"#);
    assert_eq!(unproven.as_deref(), Some("2"));
    let log = daemon.end(&stage);
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn what_is_too_much_is_refused_and_the_server_goes_on() {
    let mut stage = Stage::with("one", &["web"]);
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &["generic"]);
    let address = daemon.url.strip_prefix("http://").unwrap().to_owned();
    let bearer = format!("Bearer {SECRET}");
    let headers = [("authorization", &*bearer)];
    assert_eq!(daemon.post("/hooks/none", &headers, "").0, StatusCode::NOT_FOUND);
    assert_eq!(daemon.ask(Method::GET, "/hooks/generic", &headers, "").0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(daemon.get("/").0, StatusCode::NOT_FOUND);
    let large = format!("{{\"repository\": \"{}\"}}", "x".repeat(9 << 20));
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /hooks/generic HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nContent-Length: {}\r\n\r\n",
        large.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    let refused = (0..60).filter(|_| {
        daemon.post("/hooks/generic", &headers, "{\"repository\": \"no\"}").0 == StatusCode::TOO_MANY_REQUESTS
    });
    assert!(refused.count() > 0, "sixty at once are taken");
    // More connections than there may be, of which none says anything: they are closed.
    let quiet: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(&address).unwrap()).collect();
    assert!(eventually(|| daemon.get("/healthz").0 == StatusCode::OK));
    drop(quiet);
    daemon.end(&stage);
}
