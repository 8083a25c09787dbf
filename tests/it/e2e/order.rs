//! In which order reverts are made that are due in one pass: who depends on others goes back before them.

use super::evidence::{Row, good, stage};
use super::stage::{BOT, Stage, item, path_of, values, words};

const SIGNAL: &str = r#"query: 'errors{service="{{ service }}"}'"#;

/// Fails since 14 minutes.
fn early(minute: i64) -> f64 {
    if minute >= -14 { 0.3 } else { good(minute) }
}

/// Fails since 6 minutes.
fn late(minute: i64) -> f64 {
    if minute >= -6 { 0.3 } else { good(minute) }
}

/// A repository in which `cart` was deployed and turned bad first, and then `web`. Each of these keys is added to the rule of its service.
fn two_bad(web: &str, cart: &str, more: &str) -> Stage {
    let rule = |name: &str, keys: &str| format!("  - {{name: {name}, paths: [\"apps/{name}/*\"]{keys}}}\n");
    let rules = rule("web", web) + &rule("cart", cart) + more;
    let rows: [Row; 2] = [("errors", "web,", late), ("errors", "cart,", early)];
    let stage = stage(&["web", "cart"], SIGNAL, &rules, &rows);
    let path = stage.home.path().join("backout.yaml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("watch: 20m", "watch: 40m")).unwrap();
    stage.deploy("cart", "v2", -16, BOT);
    stage.deploy("web", "v2", -8, BOT);
    stage
}

/// The services that the agent has reverted since the last deployment, in the order of the commits.
fn reverted(stage: &Stage, since: &str) -> Vec<String> {
    let subjects = stage.remote(&["log", "--reverse", "--format=%s", &format!("{since}..main")]);
    subjects.lines().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn who_depends_on_another_one_goes_back_before_it() {
    let through = "  - {name: pay, paths: [\"apps/pay/*\"], depends_on: [cart]}\n";
    for (web, cart, more, expected) in [
        ("", "", "", ["cart", "web"]),
        (", depends_on: [cart]", "", "", ["web", "cart"]),
        ("", ", depends_on: [web]", "", ["cart", "web"]),
        (", depends_on: [pay]", "", through, ["web", "cart"]),
        (", depends_on: [pay]", "", "", ["cart", "web"]),
        // A circle has no order, and holds nothing.
        (", depends_on: [cart]", ", depends_on: [web]", "", ["cart", "web"]),
    ] {
        let stage = two_bad(web, cart, more);
        let tip = stage.tip();
        let report = stage.pass(3);
        for service in ["web", "cart"] {
            assert_eq!(words(item(&report, service)), "regressed revert", "{report:#}");
            assert_eq!(stage.file("main", service), values(service, "v1"), "{service}");
        }
        assert_eq!(reverted(&stage, &tip), expected, "{web} {cart} {more}");
        let last = path_of(expected[1]);
        assert_eq!(stage.remote(&["diff", "--name-only", "main^", "main"]), last);
        stage.nothing_more();
    }
}

/// What cannot go back keeps nothing from going back.
#[test]
fn who_stays_holds_nothing_on_which_it_depends() {
    let stage = two_bad(", depends_on: [cart], mode: observe", "", "");
    let tip = stage.tip();
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "cart")), "regressed revert", "{report:#}");
    assert_eq!(reverted(&stage, &tip), ["cart"]);
    assert_eq!(stage.file("main", "web"), values("web", "v2"));
    stage.nothing_more();
}
