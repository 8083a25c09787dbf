//! Before anything goes back: whether what ran before is still there, and is the same.

use serde_json::Value;

use super::stage::{BOT, PERSON, Stage, item, text, words};
use super::table::{Rules, configure, errors, file, stage};
use crate::support::registry::Registry;

const VALUES: &str = "apps/web/values.yaml";
const SERVICES: &str = r#"[{pattern: "apps/{service}/**"}]"#;
/// Under these rules half an hour is enough to have been tried.
const POLICY: &str = "settle: 60s, watch: 40m, baseline: 15m";

/// A registry with v1, v2 and v3 of `web`, and `web` at v1 for three hours, at v2 for a hundred minutes, and at v3 since twelve minutes. It fails since.
pub(super) struct Scene {
    pub(super) registry: Registry,
    pub(super) stage: Stage,
    bad: String,
    /// More keys of the configuration.
    more: String,
}

fn values(registry: &Registry, tag: &str) -> String {
    format!("image:\n  repository: {}/shop/web\n  tag: {tag}\nreplicas: 2\n", registry.host())
}

impl Scene {
    fn new(schema: &str, labels: [&[(&str, &str)]; 3]) -> Self {
        Self::with(schema, labels, "")
    }

    /// With more keys of the configuration.
    pub(super) fn with(schema: &str, labels: [&[(&str, &str)]; 3], more: &str) -> Self {
        let registry = Registry::start();
        for (tag, labels) in ["v1", "v2", "v3"].iter().zip(labels) {
            registry.push(&format!("shop/web:{tag}"), labels);
        }
        let v1 = values(&registry, "v1");
        let stage = stage(&Rules::new(SERVICES), &[(VALUES, &v1)]);
        let mut scene = Self { registry, stage, bad: String::new(), more: more.to_owned() };
        scene.configure(schema, true);
        scene.deploy("v2", -100, PERSON);
        scene.bad = scene.deploy("v3", -12, BOT);
        errors(&scene.stage, &[("web", &[(-11, 99)]), ("api", &[])]);
        scene
    }

    /// With registries in the configuration, or without.
    pub(super) fn configure(&self, schema: &str, listed: bool) {
        let registries = match listed {
            true => format!(
                "registries: [{{host: \"{}\", plain_http: true, timeout: 5s}}]\n",
                self.registry.host()
            ),
            false => String::new(),
        };
        let more = format!("{registries}{}", self.more);
        let policy = format!("{POLICY}{schema}");
        configure(&self.stage, &Rules { more: &more, policy: &policy, ..Rules::new(SERVICES) });
    }

    fn deploy(&self, tag: &str, minutes: i64, who: &str) -> String {
        self.stage.write(VALUES, &values(&self.registry, tag));
        let commit = self.stage.commit(minutes, who, &format!("Deploy {tag}"));
        self.stage.push();
        commit
    }

    /// A pass puts this version back; returns what it said of the service, and the message of its commit.
    #[track_caller]
    pub(super) fn is_back_at(&self, tag: &str) -> (Value, String) {
        let report = self.stage.pass(3);
        let web = item(&report, "web").clone();
        assert_eq!(words(&web), "regressed revert", "{report:#}");
        assert_eq!(file(&self.stage, VALUES).unwrap(), values(&self.registry, tag));
        let message = self.stage.remote(&["log", "-1", "--format=%B", "main"]);
        self.stage.nothing_more();
        (web, message)
    }

    #[track_caller]
    pub(super) fn is_for_a_person(&self, why: &[&str]) -> Value {
        let tip = self.stage.tip();
        let report = self.stage.pass(4);
        let web = item(&report, "web").clone();
        assert_eq!(words(&web), "regressed escalate", "{report:#}");
        let told = text(&web, "why");
        assert!(why.iter().all(|part| told.contains(part)), "{told}");
        assert_eq!(self.stage.tip(), tip);
        self.stage.nothing_more();
        web
    }

    fn name(&self, tag: &str) -> String {
        format!("{}/shop/web:{tag}", self.registry.host())
    }
}

#[test]
fn what_is_there_goes_back_and_the_plan_the_message_and_the_record_say_so() {
    let scene = Scene::new("", [&[], &[], &[]]);
    let digest = scene.registry.digest("shop/web:v2");
    let plan = scene.stage.run(&["plan"]).ended(0).stdout;
    let line = format!("{} is there ({})", scene.name("v2"), &digest[..19]);
    assert!(plan.contains(&line), "{line}:\n{plan}");
    let (web, message) = scene.is_back_at("v2");
    assert!(message.contains(&format!("What goes back, by the registries: {line}.")), "{message}");
    let found = &web["artifacts"]["target"][0];
    assert_eq!((text(found, "presence"), text(found, "digest")), ("exists", digest.as_str()), "{web:#}");
    let record: Value = serde_json::from_str(&scene.stage.note(&scene.bad)[0]).unwrap();
    assert_eq!(record["artifacts"]["target"][0], *found, "{record:#}");
}

#[test]
fn where_an_image_is_gone_an_older_one_goes_back() {
    let scene = Scene::new("", [&[], &[], &[]]);
    scene.registry.remove("shop/web:v2");
    let (web, message) = scene.is_back_at("v1");
    let gone = format!("{} is gone from its registry", scene.name("v2"));
    assert!(message.contains(&gone), "{message}");
    assert!(message.contains("Backout-With: "), "{message}");
    assert!(text(&web["artifacts"]["passed_over"][0], "why").contains(&gone), "{web:#}");
}

#[test]
fn where_all_are_gone_a_person_decides() {
    let scene = Scene::new("", [&[], &[], &[]]);
    scene.registry.remove("shop/web:v2");
    scene.registry.remove("shop/web:v1");
    let gone = |tag: &str| format!("{} is gone from its registry", scene.name(tag));
    let web = scene.is_for_a_person(&["no good state is left", &gone("v2"), &gone("v1")]);
    assert_eq!(web["guards"].as_array().unwrap().last().unwrap()["guard"], "artifact");
}

#[test]
fn a_tag_that_moved_since_is_not_what_ran() {
    let scene = Scene::new("", [&[], &[], &[]]);
    // As v2 was deployed the agent has watched it, and written down what it was.
    let before = scene.registry.digest("shop/web:v2");
    let watched = Scene::watched(&scene);
    assert!(watched.contains(&before), "{watched}");
    let moved = scene.registry.push("shop/web:v2", &[]);
    let (_, message) = scene.is_back_at("v1");
    let told = format!("is not what ran: it was {} and is {} now", &before[..19], &moved[..19]);
    assert!(message.contains(&told), "{told}:\n{message}");
}

impl Scene {
    /// Makes the pass that judges v2, when v3 was not there yet; returns what it wrote down.
    fn watched(&self) -> String {
        let v2 = self.stage.git(&["rev-parse", "HEAD^"]);
        self.stage.git(&[
            "push",
            "-q",
            "--force",
            self.stage.bare.to_str().unwrap(),
            "HEAD^:refs/heads/main",
        ]);
        self.configure(", recovery: 10m", true);
        let policy = "settle: 60s, watch: 97m, baseline: 15m";
        let more = format!("registries: [{{host: \"{}\", plain_http: true}}]\n", self.registry.host());
        errors(&self.stage, &[("web", &[]), ("api", &[])]);
        configure(&self.stage, &Rules { more: &more, policy, ..Rules::new(SERVICES) });
        self.stage.pass(0);
        self.configure("", true);
        errors(&self.stage, &[("web", &[(-11, 99)]), ("api", &[])]);
        self.stage.push();
        self.stage.note(&v2).join("\n")
    }
}

#[test]
fn where_the_registry_does_not_answer_it_is_reverted_and_said_so() {
    let mut scene = Scene::new("", [&[], &[], &[]]);
    scene.registry.stop();
    let (web, message) = scene.is_back_at("v2");
    let why =
        format!("{} was not looked up: registry {} did not answer", scene.name("v2"), scene.registry.host());
    assert!(message.contains(&why), "{why}:\n{message}");
    assert_eq!(text(&web["artifacts"]["target"][0], "presence"), "not-asked");
}

#[test]
fn without_registries_nothing_is_asked_and_only_the_record_says_so() {
    let scene = Scene::new("", [&[], &[], &[]]);
    scene.configure("", false);
    let (web, message) = scene.is_back_at("v2");
    assert!(!message.contains("registr"), "{message}");
    assert_eq!(text(&web["artifacts"]["target"][0], "why"), "no registry is configured");
}

#[test]
fn an_image_with_another_schema_is_for_a_person() {
    let (old, new) = (("org.backout.schema-version", "41"), ("org.backout.schema-version", "42"));
    let scene = Scene::new("", [&[old], &[old], &[new]]);
    let label = format!("the label {} is 42 in {}, and 41 in {}", old.0, scene.name("v3"), scene.name("v2"));
    scene.is_for_a_person(&["needs another database schema", &label]);
    let scene = Scene::new(", schema: {image_labels: [schema]}", [&[old], &[old], &[new]]);
    scene.is_back_at("v2");
    let scene = Scene::new(", schema: {policy: ignore}", [&[old], &[old], &[new]]);
    scene.is_back_at("v2");
}

#[test]
fn who_relies_on_labels_decides_where_they_cannot_be_read() {
    let mut scene = Scene::new(", schema: {detectors: [images]}", [&[], &[], &[]]);
    scene.registry.stop();
    scene.is_for_a_person(&["its policy names the detector `images`", "did not answer"]);
}
