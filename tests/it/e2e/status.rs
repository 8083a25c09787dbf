//! What `backout status` shows, and what commands say that find nothing to do.

use serde_json::Value;

use super::stage::{BOT, Config, PERSON, Stage, item, words};

fn status(stage: &Stage) -> Value {
    stage.run(&["status", "--format", "json"]).ended(0).json()[0].clone()
}

fn branches(all: &Value) -> Vec<&str> {
    let all = all.as_array().map_or(&[][..], Vec::as_slice);
    all.iter().map(|one| one["branch"].as_str().unwrap()).collect()
}

/// Without a forge nobody follows the branch: it is named as long as it has something to take back.
#[test]
fn a_revert_that_waits_is_named_until_it_is_merged() {
    for environment in ["{branch: main, mode: propose}", "{branch: main, mode: auto, delivery: branch}"] {
        let stage = Stage::with("one", &["web", "api"]);
        let mut config = Config::of("one");
        config.environments = format!("  production: {environment}\n");
        stage.configure(&config);
        let bad = stage.deploy("web", "v2", -12, BOT);
        assert_eq!(branches(&status(&stage)["proposals"]), [] as [&str; 0]);
        let told = stage.run(&["run", "--once"]).ended(3).stdout;
        let branch = format!("backout/production/web/{}", &bad[..10]);
        let how = format!("to take it, on main: git fetch && git merge origin/{branch}\n");
        assert!(told.contains(&how), "{told}");
        let again = stage.nothing_more();
        assert_eq!(branches(&again["environments"][0]["waiting"]), [branch.as_str()], "{again:#}");
        let shown = stage.run(&["status"]).ended(0).stdout;
        let line = format!("  web {} waits since ", &bad[..10]);
        assert!(shown.contains(&line) && shown.contains(&how), "{shown}");
        assert!(shown.contains(&format!(" on {branch}: Revert web in production: v2 → v1\n")), "{shown}");
        let other = stage.run(&["status", "--service", "api"]).ended(0).stdout;
        assert!(!other.contains("waits"), "{other}");
        // Somebody takes it, as the line says.
        stage.git(&["fetch", "-q", stage.bare.to_str().unwrap(), &branch]);
        stage.git(&["merge", "-q", "--no-ff", "-m", "Take it", "FETCH_HEAD"]);
        stage.push();
        assert!(stage.refs().contains(&branch));
        assert_eq!(branches(&status(&stage)["proposals"]), [] as [&str; 0]);
        let after = stage.run(&["run", "--once", "--format", "json"]).json();
        assert_eq!(after["environments"][0]["waiting"], Value::Null, "{after:#}");
    }
}

#[test]
fn a_revert_of_what_was_replaced_waits_no_more() {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.environments = "  production: {branch: main, mode: propose}\n".to_owned();
    stage.configure(&config);
    stage.deploy("web", "v2", -12, BOT);
    assert_eq!(words(item(&stage.pass(3), "web")), "regressed propose");
    assert_eq!(branches(&status(&stage)["proposals"]).len(), 1);
    stage.deploy("web", "v3", -1, PERSON);
    assert_eq!(branches(&status(&stage)["proposals"]), [] as [&str; 0]);
}

/// What a service runs is said of each, also where nobody has deployed it as far back as is looked.
#[test]
fn what_was_not_deployed_lately_has_its_version_from_its_files() {
    let stage = Stage::on_path();
    stage.write("apps/web/values.yaml", "image:\n  repository: shop/web\n  tag: v1.4.2\nreplicas: 3\n");
    stage.write("apps/web/job.yaml", "image: shop/job:v7\n");
    stage.write("apps/docs/values.yaml", "replicas: 1\n");
    stage.write("all.yaml", "cart: {image: {tag: v3.1.0}}\nsearch: {image: {tag: v9}}\n");
    stage.commit(-180, PERSON, "Set the shop up");
    stage.write("all.yaml", "cart: {image: {tag: v3.1.0}}\nsearch: {image: {tag: v10}}\n");
    stage.commit(-100, PERSON, "Deploy search");
    stage.push();
    let mut config = Config::of("one");
    config.services =
        "  - {pattern: \"apps/{service}/*\"}\n  - {paths: [all.yaml], each: \"{service}\"}\n".to_owned();
    config.signals = "  errors: {query: 'errors{app=\"{{ service }}\"}', above: 1}\n".to_owned();
    stage.configure(&config);
    let all = status(&stage);
    let row = |one: &Value| {
        let since = if one["since"].is_null() { "-" } else { "known" };
        format!("{} {} {since} {}", one["service"], one["versions"], one["state"])
    };
    let rows: Vec<String> = all["services"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(
        rows,
        [
            r#""cart" ["v3.1.0"] - "unknown""#,
            r#""docs" [] - "unknown""#,
            r#""search" ["v10"] known "unknown""#,
            r#""web" ["v7","v1.4.2"] - "unknown""#,
        ]
    );
}

#[test]
fn a_command_that_finds_nothing_to_do_says_so() {
    let stage = Stage::with("one", &["web"]);
    for (command, told) in [
        (&["resume"][..], "nothing to do: no pause of production as a whole is open\n"),
        (&["resume", "--service", "web"], "nothing to do: no pause of web in production is open\n"),
        (
            &["unpin", "web"],
            "nothing to do: web has no open pins in production; `backout status` shows the open pins of all services\n",
        ),
    ] {
        assert_eq!(stage.run(command).ended(0).stdout, told);
    }
    // What is open and was not meant is named.
    stage.run(&["pause", "--why", "a test"]).ended(0);
    let told = stage.run(&["resume", "--service", "web"]).ended(0).stdout;
    assert!(told.starts_with("nothing to do: no pause of web in production is open\nstill: "), "{told}");
    stage.run(&["resume"]).ended(0);
}
