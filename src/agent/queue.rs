//! How many passes are under way at once, and whose turn it is: who came first goes first.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// The most passes under way at once, each over one estate.
const CONCURRENT_PASSES: usize = 16;

/// The most of them over estates whose last pass took long: those that hang leave most of the turns to the others.
const SLOW_PASSES: usize = CONCURRENT_PASSES / 4;

/// A pass that takes longer took long.
const SLOW: Duration = Duration::from_secs(30);

/// The queue of the estates.
pub(super) struct Queue {
    all: Semaphore,
    slow: Semaphore,
}

/// A turn. It ends when it is dropped.
pub(super) struct Turn<'q> {
    _of_all: Option<SemaphorePermit<'q>>,
    _of_slow: Option<SemaphorePermit<'q>>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { all: Semaphore::new(CONCURRENT_PASSES), slow: Semaphore::new(SLOW_PASSES) }
    }

    /// Waits for the turn of an estate whose last pass took so long.
    pub(super) async fn turn(&self, last: Duration) -> Turn<'_> {
        let of_slow = if last > SLOW { self.slow.acquire().await.ok() } else { None };
        // They are never closed.
        Turn { _of_all: self.all.acquire().await.ok(), _of_slow: of_slow }
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
