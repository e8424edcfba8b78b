//! After fork(2): the parent's set is the parent's, and the child makes its own.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

use common::{LONG, for_each_backend, look, streams, wait_for};
use fastsock::{Interest, Poller, Reactor, Trigger, Waker};

const READ: Interest = Interest::READABLE;

/// Runs `body` in a forked child, which prints nothing, panics nowhere (another thread may hold any lock) and ends with
/// the number of the first check that failed, or 0.
fn in_fork(body: impl FnOnce() -> Result<(), i32>) {
    // SAFETY: the child uses memory, descriptors and the crate under test, and leaves by _exit.
    let status = unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            // Should the child hang, it does not for ever, and the parent sees a signal.
            libc::alarm(20);
            libc::_exit(body().err().unwrap_or(0));
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        status
    };
    assert_eq!(status, 0, "check {} failed in the child", libc::WEXITSTATUS(status));
}

fn check(number: i32, holds: bool) -> Result<(), i32> {
    if holds { Ok(()) } else { Err(number) }
}

/// Waits for one event in the child and says whether it was this token's.
fn comes(poller: &mut Poller<'_>, token: fastsock::Token) -> bool {
    let mut events = Vec::new();
    let n = poller.wait(&mut events, Some(LONG));
    n.is_ok_and(|n| n == 1) && events[0].token() == token
}

fn code<T>(result: std::io::Result<T>) -> i32 {
    result.err().map_or(0, |error| fastsock::errno(&error))
}

#[test]
fn use_after_an_unannounced_fork_is_echild() {
    for_each_backend(|backend| {
        let ((a, _b), (c, _d)) = (streams(), streams());
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(a.as_fd(), READ, Trigger::OneShot).unwrap();
        in_fork(|| {
            let mut events = Vec::new();
            check(1, code(poller.wait(&mut events, Some(Duration::ZERO))) == libc::ECHILD)?;
            check(2, code(poller.add(c.as_fd(), READ, Trigger::Level)) == libc::ECHILD)?;
            check(3, code(poller.modify(token, Interest::NONE, Trigger::Level)) == libc::ECHILD)?;
            check(4, code(poller.rearm(token)) == libc::ECHILD)?;
            check(5, code(poller.waker()) == libc::ECHILD)?;
            check(6, poller.contains(token))
        });
    });
}

#[test]
fn what_the_child_removes_or_drops_stays_with_the_parent() {
    for_each_backend(|backend| {
        let pairs: Vec<_> = (0..3).map(|_| streams()).collect();
        let mut reactor = Reactor::<Vec<usize>>::with_backend(backend).unwrap();
        let mut tokens = Vec::new();
        for (i, (a, _)) in pairs.iter().enumerate() {
            let source = a.try_clone().unwrap();
            let callback = move |_: &mut Reactor<'_, Vec<usize>>, log: &mut Vec<usize>, _: &mut _, _| log.push(i);
            tokens.push(reactor.add(source, READ, Trigger::OneShot, callback).unwrap());
        }
        let mut holder = Some(reactor);
        in_fork(|| {
            let Some(mut reactor) = holder.take() else { return Err(1) };
            check(2, reactor.remove(tokens[0]) && !reactor.contains(tokens[0]))?;
            drop(reactor);
            Ok(())
        });
        let mut reactor = holder.take().unwrap();
        for (_, b) in &pairs {
            (&mut &*b).write_all(b"x").unwrap();
        }
        let mut log = Vec::new();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        log.sort();
        assert_eq!(log, [0, 1, 2]);
    });
}

#[test]
fn after_reinit_the_child_waits_in_a_set_of_its_own() {
    for_each_backend(|backend| {
        let ((a, mut b), (c, mut d)) = (streams(), streams());
        let mut poller = Poller::with_backend(backend).unwrap();
        let first = poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
        in_fork(|| {
            check(1, poller.reinit().is_ok())?;
            check(2, b.write_all(b"x").is_ok() && comes(&mut poller, first))?;
            check(3, poller.remove(first))?;
            let second = poller.add(c.as_fd(), READ, Trigger::Level).map_err(|_| 4)?;
            check(5, d.write_all(b"y").is_ok() && comes(&mut poller, second))?;
            poller.modify(second, Interest::NONE, Trigger::Level).map_err(|_| 6)?;
            check(7, poller.stats().stale_events == 0)
        });
        wait_for(&mut poller, first);
        common::read_some(&mut &a, 9).unwrap();
        assert!(look(&mut poller).is_empty(), "the child's second source is not in the parent's set");
        assert_eq!(poller.stats().stale_events, 0);
    });
}

#[test]
fn modes_survive_reinit() {
    for_each_backend(|backend| {
        let ((a, mut b), (c, mut d)) = (streams(), streams());
        let mut poller = Poller::with_backend(backend).unwrap();
        let fired = poller.add(a.as_fd(), READ, Trigger::OneShot).unwrap();
        let none = poller.add(c.as_fd(), Interest::NONE, Trigger::Level).unwrap();
        b.write_all(b"x").unwrap();
        d.write_all(b"x").unwrap();
        wait_for(&mut poller, fired);
        in_fork(|| {
            check(1, poller.reinit().is_ok())?;
            let mut events = Vec::new();
            check(2, poller.wait(&mut events, Some(Duration::ZERO)).is_ok_and(|n| n == 0))?;
            check(3, poller.rearm(fired).is_ok() && comes(&mut poller, fired))?;
            check(4, poller.modify(none, READ, Trigger::Level).is_ok() && comes(&mut poller, none))
        });
    });
}

#[test]
fn a_waker_wakes_the_child_in_the_child_and_the_parent_in_the_parent() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let (_, waker) = reactor.add_waker(|_, calls, _| *calls += 1).unwrap();
        let woken = |reactor: &mut Reactor<'_, u32>, waker: &Waker| {
            let mut calls = 0;
            (waker.wake().is_ok() && reactor.turn(&mut calls, Some(LONG)).is_ok()).then_some(calls)
        };
        assert_eq!(woken(&mut reactor, &waker), Some(1));
        in_fork(|| {
            check(1, reactor.reinit().is_ok())?;
            // What reinit itself brings up is done with first.
            check(2, reactor.turn(&mut 0, Some(Duration::ZERO)).is_ok())?;
            for number in 3..10 {
                check(number, woken(&mut reactor, &waker) == Some(1))?;
            }
            Ok(())
        });
        let mut calls = 0;
        reactor.turn(&mut calls, Some(Duration::ZERO)).unwrap();
        assert_eq!(calls, 0, "the child's wake-ups were its own");
        assert_eq!(woken(&mut reactor, &waker), Some(1));
    });
}

#[test]
fn timers_go_on_in_the_child() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        reactor.timer(Duration::from_millis(1), |_, calls, _, _| *calls += 1).unwrap();
        in_fork(|| {
            let mut calls = 0;
            check(1, code(reactor.run(&mut calls)) == libc::ECHILD)?;
            check(2, reactor.reinit().is_ok() && reactor.run(&mut calls).is_ok() && calls == 1)
        });
        let mut calls = 0;
        reactor.run(&mut calls).unwrap();
        assert_eq!(calls, 1, "and in the parent");
    });
}

#[test]
fn reinit_without_a_fork_changes_nothing_that_shows() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
        let waker = poller.waker().unwrap();
        waker.wake().unwrap();
        poller.reinit().unwrap();
        assert!(poller.take_woken(), "a wake-up under way is kept");
        assert!(look(&mut poller).is_empty());
        b.write_all(b"x").unwrap();
        wait_for(&mut poller, token);
    });
}
