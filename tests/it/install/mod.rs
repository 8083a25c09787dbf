//! What people install backout with: the chart and the kustomizations as Helm and kubectl render them, rules and dashboard beside
//! the metrics that there are, systemd's units, and workflows.

mod chart;
mod kustomize;
pub(crate) mod monitoring;
mod systemd;
mod workflows;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::python::manifests;

/// Versions of Kubernetes that the manifests are held against: the oldest that they are for, some between, the newest known.
const VERSIONS: [&str; 4] = ["1.29", "1.31", "1.34", "1.37"];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml_of(path: &str) -> Value {
    serde_saphyr::from_str(&text_of(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The only document of a kind.
#[track_caller]
fn only<'d>(documents: &'d Value, kind: &str) -> &'d Value {
    let mut found = documents.as_array().unwrap().iter().filter(|document| document["kind"] == kind);
    let first = found.next().unwrap_or_else(|| panic!("there is no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    first
}

/// The kinds of all documents, sorted.
fn kinds(documents: &Value) -> Vec<&str> {
    let mut kinds: Vec<_> =
        documents.as_array().unwrap().iter().map(|document| document["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds
}

/// Fails where Kubernetes would not take a document. The operator's own kinds have no schema there: others test what is in them.
#[track_caller]
fn fits_kubernetes(documents: &Value) {
    let is_own = |document: &&Value| {
        let version = document["apiVersion"].as_str().unwrap();
        !version.starts_with("monitoring.coreos.com/")
    };
    let own: Vec<_> = documents.as_array().unwrap().iter().filter(is_own).cloned().collect();
    assert!(own.len() > 2, "{own:?}");
    let arguments = [&["validate"][..], &VERSIONS].concat();
    assert_eq!(manifests(&arguments, &json!(own)), json!([]));
}

/// The spec of the agent's pods.
#[track_caller]
fn pod_spec(documents: &Value) -> &Value {
    let is_workload = |kind: &&str| ["Deployment", "StatefulSet", "CronJob"].contains(kind);
    let kind = kinds(documents).into_iter().find(is_workload).unwrap();
    let place =
        if kind == "CronJob" { "/spec/jobTemplate/spec/template/spec" } else { "/spec/template/spec" };
    only(documents, kind).pointer(place).unwrap()
}

#[test]
fn what_kubernetes_does_not_know_is_told() {
    let document =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "one"}, "spec": {"prots": []}});
    let told = manifests(&["validate", "1.37"], &json!([document]));
    assert!(told.to_string().contains("prots"), "{told}");
}
