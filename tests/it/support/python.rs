//! What the tests run of PyPI: scripts/test installs it into `tests/python/.venv`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::command;

/// A program of an installed package.
///
/// # Panics
/// When it is not installed.
pub(crate) fn python_program(name: &str) -> Command {
    let path = directory().join(".venv/bin").join(name);
    assert!(
        path.exists(),
        "this test needs {name} from PyPI: run scripts/test once, which installs it into tests/python/.venv"
    );
    command(path.to_str().unwrap())
}

/// What `tests/python/manifests.py` answers.
pub(crate) fn manifests(arguments: &[&str], input: &Value) -> Value {
    // Fails by name when the packages are not there.
    drop(python_program("kubernetes-validate"));
    let mut child = python_program("python")
        .arg(directory().join("manifests.py"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "manifests.py {arguments:?} failed: {told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python")
}
