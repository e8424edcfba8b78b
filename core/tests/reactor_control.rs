//! Stopping, panics, re-entrancy, replacement and death of a reactor.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{LONG, errno, for_each_backend, in_child, is_closed, open_descriptors, read_some, streams};
use fastsock::{Interest, Reactor, Repeat, Time, Token, Trigger};

const READ: Interest = Interest::READABLE;
const NOW: Option<Duration> = Some(Duration::ZERO);

/// Adds `count` streams with a byte to read; the callback tells the context its number. Gives the peers.
fn add_ready(reactor: &mut Reactor<'_, Vec<usize>>, count: usize) -> Vec<UnixStream> {
    let peers = (0..count).map(|i| {
        let (a, mut b) = streams();
        b.write_all(b"x").unwrap();
        reactor.add(a, READ, Trigger::OneShot, move |_, log: &mut Vec<usize>, _, _| log.push(i)).unwrap();
        b
    });
    peers.collect()
}

#[test]
fn run_ends_when_nothing_is_registered() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        assert!(reactor.is_empty());
        reactor.run(&mut ()).unwrap();
    });
}

#[test]
fn a_stop_before_run_makes_it_return_at_once_and_only_once() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<usize>>::with_backend(backend).unwrap();
        let _peers = add_ready(&mut reactor, 1);
        reactor.timer(Duration::ZERO, |reactor, _, _, _| reactor.stop()).unwrap();
        let mut log = Vec::new();
        reactor.stop();
        assert!(reactor.is_stopped());
        reactor.run(&mut log).unwrap();
        assert!(log.is_empty() && !reactor.is_stopped());
        reactor.run(&mut log).unwrap();
        assert!(!reactor.is_stopped(), "the timer's stop ended the second");
    });
}

#[test]
fn a_stop_in_a_callback_keeps_the_rest_for_the_next_run() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<usize>>::with_backend(backend).unwrap();
        let mut peers = Vec::new();
        for i in 0..5 {
            let (a, mut b) = streams();
            b.write_all(b"x").unwrap();
            peers.push(b);
            let callback = move |reactor: &mut Reactor<'_, Vec<usize>>, log: &mut Vec<usize>, _: &mut UnixStream, _| {
                log.push(i);
                reactor.stop();
            };
            reactor.add(a, READ, Trigger::OneShot, callback).unwrap();
        }
        let mut log = Vec::new();
        for calls in 1..=5 {
            reactor.run(&mut log).unwrap();
            assert_eq!(log.len(), calls);
        }
        log.sort();
        assert_eq!(log, [0, 1, 2, 3, 4]);
    });
}

#[test]
fn a_stop_in_a_callback_ends_a_dispatch_and_the_next_one_goes_on() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<usize>>::with_backend(backend).unwrap();
        let _peers = add_ready(&mut reactor, 3);
        reactor.timer(Duration::ZERO, |reactor, log, _, _| (log.push(100), reactor.stop()).1).unwrap();
        reactor.timer(Duration::ZERO, |_, log, _, _| log.push(101)).unwrap();
        let mut log = Vec::new();
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 1);
        assert!(log == [100] && reactor.is_stopped());
        let before = reactor.stats().turns;
        assert_eq!(reactor.turn(&mut log, None).unwrap(), 4);
        assert_eq!(reactor.stats().turns, before, "what is left is not waited for");
        assert_eq!(&log[..2], [100, 101]);
        assert_eq!(log.len(), 5);
    });
}

#[test]
fn waiting_or_running_inside_a_callback_is_ebusy() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let check = |reactor: &mut Reactor<'_, u32>, calls: &mut u32| {
            assert_eq!(errno(reactor.run(calls)), libc::EBUSY);
            assert_eq!(errno(reactor.turn(calls, NOW)), libc::EBUSY);
            assert_eq!(errno(reactor.wait(NOW)), libc::EBUSY);
            assert_eq!(errno(reactor.dispatch(calls)), libc::EBUSY);
            *calls += 1;
        };
        let (a, mut b) = streams();
        b.write_all(b"x").unwrap();
        reactor.add(a, READ, Trigger::OneShot, move |reactor, calls, _, _| check(reactor, calls)).unwrap();
        reactor.timer(Duration::ZERO, move |reactor, calls, _, _| check(reactor, calls)).unwrap();
        let (_, waker) = reactor.add_waker(move |reactor, calls, _| check(reactor, calls)).unwrap();
        waker.wake().unwrap();
        let mut calls = 0;
        reactor.turn(&mut calls, Some(LONG)).unwrap();
        assert_eq!(calls, 3);
        reactor.turn(&mut calls, NOW).unwrap();
    });
}

#[test]
fn another_reactor_may_run_inside_a_callback() {
    for_each_backend(|backend| {
        let mut outer = Reactor::<u32>::with_backend(backend).unwrap();
        outer
            .timer(Duration::ZERO, move |_, calls, _, _| {
                let mut inner = Reactor::<u32>::with_backend(backend).unwrap();
                inner.timer(Duration::ZERO, |_, calls, _, _| *calls += 1).unwrap();
                inner.run(calls).unwrap();
            })
            .unwrap();
        let mut calls = 0;
        outer.run(&mut calls).unwrap();
        assert_eq!(calls, 1);
    });
}

#[test]
fn a_panic_in_a_callback_costs_its_source_alone() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<usize>>::with_backend(backend).unwrap();
        let (a, mut b) = streams();
        b.write_all(b"x").unwrap();
        let token = reactor.add(a, READ, Trigger::Level, |_, _, _, _| panic!("on purpose")).unwrap();
        let mut log = Vec::new();
        let _peers = add_ready(&mut reactor, 4);
        let timer = reactor.timer(Duration::ZERO, |_, _, _, _| panic!("on purpose")).unwrap();
        let rate = Repeat::FixedRate(Duration::from_secs(1));
        let repeating = reactor.timer_repeating(Time::now(), rate, |_, _, _, _| panic!("on purpose")).unwrap();
        let mut panics = 0;
        for _ in 0..6 {
            let turn = catch_unwind(AssertUnwindSafe(|| reactor.turn(&mut log, NOW).unwrap()));
            panics += u32::from(turn.is_err());
        }
        assert_eq!(panics, 3);
        log.sort();
        assert_eq!(log, [0, 1, 2, 3], "the others were called");
        assert!(![token, timer, repeating].iter().any(|&token| reactor.contains(token)));
        assert!(is_closed(&mut b));
        assert!(reactor.wait(NOW).is_ok(), "and the reactor runs on");
    });
}

#[test]
fn a_reactor_may_be_replaced_inside_a_callback() {
    for_each_backend(|backend| {
        // The new one has sources under the very same tokens.
        let kept: Rc<RefCell<Option<Reactor<'_, Vec<usize>>>>> = Rc::default();
        let mut other = Reactor::<Vec<usize>>::with_backend(backend).unwrap();
        let mut peers = add_ready(&mut other, 3);
        let mut reactor = Reactor::<Vec<usize>>::with_backend(backend).unwrap();
        let (a, mut b) = streams();
        b.write_all(b"x").unwrap();
        let (place, mut next) = (kept.clone(), Some(other));
        reactor
            .add(a, READ, Trigger::Level, move |reactor, log, _, _| match next.take() {
                Some(next) => {
                    log.push(1000);
                    *place.borrow_mut() = Some(std::mem::replace(reactor, next));
                }
                None => log.push(1001),
            })
            .unwrap();
        let mut log = Vec::new();
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 1);
        assert_eq!(log, [1000]);
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 3, "the new one is whole");
        let mut old = kept.take().unwrap();
        let mut more = add_ready(&mut old, 2);
        assert_eq!(old.turn(&mut log, Some(LONG)).unwrap(), 3, "and so is the old one");
        log.sort();
        assert_eq!(log, [0, 0, 1, 1, 2, 1000, 1001]);
        drop(old);
        assert!(is_closed(&mut b));
        peers.append(&mut more);
    });
}

#[test]
fn a_callback_that_panics_after_it_has_moved_the_reactor_away_keeps_its_source_open_while_that_watches_it() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        b.write_all(b"x").unwrap();
        let kept = Rc::new(RefCell::new(None));
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let place = kept.clone();
        let token = reactor
            .add(a, Interest::READABLE, Trigger::Level, move |reactor, _, _, _| {
                if place.borrow().is_none() {
                    let next = Reactor::with_backend(backend).unwrap();
                    *place.borrow_mut() = Some(std::mem::replace(reactor, next));
                    panic!("on purpose");
                }
            })
            .unwrap();
        catch_unwind(AssertUnwindSafe(|| reactor.turn(&mut (), Some(LONG)))).unwrap_err();
        let mut old = kept.borrow_mut().take().unwrap();
        assert!(old.contains(token));
        assert_eq!(read_some(&mut b, 1), None, "open still");
        assert!(old.remove(token));
        old.turn(&mut (), Some(Duration::ZERO)).unwrap();
        assert!(is_closed(&mut b));
    });
}

#[test]
fn what_is_done_after_each_callback_may_remove_the_next() {
    let mut reactor = Reactor::<Vec<usize>>::new().unwrap();
    let now = Time::now();
    let tokens: Vec<Token> =
        (0..4).map(|i| reactor.timer_at(now, move |_, log: &mut Vec<usize>, _, _| log.push(i)).unwrap()).collect();
    let mut log = Vec::new();
    reactor.wait(Some(LONG)).unwrap();
    let after = |reactor: &mut Reactor<'_, Vec<usize>>, log: &mut Vec<usize>| {
        assert!(!reactor.contains(tokens[log[0]]), "what ended with the callback is gone");
        reactor.remove(tokens[1]);
        if log.len() == 2 {
            reactor.stop();
        }
    };
    assert_eq!(reactor.dispatch_and(&mut log, after).unwrap(), 2);
    assert_eq!(log, [0, 2]);
    reactor.dispatch(&mut log).unwrap();
    assert_eq!(log, [0, 2, 3]);
}

#[test]
fn a_reactor_may_be_replaced_inside_a_timers_or_wakers_callback() {
    for_each_backend(|backend| {
        let fresh = move || {
            let mut reactor = Reactor::<Vec<u8>>::with_backend(backend).unwrap();
            reactor.timer(Duration::ZERO, |_, log, _, _| log.push(b't')).unwrap();
            let (_, waker) = reactor.add_waker(|_, log, _| log.push(b'w')).unwrap();
            waker.wake().unwrap();
            reactor
        };
        let mut reactor = Reactor::<Vec<u8>>::with_backend(backend).unwrap();
        let in_timer = move |reactor: &mut Reactor<'static, Vec<u8>>, log: &mut Vec<u8>, _, _| {
            log.push(b'1');
            drop(std::mem::replace(reactor, fresh()));
        };
        reactor.timer(Duration::ZERO, in_timer).unwrap();
        let mut log = Vec::new();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, b"1tw");

        let mut reactor = Reactor::<Vec<u8>>::with_backend(backend).unwrap();
        let in_waker = move |reactor: &mut Reactor<'static, Vec<u8>>, log: &mut Vec<u8>, _| {
            log.push(b'2');
            drop(std::mem::replace(reactor, fresh()));
        };
        let (_, waker) = reactor.add_waker(in_waker).unwrap();
        waker.wake().unwrap();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, b"1tw2tw");
    });
}

#[test]
fn a_reactor_that_was_swapped_away_keeps_the_timer_and_the_waker_whose_callback_did_it() {
    for_each_backend(|backend| {
        let mut spare = Reactor::<u32>::with_backend(backend).unwrap();
        let kept: Rc<RefCell<Option<Reactor<'static, u32>>>> = Rc::default();
        // Swaps the running reactor away at every call.
        let swap = move |reactor: &mut Reactor<'static, u32>,
                         calls: &mut u32,
                         place: &RefCell<Option<Reactor<'static, u32>>>| {
            *calls += 1;
            let other = Reactor::with_backend(backend).unwrap();
            *place.borrow_mut() = Some(std::mem::replace(reactor, other));
        };
        let (in_timer, in_waker) = (kept.clone(), kept.clone());
        let rate = Repeat::FixedRate(Duration::from_nanos(1));
        let timer = spare.timer_repeating(Time::now(), rate, move |r, calls, _, _| swap(r, calls, &in_timer)).unwrap();
        let once = spare.timer_at(Time::now(), |_, calls, _, _| *calls += 100).unwrap();
        let (_, waker) = spare.add_waker(move |r, calls, _| swap(r, calls, &in_waker)).unwrap();
        let mut calls = 0;
        let turn = |reactor: Reactor<'static, u32>, calls: &mut u32| {
            let mut reactor = reactor;
            reactor.turn(calls, Some(LONG)).unwrap();
            kept.take().unwrap_or(reactor)
        };
        for _ in 0..6 {
            spare = turn(spare, &mut calls);
        }
        assert!(calls > 102 && !spare.contains(once), "{calls}: the timer repeats, the other fired");
        assert!(spare.remove(timer));
        spare.turn(&mut calls, Some(Duration::ZERO)).unwrap();
        calls = 0;
        for expected in 1..=3 {
            waker.wake().unwrap();
            spare = turn(spare, &mut calls);
            assert_eq!(calls, expected);
        }
    });
}

#[test]
fn a_dropped_reactor_leaves_no_descriptor_open() {
    in_child("a_dropped_reactor_leaves_no_descriptor_open", |backend| {
        let before = open_descriptors();
        let mut reactor = Reactor::<Vec<usize>>::with_backend(backend).unwrap();
        let peers = add_ready(&mut reactor, 50);
        let (_, waker) = reactor.add_waker(|_, _, _| {}).unwrap();
        reactor.timer(Duration::from_secs(1), |_, _, _, _| {}).unwrap();
        reactor.wait(Some(LONG)).unwrap();
        drop((reactor, waker, peers));
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn wait_calls_nothing_and_dispatch_does_not_wait() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<usize>>::with_backend(backend).unwrap();
        let mut log = Vec::new();
        let start = Instant::now();
        reactor.timer(Duration::from_secs(60), |_, _, _, _| {}).unwrap();
        assert_eq!(reactor.dispatch(&mut log).unwrap(), 0);
        let _peers = add_ready(&mut reactor, 2);
        assert_eq!(reactor.wait(Some(LONG)).unwrap(), 2);
        assert!(log.is_empty());
        assert_eq!(reactor.wait(None).unwrap(), 2, "harvested already");
        assert_eq!(reactor.dispatch(&mut log).unwrap(), 2);
        assert_eq!(reactor.dispatch(&mut log).unwrap(), 0);
        assert!(start.elapsed() < LONG);
    });
}

#[test]
fn the_counters_count() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<usize>>::with_backend(backend).unwrap();
        let _peers = add_ready(&mut reactor, 3);
        reactor.timer(Duration::ZERO, |_, _, _, _| {}).unwrap();
        reactor.waker().unwrap().wake().unwrap();
        reactor.turn(&mut Vec::new(), Some(LONG)).unwrap();
        let stats = reactor.stats();
        assert_eq!((stats.turns, stats.events, stats.wakeups, stats.timers_fired), (1, 3, 1, 1));
        assert_eq!((stats.stale_events, stats.rebuilds), (0, 0));
    });
}
