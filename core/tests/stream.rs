//! Buffered connections: what they are told, and what they are not.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use common::{LONG, errno, for_each_backend, in_child, is_closed, read_some};
use fastsock::net::{Family, Kind, Socket};
use fastsock::stream::{StreamEvent, StreamOptions};
use fastsock::{Interest, Reactor, Token, Trigger};
use peers::{
    Log, NOW, Told, add_logging, echo, for_each, pair, pattern, peer_fd, play, read_exactly, read_to_end, told, until,
    until_closed,
};

fn options() -> StreamOptions {
    StreamOptions::new()
}

#[test]
fn an_echo_sends_back_what_comes_and_ends_when_the_peer_does() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = reactor.add_stream(socket, &options(), echo).unwrap();
        for bytes in [&b"one"[..], b"two", &pattern(100_000)] {
            peer.write_all(bytes).unwrap();
            assert_eq!(read_exactly(&mut reactor, &mut (), &mut peer, bytes.len()), bytes);
        }
        peer.shutdown(Shutdown::Write).unwrap();
        reactor.run(&mut ()).unwrap();
        assert!(!reactor.contains(token) && is_closed(&mut peer));
    });
}

#[test]
fn the_end_closes_the_stream_when_what_is_queued_is_sent() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let bytes = pattern(3_000_000);
        let answer = bytes.clone();
        reactor
            .add_stream(socket, &options(), move |reactor, log: &mut Log, token, event| {
                log.push(told(&event));
                if let StreamEvent::Data(_) = event {
                    reactor.stream(token)?.write(&answer)?;
                }
                Ok(())
            })
            .unwrap();
        peer.write_all(b"give").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut log = Log::new();
        assert!(read_to_end(&mut reactor, &mut log, &mut peer) == bytes);
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
        log.retain(|told| *told != Told::Writable);
        assert_eq!(log, [Told::Data(b"give".to_vec()), Told::End, Told::Closed(0)]);
    });
}

#[test]
fn a_stream_that_is_kept_after_the_end_goes_on_writing() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = reactor
            .add_stream(socket, &options(), |reactor, log: &mut Log, token, event| {
                log.push(told(&event));
                if let StreamEvent::End = event {
                    reactor.stream(token)?.keep();
                }
                Ok(())
            })
            .unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut log = Log::new();
        until(&mut reactor, &mut log, |log| *log == [Told::End]);
        for _ in 0..3 {
            reactor.stream(token).unwrap().write(b"still here").unwrap();
            assert_eq!(read_exactly(&mut reactor, &mut log, &mut peer, 10), b"still here");
        }
        let turns = reactor.stats().turns;
        assert_eq!(reactor.turn(&mut log, Some(Duration::from_millis(20))).unwrap(), 0, "the end is told once");
        assert_eq!(reactor.stats().turns, turns + 1);
        reactor.stream(token).unwrap().close();
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
        assert_eq!(log, [Told::End, Told::Closed(0)]);
        assert!(is_closed(&mut peer));
    });
}

#[test]
fn a_stream_that_is_shut_down_reads_on() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options());
        let bytes = pattern(1_000_000);
        let mut stream = reactor.stream(token).unwrap();
        stream.write(&bytes).unwrap();
        stream.shutdown();
        assert_eq!(errno(stream.write(b"more")), libc::EPIPE);
        let mut log = Log::new();
        assert!(read_to_end(&mut reactor, &mut log, &mut peer) == bytes);
        peer.write_all(b"and you").unwrap();
        until(&mut reactor, &mut log, |log| !log.is_empty());
        peer.write_all(b" too").unwrap();
        until(&mut reactor, &mut log, |log| log.len() == 2);
        drop(peer);
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
        assert_eq!(
            log,
            [Told::Data(b"and you".to_vec()), Told::Data(b" too".to_vec()), Told::End, Told::Closed(0)],
            "and nobody is told of room that cannot be used"
        );
    });
}

#[test]
fn a_paused_stream_reads_nothing_and_loses_nothing() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options());
        let mut log = Log::new();
        peer.write_all(b"early").unwrap();
        reactor.stream(token).unwrap().pause();
        assert!(reactor.stream(token).unwrap().is_paused());
        for _ in 0..3 {
            assert_eq!(reactor.turn(&mut log, NOW).unwrap(), 0);
        }
        peer.write_all(b" late").unwrap();
        drop(peer);
        assert_eq!(reactor.turn(&mut log, NOW).unwrap(), 0, "not even the end");
        reactor.stream(token).unwrap().resume();
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
        let bytes: Vec<u8> =
            log.iter().flat_map(|told| if let Told::Data(bytes) = told { &bytes[..] } else { b"" }).copied().collect();
        assert_eq!(bytes, b"early late");
        assert_eq!(log[log.len() - 2..], [Told::End, Told::Closed(0)]);
    });
}

#[test]
fn a_stream_that_pauses_itself_gets_one_piece_at_a_time() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = reactor
            .add_stream(socket, &options(), |reactor, log: &mut Log, token, event| {
                log.push(told(&event));
                reactor.stream(token).map(|mut stream| stream.pause()).or(Ok(()))
            })
            .unwrap();
        // With the end behind it, which makes streams read on.
        peer.write_all(&pattern(150_000)).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut log = Log::new();
        let mut sum = 0;
        for step in 1.. {
            until(&mut reactor, &mut log, |log| log.len() >= step);
            assert_eq!(reactor.turn(&mut log, NOW).unwrap(), 0);
            let Told::Data(bytes) = &log[step - 1] else { break };
            assert!(bytes[..] == pattern(150_000)[sum..sum + bytes.len()]);
            sum += bytes.len();
            assert_eq!(log.len(), step);
            reactor.stream(token).unwrap().resume();
        }
        assert_eq!(sum, 150_000);
        assert_eq!(log[log.len() - 2..], [Told::End, Told::Closed(0)], "paused in `End`, it is closed all the same");
    });
}

#[test]
fn a_stream_knows_its_addresses_its_socket_and_its_server() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, peer) = pair(peers::Transport::Tcp);
        let (fd, token) = (peer_fd(&socket), add_logging(&mut reactor, socket, &options()));
        let mut stream = reactor.stream(token).unwrap();
        assert_eq!(stream.token(), token);
        assert_eq!(stream.peer_addr().unwrap().ip(), peer.local_addr().unwrap().ip());
        assert_eq!(stream.local_addr().unwrap().ip(), peer.peer_addr().unwrap().ip());
        assert_eq!(peer_fd(stream.socket()), fd);
        assert_eq!((stream.server(), stream.queued(), stream.is_full()), (None, 0, false));
        assert!(format!("{stream:?}").contains("Stream"));
    });
}

#[test]
fn what_is_no_stream_is_refused_and_comes_back() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let datagram = Socket::new(Family::V4, Kind::Datagram).unwrap();
        let refused = reactor.add_stream(datagram, &options(), |_, _, _, _| Ok(())).unwrap_err();
        assert_eq!(fastsock::errno(&refused.error), libc::EPROTOTYPE);
        assert_eq!(refused.source.peer_addr().unwrap_err().raw_os_error(), Some(libc::ENOTCONN), "it is whole");
        let (packets, _other) = Socket::pair(Kind::SeqPacket).unwrap();
        let refused = reactor.add_stream(packets, &options(), |_, _, _, _| Ok(())).unwrap_err();
        assert_eq!(fastsock::errno(&refused.error), libc::EPROTOTYPE);
        for family in [Family::V4, Family::Unix] {
            let alone = Socket::new(family, Kind::Stream).unwrap();
            let refused = reactor.add_stream(alone, &options(), |_, _, _, _| Ok(())).unwrap_err();
            assert_eq!(fastsock::errno(&refused.error), libc::ENOTCONN);
        }
        assert!(reactor.is_empty());
    });
}

#[test]
fn a_stream_is_not_modified_and_a_stale_token_is_no_stream() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, peer) = pair(peers::Transport::Unix);
        let token = add_logging(&mut reactor, socket, &options());
        assert_eq!(errno(reactor.modify(token, Interest::NONE, Trigger::Level)), libc::EINVAL);
        assert!(reactor.source::<Socket>(token).is_none());
        assert!(reactor.remove(token) && !reactor.remove(token));
        assert_eq!(errno(reactor.stream(token).map(drop)), libc::ENOENT);
        assert_eq!(errno(reactor.modify(token, Interest::NONE, Trigger::Level)), libc::ENOENT);
        let source = reactor.add(peer, Interest::READABLE, Trigger::Level, |_, _, _, _| {}).unwrap();
        assert_eq!(errno(reactor.stream(source).map(drop)), libc::ENOENT, "a source is no stream");
        let timer = reactor.timer(LONG, |_, _, _, _| {}).unwrap();
        assert_eq!(errno(reactor.stream(timer).map(drop)), libc::ENOENT, "nor is a timer");
    });
}

/// Counts how often what holds it is dropped.
struct Dropped(Rc<Cell<u32>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn closed_is_the_last_event_and_the_callback_is_dropped_after_it() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, peer) = pair(transport);
        let drops = Rc::new(Cell::new(0));
        let dropped = Dropped(drops.clone());
        reactor
            .add_stream(socket, &options(), move |reactor, log: &mut Log, token, event| {
                assert_eq!(dropped.0.get(), 0);
                log.push(told(&event));
                if let StreamEvent::Closed(_) = event {
                    assert!(!reactor.contains(token) && !reactor.remove(token));
                    assert_eq!(errno(reactor.stream(token).map(drop)), libc::ENOENT);
                    return Err(std::io::Error::other("nobody hears this"));
                }
                Ok(())
            })
            .unwrap();
        drop(peer);
        let mut log = Log::new();
        reactor.run(&mut log).unwrap();
        assert_eq!(drops.get(), 1);
        assert_eq!(log, [Told::End, Told::Closed(0)]);
    });
}

#[test]
fn the_descriptor_is_closed_before_closed_is_told() {
    in_child("the_descriptor_is_closed_before_closed_is_told", |backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let (socket, peer) = pair(peers::Transport::Unix);
        let number = peer_fd(&socket);
        reactor
            .add_stream(socket, &options(), move |reactor, calls: &mut u32, _, event| {
                if let StreamEvent::Closed(_) = event {
                    // The lowest number that is free is given out first.
                    let (one, other) = pair(peers::Transport::Unix);
                    assert!(peer_fd(&one) == number || peer_fd(&other) == number);
                    let again = if peer_fd(&one) == number { one } else { other };
                    let token = reactor.add_stream(again, &options(), |_, _, _, _| Ok(())).unwrap();
                    assert!(reactor.contains(token));
                    *calls += 1;
                }
                Ok(())
            })
            .unwrap();
        drop(peer);
        let mut calls = 0;
        reactor.run(&mut calls).unwrap();
        assert_eq!((calls, reactor.stats().closed_unasked), (1, 0));
    });
}

#[test]
fn a_removed_stream_hears_nothing_more_and_its_callback_is_dropped() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let drops = Rc::new(Cell::new(0));
        let dropped = Dropped(drops.clone());
        let token = reactor
            .add_stream(socket, &options(), move |_, log: &mut Log, _, event| {
                let _ = &dropped;
                log.push(told(&event));
                Ok(())
            })
            .unwrap();
        peer.write_all(b"too late").unwrap();
        reactor.wait(Some(LONG)).unwrap();
        reactor.stream(token).unwrap().write(b"bye").unwrap();
        assert!(reactor.remove(token));
        assert_eq!(drops.get(), 1);
        let mut log = Log::new();
        reactor.run(&mut log).unwrap();
        assert!(log.is_empty());
        // What was written went out; TCP then resets, because something was left unread.
        let bytes = read_some(&mut peer, 10).unwrap_or_default();
        assert!(bytes == b"bye" || transport == peers::Transport::Tcp);
    });
}

#[test]
fn the_socket_comes_back_also_inside_its_own_callback() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Option<Socket>>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let drops = Rc::new(Cell::new(0));
        let dropped = Dropped(drops.clone());
        let callback = move |reactor: &mut Reactor<'_, Option<Socket>>,
                             taken: &mut Option<Socket>,
                             token,
                             event: StreamEvent<'_>| {
            let _ = &dropped;
            assert!(matches!(event, StreamEvent::Data(b"yours")), "{event:?}");
            reactor.stream(token)?.write(b"mine")?;
            assert!(reactor.take::<Vec<u8>>(token).is_none(), "it is of another type");
            *taken = reactor.take::<Socket>(token);
            assert!(taken.is_some() && !reactor.contains(token));
            Ok(())
        };
        reactor.add_stream(socket, &options(), callback).unwrap();
        peer.write_all(b"yours").unwrap();
        let mut taken = None;
        reactor.run(&mut taken).unwrap();
        assert_eq!(drops.get(), 1);
        let mut socket = taken.take().unwrap();
        socket.write_all(b" and still mine").unwrap();
        let mut bytes = Vec::new();
        play(&mut reactor, &mut taken, |_| {
            bytes.extend(read_some(&mut peer, 100).unwrap_or_default());
            bytes.len() == 19
        });
        assert_eq!(bytes, b"mine and still mine");
        // From outside, and into another stream.
        let token: Token = reactor.add_stream(socket, &options(), |_, _, _, _| Ok(())).unwrap();
        let mut socket = reactor.take::<Socket>(token).unwrap();
        peer.write_all(b"x").unwrap();
        assert_eq!(socket.read(&mut [0; 9]).unwrap(), 1);
        assert!(reactor.is_empty());
    });
}
