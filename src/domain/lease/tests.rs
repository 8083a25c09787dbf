use std::collections::{BTreeMap, BTreeSet};

use super::*;

const TERMS: Terms = Terms {
    expiry: Duration::from_secs(15),
    deadline: Duration::from_secs(10),
    retry: Duration::from_secs(2),
};

fn at(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn lease(holder: &str, version: u32) -> Option<Lease> {
    Some(Lease { holder: holder.to_owned(), version: version.to_string(), acquired: None, transitions: 0 })
}

fn shard(environment: &str, shards: u32) -> u32 {
    let (repository, environment) = (RepositoryName::new("repository"), EnvironmentName::new(environment));
    shard_of(&repository.unwrap(), &environment.unwrap(), shards)
}

#[test]
fn the_terms_are_those_of_client_go() {
    assert_eq!(Terms::of(at(15)), TERMS);
}

#[test]
fn the_shards_are_the_same_in_every_version() {
    let shards = ["production", "staging", "development", "eu-1", "eu-2"].map(|name| shard(name, 5));
    assert_eq!(shards, [3, 0, 2, 0, 3], "environments must not move when the program is replaced");
    assert_eq!([0, 1].map(|shards| shard("production", shards)), [0, 0]);
}

#[test]
fn with_one_shard_more_environments_move_to_the_new_one_alone() {
    let names: Vec<String> = (0..1_000).map(|number| format!("environment-{number}")).collect();
    for shards in 1..MAX_SHARDS {
        let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
        for name in &names {
            let (before, after) = (shard(name, shards), shard(name, shards + 1));
            assert!(before < shards && (after == before || after == shards), "{name}: {before}, {after}");
            *sizes.entry(after).or_default() += 1;
        }
        let fair = names.len() / (shards as usize + 1);
        let is_fair = |size: &usize| (fair / 2..=fair * 2).contains(size);
        assert!(sizes.len() == shards as usize + 1 && sizes.values().all(is_fair), "{shards}: {sizes:?}");
    }
    // The repository counts too.
    let of = |repository: &str| {
        let repository = RepositoryName::new(repository).unwrap();
        shard_of(&repository, &EnvironmentName::new("production").unwrap(), 16)
    };
    let all: BTreeSet<u32> = ["shop", "search", "payments", "ledger"].map(of).into_iter().collect();
    assert!(all.len() > 1, "{all:?}");
}

#[test]
fn the_home_is_the_number_of_the_pod() {
    for (name, shards, home) in [
        ("backout-0", 5, Some(0)),
        ("backout-4", 5, Some(4)),
        ("backout-5", 5, None),
        ("two-words-12", 16, Some(12)),
        // A pod of a Deployment.
        ("backout-6d4f9c7b5-x2kqz", 5, None),
        ("backout-6d4f9c7b5-24567", 5, None),
        ("backout", 5, None),
        ("backout-", 5, None),
        ("", 5, None),
    ] {
        assert_eq!(home_of(name, shards), home, "{name} of {shards}");
    }
}

#[test]
fn who_takes_a_lease_and_when() {
    const HOME: bool = true;
    for (name, seen, (is_home, held), (since, now), expected) in [
        ("its own", lease("me", 1), (false, 3), (0, 0), Move::Renew),
        ("its own that has run out", lease("me", 1), (false, 3), (0, 900), Move::Renew),
        ("nobody's", lease("", 1), (false, 0), (7, 7), Move::Take),
        ("one that is not there", None, (false, 0), (7, 7), Move::Take),
        ("nobody's, and it has two", lease("", 1), (false, 2), (7, 10), Move::Leave),
        ("nobody's for long, and it has two", lease("", 1), (false, 2), (7, 11), Move::Take),
        ("another's", lease("other", 1), (false, 0), (7, 21), Move::Leave),
        ("another's that has run out", lease("other", 1), (false, 0), (7, 22), Move::Take),
        ("the same, and it has one", lease("other", 1), (false, 1), (7, 23), Move::Leave),
        ("the same, later", lease("other", 1), (false, 1), (7, 24), Move::Take),
        ("another's at home", lease("other", 1), (HOME, 5), (7, 7), Move::Take),
        ("nobody's at home", lease("", 1), (HOME, 5), (7, 7), Move::Take),
        ("a clock that went back", lease("other", 1), (false, 0), (30, 7), Move::Leave),
    ] {
        let mut view = View::default();
        view.saw(seen, at(since));
        assert_eq!(view.next("me", (is_home, held), TERMS, at(now)), expected, "{name}");
    }
    assert_eq!(View::default().next("me", (HOME, 0), TERMS, at(99)), Move::Leave, "nothing was read yet");
    let mut silent = View::default();
    silent.saw(lease("other", 1), at(0));
    silent.failed(at(20), "no answer".to_owned());
    assert_eq!(silent.next("me", (HOME, 0), TERMS, at(20)), Move::Leave, "what is not answered is not taken");
}

#[test]
fn a_lease_runs_out_where_it_does_not_change_whatever_it_says() {
    let mut view = View::default();
    view.saw(lease("other", 1), at(0));
    view.saw(lease("other", 1), at(14));
    assert_eq!(
        view.next("me", (false, 0), TERMS, at(15)),
        Move::Take,
        "the same version again is no renewal"
    );
    view.saw(lease("other", 2), at(14));
    assert_eq!(view.next("me", (false, 0), TERMS, at(28)), Move::Leave, "another version is one");
    assert_eq!(view.next("me", (false, 0), TERMS, at(29)), Move::Take);
    view.saw(None, at(29));
    assert_eq!(view.next("me", (false, 1), TERMS, at(30)), Move::Leave, "somebody has removed it");
    assert_eq!(view.next("me", (false, 1), TERMS, at(31)), Move::Take);
}

#[test]
fn who_may_begin_work() {
    // What the lease is, when it was last sure, when a try failed last, and the time now.
    for (name, holder, settled, failed, now, expected) in [
        ("renewed", "me", 100, None, 109, LeaseState::Held),
        ("stopped for long, and nothing tried since", "me", 100, None, 110, LeaseState::StandsBy),
        ("no answer for long", "me", 100, Some(109), 112, LeaseState::Unanswered),
        ("no answer, and stopped for long then", "me", 100, Some(109), 119, LeaseState::StandsBy),
        ("another's", "other", 100, None, 101, LeaseState::StandsBy),
        ("another's, and no answer lately", "other", 100, Some(110), 114, LeaseState::StandsBy),
        ("another's, and no answer for a lease", "other", 100, Some(110), 115, LeaseState::Unanswered),
        ("another's, stopped for long", "other", 100, None, 900, LeaseState::StandsBy),
        ("nobody's, and it cannot be taken", "", 100, Some(114), 115, LeaseState::Unanswered),
        (
            "another's, and no answer for two leases, then stopped",
            "other",
            100,
            Some(130),
            140,
            LeaseState::StandsBy,
        ),
    ] {
        let mut view = View::default();
        view.saw(lease(holder, 1), at(settled));
        view.settled(at(settled));
        if let Some(failed) = failed {
            view.failed(at(failed), "no answer".to_owned());
        }
        assert_eq!(view.state("me", TERMS, at(now)), expected, "{name}");
    }
    let mut new = View::default();
    assert_eq!(new.state("me", TERMS, at(0)), LeaseState::StandsBy);
    new.failed(at(14), "no answer".to_owned());
    assert_eq!(new.state("me", TERMS, at(14)), LeaseState::StandsBy);
    assert_eq!(new.state("me", TERMS, at(15)), LeaseState::Unanswered, "never an answer");
    new.saw(lease("", 1), at(15));
    assert_eq!(new.state("me", TERMS, at(16)), LeaseState::Unanswered, "nobody's, and nobody takes it");
    new.saw(lease("other", 1), at(16));
    new.settled(at(16));
    assert_eq!(new.state("me", TERMS, at(17)), LeaseState::StandsBy, "an answer at last");
}
