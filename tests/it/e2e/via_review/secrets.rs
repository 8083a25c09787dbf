//! No token, key or password reaches anything that a whole way through a pull request leaves behind.

use base64::Engine as _;

use super::{Scene, Setting};
use crate::e2e::stage::Run;
use crate::support::forge::{Fate, Reply, TOKEN, app_key};
use crate::support::git::try_git;

/// A secret in every form in which it is sent.
fn forms(secret: &str) -> Vec<String> {
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let users = ["", "x-access-token:", "oauth2:", "git:"].map(|user| encode(format!("{user}{secret}")));
    std::iter::once(secret.to_owned()).chain(users).collect()
}

#[track_caller]
fn is_clean(what: &str, text: &[u8], secrets: &[String]) {
    let text = String::from_utf8_lossy(text);
    for secret in secrets {
        let line = text.lines().find(|line| line.contains(secret.as_str()));
        assert!(line.is_none(), "{what} shows a secret: {line:?}");
    }
}

/// The lines of a PEM file, which are no less secret one by one.
fn lines_of(key: &str) -> Vec<String> {
    key.lines().filter(|line| !line.contains("PRIVATE KEY") && line.len() > 20).map(str::to_owned).collect()
}

fn everything_is_clean(scene: &Scene, runs: &[Run], secrets: &[String]) {
    assert!(runs.iter().map(|run| run.stderr.lines().count()).sum::<usize>() > 500, "the log is on");
    for run in runs {
        is_clean("stdout", run.stdout.as_bytes(), secrets);
        is_clean("stderr", run.stderr.as_bytes(), secrets);
    }
    let objects = try_git(&scene.stage.bare, &["cat-file", "--batch-all-objects", "--batch"]);
    assert!(objects.status.success() && !objects.stdout.is_empty());
    is_clean("an object", &objects.stdout, secrets);
    is_clean("the refs", scene.stage.refs().as_bytes(), secrets);
    for asked in scene.forge.all() {
        is_clean("a request's target", asked.target.as_bytes(), secrets);
        let body = asked.body.map(|body| body.to_string()).unwrap_or_default();
        is_clean("what was written to the forge", body.as_bytes(), secrets);
    }
    for entry in std::fs::read_dir(scene.stage.home.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_none_or(|end| end != "pem") {
            is_clean(&path.display().to_string(), &std::fs::read(&path).unwrap(), secrets);
        }
    }
}

/// All of a way, with the most talkative log, in both of its forms.
fn runs(scene: &Scene) -> Vec<Run> {
    let run = |arguments: &[&str], format: &str| {
        scene.stage.run(&[arguments, &["--log", "trace", "--log-format", format]].concat())
    };
    let mut runs = vec![run(&["check"], "text"), run(&["plan", "--format", "json"], "json")];
    runs.push(run(&["run", "--once"], "text"));
    let number = scene.pull().number;
    scene.forge.state().check(number, "success");
    runs.push(run(&["run", "--once", "--format", "json"], "json"));
    runs.push(run(&["history"], "text"));
    assert!(scene.pull().merged);
    for fault in [401, 403, 404, 422, 429, 500] {
        scene.forge.fates(move |_, asked| {
            let said = asked.headers.get("authorization").cloned().unwrap_or_default();
            // A server that shows what it was sent is no reason to show it further: here it shows only that it was.
            assert!(!said.is_empty());
            Fate::Instead(Reply::no(fault, "no"))
        });
        runs.push(run(&["check"], "json"));
    }
    runs
}

#[test]
fn a_token_shows_nowhere() {
    let scene = Scene::new(&Setting::default());
    let runs = runs(&scene);
    assert!(
        scene.forge.all().iter().any(|asked| asked.headers["authorization"].contains(TOKEN)),
        "it was used"
    );
    everything_is_clean(&scene, &runs, &forms(TOKEN));
}

#[test]
fn the_key_of_an_app_and_its_tokens_show_nowhere() {
    let setting = Setting {
        auth: "{kind: app, app_id: 1, private_key: {file: app.pem}}".to_owned(),
        ..Setting::default()
    };
    let scene = Scene::new(&setting);
    let key = std::fs::read_to_string(app_key(scene.stage.home.path())).unwrap();
    let runs = runs(&scene);
    let mut secrets = lines_of(&key);
    assert!(secrets.len() > 10);
    for asked in scene.forge.all() {
        let sent = asked.headers["authorization"].strip_prefix("Bearer ").unwrap().to_owned();
        secrets.extend(forms(&sent));
    }
    secrets.sort();
    secrets.dedup();
    assert!(secrets.iter().any(|secret| secret.starts_with("ghs_")), "tokens were made");
    everything_is_clean(&scene, &runs, &secrets);
}
