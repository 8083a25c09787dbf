//! The manifests under `deploy/`: they parse, they give the program no more than it needs, and their configuration
//! loads.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Each manifest that runs the program, with the place of its pod template.
const WORKLOADS: [(&str, &str); 3] = [
    ("cronjob/cronjob.yaml", "/spec/jobTemplate/spec/template"),
    ("deployment/deployment.yaml", "/spec/template"),
    ("statefulset/statefulset.yaml", "/spec/template"),
];

fn kustomize() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kustomize")
}

fn yaml(path: &str) -> Value {
    let text = std::fs::read_to_string(kustomize().join(path)).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("deploy/kustomize/{path}: {error}"))
}

#[track_caller]
fn holds(path: &str, value: &Value, pointer: &str, expected: &Value) {
    assert_eq!(value.pointer(pointer), Some(expected), "deploy/kustomize/{path}: {pointer}");
}

#[test]
fn every_file_of_a_kustomization_is_there() {
    let variants = ["base", "cronjob", "daemon", "deployment", "statefulset"];
    for directory in
        variants.iter().chain(&["components/leases", "components/monitoring", "components/two-replicas"])
    {
        let kustomization = yaml(&format!("{directory}/kustomization.yaml"));
        for resource in kustomization["resources"].as_array().unwrap() {
            let resource = resource.as_str().unwrap();
            let path = kustomize().join(directory).join(resource);
            assert!(path.exists(), "deploy/kustomize/{directory}/kustomization.yaml: there is no {resource}");
            if path.is_file() {
                let manifest = yaml(&format!("{directory}/{resource}"));
                for key in ["apiVersion", "kind"] {
                    assert!(manifest[key].is_string(), "{resource}: {key} is missing");
                }
            }
        }
    }
}

#[test]
fn workloads_have_least_privilege() {
    for (path, template) in WORKLOADS {
        let manifest = yaml(path);
        let pod = manifest.pointer(&format!("{template}/spec")).unwrap();
        for (pointer, expected) in [
            ("/automountServiceAccountToken", json!(false)),
            ("/enableServiceLinks", json!(false)),
            ("/securityContext/runAsNonRoot", json!(true)),
            ("/securityContext/runAsUser", json!(65532)),
            ("/securityContext/fsGroup", json!(65532)),
            ("/securityContext/seccompProfile/type", json!("RuntimeDefault")),
            ("/containers/0/securityContext/allowPrivilegeEscalation", json!(false)),
            ("/containers/0/securityContext/readOnlyRootFilesystem", json!(true)),
            ("/containers/0/securityContext/capabilities/drop", json!(["ALL"])),
            ("/containers/0/env/0/valueFrom/secretKeyRef/name", json!("backout-git")),
        ] {
            holds(path, pod, pointer, &expected);
        }
        let [container] = pod["containers"].as_array().unwrap().as_slice() else { panic!("one container") };
        for kind in ["requests", "limits"] {
            assert!(container["resources"][kind]["memory"].is_string(), "{path}: no memory in {kind}");
        }
        for host in ["hostNetwork", "hostPID", "hostIPC"] {
            assert_eq!(pod[host], Value::Null, "{path}: {host}");
        }
        let volumes = pod["volumes"].as_array().unwrap();
        let claims = manifest.pointer("/spec/volumeClaimTemplates/0/metadata/name");
        for mount in container["volumeMounts"].as_array().unwrap() {
            if claims == Some(&mount["name"]) {
                continue;
            }
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]);
            let volume = volume.unwrap_or_else(|| panic!("{path}: no volume for {mount}"));
            assert!(
                volume["emptyDir"]["sizeLimit"].is_string() || mount["readOnly"] == true,
                "{path}: {mount} is neither read-only nor bounded"
            );
        }
    }
}

#[test]
fn exit_codes_are_told_apart_by_the_cron_job() {
    let path = "cronjob/cronjob.yaml";
    let job = yaml(path);
    holds(path, &job, "/spec/concurrencyPolicy", &json!("Forbid"));
    holds(path, &job, "/spec/jobTemplate/spec/backoffLimit", &json!(0));
    // What a failure policy needs.
    holds(path, &job, "/spec/jobTemplate/spec/template/spec/restartPolicy", &json!("Never"));
    let rules = job.pointer("/spec/jobTemplate/spec/podFailurePolicy/rules").unwrap();
    let codes = |action: &str| -> Vec<Value> {
        let of_action = rules.as_array().unwrap().iter().filter(|rule| rule["action"] == action);
        of_action.filter_map(|rule| rule.pointer("/onExitCodes/values")).cloned().collect()
    };
    assert_eq!(codes("Ignore"), [json!([3])], "acted: a second pass follows");
    assert_eq!(codes("FailJob"), [json!([1, 2, 4])], "an error, wrong usage, a person must look");
}

#[test]
fn the_network_policy_selects_the_pods_and_lets_nothing_in() {
    let path = "base/networkpolicy.yaml";
    let policy = yaml(path);
    holds(path, &policy, "/spec/policyTypes", &json!(["Ingress", "Egress"]));
    holds(path, &policy, "/spec/ingress", &json!([]));
    let selected = policy.pointer("/spec/podSelector/matchLabels").unwrap();
    for (path, template) in WORKLOADS {
        holds(path, &yaml(path), &format!("{template}/metadata/labels"), selected);
    }
    holds(
        "base/serviceaccount.yaml",
        &yaml("base/serviceaccount.yaml"),
        "/automountServiceAccountToken",
        &json!(false),
    );
}

#[test]
fn the_configuration_loads_and_fits_the_pod() {
    let file = kustomize().join("base/backout.yaml");
    let variable = |name: &str| (name == "GIT_TOKEN").then(|| "x".to_owned());
    let settings = backout::config::load(&[file], &variable).unwrap_or_else(|errors| panic!("{errors}"));
    let [estate] = settings.estates.as_slice() else { panic!("one repository") };
    for (path, template) in WORKLOADS {
        let manifest = yaml(path);
        let mounts = manifest.pointer(&format!("{template}/spec/containers/0/volumeMounts")).unwrap();
        let writable = mounts.as_array().unwrap().iter().filter(|mount| mount["readOnly"] != true);
        let mut writable = writable.map(|mount| mount["mountPath"].as_str().unwrap());
        assert!(writable.any(|place| estate.repository.cache_dir.starts_with(place)), "{path}: the cache");
    }
}

#[test]
fn the_image_runs_as_the_user_of_the_manifests() {
    let path = kustomize().join("../Dockerfile");
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text.matches("\nUSER 65532:65532\n").count(), 2, "deploy/Dockerfile: both images");
}
