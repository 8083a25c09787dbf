//! One repository or several, with their forges and environments.

use super::*;

const SEVERAL: &str = r#"repositories:
  shop: {url: https://git.example.com/shop/environments.git, auth: {kind: forge}, forge: code}
  media: {url: "git@git.example.com:media/environments.git", forge: code}
  tools: {url: /srv/tools.git}
forges:
  code: {kind: gitea, auth: {kind: token, token: {env: GIT_TOKEN}}, labels: [revert]}
environments:
  shop-production: {repository: shop, branch: main, delivery: pull-request}
  shop-staging: {repository: shop, branch: staging}
  media: {repository: media, branch: main}
  tools: {repository: tools, branch: main}
metrics:
  prom: {kind: prometheus, url: http://prometheus:9090}
signals:
  errors: {query: 'errors{app="{{ service }}"}', kind: error-ratio}
services:
  - {pattern: "apps/{service}/**"}
"#;

/// The mistakes in `SEVERAL` with `from` replaced by `to`.
fn mistakes_in_several(from: &str, to: &str) -> String {
    assert!(SEVERAL.contains(from), "{from} is not in the text");
    load_texts(&[&SEVERAL.replacen(from, to, 1)]).unwrap_err().to_string()
}

#[test]
fn several_repositories_have_their_own_forges_and_environments() {
    let settings = load_texts(&[SEVERAL]).unwrap_or_else(|errors| panic!("{errors}"));
    let names: Vec<&str> = settings.estates.iter().map(|estate| estate.name.as_str()).collect();
    assert_eq!(names, ["media", "shop", "tools"]);
    let [media, shop, tools] = settings.estates.as_slice() else { panic!("three repositories") };
    let environments = |estate: &EstateSettings| -> Vec<String> {
        estate.environments.iter().map(|environment| environment.name.to_string()).collect()
    };
    assert_eq!(environments(media), ["media"], "the same branch in another repository is no overlap");
    assert_eq!(environments(shop), ["shop-production", "shop-staging"]);
    assert_eq!(environments(tools), ["tools"]);
    assert!(!media.git_by_forge && shop.git_by_forge && !tools.git_by_forge);
    assert!(tools.forge.is_none());
    for (estate, path) in [(media, "media/environments"), (shop, "shop/environments")] {
        let forge = estate.forge.as_ref().unwrap();
        assert_eq!(forge.repository, path);
        assert_eq!(forge.api.as_str(), "https://git.example.com/api/v1");
        assert_eq!(forge.labels, ["revert"]);
    }
}

#[test]
fn one_repository_needs_no_name_in_its_environments() {
    let settings = load_texts(&[VALID]).unwrap_or_else(|errors| panic!("{errors}"));
    let [estate] = settings.estates.as_slice() else { panic!("one repository") };
    assert_eq!((estate.name.as_str(), estate.environments.len()), ("repository", 2));
    let named = VALID.replacen("branch: main", "repository: repository, branch: main", 1);
    assert!(load_texts(&[&named]).is_ok());

    let by_name = VALID.replacen(
        "repository:\n  url: https://git.example.com/platform/environments.git\n",
        "forges:\n  code: {kind: gitlab, repository: a/b, auth: {kind: token, token: {env: GIT_TOKEN}}}\n\
         repositories:\n platform:\n  forge: code\n  url: https://git.example.com/platform/environments.git\n",
        1,
    );
    let settings = load_texts(&[&by_name]).unwrap_or_else(|errors| panic!("{errors}"));
    let [estate] = settings.estates.as_slice() else { panic!("one repository") };
    assert_eq!((estate.name.as_str(), estate.environments.len()), ("platform", 2));
    assert_eq!(estate.forge.as_ref().unwrap().repository, "a/b");
}

#[test]
fn the_forms_are_not_mixed() {
    let one = "environments:\n";
    for (text, expected) in [
        (
            VALID.replacen(one, "repositories:\n  other: {url: /srv/x}\nenvironments:\n", 1),
            "etc/0.yaml:1:1: `repository` does not go with `repositories`: move it there, under a name",
        ),
        (
            VALID.replacen(
                one,
                "forges:\n  x: {kind: gitea, auth: {kind: token, token: {env: PASSWORD}}}\nenvironments:\n",
                1,
            ),
            "etc/0.yaml:5:1: `forges` goes with `repositories`: write the forge of the one `repository` as `forge`",
        ),
        (
            VALID.replacen("branch: main", "repository: shop, branch: main", 1),
            "etc/0.yaml:6:28: the one `repository` is called `repository`: leave this out, or write `repositories`",
        ),
        (VALID.replacen("  author:", "  forge: code\n  author:", 1), "etc/0.yaml:4:3: unknown key `forge`"),
        (
            SEVERAL.replacen("forges:\n  code: ", "forge: ", 1),
            "etc/0.yaml:5:1: `forge` goes with `repository`: move it into `forges`, under a name",
        ),
        (
            SEVERAL.replacen(
                "forges:\n",
                "forge: {kind: gitea, auth: {kind: token, token: {env: PASSWORD}}}\nforges:\n",
                1,
            ),
            "etc/0.yaml:5:1: `forge` goes with `repository`: move it into `forges`, under a name",
        ),
    ] {
        let errors = load_texts(&[&text]).unwrap_err().to_string();
        assert!(errors.contains(expected), "{expected}:\n{errors}");
    }
}

/// Each is what to replace in `SEVERAL`, by what, and the mistake that comes of it.
#[track_caller]
fn each_is_told(cases: &[(&str, &str, &str)]) {
    for (from, to, expected) in cases {
        let text = mistakes_in_several(from, to);
        assert!(text.contains(expected), "{to}:\n{text}");
    }
}

#[test]
fn each_mistake_about_several_repositories_is_told_where_it_is() {
    each_is_told(&[
        (
            "repository: tools, ",
            "",
            "etc/0.yaml:11:3: `repository` is missing: expected one of `shop`, `media`, `tools`",
        ),
        (
            "repository: tools",
            "repository: tool",
            "etc/0.yaml:11:23: there is no repository `tool`: did you mean `tools`?",
        ),
        (
            "  tools: {repository: tools, branch: main}\n",
            "",
            "etc/0.yaml:4:3: no environment uses this repository: name it in one (`repository: tools`), or leave it out",
        ),
        (
            "git@git.example.com:media/environments.git",
            "ssh://git@GIT.example.com/shop/environments",
            "etc/0.yaml:2:15: `media` and `shop` are the same repository: keep one of them",
        ),
        (
            "git@git.example.com:media/environments.git\", forge: code",
            "file:///srv/./tools.git\"",
            "etc/0.yaml:4:16: `media` and `tools` are the same repository: keep one of them",
        ),
        ("  shop: {url", "  sh op: {url", "may only have letters"),
        (
            "{url: /srv/tools.git}",
            "{url: /srv/tools.git, frge: x}",
            "unknown key `frge`: did you mean `forge`?",
        ),
        ("{url: /srv/tools.git}", "{}", "etc/0.yaml:4:3: `url` is missing"),
        (
            "{url: /srv/tools.git}",
            "{url: /srv/tools.git, author: {name: '<>', email: x}}",
            "etc/0.yaml:4:47: must be text on one line",
        ),
    ]);
    let text = load_texts(&["repositories: {}\n"]).unwrap_err().to_string();
    assert!(text.contains("etc/0.yaml:1:1: the map must not be empty"), "{text}");
    assert!(!text.contains("`repository` is missing"), "{text}");
}

#[test]
fn each_mistake_about_their_forges_is_told_where_it_is() {
    each_is_told(&[
        ("forge: code", "forge: cod", "etc/0.yaml:2:90: there is no forge `cod`: did you mean `code`?"),
        (
            "forges:\n",
            "forges:\n  old: {kind: gitea, auth: {kind: token, token: {env: GIT_TOKEN}}}\n",
            "etc/0.yaml:6:3: no repository uses this forge: name it in one (`forge: old`), or leave it out",
        ),
        (
            "{kind: gitea,",
            "{kind: gitea, repository: shop/environments,",
            "etc/0.yaml:6:35: the repositories `media`, `shop` share this forge: leave this out",
        ),
        (
            "https://git.example.com/shop/environments.git",
            "https://git.example.com/shop",
            "etc/0.yaml:6:3: `repositories.shop.url` does not tell the forge's `repository`: give the repository a forge \
             of its own",
        ),
        (
            "auth: {kind: forge}, forge: code",
            "auth: {kind: forge}",
            "etc/0.yaml:2:75: the repository `shop` has no forge: name one there (`forge: NAME`)",
        ),
        (
            "auth: {kind: forge}, forge: code",
            "auth: {kind: token, token: {env: GIT_TOKEN}}",
            "etc/0.yaml:8:63: the repository `shop` has no forge: name one there",
        ),
        (
            "{kind: gitea,",
            "{kind: gitea, repository: shop,",
            "etc/0.yaml:6:35: must be the owner and the name of a repository",
        ),
        (
            "git@git.example.com:media",
            "git@code.example.com:media",
            "etc/0.yaml:6:3: its repositories are on several hosts: write its `url`",
        ),
        ("token: {env: GIT_TOKEN}", "token: t0ken", "etc/0.yaml:6:50: a secret never stands"),
        ("kind: gitea", "kind: gitea, timeout: 0s", "etc/0.yaml:6:32: must be more than zero"),
    ]);
}

/// One mistake is told once: what follows from it is not told too.
#[test]
fn an_unknown_name_makes_nothing_else_unused() {
    for (from, to) in [("repository: tools", "repository: tool"), ("repository: tools, ", "")] {
        let text = mistakes_in_several(from, to);
        assert!(!text.contains("no environment uses"), "{text}");
    }
    let text = mistakes_in_several("forge: code}\n  media", "forge: cod}\n  media");
    assert!(!text.contains("no repository uses") && !text.contains("has no forge"), "{text}");
}

#[test]
fn the_same_branch_in_one_repository_is_an_overlap() {
    let text = mistakes_in_several("branch: staging", "branch: main");
    assert!(text.contains("in both environments `shop-production` and `shop-staging`"), "{text}");
}

#[test]
fn repositories_and_forges_of_several_files_are_joined() {
    let (first, second) = SEVERAL.split_at(SEVERAL.find("metrics:\n").unwrap());
    let more = "repositories:\n  more: {url: /srv/more.git, forge: other}\n\
                forges:\n  other: {kind: gitea, url: 'https://x', repository: a/b, auth: {kind: token, token: {env: GIT_TOKEN}}}\n\
                environments:\n  more: {repository: more, branch: main}\n";
    let settings = load_texts(&[first, second, more]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(settings.estates.len(), 4);
    let twice = "repositories:\n  shop: {url: /srv/more.git}\nforges:\n  code: {kind: gitea}\n";
    let text = load_texts(&[SEVERAL, twice]).unwrap_err().to_string();
    for expected in [
        "etc/1.yaml:2:3: `shop` in `repositories` is defined twice: the other is at etc/0.yaml:2:3",
        "etc/1.yaml:4:3: `code` in `forges` is defined twice: the other is at etc/0.yaml:6:3",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    let text = load_texts(&[SEVERAL, "repository: {url: x}\n"]).unwrap_err().to_string();
    assert!(text.contains("etc/1.yaml:1:1: `repository` does not go with `repositories`"), "{text}");
}

#[test]
fn a_mistake_in_one_repository_does_not_hide_those_in_others() {
    let text = SEVERAL.replacen("{url: /srv/tools.git}", "{url: /srv/tools.git, tmeout: 5s}", 1).replacen(
        "auth: {kind: forge}",
        "auth: {kind: basic, username: x, password: {env: NOT_SET}}",
        1,
    );
    let errors = load_texts(&[&text]).unwrap_err().to_string();
    assert!(errors.contains("`tmeout`") && errors.contains("NOT_SET is not set"), "{errors}");
}

mod fuzzed {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

        /// Whatever lines are left out, doubled or moved: no panic, and a place for every mistake.
        #[test]
        fn a_text_with_several_repositories_may_lose_any_line(
            lines in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..3), 1..4),
        ) {
            let mut text: Vec<&str> = SEVERAL.split('\n').collect();
            for (from, to, what) in lines {
                let (from, to) = (from.index(text.len()), to.index(text.len()));
                match what {
                    0 => { text.remove(from); }
                    1 => text.insert(to, text[from]),
                    _ => text.swap(from, to),
                }
            }
            assert_placed(&text.join("\n"));
        }
    }
}
