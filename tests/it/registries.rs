//! Whether artifacts are there, asked of a real registry, of real servers of charts and refs, and of servers that are wrong.

use std::path::Path;
use std::time::Duration;

use backout::adapters::http::HttpOptions;
use backout::adapters::registry::{ListedRegistries, RegistryAuth, RegistryOptions, connect};
use backout::domain::artifact::image::Image;
use backout::domain::artifact::{Artifact, BucketStore};
use backout::ports::{Held, Registries as _, RegistryError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use crate::support::buckets::Buckets;
use crate::support::fault::{FaultServer, Reply};
use crate::support::registry::{PASSWORD, Registry, USER};

/// A registry of this machine, with this login.
fn listed(host: &str, auth: RegistryAuth) -> ListedRegistries {
    let http = HttpOptions { timeout: Duration::from_secs(5), ..HttpOptions::default() };
    connect(&[RegistryOptions { host: host.to_owned(), auth, plain_http: true, http }]).unwrap()
}

fn image(host: &str, name: &str) -> Image {
    Image::parse(&format!("{host}/{name}")).unwrap()
}

type Found = Result<Option<Held>, RegistryError>;

async fn found(registries: &ListedRegistries, host: &str, name: &str) -> Found {
    registries.find(&Artifact::Image(image(host, name))).await
}

fn there(digest: &str) -> Found {
    Ok(Some(Held { digest: Some(digest.to_owned()) }))
}

#[track_caller]
fn fails_with(found: &Found, part: &str) {
    let Err(RegistryError(why)) = found else { panic!("{found:?} instead of {part}") };
    assert!(why.contains(part), "{part}: {why}");
}

fn basic(password: &str) -> RegistryAuth {
    RegistryAuth::Basic { username: USER.to_owned(), password: SecretString::from(password) }
}

#[tokio::test]
async fn an_image_is_there_or_moved_or_gone() {
    let registry = Registry::start();
    let (v1, v2) = (registry.push("shop/app:v1", &[]), registry.push("shop/app:v2", &[]));
    assert_ne!(v1, v2);
    let host = registry.host();
    let registries = listed(&host, RegistryAuth::None);
    assert_eq!(found(&registries, &host, "shop/app:v1").await, there(&v1));
    assert_eq!(found(&registries, &host, &format!("shop/app@{v2}")).await, there(&v2));
    let moved = registry.push("shop/app:v1", &[]);
    assert_ne!(v1, moved);
    assert_eq!(found(&registries, &host, "shop/app:v1").await, there(&moved));
    // What no tag leads to any more is still there.
    assert_eq!(found(&registries, &host, &format!("shop/app@{v1}")).await, there(&v1));
    registry.remove("shop/app:v1");
    assert_eq!(found(&registries, &host, "shop/app:v1").await, Ok(None));
    assert_eq!(found(&registries, &host, &format!("shop/app@{moved}")).await, Ok(None));
    assert_eq!(found(&registries, &host, "shop/app:v2").await, there(&v2));
    // A name that nothing is known of may have been read wrongly.
    fails_with(&found(&registries, &host, "shop/other:v1").await, "knows no shop/other");
    fails_with(
        &found(&registries, "ghcr.io", "shop/app:v1").await,
        "registry ghcr.io is not in `registries`",
    );
    let chart = |name: &str| Artifact::Chart {
        repository: format!("oci://{host}/shop"),
        name: name.to_owned(),
        version: "1.2.3+4".to_owned(),
    };
    registry.push("shop/app:1.2.3_4", &[]);
    assert!(matches!(registries.find(&chart("app")).await, Ok(Some(_))));
}

#[tokio::test]
async fn the_labels_of_an_image_are_read() {
    let registry = Registry::start();
    let source = ("org.opencontainers.image.source", "https://example.com/shop");
    let digest = registry.push("shop/app:v1", &[("schema-version", "41"), source]);
    let host = registry.host();
    let registries = listed(&host, RegistryAuth::None);
    let labels = registries.labels(&image(&host, "shop/app:v1")).await.unwrap();
    assert_eq!(labels.get("schema-version").map(String::as_str), Some("41"));
    assert_eq!(labels.get(source.0).map(String::as_str), Some(source.1));
    // Of several platforms linux/amd64 counts, and the index says something itself.
    let arm = registry.push("shop/app:arm", &[("schema-version", "40")]);
    let one = |digest: &str, architecture: &str| {
        serde_json::json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size(&host, digest),
            "platform": {"os": "linux", "architecture": architecture},
        })
    };
    let kind = "application/vnd.oci.image.index.v1+json";
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": kind, "manifests": [one(&arm, "arm64"), one(&digest, "amd64")],
        "annotations": {"of-index": "yes", "schema-version": "39"},
    });
    put(&format!("http://{host}/v2/shop/app/manifests/multi"), kind, &index.to_string());
    let labels = registries.labels(&image(&host, "shop/app:multi")).await.unwrap();
    assert_eq!(labels.get("schema-version").map(String::as_str), Some("41"));
    assert_eq!(labels.get("of-index").map(String::as_str), Some("yes"));
    assert!(registries.labels(&image(&host, "shop/app:none")).await.is_err());
}

/// How many bytes a manifest has.
fn size(host: &str, digest: &str) -> usize {
    let url = format!("http://{host}/v2/shop/app/manifests/{digest}");
    let accept = "Accept: application/vnd.oci.image.manifest.v1+json";
    curl(&["-sS", "-f", "-H", accept, &url]).len()
}

fn put(url: &str, kind: &str, body: &str) {
    curl(&["-sS", "-f", "-X", "PUT", "-H", &format!("Content-Type: {kind}"), "--data-binary", body, url]);
}

fn curl(arguments: &[&str]) -> Vec<u8> {
    let curl = crate::support::installed("curl", "curl");
    let output = crate::support::command(&curl).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn a_registry_is_logged_in_to_with_a_password() {
    let registry = Registry::start();
    let v1 = registry.push("shop/app:v1", &[("schema-version", "41")]);
    let guarded = registry.with_passwords();
    let host = guarded.host();
    let known = listed(&host, basic(PASSWORD));
    assert_eq!(found(&known, &host, "shop/app:v1").await, there(&v1));
    assert!(known.labels(&image(&host, "shop/app:v1")).await.is_ok());
    let wrong = found(&listed(&host, basic("s3cret-but-wrong")), &host, "shop/app:v1").await;
    fails_with(&wrong, "refuses access (401 Unauthorized)");
    assert!(!format!("{wrong:?}").contains("s3cret"));
    fails_with(&found(&listed(&host, RegistryAuth::None), &host, "shop/app:v1").await, "wants a login");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.json");
    let by_file = listed(&host, RegistryAuth::DockerConfig(file.clone()));
    fails_with(&found(&by_file, &host, "shop/app:v1").await, "has no credentials");
    write_docker_config(&file, &host);
    assert_eq!(found(&by_file, &host, "shop/app:v1").await, there(&v1));
}

fn write_docker_config(file: &Path, host: &str) {
    let auth = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let text = serde_json::json!({"auths": {host: {"auth": auth}}, "credsStore": "desktop"});
    std::fs::write(file, text.to_string()).unwrap();
}

#[tokio::test]
async fn a_registry_is_logged_in_to_with_a_token() {
    let registry = Registry::start();
    let v1 = registry.push("shop/app:v1", &[("schema-version", "41")]);
    let guarded = registry.with_tokens(false);
    let host = guarded.host();
    let known = listed(&host, basic(PASSWORD));
    assert_eq!(found(&known, &host, "shop/app:v1").await, there(&v1));
    assert!(known.labels(&image(&host, "shop/app:v1")).await.is_ok());
    fails_with(&found(&known, &host, "shop/other:v1").await, "knows no shop/other");
    fails_with(&found(&listed(&host, basic("wrong")), &host, "shop/app:v1").await, "gives no token (401");
    fails_with(&found(&listed(&host, RegistryAuth::None), &host, "shop/app:v1").await, "gives no token (401");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.json");
    write_docker_config(&file, &host);
    assert_eq!(
        found(&listed(&host, RegistryAuth::DockerConfig(file)), &host, "shop/app:v1").await,
        there(&v1)
    );
    let wrong = RegistryAuth::Token(SecretString::from("s3cret-token"));
    fails_with(&found(&listed(&host, wrong), &host, "shop/app:v1").await, "refuses the token of its `auth`");
    // Some give everybody a token, and want one all the same.
    let open = registry.with_tokens(true);
    let host = open.host();
    assert_eq!(found(&listed(&host, RegistryAuth::None), &host, "shop/app:v1").await, there(&v1));
}

#[tokio::test]
async fn wrong_answers_are_no_news_about_an_image() {
    let reply = |status: u16, headers: &[(&str, &str)]| vec![Reply::new(status, headers, "{}")];
    let bearer = [("WWW-Authenticate", "Bearer realm=\"http://10.1.2.3/token\",service=\"x\"")];
    let elsewhere = [("Location", "http://10.1.2.3/")];
    for (replies, part) in [
        (reply(500, &[]), "answered 500"),
        (reply(429, &[]), "answered 429"),
        (reply(403, &[]), "refuses access (403 Forbidden)"),
        (reply(401, &bearer), "sends for tokens to where no credentials go"),
        (reply(302, &elsewhere), "answered 302"),
        (vec![Reply::new(404, &[], ""), Reply::new(500, &[], "")], "answered 500"),
        (vec![Reply::never()], "did not answer in time"),
        (vec![Reply::new(200, &[], "x").cut(10)], "did not answer"),
    ] {
        let server = FaultServer::start(replies);
        let host = server.url().trim_start_matches("http://").to_owned();
        let http = HttpOptions { timeout: Duration::from_millis(500), ..HttpOptions::default() };
        let auth = basic(PASSWORD);
        let options = RegistryOptions { host: host.clone(), auth, plain_http: true, http };
        let registries = connect(&[options]).unwrap();
        let found = found(&registries, &host, "shop/app:v1").await;
        fails_with(&found, part);
        let asked = server.requests().concat();
        assert!(!asked.contains("Basic "), "no password goes to whoever does not ask for one: {asked}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_not_waited_for_again() {
    let server = FaultServer::start(vec![Reply::never()]);
    let host = server.url().trim_start_matches("http://").to_owned();
    let http = HttpOptions { timeout: Duration::from_millis(300), ..HttpOptions::default() };
    let auth = RegistryAuth::None;
    let registries =
        connect(&[RegistryOptions { host: host.clone(), auth, plain_http: true, http }]).unwrap();
    for _ in 0..20 {
        fails_with(&found(&registries, &host, "shop/app:v1").await, "did not answer in time");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn labels_are_of_what_was_asked_for() {
    let digest = format!("sha256:{}", "0a".repeat(32));
    let manifest = format!("{{\"config\": {{\"digest\": \"{digest}\"}}}}");
    for (replies, part) in [
        (vec![manifest.as_str(), "{}"], "something else than what was asked for"),
        (vec!["{\"config\": {\"digest\": \"../../x\"}}"], "a digest that is none"),
        (vec!["<html>"], "what is no manifest"),
        (vec![&"[".repeat(1000)], "what is no manifest"),
    ] {
        let server = FaultServer::start(replies.iter().map(|text| Reply::new(200, &[], text)).collect());
        let host = server.url().trim_start_matches("http://").to_owned();
        let labels = listed(&host, RegistryAuth::None).labels(&image(&host, "shop/app:v1")).await;
        assert!(labels.as_ref().is_err_and(|error| error.0.contains(part)), "{part}: {labels:?}");
    }
    let large = "x".repeat(5 << 20);
    let server = FaultServer::start(vec![Reply::new(200, &[], large)]);
    let host = server.url().trim_start_matches("http://").to_owned();
    let labels = listed(&host, RegistryAuth::None).labels(&image(&host, "shop/app:v1")).await;
    assert!(labels.is_err_and(|error| error.0.contains("more than 4194304 bytes")));
}

#[tokio::test]
async fn a_chart_is_looked_up_in_the_index_of_its_repository() {
    let index = "apiVersion: v1\nentries:\n  redis:\n  - digest: aa11\n    version: 1.2.3\n";
    let server = FaultServer::start(vec![Reply::new(200, &[], index)]);
    let host = server.url().trim_start_matches("http://").to_owned();
    let registries = listed(&host, RegistryAuth::None);
    let chart = |repository: &str, name: &str, version: &str| Artifact::Chart {
        repository: repository.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
    };
    let at = format!("http://{host}/charts");
    assert_eq!(registries.find(&chart(&at, "redis", "1.2.3")).await, there("aa11"));
    assert_eq!(registries.find(&chart(&at, "redis", "1.2.4")).await, Ok(None));
    fails_with(&registries.find(&chart(&at, "kafka", "1.2.3")).await, "lists no chart kafka");
    assert!(server.requests()[0].starts_with("GET /charts/index.yaml "), "{:?}", server.requests());
    let asked = server.requests().len();
    for (url, part) in [
        (format!("https://{host}/charts"), "is asked over http only"),
        (format!("http://user:pass@{host}/charts"), "not one that can be asked"),
        (format!("http://{host}/charts?x=y"), "not one that can be asked"),
        ("http://169.254.169.254/latest".to_owned(), "registry 169.254.169.254 is not in `registries`"),
        ("http://".to_owned(), "not one that can be asked"),
    ] {
        fails_with(&registries.find(&chart(&url, "redis", "1.2.3")).await, part);
    }
    assert_eq!(server.requests().len(), asked, "nobody was asked about those");
}

fn in_bucket(key: &str) -> Artifact {
    Artifact::InBucket { store: BucketStore::S3, bucket: "models".to_owned(), key: key.to_owned() }
}

/// Amazon, or Google, as it is reached through this proxy.
fn through(proxy: &str, host: &str) -> ListedRegistries {
    let timeout = Duration::from_secs(5);
    let http = HttpOptions { timeout, proxy: Some(proxy.to_owned()), ..HttpOptions::default() };
    let options = RegistryOptions { host: host.to_owned(), auth: RegistryAuth::None, plain_http: true, http };
    connect(&[options]).unwrap()
}

#[tokio::test]
async fn a_model_in_a_bucket_is_there_or_gone() {
    let buckets = Buckets::start("models");
    let amazon = through(buckets.url(), "s3.amazonaws.com");
    for (path, body) in
        [("iris/v2/model.bin", "two"), ("iris/v10/model.bin", "ten"), ("iris/v3.bin", "three")]
    {
        buckets.put(&format!("models/{path}"), body).await;
    }
    assert_eq!(amazon.find(&in_bucket("iris/v2")).await, Ok(Some(Held { digest: None })));
    // `iris/v10` begins like it.
    assert_eq!(amazon.find(&in_bucket("iris/v1")).await, Ok(None));
    assert_eq!(amazon.find(&in_bucket("iris/v3")).await, Ok(None));
    let Ok(Some(Held { digest: Some(first) })) = amazon.find(&in_bucket("iris/v3.bin")).await else {
        panic!("a file has a digest")
    };
    buckets.put("models/iris/v3.bin", "other").await;
    let second = amazon.find(&in_bucket("iris/v3.bin")).await.unwrap().unwrap().digest.unwrap();
    assert!(first.starts_with("etag:") && second.starts_with("etag:") && first != second, "{first} {second}");
    buckets.remove("models/iris/v2/model.bin").await;
    assert_eq!(amazon.find(&in_bucket("iris/v2")).await, Ok(None));
    let other =
        Artifact::InBucket { store: BucketStore::S3, bucket: "nowhere".to_owned(), key: "a".to_owned() };
    assert_eq!(amazon.find(&other).await, Ok(None));
    let google =
        Artifact::InBucket { store: BucketStore::Google, bucket: "models".to_owned(), key: "a".to_owned() };
    fails_with(&amazon.find(&google).await, "registry storage.googleapis.com is not in `registries`");
    let google_too = through(buckets.url(), "storage.googleapis.com");
    assert_eq!(google_too.find(&google).await, Ok(None));
}

#[tokio::test]
async fn of_a_bucket_that_refuses_a_list_a_file_may_still_be_read() {
    let refuses = Reply::new(403, &[], "<Error><Code>AccessDenied</Code></Error>");
    let file = Reply::new(200, &[("ETag", "\"0a1b\"")], "");
    let server = FaultServer::start(vec![refuses.clone(), refuses.clone(), file, refuses]);
    let amazon = through(&server.url(), "s3.amazonaws.com");
    assert_eq!(amazon.find(&in_bucket("iris/v3.bin")).await, there("etag:0a1b"));
    // A missing file and a forbidden one get the same answer.
    fails_with(&amazon.find(&in_bucket("iris/v4.bin")).await, "refuses access (403 Forbidden)");
    let asked = server.requests();
    assert!(asked[2].starts_with("HEAD http://s3.amazonaws.com/models/iris/v3.bin "), "{asked:?}");

    let server = FaultServer::start(vec![Reply::new(200, &[], "<html>a portal</html>")]);
    let amazon = through(&server.url(), "s3.amazonaws.com");
    fails_with(&amazon.find(&in_bucket("iris")).await, "sent what is no list of a bucket");
}
