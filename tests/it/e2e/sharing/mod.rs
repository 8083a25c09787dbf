//! Several agents that share the work by leases. They are real processes with a real remote; the leases are in a server of the test, or in a
//! real kube-apiserver (`scripts/test-kubernetes`).

mod cluster;
mod replica;

use std::time::Duration;

use backout::domain::ids::{EnvironmentName, RepositoryName};
use backout::domain::lease::shard_of;

use self::replica::{Leases, Replica, TAKEOVER, reverted_once};
use super::stage::{BOT, Config, Stage};
use crate::support::api_server::{ApiServer, Mood};
use crate::support::eventually;

/// So many environments, each on a branch of its own.
fn environments(count: usize) -> (Stage, Config, Vec<String>) {
    let stage = Stage::with("one", &["web"]);
    let names: Vec<String> = (0..count).map(|number| format!("env-{number}")).collect();
    let environment = |name: &String| format!("  {name}: {{branch: {name}, mode: auto}}\n");
    let environments = names.iter().map(environment).collect();
    for name in &names {
        stage.git(&["branch", name]);
        stage.git(&["push", "-q", stage.bare.to_str().unwrap(), name]);
    }
    (stage, Config { environments, ..Config::of("one") }, names)
}

/// Deploys something bad to these branches at once.
fn deploy(stage: &Stage, names: &[String]) -> Vec<(String, String)> {
    let deploy = |name: &String| {
        stage.git(&["checkout", "-q", name]);
        (name.clone(), stage.deploy("web", "v2", -12, BOT))
    };
    names.iter().map(deploy).collect()
}

/// Deploys something bad to a branch, which must be reverted once.
#[track_caller]
fn reverts_what_is_deployed(stage: &Stage, name: &str, replicas: &[&Replica]) {
    let bad = deploy(stage, &[name.to_owned()]);
    reverted_once(stage, &bad, TAKEOVER, replicas);
}

#[test]
fn a_standby_takes_over_from_one_that_is_killed() {
    let (stage, config, names) = environments(2);
    let leases = Leases::on(ApiServer::start(), 1);
    let first = Replica::start(&stage, &config, &leases, "agent-a");
    leases.come_to(&["agent-a"]);
    let second = Replica::start(&stage, &config, &leases, "agent-b");
    assert!(eventually(|| first.readiness() == (200, "ready".to_owned())));
    assert!(eventually(|| second.readiness() == (200, "standby".to_owned())), "{}", second.log());
    assert!(eventually(|| (first.shards_by("lease"), second.shards_by("lease")) == (1, 0)));
    reverts_what_is_deployed(&stage, &names[0], &[&first, &second]);
    assert_eq!(second.watches(), Vec::<String>::new(), "a standby makes no passes");
    drop(first);
    reverts_what_is_deployed(&stage, &names[1], &[&second]);
    leases.come_to(&["agent-b"]);
    assert!(eventually(|| second.watches() == names), "{}", second.log());
    // One that ends gives its lease back: nobody waits until it runs out.
    second.end();
    assert_eq!(leases.holders(), [""]);
}

#[test]
fn one_that_was_stopped_for_long_does_no_harm_when_it_goes_on() {
    let (stage, config, names) = environments(2);
    let leases = Leases::on(ApiServer::start(), 1);
    let first = Replica::start(&stage, &config, &leases, "agent-a");
    leases.come_to(&["agent-a"]);
    let second = Replica::start(&stage, &config, &leases, "agent-b");
    assert!(eventually(|| first.watches() == names));
    first.signal("-STOP");
    reverts_what_is_deployed(&stage, &names[0], &[&second]);
    leases.come_to(&["agent-b"]);
    let bad = deploy(&stage, &names[1..]);
    first.signal("-CONT");
    reverted_once(&stage, &bad, TAKEOVER, &[&first, &second]);
    assert!(eventually(|| first.watches().is_empty()), "{}", first.log());
    leases.come_to(&["agent-b"]);
    assert!(first.log().contains("another agent watches the shard"), "{}", first.log());
}

/// Whether each environment is watched by one of the replicas, and by one alone.
fn each_by_one(replicas: &[&Replica], names: &[String]) -> bool {
    let mut all: Vec<String> = replicas.iter().flat_map(|one| one.watches()).collect();
    all.sort();
    all == names
}

#[test]
fn five_replicas_share_the_environments_and_cover_for_one_that_is_killed() {
    let (stage, config, names) = environments(10);
    let leases = Leases::on(ApiServer::start(), 5);
    let pods: Vec<String> = (0..5).map(|number| format!("backout-{number}")).collect();
    let mut replicas: Vec<Replica> =
        pods.iter().map(|name| Replica::start(&stage, &config, &leases, name)).collect();
    let homes: Vec<&str> = pods.iter().map(String::as_str).collect();
    leases.come_to(&homes);
    assert!(eventually(|| each_by_one(&replicas.iter().collect::<Vec<_>>(), &names)));
    let busiest = replicas.iter().map(|one| one.watches().len()).max();
    assert!(busiest < Some(names.len()), "one watches all");
    for one in &replicas {
        assert!(eventually(|| one.readiness().0 == 200), "{}", one.log());
    }
    for one in replicas.iter().filter(|one| !one.watches().is_empty()) {
        assert!((0..5).any(|_| one.examines_its_own_alone()), "{}", one.log());
    }
    // One that has something to do is killed.
    let gone = replicas.iter().position(|one| !one.watches().is_empty()).unwrap();
    drop(replicas.remove(gone));
    let bad = deploy(&stage, &names);
    let left: Vec<&Replica> = replicas.iter().collect();
    reverted_once(&stage, &bad, TAKEOVER * 2, &left);
    assert!(eventually(|| each_by_one(&left, &names)));
    let heir = leases.holders()[gone].clone();
    assert!(heir != homes[gone] && homes.contains(&heir.as_str()), "{heir}");
    // It comes back, and takes its home at once.
    let back = Replica::start(&stage, &config, &leases, homes[gone]);
    leases.come_to(&homes);
    replicas.push(back);
    assert!(eventually(|| each_by_one(&replicas.iter().collect::<Vec<_>>(), &names)));
}

#[test]
fn what_was_found_in_an_environment_of_another_agent_is_known() {
    let (stage, config, names) = environments(10);
    let repository = RepositoryName::new("repository").unwrap();
    let shard = |name: &&String| shard_of(&repository, &EnvironmentName::new(*name).unwrap(), 2);
    let of = |wanted| names.iter().find(|name| shard(name) == wanted).unwrap().clone();
    let (first, second) = (of(0), of(1));
    stage.configure(&config);
    let leases = Leases::on(ApiServer::start(), 2);
    let agents = ["backout-0", "backout-1"].map(|name| Replica::start(&stage, &config, &leases, name));
    leases.come_to(&["backout-0", "backout-1"]);
    assert!(eventually(
        || agents[0].watches().contains(&first) && agents[1].watches() == others(&names, &agents[0])
    ));
    let both: Vec<&Replica> = agents.iter().collect();
    reverts_what_is_deployed(&stage, &first, &both);
    reverts_what_is_deployed(&stage, &second, &both);
    // The record of the second follows the push.
    let record = || {
        stage.history().into_iter().find(|one| one["environment"] == *second && one["judgement"].is_object())
    };
    assert!(eventually(|| record().is_some()));
    let known = record().unwrap()["elsewhere"].clone();
    assert_eq!(known[0]["environment"], *first, "{known:#}");
}

#[test]
fn a_changed_configuration_keeps_the_leases_and_gives_them_back_where_it_has_none() {
    let (stage, config, names) = environments(2);
    let leases = Leases::on(ApiServer::start(), 1);
    let agent = Replica::start(&stage, &config, &leases, "agent-a");
    leases.come_to(&["agent-a"]);
    let lease = || leases.server.ask("GET", &format!("/{}-0", leases.name), None).1;
    let since = lease()["spec"]["acquireTime"].clone();
    assert!(since.is_string());
    let changes = || agent.log().matches("the configuration has changed").count();
    agent.replace("interval: 1s", "interval: 2s");
    assert!(eventually(|| changes() == 1), "{}", agent.log());
    let before = lease()["spec"]["renewTime"].clone();
    assert!(eventually(|| lease()["spec"]["renewTime"] != before), "it is renewed");
    assert_eq!(lease()["spec"]["acquireTime"], since, "nobody else has had it");
    agent.replace(&format!(", lease: {}", leases.yaml()), "");
    assert!(eventually(|| changes() == 2), "{}", agent.log());
    leases.come_to(&[""]);
    let bad = deploy(&stage, &names);
    reverted_once(&stage, &bad, TAKEOVER, &[&agent]);
}

/// The environments that one agent does not watch.
fn others(names: &[String], agent: &Replica) -> Vec<String> {
    let own = agent.watches();
    names.iter().filter(|name| !own.contains(name)).cloned().collect()
}

#[test]
fn what_a_lease_says_about_times_counts_for_nothing() {
    let (stage, config, names) = environments(2);
    let leases = Leases::on(ApiServer::start(), 1);
    let lease = format!("{}-0", leases.name);
    // Its clock is years behind, and it says that it lasts a second. It is renewed all the same.
    let behind = |second: u32| {
        leases.server.write(&lease, "ghost", &format!("2001-01-01T00:00:{second:02}.000000Z"), 1);
    };
    behind(0);
    let agent = Replica::start(&stage, &config, &leases, "agent-a");
    for second in 1..=12 {
        std::thread::sleep(Duration::from_millis(500));
        behind(second);
    }
    assert_eq!(leases.holders(), ["ghost"], "{}", agent.log());
    assert_eq!(agent.readiness(), (200, "standby".to_owned()));
    assert_eq!(agent.watches(), Vec::<String>::new());
    // Its clock is years ahead, and it says that it lasts for years. Nobody renews it.
    leases.server.write(&lease, "ghost", "2199-01-01T00:00:00.000000Z", 2_000_000_000);
    reverts_what_is_deployed(&stage, &names[0], &[&agent]);
    leases.come_to(&["agent-a"]);
}

#[test]
fn an_api_server_that_is_down_stops_no_revert() {
    let (stage, config, names) = environments(2);
    let leases = Leases::on(ApiServer::own(), 1);
    let first = Replica::start(&stage, &config, &leases, "agent-a");
    leases.come_to(&["agent-a"]);
    let second = Replica::start(&stage, &config, &leases, "agent-b");
    assert!(eventually(|| first.watches() == names));
    leases.server.turn(Mood::Silent);
    assert!(eventually(|| second.shards_by("silence") == 1), "{}", second.log());
    assert!(eventually(|| first.shards_by("silence") == 1), "{}", first.log());
    reverts_what_is_deployed(&stage, &names[0], &[&first, &second]);
    assert!(eventually(|| second.log().contains("nobody says who holds the lease")), "{}", second.log());
    // The one that held it is gone: the other does its work.
    leases.server.turn(Mood::Broken);
    drop(first);
    reverts_what_is_deployed(&stage, &names[1], &[&second]);
    let (status, text) = second.get("/readyz");
    assert!(status == 200 && text.contains("lease 0: watched without it"), "{text}");
    leases.server.turn(Mood::Well);
    leases.come_to(&["agent-b"]);
    assert!(eventually(|| second.shards_by("lease") == 1));
}

#[test]
fn an_account_without_rights_stops_no_revert() {
    let (stage, config, names) = environments(2);
    let leases = Leases::on(ApiServer::own(), 1);
    leases.server.turn(Mood::ReadOnly);
    let agent = Replica::start(&stage, &config, &leases, "agent-a");
    reverts_what_is_deployed(&stage, &names[0], &[&agent]);
    assert_eq!(agent.shards_by("silence"), 1);
    assert!(agent.log().contains("leases is forbidden"), "{}", agent.log());
}
