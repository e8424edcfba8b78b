//! In a steady state nothing is allocated. In a test binary of its own, for it has an allocator of its own.
#![allow(clippy::unwrap_used)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

use common::{LONG, for_each_backend, streams};
use fastsock::net::{Kind, RecvBatch, SendBatch, Socket};
use fastsock::{Interest, Poller, Reactor, Repeat, Time, Trigger};

thread_local! {
    /// What this thread has asked the allocator for.
    static REQUESTS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = REQUESTS.try_with(|requests| requests.set(requests.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = REQUESTS.try_with(|requests| requests.set(requests.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often the allocator is asked in the second half of 200 rounds: the first half is for buffers to grow.
fn requests_in_steady_state(mut round: impl FnMut()) -> usize {
    (0..100).for_each(|_| round());
    let before = REQUESTS.get();
    (0..100).for_each(|_| round());
    REQUESTS.get() - before
}

#[test]
fn the_allocator_counts() {
    assert!(requests_in_steady_state(|| drop(std::hint::black_box(Box::new(1)))) >= 100);
}

#[test]
fn a_poller_that_waits_and_changes_its_sources_allocates_nothing() {
    for_each_backend(|backend| {
        let pairs: Vec<_> = (0..200).map(|_| streams()).collect();
        let mut poller = Poller::with_backend(backend).unwrap();
        let mut tokens = Vec::new();
        for (a, b) in &pairs {
            (&mut &*b).write_all(b"x").unwrap();
            tokens.push(poller.add(a.as_fd(), Interest::READABLE, Trigger::OneShot).unwrap());
        }
        let waker = poller.waker().unwrap();
        let mut events = Vec::new();
        let requests = requests_in_steady_state(|| {
            waker.wake().unwrap();
            poller.wait(&mut events, Some(LONG)).unwrap();
            poller.wait(&mut events, Some(Duration::from_nanos(1))).unwrap();
            for (token, (a, _)) in tokens.iter_mut().zip(&pairs).take(20) {
                assert!(poller.remove(*token));
                *token = poller.add(a.as_fd(), Interest::READABLE, Trigger::OneShot).unwrap();
            }
            for &token in &tokens {
                poller.rearm(token).unwrap();
            }
        });
        assert_eq!(requests, 0);
    });
}

#[test]
fn a_reactor_that_turns_with_events_timers_and_wakers_allocates_nothing() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<[usize; 3]>::with_backend(backend).unwrap();
        let mut peers = Vec::new();
        for _ in 0..50 {
            let (a, mut b) = streams();
            b.write_all(b"x").unwrap();
            peers.push(b);
            reactor
                .add(a, Interest::READABLE, Trigger::Level, |_, counts: &mut [usize; 3], _, _| counts[0] += 1)
                .unwrap();
            reactor
                .timer(Duration::ZERO, |reactor, counts, token, _| {
                    counts[1] += 1;
                    reactor.rearm_timer(token, Duration::from_nanos(counts[1] as u64 % 1000)).unwrap();
                })
                .unwrap();
        }
        for repeat in [Repeat::FixedRate(Duration::from_nanos(10)), Repeat::FixedDelay(Duration::ZERO)] {
            reactor.timer_repeating(Time::now(), repeat, |_, counts, _, _| counts[1] += 1).unwrap();
        }
        let (_, waker) = reactor.add_waker(|_, counts, _| counts[2] += 1).unwrap();
        let mut counts = [0; 3];
        let requests = requests_in_steady_state(|| {
            waker.wake().unwrap();
            reactor.turn(&mut counts, Some(LONG)).unwrap();
        });
        assert_eq!(requests, 0);
        assert!(counts[0] >= 200 * 50 && counts[1] > 200 && counts[2] == 200, "{counts:?}");
    });
}

#[test]
fn batches_of_datagrams_allocate_nothing() {
    let (a, b) = Socket::pair(Kind::Datagram).unwrap();
    let mut outgoing = SendBatch::new(8, 1000);
    let mut incoming = RecvBatch::new(8, 100);
    let mut received = 0;
    let requests = requests_in_steady_state(|| {
        while outgoing.push(b"datagram", None) {}
        assert_eq!(a.send_batch(&mut outgoing).unwrap(), 8);
        assert_eq!(b.recv_batch(&mut incoming).unwrap(), 8);
        received += incoming.iter().filter(|datagram| datagram.bytes() == b"datagram").count();
    });
    assert_eq!((requests, received), (0, 200 * 8));
}
