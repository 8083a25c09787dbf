//! `elsewhere: propose`: a version that did harm in `one` is deployed in `fine` all the same. The agent proposes at once to revert it, and
//! watches it like any other. Where a test says so, `fine` has the metrics of `one`, where the service is bad since eleven minutes.

use serde_json::{Value, json};

use super::Setting;
use super::elsewhere::{item, path, said};
use crate::e2e::metrics::clock;
use crate::e2e::stage::{BOT, ERRORS, PERSON, Stage, values, words};
use crate::support::forge::{Face, Fate, Pull, SimForge, TOKEN};

/// Nothing can be said yet of what was deployed twelve minutes ago, also when a busy machine comes to it half an hour later.
const PENDING: &str = "watch: 2h";
/// The watch window of what was deployed twelve minutes ago is over.
const OVER: &str = "watch: 12m";

/// What a test changes.
#[derive(Clone)]
struct World {
    /// What holds for the environment `fine`.
    fine: &'static str,
    watch: &'static str,
    /// Whether the service is bad in `fine` too.
    is_bad_here: bool,
    has_forge: bool,
    /// Whether a key proves who wrote the records.
    has_key: bool,
    /// More keys of the policy.
    policy: &'static str,
}

/// Nothing is known in `fine` yet, and the agent may do anything.
const AUTO: World = World {
    fine: "mode: auto",
    watch: PENDING,
    is_bad_here: false,
    has_forge: true,
    has_key: false,
    policy: "",
};

/// The same where `fine` turns out bad.
const BAD_HERE: World = World { is_bad_here: true, ..AUTO };

struct Scene {
    stage: Stage,
    forge: SimForge,
    /// The deployment in `one`, and its revert.
    bad: String,
    revert: String,
    /// The deployment in `fine`.
    young: String,
}

impl Scene {
    /// `v2` was reverted in `one`, and then deployed in `fine`.
    fn new(world: &World) -> Self {
        Self::with(world, |stage| {
            stage.write(&path("fine"), &values("web", "v2"));
            stage.commit(-12, BOT, "Deploy web in fine")
        })
    }

    fn with(world: &World, deploy: impl FnOnce(&Stage) -> String) -> Self {
        let mut stage = Stage::on_path();
        for environment in ["fine", "one"] {
            stage.write(&path(environment), &values("web", "v1"));
        }
        stage.commit(-180, BOT, "Set the shop up");
        stage.push();
        let forge = SimForge::start(Face::GitHub, &stage.bare);
        stage.variables.push(("FORGE_TOKEN".to_owned(), TOKEN.to_owned()));
        stage.variables.push(("RECORD_KEY".to_owned(), "a key that nobody else has, 32 bytes".to_owned()));
        stage.write(&path("one"), &values("web", "v2"));
        let bad = stage.commit(-14, BOT, "Deploy web in one");
        stage.push();
        let mut scene = Self { stage, forge, bad, revert: String::new(), young: String::new() };
        scene.configure(&World { is_bad_here: false, ..world.clone() });
        scene.stage.pass(3);
        scene.revert = scene.stage.backdate(-13);
        scene.young = deploy(&scene.stage);
        scene.stage.push();
        scene
    }

    fn configure(&self, world: &World) {
        let mut config = Setting::default().config(Face::GitHub, &self.forge);
        config.environments =
            format!("  fine: {{branch: main, {}}}\n  one: {{branch: main, mode: auto}}\n", world.fine);
        let namespace = if world.is_bad_here { "one" } else { "{{ environment }}" };
        config.signals = ERRORS.replace("{{ namespace }}", namespace);
        config.services = "  - {pattern: \"apps/{environment}/{service}/values.yaml\"}\n".to_owned();
        // A watch window that has been over for almost five minutes, however long other tests have taken.
        let late = format!("{}m", 7 + (clock() - self.stage.now()) / 60);
        let (watch, more) = (world.watch.replace("LATE", &late), world.policy);
        // Nor is it said by then whether the revert in `one` has helped.
        let recovery = if more.contains("recovery") { "" } else { ", recovery: 2h" };
        config.policy = format!("settle: 60s, {watch}, baseline: 30m, elsewhere: propose{recovery}{more}");
        if !world.has_forge {
            config.run = String::new();
        }
        if world.has_key {
            config.run += "record: {key: {env: RECORD_KEY}}\n";
        }
        self.stage.configure(&config);
    }

    fn branch(&self) -> String {
        format!("backout/fine/web/{}", &self.young[..10])
    }

    fn has_branch(&self) -> bool {
        self.stage.refs().contains(&self.branch())
    }

    #[track_caller]
    fn pull(&self) -> Pull {
        let state = self.forge.state();
        assert_eq!(state.pulls.len(), 1, "{:?}", state.pulls);
        state.pulls[0].clone()
    }

    fn records(&self) -> Vec<Value> {
        self.stage.history().into_iter().filter(|record| record["environment"] == "fine").collect()
    }

    /// The records about `fine`, each in words.
    fn told(&self) -> Vec<String> {
        let words = |record: &Value| match record["kind"].as_str().unwrap() {
            "verdict" => format!(
                "{} {}",
                record["judgement"]["verdict"]["verdict"].as_str().unwrap(),
                record["decision"]["action"].as_str().unwrap()
            ),
            kind => format!("{kind} {}", record["outcome"].as_str().unwrap()),
        };
        self.records().iter().filter(|record| record["kind"] != "revert").map(words).collect()
    }

    /// Nothing is written any more, on the forge or in Git.
    #[track_caller]
    fn is_quiet(&self) {
        self.forge.fates(|_, _| Fate::Go);
        self.stage.nothing_more();
        assert_eq!(self.forge.writes(), [""; 0], "a further pass changes nothing on the forge");
    }

    /// A person closes the only pull request.
    fn decline(&self) {
        let mut state = self.forge.state();
        let pull = state.pull(1).unwrap();
        (pull.open, pull.closed_by) = (false, Some("dana".to_owned()));
    }

    /// What `fine` runs.
    fn runs(&self) -> String {
        self.stage.remote(&["show", &format!("main:{}", path("fine"))]) + "\n"
    }
}

#[test]
fn it_is_proposed_at_once_and_withdrawn_when_it_turns_out_healthy() {
    for has_key in [false, true] {
        is_proposed_and_withdrawn(&World { has_key, ..AUTO });
    }
}

fn is_proposed_and_withdrawn(world: &World) {
    let scene = Scene::new(world);
    let planned = scene.stage.plan(0);
    assert_eq!(words(item(&planned, "fine")), "pending propose", "{planned:#}");
    let report = scene.stage.pass(3);
    let of_fine = item(&report, "fine");
    assert_eq!(words(of_fine), "pending propose", "{of_fine:#}");
    let pull = scene.pull();
    assert_eq!((pull.branch.as_str(), pull.base.as_str()), (scene.branch().as_str(), "main"));
    assert!(pull.auto.is_none() && pull.open, "a person merges it: {pull:?}");
    let message = scene.stage.remote(&["log", "-1", "--format=%B", &scene.branch()]);
    for text in [&pull.body, &message] {
        assert!(text.contains("known as bad from one, where errors got worse on 20"), "{text}");
        assert!(
            text.contains(&scene.bad[..10]) && text.contains("registry.example.com/shop/web:v2"),
            "{text}"
        );
        assert!(text.contains(&scene.revert[..10]), "{text}");
    }
    assert!(message.contains(&format!("\nBackout-Elsewhere: one {}", scene.bad)), "{message}");
    assert_eq!(scene.stage.tip(), scene.young, "the branch is not touched");
    assert_eq!(scene.told(), ["pending propose"]);
    let record = &scene.records()[0];
    assert_eq!(record["elsewhere"][0]["deployment"], json!(scene.bad));
    assert_eq!(record["proposal"]["review"]["number"], json!(pull.number));
    assert_eq!(said(&scene.forge, &scene.young, "backout/elsewhere/fine")[0].state, "success");
    scene.stage.run(&["explain", &scene.young]).ended(0);
    // The deployment is still watched.
    assert_eq!(words(item(&scene.stage.pass(0), "fine")), "pending wait");
    scene.forge.state().check(pull.number, "success");
    scene.is_quiet();
    scene.configure(&World { watch: OVER, ..world.clone() });
    assert_eq!(words(item(&scene.stage.pass(0), "fine")), "healthy pass");
    let pull = scene.pull();
    assert!(!pull.open && !pull.merged && pull.body.contains("the version is healthy here"), "{pull:?}");
    assert!(!scene.has_branch());
    assert_eq!(scene.told(), ["pending propose", "healthy pass", "review superseded"]);
    assert_eq!(scene.stage.tip(), scene.young);
    scene.is_quiet();
}

#[test]
fn where_it_does_harm_here_the_agent_reverts_it_and_closes_the_proposal() {
    let scene = Scene::new(&AUTO);
    scene.stage.pass(3);
    scene.configure(&BAD_HERE);
    let report = scene.stage.pass(3);
    assert_eq!(words(item(&report, "fine")), "regressed revert", "{report:#}");
    assert_eq!(scene.runs(), values("web", "v1"));
    let pull = scene.pull();
    assert!(!pull.open && !pull.merged && pull.body.contains("the good values are back already"), "{pull:?}");
    assert!(!scene.has_branch());
    assert_eq!(scene.told(), ["pending propose", "regressed revert", "review superseded"]);
    let message = scene.stage.remote(&["log", "-1", "--format=%B", "main"]);
    assert!(!message.contains("Backout-Elsewhere"), "it is the agent's own finding: {message}");
    scene.is_quiet();
}

#[test]
fn where_it_does_harm_here_and_people_decide_the_proposal_says_so() {
    let propose = World { fine: "mode: propose", ..AUTO };
    let scene = Scene::new(&propose);
    scene.stage.pass(3);
    scene.configure(&World { is_bad_here: true, ..propose });
    let report = scene.stage.pass(3);
    assert_eq!(words(item(&report, "fine")), "regressed propose", "{report:#}");
    let pull = scene.pull();
    assert!(pull.open && pull.auto.is_none(), "{pull:?}");
    assert!(
        pull.body.contains("made `errors` worse") && !pull.body.contains("known as bad"),
        "{}",
        pull.body
    );
    let message = scene.stage.remote(&["log", "-1", "--format=%B", &scene.branch()]);
    assert!(message.contains("made things worse") && !message.contains("Backout-Elsewhere"), "{message}");
    assert_eq!(scene.told(), ["pending propose", "regressed propose"]);
    scene.forge.state().check(pull.number, "success");
    scene.is_quiet();
    scene.forge.state().merge(pull.number, "merge", "Merge pull request #1", "Yes").unwrap();
    scene.stage.pass(3);
    assert_eq!(scene.runs(), values("web", "v1"));
    assert_eq!(scene.told(), ["pending propose", "regressed propose", "review merged"]);
    scene.is_quiet();
}

/// What a guard leaves to people is not merged by the agent because it was proposed before.
#[test]
fn a_proposal_stays_a_persons_where_a_guard_holds_the_revert() {
    let scene = Scene::new(&AUTO);
    scene.stage.pass(3);
    scene.forge.state().check(1, "success");
    scene.configure(&World { watch: "watch: LATE", ..BAD_HERE });
    assert_eq!(words(item(&scene.stage.pass(4), "fine")), "regressed escalate");
    scene.stage.pass(0);
    let pull = scene.pull();
    assert!(pull.open && pull.auto.is_none() && !pull.merged, "{pull:?}");
    assert_eq!(scene.stage.tip(), scene.young);
    scene.is_quiet();
}

/// Where the agent merges its own pull requests, it does so with the one that waits.
#[test]
fn a_proposal_that_waits_becomes_the_revert_that_merges_itself() {
    let by_review = World { fine: "mode: auto, delivery: pull-request", ..AUTO };
    let scene = Scene::new(&by_review);
    scene.stage.pass(3);
    assert!(scene.pull().auto.is_none());
    scene.configure(&World { is_bad_here: true, ..by_review });
    assert_eq!(words(item(&scene.stage.pass(3), "fine")), "regressed revert");
    let pull = scene.pull();
    assert!(pull.auto.is_some(), "{pull:?}");
    scene.forge.state().check(pull.number, "success");
    scene.stage.pass(3);
    assert_eq!(scene.runs(), values("web", "v1"));
    scene.is_quiet();
}

#[test]
fn what_a_person_declined_is_not_proposed_again_until_there_is_harm_here() {
    for (bad_here, expected, pulls, is_back) in [
        // The no was to what was known of another environment.
        ("mode: propose", "regressed propose", 2, false),
        ("mode: earn", "regressed propose", 2, false),
        ("mode: auto", "regressed revert", 1, true),
        ("mode: auto, delivery: pull-request", "regressed revert", 2, false),
    ] {
        let world = World { fine: bad_here, has_key: bad_here == "mode: earn", ..AUTO };
        let scene = Scene::new(&world);
        scene.stage.pass(3);
        scene.decline();
        scene.stage.pass(0);
        assert_eq!(scene.told(), ["pending propose", "review declined"], "{bad_here}");
        assert_eq!(words(item(&scene.stage.pass(0), "fine")), "pending wait");
        scene.is_quiet();
        scene.configure(&World { is_bad_here: true, ..world });
        let report = scene.stage.run(&["run", "--once", "--format", "json"]).json();
        assert_eq!(words(item(&report, "fine")), expected, "{bad_here}: {report:#}");
        assert_eq!(scene.forge.state().pulls.len(), pulls, "{bad_here}");
        let status =
            scene.stage.run(&["status", "--environment", "fine", "--format", "json"]).ended(0).json();
        // What was said to something else says nothing about what the agent finds here.
        assert!(status[0]["services"][0]["trust"]["last_no"].is_null(), "{bad_here}: {status:#}");
        assert_eq!(scene.runs() == values("web", "v1"), is_back, "{bad_here}");
        scene.is_quiet();
    }
}

/// A merge is a person's revert: no effect of it is waited for, and it counts for nothing that bounds the agent.
#[test]
fn what_a_person_merged_is_theirs() {
    let world =
        World { fine: "mode: auto, budget: {max_reverts: 1, window: 1h}", policy: ", recovery: 5s", ..AUTO };
    let scene = Scene::new(&world);
    scene.stage.pass(3);
    scene.forge.state().check(1, "success");
    scene.forge.state().merge(1, "merge", "Merge pull request #1", "Yes").unwrap();
    let report = scene.stage.pass(3);
    assert_eq!(words(item(&report, "fine")), "pending pass", "{report:#}");
    assert_eq!(scene.runs(), values("web", "v1"));
    assert_eq!(&scene.told()[..3], ["pending propose", "pending pass", "review merged"]);
    assert!(!scene.has_branch());
    let status = scene.stage.run(&["status", "--format", "json"]).ended(0).json();
    let of_fine = status.as_array().unwrap().iter().find(|one| one["environment"] == "fine").unwrap();
    assert_eq!(of_fine["budget"]["used"], json!(0), "{status:#}");
    let is_told = crate::support::eventually(|| {
        scene.stage.pass(0);
        scene.told().last().is_some_and(|last| last == "recovery unknown")
    });
    assert!(is_told, "nothing had shown what it was to mend: {:?}", scene.told());
    scene.is_quiet();
    // It does not say that the version was bad here: nobody is told so where it is deployed next.
    scene.stage.pull();
    scene.stage.write(&path("one"), &values("web", "v2"));
    scene.stage.commit(-1, PERSON, "Deploy web v2 in one again");
    scene.stage.push();
    let report = scene.stage.pass(0);
    let of_one = item(&report, "one");
    assert_eq!(words(of_one), "pending wait", "{of_one:#}");
    assert!(!of_one["elsewhere"].to_string().contains("bad"), "{of_one:#}");
}

#[test]
fn what_holds_a_revert_holds_the_proposal_and_the_deployment_is_watched() {
    let schema = |stage: &Stage| {
        stage.write(&path("fine"), &values("web", "v2"));
        stage.commit(-12, BOT, "Deploy web in fine\n\nSchema-Change: yes")
    };
    let replaced = |stage: &Stage| {
        stage.write(&path("fine"), &values("web", "v2"));
        let young = stage.commit(-12, BOT, "Deploy web in fine");
        stage.write(&path("fine"), &values("web", "v3"));
        stage.commit(-3, BOT, "Deploy web v3 in fine");
        young
    };
    let plain = |stage: &Stage| {
        stage.write(&path("fine"), &values("web", "v2"));
        stage.commit(-12, BOT, "Deploy web in fine")
    };
    let paused = |stage: &Stage| {
        stage.run(&["pause", "--environment", "fine", "--for", "2h", "--why", "a move"]).ended(0);
        plain(stage)
    };
    let observing = World { fine: "mode: observe", ..AUTO };
    let told = World { policy: ", quarantine: 1s", ..AUTO };
    let scenes = [
        ("schema", Scene::with(&AUTO, schema)),
        ("replaced", Scene::with(&AUTO, replaced)),
        ("paused", Scene::with(&AUTO, paused)),
        ("observe", Scene::with(&observing, plain)),
        ("forgotten", Scene::with(&told, plain)),
    ];
    for (why, scene) in scenes {
        let report = scene.stage.run(&["run", "--once", "--format", "json"]).json();
        let pulls = scene.forge.state().pulls.len();
        assert_eq!(pulls, 0, "{why}: {report:#}");
        assert!(!scene.has_branch(), "{why}");
        let is_watched = words(item(&report, "fine")) == "pending wait";
        assert!(is_watched || why == "replaced", "{why}: {report:#}");
        scene.is_quiet();
    }
    let frozen =
        World { fine: "mode: auto, freeze: [{schedule: \"0 0 * * *\", duration: 2d, why: sales}]", ..AUTO };
    let scene = Scene::new(&frozen);
    scene.stage.pass(3);
    assert!(scene.pull().open, "a frozen environment still proposes");
    scene.is_quiet();
}

#[test]
fn without_a_forge_it_waits_on_a_branch_which_goes_when_it_is_needless() {
    let local = World { has_forge: false, ..AUTO };
    let proposed = || {
        let scene = Scene::new(&local);
        let report = scene.stage.pass(3);
        assert_eq!(words(item(&report, "fine")), "pending propose", "{report:#}");
        assert!(scene.has_branch() && scene.stage.tip() == scene.young);
        assert_eq!(words(item(&scene.stage.pass(0), "fine")), "pending wait");
        scene.stage.nothing_more();
        scene
    };
    let scene = proposed();
    scene.configure(&World { watch: OVER, ..local.clone() });
    assert_eq!(words(item(&scene.stage.pass(0), "fine")), "healthy pass");
    assert!(!scene.has_branch());
    scene.stage.nothing_more();
    // What somebody has worked on is theirs.
    let scene = proposed();
    scene.stage.git(&["fetch", "-q", scene.stage.bare.to_str().unwrap(), &scene.branch()]);
    scene.stage.git(&["checkout", "-q", "--detach", "FETCH_HEAD"]);
    scene.stage.commit(-1, PERSON, "I work on it");
    scene.stage.git(&["push", "-q", scene.stage.bare.to_str().unwrap(), &format!("HEAD:{}", scene.branch())]);
    scene.configure(&World { watch: OVER, ..local.clone() });
    scene.stage.pass(0);
    assert!(scene.has_branch());
    scene.stage.nothing_more();
    // It does harm here.
    let scene = proposed();
    scene.configure(&World { has_forge: false, ..BAD_HERE });
    assert_eq!(words(item(&scene.stage.pass(3), "fine")), "regressed revert");
    assert_eq!(scene.runs(), values("web", "v1"));
    assert!(!scene.has_branch());
    scene.stage.nothing_more();
}

#[test]
fn without_a_forge_a_no_stands_until_there_is_harm_here() {
    let local = World { has_forge: false, fine: "mode: propose", ..AUTO };
    let harm = World { is_bad_here: true, ..local.clone() };
    let scene = Scene::new(&local);
    scene.stage.pass(3);
    scene.configure(&harm);
    assert_eq!(words(item(&scene.stage.pass(3), "fine")), "regressed propose");
    let message = scene.stage.remote(&["log", "-1", "--format=%B", &scene.branch()]);
    assert!(message.contains("made things worse") && !message.contains("Backout-Elsewhere"), "{message}");
    scene.stage.nothing_more();
    let scene = Scene::new(&local);
    scene.stage.pass(3);
    scene.stage.remote(&["branch", "-D", &scene.branch()]);
    assert_eq!(words(item(&scene.stage.pass(0), "fine")), "pending wait");
    scene.configure(&harm);
    // That was no answer to what is known now.
    let report = scene.stage.pass(3);
    assert_eq!(words(item(&report, "fine")), "regressed propose", "{report:#}");
    assert!(scene.has_branch());
    scene.stage.remote(&["branch", "-D", &scene.branch()]);
    scene.stage.nothing_more();
    assert!(!scene.has_branch(), "this no stands");
}
