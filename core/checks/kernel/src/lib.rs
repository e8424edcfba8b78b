//! As much of the kernel as the model of the wakers needs: eventfd(2), and a wait for it by edge or by level.
//!
//! Nothing here synchronises memory: every access is relaxed, so that what the model proves does not lean on locks that
//! this or that kernel happens to take.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use loom::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The counter is not 0.
const READABLE: u8 = 1;
/// Written to since the last report by edge: each write is an edge, whatever the counter was (epoll(7)).
const EDGE: u8 = 2;

/// A wait that has looked this often while all others had their turn waits for ever.
const PATIENCE: usize = 100;

thread_local! {
    // loom runs its threads as coroutines of one thread. A number is an index here.
    static OPEN: RefCell<Vec<Option<Arc<AtomicU8>>>> = const { RefCell::new(Vec::new()) };
    static WRITES: Cell<usize> = const { Cell::new(0) };
    static FAILING: Cell<usize> = const { Cell::new(0) };
}

/// Opens one. Every number is new: a write to one that was closed is a mistake, and found.
pub fn eventfd() -> i32 {
    let new = Arc::new(AtomicU8::new(0));
    OPEN.with_borrow_mut(|open| {
        open.push(Some(new));
        open.len() as i32 - 1
    })
}

/// Closes it.
///
/// # Panics
/// It is not open.
pub fn close(fd: i32) {
    let closed = OPEN.with_borrow_mut(|open| open[fd as usize].take());
    assert!(closed.is_some(), "descriptor {fd} was closed twice");
}

fn file(fd: i32) -> Arc<AtomicU8> {
    // Let go of before the access, in which loom may switch to another of its threads.
    let file = OPEN.with_borrow(|open| open[fd as usize].clone());
    file.unwrap_or_else(|| panic!("descriptor {fd} was used after it was closed"))
}

/// Makes it readable. False: the write failed, as [`fail_next`] wished.
pub fn write(fd: i32) -> bool {
    let file = file(fd);
    if FAILING.get() > 0 {
        FAILING.set(FAILING.get() - 1);
        return false;
    }
    WRITES.set(WRITES.get() + 1);
    file.fetch_or(READABLE | EDGE, Relaxed);
    true
}

/// Empties the counter.
pub fn read(fd: i32) {
    file(fd).fetch_and(!READABLE, Relaxed);
}

/// Whether a wait reports it now; by edge, that uses the edge up. Never a stale answer: each is a read-modify-write.
pub fn poll(fd: i32, edge: bool) -> bool {
    let (asked, used_up) = if edge { (EDGE, EDGE) } else { (READABLE, 0) };
    file(fd).fetch_and(!used_up, Relaxed) & asked != 0
}

/// Sleeps until `reports` does.
///
/// # Panics
/// That never comes.
pub fn sleep_until(mut reports: impl FnMut() -> bool) {
    for _ in 0..PATIENCE {
        if reports() {
            return;
        }
        loom::thread::yield_now();
    }
    panic!("asleep for ever: a wake-up was lost");
}

/// Closes all and counts from 0: to be called first in every run of a model.
pub fn boot() {
    OPEN.with_borrow_mut(Vec::clear);
    WRITES.set(0);
    FAILING.set(0);
}

/// The next so many writes fail.
pub fn fail_next(writes: usize) {
    FAILING.set(writes);
}

/// How many writes there were.
pub fn writes() -> usize {
    WRITES.get()
}

/// How many descriptors are open.
pub fn open() -> usize {
    OPEN.with_borrow(|open| open.iter().flatten().count())
}
