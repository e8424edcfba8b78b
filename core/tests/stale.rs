//! A duplicate of a closed descriptor keeps the kernel's registration alive, which nothing but a new set can end.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use common::{duplicate, for_each_backend, look, replace, streams, wait_for};
use fastsock::{Backend, Interest, Poller, Trigger, Waker};

const READ: Interest = Interest::READABLE;

/// A registration that reports, though its number belongs to another file and its token is removed.
struct Ghost {
    _number: OwnedFd,
    _alive: OwnedFd,
    _peers: [std::os::unix::net::UnixStream; 4],
}

fn ghost(poller: &mut Poller<'static>) -> Ghost {
    let ((a, mut b), (c, d)) = (streams(), streams());
    let number = duplicate(&a, 3);
    // SAFETY: closed before it is removed, on purpose: that is the accident this file is about.
    let token = unsafe { poller.add_raw(number.as_raw_fd(), READ, Trigger::Level) }.unwrap();
    let alive = duplicate(&a, 3);
    replace(&number, &c);
    b.write_all(b"for nobody").unwrap();
    assert!(poller.remove(token));
    Ghost { _number: number, _alive: alive, _peers: [a, b, c, d] }
}

#[test]
fn its_events_are_dropped_and_counted_and_the_set_is_made_anew_once() {
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let _ghost = ghost(&mut poller);
    assert!(look(&mut poller).is_empty());
    assert_eq!((poller.stats().stale_events, poller.stats().rebuilds), (1, 1));
    let (mut events, start) = (Vec::new(), Instant::now());
    assert_eq!(poller.wait(&mut events, Some(Duration::from_millis(30))).unwrap(), 0);
    assert!(start.elapsed() >= Duration::from_millis(30), "no spin");
    assert_eq!((poller.stats().stale_events, poller.stats().rebuilds), (1, 1));
}

#[test]
fn all_other_sources_live_on_in_the_new_set_in_their_modes() {
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let pairs: Vec<_> = (0..5).map(|_| streams()).collect();
    let modes = [
        (READ, Trigger::Level),
        (READ, Trigger::Edge),
        (READ, Trigger::OneShot),
        (READ, Trigger::OneShot),
        (Interest::NONE, Trigger::Level),
    ];
    let tokens: Vec<_> = pairs
        .iter()
        .zip(modes)
        // SAFETY: the streams outlive the poller's last use.
        .map(|((a, _), (interest, mode))| unsafe { poller.add_raw(a.as_raw_fd(), interest, mode) }.unwrap())
        .collect();
    let (level, edge, fired, fresh, none) = (tokens[0], tokens[1], tokens[2], tokens[3], tokens[4]);
    let write = |index: usize| (&pairs[index].1).write_all(b"x").unwrap();
    write(2);
    wait_for(&mut poller, fired);

    let _ghost = ghost(&mut poller);
    assert!(look(&mut poller).is_empty());
    assert_eq!(poller.stats().rebuilds, 1);

    assert!(look(&mut poller).is_empty(), "the one-shot that fired stays silent");
    write(4);
    assert!(look(&mut poller).is_empty(), "no interest is none");
    poller.modify(none, READ, Trigger::OneShot).unwrap();
    wait_for(&mut poller, none);
    poller.rearm(fired).unwrap();
    wait_for(&mut poller, fired);
    write(3);
    wait_for(&mut poller, fresh);
    assert!(look(&mut poller).is_empty());
    write(1);
    wait_for(&mut poller, edge);
    assert!(look(&mut poller).is_empty());
    write(0);
    wait_for(&mut poller, level);
    wait_for(&mut poller, level);
    assert!(tokens.iter().all(|&token| poller.remove(token)));
}

#[test]
fn the_waker_lives_on_in_the_new_set() {
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let waker: Waker = poller.waker().unwrap();
    let _ghost = ghost(&mut poller);
    assert!(look(&mut poller).is_empty());
    assert_eq!(poller.stats().rebuilds, 1);
    poller.take_woken();
    for _ in 0..3 {
        waker.wake().unwrap();
        let mut events = Vec::new();
        assert_eq!(poller.wait(&mut events, Some(common::LONG)).unwrap(), 0);
        assert!(poller.take_woken());
    }
}

#[test]
fn events_that_came_in_the_same_batch_are_delivered() {
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let (a, mut b) = streams();
    // SAFETY: the stream outlives the poller's last use.
    let token = unsafe { poller.add_raw(a.as_raw_fd(), READ, Trigger::Edge) }.unwrap();
    let _ghost = ghost(&mut poller);
    b.write_all(b"x").unwrap();
    wait_for(&mut poller, token);
    assert_eq!(poller.stats().rebuilds, 1);
}

#[test]
fn the_other_backends_know_no_ghosts() {
    for_each_backend(|backend| {
        if backend == Backend::Epoll {
            return;
        }
        let mut poller = Poller::with_backend(backend).unwrap();
        let _ghost = ghost(&mut poller);
        assert!(look(&mut poller).is_empty());
        assert_eq!(poller.stats().stale_events, 0);
    });
}
