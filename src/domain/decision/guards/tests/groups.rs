//! The table of the guard that holds a group together.

use super::*;
use crate::domain::decision::guards::group::Untried;
use crate::domain::decision::types::{Member, Turn};
use crate::domain::ids::GroupName;

fn member(service: &str, held: Option<&str>, proposed: Option<&str>) -> Member {
    Member {
        service: ServiceName::new(service).unwrap(),
        held: held.map(str::to_owned),
        proposed: proposed.map(str::to_owned),
    }
}

fn of_shop(members: &[Member]) -> GroupFacts {
    GroupFacts {
        group: Some(GroupName::new("shop").unwrap()),
        members: members.to_vec(),
        ..GroupFacts::default()
    }
}

/// The turn of a service of the shop, where the group goes back because of `web`.
fn turn(after: Option<&str>, until: Option<i64>, is_due: bool) -> Turn {
    Turn {
        with: web(),
        after: after.map(|name| ServiceName::new(name).unwrap()),
        until: until.map(Time::from_unix),
        behind: None,
        is_due,
        broken: None,
        then: Vec::new(),
    }
}

#[test]
fn a_service_waits_for_the_one_before_it_and_then_for_the_time() {
    let free = [member("cart", None, None)];
    let held = [member("cart", Some("it is paused"), None)];
    let wait = Some(Decision::Wait);
    let answer = |turn: Turn, members: &[Member]| {
        Facts::Group(GroupFacts { turn: Some(Box::new(turn)), ..of_shop(members) }).answer()
    };
    assert_eq!(answer(turn(None, None, true), &free), None, "the first");
    assert_eq!(answer(turn(Some("search"), None, false), &free), wait, "the one before is not back");
    assert_eq!(answer(turn(Some("search"), Some(500), false), &free), wait, "not long enough");
    assert_eq!(answer(turn(Some("search"), Some(500), true), &free), None);
    let behind = Turn { behind: GroupName::new("front").ok(), ..turn(None, None, false) };
    assert_eq!(answer(behind, &free), wait, "another group goes first");
    // Who waits for another one is told of nothing else: that one tells it.
    assert_eq!(answer(turn(Some("search"), None, false), &held), wait);
    let why = "search of the group shop is back, and 2 more services of the group are to follow, which go back together or not at all. ";
    for due in [true, false] {
        let told = answer(turn(Some("search"), Some(500), due), &held);
        assert_eq!(told, Some(Decision::Escalate(format!("{why}cart: it is paused"))));
        let broken =
            Turn { broken: Some("a deployed it".to_owned()), ..turn(Some("search"), Some(500), due) };
        assert_eq!(answer(broken, &free), Some(Decision::Escalate(format!("{why}a deployed it"))));
    }
}

#[test]
fn a_service_that_waits_says_for_what() {
    let words = |turn: Turn| turn.waits_for().unwrap_or_default();
    assert_eq!(words(turn(None, None, true)), "");
    assert_eq!(words(turn(Some("cart"), Some(0), true)), "");
    assert_eq!(words(turn(Some("cart"), None, false)), "it goes back after cart, which is not back yet");
    assert_eq!(
        words(turn(Some("cart"), Some(0), false)),
        "it goes back after cart, which is back, and not before 1970-01-01T00:00:00Z"
    );
    let behind = Turn { behind: GroupName::new("front").ok(), ..turn(None, None, false) };
    let told = words(behind);
    assert!(told.starts_with("it goes back after the group front, which depends on this one: "), "{told}");
    assert!(told.ends_with(" or when the watch window of web ends"), "{told}");
}

pub(super) fn group() -> Table {
    let free = [member("cart", None, None), member("search", None, None)];
    let facts = |facts: GroupFacts| Facts::Group(facts);
    let untried = Some(Untried { service: web(), commit: id(3) });
    vec![
        (facts(GroupFacts::default()), ""),
        (facts(of_shop(&[])), ""),
        (facts(of_shop(&free)), ""),
        // What a person only has to accept is told with the plan.
        (facts(of_shop(&[member("cart", None, Some("its mode is propose"))])), ""),
        (facts(GroupFacts { untried, ..of_shop(&[]) }), ""),
        (
            facts(of_shop(&[member("cart", Some("it changed a database schema"), None), free[1].clone()])),
            "escalate: the commit deployed 3 services of the group shop, which go back together or not at all. cart: it changed a \
             database schema",
        ),
        (
            facts(of_shop(&[member("cart", Some("a"), None), member("search", Some("b"), None)])),
            "escalate: the commit deployed 3 services of the group shop, which go back together or not at all. cart: a; search: b",
        ),
        (
            facts(GroupFacts { held: Some("c".to_owned()), goes_with: Some(web()), ..of_shop(&free) }),
            "escalate: the commit deployed 3 services of the group shop, which go back together or not at all. it would not: c",
        ),
        (
            facts(GroupFacts { more: true, ..of_shop(&free) }),
            "escalate: the commit deployed more than 20 services of the group shop, and no more go back together by machine",
        ),
        (
            facts(GroupFacts { goes_with: Some(web()), ..of_shop(&free) }),
            "hold: it goes back with web, of the same group shop",
        ),
        (
            facts(GroupFacts { is_fallback: true, ..of_shop(&[]) }),
            "escalate: it is of the group shop, and the agent does not go a step further back with one service of a group",
        ),
    ]
}

#[test]
fn a_person_is_told_of_each_service_that_they_have_to_accept() {
    let untried = Some(Untried { service: web(), commit: id(3) });
    let members = [member("cart", None, Some("its mode is propose")), member("search", None, None)];
    let told = Facts::Group(GroupFacts { untried, ..of_shop(&members) }).doubts_of_group();
    assert_eq!(
        told,
        [
            "cart: its mode is propose",
            "0303030303 deployed web of the group shop, and the state to go back to has not run with that for long enough"
        ]
    );
    let free = Facts::Group(of_shop(&[member("cart", None, None)]));
    assert_eq!(free.doubts_of_group(), Vec::<String>::new());
}
