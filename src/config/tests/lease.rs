//! The leases by which daemons share the work, and the mistakes in them.

use super::*;
use crate::adapters::kubernetes::LeaseOptions;

/// What a text with this lease gives in a pod with these variables.
fn loaded(lease: &str, pod: &[(&str, &str)]) -> Result<Option<LeaseOptions>, String> {
    let text = format!("{VALID}run: {{lease: {lease}}}\n");
    let file = SourceFile { path: PathBuf::from("/etc/backout/backout.yaml"), text };
    let of_pod = |name: &str| Some(pod.iter().find(|(known, _)| *known == name)?.1.to_owned());
    let usual = |name: &str| match name {
        "GIT_TOKEN" => Some("t0ken".to_owned()),
        "HOME" => Some("/home/me".to_owned()),
        _ => Some("passw0rd".to_owned()),
    };
    let is_of_pod = |name: &str| ["POD_NAME", "HOSTNAME"].contains(&name) || name.starts_with("KUBERNETES_");
    let variables = |name: &str| if is_of_pod(name) { of_pod(name) } else { usual(name) };
    parse(&[file], &variables).map(|settings| settings.leases).map_err(|errors| errors.to_string())
}

#[test]
fn a_pod_says_who_asks_whom() {
    let pod = [
        ("POD_NAME", "backout-2"),
        ("HOSTNAME", "other"),
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
        ("KUBERNETES_SERVICE_PORT", "6443"),
    ];
    let usual = loaded("{name: backout}", &pod).unwrap().unwrap();
    let expected = LeaseOptions {
        name: "backout".to_owned(),
        shards: 1,
        expiry: std::time::Duration::from_secs(15),
        server: Some("https://10.0.0.1:6443".to_owned()),
        account: PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount"),
        me: Some("backout-2".to_owned()),
    };
    assert_eq!(usual, expected);
    let of = |pod: &[(&str, &str)]| loaded("{name: backout}", pod).unwrap().unwrap();
    assert_eq!(of(&pod[1..]).me.as_deref(), Some("other"));
    assert_eq!(of(&[("POD_NAME", ""), ("HOSTNAME", "other")]).me.as_deref(), Some("other"));
    let six = of(&[("KUBERNETES_SERVICE_HOST", "fd00::1")]);
    assert_eq!(six.server.as_deref(), Some("https://[fd00::1]:443"));
    // Outside of a cluster the text is fine too: it is checked on laptops.
    let outside = of(&[]);
    assert_eq!((outside.server, outside.me), (None, None));
    let own = "{name: a, shards: 16, duration: 10m, server: 'http://127.0.0.1:1', account: keys}";
    let own = loaded(own, &pod).unwrap().unwrap();
    assert_eq!((own.shards, own.expiry.as_secs()), (16, 600));
    assert_eq!(own.server.as_deref(), Some("http://127.0.0.1:1"));
    assert_eq!(own.account, PathBuf::from("/etc/backout/keys"));
    assert_eq!(load_texts(&[VALID]).unwrap().leases, None);
}

#[test]
fn mistakes_in_leases_are_told() {
    for (lease, expected) in [
        ("{name: 'Backout'}", "cannot name a Lease"),
        ("{name: '-a'}", "cannot name a Lease"),
        ("{name: 'a/b'}", "cannot name a Lease"),
        ("{name: ''}", "cannot name a Lease"),
        ("{name: a, shards: 0}", "shards"),
        ("{name: a, shards: 17}", "shards"),
        ("{name: a, duration: 2s}", "must be from 3s to 10m"),
        ("{name: a, duration: 11m}", "must be from 3s to 10m"),
        ("{name: a, server: '10.0.0.1'}", "is no URL"),
        ("{shards: 2}", "name"),
        ("{name: a, identity: me}", "identity"),
    ] {
        let told = loaded(lease, &[]).unwrap_err();
        assert!(told.contains(expected) && told.contains("/etc/backout/backout.yaml:"), "{lease}: {told}");
    }
}
