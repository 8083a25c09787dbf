//! What has happened to a file since the deployment, and what of it is in the way.

use super::*;

/// Items of a list are known by what names them, whatever key that stands under.
#[test]
fn items_are_known_by_names_under_many_keys() {
    let keys =
        ["display_name", "displayName", "title", "service", "app", "component", "module", "host", "slug"];
    for key in keys {
        let item = |name: &str, version: &str| format!("- {key}: {name}\n  version: {version}\n");
        let (web, bad) = (item("web", "1.0.0"), item("web", "1.1.0"));
        let parent = format!("items:\n{}{web}", item("api", "1.1.0"));
        let deployed = format!("items:\n{}{bad}", item("api", "1.1.0"));
        let current = format!("items:\n{}{bad}{}", item("shop", "1.1.0"), item("api", "1.1.0"));
        let expected = format!("items:\n{}{web}{}", item("shop", "1.1.0"), item("api", "1.1.0"));
        assert_eq!(reverted(&parent, &deployed, &current), expected, "{key}");
    }
}

/// Where the copies of data go is not where an image comes from: it may change without being in the way.
#[test]
fn the_repository_of_a_backup_is_no_source() {
    for (block, old, new) in [
        ("backup", "s3:s3.example.com/a", "s3:s3.example.com/b"),
        ("restic", "shop-secret-a", "shop-secret-b"),
        ("volsync", "rest:https://r.example.com/a", "rest:https://r.example.com/b"),
        ("backups", "shop-a", "shop-b"),
        ("store", "/srv/a", "/srv/b"),
        ("snapshots", "repo-a", "repo-b"),
    ] {
        let text =
            |repository: &str, tag: &str| format!("{block}:\n  repository: {repository}\n  tag: {tag}\n");
        assert_eq!(
            reverted(&text(old, "v1"), &text(old, "v2"), &text(new, "v2")),
            text(new, "v1"),
            "{block}"
        );
        let around = |repository: &str, tag: &str| {
            format!("{block}:\n  repository: {repository}\n  image:\n    tag: {tag}\n")
        };
        assert_eq!(
            reverted(&around(old, "v1"), &around(old, "v2"), &around(new, "v2")),
            around(new, "v1"),
            "{block}"
        );
    }
    // Of an image it is.
    for (block, old, new) in
        [("image", "shop/web", "shop/api"), ("restic", "restic/restic", "shop/restic-next")]
    {
        let text =
            |repository: &str, tag: &str| format!("{block}:\n  repository: {repository}\n  tag: {tag}\n");
        let [parent, bad, current] = [text(old, "v1"), text(old, "v2"), text(new, "v2")];
        assert!(revert(parent.as_bytes(), bad.as_bytes(), current.as_bytes()).is_err(), "{block}");
    }
}
