//! What is removed calls back no more, whoever removes it and whatever it was about to do.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::io::Write;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use common::{LONG, for_each_backend, streams, tcp_streams};
use fastsock::net::options::SocketOptions;
use fastsock::{Interest, Reactor, Token, Trigger, Waker};

const READ: Interest = Interest::READABLE;
const NOW: Option<Duration> = Some(Duration::ZERO);

/// A stream with a byte in it, and its other end.
fn ready() -> (UnixStream, UnixStream) {
    let (here, mut there) = streams();
    there.write_all(b"x").unwrap();
    (here, there)
}

/// Waits until poll(2) reports all these bits.
fn await_bits(fd: &impl AsRawFd, bits: libc::c_short) {
    let start = std::time::Instant::now();
    let mut asked = libc::pollfd { fd: fd.as_raw_fd(), events: bits, revents: 0 };
    while asked.revents & bits != bits {
        assert!(start.elapsed() < LONG, "{:#x}", asked.revents);
        // SAFETY: one entry.
        assert!(unsafe { libc::poll(&mut asked, 1, 1) } >= 0);
    }
}

#[test]
fn a_datagram_and_an_error_at_once_are_one_call_when_that_removes_the_source() {
    for_each_backend(|backend| {
        let (here, peer) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        here.set_nonblocking(true).unwrap();
        here.connect(peer.local_addr().unwrap()).unwrap();
        peer.send_to(b"a datagram", here.local_addr().unwrap()).unwrap();
        drop(peer);
        here.send(b"for nobody").unwrap();
        await_bits(&here, libc::POLLIN | libc::POLLERR);
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        reactor
            .add(here, READ | Interest::WRITABLE, Trigger::Level, |reactor, calls, _, event| {
                *calls += 1;
                assert!(event.is_readable());
                assert!(reactor.remove(event.token()));
            })
            .unwrap();
        let mut calls = 0;
        assert_eq!(reactor.turn(&mut calls, Some(LONG)).unwrap(), 1);
        assert_eq!(reactor.turn(&mut calls, NOW).unwrap(), 0);
        assert_eq!(calls, 1, "the error's half is not told to what is gone");
    });
}

#[test]
fn a_reset_with_every_bit_is_one_call_when_that_removes_the_source() {
    for_each_backend(|backend| {
        let (here, there) = tcp_streams();
        SocketOptions::set_linger(&there, Some(Duration::ZERO)).unwrap();
        drop(there);
        await_bits(&here, libc::POLLIN | libc::POLLERR | libc::POLLHUP);
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        reactor
            .add(here, READ | Interest::WRITABLE, Trigger::Level, |reactor, calls, _, event| {
                *calls += 1;
                assert!(reactor.remove(event.token()));
            })
            .unwrap();
        let mut calls = 0;
        reactor.run(&mut calls).unwrap();
        assert_eq!(calls, 1);
    });
}

#[test]
fn a_source_taken_out_and_put_in_again_in_dispatch_is_reported_under_its_new_token_alone() {
    type Log = Vec<Token>;
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let tokens: Rc<RefCell<Vec<Token>>> = Rc::default();
        let mut peers = Vec::new();
        for place in 0..2 {
            let (here, there) = ready();
            peers.push(there);
            let all = tokens.clone();
            let token = reactor.add(here, READ, Trigger::Level, move |reactor, log: &mut Log, _, event| {
                log.push(event.token());
                // The other one, whose event has been harvested.
                let other = all.borrow()[1 - place];
                let Some(stream) = reactor.take::<UnixStream>(other) else { return };
                let again = reactor.add(stream, READ, Trigger::Level, |reactor, log: &mut Log, _, event| {
                    log.push(event.token());
                    assert!(reactor.remove(event.token()));
                });
                let again = again.unwrap();
                assert!(again != other && !reactor.contains(other));
                all.borrow_mut()[1 - place] = again;
                assert!(reactor.remove(event.token()));
            });
            tokens.borrow_mut().push(token.unwrap());
        }
        let (before, mut log) = (tokens.borrow().clone(), Log::new());
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 1);
        let first = log[0];
        assert!(before.contains(&first));
        reactor.run(&mut log).unwrap();
        let fresh: Vec<Token> = tokens.borrow().iter().copied().filter(|token| !before.contains(token)).collect();
        assert_eq!(log, [first, fresh[0]]);
    });
}

#[test]
fn each_kind_of_callback_may_remove_what_would_be_called_next() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<&str>>::with_backend(backend).unwrap();
        let next: Rc<RefCell<Vec<Token>>> = Rc::default();
        let (doomed, _peer) = ready();
        let (other, _other_peer) = ready();
        let targets = next.clone();
        let timer = move |reactor: &mut Reactor<'_, Vec<&str>>, log: &mut Vec<&str>, _, _| {
            log.push("timer");
            assert!(reactor.remove(targets.borrow()[0]));
        };
        reactor.timer(Duration::ZERO, timer).unwrap();
        let doomed =
            reactor.add(doomed, READ, Trigger::Level, |_, log, _, _| log.push("removed by the timer")).unwrap();
        let targets = next.clone();
        reactor
            .add(other, READ, Trigger::Level, move |reactor, log, _, event| {
                log.push("source");
                assert!(reactor.remove(targets.borrow()[1]) && reactor.remove(event.token()));
            })
            .unwrap();
        let (by_source, first) = reactor.add_waker(|_, log, _| log.push("removed by the source")).unwrap();
        let targets = next.clone();
        let (_, second) = reactor
            .add_waker(move |reactor, log, _| {
                log.push("waker");
                assert!(reactor.remove(targets.borrow()[2]));
            })
            .unwrap();
        let (by_waker, third) = reactor.add_waker(|_, log, _| log.push("removed by the waker")).unwrap();
        next.borrow_mut().extend([doomed, by_source, by_waker]);
        [first, second, third].iter().for_each(|waker| waker.wake().unwrap());
        let mut log = Vec::new();
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 3);
        assert_eq!(log, ["timer", "source", "waker"]);
        assert_eq!(reactor.turn(&mut log, NOW).unwrap(), 0);
    });
}

#[test]
fn a_waker_that_was_used_and_then_removed_is_not_called() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let (token, waker) = reactor.add_waker(|_, calls, _| *calls += 1).unwrap();
        waker.wake().unwrap();
        assert!(reactor.remove(token));
        let mut calls = 0;
        assert_eq!(reactor.turn(&mut calls, Some(LONG)).unwrap(), 0, "it ends the wait, and calls nothing");
        waker.wake().unwrap();
        assert_eq!(reactor.turn(&mut calls, Some(LONG)).unwrap(), 0);
        let (_, other) = reactor.add_waker(|_, calls, _| *calls += 10).unwrap();
        waker.wake().unwrap();
        assert_eq!(reactor.turn(&mut calls, Some(LONG)).unwrap(), 0, "nor what has its place now");
        other.wake().unwrap();
        assert_eq!(reactor.turn(&mut calls, Some(LONG)).unwrap(), 1);
        assert_eq!(calls, 10);
    });
}

/// A source that uses a waker when it is dropped.
struct Crier(UnixStream, Waker);

impl AsFd for Crier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Crier {
    fn drop(&mut self) {
        self.1.wake().unwrap();
    }
}

#[test]
fn a_waker_may_be_used_in_the_destructor_of_what_is_removed() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let (_, waker) = reactor.add_waker(|_, calls, _| *calls += 1).unwrap();
        let (here, _peer) = ready();
        let callback = |reactor: &mut Reactor<'_, u32>, _: &mut u32, _: &mut Crier, event: fastsock::Event| {
            assert!(reactor.remove(event.token()));
        };
        reactor.add(Crier(here, waker.clone()), READ, Trigger::Level, callback).unwrap();
        let mut calls = 0;
        reactor.turn(&mut calls, Some(LONG)).unwrap();
        reactor.turn(&mut calls, Some(LONG)).unwrap();
        assert_eq!(calls, 1);
        // From outside of a callback, too.
        let (here, _peer) = streams();
        let token = reactor.add(Crier(here, waker), READ, Trigger::Level, callback).unwrap();
        assert!(reactor.remove(token));
        reactor.turn(&mut calls, Some(LONG)).unwrap();
        assert_eq!(calls, 2);
    });
}
