//! Work on commits ahead of their turn, on every processor: what one commit changed does not depend on any other.

use std::collections::VecDeque;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The most threads. One other thread reads the history for all of them: more would wait for it.
const MAX_THREADS: usize = 8;
/// How many items each thread may be ahead, and how many bytes all of them: enough that none waits for the others.
const AHEAD: usize = 4;
const AHEAD_BYTES: usize = 16 << 20;

/// Does the `work` on each item that `feed` brings, on several threads, and shows each item with what came of it, in the order of the
/// feed and on this thread. `bytes` says how large an item is. One of no bytes takes no thread: the work on it is done when its turn comes.
///
/// Once `visit` breaks, the feed is told so with its next item, and nothing more is shown. A panic of the work is one of the caller.
pub(super) fn in_order<C: Send, R: Send, T>(
    feed: impl FnOnce(&mut dyn FnMut(C) -> ControlFlow<()>) -> T,
    work: impl Fn(&C) -> R + Sync,
    bytes: impl Fn(&C) -> usize,
    mut visit: impl FnMut(C, R) -> ControlFlow<()>,
) -> T {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
    let is_over = AtomicBool::new(false);
    let (work, is_over) = (&work, &is_over);
    thread::scope(|scope| {
        let (jobs, queue) = mpsc::channel::<Job<C, R>>();
        let queue = Arc::new(Mutex::new(queue));
        let run = |queue: Arc<Mutex<Receiver<Job<C, R>>>>| {
            move || {
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok((item, answer)) = next() {
                    if is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let found = catch_unwind(AssertUnwindSafe(|| work(&item)));
                    // Where it cannot be sent, nobody waits for it any more.
                    drop(answer.send((item, found)));
                }
            }
        };
        let mut window = Window { waiting: VecDeque::new(), bytes: 0 };
        let mut started = 0;
        let mut flow = ControlFlow::Continue(());
        let out = feed(&mut |item| {
            let size = bytes(&item);
            if threads < 2 || size == 0 {
                window.push(0, Turn::Here(item));
            } else {
                if started < threads {
                    scope.spawn(run(Arc::clone(&queue)));
                    started += 1;
                }
                let (answer, found) = mpsc::sync_channel(1);
                if jobs.send((item, answer)).is_err() {
                    return ControlFlow::Break(());
                }
                window.push(size, Turn::Elsewhere(found));
            }
            while flow.is_continue() && window.is_full(threads) {
                flow = window.show(work, &mut visit);
            }
            flow
        });
        while flow.is_continue() && !window.waiting.is_empty() {
            flow = window.show(work, &mut visit);
        }
        is_over.store(true, Ordering::Relaxed);
        out
    })
}

/// An item, with what came of the work on it, or with its panic.
type Done<C, R> = (C, thread::Result<R>);

/// An item, and who waits for it.
type Job<C, R> = (C, SyncSender<Done<C, R>>);

/// An item whose turn comes.
enum Turn<C, R> {
    /// The work is done when it comes.
    Here(C),
    /// Another thread does the work.
    Elsewhere(Receiver<Done<C, R>>),
}

/// The items whose turn comes, in their order, each with its bytes.
struct Window<C, R> {
    waiting: VecDeque<(usize, Turn<C, R>)>,
    bytes: usize,
}

impl<C, R> Window<C, R> {
    fn push(&mut self, size: usize, turn: Turn<C, R>) {
        self.bytes += size;
        self.waiting.push_back((size, turn));
    }

    /// Whether nothing more is worked on before the oldest is shown. Nobody waits behind what is done here.
    fn is_full(&self, threads: usize) -> bool {
        matches!(self.waiting.front(), Some((_, Turn::Here(_))))
            || self.waiting.len() > AHEAD * threads
            || self.bytes > AHEAD_BYTES
    }

    /// Shows the oldest.
    fn show(
        &mut self,
        work: &impl Fn(&C) -> R,
        visit: &mut impl FnMut(C, R) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some((size, turn)) = self.waiting.pop_front() else { return ControlFlow::Break(()) };
        self.bytes -= size;
        match turn {
            Turn::Here(item) => {
                let found = work(&item);
                visit(item, found)
            }
            Turn::Elsewhere(found) => match found.recv() {
                Ok((item, Ok(found))) => visit(item, found),
                Ok((_, Err(panic))) => resume_unwind(panic),
                // No thread ends without an answer.
                Err(_) => ControlFlow::Break(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of the numbers up to `count`, and how many were fed, where the visit breaks at `last`.
    fn shown(count: usize, last: usize, bytes: fn(&usize) -> usize) -> (Vec<(usize, usize)>, usize) {
        let (mut shown, mut fed) = (Vec::new(), 0);
        let feed = |next: &mut dyn FnMut(usize) -> ControlFlow<()>| {
            for number in 0..count {
                fed += 1;
                if next(number).is_break() {
                    break;
                }
            }
        };
        let slow = |number: &usize| {
            // The first take longest.
            thread::sleep(std::time::Duration::from_micros(500 / (*number as u64 + 1)));
            number * number
        };
        in_order(feed, slow, bytes, |number, square| {
            shown.push((number, square));
            if number == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        (shown, fed)
    }

    #[test]
    fn everything_is_shown_in_its_order() {
        let all: Vec<(usize, usize)> = (0..200).map(|number| (number, number * number)).collect();
        for bytes in [|_: &usize| 1, |_: &usize| 0, |number: &usize| number % 2, |_: &usize| AHEAD_BYTES + 1]
        {
            assert_eq!(shown(200, 1_000, bytes).0, all);
            let (some, fed) = shown(200, 50, bytes);
            assert_eq!(some, all[..=50]);
            assert!(fed <= 51 + MAX_THREADS * AHEAD + 1, "{fed}");
        }
        assert!(shown(0, 0, |_| 1).0.is_empty());
    }

    #[test]
    #[should_panic(expected = "ten")]
    fn a_panic_of_the_work_is_one_of_the_whole() {
        let feed =
            |next: &mut dyn FnMut(usize) -> ControlFlow<()>| drop((0..20).map(next).collect::<Vec<_>>());
        in_order(feed, |number| assert_ne!(*number, 10, "ten"), |_| 1, |_, ()| ControlFlow::Continue(()));
    }
}
