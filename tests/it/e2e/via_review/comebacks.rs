//! Pull requests of others that bring a value back that was reverted.

use super::{Scene, Setting};
use crate::e2e::stage::{BOT, PERSON, path_of, values};
use crate::support::forge::{Face, Fate, Reply, Status};

const CONTEXT: &str = "backout/quarantine/production";

impl Scene {
    /// Somebody opens a pull request from a new branch that begins at `from`, with this file. Returns its number and its head.
    fn offer(&self, from: &str, branch: &str, (path, text): (&str, &str)) -> (u64, String) {
        let head = self.push_on(from, branch, (path, text));
        let number = self.forge.state().open_by("dana", branch, "main");
        (number, head)
    }

    /// Pushes a commit on `from` to a branch.
    fn push_on(&self, from: &str, branch: &str, (path, text): (&str, &str)) -> String {
        self.stage.git(&["checkout", "-q", "--detach", from]);
        self.stage.write(path, text);
        let head = self.stage.commit(-1, BOT, &format!("Update {path}"));
        self.stage.git(&[
            "push",
            "-q",
            self.stage.bare.to_str().unwrap(),
            &format!("+HEAD:refs/heads/{branch}"),
        ]);
        self.stage.git(&["checkout", "-q", "main"]);
        head
    }

    /// What a commit shows of the quarantine, newest last.
    fn said(&self, commit: &str) -> Vec<Status> {
        let state = self.forge.state();
        let all = state.statuses.get(commit).into_iter().flatten();
        all.filter(|status| status.context == CONTEXT).cloned().collect()
    }

    /// A scene in which v2 went back, with `main` of the people at the revert.
    fn reverted(face: Face) -> Self {
        let scene = Self::on(face, &Setting::environment("mode: auto"));
        scene.stage.pass(3);
        scene.stage.pull();
        scene
    }
}

#[test]
fn one_that_brings_it_back_fails_on_every_forge() {
    for face in [Face::GitHub, Face::GitLab, Face::Gitea] {
        let scene = Scene::reverted(face);
        let web = path_of("web");
        let (_, back) = scene.offer("main", "bump/web", (&web, &values("web", "v2")));
        let (_, newer) = scene.offer("main", "bump/web-3", (&web, &values("web", "v3")));
        // It began while v2 ran, and is about something else.
        let (_, other) = scene.offer(&scene.bad, "docs", ("README.md", "Read me.\n"));
        scene.stage.pass(0);
        let said = scene.said(&back);
        let revert = &scene.stage.tip()[..10];
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!(said[0].state, "failure");
        let text = &said[0].description;
        assert!(text.starts_with("web v2 was reverted on 20"), "{text}");
        assert!(text.contains(&format!(" by {revert} (errors got worse): in quarantine until 20")), "{text}");
        assert!(
            scene.said(&newer).is_empty() && scene.said(&other).is_empty(),
            "nothing is to be said of them"
        );
        scene.is_quiet();
        // A new head is another commit.
        let better = scene.push_on("main", "bump/web", (&web, &values("web", "v4")));
        let old = scene.said(&back).len();
        scene.is_quiet();
        assert!(scene.said(&better).is_empty());
        assert_eq!(scene.said(&back).len(), old);
    }
}

#[test]
fn a_person_who_puts_it_back_ends_the_failure() {
    let scene = Scene::reverted(Face::GitHub);
    let (_, back) = scene.offer("main", "bump/web", (&path_of("web"), &values("web", "v2")));
    scene.stage.pass(0);
    assert_eq!(scene.said(&back).len(), 1);
    scene.stage.deploy("web", "v2", -1, PERSON);
    scene.stage.pass(0);
    let said = scene.said(&back);
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(
        (said[1].state.as_str(), said[1].description.as_str()),
        ("success", "nothing comes back that is in quarantine")
    );
    scene.is_quiet();
}

#[test]
fn the_end_of_the_quarantine_ends_the_failure() {
    let scene = Scene::reverted(Face::Gitea);
    scene.stage.backdate(-10);
    let (_, back) = scene.offer("main", "bump/web", (&path_of("web"), &values("web", "v2")));
    scene.stage.pass(0);
    let mut short = Setting::environment("mode: auto");
    short.policy += ", quarantine: 5m, cooldown: 5m";
    scene.configure(&short);
    scene.stage.pass(0);
    let states: Vec<String> = scene.said(&back).into_iter().map(|status| status.state).collect();
    assert_eq!(states, ["failure", "success"]);
    scene.is_quiet();
}

#[test]
fn a_forge_that_does_not_list_or_show_is_no_error() {
    let scene = Scene::reverted(Face::GitHub);
    let (_, back) = scene.offer("main", "bump/web", (&path_of("web"), &values("web", "v2")));
    let is_list =
        |asked: &crate::support::forge::Asked| asked.path.last().is_some_and(|last| last == "pulls");
    scene.forge.fates(move |_, asked| match is_list(asked) && !asked.writes() {
        true => Fate::Instead(Reply::no(403, "not for you")),
        false => Fate::Go,
    });
    let report = scene.stage.pass(0);
    let facts = report["environments"][0]["facts"].to_string();
    assert!(facts.contains("open pull requests cannot be listed"), "{report:#}");
    assert!(scene.said(&back).is_empty());
    scene.forge.fates(|_, asked| match asked.line().contains("/statuses/") {
        true => Fate::Instead(Reply::no(500, "out of order")),
        false => Fate::Go,
    });
    let report = scene.stage.pass(1);
    assert!(scene.problems(&report).contains("what open pull requests bring cannot be shown"), "{report:#}");
}

#[test]
fn one_that_cannot_be_had_is_named() {
    let scene = Scene::reverted(Face::GitHub);
    let (number, _) = scene.offer("main", "bump/web", (&path_of("web"), &values("web", "v2")));
    {
        let mut state = scene.forge.state();
        let pull = state.pull(number).unwrap();
        (pull.fork, pull.head) = (true, "7".repeat(40));
    }
    let report = scene.stage.pass(0);
    let facts = report["environments"][0]["facts"].to_string();
    assert!(facts.contains(&format!("pull requests {number} were not held against")), "{report:#}");
    assert!(!scene.forge.state().statuses.contains_key(&"7".repeat(40)));
}

#[test]
fn nobody_is_asked_for_pull_requests_where_nothing_went_back() {
    let scene = Scene::new(&Setting::environment("mode: observe"));
    scene.offer("main", "bump/web", (&path_of("web"), &values("web", "v3")));
    scene.forge.fates(|_, _| Fate::Go);
    scene.stage.pass(0);
    let asked: Vec<String> = scene.forge.log().iter().map(crate::support::forge::Asked::line).collect();
    assert!(!asked.iter().any(|line| line.ends_with("/pulls")), "{asked:?}");
}
