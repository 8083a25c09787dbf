//! Workflows and the action of GitHub.

use serde_json::Value;

use super::super::support::python::python_program;
use super::{root, text_of, yaml_of};

const WORKFLOWS: [&str; 3] =
    [".github/workflows/release.yml", "deploy/github/check.yml", "deploy/github/run.yml"];

#[test]
fn they_fit_the_schemas_of_github() {
    for (schema, files) in
        [("vendor.github-workflows", &WORKFLOWS[..]), ("vendor.github-actions", &["action.yml"])]
    {
        let done = python_program("check-jsonschema")
            .args(["--builtin-schema", schema])
            .args(files.iter().map(|file| root(file)))
            .output()
            .unwrap();
        assert!(done.status.success(), "{schema}: {}", String::from_utf8_lossy(&done.stdout));
    }
}

#[test]
fn a_workflow_may_no_more_than_it_needs() {
    for file in WORKFLOWS {
        let workflow = yaml_of(file);
        assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}), "{file}");
        for (name, job) in workflow["jobs"].as_object().unwrap() {
            assert!(job["timeout-minutes"].is_number(), "{file}: {name} may hang");
            for step in job["steps"].as_array().unwrap() {
                if step["uses"].as_str().is_some_and(|uses| uses.starts_with("actions/checkout@")) {
                    assert_eq!(step["with"]["persist-credentials"], Value::Bool(false), "{file}: {name}");
                }
            }
        }
    }
}

#[test]
fn no_text_of_others_becomes_a_command() {
    for file in WORKFLOWS.iter().chain(&["action.yml"]) {
        let mut in_script = None;
        for line in text_of(file).lines() {
            let depth = line.len() - line.trim_start().len();
            if in_script.is_some_and(|script| depth <= script && !line.trim().is_empty()) {
                in_script = None;
            }
            let is_script = in_script.is_some() || line.trim_start().starts_with("run:");
            assert!(!is_script || !line.contains("${{"), "{file}: pass it in the environment: {line}");
            if line.trim_start().starts_with("run: |") {
                in_script = Some(depth);
            }
        }
    }
}

#[test]
fn a_release_has_checksums_and_a_proof_of_each_thing() {
    let release = yaml_of(WORKFLOWS[0]);
    for job in ["binaries", "image", "chart"] {
        let job = &release["jobs"][job];
        assert_eq!(job["permissions"]["attestations"], "write");
        assert_eq!(job["permissions"]["id-token"], "write");
        let steps = job["steps"].as_array().unwrap();
        let is_proof = |step: &&Value| {
            step["uses"].as_str().is_some_and(|uses| uses.starts_with("actions/attest-build-provenance@"))
        };
        assert!(steps.iter().any(|step| is_proof(&step)));
    }
    assert!(text_of(WORKFLOWS[0]).contains("sha256sum -- *.tar.gz *.tgz >SHA256SUMS"));
    // The name that the action fetches is the name that the release gives.
    assert!(text_of(WORKFLOWS[0]).contains("NAME: backout-${{ github.ref_name }}-${{ matrix.target }}\n"));
    assert!(text_of("action.yml").contains("backout-$VERSION-$(uname -m)-unknown-linux-gnu.tar.gz"));
}
