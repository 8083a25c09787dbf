//! Services that share a file: each goes back with the text that it had, and the others stay.

use super::entries::{change_of, environment_of};
use super::whole::planned;
use super::*;
use crate::domain::environment::policy::Mixed;
use crate::domain::history::snapshot::Content;

/// What becomes of a file where its service `shop` is reverted, or why it is for a person. None where nothing was deployed.
fn shop_reverted(
    (each, mixed): (&str, Mixed),
    before: &str,
    after: &str,
    now: &str,
) -> Option<Result<String, String>> {
    let mut environment = environment_of(each);
    environment.services[0].policy.mixed = mixed;
    let found = deployments_of(&change_of(before, after), &environment, &Documents::default());
    let shop = found.iter().find(|one| one.service.as_str() == "shop")?;
    let path = FilePath::new("all/file.yaml").unwrap();
    let content = Content::from(now.as_bytes().to_vec());
    let mut files = BTreeMap::from([(path.clone(), Some(content))]);
    let put = planned(&environment, shop, &files).and_then(|change| {
        // With doubts it is for a person.
        if !change.doubts.is_empty() {
            return Err(change.doubts.join("; "));
        }
        files.extend(change.files);
        Ok(String::from_utf8(files[&path].clone().unwrap().bytes().unwrap().to_vec()).unwrap())
    });
    Some(put)
}

/// The one service goes back to its text; where only fields go back it reads as before, or is for a person.
#[track_caller]
fn goes_back(what: &str, each: &str, before: &str, after: &str) {
    let whole = shop_reverted((each, Mixed::Deployment), before, after, after);
    assert_eq!(whole, Some(Ok(before.to_owned())), "{what}");
    let fields = shop_reverted((each, Mixed::Fields), before, after, after);
    let said = |text: &str| -> BTreeSet<(String, String)> {
        let leaves = field::leaves::yaml::leaves(text).unwrap();
        leaves.into_iter().map(|leaf| (leaf.address, leaf.value)).collect()
    };
    let Some(fields) = fields else { panic!("{what}: nothing deployed") };
    assert!(fields.as_ref().map_or(true, |text| said(text) == said(before)), "{what}: {fields:?}");
}

/// A value over what a merge brings came, went, or took the place of what brought it.
#[test]
fn what_stands_over_a_merge_goes_back_to_the_text_before() {
    let compose = |shop: &str| {
        format!(
            "x-app: &app\n  image: r/app:v1\n  restart: always\nservices:\n  shop:\n{shop}  other:\n    <<: *app\n"
        )
    };
    let values = |shop: &str| {
        format!(
            "img: &img {{repository: r/s, tag: v1, pull: x}}\na: &a\n  tag: v1\n  pull: x\none: &one {{tag: v1}}\nservices:\n{shop}  other:\n    tag: v1\n    p: 1\n"
        )
    };
    for (before, after) in [
        ("    <<: *app\n    ports: [1]\n", "    <<: *app\n    image: r/app:v2\n    ports: [1]\n"),
        ("    <<: *app\n    ports: [1]\n", "    image: r/app:v2\n    <<: *app\n    ports: [1]\n"),
        ("    <<: *app\n    ports: [1]\n", "    <<: *app\n    ports: [1]\n    image: r/app:v2\n"),
        ("    <<: *app\n    image: r/app:v2\n    ports: [1]\n", "    <<: *app\n    ports: [1]\n"),
        ("    <<: *app\n", "    <<: *app\n    image: r/app:v2\n"),
    ] {
        goes_back("compose", "services.{service}", &compose(before), &compose(after));
    }
    for (before, after) in [
        ("  shop: {<<: *a, q: 1}\n", "  shop: {<<: *a, tag: v2, q: 1}\n"),
        ("  shop: {<<: *a, tag: v2, q: 1}\n", "  shop: {<<: *a, q: 1}\n"),
        ("  shop:\n    image: *img\n", "  shop:\n    image: {<<: *img, tag: v2}\n"),
        ("  shop:\n    image: *img\n", "  shop:\n    image: {tag: v2}\n"),
        (
            "  shop:\n    image: *img\n    p: 1\n",
            "  shop:\n    image:\n      <<: *img\n      tag: v2\n    p: 1\n",
        ),
        ("  shop:\n    <<: *a\n", "  shop:\n    tag: v9\n    pull: x\n"),
        ("  shop:\n    <<: *a\n", "  shop:\n    tag: v9\n"),
        ("  shop:\n    <<: *one\n", "  shop:\n    <<: *one\n    tag: v2\n"),
        ("  shop:\n    <<: *one\n    q: 1\n", "  shop:\n    <<: *one\n    tag: v2\n    q: 1\n"),
        ("  shop: *a\n", "  shop:\n    <<: *a\n    tag: v2\n"),
    ] {
        goes_back("values", "services.{service}", &values(before), &values(after));
    }
    let helmfile = |shop: &str| {
        format!(
            "templates:\n  d: &d\n    version: 1.0.0\n    wait: true\nreleases:\n- name: shop\n  <<: *d\n{shop}- name: other\n  <<: *d\n"
        )
    };
    goes_back("helmfile", "releases.{service}", &helmfile(""), &helmfile("  version: 1.1.0\n"));
    goes_back("helmfile", "releases.{service}", &helmfile("  version: 1.1.0\n"), &helmfile(""));
    goes_back(
        "helmfile",
        "releases.{service}",
        &helmfile("  q: 1\n"),
        &helmfile("  version: 1.1.0\n  q: 1\n"),
    );
}

/// A merge of another mapping, of which some say the same as the one before.
#[test]
fn another_merge_goes_back() {
    let text = |shop: &str| {
        format!(
            "va: &va v1.0.0\na: &a\n  tag: v1.1.0\n  pull: x\nb: &b\n  tag: v2.1.0\n  pull: x\n{shop}zother:\n  tag: v5.0.0\n"
        )
    };
    for (before, after) in [
        ("shop:\n  <<: *a\n", "shop:\n  <<: *b\n"),
        ("shop:\n  <<: *a\n  replicas: 1\n", "shop:\n  <<: *b\n  replicas: 1\n"),
        ("shop: {<<: *a}\n", "shop: {<<: *b}\n"),
        ("shop: *a\n", "shop: *b\n"),
        ("shop:\n  tag: *va\n", "shop:\n  <<: *b\n"),
        ("shop:\n  tag: v1.0.0\n", "shop:\n  <<: *b\n"),
        ("shop:\n  <<: [*a]\n", "shop:\n  <<: [*b, *a]\n"),
    ] {
        goes_back(after, "{service}", &text(before), &text(after));
    }
}

/// A block that came, went, or has become a value or nothing.
#[test]
fn what_came_or_went_within_a_service_goes_back() {
    let text = |shop: &str| format!("{shop}zother:\n  image: {{}}\n  images: []\n  replicas: 1\n");
    let images = "  images:\n  - name: shop\n    newTag: v1.1.0\n";
    let beside = format!("shop:\n{images}  replicas: 1\n");
    for (one, other) in [
        ("shop:\n  image: {tag: v1.0.0}\n  replicas: 1\n", "shop:\n  image: {}\n  replicas: 1\n"),
        ("shop:\n  image:\n    tag: v1.0.0\n  replicas: 1\n", "shop:\n  image: {}\n  replicas: 1\n"),
        ("shop:\n  image:\n    tag: v1.0.0\n  replicas: 1\n", "shop:\n  image:\n  replicas: 1\n"),
        ("shop:\n  r: 1\n  image: {tag: v1.0.0}\n", "shop:\n  r: 1\n  image: {}\n"),
        ("shop: {image: {tag: v1.0.0}, r: 1}\n", "shop: {image: {}, r: 1}\n"),
        ("shop:\n  image: r/s:v1\n  r: 1\n", "shop:\n  image:\n    repository: r/s\n    tag: v2\n  r: 1\n"),
        ("shop:\n  image: r/s:v1\n", "shop:\n  image: {repository: r/s, tag: v2}\n"),
        (&beside, "shop:\n  images:\n  replicas: 1\n"),
        (&beside, "shop:\n  images: []\n  replicas: 1\n"),
        (&beside, "shop:\n  replicas: 1\n"),
        ("shop:\n  tag: v2\n", "shop:\n"),
        ("shop:\n  tag: v2\n", "shop: ~\n"),
        ("shop:\n  image:\n    tag: v2\n", "shop:\n"),
    ] {
        goes_back(other, "{service}", &text(one), &text(other));
        goes_back(one, "{service}", &text(other), &text(one));
    }
}

/// The entries of a text that is a value itself: what came or went there goes back, or is for a person, and no line is lost.
#[test]
fn a_service_within_a_text_goes_back_or_is_for_a_person() {
    let text = |shop: &str| format!("data:\n  v.yaml: |\n    shop:\n{shop}    zother:\n      tag: v5\n");
    for (one, other) in [
        ("      image: {}\n      r: 1\n", "      image: {tag: v2}\n      r: 1\n"),
        ("      r: 1\n      image: {}\n", "      r: 1\n      image:\n        tag: v2\n"),
        ("      image:\n      r: 1\n", "      image:\n        tag: v2\n      r: 1\n"),
        ("      image: r/s:v1\n", "      image:\n        repository: r/s\n        tag: v2\n"),
        ("      r: 1\n", "      r: 1\n      images:\n      - name: shop\n        newTag: v2\n"),
        ("      tag: v1\n      r: 1\n", "      tag: v2\n      r: 1\n"),
    ] {
        for (before, after) in [(text(one), text(other)), (text(other), text(one))] {
            let put = shop_reverted(("data[v.yaml].{service}", Mixed::Deployment), &before, &after, &after);
            let is_right = match &put {
                Some(Ok(text)) => *text == before,
                Some(Err(why)) => why.contains("by hand"),
                None => false,
            };
            assert!(is_right, "{before}---\n{after}---\n{put:?}");
        }
    }
}

/// What a merge brought before it moved on with the same commit is put back as it was, or is for a person: never left out.
#[test]
fn what_a_merge_brought_is_not_left_out_where_it_moved_on() {
    let text = |tag: &str, shop: &str| {
        format!("ma: &ma\n  tag: {tag}\n  pull: x\nshop:\n{shop}zother:\n  tag: v5.0.0\n")
    };
    for (before, after) in [
        ("  <<: *ma\n", "  tag: 'v9.5.0'\n"),
        ("  <<: *ma\n  r: 1\n", "  tag: 'v9.5.0'\n  r: 1\n"),
        ("  <<: *ma\n", "  tag: v9.5.0\n  pull: y\n"),
        ("  image: *ma\n", "  image: {tag: v9.5.0}\n"),
    ] {
        let (before, after) = (text("v2.0.0", before), text("v3.0.0", after));
        let put = shop_reverted(("{service}", Mixed::Deployment), &before, &after, &after);
        assert!(matches!(&put, Some(Err(why)) if why.contains("by hand")), "{after}{put:?}");
    }
}

/// The versions that a file holds, by their addresses.
fn versions(text: &str) -> BTreeSet<(String, String)> {
    let leaves = field::leaves::yaml::leaves(text).unwrap().into_iter();
    let leaves = leaves.filter(|leaf| ["tag", "newTag", "image"].contains(&leaf.key.as_str()));
    leaves.map(|leaf| (leaf.address, leaf.value)).collect()
}

/// What a later commit changed stays: the service goes back beside it, or is for a person, and is never passed over.
#[test]
fn a_later_change_stays_beside_a_service_that_goes_back() {
    let text = |shop: &str| {
        format!(
            "va: &va v1.0.0\na: &a\n  tag: v1.1.0\n  pull: x\nb: &b\n  tag: v2.1.0\n  pull: x\nshop:\n{shop}  replicas: 1\nzother:\n  tag: v5.0.0\n"
        )
    };
    for (before, after) in [
        ("  <<: *a\n", "  <<: *a\n  tag: v2.0.0\n"),
        ("  <<: *a\n", "  <<: *b\n"),
        ("  <<: *a\n", "  tag: *va\n"),
        ("  tag: *va\n", "  <<: *b\n"),
        ("  image: {}\n", "  image: {tag: v2.0.0}\n"),
        ("  image: r/s:v1.0.0\n", "  image:\n    repository: r/s\n    tag: v2.0.0\n"),
        ("  images: []\n", "  images:\n  - name: shop\n    newTag: v2.0.0\n"),
    ] {
        let since: [fn(&str) -> String; 3] = [
            |text| text.replace("v5.0.0", "v6.0.0"),
            |text| text.replace("&va ", "&vx ").replace("*va\n", "*vx\n"),
            |text| text.replace("replicas: 1", "replicas: 2"),
        ];
        for change in since {
            for mixed in [Mixed::Deployment, Mixed::Fields] {
                let (was, is) = (text(before), text(after));
                let put = shop_reverted(("{service}", mixed), &was, &is, &change(&is));
                let Some(put) = put else { panic!("{after}: nothing deployed") };
                let wanted = change(&was);
                let is_back = put.as_ref().map_or(true, |put| match mixed {
                    Mixed::Deployment | Mixed::Manual => *put == wanted,
                    Mixed::Fields => versions(put) == versions(&wanted),
                });
                assert!(is_back, "{before}{after}{mixed:?}: {put:?}");
            }
        }
    }
}

/// A service that is empty as a whole runs with what its chart says by itself.
#[test]
fn what_was_empty_as_a_whole_goes_back() {
    let block = |shop: &str| format!("services:\n  api:\n    tag: v1\n{shop}  zother: {{}}\n");
    let flow = |shop: &str| format!("services: {{api: {{tag: v1}}, shop: {shop}, zother: {{}}}}\n");
    let json = |shop: &str| format!("{{\"services\": {{\"shop\": {shop}, \"zother\": {{}}}}}}\n");
    for (empty, full) in [
        (block("  shop: {}\n"), block("  shop:\n    image:\n      tag: v2\n")),
        (block("  shop: {} # as usual\n"), block("  shop:\n    tag: v2\n    replicas: 2\n")),
        (block("  shop: {}\n"), block("  shop: {tag: v2}\n")),
        (flow("{}"), flow("{tag: v2}")),
        (json("{}"), json("{\"image\": {\"tag\": \"v2\"}}")),
    ] {
        goes_back("came", "services.{service}", &empty, &full);
        goes_back("went", "services.{service}", &full, &empty);
    }
    // One that is new or gone is no deployment, nor is one that stays empty.
    let full = block("  shop:\n    tag: v2\n");
    for (before, after) in [
        (block(""), full.clone()),
        (full, block("")),
        (block("  shop: {}\n"), block("  shop: {}\n").replace("v1", "v2")),
        (block("  shop: {}\n"), block("  shop: {} # still\n")),
    ] {
        for mixed in [Mixed::Deployment, Mixed::Fields] {
            let put = shop_reverted(("services.{service}", mixed), &before, &after, &after);
            assert_eq!(put, None, "{before} {after}");
        }
    }
}
