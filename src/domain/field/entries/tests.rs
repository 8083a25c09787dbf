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
    assert_eq!(changed("*/shop/{service}", &file("v1", "v1"), &more("v2")), one("web", &more("v1")));
    assert_eq!(changed("*/shop/{service}", &more("v1"), &file("v1", "v2")), one("web", &file("v1", "v1")));
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
