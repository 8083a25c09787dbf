//! Where the source of applications is, and the mistakes in it.

use super::*;

fn with(sources: &str, policy: &str) -> String {
    VALID.replacen(
        "policies:\n",
        &format!("sources: [{sources}]\npolicies:\n  default: {{schema: {{{policy}}}}}\n"),
        1,
    )
}

#[track_caller]
fn mistakes(sources: &str, policy: &str, expected: &[&str]) {
    let told = load_texts(&[&with(sources, policy)]).unwrap_err().to_string();
    assert!(expected.iter().all(|part| told.contains(part)), "{told}");
}

#[test]
fn the_source_of_applications_is_in_places_with_logins() {
    let token = "{url: 'https://github.com/acme', auth: {kind: token, token: {env: GIT_TOKEN}}}";
    let ssh = "{url: 'ssh://git@git.example.com/shop', auth: {kind: ssh, key: key}, timeout: 3s}";
    let text = with(
        &format!("{token}, {ssh}"),
        "source: 'https://github.com/acme/{service}', detectors: [files, sources]",
    );
    let settings = load_texts(&[&text]).unwrap_or_else(|errors| panic!("{errors}"));
    let [github, own] = settings.source_code.as_slice() else { panic!("two places") };
    assert!(matches!(&github.auth, GitAuth::Token(token) if token.expose_secret() == "t0ken"));
    assert_eq!((github.url.as_str(), github.http.timeout.as_secs()), ("https://github.com/acme", 10));
    assert_eq!(github.cache_dir, PathBuf::from("/home/me/.cache/backout"));
    assert!(own.ssh.key_file.as_ref().is_some_and(|key| key.ends_with("key")));
    assert_eq!((&own.cache_dir, own.http.timeout.as_secs()), (&github.cache_dir, 3));
    let schema = &settings.estates[0].environments[0].services[1].policy.schema;
    assert!(schema.must_see_sources && !schema.must_see_images);
    assert_eq!(schema.source.as_deref(), Some("https://github.com/acme/{service}"));
    let usual = load_texts(&[VALID]).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(usual.source_code.is_empty());
}

#[test]
fn a_place_that_cannot_be_asked_is_a_mistake() {
    let fine = "{url: 'https://github.com/acme'}";
    for url in [
        "github.com/acme",
        "git@github.com:acme",
        "/srv",
        "file:///srv",
        "https://g.io/a?b",
        "https://g.io/%61",
    ] {
        mistakes(
            &format!("{{url: '{url}'}}"),
            "",
            &["must be a URL that begins with https://, http:// or ssh://"],
        );
    }
    mistakes("{url: 'https://me:s3cret@g.io/a'}", "", &["credentials never stand in a URL"]);
    mistakes("{url: 'https://g.io', auth: {kind: forge}}", "", &["goes with an environment repo only"]);
    mistakes(
        "{url: 'ssh://g.io', auth: {kind: token, token: {env: GIT_TOKEN}}}",
        "",
        &["http:// and https:// only"],
    );
    mistakes("", "detectors: [sources]", &["the detector `sources` needs `sources`"]);
    mistakes(fine, "source: 'https://g.io/{ser'", &["{ without a }"]);
    mistakes(fine, "source: '{service}'", &["must be a URL that begins with"]);
    mistakes(fine, "source: 'https://me:s3cret@g.io/{service}'", &["credentials never stand in a URL"]);
}
