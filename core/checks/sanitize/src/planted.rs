//! Bugs on purpose, one for each sanitizer: one that does not find its own is not at work, and its silence about the core
//! would mean nothing. `planted race`, `planted use-after-free` or `planted leak`; `planted nothing` is to be passed.

use std::cell::UnsafeCell;
use std::hint::black_box;
use std::time::Duration;

use fastsock::{Reactor, Waker};

/// Shared without any right to it.
struct Plain(UnsafeCell<u64>);

// SAFETY: there is none; this is the bug.
unsafe impl Sync for Plain {}

static PLAIN: Plain = Plain(UnsafeCell::new(0));

fn write_plainly() {
    // SAFETY: none, as above.
    unsafe { *black_box(PLAIN.0.get()) += 1 };
}

/// The loop reads, after a wake-up, what the other thread goes on writing after its wake: the order that is there for
/// one is not there for the other.
fn race() {
    let mut reactor = Reactor::<()>::new().expect("a reactor");
    let waker: Waker = reactor.waker().expect("a waker");
    let thread = std::thread::spawn(move || {
        waker.wake().expect("a wake-up");
        write_plainly();
    });
    reactor.turn(&mut (), Some(Duration::from_secs(20))).expect("a turn");
    write_plainly();
    thread.join().expect("the thread");
}

fn use_after_free() {
    let place = Box::into_raw(Box::new(1u64));
    // SAFETY: from a box; and then again, which is the bug.
    unsafe {
        drop(Box::from_raw(black_box(place)));
        black_box(*black_box(place));
    }
}

fn leak() {
    std::mem::forget(black_box(vec![1u8; 4321]));
    // What is left of the pointer in a register or on the stack, would make it reachable.
    black_box([0u8; 4096]);
}

fn main() {
    let bug = std::env::args().nth(1).unwrap_or_default();
    match bug.as_str() {
        "race" => race(),
        "use-after-free" => use_after_free(),
        // In another thread, whose stack is gone at the end.
        "leak" => std::thread::spawn(leak).join().expect("the thread"),
        "nothing" => {}
        _ => panic!("planted race | use-after-free | leak | nothing"),
    }
}
