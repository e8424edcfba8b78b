//! Level, edge, one-shot and exclusive: when a source that is ready is reported.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::time::Instant;

use common::{LONG, errno, for_each_backend, look, read_some, streams, wait, wait_for};
use fastsock::{Backend, Interest, Mode, Poller, Trigger};

const READ: Interest = Interest::READABLE;

#[test]
fn level_is_reported_until_it_is_no_longer_ready() {
    for_each_backend(|backend| {
        let (mut a, mut b) = streams();
        let reader = a.try_clone().unwrap();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(reader.as_fd(), READ, Trigger::Level).unwrap();
        assert!(look(&mut poller).is_empty());
        b.write_all(b"abc").unwrap();
        for _ in 0..3 {
            wait_for(&mut poller, token);
        }
        assert_eq!(read_some(&mut a, 2).unwrap(), b"ab");
        wait_for(&mut poller, token);
        assert_eq!(read_some(&mut a, 2).unwrap(), b"c");
        assert!(look(&mut poller).is_empty());
    });
}

#[test]
fn edge_is_reported_once_for_each_arrival_and_not_for_a_partial_read() {
    let (mut a, mut b) = streams();
    let reader = a.try_clone().unwrap();
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let token = poller.add(reader.as_fd(), READ, Trigger::Edge).unwrap();
    b.write_all(b"abcd").unwrap();
    wait_for(&mut poller, token);
    assert!(look(&mut poller).is_empty());
    read_some(&mut a, 2).unwrap();
    assert!(look(&mut poller).is_empty(), "a partial read is no new edge");
    b.write_all(b"e").unwrap();
    wait_for(&mut poller, token);
    assert_eq!(read_some(&mut a, 9).unwrap(), b"cde");
    assert!(look(&mut poller).is_empty());
}

#[test]
fn rearm_fires_an_edge_that_is_still_ready_and_none_that_is_not() {
    let (mut a, mut b) = streams();
    let reader = a.try_clone().unwrap();
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let token = poller.add(reader.as_fd(), READ, Trigger::Edge).unwrap();
    b.write_all(b"ab").unwrap();
    wait_for(&mut poller, token);
    read_some(&mut a, 1).unwrap();
    poller.rearm(token).unwrap();
    wait_for(&mut poller, token);
    assert!(look(&mut poller).is_empty());
    read_some(&mut a, 9).unwrap();
    poller.rearm(token).unwrap();
    assert!(look(&mut poller).is_empty());
}

#[test]
fn each_datagram_is_an_edge_though_the_last_is_unread() {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    b.connect(a.local_addr().unwrap()).unwrap();
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let token = poller.add(a.as_fd(), READ, Trigger::Edge).unwrap();
    for _ in 0..3 {
        b.send(b"x").unwrap();
        wait_for(&mut poller, token);
        assert!(look(&mut poller).is_empty());
    }
}

#[test]
fn edges_of_both_directions_are_one_event() {
    let (a, mut b) = streams();
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    b.write_all(b"x").unwrap();
    let token = poller.add(a.as_fd(), READ | Interest::WRITABLE, Trigger::Edge).unwrap();
    let event = wait_for(&mut poller, token);
    assert!(event.is_readable() && event.is_writable());
    assert!(look(&mut poller).is_empty());
    b.write_all(b"y").unwrap();
    assert!(wait_for(&mut poller, token).is_readable());
}

#[test]
fn an_edge_stays_one_when_the_interest_changes() {
    let (a, mut b) = streams();
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let token = poller.add(a.as_fd(), READ, Trigger::Edge).unwrap();
    b.write_all(b"x").unwrap();
    assert!(!wait_for(&mut poller, token).ready().is_writable());
    poller.modify(token, READ | Interest::WRITABLE, Trigger::Edge).unwrap();
    let both = wait_for(&mut poller, token).ready();
    assert!(both.is_readable() && both.is_writable());
    assert!(look(&mut poller).is_empty());
}

#[test]
fn one_shot_is_silent_after_one_event_until_rearmed() {
    for_each_backend(|backend| {
        let (mut a, mut b) = streams();
        let reader = a.try_clone().unwrap();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(reader.as_fd(), READ, Trigger::OneShot).unwrap();
        b.write_all(b"1").unwrap();
        wait_for(&mut poller, token);
        b.write_all(b"2").unwrap();
        assert!(look(&mut poller).is_empty());
        poller.rearm(token).unwrap();
        wait_for(&mut poller, token);
        assert!(look(&mut poller).is_empty());
        read_some(&mut a, 9).unwrap();
        poller.rearm(token).unwrap();
        assert!(look(&mut poller).is_empty(), "nothing to read");
        b.write_all(b"3").unwrap();
        wait_for(&mut poller, token);
    });
}

#[test]
fn one_shot_that_fired_is_silent_even_when_the_peer_hangs_up() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(a.as_fd(), READ, Trigger::OneShot).unwrap();
        b.write_all(b"1").unwrap();
        wait_for(&mut poller, token);
        drop(b);
        assert!(look(&mut poller).is_empty());
        poller.modify(token, READ, Trigger::OneShot).unwrap();
        assert!(wait_for(&mut poller, token).is_readable());
    });
}

#[test]
fn the_trigger_can_be_changed_and_the_change_takes_hold_at_once() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(a.as_fd(), READ, Trigger::OneShot).unwrap();
        b.write_all(b"1").unwrap();
        wait_for(&mut poller, token);
        poller.modify(token, READ, Trigger::Level).unwrap();
        wait_for(&mut poller, token);
        wait_for(&mut poller, token);
        poller.modify(token, READ, Trigger::OneShot).unwrap();
        wait_for(&mut poller, token);
        assert!(look(&mut poller).is_empty());
    });
}

#[test]
fn rearm_of_a_level_source_changes_nothing() {
    for_each_backend(|backend| {
        let (a, _b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
        poller.rearm(token).unwrap();
        assert!(look(&mut poller).is_empty());
    });
}

#[test]
fn a_mode_that_the_backend_lacks_is_refused_with_a_sentence() {
    for_each_backend(|backend| {
        let (a, b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let level = poller.add(b.as_fd(), READ, Trigger::Level).unwrap();
        if backend.has_edge() {
            assert!(poller.add(a.as_fd(), READ, Trigger::Edge).is_ok());
            return;
        }
        for mode in [Mode::from(Trigger::Edge), Mode::from(Trigger::Level).exclusive()] {
            let error = poller.add(a.as_fd(), READ, mode).unwrap_err();
            assert_eq!(fastsock::errno(&error), libc::EOPNOTSUPP);
            assert!(error.to_string().contains("epoll backend"), "{error}");
            assert_eq!(errno(poller.modify(level, READ, mode)), libc::EOPNOTSUPP);
        }
        assert_eq!(poller.len(), 1, "what was refused is not registered");
        assert!(poller.add(a.as_fd(), READ, Trigger::Level).is_ok());
    });
}

#[test]
fn exclusive_goes_with_neither_one_shot_nor_priority() {
    let (a, _b) = streams();
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let oneshot = Mode::from(Trigger::OneShot).exclusive();
    assert_eq!(errno(poller.add(a.as_fd(), READ, oneshot)), libc::EINVAL);
    let level = Mode::from(Trigger::Level).exclusive();
    assert_eq!(errno(poller.add(a.as_fd(), READ | Interest::PRIORITY, level)), libc::EINVAL);
    assert!(poller.add(a.as_fd(), READ, level).is_ok());
}

#[test]
fn an_exclusive_source_can_be_modified_rearmed_and_made_ordinary() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let edge = Mode::from(Trigger::Edge).exclusive();
    let token = poller.add(listener.as_fd(), READ, edge).unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    wait_for(&mut poller, token);
    assert!(look(&mut poller).is_empty());
    poller.rearm(token).unwrap();
    wait_for(&mut poller, token);
    for mode in [Mode::from(Trigger::Level).exclusive(), Trigger::Level.into(), Mode::from(Trigger::Level).exclusive()]
    {
        poller.modify(token, READ, mode).unwrap();
        wait_for(&mut poller, token);
        wait_for(&mut poller, token);
        poller.modify(token, Interest::NONE, mode).unwrap();
        assert!(look(&mut poller).is_empty());
    }
    assert!(poller.remove(token));
}

/// Waits until this thread of ours sleeps in an epoll wait.
fn await_sleep(thread: i32) {
    let (path, start) = (format!("/proc/self/task/{thread}/syscall"), Instant::now());
    let waits = [libc::SYS_epoll_wait, libc::SYS_epoll_pwait2].map(|number| format!("{number} "));
    while !std::fs::read_to_string(&path).is_ok_and(|call| waits.iter().any(|wait| call.starts_with(wait))) {
        assert!(start.elapsed() < LONG);
        std::thread::yield_now();
    }
}

#[test]
fn of_several_exclusive_pollers_one_connection_does_not_wake_all() {
    const POLLERS: usize = 4;
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (tell, told) = mpsc::channel();
    let woken = std::thread::scope(|scope| {
        let mut wakers = Vec::new();
        let mut threads = Vec::new();
        for _ in 0..POLLERS {
            let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
            wakers.push(poller.waker().unwrap());
            poller.add(listener.as_fd(), READ, Mode::from(Trigger::Edge).exclusive()).unwrap();
            let tell = tell.clone();
            threads.push(scope.spawn(move || {
                // SAFETY: takes nothing and cannot fail.
                tell.send(unsafe { libc::gettid() }).unwrap();
                let mut events = Vec::new();
                let woken = poller.wait(&mut events, Some(LONG)).unwrap();
                tell.send(0).unwrap();
                (woken, poller) // Which stays alive until all are awake.
            }));
        }
        (0..POLLERS).for_each(|_| await_sleep(told.recv().unwrap()));
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(told.recv_timeout(LONG).unwrap(), 0, "one at least");
        wakers.iter().for_each(|waker| waker.wake().unwrap());
        threads.into_iter().map(|thread| thread.join().unwrap().0).sum::<usize>()
    });
    assert!((1..POLLERS).contains(&woken), "{woken} of {POLLERS}");
}

#[test]
fn every_other_source_is_served_beside_a_level_source_that_nobody_reads() {
    for_each_backend(|backend| {
        let ((a, mut b), (c, mut d)) = (streams(), streams());
        let mut poller = Poller::with_backend(backend).unwrap();
        let idle = poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
        let other = poller.add(c.as_fd(), READ, Trigger::OneShot).unwrap();
        b.write_all(b"x").unwrap();
        d.write_all(b"x").unwrap();
        let tokens: Vec<_> = wait(&mut poller).iter().map(|event| event.token()).collect();
        assert!(tokens.contains(&idle) && tokens.contains(&other), "{tokens:?}");
        wait_for(&mut poller, idle);
    });
}
