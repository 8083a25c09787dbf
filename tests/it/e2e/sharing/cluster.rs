//! What only a real kube-apiserver can show: `scripts/test-kubernetes` starts one.

use serde_json::{Value, json};

use super::replica::{Leases, Replica};
use super::{environments, reverts_what_is_deployed};
use crate::support::api_server::ApiServer;
use crate::support::python::manifests;
use crate::support::{command, eventually};

/// The Role and the RoleBinding of the chart for five pods, as Helm renders them.
fn rights() -> [Value; 2] {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/helm/backout");
    let text = std::fs::read_to_string(format!("{chart}/ci/shards-values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&text).unwrap();
    let rendered = manifests(&["chart", chart], &json!([values]));
    let documents = rendered[0]["documents"].as_array().unwrap();
    ["Role", "RoleBinding"].map(|kind| documents.iter().find(|one| one["kind"] == kind).unwrap().clone())
}

#[test]
#[ignore = "needs a kube-apiserver: scripts/test-kubernetes"]
fn the_rights_of_the_chart_are_enough_and_no_more() {
    let server = ApiServer::start().of_chart();
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/gitops";
    let leases = "/apis/coordination.k8s.io/v1/namespaces/gitops/leases";
    let lease = |name: &str, version: Option<&str>| {
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": "gitops", "resourceVersion": version},
        })
    };
    // Without the binding the account may do nothing, and agents work all the same.
    assert_eq!(server.ask("GET", "/release-backout-0", None).0, 403);
    let (stage, config, names) = environments(2);
    let leases_of_chart = Leases { server, name: "release-backout".to_owned(), shards: 5 };
    let alone = Replica::start(&stage, &config, &leases_of_chart, "release-backout-0");
    reverts_what_is_deployed(&stage, &names[0], &[&alone]);
    assert!(alone.shards_by("silence") > 0 && alone.log().contains("is forbidden"), "{}", alone.log());
    drop(alone);
    let server = &leases_of_chart.server;
    let [role, binding] = rights();
    assert_eq!(server.ask_as_admin("POST", &format!("{rbac}/roles"), Some(&role)).0, 201);
    assert_eq!(server.ask_as_admin("POST", &format!("{rbac}/rolebindings"), Some(&binding)).0, 201);
    assert!(eventually(|| server.ask("GET", "/release-backout-0", None).0 == 404));
    // With it five agents share the work.
    let start =
        |number| Replica::start(&stage, &config, &leases_of_chart, &format!("release-backout-{number}"));
    let replicas: Vec<Replica> = (0..5).map(start).collect();
    let homes: Vec<String> = (0..5).map(|number| format!("release-backout-{number}")).collect();
    leases_of_chart.come_to(&homes.iter().map(String::as_str).collect::<Vec<_>>());
    reverts_what_is_deployed(&stage, &names[1], &replicas.iter().collect::<Vec<_>>());
    for one in replicas {
        let log = one.end();
        assert!(!log.contains("nobody says"), "{log}");
    }
    assert_eq!(leases_of_chart.holders(), [""; 5], "all are given back");
    // An old version is refused, and so is everything else.
    let (_, now) = server.ask("GET", "/release-backout-0", None);
    let version = now["metadata"]["resourceVersion"].as_str().unwrap();
    let own = |version| Some(lease("release-backout-0", version));
    for (method, name, body, expected) in [
        ("PUT", "/release-backout-0", own(Some(version)), 200),
        ("PUT", "/release-backout-0", own(Some("1")), 409),
        ("POST", "", own(None), 409),
        ("GET", "/release-backout-5", None, 403),
        ("PUT", "/release-backout-5", Some(lease("release-backout-5", None)), 403),
        ("GET", "", None, 403),
        ("DELETE", "/release-backout-0", None, 403),
    ] {
        let (status, said) = server.ask(method, name, body.as_ref());
        assert_eq!(status, expected, "{method} {leases}{name}: {said}");
    }
    for place in ["/api/v1/namespaces/gitops/secrets", "/api/v1/namespaces/gitops/pods", "/api/v1/nodes"] {
        assert_eq!(server.ask_at("GET", place, None).0, 403, "{place}");
    }
}

#[test]
#[ignore = "needs a kube-apiserver: scripts/test-kubernetes"]
fn a_kube_apiserver_that_hangs_stops_no_revert() {
    let server = ApiServer::start();
    let pid = server.pid();
    let signal = |signal: &str| assert!(command("kill").args([signal, &pid]).status().unwrap().success());
    let (stage, config, names) = environments(2);
    let leases = Leases::on(server, 1);
    let first = Replica::start(&stage, &config, &leases, "agent-a");
    leases.come_to(&["agent-a"]);
    let second = Replica::start(&stage, &config, &leases, "agent-b");
    assert!(eventually(|| first.watches() == names));
    signal("-STOP");
    assert!(eventually(|| second.shards_by("silence") == 1), "{}", second.log());
    reverts_what_is_deployed(&stage, &names[0], &[&first, &second]);
    drop(first);
    reverts_what_is_deployed(&stage, &names[1], &[&second]);
    signal("-CONT");
    leases.come_to(&["agent-b"]);
    assert!(eventually(|| second.shards_by("lease") == 1), "{}", second.log());
}
