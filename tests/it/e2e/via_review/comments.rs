//! One comment for one bad commit, however many services it deployed.

use super::Setting;
use crate::e2e::stage::{BOT, Config, Stage, item, path_of, values, words};
use crate::support::forge::{AGENT, Face, Pull, SimForge, TOKEN};

/// Three services, in a repository on a forge.
fn trio(services: &[&str]) -> (Stage, SimForge) {
    let mut stage = Stage::on_path();
    stage.begin(services);
    let forge = SimForge::start(Face::GitHub, &stage.bare);
    stage.variables.push(("FORGE_TOKEN".to_owned(), TOKEN.to_owned()));
    let mut config = Setting::default().config(Face::GitHub, &forge);
    config.services = Config::of("trio").services;
    stage.configure(&config);
    (stage, forge)
}

#[test]
fn several_services_of_one_commit_are_one_comment_that_is_kept_up_to_date() {
    let services = ["api", "jobs", "web"];
    let (stage, forge) = trio(&services);
    for service in services {
        stage.write(&path_of(service), &values(service, "v2"));
    }
    let bad = stage.commit(-12, BOT, "Deploy all of it");
    stage.push();
    {
        let mut state = forge.state();
        let number = state.next_number();
        let (branch, base, head) = ("bump".to_owned(), "main".to_owned(), bad.clone());
        state.pulls.push(Pull { number, branch, base, head, merged: true, ..Pull::default() });
        state.sources.insert(bad.clone(), number);
    }
    let report = stage.pass(4);
    assert!(services.iter().all(|service| words(item(&report, service)) == "regressed escalate"));
    let first = {
        let mut state = forge.state();
        assert_eq!(state.comments.len(), 1, "{:?}", state.comments);
        let first = state.comments[0].clone();
        assert!(first.body.contains("made 3 services worse in `production`"), "{}", first.body);
        for service in services {
            let row = format!("| `{service}` | made `errors` worse: ");
            assert!(first.body.contains(&row), "{}", first.body);
        }
        let mark = first.body.lines().next().unwrap();
        assert_eq!(mark, format!("<!-- backout: commit={bad} environment=production -->"));
        // Somebody copies it, and the agent's own is of a pass that knew less.
        let copy = format!("{mark}\n\nAll is well.");
        state.comment(first.on, "mallory", &copy);
        state.comments[0].body = format!("{mark}\n\nTwo services are worse.");
        first
    };
    // What is written down of two of them stays, and the third is judged anew.
    stage.change_notes(|note| {
        let lines = note.lines().filter(|line| !line.contains("\"service\":\"web\""));
        lines.map(|line| format!("{line}\n")).collect()
    });
    stage.pass(4);
    let state = forge.state();
    let bodies: Vec<_> = state.comments.iter().map(|one| (one.by.as_str(), one.body.as_str())).collect();
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert_eq!(bodies[0], (AGENT, first.body.as_str()));
    assert!(bodies[1].0 == "mallory" && bodies[1].1.ends_with("All is well."), "{bodies:?}");
}

#[test]
fn an_incident_is_told_on_the_oldest_of_its_commits_alone() {
    let services = ["api", "jobs", "web"];
    let (stage, forge) = trio(&services);
    let mut numbers = Vec::new();
    for (service, minutes) in services.iter().zip([-14, -13, -12]) {
        let bad = stage.deploy(service, "v2", minutes, BOT);
        let mut state = forge.state();
        let number = state.next_number();
        let (branch, base) = (format!("bump-{service}"), "main".to_owned());
        state.pulls.push(Pull { number, branch, base, head: bad.clone(), merged: true, ..Pull::default() });
        state.sources.insert(bad, number);
        numbers.push(number);
    }
    let report = stage.pass(4);
    assert!(services.iter().all(|service| words(item(&report, service)) == "regressed escalate"));
    stage.nothing_more();
    let state = forge.state();
    let [comment] = state.comments.as_slice() else { panic!("{:?}", state.comments) };
    assert_eq!(comment.on, numbers[0]);
    let told = "3 services are red at once (api, jobs, web): one incident. This comment is about all of them";
    assert!(comment.body.contains(told), "{}", comment.body);
    assert_eq!(state.statuses.len(), 3, "each commit shows what was found out about it");
}
