//! Freeze windows.

use backout::domain::environment::freeze::{Freeze, Schedule, Zone};

use super::world::{decided, deployed, moment, world};
use crate::e2e::stage::{BOT, Config, Stage, item, values, words};
use crate::support::git::git;

#[test]
fn in_a_freeze_the_agent_proposes_and_pushes_when_it_is_over() {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.environments = "  production:\n    branch: main\n    mode: auto\n    freeze:\n      \
        - {schedule: \"* * * * *\", duration: 1h, time_zone: Europe/Berlin, why: the sales}\n"
        .to_owned();
    stage.configure(&config);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed propose");
    assert_eq!(report["environments"][0]["brakes"]["frozen"]["why"], "the sales");
    assert_eq!(stage.tip(), bad);
    let branch = format!("backout/production/web/{}", stage.git(&["rev-parse", "--short=10", &bad]));
    assert_eq!(stage.file(&branch, "web"), values("web", "v1"));
    stage.nothing_more();
    let told = stage.run(&["plan"]).ended(0).stdout;
    assert!(told.contains("production is frozen") && told.contains("(the sales)"), "{told}");
    // It is over, as the configuration says.
    config.environments = "  production: {branch: main, mode: auto}\n".to_owned();
    stage.configure(&config);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    stage.nothing_more();
}

/// The clocks of Berlin went back in the night: the weekend ends at seven by the clock, 64 hours after it began.
#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_over_a_change_of_the_clocks_ends_when_its_hours_are_over() {
    let weekend = || Freeze {
        schedule: Schedule::parse("0 16 * * FRI").unwrap(),
        duration_secs: 64 * 3_600,
        zone: Zone::named("Europe/Berlin").unwrap(),
        why: "the weekend".to_owned(),
    };
    let at = moment("2026-10-26T05:40:00Z");
    let (home, bad) = deployed(at);
    let world_at = |now: &str| world(&home, moment(now), at.plus_secs(60), vec![weekend()]);
    let (action, report) = decided(&world_at("2026-10-26T05:59:00Z")).await;
    assert_eq!(action, Some("propose"), "{report:?}");
    let frozen = report.environments[0].brakes.frozen.clone().unwrap();
    assert_eq!(frozen.to_string(), "frozen until 2026-10-26T06:00:00Z (the weekend)");
    let repository = home.path().join("env.git");
    assert_eq!(git(&repository, &["rev-parse", "main"]), bad);
    let (action, report) = decided(&world_at("2026-10-26T06:00:00Z")).await;
    assert_eq!(action, Some("revert"), "{report:?}");
    assert_eq!(git(&repository, &["rev-parse", "main^"]), bad);
}
