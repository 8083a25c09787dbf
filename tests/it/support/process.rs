//! Simulated processes of agents, which die, fail and take turns at any call of a port. Everything follows from a seed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use tokio::sync::Notify;

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It works.
    Go,
    /// It fails and has changed nothing.
    Fail,
    /// It works, and its answer is lost.
    Lost,
    /// It panics: a fault of the program.
    Panic,
    /// The agent is killed before it.
    DieBefore,
    /// The agent is killed after it.
    DieAfter,
}

/// Decides what happens at a call, by its number and its name; may change the remote as another writer would.
pub(crate) type Fates = Box<dyn FnMut(usize, &'static str) -> Fate + Send>;

/// Who may make the next call, when two agents are at work.
pub(crate) struct Turns {
    state: Mutex<(usize, [bool; 2], fastrand::Rng)>,
    changed: Condvar,
}

impl Turns {
    /// Turns that follow from a seed.
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let mut random = fastrand::Rng::with_seed(seed);
        let first = random.usize(0..2);
        Arc::new(Self { state: Mutex::new((first, [true; 2], random)), changed: Condvar::new() })
    }

    fn wait(&self, agent: usize) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |(holder, _, _)| *holder != agent).unwrap());
    }

    fn pass_on(&self) {
        let mut state = self.state.lock().unwrap();
        let (holder, live, random) = &mut *state;
        let next = random.usize(0..2);
        *holder = if live[next] { next } else { 1 - next };
        drop(state);
        self.changed.notify_all();
    }

    /// An agent makes no more calls.
    pub(crate) fn end(&self, agent: usize) {
        let mut state = self.state.lock().unwrap();
        state.1[agent] = false;
        if state.0 == agent {
            state.0 = 1 - agent;
        }
        drop(state);
        self.changed.notify_all();
    }
}

/// One process of an agent: its calls go through here.
pub(crate) struct Process {
    fates: Mutex<Fates>,
    turns: Option<(Arc<Turns>, usize)>,
    calls: AtomicUsize,
    dead: AtomicBool,
    /// Told when the process is killed.
    pub(crate) killed: Notify,
}

impl Process {
    /// A process; with `turns`, it makes a call only when it is its turn.
    pub(crate) fn new(fates: Fates, turns: Option<(Arc<Turns>, usize)>) -> Arc<Self> {
        let (calls, dead, killed) = (AtomicUsize::new(0), AtomicBool::new(false), Notify::new());
        Arc::new(Self { fates: Mutex::new(fates), turns, calls, dead, killed })
    }

    /// How many calls it has made.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Whether it was killed: from then on no call of it has an effect.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    fn die<T>(&self) -> Option<T> {
        self.dead.store(true, Ordering::SeqCst);
        self.killed.notify_one();
        None
    }

    /// Makes a call; none where there is no answer.
    pub(crate) fn call<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> Option<T> {
        if self.dead.load(Ordering::SeqCst) {
            return None;
        }
        if let Some((turns, agent)) = &self.turns {
            turns.wait(*agent);
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let fate = (self.fates.lock().unwrap())(number, name);
        let answer = match fate {
            Fate::Go => Some(work()),
            Fate::Fail => None,
            Fate::Lost => Some(work()).and(None),
            Fate::Panic => panic!("the port broke at {name}"),
            Fate::DieBefore => self.die(),
            Fate::DieAfter => Some(work()).and_then(|_| self.die()),
        };
        if let Some((turns, _)) = &self.turns {
            turns.pass_on();
        }
        answer
    }
}
