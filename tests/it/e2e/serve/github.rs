//! Every example payload that GitHub's Octokit has of webhooks.

use serde_json::Value;

use super::{Daemon, signature, text_of};
use crate::e2e::stage::{Config, Stage};
use crate::support::npm::npm_file;

#[test]
fn every_example_of_github_is_taken_and_only_pushes_of_the_branch_wake() {
    let examples = text_of(&npm_file("@octokit/webhooks-examples/api.github.com/index.json"));
    let examples: Vec<Value> = serde_json::from_str(&examples).unwrap();
    let mut stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.environments =
        "  production: {branch: main, mode: auto}\n  staging: {branch: master}\n".to_owned();
    stage.remote(&["branch", "master", "main"]);
    let daemon = Daemon::start(&mut stage, &config, &["github"]);
    let (mut taken, mut woke, mut pushes) = (0, 0, 0);
    for event in &examples {
        let name = event["name"].as_str().unwrap();
        for example in event["examples"].as_array().unwrap() {
            let body = example.to_string();
            let headers = [("x-github-event", name), ("x-hub-signature-256", &signature(&body))];
            let (mut status, mut text) = daemon.post("/hooks/github", &headers, &body);
            while status.as_u16() == 429 {
                std::thread::sleep(std::time::Duration::from_millis(100));
                (status, text) = daemon.post("/hooks/github", &headers, &body);
            }
            assert_eq!(status.as_u16(), 202, "{name}: {text}: {body}");
            taken += 1;
            woke += usize::from(text == "passes that begin sooner: 1\n");
            pushes += usize::from(name == "push" && example["ref"] == "refs/heads/master");
        }
    }
    assert!(taken > 150, "{taken}");
    assert!(pushes > 0 && woke == pushes, "{woke} of {pushes} pushes to the branch woke the agent");
    daemon.end(&stage);
}
