//! Many sources, large numbers, small limits: everyone gets a turn.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashMap;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use common::{allow_descriptors, duplicate, for_each_backend, look, read_some, streams, wait_for};
use fastsock::{Interest, Poller, Trigger};

const READ: Interest = Interest::READABLE;

#[test]
fn descriptors_far_beyond_1024_work_on_every_backend() {
    allow_descriptors(8000);
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        let high = duplicate(&a, 7000);
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(high.as_fd(), READ | Interest::WRITABLE | Interest::PRIORITY, Trigger::Level).unwrap();
        assert!(!wait_for(&mut poller, token).is_readable());
        b.write_all(b"x").unwrap();
        assert!(wait_for(&mut poller, token).is_readable());
        poller.modify(token, Interest::PRIORITY, Trigger::Level).unwrap();
        assert!(look(&mut poller).is_empty());
        poller.modify(token, READ, Trigger::OneShot).unwrap();
        wait_for(&mut poller, token);
        assert!(look(&mut poller).is_empty());
        assert!(poller.remove(token));
    });
}

#[test]
fn two_thousand_ready_sources_are_all_seen_within_few_waits() {
    allow_descriptors(6000);
    for_each_backend(|backend| {
        let pairs: Vec<(UnixStream, UnixStream)> = (0..2000).map(|_| streams()).collect();
        let mut poller = Poller::with_backend(backend).unwrap();
        for (a, b) in &pairs {
            poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
            (&mut &*b).write_all(b"x").unwrap();
        }
        let mut seen = HashMap::new();
        let mut waits = 0;
        while seen.len() < pairs.len() {
            waits += 1;
            assert!(waits <= 8, "{} of {} after {waits} waits", seen.len(), pairs.len());
            for event in look(&mut poller) {
                *seen.entry(event.token()).or_insert(0) += 1;
            }
        }
        assert_eq!(look(&mut poller).len(), pairs.len(), "and all at once when the buffer has grown");
    });
}

#[test]
fn a_small_limit_serves_all_in_turn() {
    for_each_backend(|backend| {
        let pairs: Vec<(UnixStream, UnixStream)> = (0..100).map(|_| streams()).collect();
        let mut poller = Poller::with_backend(backend).unwrap();
        for (a, b) in &pairs {
            poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
            (&mut &*b).write_all(b"x").unwrap();
        }
        for limit in [1, 3, 7, 64] {
            let mut counts = HashMap::new();
            let mut events = Vec::new();
            for _ in 0..(300 / limit + 2) {
                let n = poller.wait_at_most(&mut events, limit, Some(Duration::ZERO)).unwrap();
                assert_eq!((n, events.len()), (limit, limit));
                for event in &events {
                    *counts.entry(event.token()).or_insert(0) += 1;
                }
            }
            assert_eq!(counts.len(), pairs.len(), "limit {limit}: somebody starves");
            let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
            assert!(most - least <= 3, "limit {limit}: between {least} and {most} turns");
        }
    });
}

#[test]
fn a_limit_of_one_alternates_between_two_neighbours() {
    for_each_backend(|backend| {
        let ((a, mut b), (c, mut d)) = (streams(), streams());
        b.write_all(b"x").unwrap();
        d.write_all(b"x").unwrap();
        let mut poller = Poller::with_backend(backend).unwrap();
        poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
        poller.add(c.as_fd(), READ, Trigger::Level).unwrap();
        let mut events = Vec::new();
        let mut turn = || {
            poller.wait_at_most(&mut events, 1, Some(Duration::ZERO)).unwrap();
            events[0].token()
        };
        let first = turn();
        for _ in 0..5 {
            let (second, third) = (turn(), turn());
            assert!(second != first && third == first);
        }
    });
}

#[test]
fn a_limit_does_not_shut_the_waker_out() {
    for_each_backend(|backend| {
        let pairs: Vec<(UnixStream, UnixStream)> = (0..5).map(|_| streams()).collect();
        let mut poller = Poller::with_backend(backend).unwrap();
        for (a, b) in &pairs {
            poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
            (&mut &*b).write_all(b"x").unwrap();
        }
        poller.waker().unwrap().wake().unwrap();
        let mut events = Vec::new();
        let woken = (0..=pairs.len()).any(|_| {
            poller.wait_at_most(&mut events, 1, Some(Duration::ZERO)).unwrap();
            poller.take_woken()
        });
        assert!(woken);
    });
}

#[test]
fn room_for_no_event_is_an_error() {
    for_each_backend(|backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let result = poller.wait_at_most(&mut Vec::new(), 0, Some(Duration::ZERO));
        assert_eq!(common::errno(result), libc::EINVAL);
    });
}

#[test]
fn the_sets_shrink_and_grow_without_mixing_sources_up() {
    for_each_backend(|backend| {
        let mut pairs: Vec<(UnixStream, UnixStream)> = (0..64).map(|_| streams()).collect();
        let owned: Vec<_> = pairs.iter().map(|(a, _)| a.try_clone().unwrap()).collect();
        let mut poller = Poller::with_backend(backend).unwrap();
        let mut tokens: Vec<_> = owned.iter().map(|a| poller.add(a.as_fd(), READ, Trigger::Level).unwrap()).collect();
        // Every third goes, half of those come back.
        for i in (0..64).step_by(3) {
            assert!(poller.remove(tokens[i]));
            if i % 2 == 0 {
                tokens[i] = poller.add(owned[i].as_fd(), READ, Trigger::Level).unwrap();
            }
        }
        for (i, (a, b)) in pairs.iter_mut().enumerate() {
            b.write_all(b"x").unwrap();
            if poller.contains(tokens[i]) {
                wait_for(&mut poller, tokens[i]);
            } else {
                assert!(look(&mut poller).is_empty());
            }
            read_some(a, 1).unwrap();
        }
        assert!(owned[0].as_raw_fd() >= 0);
    });
}
