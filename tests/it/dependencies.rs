//! What may stand in the dependency trees of the crate and of `fuzz`, by `deny.toml`: licences, banned crates, sources,
//! and second versions. `cargo deny check` reads the same file; it is not needed for this.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use semver::{Version, VersionReq};
use serde::Deserialize;

use crate::support::command;

/// The rules of `deny.toml`. A key of a section that is not here fails the test: nobody would hold it.
#[derive(Deserialize)]
struct Policy {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Graph {
    all_features: bool,
    targets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Licenses {
    allow: Vec<String>,
    exceptions: Vec<LicenseException>,
    #[expect(
        dead_code,
        reason = "how cargo deny reads texts; here only what a package says of itself counts"
    )]
    confidence_threshold: f64,
    #[expect(dead_code, reason = "what cargo deny warns of")]
    unused_allowed_license: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LicenseException {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Bans {
    #[expect(dead_code, reason = "it has one value")]
    multiple_versions: Always,
    #[expect(dead_code, reason = "here they always are")]
    multiple_versions_include_dev: bool,
    #[expect(dead_code, reason = "it has one value")]
    wildcards: Always,
    deny: Vec<CrateAndReason>,
    skip: Vec<CrateAndReason>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sources {
    #[expect(dead_code, reason = "it has one value")]
    unknown_registry: Always,
    #[expect(dead_code, reason = "it has one value")]
    unknown_git: Always,
    allow_registry: Vec<String>,
    allow_git: Vec<String>,
}

/// The one level at which this test holds a rule.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Always {
    Deny,
}

/// A crate, `name` or `name:REQUIREMENT`, and why it is listed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CrateAndReason {
    #[serde(rename = "crate")]
    spec: String,
    reason: String,
}

impl CrateAndReason {
    fn matches(&self, package: &Package) -> bool {
        let (name, requirement) = self.spec.split_once(':').unwrap_or((&self.spec, "*"));
        name == package.name && VersionReq::parse(requirement).unwrap().matches(&package.version)
    }
}

/// A package of `cargo metadata`.
#[derive(Clone, Deserialize)]
struct Package {
    name: String,
    version: Version,
    license: Option<String>,
    /// None where it comes from this directory.
    source: Option<String>,
    dependencies: Vec<Requirement>,
}

/// What a package asks for.
#[derive(Clone, Deserialize)]
struct Requirement {
    name: String,
    req: String,
    path: Option<String>,
}

fn policy() -> Policy {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).unwrap();
    basic_toml::from_str(&text).unwrap()
}

/// What cargo prints about the tree of a manifest on the targets of the policy.
fn cargo(arguments: &[&str], manifest: &str, graph: &Graph, target: &str) -> String {
    let mut cargo = command(env!("CARGO"));
    cargo.args(arguments).args(["--locked", "--offline", "--manifest-path"]);
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest));
    if graph.all_features {
        cargo.arg("--all-features");
    }
    for name in &graph.targets {
        cargo.args([target, name]);
    }
    let output = cargo.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}\nDo first: cargo fetch --locked --manifest-path {manifest}");
    String::from_utf8(output.stdout).unwrap()
}

/// The packages that are built on any of the policy's targets, the workspace's own included.
fn packages(manifest: &str, graph: &Graph) -> Vec<Package> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let metadata = cargo(&["metadata", "--format-version", "1"], manifest, graph, "--filter-platform");
    let metadata: Metadata = serde_json::from_str(&metadata).unwrap();
    // The metadata have crates too that stand in the lock file and that no feature asks for. The tree has not.
    let tree = ["tree", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}"];
    let tree = cargo(&tree, manifest, graph, "--target");
    let name_and_version = |line: &str| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    let built: BTreeSet<_> = tree.lines().filter_map(name_and_version).collect();
    let mut packages = metadata.packages;
    packages.retain(|package| built.contains(&(package.name.clone(), package.version.to_string())));
    assert_eq!(packages.len(), built.len(), "cargo's metadata and its tree differ: {built:?}");
    packages
}

/// The packages that may not be used under any of the allowed licences.
fn unlicensed(packages: &[Package], rules: &Licenses) -> Vec<String> {
    let finding = |package: &Package| {
        let Some(license) = &package.license else {
            return Some(format!("{} {} names no licence", package.name, package.version));
        };
        let own = rules.exceptions.iter().filter(|exception| exception.name == package.name);
        let allowed: Vec<&String> = rules.allow.iter().chain(own.flat_map(|own| &own.allow)).collect();
        let expression = match spdx::Expression::parse_mode(license, spdx::ParseMode::LAX) {
            Ok(expression) => expression,
            Err(error) => return Some(format!("{} {}: {error}", package.name, package.version)),
        };
        let is_allowed =
            |license: &spdx::LicenseReq| allowed.iter().any(|name| **name == license.to_string());
        (!expression.evaluate(is_allowed)).then(|| {
            format!("{} {} is under {license}: `licenses` does not allow it", package.name, package.version)
        })
    };
    packages.iter().filter_map(finding).collect()
}

fn banned(packages: &[Package], rules: &Bans) -> Vec<String> {
    let finding = |package: &Package| {
        let ban = rules.deny.iter().find(|ban| ban.matches(package))?;
        Some(format!("{} {} is banned: {}", package.name, package.version, ban.reason))
    };
    packages.iter().filter_map(finding).collect()
}

/// The packages that come neither from this directory nor from a registry or repository that is allowed.
fn foreign(packages: &[Package], rules: &Sources) -> Vec<String> {
    let is_allowed = |source: &str| {
        let is = |kind: &str, allowed: &[String]| {
            let address = source.strip_prefix(kind);
            address.is_some_and(|address| {
                let address = address.split(['?', '#']).next().unwrap();
                allowed.iter().any(|one| one == address)
            })
        };
        is("registry+", &rules.allow_registry) || is("git+", &rules.allow_git)
    };
    let finding = |package: &Package| {
        let source = package.source.as_ref().filter(|source| !is_allowed(source))?;
        Some(format!("{} {} comes from {source}: `sources` does not allow it", package.name, package.version))
    };
    packages.iter().filter_map(finding).collect()
}

/// The crates of which more than one version is left without those that are skipped.
fn doubled(packages: &[Package], rules: &Bans) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for package in packages {
        if !rules.skip.iter().any(|skip| skip.matches(package)) {
            versions.entry(&package.name).or_default().push(package.version.to_string());
        }
    }
    versions.retain(|_, versions| versions.len() > 1);
    let finding = |(name, versions): (&str, Vec<String>)| {
        format!("{name} is there as {}: go to one version, or `skip` the older one", versions.join(" and "))
    };
    versions.into_iter().map(finding).collect()
}

/// The lines of `skip` that skip no second version any more.
fn idle_skips(packages: &[Package], rules: &Bans) -> Vec<String> {
    let is_idle = |skip: &&CrateAndReason| {
        let skipped = packages.iter().find(|package| skip.matches(package));
        skipped.is_none_or(|skipped| packages.iter().filter(|other| other.name == skipped.name).count() < 2)
    };
    let idle = rules.skip.iter().filter(is_idle);
    idle.map(|skip| format!("`skip` has {}, which is not there twice: remove the line", skip.spec)).collect()
}

/// The requirements of the workspace's own packages that any version would meet.
fn wildcards(packages: &[Package]) -> Vec<String> {
    let own = packages.iter().filter(|package| package.source.is_none());
    let open = own.flat_map(|package| &package.dependencies);
    let open = open.filter(|dependency| dependency.req == "*" && dependency.path.is_none());
    open.map(|dependency| format!("{} is asked for in any version: name one", dependency.name)).collect()
}

fn check(manifest: &str) {
    let policy = policy();
    let packages = packages(manifest, &policy.graph);
    let findings = [
        unlicensed(&packages, &policy.licenses),
        banned(&packages, &policy.bans),
        foreign(&packages, &policy.sources),
        doubled(&packages, &policy.bans),
        wildcards(&packages),
    ]
    .concat();
    assert!(findings.is_empty(), "{manifest}, by deny.toml:\n{}\n", findings.join("\n"));
}

#[test]
fn the_tree_of_the_crate_is_as_deny_toml_says() {
    check("Cargo.toml");
}

#[test]
fn the_tree_of_the_fuzz_target_is_as_deny_toml_says() {
    check("fuzz/Cargo.toml");
}

/// The features that a crate has in the tests and not in the program, because a crate of the tests asks for them. None of them changes
/// what the program does:
const ONLY_IN_TESTS: [(&str, &[&str]); 3] = [
    // `std::error::Error` for its errors.
    ("granit-parser", &["std"]),
    // Tables for `\p{…}`, which no pattern has.
    (
        "regex",
        &[
            "default",
            "unicode",
            "unicode-age",
            "unicode-bool",
            "unicode-gencat",
            "unicode-script",
            "unicode-segment",
        ],
    ),
    // A clock that tests set.
    ("tokio", &["test-util"]),
];

/// The features of the crates that the program depends on, as `cargo` builds them for it or for its tests.
fn features(edges: &str) -> BTreeMap<String, BTreeSet<String>> {
    let arguments = ["tree", "--edges", edges, "--depth", "1", "--prefix", "none", "--format", "{p} [{f}]"];
    let tree = cargo(&arguments, "Cargo.toml", &policy().graph, "--target");
    let of_line = |line: &str| {
        let (package, features) = line.split_once('[')?;
        let features = features.split_once(']')?.0.split(',').map(str::to_owned).collect();
        Some((package.split(' ').next()?.to_owned(), features))
    };
    tree.lines().filter_map(of_line).collect()
}

/// A regular expression that the program cannot compile did so in the tests, with a feature that a crate of the tests brought.
#[test]
fn the_tests_run_with_the_features_of_the_program() {
    let (shipped, tested) = (features("normal"), features("normal,dev"));
    assert!(shipped.len() > 20, "{shipped:?}");
    let only_in_tests = |(name, shipped): (&String, &BTreeSet<String>)| {
        let more: Vec<String> = tested.get(name)?.difference(shipped).cloned().collect();
        (!more.is_empty()).then(|| (name.clone(), more))
    };
    let found: Vec<(String, Vec<String>)> = shipped.iter().filter_map(only_in_tests).collect();
    let known: Vec<(String, Vec<String>)> = ONLY_IN_TESTS
        .iter()
        .map(|(name, more)| ((*name).to_owned(), more.iter().map(|one| (*one).to_owned()).collect()))
        .collect();
    assert_eq!(found, known);
}

#[test]
fn nothing_is_skipped_in_vain() {
    let policy = policy();
    let idle = idle_skips(&packages("Cargo.toml", &policy.graph), &policy.bans);
    assert!(idle.is_empty(), "{}", idle.join("\n"));
}

/// A package from crates.io under an allowed licence.
fn package(name: &str, version: &str) -> Package {
    Package {
        name: name.to_owned(),
        version: version.parse().unwrap(),
        license: Some("MIT".to_owned()),
        source: Some("registry+https://github.com/rust-lang/crates.io-index".to_owned()),
        dependencies: Vec::new(),
    }
}

#[track_caller]
fn finds(findings: &[String], expected: &str) {
    assert!(findings.len() == 1 && findings[0].contains(expected), "{expected} is not in: {findings:?}");
}

#[test]
fn a_licence_that_is_not_allowed_is_found() {
    let rules = policy().licenses;
    let under =
        |name: &str, license: &str| [Package { license: Some(license.to_owned()), ..package(name, "1.0.0") }];
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "GPL-3.0-only OR MIT",
        "(MIT OR GPL-3.0-only) AND Unicode-3.0",
    ] {
        assert_eq!(unlicensed(&under("some", good), &rules), [""; 0], "{good}");
    }
    for bad in [
        "GPL-3.0-only",
        "AGPL-3.0-or-later",
        "MIT AND GPL-2.0-or-later",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "(MIT OR Apache-2.0) AND NCSA",
    ] {
        finds(&unlicensed(&under("some", bad), &rules), bad);
    }
    finds(&unlicensed(&under("some", "my own terms"), &rules), "some 1.0.0: ");
    finds(&unlicensed(&[Package { license: None, ..package("some", "1.0.0") }], &rules), "names no licence");
    assert_eq!(unlicensed(&under("libfuzzer-sys", "(MIT OR Apache-2.0) AND NCSA"), &rules), [""; 0]);
}

#[test]
fn a_banned_crate_is_found() {
    let rules = policy().bans;
    finds(&banned(&[package("openssl-sys", "0.9.100"), package("openssl-probe", "0.1.0")], &rules), "rustls");
}

#[test]
fn a_source_that_is_not_allowed_is_found() {
    let rules = policy().sources;
    let from = |source: &str| [Package { source: Some(source.to_owned()), ..package("some", "1.0.0") }];
    for bad in [
        "registry+https://crates.example.com/index",
        "sparse+https://crates.example.com/index/",
        "git+https://github.com/rust-lang/crates.io-index?rev=1#1",
    ] {
        finds(&foreign(&from(bad), &rules), bad);
    }
    assert_eq!(foreign(&[Package { source: None, ..package("backout", "1.0.0") }], &rules), [""; 0]);
    let allowed = Sources { allow_git: vec!["https://example.com/a".to_owned()], ..rules };
    assert_eq!(foreign(&from("git+https://example.com/a?branch=main#abc"), &allowed), [""; 0]);
}

#[test]
fn a_second_version_is_found_and_so_is_a_skip_without_one() {
    let skip = |spec: &str| CrateAndReason { spec: spec.to_owned(), reason: String::new() };
    let rules = Bans { skip: vec![skip("old:0.1"), skip("gone:3")], ..policy().bans };
    let tree =
        [package("old", "0.1.9"), package("old", "0.2.0"), package("one", "1.0.0"), package("gone", "4.0.0")];
    assert_eq!(doubled(&tree, &rules), [""; 0]);
    finds(&idle_skips(&tree, &rules), "gone:3");
    let third = [&tree[..], &[package("old", "0.3.0")]].concat();
    finds(&doubled(&third, &rules), "old is there as 0.2.0 and 0.3.0");
    let second = [&tree[..], &[package("one", "1.0.1")]].concat();
    finds(&doubled(&second, &rules), "one is there as 1.0.0 and 1.0.1");
}

#[test]
fn a_requirement_for_any_version_is_found() {
    let any = |path: Option<&str>| Requirement {
        name: "some".to_owned(),
        req: "*".to_owned(),
        path: path.map(str::to_owned),
    };
    let asking =
        |dependency| [Package { source: None, dependencies: vec![dependency], ..package("own", "0.1.0") }];
    finds(&wildcards(&asking(any(None))), "some is asked for in any version");
    assert_eq!(wildcards(&asking(any(Some("some")))), [""; 0]);
}

#[test]
fn a_rule_that_nobody_would_hold_is_refused() {
    let good = "unknown-registry = 'deny'\nunknown-git = 'deny'\nallow-registry = []\nallow-git = []\n";
    let is_taken = |text: &str| basic_toml::from_str::<Sources>(text).is_ok();
    assert!(is_taken(good));
    assert!(!is_taken(&good.replacen("deny", "warn", 1)), "a weaker level");
    assert!(
        !is_taken(&format!("{good}allow-org = {{ github = ['acme'] }}\n")),
        "a key that this test does not know"
    );
}
