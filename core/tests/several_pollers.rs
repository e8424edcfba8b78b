//! One descriptor in several pollers, and one reactor that several threads add to.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;

use common::{LONG, for_each_backend, look, read_some, streams, wait_for};
use fastsock::{Interest, Poller, Reactor, Trigger};

const READ: Interest = Interest::READABLE;

#[test]
fn each_poller_reports_one_descriptor_in_its_own_mode() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        let mut level = Poller::with_backend(backend).unwrap();
        let in_level = level.add(a.as_fd(), READ, Trigger::Level).unwrap();
        let mut one_shot = Poller::with_backend(backend).unwrap();
        let in_one_shot = one_shot.add(a.as_fd(), READ, Trigger::OneShot).unwrap();
        b.write_all(b"x").unwrap();
        for _ in 0..3 {
            wait_for(&mut level, in_level);
        }
        wait_for(&mut one_shot, in_one_shot);
        assert!(look(&mut one_shot).is_empty());
        if backend.has_edge() {
            let mut edge = Poller::with_backend(backend).unwrap();
            let in_edge = edge.add(a.as_fd(), READ, Trigger::Edge).unwrap();
            wait_for(&mut edge, in_edge);
            assert!(look(&mut edge).is_empty());
            b.write_all(b"y").unwrap();
            wait_for(&mut edge, in_edge);
        }
        assert!(look(&mut one_shot).is_empty(), "what another poller reports does not arm it");
        assert!(level.remove(in_level));
        one_shot.rearm(in_one_shot).unwrap();
        wait_for(&mut one_shot, in_one_shot);
        assert!(look(&mut level).is_empty());
        read_some(&mut &a, 9).unwrap();
        one_shot.rearm(in_one_shot).unwrap();
        assert!(look(&mut one_shot).is_empty());
    });
}

#[test]
fn a_poller_that_is_dropped_takes_nothing_from_the_others() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        let mut kept = Poller::with_backend(backend).unwrap();
        let token = kept.add(a.as_fd(), READ, Trigger::Level).unwrap();
        let mut brief = Poller::with_backend(backend).unwrap();
        brief.add(a.as_fd(), READ, Trigger::Level).unwrap();
        drop(brief);
        b.write_all(b"x").unwrap();
        wait_for(&mut kept, token);
    });
}

/// A context with an answer for those who added a source.
type Heard = mpsc::Sender<usize>;

#[test]
fn what_another_thread_adds_and_changes_while_the_reactor_waits_takes_hold_in_that_wait() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Heard>::with_backend(backend).unwrap();
        let submitter = reactor.submitter().unwrap();
        let (mut heard, hears) = mpsc::channel();
        let other = thread::spawn(move || {
            let (here, mut there) = streams();
            let (send_token, token) = mpsc::channel();
            let add = move |reactor: &mut Reactor<'static, Heard>, _: &mut Heard| {
                let callback = |_: &mut Reactor<'_, Heard>, heard: &mut Heard, stream: &mut UnixStream, _| {
                    let _ = heard.send(read_some(stream, 9).unwrap().len());
                };
                send_token.send(reactor.add(here, READ, Trigger::Level, callback).unwrap()).unwrap();
            };
            submitter.submit(add).unwrap();
            let token = token.recv_timeout(LONG).unwrap();
            there.write_all(b"four").unwrap();
            assert_eq!(hears.recv_timeout(LONG).unwrap(), 4);

            let (told, done) = mpsc::channel();
            let pause = move |reactor: &mut Reactor<'static, Heard>, _: &mut Heard| {
                reactor.modify(token, Interest::NONE, Trigger::Level).unwrap();
                told.send(()).unwrap();
            };
            submitter.submit(pause).unwrap();
            done.recv_timeout(LONG).unwrap();
            there.write_all(b"unheard").unwrap();
            // It would be heard before this closure runs, which is submitted after it came.
            let go_on = move |reactor: &mut Reactor<'static, Heard>, heard: &mut Heard| {
                heard.send(0).unwrap();
                reactor.modify(token, READ, Trigger::Level).unwrap();
            };
            submitter.submit(go_on).unwrap();
            assert_eq!(hears.recv_timeout(LONG).unwrap(), 0);
            assert_eq!(hears.recv_timeout(LONG).unwrap(), 7);
            let stop = |reactor: &mut Reactor<'static, Heard>, _: &mut Heard| reactor.stop();
            submitter.submit(stop).unwrap();
        });
        // Should the other thread fail, its source keeps the reactor running.
        let limit = reactor.timer(3 * LONG, |reactor, _, _, _| reactor.stop()).unwrap();
        reactor.run(&mut heard).unwrap();
        other.join().unwrap();
        assert!(reactor.remove(limit), "the time was not over");
    });
}
