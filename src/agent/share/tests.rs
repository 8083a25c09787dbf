//! Agents with a server of leases, in simulated time and with the durations that are used.

use std::collections::BTreeMap;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;
use crate::domain::lease::Lease;
use crate::ports::BoxFuture;

const EXPIRY: Duration = Duration::from_secs(15);

/// How a server answers one agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    /// No request comes through, and each takes five seconds.
    Cut,
    /// It may read, and no more.
    ReadOnly,
    /// What it writes is written, and the answer is lost.
    AnswersLost,
}

/// A server that takes one of two writes.
#[derive(Default)]
struct Server {
    leases: Mutex<BTreeMap<u32, Lease>>,
    ways: Mutex<BTreeMap<String, Way>>,
}

/// The way of one agent to it.
struct Client {
    server: Arc<Server>,
    name: String,
}

impl Client {
    async fn way(&self) -> Result<Way, LeaseError> {
        // As long as a request takes.
        sleep(Duration::from_millis(fastrand::u64(1..50))).await;
        let way = self.server.ways.lock().unwrap().get(&self.name).copied().unwrap_or(Way::Open);
        if way == Way::Cut {
            sleep(Duration::from_secs(5)).await;
            return Err(no_answer());
        }
        Ok(way)
    }
}

fn no_answer() -> LeaseError {
    LeaseError::Unanswered("no answer".to_owned())
}

impl Leases for Client {
    fn read(&self, shard: u32) -> BoxFuture<'_, Result<Option<Lease>, LeaseError>> {
        Box::pin(async move {
            self.way().await?;
            Ok(self.server.leases.lock().unwrap().get(&shard).cloned())
        })
    }

    fn write<'a>(
        &'a self,
        shard: u32,
        holder: &'a str,
        over: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        Box::pin(async move {
            let way = self.way().await?;
            if way == Way::ReadOnly {
                return Err(no_answer());
            }
            let mut leases = self.server.leases.lock().unwrap();
            let version = leases.get(&shard).map(|lease| lease.version.clone());
            if version != over.map(|over| over.version.clone()) {
                return Err(LeaseError::Lost);
            }
            let next = version.map_or(0, |version| version.parse::<u32>().unwrap()) + 1;
            let (holder, version) = (holder.to_owned(), next.to_string());
            let lease = Lease { holder, version, acquired: None, transitions: 0 };
            leases.insert(shard, lease.clone());
            if way == Way::AnswersLost { Err(no_answer()) } else { Ok(lease) }
        })
    }
}

/// Agents that run.
struct Agents {
    server: Arc<Server>,
    shards: u32,
    running: BTreeMap<String, (Share, Stop, JoinHandle<()>)>,
}

impl Agents {
    fn new(shards: u32) -> Self {
        Self { server: Arc::default(), shards, running: BTreeMap::new() }
    }

    fn start(&mut self, name: &str) {
        let client = Client { server: Arc::clone(&self.server), name: name.to_owned() };
        let share = Share::leased(Arc::new(client), name, self.shards, Terms::of(EXPIRY));
        let (keeping, stop) = (share.clone(), Stop::default());
        let end = stop.clone();
        let task = tokio::spawn(async move { keeping.keep(&end).await });
        self.running.insert(name.to_owned(), (share, stop, task));
    }

    fn kill(&mut self, name: &str) {
        let (.., task) = self.running.remove(name).unwrap();
        task.abort();
    }

    async fn end(&mut self, name: &str) {
        let (_, stop, task) = self.running.remove(name).unwrap();
        stop.set();
        task.await.unwrap();
    }

    fn way(&self, name: &str, way: Way) {
        self.server.ways.lock().unwrap().insert(name.to_owned(), way);
    }

    /// Who watches each shard.
    fn watchers(&self) -> Vec<Vec<&str>> {
        let watches = |share: &Share, shard: usize| share.states()[shard] != LeaseState::StandsBy;
        let of = |shard| {
            let all = self.running.iter().filter(move |(_, (share, ..))| watches(share, shard));
            all.map(|(name, _)| name.as_str()).collect()
        };
        (0..self.shards as usize).map(of).collect()
    }

    fn each_has_one(&self) -> bool {
        self.watchers().iter().all(|of_shard| of_shard.len() == 1)
    }

    /// How many shards each agent watches.
    fn loads(&self) -> Vec<usize> {
        let count = |share: &Share| share.states().iter().filter(|state| **state == LeaseState::Held).count();
        self.running.values().map(|(share, ..)| count(share)).collect()
    }

    /// Waits until all is calm: each shard has one watcher. Says how long that took, in seconds.
    #[track_caller]
    fn calm(&self) -> impl Future<Output = u64> {
        let caller = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            while !self.each_has_one() {
                sleep(Duration::from_millis(100)).await;
                let took = begun.elapsed();
                assert!(took < Duration::from_secs(120), "{caller}: {:?}", self.watchers());
            }
            begun.elapsed().as_secs()
        }
    }
}

async fn secs(count: u64) {
    sleep(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_from_one_that_is_killed_and_at_once_from_one_that_ends() {
    let mut agents = Agents::new(1);
    agents.start("a");
    agents.calm().await;
    agents.start("b");
    secs(60).await;
    assert_eq!(agents.watchers(), [["a"]], "nobody takes what is renewed");
    agents.kill("a");
    let took = agents.calm().await;
    assert!((12..=18).contains(&took), "{took} s");
    agents.start("c");
    secs(5).await;
    agents.end("b").await;
    let took = agents.calm().await;
    assert!(took <= 3, "{took} s");
    assert_eq!(agents.watchers(), [["c"]]);
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_stateful_set_are_at_home_each_in_its_own_lease() {
    let names = ["set-0", "set-1", "set-2", "set-3", "set-4"];
    let homes: Vec<[&str; 1]> = names.iter().map(|name| [*name]).collect();
    let mut agents = Agents::new(5);
    for name in names {
        agents.start(name);
        secs(3).await;
    }
    agents.calm().await;
    secs(10).await;
    assert_eq!(agents.watchers(), homes);
    agents.kill("set-3");
    let took = agents.calm().await;
    // Each of the others holds one already.
    assert!((14..=21).contains(&took), "{took} s");
    agents.start("set-3");
    secs(5).await;
    assert_eq!(agents.watchers(), homes, "it is at home at once, and the other one lets go");
    for gone in ["set-1", "set-2", "set-3", "set-4"] {
        agents.kill(gone);
    }
    let took = agents.calm().await;
    assert!(took <= 30, "{took} s for one to take all");
}

#[tokio::test(start_paused = true)]
async fn agents_that_are_at_home_nowhere_share_fairly_when_they_begin_together() {
    for (count, shards, most) in [(2, 4, 3), (3, 3, 2), (4, 16, 7)] {
        let mut agents = Agents::new(shards);
        for number in 0..count {
            agents.start(&format!("pod-x{number}x"));
        }
        agents.calm().await;
        let loads = agents.loads();
        assert!(loads.iter().all(|load| (1..=most).contains(load)), "{count} of {shards}: {loads:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_is_gone_and_everybody_works_until_it_is_back() {
    let mut agents = Agents::new(2);
    for name in ["set-0", "set-1"] {
        agents.start(name);
    }
    agents.calm().await;
    secs(5).await;
    for name in ["set-0", "set-1"] {
        agents.way(name, Way::Cut);
    }
    // Nobody lets go of what it has, for as long as that lasts.
    for second in 0..600 {
        let watchers = agents.watchers();
        assert!(watchers[0].contains(&"set-0") && watchers[1].contains(&"set-1"), "{second}: {watchers:?}");
        if second > 40 {
            assert_eq!(watchers, [["set-0", "set-1"]; 2], "{second}");
        }
        secs(1).await;
    }
    agents.start("set-2");
    agents.way("set-2", Way::Cut);
    secs(30).await;
    assert_eq!(agents.watchers(), [["set-0", "set-1", "set-2"]; 2], "one that never had an answer works too");
    for name in ["set-0", "set-1", "set-2"] {
        agents.way(name, Way::Open);
    }
    secs(20).await;
    assert_eq!(agents.watchers(), [["set-0"], ["set-1"]]);
}

#[tokio::test(start_paused = true)]
async fn who_alone_is_cut_off_goes_on_and_lets_go_when_it_hears_of_the_other() {
    let mut agents = Agents::new(1);
    agents.start("a");
    agents.calm().await;
    agents.start("b");
    secs(5).await;
    agents.way("a", Way::Cut);
    secs(40).await;
    assert_eq!(agents.watchers(), [["a", "b"]]);
    agents.way("a", Way::Open);
    secs(12).await;
    assert_eq!(agents.watchers(), [["b"]]);
}

#[tokio::test(start_paused = true)]
async fn rights_that_are_missing_and_answers_that_are_lost_leave_nobody_without_a_watcher() {
    let mut agents = Agents::new(2);
    for name in ["a", "b"] {
        agents.way(name, Way::ReadOnly);
        agents.start(name);
    }
    secs(30).await;
    assert_eq!(agents.watchers(), [["a", "b"]; 2]);
    agents.way("a", Way::AnswersLost);
    agents.way("b", Way::Open);
    for _ in 0..120 {
        secs(1).await;
        assert!(agents.watchers().iter().all(|of_shard| !of_shard.is_empty()), "{:?}", agents.watchers());
    }
    agents.way("a", Way::Open);
    secs(20).await;
    assert!(agents.each_has_one(), "{:?}", agents.watchers());
}

#[tokio::test(start_paused = true)]
async fn who_has_a_lease_is_watched_by_others_and_nobody_else_begins_work() {
    // Two that hold the same lease at a time do no harm, but calm agents never do.
    let mut agents = Agents::new(3);
    for name in ["set-0", "set-1", "set-2", "spare-x"] {
        agents.start(name);
    }
    agents.calm().await;
    secs(20).await;
    for second in 0..300 {
        assert!(agents.each_has_one(), "{second}: {:?}", agents.watchers());
        secs(1).await;
    }
}
