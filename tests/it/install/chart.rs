//! The Helm chart, as Helm renders it.

use serde_json::{Value, json};

use super::super::support::python::manifests;
use super::{fits_kubernetes, kinds, only, pod_spec, root, text_of, yaml_of};

const CHART: &str = "deploy/helm/backout";

/// What the chart renders with each of these values.
fn render(values: &[Value]) -> Vec<Value> {
    let path = root(CHART);
    let Value::Array(rendered) = manifests(&["chart", path.to_str().unwrap()], &json!(values)) else {
        panic!("a list")
    };
    rendered
}

/// Values of `ci/`, with others on top.
fn values(name: &str, changes: &[(&str, Value)]) -> Value {
    let mut values = yaml_of(&format!("{CHART}/ci/{name}-values.yaml"));
    for (key, value) in changes {
        values[*key] = value.clone();
    }
    values
}

/// What is rendered with values of `ci/`, and others on top.
#[track_caller]
fn rendered(name: &str, changes: &[(&str, Value)]) -> Value {
    let result = render(&[values(name, changes)]).remove(0);
    assert_eq!(result.get("error"), None, "{name}");
    assert_eq!(result["lint"], json!([]), "{name}");
    result["documents"].clone()
}

#[test]
fn every_combination_renders_and_fits_kubernetes() {
    let everywhere = ["NetworkPolicy", "Pod", "ServiceAccount"];
    for (name, own) in [
        ("deployment", &["ConfigMap", "Deployment", "Service"][..]),
        (
            "everything",
            &[
                "ConfigMap",
                "ConfigMap",
                "Deployment",
                "Ingress",
                "PodDisruptionBudget",
                "PrometheusRule",
                "Service",
                "ServiceMonitor",
            ],
        ),
        ("cronjob", &["ConfigMap", "CronJob", "PersistentVolumeClaim"]),
        ("shards", &["ConfigMap", "PodDisruptionBudget", "Role", "RoleBinding", "Service", "StatefulSet"]),
    ] {
        let documents = rendered(name, &[]);
        let mut expected = [own, &everywhere].concat();
        expected.sort_unstable();
        assert_eq!(kinds(&documents), expected, "{name}");
        fits_kubernetes(&documents);
    }
    let documents = rendered("statefulset", &[]);
    assert_eq!(kinds(&documents), ["Pod", "Service", "ServiceMonitor", "StatefulSet"]);
    fits_kubernetes(&documents);
    // Each file of ci/ is one of these.
    let files = std::fs::read_dir(root(CHART).join("ci")).unwrap().count();
    assert_eq!(files, 5);
}

#[test]
fn pods_have_least_privilege() {
    for name in ["deployment", "everything", "statefulset", "cronjob"] {
        let documents = rendered(name, &[]);
        for spec in [pod_spec(&documents), &only(&documents, "Pod")["spec"]] {
            for (place, expected) in [
                ("/automountServiceAccountToken", json!(false)),
                ("/securityContext/runAsNonRoot", json!(true)),
                ("/securityContext/runAsUser", json!(65532)),
                ("/securityContext/seccompProfile/type", json!("RuntimeDefault")),
                ("/containers/0/securityContext/allowPrivilegeEscalation", json!(false)),
                ("/containers/0/securityContext/readOnlyRootFilesystem", json!(true)),
                ("/containers/0/securityContext/capabilities/drop", json!(["ALL"])),
            ] {
                assert_eq!(spec.pointer(place), Some(&expected), "{name}: {place}");
            }
        }
        assert!(!documents.to_string().contains("\"Secret\""), "{name}: secrets are never values");
    }
}

#[test]
fn daemons_with_leases_have_the_rights_to_these_and_no_others() {
    let documents = rendered("shards", &[]);
    let pod = pod_spec(&documents);
    assert_eq!(pod["automountServiceAccountToken"], json!(true));
    assert_eq!(
        only(&documents, "Pod")["spec"]["automountServiceAccountToken"],
        json!(false),
        "it takes no lease"
    );
    let name = json!({"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
    assert!(pod["containers"][0]["env"].as_array().unwrap().contains(&name));
    let own: Vec<String> = (0..5).map(|shard| format!("release-backout-{shard}")).collect();
    let leases =
        |verbs: Value| json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs});
    let mut named = leases(json!(["get", "update"]));
    named["resourceNames"] = json!(own);
    assert_eq!(only(&documents, "Role")["rules"], json!([leases(json!(["create"])), named]));
    let binding = only(&documents, "RoleBinding");
    assert_eq!(binding["roleRef"]["name"], only(&documents, "Role")["metadata"]["name"]);
    let account = json!({"kind": "ServiceAccount", "name": pod["serviceAccountName"], "namespace": "gitops"});
    assert_eq!(binding["subjects"], json!([account]));
    // The configuration has the same leases, and each pod of the StatefulSet is at home in one.
    let text = only(&documents, "ConfigMap")["data"]["backout.yaml"].as_str().unwrap();
    let config: Value = serde_saphyr::from_str(text).unwrap();
    assert_eq!(config["run"]["lease"], json!({"name": "release-backout", "shards": 5}));
    let set = only(&documents, "StatefulSet");
    assert_eq!((&set["metadata"]["name"], &set["spec"]["replicas"]), (&json!("release-backout"), &json!(5)));
    let to_server = json!({
        "to": [{"ipBlock": {"cidr": "198.51.100.10/32"}}],
        "ports": [{"protocol": "TCP", "port": 6443}],
    });
    let ways =
        |documents: &Value| only(documents, "NetworkPolicy")["spec"]["egress"].as_array().unwrap().clone();
    assert_eq!(ways(&documents).last(), Some(&to_server));
    // Without leases there is no right, no token and no way.
    let plain = rendered("shards", &[("leases", json!({"enabled": false}))]);
    assert!(!kinds(&plain).contains(&"Role"));
    assert_eq!(pod_spec(&plain)["automountServiceAccountToken"], json!(false));
    assert!(!ways(&plain).contains(&to_server) && !plain.to_string().contains("POD_NAME"));
    // A Deployment has one lease, however many stand by.
    let standby = rendered("shards", &[("kind", json!("Deployment"))]);
    assert_eq!(only(&standby, "Role")["rules"][1]["resourceNames"], json!(["release-backout-0"]));
}

#[test]
fn every_mount_has_its_volume_and_the_cache_stays_where_it_should() {
    for (name, kind) in
        [("deployment", "emptyDir"), ("everything", "emptyDir"), ("cronjob", "persistentVolumeClaim")]
    {
        let documents = rendered(name, &[]);
        let spec = pod_spec(&documents);
        let volumes = spec["volumes"].as_array().unwrap();
        for mount in spec["containers"][0]["volumeMounts"].as_array().unwrap() {
            assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{name}: {mount}");
        }
        let cache = volumes.iter().find(|volume| volume["name"] == "cache").unwrap();
        assert!(cache[kind].is_object(), "{name}: {cache}");
    }
    let claim = rendered("cronjob", &[]);
    assert_eq!(
        pod_spec(&claim).pointer("/volumes/2/persistentVolumeClaim/claimName"),
        Some(&only(&claim, "PersistentVolumeClaim")["metadata"]["name"])
    );
    let theirs = rendered("cronjob", &[("cache", json!({"existingClaim": "ours"}))]);
    assert!(!kinds(&theirs).contains(&"PersistentVolumeClaim"));
    let kept = rendered("statefulset", &[]);
    let set = only(&kept, "StatefulSet");
    assert_eq!(set.pointer("/spec/volumeClaimTemplates/0/metadata/name"), Some(&json!("cache")));
    assert!(pod_spec(&kept)["volumes"].as_array().unwrap().iter().all(|volume| volume["name"] != "cache"));
}

#[test]
fn the_service_and_the_budget_select_the_agent_and_not_the_test_pod() {
    let documents = rendered("everything", &[]);
    let labels = only(&documents, "Deployment").pointer("/spec/template/metadata/labels").unwrap();
    let selects = |selector: &Value, labels: &Value| {
        selector.as_object().unwrap().iter().all(|(key, value)| labels[key] == *value)
    };
    let test = &only(&documents, "Pod")["metadata"]["labels"];
    for (kind, place) in
        [("Service", "/spec/selector"), ("PodDisruptionBudget", "/spec/selector/matchLabels")]
    {
        let selector = only(&documents, kind).pointer(place).unwrap();
        assert!(selects(selector, labels) && !selects(selector, test), "{kind}: {selector}");
    }
    let policy = only(&documents, "NetworkPolicy").pointer("/spec/podSelector/matchLabels").unwrap();
    assert!(selects(policy, labels) && selects(policy, test), "{policy}");
    let monitor = only(&documents, "ServiceMonitor");
    let service = only(&documents, "Service");
    assert!(selects(&monitor["spec"]["selector"]["matchLabels"], &service["metadata"]["labels"]));
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    assert_eq!(monitor["spec"]["endpoints"][0]["path"], "/metrics");
}

#[test]
fn nobody_comes_in_unless_listed_and_from_outside_only_webhooks() {
    let closed = rendered("deployment", &[]);
    assert_eq!(only(&closed, "NetworkPolicy")["spec"]["ingress"], json!([]));
    let open = rendered("everything", &[]);
    let rule = &only(&open, "NetworkPolicy")["spec"]["ingress"][0];
    assert_eq!(rule["from"].as_array().unwrap().len(), 2);
    assert_eq!(rule["ports"], json!([{"protocol": "TCP", "port": 9443}]));
    let paths = only(&open, "Ingress").pointer("/spec/rules/0/http/paths").unwrap();
    let [path] = paths.as_array().unwrap().as_slice() else { panic!("one path: {paths}") };
    assert_eq!((&path["path"], &path["pathType"]), (&json!("/hooks"), &json!("Prefix")));
}

#[test]
fn the_configuration_loads_and_a_change_of_it_starts_the_pods_anew() {
    for name in ["deployment", "everything", "cronjob", "shards"] {
        let documents = rendered(name, &[]);
        let maps = documents.as_array().unwrap().iter().filter_map(|one| one.pointer("/data/backout.yaml"));
        let [text] = maps.collect::<Vec<_>>()[..] else { panic!("{name}: one configuration") };
        let home = tempfile::tempdir().unwrap();
        let secrets = home.path().join("secrets");
        for (place, secret) in [
            ("backout-app/key.pem", "a key"),
            ("backout-hooks/github", "0123456789abcdef"),
            ("backout-hooks/alerts", "fedcba9876543210"),
            ("backout-hooks/page", "a0b1c2d3e4f50617"),
        ] {
            let path = secrets.join(place);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, secret).unwrap();
        }
        let file = home.path().join("backout.yaml");
        let text = text.as_str().unwrap().replace("/etc/backout/secrets", secrets.to_str().unwrap());
        std::fs::write(&file, &text).unwrap();
        let environment = pod_spec(&documents)["containers"][0]["env"].as_array().unwrap();
        let of_pod = |name: &str| environment.iter().find(|one| one["name"] == name)?["value"].as_str();
        let secret = |name: &str| (name == "GIT_TOKEN").then_some("x");
        let variable = |name: &str| of_pod(name).or_else(|| secret(name)).map(str::to_owned);
        let loaded = backout::config::load(&[file], &variable);
        let settings = loaded.unwrap_or_else(|errors| panic!("{name}: {errors}\n{text}"));
        assert!(settings.estates[0].repository.cache_dir.starts_with("/var/cache"), "{name}: on its volume");
    }
    let sum = |documents: &Value| {
        let place = "/spec/template/metadata/annotations/checksum~1config";
        only(documents, "Deployment").pointer(place).unwrap().clone()
    };
    let before = values("deployment", &[]);
    let mut config = before["config"].clone();
    config["run"] = json!({"interval": "30s"});
    let same = rendered("deployment", &[("replicas", json!(3))]);
    let other = rendered("deployment", &[("config", config)]);
    assert_eq!(sum(&rendered("deployment", &[])), sum(&same));
    assert_ne!(sum(&same), sum(&other));
    let text = only(&other, "ConfigMap")["data"]["backout.yaml"].as_str().unwrap();
    assert!(text.contains("interval: 30s") && text.contains("listen: 0.0.0.0:8080"), "{text}");
}

#[test]
fn probes_ask_the_port_of_the_configuration() {
    let documents = rendered("everything", &[]);
    let container = &pod_spec(&documents)["containers"][0];
    assert_eq!(container["ports"][0]["containerPort"], 9443);
    assert_eq!(container["livenessProbe"]["httpGet"], json!({"path": "/healthz", "port": "http"}));
    assert_eq!(container["readinessProbe"]["httpGet"], json!({"path": "/readyz", "port": "http"}));
    let once = rendered("cronjob", &[]);
    let container = &pod_spec(&once)["containers"][0];
    assert!(container.get("livenessProbe").is_none() && container.get("ports").is_none(), "{container}");
    let arguments = container["args"].as_array().unwrap();
    assert!(arguments.ends_with(&[json!("run"), json!("--once")]), "{arguments:?}");
}

#[test]
fn wrong_values_are_refused_by_name() {
    let text = "repository: {url: x}\n";
    let leased = "run: {listen: '0.0.0.0:8080', lease: {name: ours, shards: 5}}\n";
    let wrong = [
        ("deployment", "kind", json!("DaemonSet"), "/kind"),
        ("deployment", "replicas", json!("2"), "/replicas"),
        ("deployment", "replicaCount", json!(2), "replicaCount"),
        ("deployment", "image", json!({"digest": "sha256:1"}), "/image/digest"),
        ("deployment", "image", json!({"name": "x"}), "name"),
        ("deployment", "port", json!(80), "/port"),
        ("deployment", "cache", json!({"size": "big"}), "/cache/size"),
        ("deployment", "secretFiles", json!(["A B"]), "/secretFiles/0"),
        ("deployment", "envFrom", json!([{"secret": "x"}]), "/envFrom/0"),
        ("deployment", "log", json!({"format": "xml"}), "/log/format"),
        ("deployment", "networkPolicy", json!({"dns": {"to": []}}), "/networkPolicy/dns/to"),
        ("deployment", "config", json!({}), "there is no configuration"),
        ("deployment", "config", json!(text), "add `run: {listen: \\\"0.0.0.0:8080\\\"}`"),
        ("deployment", "config", json!("a: ["), "no YAML"),
        ("deployment", "port", json!(9000), ""),
        ("everything", "port", json!(9000), "must be the same port"),
        ("deployment", "existingConfigMap", json!("ours"), "choose one"),
        ("deployment", "podDisruptionBudget", json!({"enabled": true}), "needs `replicas: 2`"),
        ("deployment", "ingress", json!({"enabled": true}), "needs `host`"),
        ("shards", "leases", json!({"enabled": true, "name": "A b"}), "/leases/name"),
        ("shards", "leases", json!({"enabled": true, "shards": 17}), "/leases/shards"),
        ("everything", "leases", json!({"enabled": true}), "add `lease: {name: release-backout, shards: 1}`"),
        ("deployment", "config", json!(leased), "set `leases.enabled`"),
        ("shards", "config", json!(leased), "the leases release-backout-0 to -4"),
        ("cronjob", "leases", json!({"enabled": true}), "a pass of a CronJob takes none"),
        ("cronjob", "serviceMonitor", json!({"enabled": true}), "a CronJob does not have"),
        ("cronjob", "ingress", json!({"enabled": true, "host": "x"}), "a CronJob does not have"),
    ];
    let all: Vec<_> =
        wrong.iter().map(|(name, key, value, _)| values(name, &[(key, value.clone())])).collect();
    for ((name, key, value, expected), result) in wrong.iter().zip(render(&all)) {
        let error = result.get("error").map(Value::to_string);
        // Beside the wrong ones, one that is right.
        let is_right = expected.is_empty() && error.is_none();
        let is_told = !expected.is_empty() && error.as_ref().is_some_and(|error| error.contains(expected));
        assert!(is_right || is_told, "{name}, {key}: {value}: {error:?}");
    }
}

#[test]
fn the_chart_has_the_version_of_the_program_and_documents_every_value() {
    let chart = yaml_of(&format!("{CHART}/Chart.yaml"));
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key], env!("CARGO_PKG_VERSION"), "{key}");
    }
    let defaults = yaml_of(&format!("{CHART}/values.yaml"));
    let schema = yaml_of(&format!("{CHART}/values.schema.json"));
    let readme = text_of(&format!("{CHART}/README.md"));
    let mut known: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
    // Helm's own.
    known.retain(|key| key != "global");
    let mut has: Vec<_> = defaults.as_object().unwrap().keys().cloned().collect();
    known.sort_unstable();
    has.sort_unstable();
    assert_eq!(known, has);
    for key in has {
        assert!(readme.contains(&format!("`{key}")), "deploy/helm/backout/README.md does not name `{key}`");
    }
}
