//! `backout page`: the pages as files, opened in a browser from the disk.

use std::fs;
use std::path::{Path, PathBuf};

use super::stage::{BOT, Config, PERSON, Stage, path_of, values};
use crate::support::browser::{Visit, Visited, visit_well};

/// The address of a page in the folder of a stage.
fn url(stage: &Stage, path: &str) -> String {
    format!("file://{}/{path}", out(stage).to_str().unwrap())
}

fn out(stage: &Stage) -> PathBuf {
    stage.home.path().join("pages")
}

/// Writes the pages of a stage.
fn write(stage: &Stage) {
    stage.run(&["page", "--out", out(stage).to_str().unwrap()]).ended(0);
}

/// All files below a folder, by their paths from there.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match path.is_dir() {
            true => found.extend(files(&path).into_iter().map(|file| format!("{name}/{file}"))),
            false => found.push(name),
        }
    }
    found.sort();
    found
}

#[test]
fn they_are_whole_and_lead_to_each_other() {
    let stage = Stage::with("one", &["web", "api", "team/cart"]);
    stage.deploy("web", "v2", -12, BOT);
    stage.deploy("api", "v2", 0, BOT);
    let before = stage.refs();
    write(&stage);
    assert_eq!(stage.refs(), before, "writing pages changes nothing");
    let index = || fs::read_to_string(out(&stage).join("index.html")).unwrap();
    assert!(index().contains("It would be reverted.") && !index().contains("It is reverted"), "{}", index());
    stage.pass(3);
    write(&stage);
    let paths =
        ["index.html", "environments/production/index.html", "environments/production/services/web.html"];
    let visits: Vec<Visit> = paths.iter().map(|path| Visit::to(&url(&stage, path))).collect();
    let pages = visit_well(&visits);
    assert!(pages[0].text.contains("Recent reverts") && pages[2].text.contains("regressed"), "{pages:?}");
    assert!(!pages.iter().any(|page| page.elements.contains(&"form".to_owned())), "nobody answers to a form");
    for link in pages.iter().flat_map(|page| &page.links) {
        let path = link.strip_prefix("file://").unwrap();
        assert!(Path::new(path).exists(), "{link}");
    }
    let expected = [
        ".backout-page",
        "environments/production/healthy.html",
        "environments/production/inconclusive.html",
        "environments/production/index.html",
    ];
    let there = files(&out(&stage));
    assert!(expected.iter().all(|path| there.contains(&(*path).to_owned())), "{there:?}");
}

#[test]
fn what_is_gone_goes_and_what_cannot_be_read_stays() {
    let stage = Stage::with("one", &["web", "api"]);
    write(&stage);
    let service = |name: &str| out(&stage).join(format!("environments/production/services/{name}.html"));
    assert!(service("web").exists() && service("api").exists());
    stage.git(&["rm", "-q", &path_of("api")]);
    stage.commit(-1, PERSON, "Remove api");
    stage.push();
    let strange = out(&stage).join("environments/production/notes.txt");
    fs::write(&strange, "mine").unwrap();
    write(&stage);
    assert!(service("web").exists() && !service("api").exists() && strange.exists());
    let before = files(&out(&stage));
    fs::rename(&stage.bare, stage.bare.with_extension("away")).unwrap();
    let told = stage.run(&["page", "--out", out(&stage).to_str().unwrap()]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert_eq!(files(&out(&stage)), before);
    let index = fs::read_to_string(out(&stage).join("index.html")).unwrap();
    assert!(
        index.contains("Problems") && index.contains("Nothing is known yet of 1 environment."),
        "{index}"
    );
}

#[test]
fn a_link_in_the_folder_leads_it_nowhere() {
    let stage = Stage::with("one", &["web"]);
    let elsewhere = stage.home.path().join("elsewhere");
    fs::create_dir_all(elsewhere.join("blog")).unwrap();
    fs::write(elsewhere.join("blog/post.html"), "mine").unwrap();
    fs::create_dir(out(&stage)).unwrap();
    fs::write(out(&stage).join(".backout-page"), "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, out(&stage).join("environments")).unwrap();
    let told = stage.run(&["page", "--out", out(&stage).to_str().unwrap()]).ended(1);
    assert!(told.stderr.contains("environments is no folder: remove it"), "{told:?}");
    assert_eq!(files(&elsewhere), ["blog/post.html"]);
}

/// What was left as it is in one environment hides nothing in another one, although it is the same commit.
#[test]
fn one_commit_in_two_environments_is_two_deployments() {
    let stage = Stage::on_path();
    let mut config = Config::of("one");
    config.environments = "  production: {branch: main, paths: [\"apps/*/production/**\"], mode: auto}
  staging: {branch: main, paths: [\"apps/*/staging/**\"], mode: observe}\n"
        .to_owned();
    config.services =
        "  - {pattern: \"apps/{service}/{environment}/values.yaml\", labels: {namespace: one}}\n".to_owned();
    stage.configure(&config);
    for (tag, minutes) in [("v1", -180), ("v2", -12)] {
        for environment in ["production", "staging"] {
            stage.write(&format!("apps/web/{environment}/values.yaml"), &values("web", tag));
        }
        stage.commit(minutes, BOT, "Deploy web");
    }
    stage.push();
    write(&stage);
    let index = fs::read_to_string(out(&stage).join("index.html")).unwrap();
    assert!(index.contains("It would be reverted.") && index.contains("mode observe"), "{index}");
    stage.pass(3);
    write(&stage);
    let index = fs::read_to_string(out(&stage).join("index.html")).unwrap();
    assert!(index.contains("Bad, or left to a person") && index.contains("Recent reverts"), "{index}");
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let stage = Stage::with("one", &["web"]);
    fs::create_dir(out(&stage)).unwrap();
    fs::write(out(&stage).join("index.html"), "mine").unwrap();
    let told = stage.run(&["page", "--out", out(&stage).to_str().unwrap()]).ended(1);
    assert!(told.stderr.contains("holds files that this command has not written"), "{told:?}");
    assert_eq!(fs::read_to_string(out(&stage).join("index.html")).unwrap(), "mine");
}

#[test]
fn names_and_texts_of_strangers_steer_nobody() {
    let mut config = Config::of("one");
    config
        .services
        .insert_str(0, "  - {name: team/cart, paths: [\"apps/team/cart/*\"], labels: {namespace: one}}\n");
    let stage = Stage::configured("one", &["web", "\u{e9}t\u{e9}", "a+b@c", "team/cart"], &config);
    let evil = "</title><script>alert(1)</script><img src=x onerror=alert(2)> \u{202e}evil \u{1b}[31m &amp; javascript:alert(3) \"'";
    stage.write(&path_of("web"), &values("web", "\"v2<script>alert(4)</script>\""));
    stage.commit(-12, evil, evil);
    stage.write(&path_of("team/cart"), &values("team/cart", "\"v3'><a href='javascript:alert(5)'>\""));
    stage.commit(-2, PERSON, evil);
    stage.push();
    stage
        .run(&[
            "pause",
            "--service",
            "a+b@c",
            "--environment",
            "production",
            "--for",
            "2h",
            "--why",
            "<script>alert(6)</script>",
        ])
        .ended(0);
    stage.run(&["run", "--once"]);
    write(&stage);
    let services: Vec<String> =
        files(&out(&stage)).into_iter().filter(|path| path.contains("/services/")).collect();
    assert_eq!(services.len(), 4, "{services:?}");
    let paths: Vec<&str> = ["index.html", "environments/production/index.html"]
        .into_iter()
        .chain(services.iter().map(String::as_str))
        .collect();
    let visits: Vec<Visit> = paths.iter().map(|path| Visit::to(&url(&stage, path)).on_phone()).collect();
    let pages: Vec<Visited> = visit_well(&visits);
    let all: String = pages.iter().map(|page| page.text.as_str()).collect();
    for shown in ["<script>alert(1)</script>", "alert(3)", "<script>alert(6)</script>"] {
        assert!(all.contains(shown), "{shown} is missing: {all}");
    }
    assert!(!all.contains('\u{202e}') && !all.contains('\u{1b}'));
    for link in pages.iter().flat_map(|page| &page.links) {
        assert!(link.starts_with("file://"), "{link}");
    }
}

#[test]
fn two_thousand_services_fit_on_a_page() {
    let names: Vec<String> = (0..2_000).map(|index| format!("service-{index:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = Stage::with("one", &names);
    stage.deploy_all(&names[..40], "v2", -2, BOT);
    write(&stage);
    let page = "environments/production/index.html";
    let visits = [Visit::to(&url(&stage, page)), Visit::to(&url(&stage, page)).on_phone()];
    let pages = visit_well(&visits);
    let rows = pages[0].links.iter().filter(|link| link.contains("/services/")).count();
    assert_eq!(rows, 2_000);
    assert!(
        pages[0].text.contains("watched 40") && pages[0].text.contains("unknown 1960"),
        "{}",
        &pages[0].text[..500]
    );
    let bytes = fs::metadata(out(&stage).join(page)).unwrap().len();
    eprintln!("a page with 2,000 services: {bytes} bytes, loaded in {} ms", pages[0].millis);
    assert!(bytes < 2_000_000, "{bytes} bytes");
    assert_eq!(files(&out(&stage).join("environments/production/services")).len(), 2_000);
}
