//! Waking a wait from elsewhere: nothing is lost, little is written.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use common::{LONG, for_each_backend, in_child, look, open_descriptors};
use fastsock::{Poller, Reactor};

/// Waits until the waker is used; nothing else may come.
fn wait_for_wake(poller: &mut Poller<'_>) {
    let mut events = Vec::new();
    assert_eq!(poller.wait(&mut events, Some(LONG)).unwrap(), 0);
    assert!(poller.take_woken() && !poller.take_woken(), "woken once");
}

fn is_quiet(poller: &mut Poller<'_>) -> bool {
    look(poller).is_empty() && !poller.take_woken()
}

#[test]
fn a_wake_before_the_wait_is_kept() {
    for_each_backend(|backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let waker = poller.waker().unwrap();
        assert!(is_quiet(&mut poller));
        waker.wake().unwrap();
        wait_for_wake(&mut poller);
        assert!(is_quiet(&mut poller), "and used up");
    });
}

#[test]
fn a_wake_from_another_thread_ends_the_wait() {
    for_each_backend(|backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let waker = poller.waker().unwrap();
        let helper = std::thread::spawn(move || waker.wake().unwrap());
        wait_for_wake(&mut poller);
        helper.join().unwrap();
    });
}

#[test]
fn ten_thousand_wakes_between_two_waits_are_one() {
    for_each_backend(|backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let wakers = [poller.waker().unwrap(), poller.waker().unwrap()];
        let wakers = [wakers[0].clone(), wakers[1].clone()];
        for round in 1..=3 {
            for waker in wakers.iter().cycle().take(10_000) {
                waker.wake().unwrap();
            }
            wait_for_wake(&mut poller);
            assert!(is_quiet(&mut poller));
            assert_eq!(poller.stats().wakeups, round);
        }
    });
}

#[test]
fn all_wakers_of_a_poller_share_one_descriptor() {
    in_child("all_wakers_of_a_poller_share_one_descriptor", |backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let before = open_descriptors();
        let wakers: Vec<_> = (0..100).map(|_| poller.waker().unwrap()).collect();
        assert_eq!(open_descriptors(), before + 1);
        drop(poller);
        assert!(wakers.iter().all(|waker| common::errno(waker.wake()) == libc::ESHUTDOWN));
        drop(wakers);
        assert!(open_descriptors() < before + 1, "and nothing of it is left");
    });
}

#[test]
fn after_the_pollers_death_a_wake_says_so() {
    for_each_backend(|backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let waker = poller.waker().unwrap();
        waker.wake().unwrap();
        drop(poller);
        for _ in 0..3 {
            assert_eq!(common::errno(waker.wake()), libc::ESHUTDOWN);
        }
        assert_eq!(common::errno(waker.clone().wake()), libc::ESHUTDOWN);
    });
}

#[test]
fn under_stress_no_wake_is_lost_and_what_was_queued_before_it_is_seen() {
    const THREADS: usize = 4;
    const EACH: usize = 5000;
    for_each_backend(|backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let waker = poller.waker().unwrap();
        let queue = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::new(AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (queue, waker, taken) = (queue.clone(), waker.clone(), taken.clone());
                scope.spawn(move || {
                    for i in 0..EACH {
                        queue.lock().unwrap().push((thread, i));
                        waker.wake().unwrap();
                        // Now and then, wait until the loop has caught up, so that it goes to sleep in between.
                        while i % 97 == 0 && taken.load(Ordering::Relaxed) + THREADS * 97 < (i + 1) {
                            std::thread::yield_now();
                        }
                    }
                });
            }
            let mut next = [0; THREADS];
            let start = Instant::now();
            while taken.load(Ordering::Relaxed) < THREADS * EACH {
                assert!(start.elapsed() < LONG, "{next:?}");
                // A lost wake-up shows as this wait lasting, with something in the queue.
                let slept = Instant::now();
                poller.wait(&mut Vec::new(), Some(LONG)).unwrap();
                assert!(slept.elapsed() < LONG, "a wake-up was lost: {next:?}");
                for (thread, i) in queue.lock().unwrap().drain(..) {
                    assert_eq!(next[thread], i);
                    next[thread] += 1;
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        assert!(poller.stats().wakeups <= (THREADS * EACH) as u64 + 1);
    });
}

#[test]
fn ping_pong_between_two_pollers_never_stalls() {
    for_each_backend(|backend| {
        let (mut here, mut there) = (Poller::with_backend(backend).unwrap(), Poller::with_backend(backend).unwrap());
        let (to_here, to_there) = (here.waker().unwrap(), there.waker().unwrap());
        let start = Arc::new(Barrier::new(2));
        let ready = start.clone();
        let helper = std::thread::spawn(move || {
            ready.wait();
            for _ in 0..2000 {
                wait_for_wake(&mut there);
                to_here.wake().unwrap();
            }
            there
        });
        start.wait();
        for _ in 0..2000 {
            to_there.wake().unwrap();
            wait_for_wake(&mut here);
        }
        helper.join().unwrap();
    });
}

#[test]
fn a_reactors_waker_calls_its_own_callback_and_no_other() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<char>>::with_backend(backend).unwrap();
        let (a, wake_a) = reactor.add_waker(|_, log, _| log.push('a')).unwrap();
        let (b, wake_b) = reactor.add_waker(|_, log, _| log.push('b')).unwrap();
        let mut log = Vec::new();
        wake_b.wake().unwrap();
        wake_b.wake().unwrap();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, ['b']);
        wake_a.wake().unwrap();
        wake_b.wake().unwrap();
        assert!(reactor.remove(b) && !reactor.remove(b));
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, ['b', 'a']);
        assert!(reactor.contains(a) && !reactor.contains(b));
        reactor.waker().unwrap().wake().unwrap();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log.len(), 2, "a waker without a callback ends the wait, no more");
        drop(reactor);
        assert_eq!(common::errno(wake_a.wake()), libc::ESHUTDOWN);
    });
}

#[test]
fn a_waker_used_in_its_own_callback_calls_again_in_the_next_turn() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let own: Arc<Mutex<Option<fastsock::Waker>>> = Arc::default();
        let inside = own.clone();
        let (_, waker) = reactor
            .add_waker(move |_, count, _| {
                *count += 1;
                inside.lock().unwrap().as_ref().unwrap().wake().unwrap();
            })
            .unwrap();
        *own.lock().unwrap() = Some(waker.clone());
        waker.wake().unwrap();
        let mut count = 0;
        for turn in 1..=5 {
            reactor.turn(&mut count, Some(LONG)).unwrap();
            assert_eq!(count, turn);
        }
    });
}

#[test]
fn a_stop_or_a_panic_among_wakers_keeps_the_others_for_the_next_turn() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<u8>>::with_backend(backend).unwrap();
        let (_, stops) = reactor.add_waker(|reactor, log, _| (log.push(0), reactor.stop()).1).unwrap();
        let (panicking, panics) = reactor.add_waker(|_, _, _| panic!("on purpose")).unwrap();
        let (_, last) = reactor.add_waker(|_, log, _| log.push(2)).unwrap();
        for waker in [&stops, &panics, &last] {
            waker.wake().unwrap();
        }
        let mut log = Vec::new();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, [0]);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            reactor.turn(&mut log, Some(LONG)).unwrap();
        }));
        assert!(result.is_err() && log == [0] && !reactor.contains(panicking));
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, [0, 2]);
        assert_eq!(reactor.turn(&mut log, Some(Duration::ZERO)).unwrap(), 0);
    });
}
