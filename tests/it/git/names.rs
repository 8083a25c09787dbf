//! Branches whose names Git cannot have beside each other, over time and at once.

use std::collections::BTreeMap;

use backout::domain::ids::{BranchName, FilePath};
use backout::domain::time::Time;
use backout::ports::{CommitRequest, PushError, Repository, RepositoryError};

use super::caches::directory;
use super::{fetch_main, http_options, id, open, options};
use crate::support::git::{bare, fast_import, git, linear_history};
use crate::support::http_remote::HttpRemote;

fn branch(name: &str) -> BranchName {
    BranchName::new(name).unwrap()
}

#[test]
fn a_branch_takes_the_place_of_another_that_is_its_directory_or_in_it() {
    use std::os::unix::fs::MetadataExt;
    let remote = HttpRemote::start();
    let bare = remote.repository();
    fast_import(&bare, &linear_history(30, 3, 1_600_000_000));
    git(&bare, &["branch", "release", "main~2"]);
    let cache = tempfile::tempdir().unwrap();
    let agent = open(http_options(&remote, cache.path()));
    agent.fetch(&[branch("main"), branch("release")]).unwrap();
    let made = || std::fs::metadata(directory(cache.path())).unwrap().ino();
    let first = made();
    // To and fro, with a fetch between two moves or without one.
    for (gone, came) in [("release", "release/2"), ("release/2", "release"), ("release", "release/2/eu")] {
        git(&bare, &["branch", "-D", gone]);
        git(&bare, &["branch", came, "main~1"]);
        let tips = agent.fetch(&[branch("main"), branch(came)]).unwrap();
        assert_eq!(tips[&branch(came)], id(&git(&bare, &["rev-parse", "main~1"])), "{came}");
        assert!(matches!(agent.fetch(&[branch(gone)]), Err(RepositoryError::NotFound(_))), "{gone}");
    }
    assert_eq!(made(), first, "the cache was cloned again");
}

#[test]
fn a_branch_that_cannot_be_made_beside_another_is_named() {
    let remote = HttpRemote::start();
    let local = tempfile::tempdir().unwrap();
    let (cache, no_cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let repositories = [(remote.repository(), http_options(&remote, cache.path())), {
        let path = bare(local.path(), "env.git");
        (path.clone(), options(path.to_str().unwrap(), no_cache.path()))
    }];
    for (bare, options) in repositories {
        fast_import(&bare, &linear_history(3, 3, 1_600_000_000));
        let agent = open(options);
        let tip = fetch_main(&agent);
        let wanted = branch("backout/production/shop/abc");
        let push = || {
            let path = FilePath::new("a.yaml").unwrap();
            agent.commit_and_push(&CommitRequest {
                branch: &wanted,
                expected: None,
                parent: tip,
                onto: None,
                files: &BTreeMap::from([(path, Some(b"tag: v1\n".to_vec().into()))]),
                message: "Revert something\n",
                at: Time::from_unix(1_800_000_000),
            })
        };
        for there in ["backout", "backout/production/shop", "backout/production/shop/abc/x"] {
            git(&bare, &["branch", there, "main"]);
            let named = format!("the branch {there} is in the way of the branch {wanted}");
            match (push(), agent.remote_tip(&wanted)) {
                (
                    Err(PushError::Repository(pushed @ RepositoryError::InTheWay { .. })),
                    Err(asked @ RepositoryError::InTheWay { .. }),
                ) => {
                    assert!(pushed.to_string().contains(&named), "{pushed}");
                    assert!(asked.to_string().contains(&named), "{asked}");
                }
                other => panic!("{there}: {other:?}"),
            }
            git(&bare, &["branch", "-D", there]);
        }
        // A name that only begins alike is in nobody's way.
        git(&bare, &["branch", "backout/production/sho", "main"]);
        git(&bare, &["branch", "backouts", "main"]);
        assert_eq!(agent.remote_tip(&wanted).unwrap(), None);
        push().unwrap();
    }
}
