//! The kustomizations, as kubectl renders them.

use serde_json::{Value, json};

use super::super::support::python::manifests;
use super::{fits_kubernetes, kinds, only, pod_spec, root};

/// What somebody's own kustomization over a variant and components renders.
fn built(variant: &str, components: &[&str]) -> Value {
    let home = tempfile::tempdir().unwrap();
    // A copy: a kustomization names others by relative paths alone.
    let copy = home.path().join("kustomize");
    copy_all(&root("deploy/kustomize"), &copy);
    let components: Vec<_> =
        components.iter().map(|name| format!("../kustomize/components/{name}")).collect();
    let own = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [format!("../kustomize/{variant}")],
        "components": components,
    });
    let directory = home.path().join("own");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("kustomization.yaml"), own.to_string()).unwrap();
    manifests(&["kustomize", directory.to_str().unwrap()], &Value::Null)
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn every_variant_fits_kubernetes() {
    let common = ["ConfigMap", "NetworkPolicy", "ServiceAccount"];
    for (variant, components, own) in [
        ("cronjob", &[][..], &["CronJob"][..]),
        ("deployment", &[], &["Deployment", "Service"]),
        ("statefulset", &[], &["Service", "StatefulSet"]),
        (
            "deployment",
            &["monitoring", "two-replicas"],
            &["Deployment", "PodDisruptionBudget", "PrometheusRule", "Service", "ServiceMonitor"],
        ),
        ("statefulset", &["two-replicas"], &["PodDisruptionBudget", "Service", "StatefulSet"]),
        ("statefulset", &["leases"], &["Role", "RoleBinding", "Service", "StatefulSet"]),
        (
            "deployment",
            &["leases", "two-replicas"],
            &["Deployment", "PodDisruptionBudget", "Role", "RoleBinding", "Service"],
        ),
    ] {
        let documents = built(variant, components);
        let mut expected = [own, &common].concat();
        expected.sort_unstable();
        assert_eq!(kinds(&documents), expected, "{variant}, {components:?}");
        fits_kubernetes(&documents);
        // Each piece is in the namespace, and the pods have the configuration under the name that it got.
        let map = &only(&documents, "ConfigMap")["metadata"]["name"];
        let volumes = pod_spec(&documents)["volumes"].as_array().unwrap();
        assert!(volumes.iter().any(|volume| volume["configMap"]["name"] == *map), "{variant}: {map}");
        for kind in expected.iter().filter(|kind| {
            !kind.starts_with("Pod") && !kind.contains("Monitor") && **kind != "PrometheusRule"
        }) {
            assert_eq!(only(&documents, kind)["metadata"]["namespace"], "backout", "{variant}: {kind}");
        }
    }
}

#[test]
fn two_replicas_are_two_and_prometheus_is_let_in() {
    for (variant, kind) in [("deployment", "Deployment"), ("statefulset", "StatefulSet")] {
        let plain = built(variant, &[]);
        assert_eq!(only(&plain, kind)["spec"]["replicas"], 1);
        assert_eq!(only(&plain, "NetworkPolicy")["spec"]["ingress"], json!([]));
        let more = built(variant, &["monitoring", "two-replicas"]);
        assert_eq!(only(&more, kind)["spec"]["replicas"], 2);
        let rule = &only(&more, "NetworkPolicy")["spec"]["ingress"][0];
        assert_eq!(rule["ports"], json!([{"protocol": "TCP", "port": 8080}]));
        let service = only(&more, "Service");
        let labels = only(&more, kind).pointer("/spec/template/metadata/labels").unwrap();
        let container = &pod_spec(&more)["containers"][0];
        for (key, value) in service["spec"]["selector"].as_object().unwrap() {
            assert_eq!(labels[key], *value);
        }
        assert_eq!(service["spec"]["ports"][0]["targetPort"], container["ports"][0]["name"]);
        let monitor = only(&more, "ServiceMonitor");
        assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    }
}

#[test]
fn with_leases_the_pods_have_a_token_their_name_and_a_way_to_the_api_server() {
    for (variant, kind) in [("deployment", "Deployment"), ("statefulset", "StatefulSet")] {
        let (plain, leased) = (built(variant, &[]), built(variant, &["leases"]));
        let of = |documents: &Value| {
            let pod = pod_spec(documents);
            let names = pod["containers"][0]["env"].as_array().unwrap().iter().map(|one| one["name"].clone());
            let ways = only(documents, "NetworkPolicy")["spec"]["egress"].as_array().unwrap().len();
            (pod["automountServiceAccountToken"].clone(), names.collect::<Vec<_>>(), ways)
        };
        assert_eq!(of(&plain), (json!(false), vec![json!("GIT_TOKEN")], 3));
        assert_eq!(of(&leased), (json!(true), vec![json!("GIT_TOKEN"), json!("POD_NAME")], 4));
        let rules = only(&leased, "Role")["rules"].as_array().unwrap();
        let verbs: Vec<&Value> = rules.iter().map(|rule| &rule["verbs"]).collect();
        assert_eq!(verbs, [&json!(["create"]), &json!(["get", "update"])]);
        assert!(rules.iter().all(|rule| rule["resources"] == json!(["leases"])));
        // As many as there may be, each called as a pod of the StatefulSet.
        let own: Vec<String> = (0..16).map(|shard| format!("backout-{shard}")).collect();
        assert_eq!(rules[1]["resourceNames"], json!(own));
        assert_eq!(only(&leased, kind)["metadata"]["name"], "backout");
        let binding = only(&leased, "RoleBinding");
        assert_eq!(binding["subjects"][0]["name"], pod_spec(&leased)["serviceAccountName"]);
    }
}
