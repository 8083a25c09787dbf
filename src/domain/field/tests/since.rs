//! What came or went with a deployment goes back as it was, or is refused, also where somebody changed a line elsewhere since.

use super::values::fields;
use super::*;

/// A file before a deployment and after it, in either order. The line `replicas: 1` is somebody else's.
const PAIRS: &[(&str, &str)] = &[
    ("image:\nreplicas: 1\n", "image:\n  tag: v2\nreplicas: 1\n"),
    ("replicas: 1\nimage:\n", "replicas: 1\nimage:\n  tag: v2\n"),
    ("web:\n  image:\n  port: 1\nreplicas: 1\n", "web:\n  image:\n    tag: v2\n  port: 1\nreplicas: 1\n"),
    ("image:\nreplicas: 1\n", "image:\n  repository: r/web\n  tag: v2\nreplicas: 1\n"),
    ("image: # the chart's\nreplicas: 1\n", "image: # the chart's\n  tag: v2\nreplicas: 1\n"),
    ("image: ~\nreplicas: 1\n", "image:\n  tag: v2\nreplicas: 1\n"),
    ("image: null\nreplicas: 1\n", "image:\n  tag: v2\nreplicas: 1\n"),
    ("image: {}\nreplicas: 1\n", "image:\n  tag: v2\nreplicas: 1\n"),
    ("image: {}\nreplicas: 1\n", "image: {tag: v2}\nreplicas: 1\n"),
    ("replicas: 1\nimages:\n", "replicas: 1\nimages:\n- name: web\n  newTag: v2\n"),
    ("images: []\nreplicas: 1\n", "images:\n- name: web\n  newTag: v2\nreplicas: 1\n"),
    ("images:\n- name: web\nreplicas: 1\n", "images:\n- name: web\n  newTag: v2\nreplicas: 1\n"),
    ("replicas: 1\n", "replicas: 1\nimages:\n- name: web\n  newTag: v2\n"),
    ("replicas: 1\n", "image:\n  tag: v2\nreplicas: 1\n"),
    ("image:\n  x: 1\nreplicas: 1\n", "image:\n  x: 1\n  tag: v2\nreplicas: 1\n"),
    ("image: r/web:1\nreplicas: 1\n", "image:\n  repository: r/web\n  tag: v2\nreplicas: 1\n"),
    ("image:\nreplicas: 1\n", "image: r/web:2\nreplicas: 1\n"),
    ("items:\n- image:\n  name: a\nreplicas: 1\n", "items:\n- image: r/a:v2\n  name: a\nreplicas: 1\n"),
    (
        "d: &d\n  tag: v1\nweb:\n  <<: *d\nreplicas: 1\n",
        "d: &d\n  tag: v1\nweb:\n  <<: *d\n  tag: v2\nreplicas: 1\n",
    ),
];

#[test]
fn what_came_or_went_goes_back_beside_other_changes_or_is_refused() {
    let since: [fn(&str) -> String; 4] = [
        |text| format!("aa: 1\n{text}"),
        |text| format!("{text}zz: 1\n"),
        |text| text.replace("replicas: 1", "replicas: 3"),
        |text| text.replace("replicas: 1", "# more\nreplicas: 1"),
    ];
    let (mut put_back, mut wrong) = (0, Vec::new());
    for (one, two) in PAIRS {
        for (parent, bad) in [(one, two), (two, one)] {
            if fields(parent, bad).is_empty() {
                wrong.push(format!("{parent}became\n{bad}and nobody saw it"));
                continue;
            }
            // Where that is refused the whole file goes back: nobody has changed it.
            let at_once = outcome(parent, bad, bad);
            if at_once.as_ref().is_ok_and(|found| found != parent) {
                wrong.push(format!("{bad}became\n{at_once:?}and not\n{parent}"));
            }
            for edit in since {
                let (later, wanted) = (edit(bad), edit(parent));
                if let Ok(found) = outcome(parent, bad, &later) {
                    if found != wanted && found != later {
                        wrong.push(format!("{later}became\n{found}and not\n{wanted}"));
                    }
                    put_back += usize::from(found == wanted);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(put_back >= 100, "{put_back} of {}", PAIRS.len() * 2 * since.len());
}

/// TOML takes no notice of indentation.
#[test]
fn a_line_comes_back_into_its_own_section() {
    let bad = "[side]\nrepository = \"s\"\n[image]\nrepository = \"s\"\n[zeta]\nrepository = \"s\"\n";
    let parent = bad.replace("[image]\n", "[image]\ntag = \"v1.0.0\"\n");
    for (from, to) in [("\n[zeta]", "\n  [zeta]"), ("\n[zeta]", "\n\t[zeta.\"a b\"]"), ("[side]", "  [side]")]
    {
        for edit in
            [|text: &str| text.to_owned(), |text: &str| text.replace("[image]\nrepo", "[image]\n#repo")]
        {
            let (later, wanted) = (edit(&bad.replace(from, to)), edit(&parent.replace(from, to)));
            let found = outcome(&parent, bad, &later);
            assert!(found.as_ref().is_err() || found.as_ref() == Ok(&wanted), "{later}: {found:?}");
        }
    }
}

/// Somebody wrote the same value otherwise since, or moved it.
#[test]
fn what_came_goes_back_however_it_is_written_by_now() {
    for (parent, bad, later, wanted) in [
        (
            "image:\n  x: 1\n",
            "image:\n  x: 1\n  tag: v2\n",
            "image:\n  x: 1\n  tag: \"v2\"\n",
            "image:\n  x: 1\n",
        ),
        (
            "image:\n  x: 1\n",
            "image:\n  x: 1\n  tag: v2\n",
            "image:\n    x: 1\n    tag: v2\n",
            "image:\n    x: 1\n",
        ),
        (
            "images:\n- name: web\n  newName: r/web\n",
            "images:\n- name: web\n  newName: r/web\n  newTag: v2\n",
            "images:\n- name: \"web\"\n  newName: r/web\n  newTag: 'v2'\n",
            "images:\n- name: \"web\"\n  newName: r/web\n",
        ),
        ("A=1\n", "A=1\nIMAGE_TAG=v2\n", "A=1\nIMAGE_TAG=\"v2\"\n", "A=1\n"),
    ] {
        assert_eq!(outcome(parent, bad, later).as_deref(), Ok(wanted), "{later}");
    }
}

#[test]
fn a_block_that_was_empty_does_not_become_null() {
    let block = "image:\n  repository: r/x\n  tag: v1.1.0\n";
    for (before, came) in [
        ("image: {}\n", block.to_owned()),
        ("web:\n  image: {}\n", "web:\n  image:\n    repository: r/x\n    tag: v1.1.0\n".to_owned()),
        ("image: {}\n", format!("{block}  digest: sha256:{}\n", "1".repeat(64))),
    ] {
        let [parent, bad, later] = [("1", before), ("2", came.as_str()), ("3", came.as_str())]
            .map(|(number, text)| format!("a: {number}\n{text}r: 1\n"));
        for current in [&bad, &later] {
            match revert(parent.as_bytes(), bad.as_bytes(), current.as_bytes()) {
                Ok(put) => {
                    let wanted = current.replace(&came, before);
                    assert_eq!(String::from_utf8(put.bytes).unwrap(), wanted, "{current}");
                }
                Err(refusal) => assert!(matches!(refusal, Refusal::Companion(_)), "{refusal}"),
            }
        }
    }
}
