//! Streams when callbacks stop, panic, replace the reactor, or when the process forks.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use common::{LONG, for_each_backend, in_child, is_closed, open_descriptors, replace};
use fastsock::net::Socket;
use fastsock::stream::{StreamEvent, StreamOptions};
use fastsock::{Backend, Reactor, Token};
use peers::{
    Log, NOW, Told, Transport, add_logging, echo, for_each, pair, pattern, read_exactly, read_to_end, told, until,
    until_closed,
};

fn options() -> StreamOptions {
    StreamOptions::new()
}

#[test]
fn a_stop_in_any_callback_loses_nothing() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        reactor
            .add_stream(socket, &options().water_marks(0, 1), |reactor, log: &mut Log, token, event| {
                log.push(told(&event));
                reactor.stop();
                match event {
                    StreamEvent::Data(bytes) => reactor.stream(token)?.write(bytes)?,
                    StreamEvent::Writable => {
                        reactor.stream(token)?.set_options(&options().idle_timeout(Duration::from_millis(5)));
                    }
                    StreamEvent::TimedOut(_) => {
                        reactor.stream(token)?.keep();
                        reactor.stream(token)?.set_options(&options());
                    }
                    _ => {}
                }
                Ok(())
            })
            .unwrap();
        peer.write_all(b"once").unwrap();
        let mut log = Log::new();
        for calls in 1..=3 {
            reactor.run(&mut log).unwrap();
            assert_eq!(log.len(), calls, "{log:?}");
        }
        assert_eq!(log[..2], [Told::Data(b"once".to_vec()), Told::Writable]);
        peer.shutdown(Shutdown::Write).unwrap();
        for calls in 4..=5 {
            reactor.run(&mut log).unwrap();
            assert_eq!(log.len(), calls, "{log:?}");
        }
        assert_eq!(log[3..], [Told::End, Told::Closed(0)]);
        let mut bytes = Vec::new();
        peer.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"once");
        assert!(reactor.is_empty());
    });
}

#[test]
fn a_stop_with_many_streams_ready_keeps_the_rest_for_later() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let mut peers = Vec::new();
        for _ in 0..10 {
            let (socket, mut peer) = pair(transport);
            peer.write_all(b"x").unwrap();
            drop(peer.shutdown(Shutdown::Write));
            peers.push(peer);
            reactor
                .add_stream(socket, &options(), |reactor, log: &mut Log, _, event| {
                    log.push(told(&event));
                    reactor.stop();
                    Ok(())
                })
                .unwrap();
        }
        let mut log = Log::new();
        for calls in 1..=30 {
            reactor.run(&mut log).unwrap();
            assert_eq!(log.len(), calls);
        }
        assert!(reactor.is_empty());
        for kind in [Told::Data(b"x".to_vec()), Told::End, Told::Closed(0)] {
            assert_eq!(log.iter().filter(|told| **told == kind).count(), 10);
        }
    });
}

#[test]
fn a_panic_costs_its_stream_alone() {
    for_each(|backend, transport| {
        for number in 0..5 {
            let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
            let (socket, mut peer) = pair(transport);
            let (neighbour, mut another) = pair(transport);
            add_logging(&mut reactor, neighbour, &options());
            let options =
                options().water_marks(0, 1).idle_timeout(Duration::from_millis(if number == 3 { 5 } else { 60_000 }));
            let token = reactor
                .add_stream(socket, &options, move |reactor, _: &mut Log, token, event| {
                    let wanted = match event {
                        StreamEvent::Data(_) => number == 0,
                        StreamEvent::End => number == 1,
                        StreamEvent::Closed(_) => number == 4,
                        _ => number == 2 || number == 3,
                    };
                    if let Ok(mut stream) = reactor.stream(token) {
                        let _ = stream.write(b"half done");
                    }
                    assert!(!wanted, "on purpose");
                    Ok(())
                })
                .unwrap();
            match number {
                0 => peer.write_all(b"x").unwrap(),
                1 | 4 => peer.shutdown(Shutdown::Write).unwrap(),
                2 => reactor.stream(token).unwrap().write(b"xyz").unwrap(),
                _ => {}
            }
            let mut log = Log::new();
            let result = catch_unwind(AssertUnwindSafe(|| until(&mut reactor, &mut log, |_| false)));
            assert!(
                result.unwrap_err().downcast_ref::<&str>().is_some_and(|text| text.contains("on purpose")),
                "{number}"
            );
            assert!(!reactor.contains(token), "{number}");
            let mut bytes = Vec::new();
            assert!(peer.read_to_end(&mut bytes).is_ok() || transport == Transport::Tcp);
            another.write_all(b"hello").unwrap();
            until(&mut reactor, &mut log, |log| *log == [Told::Data(b"hello".to_vec())]);
            let (next, mut third) = pair(transport);
            reactor.add_stream(next, &StreamOptions::new(), echo).unwrap();
            third.write_all(b"again").unwrap();
            assert_eq!(read_exactly(&mut reactor, &mut log, &mut third, 5), b"again");
        }
    });
}

#[test]
fn a_panic_after_a_callback_leaves_no_stream_half_way() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        reactor
            .add_stream(socket, &options(), |reactor, log: &mut Log, token, event| {
                log.push(told(&event));
                if let StreamEvent::Data(_) = event {
                    let mut stream = reactor.stream(token)?;
                    stream.write(b"bye")?;
                    stream.close();
                }
                Ok(())
            })
            .unwrap();
        peer.write_all(b"x").unwrap();
        let mut log = Log::new();
        reactor.wait(Some(LONG)).unwrap();
        let after = |_: &mut Reactor<'_, Log>, _: &mut Log| panic!("on purpose");
        catch_unwind(AssertUnwindSafe(|| reactor.dispatch_and(&mut log, after))).unwrap_err();
        assert_eq!(read_to_end(&mut reactor, &mut log, &mut peer), b"bye");
        drop(peer);
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
    });
}

type Kept = Rc<RefCell<Option<Reactor<'static, Log>>>>;

/// Puts another reactor in this one's place, and keeps this one.
fn swap(reactor: &mut Reactor<'static, Log>, backend: Backend, kept: &Kept) {
    let mut next = Reactor::with_backend(backend).unwrap();
    // With a stream of its own under what is likely the same token.
    let (socket, mut peer) = pair(Transport::Unix);
    next.add_stream(socket, &options(), |_, log: &mut Log, _, event| {
        assert!(!matches!(event, StreamEvent::Closed(Err(_))), "{event:?}");
        log.push(Told::Connected);
        Ok(())
    })
    .unwrap();
    peer.write_all(b"for the new one").unwrap();
    *kept.borrow_mut() = Some(std::mem::replace(reactor, next));
    std::mem::forget(peer);
}

#[test]
fn a_reactor_may_be_replaced_in_every_callback_of_a_stream() {
    for_each(|backend, transport| {
        for number in 0..5 {
            let kept = Kept::default();
            let place = kept.clone();
            let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
            let (socket, mut peer) = pair(transport);
            let options =
                options().water_marks(0, 1).idle_timeout(Duration::from_millis(if number == 3 { 5 } else { 60_000 }));
            let token = reactor
                .add_stream(socket, &options, move |reactor, log: &mut Log, token, event| {
                    log.push(told(&event));
                    let wanted = match event {
                        StreamEvent::Data(_) => number == 0,
                        StreamEvent::End => number == 1,
                        StreamEvent::Closed(_) => number == 4,
                        _ => number == 2 || number == 3,
                    };
                    if wanted && log.iter().filter(|told| **told == log[log.len() - 1]).count() == 1 {
                        if number == 0 {
                            // More than the kernel takes.
                            reactor.stream(token)?.write(&pattern(9_000_000))?;
                        }
                        swap(reactor, backend, &place);
                    }
                    Ok(())
                })
                .unwrap();
            match number {
                0 => peer.write_all(b"x").unwrap(),
                1 | 4 => peer.shutdown(Shutdown::Write).unwrap(),
                2 => reactor.stream(token).unwrap().write(b"xyz").unwrap(),
                _ => {}
            }
            let mut log = Log::new();
            until(&mut reactor, &mut log, |_| kept.borrow().is_some());
            let before = log.len();
            until(&mut reactor, &mut log, |log| log.len() > before);
            assert_eq!(log[before..], [Told::Connected], "{number}: the new one is whole");
            let mut old = kept.borrow_mut().take().unwrap();
            drop(reactor);
            log.clear();
            match number {
                0 => assert!(read_exactly(&mut old, &mut log, &mut peer, 9_000_000) == pattern(9_000_000)),
                2 => {
                    peer.write_all(b"still").unwrap();
                    until(&mut old, &mut log, |log| !log.is_empty());
                    assert_eq!(log, [Told::Data(b"still".to_vec())]);
                }
                // What was not kept is closed all the same.
                1 | 3 => {
                    let _ = peer.shutdown(Shutdown::Write);
                    until_closed(&mut old, &mut log);
                    assert!(old.is_empty());
                }
                _ => {
                    old.run(&mut log).unwrap();
                    assert!(log.is_empty() && is_closed(&mut peer));
                }
            }
        }
    });
}

#[test]
fn a_number_that_was_closed_behind_the_streams_back_is_left_to_whom_it_belongs() {
    in_child("a_number_that_was_closed_behind_the_streams_back_is_left_to_whom_it_belongs", |backend| {
        if backend != Backend::Epoll {
            return; // The others learn of it in a wait, if at all: a number is a number to them.
        }
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(Transport::Unix);
        let (other, mut another) = pair(Transport::Unix);
        let number = peers::peer_fd(&socket);
        let token = add_logging(&mut reactor, socket, &options().idle_timeout(LONG));
        reactor.stream(token).unwrap().write(b"never sent").unwrap();
        // SAFETY: the stream still believes in it, which is what this is about.
        let raw = unsafe { BorrowedFd::borrow_raw(number) };
        replace(&raw, &other.as_fd());
        drop(other);
        // SAFETY: the number is this test's now, as far as the kernel is concerned.
        let again = Socket::from_fd(unsafe { OwnedFd::from_raw_fd(number) }).unwrap();
        let new = add_logging(&mut reactor, again, &options());
        assert!(!reactor.contains(token) && reactor.contains(new));
        assert_eq!(reactor.stats().closed_unasked, 1);
        let mut log = Log::new();
        another.write_all(b"hello").unwrap();
        until(&mut reactor, &mut log, |log| !log.is_empty());
        assert_eq!(log, [Told::Data(b"hello".to_vec())]);
        assert_eq!(another.read(&mut [0; 9]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        assert!(is_closed(&mut peer));
        assert!(reactor.remove(new) && reactor.is_empty() && reactor.next_deadline().is_none());
    });
}

#[test]
fn streams_go_on_in_a_forked_child_and_in_its_parent() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(Transport::Unix);
        let token = add_logging(&mut reactor, socket, &options().idle_timeout(LONG * 100));
        let (other, _another) = pair(Transport::Unix);
        let other = add_logging(&mut reactor, other, &options());
        // SAFETY: the child uses memory, descriptors and the crate under test, and leaves by _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let mut log = Log::new();
            let fine = catch_unwind(AssertUnwindSafe(|| {
                // SAFETY: should the child hang, it does not for ever.
                unsafe { libc::alarm(20) };
                assert_eq!(common::errno(reactor.turn(&mut log, NOW)), libc::ECHILD);
                assert!(reactor.remove(other));
                reactor.reinit().unwrap();
                reactor.stream(token).unwrap().write(b"from the child").unwrap();
                until(&mut reactor, &mut log, |log| !log.is_empty());
                assert_eq!(log, [Told::Data(b"for the child".to_vec())]);
                drop(reactor);
            }));
            // SAFETY: nothing is to be cleaned up.
            unsafe { libc::_exit(i32::from(fine.is_err())) };
        }
        let mut status = 0;
        let mut bytes = [0; 14];
        let start = std::time::Instant::now();
        while peer.read(&mut bytes).is_err() {
            assert!(start.elapsed() < LONG);
        }
        assert_eq!(&bytes, b"from the child");
        peer.write_all(b"for the child").unwrap();
        // SAFETY: `status` lives on this frame.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0);
        peer.write_all(b"for the parent").unwrap();
        let mut log = Log::new();
        until(&mut reactor, &mut log, |log| !log.is_empty());
        assert_eq!(log, [Told::Data(b"for the parent".to_vec())]);
        assert!(reactor.contains(other));
    });
}

#[test]
fn a_dropped_reactor_closes_its_streams_and_leaves_no_descriptor() {
    in_child("a_dropped_reactor_closes_its_streams_and_leaves_no_descriptor", |backend| {
        let before = open_descriptors();
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let mut peers = Vec::new();
        for _ in 0..50 {
            let (socket, peer) = pair(Transport::Unix);
            let token: Token = add_logging(&mut reactor, socket, &options().idle_timeout(LONG));
            reactor.stream(token).unwrap().write_file(peers::file_of(&[1; 999]), 0, 999).unwrap();
            peers.push(peer);
        }
        drop(reactor);
        assert!(peers.iter_mut().all(is_closed));
        drop(peers);
        assert_eq!(open_descriptors(), before);
    });
}

/// Sleeps in a poll(2) of its own until the descriptor is readable.
fn sleeps(fd: i32) -> bool {
    let mut host = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, on this frame.
    unsafe { libc::poll(&mut host, 1, LONG.as_millis() as i32) == 1 }
}

#[test]
fn a_host_that_waits_elsewhere_is_told_of_what_was_written_and_of_what_goes_on() {
    let mut reactor = Reactor::<u32>::with_backend(Backend::Epoll).unwrap();
    let (socket, mut peer) = pair(Transport::Unix);
    let token = reactor
        .add_stream(socket, &options(), |reactor, calls: &mut u32, token, event| {
            if let StreamEvent::Writable = event {
                // A burst each time, all of which the kernel takes: no descriptor tells of the next.
                *calls += 1;
                let mut stream = reactor.stream(token)?;
                stream.set_options(&StreamOptions::new().water_marks(0, 1));
                if *calls < 5 {
                    stream.write(b"xyz")?;
                }
            }
            Ok(())
        })
        .unwrap();
    let mut calls = 0;
    let fd = reactor.embed().unwrap();
    reactor.stream(token).unwrap().write(b"hello").unwrap();
    assert!(reactor.next_deadline().is_some_and(|time| time.as_nanos() == 0));
    assert!(sleeps(fd), "what was written waits for a turn");
    reactor.turn(&mut calls, NOW).unwrap();
    assert_eq!(common::read_some(&mut peer, 99).unwrap(), b"hello");
    reactor.stream(token).unwrap().set_options(&options().water_marks(0, 1));
    reactor.stream(token).unwrap().write(b"go").unwrap();
    while calls < 5 {
        assert!(sleeps(reactor.embed().unwrap()), "{calls} calls");
        reactor.turn(&mut calls, NOW).unwrap();
    }
    // And then it sleeps.
    reactor.turn(&mut calls, NOW).unwrap();
    let mut host = libc::pollfd { fd: reactor.embed().unwrap(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, on this frame.
    assert_eq!(unsafe { libc::poll(&mut host, 1, 0) }, 0);
    assert_eq!(reactor.next_deadline(), None);
}
