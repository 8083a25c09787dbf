//! Many services in one file: what is shared out of one comparison is what comparing the file for each of them says.

use super::*;
use crate::domain::field::entries::EntryPattern;
use crate::domain::field::{self, FieldRule, Selection};

/// The rule of files in which each entry is a service.
fn rule(each: &str) -> ServiceRule {
    let files = ServiceFiles::Shared(PathGlobs::new(vec!["all/*".to_owned()]).unwrap());
    ServiceRule { each: Some(EntryPattern::new(each).unwrap()), ..ServiceRule::new(files) }
}

pub(super) fn environment_of(each: &str) -> Environment {
    Environment { services: vec![rule(each)], ..environment() }
}

/// A commit that changes one file with many services.
pub(super) fn change_of(old: &str, new: &str) -> Commit {
    let version = |text: &str| FileVersion {
        blob: BlobId::of_part(text.as_bytes()),
        bytes: Some(Arc::from(text.as_bytes())),
    };
    let path = FilePath::new("all/file.yaml").unwrap();
    let file = FileDiff { path, was: None, old: Some(version(old)), new: Some(version(new)), turned: None };
    commit(7, "Bump them all", vec![file])
}

/// Each service that a commit changes must come out as if its part of the file had been compared alone.
fn assert_shared_out_right(each: &str, old: &str, new: &str) {
    let environment = environment_of(each);
    let (documents, selection) = (Documents::default(), Selection::default());
    let found = services_of(&change_of(old, new).files, &environment, &documents).0;
    for (service, OfService { files, .. }) in found {
        let shared = changes_of(&files, &selection, &documents);
        let alone = changes_of(&files, &selection, &Documents::default());
        assert_eq!(shared, alone, "{service} in\n{old}\n{new}");
    }
}

/// How entries are written: before all of them, each (`@n` its name, `@v` its version, `@m` what else is in it), between two,
/// and after all.
const STYLES: [(&str, [&str; 4]); 10] = [
    ("images.{service}", ["# all\nimages:\n", "- name: shop/@n\n  newTag: @v\n@m", "", "namespace: shop\n"]),
    ("{service}", ["", "@n:\n  # of @n\n  image:\n    tag: \"@v\" # now\n@m", "", ""]),
    ("{service}", ["", "@n: @v\n", "", ""]),
    (
        "apps.{service}",
        ["version: v1\napps:\n", "  @n: {image: \"a/@n:@v\", replicas: 2} # @v\n", "", "x: &b 1\ny: *b\n"],
    ),
    ("{service}", ["{", "\"@n\": {\"tag\": \"@v\"}", ", ", "}\n"]),
    ("{service}", ["{\n", "  \"@n\": {\n    \"tag\": \"@v\"\n  }", ",\n", "\n}\n"]),
    ("releases.{service}", ["releases:\n", "- name: @n\n  chart: x/@n\n  version: @v\n@m", "", "y: 1\n"]),
    (
        "*/shop/{service}",
        [
            "",
            "kind: Deployment\nmetadata:\n  name: @n\n  namespace: shop\nspec:\n  image: a/@n:@v\n@m",
            "---\n",
            "",
        ],
    ),
    ("all.{service}", ["[all]\na = 1\n", "@n = \"@v\"\n", "", ""]),
    (
        "apps.{service}",
        [
            "apps:\n",
            "  @n:\n    repository: shop/@n\n    tag: @v\n    checksum: 4d5e@v6c7a8b9c0d1e2f3a4b5c6d7e8f90\n",
            "",
            "",
        ],
    ),
];

/// What else may be in an entry.
const MORE: [&str; 12] = [
    "",
    "",
    "",
    "  env: &b\n    x: @v\n    y: *b\n",
    "  env: &b\n    y: *b\n    x: @v\n",
    "  at: '*/5 * * * *'\n  env:\n    x: @v\n  env2:\n    y: \"\"\n",
    "  more: 1\n",
    "  more: 2\n",
    "  # a comment\n",
    "  more: &a x\n",
    "  text: |\n    a: @v\n",
    "  none:\n  # of @n\n",
];

fn written(style: usize, entries: &[(usize, usize, usize)]) -> String {
    let (_, [begin, each, between, end]) = STYLES[style];
    let names = ["cart", "mail", "search", "auth-v2", "auth-v3", "web"];
    let versions = ["v1.4.2", "v1.5.0", "", "v1.4.2", "1", "@sha256:1f"];
    let entry = |(name, version, more): &(usize, usize, usize)| {
        let text = each.replace("@m", MORE[*more]).replace("@n", names[*name]);
        text.replace("@v", versions[*version])
    };
    let all: Vec<String> = entries.iter().map(entry).collect();
    format!("{begin}{}{end}", all.join(between))
}

proptest::proptest! {
    #[test]
    fn what_is_shared_out_is_what_comparing_alone_says(
        style in 0..STYLES.len(),
        old in proptest::collection::vec((0..6_usize, 0..6_usize, 0..MORE.len()), 1..6),
        bumps in proptest::collection::vec((0..6_usize, 0..6_usize, 0..MORE.len(), 0..4_u8), 6),
    ) {
        // Most entries keep their place and name, as they do where people bump versions.
        let new: Vec<(usize, usize, usize)> = old
            .iter()
            .zip(&bumps)
            .filter_map(|(was, (name, version, more, kind))| match kind {
                0 => Some((was.0, *version, was.2)),
                1 => Some((was.0, *version, *more)),
                2 => Some(*was),
                _ => (*name > 1).then_some((*name, *version, *more)),
            })
            .collect();
        assert_shared_out_right(STYLES[style].0, &written(style, &old), &written(style, &new));
    }
}

/// How many services a file has: with each the file would be read once more.
const COUNT: usize = 40;

#[test]
fn a_file_is_read_once_for_all_of_its_services() {
    for (each, [begin, entry, between, end]) in STYLES {
        let file = |version: &str| {
            let entry = |number: usize| {
                let text = entry.replace("@m", "").replace("@n", &format!("svc-{number}"));
                text.replace("@v", version)
            };
            format!("{begin}{}{end}", (0..COUNT).map(entry).collect::<Vec<_>>().join(between))
        };
        let (old, new) = (file("v1.4.2"), file("v1.5.0"));
        let documents = Documents::default();
        let found = deployments_of(&change_of(&old, &new), &environment_of(each), &documents);
        assert_eq!(found.len(), COUNT, "{each}: {begin}{entry}");
        // What is no YAML is compared part by part.
        let is_yaml = !begin.starts_with("[all]");
        assert_eq!(documents.count() == 2, is_yaml, "{each}: {begin}{entry}");
    }
}

/// One value that several services take by a name: each of them was deployed, and none goes back with another.
#[test]
fn a_value_that_services_share_by_a_name_is_of_each() {
    let text = |tag: &str| {
        format!("x: &v {tag}\nall:\n  web:\n    tag: *v\n  api:\n    tag: *v\n  cart:\n    tag: v1\n")
    };
    let (old, new) = (text("v1"), text("v2"));
    let found =
        deployments_of(&change_of(&old, &new), &environment_of("all.{service}"), &Documents::default());
    let services: Vec<&str> = found.iter().map(|one| one.service.as_str()).collect();
    assert_eq!(services, ["api", "web"]);
    let field = &found[1].fields[0];
    assert_eq!((field.address.as_str(), field.old.as_str()), ("all.web.tag", "v1"));
    let put = |one: &Deployment, bytes: &str| {
        let file = &one.files[0];
        let bytes_of = |version: &Option<FileVersion>| version.as_ref().unwrap().bytes.clone().unwrap();
        let subject = field::File { path: "all/file.yaml", fields: &Selection::default() };
        let (old, new) = (bytes_of(&file.old), bytes_of(&file.new));
        field::revert(&subject, &old, &new, bytes.as_bytes())
            .map(|done| String::from_utf8(done.bytes).unwrap())
    };
    assert_eq!(put(&found[1], &new).unwrap(), new.replace("web:\n    tag: *v", "web:\n    tag: v1"));

    // One of them gives it, and goes back alone: the other keeps what it has.
    let text = |tag: &str| format!("all:\n  web:\n    tag: &v {tag}\n  api:\n    tag: *v\n");
    let (old, new) = (text("v1"), text("v2"));
    let found =
        deployments_of(&change_of(&old, &new), &environment_of("all.{service}"), &Documents::default());
    let services: Vec<&str> = found.iter().map(|one| one.service.as_str()).collect();
    assert_eq!(services, ["api", "web"]);
    assert_eq!(put(&found[0], &new).unwrap(), new.replace("tag: *v", "tag: v1"));
    let shown: Vec<_> = found[1].fields.iter().map(|field| field.address.as_str()).collect();
    assert_eq!(shown, ["all.web.tag"]);
    assert_eq!(put(&found[1], &new).unwrap(), old.replace("*v", "v2"));
}

/// What comes with a whole mapping cannot be written out for one of them: each is deployed by it, and a person puts it back.
#[test]
fn a_mapping_that_services_share_is_for_a_person() {
    let of = |each: &str, old: &str, new: &str| {
        let found = deployments_of(&change_of(old, new), &environment_of(each), &Documents::default());
        let told = |one: &Deployment| {
            let by_hand = one.fields.iter().filter(|field| field.rule == FieldRule::ByHand);
            format!(
                "{}: {}",
                one.service,
                by_hand.map(|field| field.address.as_str()).collect::<Vec<_>>().join(", ")
            )
        };
        found.iter().map(told).collect::<Vec<_>>()
    };
    let shared = "(shared by a YAML anchor)";
    for (text, each, told) in [
        (
            "x: &d\n  image: {repository: r/w, tag: @}\nall:\n  cart:\n    <<: *d\n  web:\n    <<: *d\n",
            "all.{service}",
            vec![format!("cart: all.cart.image.tag {shared}"), format!("web: all.web.image.tag {shared}")],
        ),
        (
            "cart:\n  image: &i {tag: @}\nweb:\n  image: *i\n",
            "{service}",
            vec![format!("cart: web.image.tag {shared}"), format!("web: web.image.tag {shared}")],
        ),
        (
            "cart:\n  tag: &v !!str @\nweb:\n  tag: *v\n",
            "{service}",
            vec![format!("cart: web.tag {shared}"), format!("web: web.tag {shared}")],
        ),
        (
            "x: &d\n  tag: @\nall:\n  cart:\n    <<: *d\n    tag: v7\n  web:\n    <<: *d\n",
            "all.{service}",
            vec![format!("web: all.web.tag {shared}")],
        ),
        // What only one of them has by it no longer.
        (
            "x: &v @\ncart:\n  tag: *v\nweb:\n  r: x\n  tag: *v\n  z: 1\n",
            "{service}",
            vec!["cart: ".to_owned(), "web: ".to_owned(), "x: ".to_owned()],
        ),
        ("x: &d\n  port: @\nall:\n  cart:\n    <<: *d\n  web:\n    <<: *d\n", "all.{service}", vec![]),
    ] {
        assert_eq!(of(each, &text.replace('@', "v1"), &text.replace('@', "v2")), told, "{text}");
    }
}

/// What a revert writes out for another service deploys nothing there.
#[test]
fn a_value_that_is_written_out_deploys_nothing() {
    let before = "cart:\n  tag: &v v2\nweb:\n  tag: *v\n";
    for after in ["cart:\n  tag: &v v1\nweb:\n  tag: v2\n", "cart:\n  tag: v1\nweb:\n  tag: \"v2\"\n"] {
        let found =
            deployments_of(&change_of(before, after), &environment_of("{service}"), &Documents::default());
        let services: Vec<&str> = found.iter().map(|one| one.service.as_str()).collect();
        assert_eq!(services, ["cart"], "{after}");
    }
}

/// Written out, a value reads as the same wherever it stands.
#[test]
fn what_is_written_out_for_another_reads_the_same() {
    for value in ["r/x:v@,a", "'1.3@'", "\"v@ b\"", "v@ # no", "https://x/v@?a={b}"] {
        let text = |number: u32| {
            format!(
                "cart:\n  image: &v {}\nweb: {{image: *v, z: 1}}\n",
                value.replace('@', &number.to_string())
            )
        };
        let (old, new) = (text(1), text(2));
        let found =
            deployments_of(&change_of(&old, &new), &environment_of("{service}"), &Documents::default());
        let web = |text: &str| {
            let leaves = field::leaves::yaml::leaves(text).unwrap();
            leaves.iter().find(|leaf| leaf.address == "web.image").map(|leaf| leaf.value.clone())
        };
        for one in found.iter().filter(|one| one.service.as_str() == "cart") {
            let bytes_of = |version: &Option<FileVersion>| version.as_ref().unwrap().bytes.clone().unwrap();
            let (was, is) = (bytes_of(&one.files[0].old), bytes_of(&one.files[0].new));
            let subject = field::File { path: "all/file.yaml", fields: &Selection::default() };
            let Ok(put) = field::revert(&subject, &was, &is, new.as_bytes()) else { continue };
            let put = String::from_utf8(put.bytes).unwrap();
            assert_eq!(web(&put), web(&new), "{put}");
        }
    }
}

/// The alias went, and its anchor moved on with the same commit: what it brought comes back, and not what it would bring now.
#[test]
fn an_alias_that_went_comes_back_as_its_value_where_its_anchor_moved_on() {
    let (old, new) = (
        "x: &v v1\ncart:\n  tag: *v\nweb:\n  r: x\n  tag: *v\n  z: 1\n",
        "x: &v v2\ncart:\n  tag: *v\nweb:\n  r: x\n  z: 1\n",
    );
    let found = deployments_of(&change_of(old, new), &environment_of("{service}"), &Documents::default());
    let web = found.iter().find(|one| one.service.as_str() == "web").unwrap();
    assert!(web.fields.iter().all(|field| field.rule != FieldRule::ByHand), "{:?}", web.fields);
    let was = web.files[0].old.as_ref().unwrap().bytes.clone().unwrap();
    assert_eq!(&*was, new.replace("  r: x\n", "  r: x\n  tag: v1\n").as_bytes());
}

/// Nothing and numbers stay what they are where they are written out.
#[test]
fn what_is_written_out_keeps_its_type() {
    for value in ["~", "-2", "+2", ".7", "true", "1.30"] {
        let text =
            |number: &str, of: &str| format!("cart:\n  tag: &v {of}\n  n: {number}\nweb:\n  tag: *v\n");
        let (old, new) = (text("1", "v1"), text("1", value));
        let found =
            deployments_of(&change_of(&old, &new), &environment_of("{service}"), &Documents::default());
        let cart = found.iter().find(|one| one.service.as_str() == "cart").unwrap();
        let was = cart.files[0].old.as_ref().unwrap().bytes.clone().unwrap();
        let was = String::from_utf8(was.to_vec()).unwrap();
        assert!(was.ends_with(&format!("web:\n  tag: {value}\n")), "{was}");
    }
}

/// Where one service alone takes a value by its name, that goes back where it stands, and the service follows it still.
#[test]
fn a_value_that_one_service_takes_by_a_name_goes_back_where_it_stands() {
    let text = |tag: &str| format!("x: &v {tag}\nall:\n  web:\n    tag: *v\n  cart:\n    tag: v1\n");
    let (old, new) = (text("v1"), text("v2"));
    let found =
        deployments_of(&change_of(&old, &new), &environment_of("all.{service}"), &Documents::default());
    let told: Vec<_> =
        found.iter().map(|one| (one.service.as_str(), one.fields[0].address.as_str())).collect();
    assert_eq!(told, [("web", "x")]);
    let bytes_of = |version: &Option<FileVersion>| version.as_ref().unwrap().bytes.clone().unwrap();
    let (was, is) = (bytes_of(&found[0].files[0].old), bytes_of(&found[0].files[0].new));
    let subject = field::File { path: "all/file.yaml", fields: &Selection::default() };
    let put = field::revert(&subject, &was, &is, new.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(put.bytes).unwrap(), old);
}

/// A name that thousands of services take is looked for once.
#[test]
fn many_services_that_share_a_name_are_told_apart_quickly() {
    let text = |tag: &str| {
        let services = (0..3_000).map(|n| format!("  s{n}:\n    tag: *v\n    replicas: {n}\n    port: 80\n"));
        format!("x: &v {tag}\nall:\n{}", services.collect::<String>())
    };
    let pattern = EntryPattern::new("all.{service}").unwrap();
    let (old, new) = (field::Document::from(text("v1").as_str()), field::Document::from(text("v2").as_str()));
    // A version of the file for each is more than is made.
    let found = field::entries::changed_entries(&pattern, &old, &new, 1 << 20);
    assert_eq!(found, None);
}

/// Nothing but its own text changed: another alias takes the place of the one before, and goes back as that.
#[test]
fn another_alias_in_one_service_goes_back_as_it_was() {
    for (before, after) in
        [("tag: *a", "tag: *b"), ("<<: *m", "<<: *n"), ("tag: v1", "tag: *b"), ("tag: *a", "tag: v9")]
    {
        let text = |web: &str| {
            format!(
                "a: &a v1\nb: &b v2\nm: &m {{tag: v1}}\nn: &n {{tag: v2}}\nall:\n  web:\n    {web}\n    p: 1\n  cart:\n    tag: *a\n  shop:\n    <<: *m\n"
            )
        };
        let (old, new) = (text(before), text(after));
        let found =
            deployments_of(&change_of(&old, &new), &environment_of("all.{service}"), &Documents::default());
        let services: Vec<&str> = found.iter().map(|one| one.service.as_str()).collect();
        assert_eq!(services, ["web"], "{before} -> {after}");
        assert!(found[0].fields.iter().all(|field| field.rule != FieldRule::ByHand), "{:?}", found[0].fields);
        let bytes_of = |version: &Option<FileVersion>| version.as_ref().unwrap().bytes.clone().unwrap();
        let (was, is) = (bytes_of(&found[0].files[0].old), bytes_of(&found[0].files[0].new));
        let subject = field::File { path: "all/file.yaml", fields: &Selection::default() };
        let put = field::revert(&subject, &was, &is, new.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(put.bytes).unwrap(), old, "{before} -> {after}");
    }
}
