//! The pages for people, as the daemon answers with them, opened in a browser.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};

use super::{Daemon, SECRET};
use crate::e2e::stage::{BOT, Config, LATENCY, PERSON, Stage};
use crate::support::browser::{Visit, Visited, visit_well};

/// A page on a wide screen, in the dark and on a phone. Of the first a picture is made where one is wanted, which is how the
/// documentation gets its own: `BACKOUT_PICTURES=$PWD/docs/page cargo test --test it pages_tell_the_story`.
fn everywhere(url: &str, name: &str) -> [Visit; 3] {
    let folder = std::env::var_os("BACKOUT_PICTURES").map(std::path::PathBuf::from);
    let screenshot = folder.map(|folder| folder.join(format!("{name}.png")).to_str().unwrap().to_owned());
    [Visit { screenshot, ..Visit::to(url) }, Visit::to(url).in_dark(), Visit::to(url).on_phone()]
}

/// The text of a page has each of these.
#[track_caller]
fn says(page: &Visited, parts: &[&str]) {
    for part in parts {
        assert!(page.text.contains(part), "{part:?} is missing in {}:\n{}", page.url, page.text);
    }
}

#[test]
fn the_pages_tell_the_story_of_a_revert() {
    let mut stage = Stage::with("one", &["web", "api", "search", "cart"]);
    let mut config = Config::of("one");
    config.signals.push_str(LATENCY);
    let bad = stage.deploy("web", "v2", -12, BOT);
    stage.deploy("search", "v2", -11, BOT);
    stage.deploy("api", "v2", 0, PERSON);
    let daemon = Daemon::start_with(&mut stage, &config, "page: {}");
    let revert = stage.tip();
    let url = |path: &str| format!("{}{path}", daemon.url);
    let mut visits = Vec::new();
    visits.extend(everywhere(&url("/"), "index"));
    visits.extend(everywhere(&url("/environments/production/index.html"), "environment"));
    visits.extend(everywhere(&url("/environments/production/services/web.html"), "service"));
    visits.push(Visit::to(&url("/environments/production/services/api.html")));
    visits.push(Visit::to(&url("/environments/production/services/cart.html")));
    visits.push(Visit::to(&url("/environments/production/watched.html")));
    visits.push(Visit::to(&url("/environments/production/index.html?search=WEB")));
    let pages = visit_well(&visits);
    assert!(pages.iter().all(|page| page.status == 200), "{pages:?}");
    let [index, environment, web] = [&pages[0], &pages[3], &pages[6]];
    says(index, &["backout watches 2 deployments in 1 environment.", "Watched now", "api", "Recent reverts"]);
    says(index, &[&bad[..10], &revert[..10], "backout found it due by the metrics"]);
    assert!(!index.text.contains("Bad, or left to a person"), "{}", index.text);
    says(
        environment,
        &["Budget: 1 of 3", "all 4", "watched 2", "reverted 1", "in quarantine until", "Newest verdicts"],
    );
    says(
        web,
        &[
            "In quarantine",
            &bad[..10],
            "Deploy web v2",
            "regressed",
            "Measured values",
            "Bad beyond",
            "5 %",
            "latency",
        ],
    );
    says(web, &["Reverted", &revert[..10], "guards passed", "What prom was asked"]);
    let (_, drawn) = daemon.get("/environments/production/services/web.html");
    for mark in
        ["line class=\"deployed\"", "line class=\"onset\"", "line class=\"reverted\"", "circle class=\"bad\""]
    {
        assert_eq!(drawn.matches("<svg").count(), 2, "{drawn}");
        assert!(drawn.contains(mark), "{mark} is missing");
    }
    says(&pages[9], &["watched", "Deploy api v2", "It is watched until"]);
    says(&pages[10], &["No deployment of this service is watched"]);
    says(&pages[11], &["api", "search"]);
    let of_services = |page: &Visited| page.links.iter().filter(|link| link.contains("/services/")).count();
    // One row of the table of services is the one that was searched for; the other is the verdict.
    assert_eq!((of_services(&pages[11]), of_services(&pages[12])), (3, 2));
    // Every link leads to a page.
    for link in pages.iter().flat_map(|page| &page.links) {
        let path = link.strip_prefix(&daemon.url).unwrap_or_else(|| panic!("{link} leads away"));
        assert_eq!(daemon.get(path).0, StatusCode::OK, "{link}");
    }
    daemon.end(&stage);
}

#[test]
fn what_is_bad_and_stays_is_told_with_the_guard_that_holds_it() {
    let mut stage = Stage::with("one", &["web", "api"]);
    let mut config = Config::of("one");
    config.environments = "  production: {branch: main, mode: observe}\n".to_owned();
    let bad = stage.deploy("web", "v2", -12, BOT);
    stage.run(&["pause", "--environment", "production", "--for", "2h", "--why", "a fair"]).ended(0);
    let daemon = Daemon::start_with(&mut stage, &config, "page: {}");
    let urls = ["/", "/environments/production/index.html", "/environments/production/services/web.html"];
    let visits: Vec<Visit> = urls.iter().map(|path| Visit::to(&format!("{}{path}", daemon.url))).collect();
    let pages = visit_well(&visits);
    says(
        &pages[0],
        &[
            "1 deployment is bad, or left to a person.",
            "observe",
            &bad[..10],
            "hold",
            "decided by the guard: ",
        ],
    );
    for page in &pages[..2] {
        says(page, &["paused until", "a fair"]);
    }
    says(&pages[2], &["regressed", "hold", "Guards: "]);
    daemon.end(&stage);
}

#[test]
fn pages_without_anything_to_show_say_so() {
    let mut stage = Stage::on_path();
    stage.begin(&[]);
    let daemon = Daemon::start_with(&mut stage, &Config::of("one"), "page: {}");
    let mut visits = Vec::new();
    visits.extend(everywhere(&format!("{}/", daemon.url), "empty"));
    visits.extend(everywhere(
        &format!("{}/environments/production/index.html", daemon.url),
        "empty-environment",
    ));
    let pages = visit_well(&visits);
    says(
        &pages[0],
        &[
            "backout watches no deployment in 1 environment.",
            "No deployment is known to be watched.",
            "No revert is known.",
        ],
    );
    says(&pages[3], &["No service is shown.", "No verdict is recorded."]);
    for path in [
        "/environments/production/services/web.html",
        "/environments/other/index.html",
        "/environments/production/x",
        "/favicon.ico",
    ] {
        assert_eq!(daemon.get(path).0, StatusCode::NOT_FOUND, "{path}");
    }
    daemon.end(&stage);
}

#[test]
fn what_cannot_be_read_is_told_and_not_hidden() {
    let mut stage = Stage::with("one", &["web"]);
    std::fs::rename(&stage.bare, stage.bare.with_extension("away")).unwrap();
    let daemon = Daemon::start_with(&mut stage, &Config::of("one"), "page: {}");
    let pages = visit_well(&[Visit::to(&format!("{}/", daemon.url)).on_phone()]);
    says(
        &pages[0],
        &["Nothing is known yet of 1 environment.", "Problems", "production: ", "none yet", "not known"],
    );
    let (status, text) = daemon.get("/environments/production/index.html");
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    assert!(text.starts_with("this page cannot be read now: "), "{text}");
    daemon.end(&stage);
}

#[test]
fn only_who_has_the_secret_reads_the_pages() {
    let mut stage = Stage::with("one", &["web"]);
    let daemon = Daemon::start_with(&mut stage, &Config::of("one"), "page: {secret: {env: HOOK_SECRET}}");
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let (right, empty) = (basic(&format!("anybody:{SECRET}")), basic("anybody:"));
    let wrong = basic(&format!("anybody:{SECRET}x"));
    let (bearer, other) = (format!("bearer {SECRET}"), format!("Bearer {SECRET}x"));
    for path in [
        "/",
        "/style.css",
        "/environments/production/index.html",
        "/environments/production/services/web.html",
        "/environments/x/y",
    ] {
        let ask = |value: &str| daemon.ask(Method::GET, path, &[("authorization", value)], "").0;
        assert_eq!(daemon.get(path).0, StatusCode::UNAUTHORIZED, "{path}");
        for value in [&wrong, &empty, &other, "Basic", "Basic !", SECRET, "Bearer "] {
            assert_eq!(ask(value), StatusCode::UNAUTHORIZED, "{path} {value}");
        }
        let expected = if path.ends_with("/y") { StatusCode::NOT_FOUND } else { StatusCode::OK };
        assert_eq!([ask(&right), ask(&bearer)], [expected; 2], "{path}");
    }
    // What needs no secret needs none still.
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(daemon.get(path).0, StatusCode::OK, "{path}");
    }
    let visit = Visit { password: Some(SECRET.to_owned()), ..Visit::to(&format!("{}/", daemon.url)) };
    let pages = visit_well(&[visit]);
    assert_eq!(pages[0].status, 200);
    let log = daemon.end(&stage);
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn there_are_no_pages_where_the_configuration_has_none() {
    let mut stage = Stage::with("one", &["web"]);
    let daemon = Daemon::start(&mut stage, &Config::of("one"), &[]);
    for path in ["/", "/index.html", "/style.css", "/environments/production/index.html"] {
        assert_eq!(daemon.get(path).0, StatusCode::NOT_FOUND, "{path}");
    }
    daemon.end(&stage);
}

#[test]
fn each_answer_forbids_what_no_page_needs() {
    let mut stage = Stage::with("one", &["web"]);
    let daemon = Daemon::start_with(&mut stage, &Config::of("one"), "page: {}");
    for path in
        ["/", "/style.css", "/environments/production/services/web.html", "/environments/no/index.html"]
    {
        let answer = daemon
            .runtime
            .block_on(async { daemon.client.get(format!("{}{path}", daemon.url)).send().await.unwrap() });
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        assert_eq!(daemon.ask(method, "/", &[], "").0, StatusCode::METHOD_NOT_ALLOWED);
    }
    daemon.end(&stage);
}
