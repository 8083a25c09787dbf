use super::*;

const BODY: &[u8] = b"Hello, World!";

fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
    all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

/// Whether a body is proven by these headers, with this secret, at this time.
fn proven(sender: Sender, secret: &str, all: &[(&'static str, &str)], at: i64) -> bool {
    let secret = SecretString::from(secret.to_owned());
    is_proven(sender, &secret, (&headers(all), BODY), Time::from_unix(at))
}

/// The example in GitHub's documentation on validating webhook deliveries.
const GITHUB: (&str, &str) =
    ("It's a Secret to Everybody", "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");

#[test]
fn a_signature_proves_who_signed_and_nothing_else_does() {
    let (secret, mac) = GITHUB;
    let signed = format!("sha256={mac}");
    let other = format!("sha256={}", mac.replace('7', "8"));
    for (sender, name) in [
        (Sender::Github, "x-hub-signature-256"),
        (Sender::Gitea, "x-gitea-signature"),
        (Sender::Gitea, "x-forgejo-signature"),
        (Sender::Gitea, "x-hub-signature-256"),
        (Sender::Flux, "x-signature"),
    ] {
        assert!(proven(sender, secret, &[(name, &signed)], 0), "{name}");
        assert!(proven(sender, secret, &[(name, mac)], 0), "{name} without a prefix");
        assert!(!proven(sender, "another", &[(name, &signed)], 0), "{name} with another secret");
        assert!(!proven(sender, "", &[(name, &signed)], 0), "{name} without a secret");
        for bad in [&*other, "", "sha256=", "sha256=zz", &mac[2..], "sha1=0000", secret] {
            assert!(!proven(sender, secret, &[(name, bad)], 0), "{name}: {bad}");
        }
        assert!(!proven(sender, secret, &[("x-other", &signed)], 0), "{name} is missing");
        assert!(!proven(sender, secret, &[("authorization", &format!("Bearer {secret}"))], 0), "{name}");
    }
}

#[test]
fn a_token_is_compared_as_a_whole() {
    for (sender, name, prefix) in [
        (Sender::Gitlab, "x-gitlab-token", ""),
        (Sender::Alertmanager, "authorization", "Bearer "),
        (Sender::Generic, "authorization", "bearer "),
    ] {
        let is =
            |token: &str, secret: &str| proven(sender, secret, &[(name, &format!("{prefix}{token}"))], 0);
        assert!(is("s3cret-token", "s3cret-token"), "{name}");
        for bad in ["", "s3cret-toke", "s3cret-token2", "S3CRET-TOKEN"] {
            assert!(!is(bad, "s3cret-token"), "{name}: {bad}");
        }
        assert!(!is("", ""), "{name}: nothing");
        assert!(!proven(sender, "s3cret-token", &[], 0), "{name}: no header");
    }
    assert!(!proven(Sender::Generic, "secret", &[("authorization", "Basic secret")], 0));
}

/// The example of Standard Webhooks' own libraries.
#[test]
fn a_standard_webhook_is_proven_for_five_minutes() {
    let (secret, id, at) =
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
    let body = br#"{"test": 2432232314}"#;
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let is = |id: &str, signature: &str, body: &[u8], now: i64| {
        let time = at.to_string();
        let headers =
            headers(&[("webhook-id", id), ("webhook-timestamp", &time), ("webhook-signature", signature)]);
        let secret = SecretString::from(secret.to_owned());
        is_proven(Sender::Gitlab, &secret, (&headers, body), Time::from_unix(now))
    };
    let several = format!("v1,AAAA {signature}");
    assert!(is(id, signature, body, at) && is(id, signature, body, at + 300) && is(id, &several, body, at));
    assert!(!is(id, signature, body, at + 301) && !is(id, signature, body, at - 301));
    assert!(!is("msg_other", signature, body, at) && !is(id, signature, b"{}", at));
    assert!(!is(id, "v1a,AAAA", body, at) && !is(id, "", body, at));
    // Who sends a signature that is wrong is not asked for the token.
    assert!(!proven(Sender::Gitlab, "t", &[("webhook-signature", "v1,AAAA"), ("x-gitlab-token", "t")], 0));
}
