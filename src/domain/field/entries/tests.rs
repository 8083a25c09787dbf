//! Entries of files of many kinds, and what a commit changed in one of them.

use super::*;

/// More bytes than any entry here has.
const MOST: usize = 1 << 30;

fn changed(pattern: &str, old: &str, new: &str) -> Vec<(String, Option<String>)> {
    let pattern = EntryPattern::new(pattern).unwrap();
    let all = changed_entries(&pattern, &Document::from(old), &Document::from(new), MOST).unwrap();
    let shown = |change: EntryChange| {
        let names: Vec<String> = change.captured.into_iter().map(|(_, text)| text).collect();
        (names.join("/"), change.before.map(|bytes| String::from_utf8(bytes).unwrap()))
    };
    all.into_iter().map(shown).collect()
}

fn one(name: &str, before: &str) -> Vec<(String, Option<String>)> {
    vec![(name.to_owned(), Some(before.to_owned()))]
}

#[test]
fn an_entry_is_taken_back_and_the_others_stay() {
    let file = |cart: &str, web: &str| {
        format!("# all\nimages:\n- name: shop/cart\n  newTag: {cart}\n- name: shop/web\n  newTag: {web}\n")
    };
    let (old, new) = (file("v1", "v1"), file("v2", "v3"));
    for pattern in ["images.{service}", "images[name={service}]", "images[{service}]"] {
        let found = changed(pattern, &old, &new);
        assert_eq!(found.len(), 2, "{pattern}: {found:?}");
        assert_eq!(found[0], ("shop/cart".to_owned(), Some(file("v1", "v3"))), "{pattern}");
        assert_eq!(found[1], ("shop/web".to_owned(), Some(file("v2", "v1"))), "{pattern}");
    }
    assert_eq!(changed("images.shop/{service}", &old, &file("v2", "v1")), one("cart", &file("v1", "v1")));
}

#[test]
fn all_of_an_entry_belongs_to_it() {
    let file = |cart: &str| format!("cart:\n{cart}web:\n  tag: v1\n");
    let (old, new) = (file("  tag: v1\n  host: a\n"), file("  tag: v2\n  host: b\n  mode: x\n"));
    assert_eq!(changed("{service}", &old, &new), one("cart", &old));
}

#[test]
fn entries_on_one_line_go_back_without_the_others() {
    let file = |cart: &str, web: &str| {
        format!("{{\"cart\": {{\"tag\": \"{cart}\"}}, \"web\": {{\"tag\": \"{web}\"}}}}\n")
    };
    let found = changed("{service}", &file("v1", "v1"), &file("v2", "v2"));
    assert_eq!(found[0], ("cart".to_owned(), Some(file("v1", "v2"))));
    assert_eq!(found[1], ("web".to_owned(), Some(file("v2", "v1"))));
    let grown = |cart: &str| {
        format!("{{\"cart\": {{\"tag\": \"{cart}\", \"n\": 1}}, \"web\": {{\"tag\": \"v1\"}}}}\n")
    };
    assert_eq!(changed("{service}", &file("v1", "v1"), &grown("v2")), one("cart", &file("v1", "v1")));
    assert_eq!(changed("{service}", &grown("v1"), &file("v2", "v1")), one("cart", &grown("v1")));
}

#[test]
fn what_closes_or_indents_something_else_stays() {
    let grown = |tag: &str, more: &str| {
        format!(
            "{{\n  \"cart\": {{\n    \"image\": {{\n      \"tag\": \"{tag}\"\n    }}{more}\n  }},\n  \"web\": {{\n    \"tag\": \"v1\"\n  }}\n}}\n"
        )
    };
    let more = ",\n    \"canary\": true";
    let found = changed("{service}", &grown("v1", ""), &grown("v2", more));
    assert_eq!(found, one("cart", &grown("v1", "")));
    let found = changed("{service}", &grown("v1", more), &grown("v2", ""));
    assert_eq!(found, one("cart", &grown("v1", more)));
    let flat = |cart: &str, more: &str| format!("{{\n  \"cart\": \"{cart}\"{more}\n}}\n");
    let more = ",\n  \"web\": \"v1\"";
    let found = changed("{service}", &flat("v1", ""), &flat("v2", more));
    assert_eq!(found[0], ("cart".to_owned(), Some(flat("v1", more))));
    let indented = |tag: &str, by: &str| {
        format!("images:\n{by}- name: cart\n{by}  newTag: {tag}\n{by}- name: web\n{by}  newTag: v1\n")
    };
    let found = changed("images.{service}", &indented("v1", ""), &indented("v2", "  "));
    assert_eq!(found, one("cart", &indented("v1", "  ")));
    let ended = |tag: &str, end: &str| format!("web:\n  tag: v1\ncart:\n  tag: {tag}{end}");
    assert_eq!(changed("{service}", &ended("v1", ""), &ended("v2", "\n")), one("cart", &ended("v1", "\n")));
}

#[test]
fn documents_are_entries_too() {
    let document = |name: &str, tag: &str| {
        format!(
            "kind: Deployment\nmetadata:\n  name: {name}\n  namespace: shop\nspec:\n  image: a/{name}:{tag}\n"
        )
    };
    let file = |cart: &str, web: &str| format!("{}---\n{}", document("cart", cart), document("web", web));
    let more = |web: &str| {
        let service = "kind: Service\nmetadata:\n  name: web\n  namespace: shop\n";
        format!("{}---\n{service}", file("v1", web))
    };
    assert_eq!(changed("*/shop/{service}", &file("v1", "v1"), &more("v2")), one("web", &file("v1", "v1")));
    assert_eq!(changed("*/shop/{service}", &more("v1"), &file("v1", "v2")), one("web", &more("v1")));
    let (old, new) = (file("v1", "v1"), file("v1", "v2"));
    assert_eq!(changed("Deployment/shop/{service}", &old, &new), one("web", &old));
    assert_eq!(changed("*/{namespace}/{service}", &old, &new), one("shop/web", &old));
    assert_eq!(changed("spec.{service}", &old, &new).len(), 1, "documents are passed over");
}

#[test]
fn a_name_is_whole_although_its_address_leaves_out_what_looks_like_a_version() {
    let images = |tag: &str| {
        format!("images:\n- name: shop/auth-v2\n  newTag: {tag}\n- name: shop/web\n  newTag: v1\n")
    };
    let (old, new) = (images("1.4.2"), images("1.5.0"));
    assert_eq!(changed("images.{service}", &old, &new), one("shop/auth-v2", &old));
    assert_eq!(changed("images.shop/{service}", &old, &new), one("auth-v2", &old));
    let names = entry_names(&EntryPattern::new("images.shop/{service}").unwrap(), &Document::from(&*new));
    assert_eq!(names.iter().map(|one| one[0].1.as_str()).collect::<Vec<_>>(), ["auth-v2", "web"]);
    let document = |tag: &str| {
        format!(
            "kind: Deployment\nmetadata:\n  name: auth-v2\n  namespace: shop\nspec:\n  image: a/auth:{tag}\n  name: auth-v3\n"
        )
    };
    let (old, new) = (document("1.4.2"), document("1.5.0"));
    assert_eq!(changed("Deployment/shop/{service}", &old, &new), one("auth-v2", &old));
    assert_eq!(changed("Deployment/{namespace}/{service}: spec", &old, &new), one("shop/auth-v2", &old));
    // What is deployed is the name's version: the name without it is that of both.
    let job = |version: &str| {
        format!("kind: Job\nmetadata:\n  name: migrate-{version}\nspec:\n  image: a/m:{version}\n")
    };
    assert_eq!(changed("Job/{service}", &job("v1.4.2"), &job("v1.5.0"))[0].0, "migrate-*");
}

#[test]
fn elements_of_an_application_set_and_releases_of_a_helmfile() {
    let set = |tag: &str| {
        format!(
            "kind: ApplicationSet\nmetadata: {{name: all}}\nspec:\n  generators:\n  - list:\n      elements:\n      - name: cart\n        tag: {tag}\n      - name: web\n        tag: v1\n"
        )
    };
    let found = changed("spec.generators.list.list.elements.{service}", &set("v1"), &set("v2"));
    assert_eq!(found, one("cart", &set("v1")));
    let helmfile = |version: &str| {
        format!(
            "releases:\n  - name: cart\n    chart: x/cart\n    version: {version}\n  - name: web\n    chart: x/web\n    version: 1.0.0\n"
        )
    };
    assert_eq!(
        changed("releases.{service}", &helmfile("1.2.0"), &helmfile("1.3.0")),
        one("cart", &helmfile("1.2.0"))
    );
}

#[test]
fn what_came_or_went_is_told_without_a_way_back() {
    let found = changed("{service}", "web:\n  tag: v1\n", "web:\n  tag: v1\ncart:\n  tag: v1\n");
    assert_eq!(found, [("cart".to_owned(), None)]);
}

#[test]
fn patterns_that_name_nothing_or_are_broken_are_refused() {
    for broken in ["images", "images.{service", "images.{}", "a..{service}", "{a}.{a}", ""] {
        EntryPattern::new(broken).unwrap_err();
    }
}

/// Four entries, each with a version and perhaps one more key, in one of the ways in which people write them.
fn written(style: usize, entries: &[(u8, bool)]) -> String {
    let names = ["cart", "mail", "search", "web"].iter().zip(entries);
    let json = |more: &str, between: &str, end: &str| {
        let entry = |(name, (tag, has_more)): (&&str, &(u8, bool))| {
            let more = if *has_more { more } else { "" };
            format!("\"{name}\": {{{between}\"image\": {{{between}\"tag\": \"v{tag}\"{end}}}{more}{end}}}")
        };
        let all: Vec<String> = names.clone().map(entry).collect();
        format!("{{{between}{}{end}}}\n", all.join(&format!(",{between}")))
    };
    let lines = |begin: &str, more: &str| {
        let entry = |(name, (tag, has_more)): (&&str, &(u8, bool))| {
            let more = if *has_more { more } else { "" };
            begin.replace("NAME", name).replace("TAG", &format!("v{tag}")) + more
        };
        names.clone().map(entry).collect::<String>()
    };
    match style {
        0 => json(", \"more\": 1", " ", ""),
        1 => json(",\n\"more\": 1", "\n", "\n"),
        2 => lines("NAME:\n  # of NAME\n  image:\n    tag: TAG\n", "  more: 1\n"),
        _ => lines("NAME: {image: {tag: TAG}} # NAME\n", ""),
    }
}

/// How files of many kinds are written: the pattern, what is before and after all services, and what each has. `NAME` is its name, `TAG`
/// its version, and `MORE` stands for what it has besides.
const KINDS: [(&str, [&str; 4]); 13] = [
    ("{service}", ["", "[NAME]\ntag = \"TAG\"\nMORE\n", "more = 1\n", ""]),
    ("apps.{service}", ["top = 1\n[apps]\n", "NAME = \"TAG\"\nMORE", "NAME.more = 1\n", "[end]\nz = 1\n"]),
    ("{service}_*", ["A=1\n", "# of NAME\nNAME_TAG=TAG\nMORE", "NAME_MORE=1\n", "Z=1\n"]),
    ("{service}", ["; all\n", "[NAME]\ntag=TAG\nMORE", "; more\nmore=1\n", ""]),
    ("{service}", ["{{ if .on }}\nx: 1\n{{ end }}\n", "NAME:\n  image: a/NAME:TAG\nMORE", "  more: 1\n", ""]),
    (
        "{service}",
        [
            "{{ $a := 1 }}\n",
            "NAME:\n  image: a/NAME:TAG\nMORE",
            "  {{ if .m }}\n  more: 1\n  {{ end }}\n",
            "",
        ],
    ),
    ("*.{service}", ["locals {\n", "  NAME = {\n    tag = \"TAG\"\nMORE  }\n", "    more = 1\n", "}\n"]),
    ("{service}", ["# all\n", "# of NAME\nNAME:\n  tag: TAG\nMORE", "  more: {}\n", "\n"]),
    (
        "images.{service}",
        ["images:\n", "- name: NAME\n  newTag: TAG\nMORE", "  more: |\n    a: 1\n\n", "end: 1\n"],
    ),
    ("{service}", ["a: &a {x: 1}\n", "NAME:\n  image:\n    tag: TAG\nMORE", "  <<: *a\n", "end: []\n"]),
    (
        "*/{service}",
        [
            "",
            "kind: Deployment\nmetadata:\n  name: NAME\nspec:\n  image: a/NAME:TAG\n---\nMORE",
            "kind: Service\nmetadata:\n  name: NAME\nspec: {}\n---\n",
            "kind: Namespace\nmetadata:\n  name: x\n",
        ],
    ),
    (
        "*.{service}",
        [
            "{\n",
            "  \"i-NAME\": {\"NAME\": \"TAG\"},\nMORE",
            "  \"c-NAME\": {\"NAME\": 1},\n",
            "  \"z\": 1\n}\n",
        ],
    ),
    ("{service}", ["", "NAME: {tag: TAGMORE}\n", ", more: [1, 2]", ""]),
];

/// The services of a file.
const NAMES: [&str; 4] = ["cart", "mail", "search", "web"];

/// What a service has of a file, or nothing.
type Has = Option<(u8, bool)>;

fn file_of(kind: usize, services: &[Has]) -> (String, Vec<String>) {
    let (_, [begin, each, more, end]) = KINDS[kind];
    let part = |(name, has): (&&str, &Has)| {
        let (tag, has_more) = (*has)?;
        let text = each.replace("MORE", if has_more { more } else { "" });
        Some(text.replace("NAME", name).replace("TAG", &format!("v{tag}")))
    };
    let parts: Vec<String> = NAMES.iter().zip(services).map(|one| part(one).unwrap_or_default()).collect();
    (format!("{begin}{}{end}", parts.concat()), parts)
}

#[test]
fn an_entry_goes_back_however_the_file_is_written() {
    let old = "images:\r\n- name: cart\r\n  newTag: v1\r\n- name: web\r\n  newTag: v1\r\n";
    let new =
        "images:\r\n- name: cart\r\n  newTag: v2\r\n  digest: sha256:1f\r\n- name: web\r\n  newTag: v1\r\n";
    assert_eq!(changed("images.{service}", old, new), one("cart", old));
    assert_eq!(changed("images.{service}", new, old), one("cart", new));
    // The line ends are the file's by now.
    let unix = new.replace('\r', "");
    assert_eq!(changed("images.{service}", old, &unix), one("cart", &old.replace('\r', "")));
    let marked = |text: &str| format!("\u{feff}{text}");
    assert_eq!(changed("images.{service}", &marked(old), &marked(new)), one("cart", &marked(old)));
    let wide = |text: &str| -> Vec<u8> {
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
    };
    let document = |text: &str| Document::new(wide(text).into()).unwrap();
    let pattern = EntryPattern::new("images.{service}").unwrap();
    let found = changed_entries(&pattern, &document(old), &document(new), MOST).unwrap();
    assert_eq!(found[0].before, Some(wide(old)));
}

/// Each line of text stands for what it reads as, not for itself: what is beside a value, and what nothing stands on, goes back too.
#[test]
fn an_entry_goes_back_whatever_its_form_was() {
    let flow = |cart: &str, web: &str| format!("{{\"cart\": {{{cart}}}, \"web\": {{{web}}}}}\n");
    let (v1, v2) = (r#""tag": 1"#, r#""tag": 2"#);
    let text = |tag: &str, run: &str| format!("cart:\n  tag: {tag}\n  run: |{run}\nweb: 1\n");
    let twice =
        |tags: [u8; 2]| format!("cart {{\n  tag = {}\n  tag = {}\n}}\n{{{{ x }}}}\n", tags[0], tags[1]);
    for (old, new, back) in [
        (
            "cart: {tag: v1}\nweb: {tag: v1}\n".to_owned(),
            "cart:\n    tag: v2\nweb:\n    tag: v1\n".to_owned(),
            "cart:\n    tag: v1\nweb:\n    tag: v1\n".to_owned(),
        ),
        (flow(v1, v1), flow(&format!("{v2}, \"n\": 1"), v2), flow(v1, v2)),
        (flow(v1, v1), flow(&format!("{v2}, \"n\": {{}}"), v2), flow(v1, v2)),
        (flow(&format!("{v1}, \"n\": []"), v1), flow(v2, v2), flow(&format!("{v1}, \"n\": []"), v2)),
        (text("v1", "\n    a"), text("v2", "+\n    a\n"), text("v1", "\n    a")),
        (text("v1", "+\n    a\n"), text("v2", "\n    a"), text("v1", "+\n    a\n")),
        (
            "cart:\n  a: []\n  tag: v1\nweb: 1\n".to_owned(),
            "cart:\n  tag: v2\nweb: 1\n".to_owned(),
            "cart:\n  a: []\n  tag: v1\nweb: 1\n".to_owned(),
        ),
        (twice([1, 2]), twice([3, 4]), twice([1, 2])),
    ] {
        let found = changed("{service}", &old, &new);
        let cart = found.into_iter().find(|(name, _)| name == "cart" || name == "cart {");
        assert_eq!(cart.and_then(|(_, before)| before), Some(back), "{new}");
    }
}

/// The end of a template's block is that of the service before it, though it reads like any other: the service stays at its place.
#[test]
fn the_end_of_a_block_belongs_to_the_service_before_it() {
    let block = "  {{ if .m }}\n  more: 1\n  {{ end }}\n";
    let service = |name: &str, tag: &str, more: &str| format!("{name}:\n  image: a/{name}:{tag}\n{more}");
    let (mail, web) = (service("mail", "v0", block), service("web", "v0", block));
    let old = format!("{{{{ $a := 1 }}}}\n{mail}{}", service("search", "v0", ""));
    let new = format!("{{{{ $a := 1 }}}}\n{}{web}", service("search", "v1", block));
    let back = format!("{{{{ $a := 1 }}}}\n{}{web}", service("search", "v0", ""));
    let search = changed("{service}", &old, &new).into_iter().find(|(name, _)| name == "search");
    assert_eq!(search.and_then(|(_, before)| before), Some(back));
}

/// A text without empty lines and without a mark before its first document.
fn content(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.first() == Some(&"---") {
        lines.remove(0);
    }
    lines
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1_000))]
    /// All that a commit did to a service goes back, and nothing of what it did to others. Or it is said that it does not: never where
    /// the commit changed one service alone.
    #[test]
    fn all_of_a_service_goes_back_or_a_person_is_told(
        kind in 0..KINDS.len(),
        old in proptest::collection::vec(proptest::option::weighted(0.9, (0..3_u8, proptest::bool::ANY)), 4),
        new in proptest::collection::vec(proptest::option::weighted(0.9, (0..3_u8, proptest::bool::ANY)), 4),
        alone in proptest::option::of(0..4_usize),
    ) {
        let mut new = new;
        if let Some(alone) = alone {
            new = old.iter().zip(&new).enumerate().map(|(at, (was, is))| if at == alone { *is } else { *was }).collect();
        }
        let (pattern, [begin, _, _, end]) = KINDS[kind];
        let pattern = EntryPattern::new(pattern).unwrap();
        let ((before, was), (after, is)) = (file_of(kind, &old), file_of(kind, &new));
        let [before, after] = [&before, &after].map(|text| Document::from(text.as_str()));
        let changes = changed_entries(&pattern, &before, &after, MOST).unwrap();
        for place in (0..4).filter(|place| old[*place].is_some() && new[*place].is_some()) {
            let name = NAMES[place];
            let change = changes.iter().find(|change| change.captured[0].1 == name);
            // Only what is empty may have come or gone unseen.
            let is_seen = old[place].unwrap().0 != new[place].unwrap().0;
            let Some(change) = change else {
                proptest::prop_assert!(!is_seen, "{name}\n{}->\n{}", before.text(), after.text());
                continue;
            };
            let mut parts = is.clone();
            parts[place].clone_from(&was[place]);
            let wanted = format!("{begin}{}{end}", parts.concat());
            let found = String::from_utf8(change.before.clone().unwrap()).unwrap();
            let is_right = content(&found) == content(&wanted) && change.shared.is_empty();
            proptest::prop_assert!(
                is_right || alone.is_none() && !change.shared.is_empty(),
                "{name}\n{}->\n{}=\n{found}", before.text(), after.text()
            );
        }
    }
}

proptest::proptest! {
    #[test]
    fn only_what_a_commit_changed_in_an_entry_goes_back(
        style in 0..4_usize,
        old in proptest::collection::vec((0..3_u8, proptest::bool::ANY), 4),
        new in proptest::collection::vec((0..3_u8, proptest::bool::ANY), 4),
    ) {
        let pattern = EntryPattern::new("{service}").unwrap();
        let [before, after] = [&old, &new].map(|entries| Document::from(&*written(style, entries)));
        let names = |old: &Document, new: &Document| -> Vec<Vec<(String, String)>> {
            changed_entries(&pattern, old, new, MOST).unwrap().into_iter().map(|change| change.captured).collect()
        };
        for change in changed_entries(&pattern, &before, &after, MOST).unwrap() {
            let back = Document::new(change.before.unwrap().into()).unwrap();
            let own = vec![change.captured.clone()];
            let nothing_to_put_back = style < 2 && back.bytes() == after.bytes();
            proptest::prop_assert!(nothing_to_put_back || names(&back, &after) == own);
            let place = ["cart", "mail", "search", "web"].iter().position(|name| *name == change.captured[0].1);
            let (was, is) = (old[place.unwrap()], new[place.unwrap()]);
            let kept = names(&before, &back).contains(&change.captured);
            proptest::prop_assert!(!kept || style < 2 && was.1 != is.1, "{:?}", back.text());
        }
    }

    #[test]
    fn any_text_is_cut_without_harm(
        pattern in "[a-z{}.*/\\[\\]=: é]{0,20}", old in "[a-z:\\- \\n{},\"é]{0,60}", new in "[a-z:\\- \\n{},\"é]{0,60}",
    ) {
        if let Ok(pattern) = EntryPattern::new(&pattern) {
            drop(changed_entries(&pattern, &Document::from(old.as_str()), &Document::from(new.as_str()), MOST));
        }
    }
}
