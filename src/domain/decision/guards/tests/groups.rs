//! The table of the guard that holds a group together.

use super::*;
use crate::domain::decision::guards::group::Untried;
use crate::domain::decision::types::Member;
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
