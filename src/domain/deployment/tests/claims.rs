//! What commits say of themselves that are no reverts of the agent, or not quite.

use super::*;

const PATH: &str = "apps/web/production/values.yaml";

/// A file of `web` with two images.
fn two(image: &str, sidecar: &str) -> String {
    format!("image:\n  tag: {image}\nsidecar:\n  image:\n    tag: {sidecar}\n")
}

fn id(number: u8) -> CommitId {
    CommitId::from_bytes([number; 20])
}

fn change(number: u8, message: &str, old: &str, new: &str) -> Commit {
    commit(number, message, vec![file(PATH, Some(old), Some(new))])
}

/// What the newest of these commits is for each service that it changed, and how many reverts it counts as.
fn newest(commits: Vec<Commit>) -> (Vec<ChangeKind>, Vec<RevertEntry>) {
    let (environment, snapshot) = (environment(), snapshot(commits));
    let (found, entries) = Detector::new(&environment).next_with_reverts(&snapshot.commits[0]);
    (found.into_iter().map(|one| one.kind).collect(), entries)
}

#[track_caller]
fn is(commits: Vec<Commit>, kind: ChangeKind) {
    let (kinds, entries) = newest(commits);
    assert_eq!(kinds, [kind]);
    assert_eq!(entries.len(), usize::from(kind == ChangeKind::OwnRevert));
}

fn with(message: &str, trailers: &str) -> String {
    message.trim_end().to_owned() + "\n" + trailers + "\n"
}

#[test]
fn a_part_that_went_back_takes_nothing_back() {
    let deployed = || change(1, "bump", &two("v1", "s1"), &two("v2", "s2"));
    let says = message_of_revert(1, &[("s2", "s1")]);
    is(vec![change(2, &says, &two("v2", "s2"), &two("v2", "s1")), deployed()], ChangeKind::Rollback(id(1)));
    let says = message_of_revert(1, &[("v2", "v1"), ("s2", "s1")]);
    is(vec![change(2, &says, &two("v2", "s2"), &two("v1", "s1")), deployed()], ChangeKind::OwnRevert);
}

#[test]
fn each_deployment_that_is_named_goes_back() {
    let sidecar = || change(1, "bump", &two("v1", "s1"), &two("v1", "s2"));
    let bad = || change(2, "bump", &two("v1", "s2"), &two("v2", "s2"));
    let says = with(&message_of_revert(2, &[("s2", "s1")]), &format!("Backout-With: {}", id(1)));
    is(
        vec![change(3, &says, &two("v2", "s2"), &two("v2", "s1")), bad(), sidecar()],
        ChangeKind::Rollback(id(2)),
    );
    let says =
        with(&message_of_revert(2, &[("v2", "v1"), ("s2", "s1")]), &format!("Backout-With: {}", id(1)));
    is(vec![change(3, &says, &two("v2", "s2"), &two("v1", "s1")), bad(), sidecar()], ChangeKind::OwnRevert);
}

#[test]
fn a_value_goes_back_to_its_own_place() {
    let deployed = change(1, "bump", &two("v1", "v7"), &two("v2", "v8"));
    let says = message_of_revert(1, &[("v2", "v7")]);
    is(vec![change(2, &says, &two("v2", "v8"), &two("v7", "v8")), deployed], ChangeKind::Release);
}

#[test]
fn another_image_of_an_old_tag_is_no_revert() {
    let text = |repository: &str, tag: &str| format!("image:\n  repository: {repository}\n  tag: {tag}\n");
    let deployed = || change(1, "bump", &text("r/x", "v1"), &text("r/x", "v2"));
    let says = message_of_revert(1, &[("v2", "v1")]);
    is(
        vec![change(2, &says, &text("r/x", "v2"), &text("evil/x", "v1")), deployed()],
        ChangeKind::Rollback(id(1)),
    );
    is(vec![change(2, &says, &text("r/x", "v2"), &text("r/x", "v1")), deployed()], ChangeKind::OwnRevert);
}

#[test]
fn what_goes_back_is_what_the_named_deployments_brought() {
    let (first, second) = (
        change(1, "bump", &two("v1", "s"), &two("v2", "s")),
        change(2, "bump", &two("v2", "s"), &two("v3", "s")),
    );
    let made_up = format!("Backout-With: {}", id(77));
    let says = with(&message_of_revert(1, &[("zz", "v1")]), &made_up);
    is(vec![change(3, &says, &two("v3", "s"), &two("v1", "s")), second, first.clone()], ChangeKind::Release);
    // Nor does what was never deployed come into quarantine.
    let says = with(&message_of_revert(1, &[("v2", "v1")]), "Backout-From: v9");
    let (kinds, entries) = newest(vec![change(2, &says, &two("v2", "s"), &two("v1", "s")), first]);
    assert_eq!(kinds, [ChangeKind::OwnRevert]);
    assert_eq!(entries[0].bad_values, BTreeSet::from(["v2".to_owned()]));
}

#[test]
fn a_revert_is_of_the_service_that_it_names() {
    let train = || commit(1, "bump", vec![bump("api", "v1", "v2"), bump("web", "v1", "v2")]);
    let says = format!("Revert api\n\n{}\n", trailers_of_revert("api", 1, &[("v2", "v1")]));
    is(vec![commit(2, &says, vec![bump("web", "v2", "v1")]), train()], ChangeKind::Release);
    is(vec![commit(2, &says, vec![bump("api", "v2", "v1")]), train()], ChangeKind::OwnRevert);
}

#[test]
fn what_a_deployment_had_added_may_be_gone() {
    let before = "image:\n  repository: r/x\n  tag: v1\n";
    let after = "image:\n  repository: r/x\n  tag: v2\n  digest: sha256:1111111111111111111111111111111111111111111111111111111111111111\n";
    let says = message_of_revert(1, &[("v2", "v1")]);
    let digest =
        "Backout-From: sha256:1111111111111111111111111111111111111111111111111111111111111111\nBackout-To: ";
    let own = change(2, &with(&says, digest), after, before);
    is(vec![own, change(1, "bump", before, after)], ChangeKind::OwnRevert);
}

#[test]
fn a_file_that_was_moved_since_is_known_by_its_values() {
    let deployed = change(1, "bump", &two("v1", "s1"), &two("v2", "s1"));
    let moved = file("apps/web/production/other.yaml", Some(&two("v2", "s1")), Some(&two("v1", "s1")));
    let says = message_of_revert(1, &[("v2", "v1")]);
    is(vec![commit(2, &says, vec![moved]), deployed], ChangeKind::OwnRevert);
}

const OTHER: &str = "apps/cart/production/values.yaml";

/// A revert of `web`, and of `cart` with it, by one commit. `of_cart` are more trailers of `cart`.
fn of_group(of_cart: &str) -> String {
    let block = |service: &str, more: &str| {
        let own = rollback_id(&environment().name, &ServiceName::new(service).unwrap(), id(1));
        format!(
            "Backout-Id: {own}\nBackout-Service: {service}\nBackout-Environment: production\nBackout-Reverts: {}\n{more}\
             Backout-From: {service}2\nBackout-To: {service}1\n",
            id(1)
        )
    };
    let cart = block("cart", &format!("Backout-Together-With: web\n{of_cart}"));
    format!("Revert web and 1 more\n\n{}\n{cart}", block("web", "Backout-Signal: errors\n"))
}

fn change_both(number: u8, message: &str, web: [&str; 2], cart: [&str; 2]) -> Commit {
    let text = |tag: &str| format!("image:\n  tag: {tag}\n");
    let of = |path: &str, [old, new]: [&str; 2]| file(path, Some(&text(old)), Some(&text(new)));
    commit(number, message, vec![of(PATH, web), of(OTHER, cart)])
}

#[test]
fn each_service_of_a_group_has_gone_back_by_its_own_block() {
    let deployed = || change_both(1, "bump", ["web1", "web2"], ["cart1", "cart2"]);
    let back = |of_cart: &str| change_both(2, &of_group(of_cart), ["web2", "web1"], ["cart2", "cart1"]);
    let (kinds, entries) = newest(vec![back(""), deployed()]);
    assert_eq!(kinds, [ChangeKind::OwnRevert, ChangeKind::OwnRevert]);
    let shown: Vec<_> = entries
        .iter()
        .map(|one| (one.service.as_str(), one.together_with.is_some(), one.bad_values.len(), one.is_of_bad()))
        .collect();
    assert_eq!(shown, [("web", false, 1, true), ("cart", true, 0, false)]);
    // What was bad itself has a signal, and is in quarantine.
    let (_, entries) = newest(vec![back("Backout-Signal: errors\n"), deployed()]);
    assert_eq!((entries[1].bad_values.len(), entries[1].is_of_bad()), (1, true));
}

/// A block proves nothing: a service that did not go back was not reverted, whatever a block says of it.
#[test]
fn a_block_counts_only_for_a_service_that_went_back() {
    let deployed = change_both(1, "bump", ["web1", "web2"], ["cart1", "cart2"]);
    let back = change_both(2, &of_group(""), ["web2", "web1"], ["cart2", "cart3"]);
    let (kinds, entries) = newest(vec![back, deployed]);
    assert_eq!(kinds, [ChangeKind::Release, ChangeKind::OwnRevert], "cart, and web");
    let services: Vec<&str> = entries.iter().map(|one| one.service.as_str()).collect();
    assert_eq!(services, ["web"]);
}
