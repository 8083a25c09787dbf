//! Pins: what the agent backed out does not come back by automation. Each bot reads its configuration as the real one does, and
//! deploys only what that lets it.

use semver::Version;
use serde_json::Value;

use super::metrics::clock;
use super::stage::{BOT, Config, PERSON, Stage, item, text, words};
use crate::support::eventually;

const FILE: &str = "apps/web/values.yaml";
const IMAGE: &str = "registry.example.com/shop/web";
/// What the registry has, oldest first.
const TAGS: [&str; 3] = ["v1.4.1", "v1.4.2", "v1.5.0"];

/// A tool that deploys the newest version that it may.
#[derive(Clone, Copy, Debug)]
enum Tool {
    Flux,
    FluxSuspend,
    ArgocdImageUpdater,
    Renovate,
    OwnField,
}

const TOOLS: [Tool; 5] =
    [Tool::Flux, Tool::FluxSuspend, Tool::ArgocdImageUpdater, Tool::Renovate, Tool::OwnField];

fn app(tag: &str) -> String {
    format!(
        "# web\nimage:\n  repository: {IMAGE}\n  tag: {tag} # {{\"$imagepolicy\": \"flux-system:web:tag\"}}\nreplicas: 3\n"
    )
}

const POLICY: &str = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata:\n  name: web\n  namespace: flux-system\nspec:\n  \
                      imageRepositoryRef: {name: web}\n  policy:\n    semver:\n      range: '>=1.0.0' # all\n";
const AUTOMATION: &str = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata:\n  name: all\n  namespace: \
                          flux-system\nspec:\n  interval: 5m\n  update:\n    path: ./apps\n    strategy: Setters\n";
const APPLICATION: &str = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: web\n  namespace: argocd\n  annotations:\n    \
                           argocd-image-updater.argoproj.io/image-list: app=registry.example.com/shop/web\nspec:\n  source:\n    \
                           repoURL: https://git.example.com/env.git\n    path: apps/web\n";
const RENOVATE: &str = "{\n  \"extends\": [\"config:recommended\"],\n  \"packageRules\": [\n    {\"matchPackageNames\": [\"node\"], \
                        \"allowedVersions\": \"<21\"}\n  ]\n}\n";
const FREEZE: &str = "# versions that must not be deployed\nfrozen_versions: []\n";

impl Tool {
    /// The file in which the agent pins, and what it holds before.
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Flux => ("flux/web.yaml", POLICY),
            Self::FluxSuspend => ("flux/all.yaml", AUTOMATION),
            Self::ArgocdImageUpdater => ("argocd/web.yaml", APPLICATION),
            Self::Renovate => ("renovate.json", RENOVATE),
            Self::OwnField => ("apps/web/freeze.yaml", FREEZE),
        }
    }

    fn rule(self) -> &'static str {
        match self {
            Self::Flux => "flux: exclude",
            Self::FluxSuspend => "flux: suspend",
            Self::ArgocdImageUpdater => "argocd_image_updater: true",
            Self::Renovate => "renovate: true",
            Self::OwnField => "field: {file: \"apps/{service}/freeze.yaml\", key: frozen_versions}",
        }
    }

    /// Its name in the trailer of a pin.
    fn mechanism(self) -> &'static str {
        match self {
            Self::Flux => "flux-exclude",
            Self::FluxSuspend => "flux-suspend",
            Self::ArgocdImageUpdater => "argocd-image-updater",
            Self::Renovate => "renovate",
            Self::OwnField => "field",
        }
    }

    /// Who obeys a pin of it.
    fn obeys(self) -> &'static str {
        match self {
            Self::Flux | Self::FluxSuspend => "Flux",
            Self::ArgocdImageUpdater => "Argo CD Image Updater",
            Self::Renovate => "Renovate",
            Self::OwnField => "the tool that reads the field",
        }
    }

    /// Whether the tool may deploy a tag, by its configuration.
    fn allows(self, text: &str, tag: &str) -> bool {
        if matches!(self, Self::Renovate) {
            return renovate_allows(&serde_json::from_str(text).unwrap(), tag);
        }
        let read: Value = serde_saphyr::from_str(text).unwrap();
        match self {
            Self::Flux => {
                let range = read["spec"]["policy"]["semver"]["range"].as_str().unwrap();
                range.split(',').all(|condition| holds(condition.trim(), tag))
            }
            Self::FluxSuspend => read["spec"]["suspend"] != Value::Bool(true),
            Self::ArgocdImageUpdater => {
                let ignored =
                    &read["metadata"]["annotations"]["argocd-image-updater.argoproj.io/app.ignore-tags"];
                let ignored = ignored.as_str().unwrap_or("");
                ignored.split(',').all(|ignored| ignored.trim() != tag)
            }
            Self::OwnField => {
                let frozen = read["frozen_versions"].as_array().unwrap();
                frozen.iter().all(|frozen| frozen != tag)
            }
            Self::Renovate => unreachable!(),
        }
    }

    /// A turn of the tool: it deploys the newest tag that it may, where another one runs. Whether it did.
    fn deploy(self, stage: &Stage, minutes: i64) -> bool {
        stage.pull();
        let (path, _) = self.place();
        let configuration = std::fs::read_to_string(stage.clone_of_people().join(path)).unwrap();
        let newest = TAGS.iter().rev().find(|tag| self.allows(&configuration, tag));
        let Some(wanted) = newest.map(|tag| app(tag)) else { return false };
        if std::fs::read_to_string(stage.clone_of_people().join(FILE)).unwrap() == wanted {
            return false;
        }
        stage.write(FILE, &wanted);
        stage.commit(minutes, BOT, "Update web");
        stage.push();
        true
    }
}

/// One condition of a range, as Masterminds/semver reads it.
fn holds(condition: &str, tag: &str) -> bool {
    let version = |text: &str| Version::parse(text.trim().trim_start_matches('v')).unwrap();
    if let Some(other) = condition.strip_prefix("!=") {
        return version(tag) != version(other);
    }
    version(tag) >= version(condition.strip_prefix(">=").unwrap())
}

/// Of the rules for the package the last one with `allowedVersions` counts.
fn renovate_allows(configuration: &Value, tag: &str) -> bool {
    let rules = configuration["packageRules"].as_array().unwrap();
    let own = rules
        .iter()
        .filter(|rule| rule["matchPackageNames"].as_array().unwrap().iter().any(|name| name == IMAGE));
    let allowed = own.filter_map(|rule| rule["allowedVersions"].as_str()).next_back();
    allowed.is_none_or(|allowed| {
        let expression = allowed.strip_prefix("!/").and_then(|rest| rest.strip_suffix('/')).unwrap();
        !regex::Regex::new(expression).unwrap().is_match(tag)
    })
}

/// One environment with these keys.
fn config(pin: &str, environment: &str) -> Config {
    let pin = if pin.is_empty() { String::new() } else { format!(", pin: {{{pin}}}") };
    Config {
        environments: format!("  production: {{branch: main, {environment}}}\n"),
        policy: format!("settle: 60s, watch: 1h, baseline: 15m{pin}"),
        services: "  - {pattern: \"apps/{service}/*\", labels: {namespace: again}}\n".to_owned(),
        ..Config::of("again")
    }
}

/// A stage on which a tool has deployed a bad version, and the agent has backed it out since.
fn reverted(tool: Tool, pin: &str) -> Stage {
    let stage = Stage::on_path();
    stage.configure(&config(pin, "mode: auto"));
    let (path, configuration) = tool.place();
    stage.write(path, configuration);
    stage.write(FILE, &app("v1.4.2"));
    stage.commit(-180, PERSON, "Set the shop up");
    stage.push();
    stage.write(FILE, &app("v1.5.0"));
    stage.commit(-41, BOT, "Update web");
    stage.push();
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert", "{tool:?}");
    stage.backdate(-29);
    stage
}

fn shown(stage: &Stage, path: &str) -> String {
    stage.remote(&["show", &format!("main:{path}")]) + "\n"
}

/// How often the tool deployed in five turns, and the words of the last pass after one.
fn five_turns(stage: &Stage, tool: Tool) -> (usize, String) {
    let (mut deployed, mut last) = (0, String::new());
    for turn in 0..5 {
        if tool.deploy(stage, -12) {
            deployed += 1;
            let report = stage.run(&["run", "--once", "--format", "json"]).json();
            last = words(item(&report, "web"));
            if last == "regressed revert" {
                stage.backdate(-25 + turn);
            }
        }
    }
    (deployed, last)
}

#[test]
fn a_pinned_version_does_not_come_back_and_no_fight_begins() {
    for tool in TOOLS {
        let stage = reverted(tool, tool.rule());
        let (path, before) = tool.place();
        assert_eq!(shown(&stage, FILE), app("v1.4.2"), "{tool:?}");
        let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
        assert!(
            message.contains("\nBackout-Pin: ") && message.contains("\nBackout-Pin-Until: "),
            "{message}"
        );
        assert!(!tool.allows(&shown(&stage, path), "v1.5.0"), "{}", shown(&stage, path));
        let head = stage.tip();
        assert_eq!(five_turns(&stage, tool), (0, String::new()), "{tool:?}");
        stage.pass(0);
        stage.nothing_more();
        assert_eq!(stage.tip(), head, "{tool:?}");
        // By hand it comes off again, byte for byte.
        stage.run(&["unpin", "web"]).ended(3);
        assert_eq!(shown(&stage, path), before, "{tool:?}");
        assert_eq!(shown(&stage, FILE), app("v1.4.2"), "{tool:?}");
        stage.run(&["unpin", "web"]).ended(0);
        stage.nothing_more();
        let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
        assert!(message.starts_with("Unpin web in production: v1.5.0\n"), "{message}");
    }
}

#[test]
fn without_a_pin_the_agent_reverts_twice_and_asks_a_person() {
    for tool in TOOLS {
        let stage = reverted(tool, "");
        let (path, before) = tool.place();
        assert_eq!(shown(&stage, path), before);
        assert_eq!(five_turns(&stage, tool), (2, "regressed escalate".to_owned()), "{tool:?}");
        assert_eq!(shown(&stage, FILE), app("v1.5.0"), "{tool:?}");
    }
}

/// The bot deploys the pinned version whatever the file says.
#[test]
fn a_tool_that_ignores_its_pin_is_named() {
    for tool in TOOLS {
        let stage = reverted(tool, tool.rule());
        let deploy = |who: &str| {
            stage.pull();
            stage.write(FILE, &app("v1.5.0"));
            stage.commit(-12, who, "Update web");
            stage.push();
        };
        deploy(BOT);
        let report = stage.pass(3);
        let (path, _) = tool.place();
        let pin = format!("{} v1.5.0 in {path}: ", tool.mechanism());
        let plan = text(item(&report, "web"), "plan");
        let line = plan.lines().find(|line| line.trim_start().starts_with("pinned already, and ignored: "));
        let line = line.unwrap_or_else(|| panic!("{plan}"));
        assert!(line.contains(&pin) && line.contains("renovate[bot] deployed it all the same"), "{line}");
        assert!(
            line.ends_with(&format!("{} does not obey it, or something else deploys", tool.obeys())),
            "{line}"
        );
        assert!(!plan.contains("not pinned"), "{plan}");
        let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
        assert!(
            message.contains("\nPinned already, and ignored: ") && !message.contains("Not pinned"),
            "{message}"
        );
        stage.backdate(-25);
        deploy(BOT);
        let report = stage.pass(4);
        let why = text(item(&report, "web"), "why");
        let told = format!(
            "(last by {}), although it is pinned ({pin}",
            &stage.remote(&["rev-parse", "main^"])[..10]
        );
        assert!(why.contains(&told), "{why}\n{told}");
    }
}

/// A pin that a person wrote after the deployment was not ignored by it.
#[test]
fn a_pin_that_came_after_the_deployment_was_not_ignored() {
    let stage = Stage::on_path();
    stage.configure(&config(Tool::Flux.rule(), "mode: auto"));
    let (path, configuration) = Tool::Flux.place();
    stage.write(path, configuration);
    stage.write(FILE, &app("v1.4.2"));
    stage.commit(-180, PERSON, "Set the shop up");
    stage.push();
    stage.write(FILE, &app("v1.5.0"));
    stage.commit(-12, BOT, "Update web");
    stage.push();
    stage.write(path, &configuration.replace(">=1.0.0", ">=1.0.0, !=1.5.0"));
    stage.commit(-2, PERSON, "Keep it out");
    stage.push();
    let report = stage.pass(3);
    let plan = text(item(&report, "web"), "plan");
    assert!(
        plan.contains("\n  pinned already: flux-exclude v1.5.0 in flux/web.yaml: flux-system/web\n"),
        "{plan}"
    );
    assert!(!plan.contains("ignored") && !plan.contains("not pinned"), "{plan}");
}

#[test]
fn a_pin_comes_off_when_its_time_is_over() {
    for tool in TOOLS {
        let stage = reverted(tool, &format!("{}, for: 1s", tool.rule()));
        let pinned_at = clock();
        assert!(eventually(|| clock() > pinned_at + 1), "the clock stands still");
        let (path, before) = tool.place();
        let report = stage.pass(3);
        let news = &report["environments"][0]["pins"][0];
        assert_eq!(news["step"], "lifted", "{report:#}");
        assert!(text(news, "reason").contains("its time was over at"), "{news}");
        assert_eq!(shown(&stage, path), before, "{tool:?}");
        stage.nothing_more();
        let told = stage.run(&["history"]).ended(0).stdout;
        assert!(told.contains("unpinned: its time was over"), "{told}");
    }
}

#[test]
fn a_pin_comes_off_when_the_service_runs_something_newer() {
    let tool = Tool::Flux;
    let stage = reverted(tool, tool.rule());
    let (path, before) = tool.place();
    // Who goes further back leaves it there.
    stage.pull();
    stage.write(FILE, &app("v1.4.1"));
    stage.commit(-2, PERSON, "Go back further");
    stage.push();
    stage.pass(0);
    assert!(!tool.allows(&shown(&stage, path), "v1.5.0"));
    stage.write(FILE, &app("v1.5.1"));
    stage.commit(-1, PERSON, "Fix web");
    stage.push();
    let report = stage.pass(3);
    let news = &report["environments"][0]["pins"][0];
    assert_eq!(news["reason"], "the service runs v1.5.1 by now", "{report:#}");
    assert_eq!(shown(&stage, path), before);
    assert_eq!(shown(&stage, FILE), app("v1.5.1"));
    stage.nothing_more();
}

#[test]
fn a_pin_that_a_person_changed_is_left_alone_and_told_once() {
    let tool = Tool::Flux;
    let stage = reverted(tool, &format!("{}, for: 1s", tool.rule()));
    let (path, _) = tool.place();
    stage.pull();
    let changed = shown(&stage, path).replace(">=1.0.0, !=1.5.0", ">=1.2.0, !=1.5.0");
    stage.write(path, &changed);
    stage.commit(-2, PERSON, "Nothing older than 1.2");
    stage.push();
    let report = stage.pass(0);
    let news = &report["environments"][0]["pins"][0];
    assert_eq!(news["step"], "changed", "{report:#}");
    assert!(text(news, "reason").contains("somebody has changed it in flux/web.yaml"), "{news}");
    assert_eq!(shown(&stage, path), changed);
    let again = stage.nothing_more();
    assert_eq!(again["environments"][0]["pins"], Value::Null, "told once: {again:#}");
    let asked = stage.run(&["unpin", "web"]).ended(0).stdout;
    assert!(asked.contains("is still pinned"), "{asked}");
    assert_eq!(shown(&stage, path), changed);
}

#[test]
fn a_person_who_puts_a_pinned_version_back_means_it() {
    let tool = Tool::ArgocdImageUpdater;
    let stage = reverted(tool, tool.rule());
    let (path, before) = tool.place();
    stage.pull();
    stage.write(FILE, &app("v1.5.0"));
    let again = stage.commit(-12, PERSON, "It was the database");
    stage.push();
    let report = stage.pass(3);
    // It regressed again: a revert is prepared, and not made.
    assert_eq!(words(item(&report, "web")), "regressed propose");
    assert_eq!(
        report["environments"][0]["pins"][0]["reason"], "a person has put it back on purpose",
        "{report:#}"
    );
    assert_eq!(shown(&stage, path), before);
    assert_eq!(shown(&stage, FILE), app("v1.5.0"));
    assert_eq!(stage.remote(&["rev-parse", "main^"]), again);
    stage.nothing_more();
}

#[test]
fn where_the_place_is_not_sure_the_revert_goes_without_a_pin_and_says_so() {
    let stage = reverted(Tool::OwnField, "flux: exclude, argocd_image_updater: true, renovate: true");
    assert_eq!(shown(&stage, FILE), app("v1.4.2"));
    let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
    for why in [
        "Not pinned: flux-exclude: there is no ImagePolicy flux-system/web in the repository.",
        "Not pinned: argocd-image-updater: there is no Application with an image list for apps/web/values.yaml in the repository.",
        "Not pinned: renovate: there is no configuration of Renovate in the repository.",
    ] {
        assert!(message.contains(why), "{message}");
    }
    assert!(!message.contains("Backout-Pin"), "{message}");
}

#[test]
fn the_status_shows_versions_quarantine_and_pins() {
    let stage = reverted(Tool::Flux, Tool::Flux.rule());
    let all = stage.run(&["status", "--format", "json"]).ended(0).json();
    let web = &all[0]["services"][0];
    assert_eq!(
        (&web["service"], &web["versions"][0], &web["state"]),
        (&"web".into(), &"v1.4.2".into(), &"reverted".into()),
        "{all:#}"
    );
    assert_eq!(web["quarantine"][0]["value"], "v1.5.0");
    assert_eq!(web["pins"][0]["pin"], "flux-exclude v1.5.0 in flux/web.yaml: flux-system/web");
    let told = stage.run(&["status"]).ended(0).stdout;
    for part in [
        "  SERVICE  VERSION  SINCE",
        "  web      v1.4.2   ",
        "in quarantine until",
        "pinned until",
        "(Revert web in production: v1.5.0 → v1.4.2)",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_pin_stays_while_nothing_may_be_pushed() {
    let tool = Tool::Flux;
    let rule = format!("{}, for: 1s", tool.rule());
    let (path, before) = tool.place();
    let freeze = "mode: auto, freeze: [{schedule: \"* * * * *\", duration: 1h, why: sales}]";
    for (held, is_paused) in [("mode: observe", false), (freeze, false), ("mode: auto", true)] {
        let stage = reverted(tool, &rule);
        let pinned_at = clock();
        assert!(eventually(|| clock() > pinned_at + 1), "the clock stands still");
        stage.configure(&config(&rule, held));
        if is_paused {
            stage.run(&["pause", "--why", "a move"]).ended(0);
        }
        let head = stage.tip();
        let planned = stage.plan(0);
        assert_eq!(planned["environments"][0]["pins"], Value::Null, "{held}: {planned:#}");
        stage.pass(0);
        stage.nothing_more();
        assert_eq!(stage.tip(), head, "{held}");
        assert!(!stage.refs().contains("refs/heads/backout/"), "{held}: {}", stage.refs());
        // It is over.
        stage.configure(&config(&rule, "mode: auto"));
        if is_paused {
            stage.run(&["resume"]).ended(0);
        }
        stage.pass(3);
        assert_eq!(shown(&stage, path), before, "{held}");
    }
}

#[test]
fn what_a_person_asks_for_is_unpinned_while_paused_and_in_observe() {
    let tool = Tool::Flux;
    let (path, before) = tool.place();
    for held in ["mode: observe", "mode: propose", "mode: auto"] {
        let stage = reverted(tool, tool.rule());
        stage.configure(&config(tool.rule(), held));
        stage.run(&["pause", "--why", "a move"]).ended(0);
        stage.run(&["unpin", "web"]).ended(3);
        assert_eq!(shown(&stage, path), before, "{held}");
    }
}

#[test]
fn where_the_agent_only_proposes_it_proposes_to_take_a_pin_off() {
    let tool = Tool::Flux;
    let rule = format!("{}, for: 1s", tool.rule());
    let (path, before) = tool.place();
    for held in ["mode: propose", "mode: earn"] {
        let stage = reverted(tool, &rule);
        let pinned_at = clock();
        assert!(eventually(|| clock() > pinned_at + 1), "the clock stands still");
        stage.configure(&config(&rule, held));
        let head = stage.tip();
        let report = stage.run(&["run", "--once", "--format", "json"]).json();
        assert_eq!(report["environments"][0]["pins"][0]["step"], "proposed", "{held}: {report:#}");
        assert_eq!(stage.tip(), head, "{held}");
        let refs = stage.refs();
        let branch = refs.split_whitespace().find_map(|name| name.strip_prefix("refs/heads/backout/"));
        let branch = format!("backout/{}", branch.unwrap());
        assert_eq!(stage.remote(&["show", &format!("{branch}:{path}")]) + "\n", before, "{held}");
        stage.nothing_more();
        assert_eq!(stage.tip(), head, "{held}");
    }
}
