//! An agent in this process, in a world whose time stands still.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use backout::agent::{Estate, Source, World};
use backout::domain::deployment::Memo;
use backout::domain::ids::SourceName;
use backout::domain::time::Time;
use backout::ports::Clock;

thread_local! {
    /// Time stands still in it except where everybody waits: then it jumps.
    static RUNTIME: RefCell<tokio::runtime::Runtime> = RefCell::new(
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap(),
    );
}

/// What was found in files holds for all worlds.
static MEMO: LazyLock<Arc<Memo>> = LazyLock::new(Arc::default);

struct Now(Time);

impl Clock for Now {
    fn now(&self) -> Time {
        self.0
    }
}

/// What an agent works with at this time, which can prove of no record who wrote it.
pub(crate) fn world(estate: Estate, sources: BTreeMap<SourceName, Source>, now: Time) -> World {
    World {
        estates: vec![Arc::new(estate)],
        sources,
        registries: None,
        source_code: None,
        clock: Arc::new(Now(now)),
        config: String::new(),
        records_proven: false,
        memo: Arc::clone(&MEMO),
    }
}

/// Does some work to its end, while time stands still.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.with_borrow(|runtime| runtime.block_on(Box::pin(work)))
}
