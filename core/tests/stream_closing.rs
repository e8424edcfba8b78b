//! The ends of a stream: orderly, by force, by the peer, by an error.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use common::{LONG, errno, for_each_backend, is_closed, read_some};
use fastsock::net::options::TcpOptions;
use fastsock::net::options::TcpState;
use fastsock::stream::{StreamEvent, StreamOptions};
use fastsock::{Interest, Reactor, Token, Trigger};
use peers::{
    Log, NOW, Told, Transport, add_logging, for_each, pair, pattern, play, read_exactly, read_to_end, reset, told,
    until, until_closed,
};

fn options() -> StreamOptions {
    StreamOptions::new()
}

#[test]
fn a_peer_gets_everything_though_what_it_sent_was_never_read() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options());
        reactor.stream(token).unwrap().pause();
        peer.write_all(&pattern(50_000)).unwrap();
        let mut log = Log::new();
        reactor.turn(&mut log, NOW).unwrap();
        let bytes = pattern(4_000_000);
        let mut stream = reactor.stream(token).unwrap();
        stream.write(&bytes).unwrap();
        stream.close();
        // Still sending, while it reads.
        let mut got = Vec::new();
        play(&mut reactor, &mut log, |_| {
            let _ = peer.write(&[1; 1000]);
            match peer.read_to_end(&mut got) {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(
                        error.kind(),
                        io::ErrorKind::WouldBlock,
                        "a reset would have destroyed what was on its way"
                    );
                    false
                }
            }
        });
        assert!(got == bytes);
        assert!(reactor.contains(token), "it waits for the peer to close as well");
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
        assert_eq!(log, [Told::Closed(0)], "nothing was told of what came too late");
        assert!(reactor.is_empty());
    });
}

#[test]
fn close_twice_is_close_once_and_nothing_is_written_after_it() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options());
        let mut stream = reactor.stream(token).unwrap();
        stream.write(b"bye").unwrap();
        stream.close();
        stream.close();
        stream.shutdown();
        stream.keep();
        assert_eq!(errno(stream.write(b"more")), libc::EPIPE);
        assert_eq!(errno(stream.write_file(peers::file_of(b"more"), 0, 4)), libc::EPIPE);
        let mut log = Log::new();
        assert_eq!(read_to_end(&mut reactor, &mut log, &mut peer), b"bye");
        reactor.stream(token).unwrap().close();
        peer.write_all(b"too late").unwrap();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        drop(peer);
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
        assert_eq!(log, [Told::Closed(0)]);
    });
}

#[test]
fn a_peer_that_takes_nothing_is_given_up_and_so_is_one_that_does_not_close() {
    for_each(|backend, transport| {
        let patience = Duration::from_millis(40);
        let options = options().close_timeout(patience);
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options);
        while reactor.stream(token).unwrap().queued() == 0 {
            reactor.stream(token).unwrap().write(&pattern(1_000_000)).unwrap();
        }
        reactor.stream(token).unwrap().close();
        let start = Instant::now();
        let mut log = Log::new();
        assert_eq!(until_closed(&mut reactor, &mut log), libc::ETIMEDOUT);
        assert!(start.elapsed() >= patience);
        assert_eq!(log, [Told::Closed(libc::ETIMEDOUT)]);
        while read_some(&mut peer, 1 << 20).is_some_and(|bytes| !bytes.is_empty()) {}

        // It takes everything, and stays: that is no error.
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options);
        let mut stream = reactor.stream(token).unwrap();
        stream.write(b"bye").unwrap();
        stream.close();
        let start = Instant::now();
        log.clear();
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
        assert!(start.elapsed() >= patience);
        assert_eq!(read_some(&mut peer, 9).unwrap(), b"bye");
        assert!(is_closed(&mut peer));
    });
}

#[test]
fn a_peer_that_takes_a_little_now_and_then_is_waited_for() {
    for_each_backend(|backend| {
        let patience = Duration::from_millis(500);
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(Transport::Unix);
        let token = add_logging(&mut reactor, socket, &options().close_timeout(patience));
        let bytes = pattern(3_000_000);
        let mut stream = reactor.stream(token).unwrap();
        stream.write(&bytes).unwrap();
        stream.close();
        let (mut log, mut got) = (Log::new(), Vec::new());
        let start = Instant::now();
        // Several pieces in that time, and more than that time for all.
        while got.len() < bytes.len() {
            assert!(log.is_empty() && start.elapsed() < LONG);
            let next = Instant::now() + patience / 6;
            while let Some(left) = next.checked_duration_since(Instant::now()) {
                reactor.turn(&mut log, Some(left)).unwrap();
            }
            got.extend(read_some(&mut peer, 250_000).unwrap_or_default());
        }
        assert!(got == bytes && start.elapsed() > patience);
        drop(peer);
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
    });
}

#[test]
fn without_time_to_close_the_socket_is_closed_as_soon_as_the_queue_is_empty() {
    for_each(|backend, transport| {
        let options = options().close_timeout(Duration::ZERO);
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options);
        let mut stream = reactor.stream(token).unwrap();
        stream.write(b"bye").unwrap();
        stream.close();
        let mut log = Log::new();
        assert_eq!(reactor.turn(&mut log, NOW).unwrap(), 1);
        assert_eq!(log, [Told::Closed(0)]);
        assert_eq!(read_some(&mut peer, 9).unwrap(), b"bye");
        assert!(is_closed(&mut peer));
        // And dropped when it is not.
        let (socket, _peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options);
        while reactor.stream(token).unwrap().queued() == 0 {
            reactor.stream(token).unwrap().write(&pattern(1_000_000)).unwrap();
        }
        reactor.stream(token).unwrap().close();
        log.clear();
        assert_eq!(until_closed(&mut reactor, &mut log), libc::ETIMEDOUT);
    });
}

#[test]
fn a_stream_whose_peer_has_closed_first_is_closed_at_once() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, peer) = pair(transport);
        add_logging(&mut reactor, socket, &options().close_timeout(LONG * 100));
        drop(peer);
        let mut log = Log::new();
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 2);
        assert_eq!(log, [Told::End, Told::Closed(0)]);
        assert!(reactor.is_empty() && reactor.next_deadline().is_none(), "no timer is left");
    });
}

#[test]
fn a_reset_by_the_peer_is_told_as_it_is() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, peer) = pair(Transport::Tcp);
        add_logging(&mut reactor, socket, &options());
        reset(peer);
        let mut log = Log::new();
        reactor.run(&mut log).unwrap();
        assert_eq!(log, [Told::Closed(libc::ECONNRESET)]);
        // While it is lingering: then it is over, too.
        let (socket, mut peer) = pair(Transport::Tcp);
        let token = add_logging(&mut reactor, socket, &options());
        reactor.stream(token).unwrap().close();
        log.clear();
        assert_eq!(read_to_end(&mut reactor, &mut log, &mut peer), b"");
        reset(peer);
        until_closed(&mut reactor, &mut log);
        assert_eq!(log.len(), 1);
        // While it is full, and not read.
        let (socket, peer) = pair(Transport::Tcp);
        let token = add_logging(&mut reactor, socket, &options());
        while !reactor.stream(token).unwrap().is_full() {
            reactor.stream(token).unwrap().write(&pattern(1_000_000)).unwrap();
        }
        log.clear();
        reactor.turn(&mut log, NOW).unwrap();
        reset(peer);
        assert!([libc::ECONNRESET, libc::EPIPE].contains(&until_closed(&mut reactor, &mut log)));
    });
}

#[test]
fn a_closed_stream_stands_in_the_peers_eyes_as_closed_in_good_order() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(Transport::Tcp);
        let token = add_logging(&mut reactor, socket, &options());
        reactor.stream(token).unwrap().close();
        let mut log = Log::new();
        assert_eq!(read_to_end(&mut reactor, &mut log, &mut peer), b"");
        assert_eq!(peer.tcp_info().unwrap().state, TcpState::CloseWait);
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
        play(&mut reactor, &mut log, |_| peer.tcp_info().unwrap().state == TcpState::Closed);
        assert!(peer.take_error().unwrap().is_none(), "and not reset");
    });
}

/// What calls back at each kind of event, with what it takes to get there.
#[test]
fn a_stream_may_be_removed_in_every_callback_of_its_own() {
    for_each(|backend, transport| {
        for number in 0..4 {
            let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
            let (socket, mut peer) = pair(transport);
            let options =
                options().water_marks(0, 1).idle_timeout(Duration::from_millis(if number == 3 { 5 } else { 60_000 }));
            let token = reactor
                .add_stream(socket, &options, |reactor, log: &mut Log, token, event| {
                    log.push(told(&event));
                    reactor.stream(token)?.keep();
                    assert!(reactor.remove(token));
                    assert_eq!(errno(reactor.stream(token).map(drop)), libc::ENOENT);
                    Err(io::Error::other("nobody hears this"))
                })
                .unwrap();
            match number {
                0 => peer.write_all(b"x").unwrap(),
                1 => peer.shutdown(Shutdown::Write).unwrap(),
                2 => reactor.stream(token).unwrap().write(b"xyz").unwrap(),
                _ => {}
            }
            let mut log = Log::new();
            reactor.run(&mut log).unwrap();
            assert_eq!(log.len(), 1, "{log:?}");
            let kind = std::mem::discriminant(&log[0]);
            let expected =
                [Told::Data(Vec::new()), Told::End, Told::Writable, Told::TimedOut(fastsock::stream::Timeout::Idle)];
            assert_eq!(kind, std::mem::discriminant(&expected[number]));
            assert!(number == 2 || is_closed(&mut peer));
        }
    });
}

#[test]
fn whom_another_callback_removes_or_closes_in_the_same_turn_hears_no_data_any_more() {
    for_each(|backend, transport| {
        for close in [false, true] {
            let mut reactor = Reactor::<(Vec<Token>, Log)>::with_backend(backend).unwrap();
            let mut context = (Vec::new(), Log::new());
            let mut peers = Vec::new();
            for _ in 0..8 {
                let (socket, mut peer) = pair(transport);
                peer.write_all(b"x").unwrap();
                peers.push(peer);
                let token = reactor
                    .add_stream(
                        socket,
                        &options(),
                        move |reactor, (tokens, log): &mut (Vec<Token>, Log), token, event| {
                            log.push(told(&event));
                            if let StreamEvent::Data(_) = event {
                                for &other in tokens.iter().filter(|other| **other != token) {
                                    match close {
                                        true => reactor.stream(other)?.close(),
                                        false => assert!(reactor.remove(other)),
                                    }
                                }
                            }
                            Ok(())
                        },
                    )
                    .unwrap();
                context.0.push(token);
            }
            assert_eq!(reactor.wait(Some(LONG)).unwrap(), 8);
            reactor.dispatch(&mut context).unwrap();
            assert_eq!(context.1, [Told::Data(b"x".to_vec())]);
            drop(peers);
            reactor.run(&mut context).unwrap();
            context.1.sort_by_key(|told| *told == Told::Closed(0));
            let closed = if close { 8 } else { 1 };
            assert_eq!(context.1[..2], [Told::Data(b"x".to_vec()), Told::End]);
            assert_eq!(context.1[2..], vec![Told::Closed(0); closed]);
        }
    });
}

#[test]
fn a_stream_that_takes_the_place_of_another_is_not_mistaken_for_it() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let (next, mut another) = pair(transport);
        let mut next = Some(next);
        let token = reactor
            .add_stream(socket, &options(), move |reactor, log: &mut Log, token, event| {
                log.push(told(&event));
                reactor.stream(token)?.write(b"for the first")?;
                reactor.remove(token);
                let new = add_logging(reactor, next.take().unwrap(), &options());
                assert!(new != token && reactor.stream(token).is_err());
                reactor.stream(new)?.write(b"for the second")?;
                Err(io::Error::other("of the first"))
            })
            .unwrap();
        peer.write_all(b"x").unwrap();
        let mut log = Log::new();
        until(&mut reactor, &mut log, |log| !log.is_empty());
        assert!(!reactor.contains(token));
        assert_eq!(read_exactly(&mut reactor, &mut log, &mut another, 14), b"for the second");
        assert_eq!(read_to_end(&mut reactor, &mut log, &mut peer), b"for the first");
        another.write_all(b"y").unwrap();
        until(&mut reactor, &mut log, |log| log.len() == 2);
        assert_eq!(log[1], Told::Data(b"y".to_vec()));
        // And a source of another kind may come into the place.
        drop(another);
        until_closed(&mut reactor, &mut log);
        let (a, _b) = common::streams();
        let source = reactor.add(a, Interest::READABLE, Trigger::Level, |_, _, _, _| {}).unwrap();
        reactor.modify(source, Interest::NONE, Trigger::Level).unwrap();
        assert!(reactor.stream(source).is_err() && reactor.take::<fastsock::net::Socket>(source).is_none());
    });
}
