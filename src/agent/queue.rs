//! How many passes are under way at once, and whose turn it is: who came first goes first.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// The most passes under way at once, each over one estate. Measured with 50 small repositories on two cores, of which the servers take 0.2 s
/// for an answer: 26 s with one, 4.0 s with 8, 2.8 s with 16, 2.7 s with 32, 3.3 s with 64. Of local ones 8 to 64 take the same.
const CONCURRENT_PASSES: usize = 16;

/// The most of them over estates whose last pass took long: those that hang leave most of the turns to the others.
const SLOW_PASSES: usize = CONCURRENT_PASSES / 4;

/// A pass that takes longer took long, and gives its turn to the next one: a server may let a fetch hang for minutes.
const SLOW: Duration = Duration::from_secs(30);

/// The queue of the estates.
pub(super) struct Queue {
    all: Semaphore,
    slow: Semaphore,
}

/// A turn. It ends when it is dropped.
pub(super) struct Turn<'q> {
    of_all: Option<SemaphorePermit<'q>>,
    of_slow: Option<SemaphorePermit<'q>>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { all: Semaphore::new(CONCURRENT_PASSES), slow: Semaphore::new(SLOW_PASSES) }
    }

    /// Waits for the turn of an estate whose last pass took so long.
    pub(super) async fn turn(&self, last: Duration) -> Turn<'_> {
        let of_slow = if last > SLOW { self.slow.acquire().await.ok() } else { None };
        // They are never closed.
        Turn { of_all: self.all.acquire().await.ok(), of_slow }
    }
}

impl Turn<'_> {
    /// Does a pass. Where it takes long the next one begins meanwhile.
    pub(super) async fn pass<T>(self, work: impl Future<Output = T>) -> T {
        let (Self { of_all, of_slow }, mut work) = (self, pin!(work));
        let done = tokio::time::timeout(SLOW, work.as_mut()).await;
        drop(of_all);
        let done = match done {
            Ok(done) => done,
            Err(_late) => work.await,
        };
        drop(of_slow);
        done
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const QUICK: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(31);

    /// Whether a turn comes without anybody ending another one.
    async fn comes(queue: &Queue, last: Duration) -> bool {
        tokio::time::timeout(Duration::from_secs(1), queue.turn(last)).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_and_no_more() {
        let queue = Queue::new();
        let mut turns = Vec::new();
        for _ in 0..CONCURRENT_PASSES {
            turns.push(queue.turn(QUICK).await);
        }
        assert!(!comes(&queue, QUICK).await);
        turns.pop();
        assert!(comes(&queue, QUICK).await);
    }

    #[tokio::test(start_paused = true)]
    async fn estates_that_hang_leave_turns_to_the_others() {
        let queue = Arc::new(Queue::new());
        for _ in 0..100 {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move {
                let _turn = queue.turn(LONG).await;
                std::future::pending::<()>().await;
            });
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!comes(&queue, LONG).await);
        assert!(comes(&queue, QUICK).await);
    }

    #[tokio::test(start_paused = true)]
    async fn passes_that_take_long_give_their_turns_away() {
        let queue = Arc::new(Queue::new());
        for _ in 0..CONCURRENT_PASSES {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { queue.turn(QUICK).await.pass(std::future::pending::<()>()).await });
        }
        tokio::time::sleep(SLOW - Duration::from_millis(1_500)).await;
        assert!(!comes(&queue, QUICK).await);
        assert!(comes(&queue, QUICK).await);
        assert_eq!(queue.turn(LONG).await.pass(async { 7 }).await, 7);
        // Of those that hang the next time too no more than a few are under way.
        for _ in 0..CONCURRENT_PASSES {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { queue.turn(LONG).await.pass(std::future::pending::<()>()).await });
        }
        tokio::time::sleep(SLOW * 3).await;
        assert!(!comes(&queue, LONG).await);
        assert!(comes(&queue, QUICK).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_came_first_goes_first() {
        let queue = Arc::new(Queue::new());
        let mut turns = Vec::new();
        for _ in 0..CONCURRENT_PASSES {
            turns.push(queue.turn(QUICK).await);
        }
        let (went, mut order) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..5 {
            let (queue, went) = (Arc::clone(&queue), went.clone());
            tokio::spawn(async move {
                let _turn = queue.turn(QUICK).await;
                went.send(number).unwrap();
            });
            tokio::task::yield_now().await;
        }
        drop((turns, went));
        let mut seen = Vec::new();
        while let Some(number) = order.recv().await {
            seen.push(number);
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
    }
}
