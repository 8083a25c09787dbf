//! The ways by which a revert gets merged.

use serde_json::json;

use super::{Scene, Setting};
use crate::e2e::stage::{BOT, Config, Stage, item, text, values, words};
use crate::support::forge::{Face, SimForge, TOKEN};
use crate::support::git::{hook, try_git};
use crate::support::http_remote::HttpRemote;

#[test]
fn the_forge_merges_when_the_check_has_passed_and_the_branch_is_looked_at() {
    let scene = Scene::new(&Setting::default());
    let planned = scene.stage.run(&["plan", "--format", "json"]).json();
    assert_eq!(item(&planned, "web")["outcome"], "planned");
    assert_eq!(scene.forge.writes(), [""; 0], "a plan writes nothing");
    let report = scene.stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    let pull = scene.pull();
    assert_eq!(item(&report, "web")["outcome"]["proposed"]["review"]["number"], json!(pull.number));
    assert_eq!((pull.branch.as_str(), pull.base.as_str()), (scene.branch().as_str(), "main"));
    assert!(pull.auto.is_some(), "the forge was asked to merge it");
    assert!(pull.body.contains("the required check `ci/test` has not begun"), "{}", pull.body);
    assert_eq!(scene.stage.tip(), scene.bad, "the branch is not touched");
    scene.is_quiet();
    scene.forge.state().check(pull.number, "success");
    assert_eq!(scene.forge.state().merges, 1, "the forge has merged it by itself");
    let report = scene.stage.pass(3);
    assert_eq!(scene.review(&report)["outcome"], "merged");
    let message = scene.stage.remote(&["log", "-1", "--format=%B", "main"]);
    assert!(message.starts_with("Revert web in production: v2 → v1"), "{message}");
    assert!(message.contains("\nBackout-Id: "), "{message}");
    scene.is_over();
}

#[test]
fn what_nothing_is_in_the_way_of_is_merged_in_the_same_pass() {
    for ways in [["squash"], ["merge"], ["rebase"]] {
        let scene = Scene::new(&Setting::default());
        scene.forge.state().rules.required.clear();
        scene.forge.state().rules.ways = ways.map(str::to_owned).to_vec();
        let report = scene.stage.pass(3);
        let web = item(&report, "web");
        assert_eq!(words(web), "regressed revert", "{ways:?}");
        assert_eq!(web["outcome"]["merged"]["number"], json!(scene.pull().number), "{ways:?}: {web:#}");
        assert_eq!(web["revert"], json!(scene.stage.tip()), "{ways:?}");
        scene.is_over();
    }
}

#[test]
fn where_the_forge_does_not_merge_by_itself_the_agent_does() {
    let scene = Scene::new(&Setting::default());
    scene.forge.state().rules.auto_merge = false;
    let report = scene.stage.pass(3);
    let pull = scene.pull();
    assert!(pull.auto.is_none());
    assert!(pull.body.contains("auto-merge is not allowed"), "{}: {report:#}", pull.body);
    scene.is_quiet();
    scene.forge.state().check(pull.number, "success");
    assert_eq!(scene.stage.tip(), scene.bad);
    let report = scene.stage.pass(3);
    assert_eq!(scene.review(&report)["outcome"], "merged");
    scene.is_over();
}

#[test]
fn a_merge_queue_merges_and_one_that_lands_something_else_is_noticed() {
    let scene = Scene::new(&Setting::default());
    scene.forge.state().rules.queue = true;
    scene.stage.pass(3);
    let pull = scene.pull();
    scene.forge.state().check(pull.number, "success");
    assert!(scene.forge.state().pulls[0].queued);
    scene.stage.pass(0);
    scene.is_quiet();
    scene.forge.state().queue_lands_nothing(pull.number);
    let report = scene.stage.pass(4);
    assert_eq!(scene.review(&report)["outcome"], "not-restored");
    assert!(text(scene.review(&report), "state").contains("still holds the values"), "{report:#}");
    assert_eq!(scene.outcomes(), ["not-restored"]);
    scene.is_quiet();
}

#[test]
fn a_merge_queue_is_asked_when_nothing_is_in_the_way() {
    let scene = Scene::new(&Setting::default());
    scene.forge.state().rules.queue = true;
    scene.forge.state().rules.required.clear();
    scene.stage.pass(3);
    assert!(scene.pull().queued);
    scene.is_quiet();
    let number = scene.pull().number;
    scene.forge.state().merge(number, "merge", "Merge pull request #1", "by the queue").unwrap();
    scene.stage.pass(3);
    scene.is_over();
}

#[test]
fn a_branch_that_takes_no_push_gets_a_pull_request() {
    let remote = HttpRemote::start();
    let mut stage = Stage::on(remote.repository(), remote.url());
    stage.begin(&["web"]);
    let forge = SimForge::start(Face::GitHub, &stage.bare);
    stage.variables.push(("FORGE_TOKEN".to_owned(), TOKEN.to_owned()));
    let mut config: Config = Setting::environment("mode: auto").config(Face::GitHub, &forge);
    // Git logs in with the forge's own credentials.
    config.repository = "  auth: {kind: forge}\n".to_owned();
    stage.configure(&config);
    let bad = stage.deploy("web", "v2", -12, BOT);
    hook(
        &remote.repository(),
        "update",
        "test $1 != refs/heads/main || { echo 'protected branch' >&2; exit 1; }",
    );
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert", "{report:#}");
    assert_eq!(report["environments"][0]["problems"], json!([]));
    assert_eq!(stage.tip(), bad);
    let number = forge.state().pulls[0].number;
    assert!(forge.state().pulls[0].auto.is_some());
    forge.state().check(number, "success");
    let report = stage.pass(3);
    assert_eq!(report["environments"][0]["reviews"][0]["outcome"], "merged", "{report:#}");
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    stage.nothing_more();
}

#[test]
fn where_commits_must_be_verified_the_forge_makes_them() {
    let scene = Scene::new(&Setting::default());
    scene.forge.state().rules.signatures = true;
    scene.stage.pass(3);
    let branch = scene.branch();
    assert_eq!(scene.stage.remote(&["log", "-1", "--format=%an", &branch]), "forge", "the forge has made it");
    assert_eq!(scene.stage.file(&branch, "web"), values("web", "v1"));
    assert_eq!(scene.stage.remote(&["rev-parse", &format!("{branch}^")]), scene.bad);
    scene.is_quiet();
    // The branch moves in the same file: the forge brings the proposal up to date.
    let text = values("web", "v2").replace("# web", "# our web");
    scene.stage.write("apps/web/values.yaml", &text);
    scene.stage.commit(-2, BOT, "A word about it");
    scene.stage.push();
    let before = scene.stage.remote(&["rev-parse", &branch]);
    scene.stage.pass(0);
    let ancestor = try_git(&scene.stage.bare, &["merge-base", "--is-ancestor", &before, &branch]);
    assert!(ancestor.status.success(), "it only goes forward");
    assert_eq!(scene.stage.file(&branch, "web"), text.replace("v2", "v1"));
    let number = scene.pull().number;
    scene.forge.state().check(number, "success");
    scene.stage.pass(3);
    assert_eq!(scene.stage.file("main", "web"), text.replace("v2", "v1"));
}

#[test]
fn an_app_logs_in_and_its_tokens_are_renewed() {
    let setting = Setting {
        auth: "{kind: app, app_id: 1, private_key: {file: app.pem}}".to_owned(),
        ..Setting::default()
    };
    let scene = Scene::new(&setting);
    let key = crate::support::forge::app_key(scene.stage.home.path());
    assert!(key.exists());
    scene.forge.state().tokens.clear();
    scene.stage.pass(3);
    assert_eq!(scene.forge.state().tokens_made, 1, "one token does for a pass");
    let number = scene.pull().number;
    scene.forge.state().check(number, "success");
    // The token expires in the middle of the pass.
    scene.forge.state().tokens.clear();
    scene.forge.fates({
        let mut expired = false;
        move |_, asked| match asked.target.contains("/pulls/") && !std::mem::replace(&mut expired, true) {
            true => {
                crate::support::forge::Fate::Instead(crate::support::forge::Reply::no(401, "Bad credentials"))
            }
            false => crate::support::forge::Fate::Go,
        }
    });
    let report = scene.stage.pass(3);
    assert_eq!(scene.review(&report)["outcome"], "merged", "{report:#}");
    assert_eq!(scene.forge.state().tokens_made, 3, "the refused one was replaced");
    scene.is_over();
}
