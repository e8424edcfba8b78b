//! Streams that connect: told once, in order, and given up in time.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{LONG, errno, for_each_backend};
use fastsock::net::{Connect, Family, Kind, ListenOptions, Listener, PeerAddress, Socket};
use fastsock::stream::{StreamEvent, StreamOptions, Timeout};
use fastsock::{Backend, Reactor, Token};
use peers::{Log, NOW, Told, listener, pattern, play, read_exactly, read_to_end, told, until, until_closed};

fn options() -> StreamOptions {
    StreamOptions::new()
}

fn connect(reactor: &mut Reactor<'_, Log>, address: impl Into<PeerAddress>, options: &StreamOptions) -> Token {
    let log = |_: &mut Reactor<'_, Log>, log: &mut Log, _, event: StreamEvent<'_>| {
        log.push(told(&event));
        Ok(())
    };
    reactor.connect(address, options, log).unwrap()
}

fn accept(listener: &mut Listener) -> Socket {
    let start = Instant::now();
    loop {
        match listener.accept().unwrap() {
            fastsock::net::Accept::Connection(connection) => return Socket::from(connection),
            other => assert!(start.elapsed() < LONG, "{other:?}"),
        }
    }
}

/// A listener that answers nobody: its queue is full. With what fills it.
fn black_hole() -> (Listener, Vec<Socket>, SocketAddr) {
    let listener = ListenOptions::new().backlog(0).listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let first = Socket::new(Family::V4, Kind::Stream).unwrap();
    let _ = first.connect(address).unwrap();
    let probe = Socket::new(Family::V4, Kind::Stream).unwrap();
    assert_eq!(probe.connect(address).unwrap(), Connect::InProgress);
    let start = Instant::now();
    while first.finish_connect().unwrap() != Connect::Done {
        assert!(start.elapsed() < LONG);
    }
    assert_eq!(probe.finish_connect().unwrap(), Connect::InProgress);
    (listener, vec![first, probe], address.ip().unwrap())
}

#[test]
fn what_is_written_before_the_connection_is_there_goes_out_in_order() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (mut listener, address) = listener();
        let bytes = pattern(1_000_000);
        let tail = bytes[700_000..].to_vec();
        let token = reactor
            .connect(address, &options(), move |reactor, log: &mut Log, token, event| {
                log.push(told(&event));
                if let StreamEvent::Connected = event {
                    assert_eq!(reactor.stream(token)?.queued(), 700_000);
                    let mut stream = reactor.stream(token)?;
                    stream.write(&tail)?;
                    stream.shutdown();
                }
                Ok(())
            })
            .unwrap();
        for piece in bytes[..700_000].chunks(100_000) {
            reactor.stream(token).unwrap().write(piece).unwrap();
        }
        assert!(reactor.stream(token).unwrap().is_full());
        let mut log = Log::new();
        let mut peer = accept(&mut listener);
        assert!(read_to_end(&mut reactor, &mut log, &mut peer) == bytes);
        assert_eq!(log, [Told::Connected]);
        drop(peer);
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
        assert_eq!(log, [Told::Connected, Told::End, Told::Closed(0)]);
    });
}

#[test]
fn connected_is_told_before_what_the_peer_has_sent_meanwhile() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let name = format!("\0fastsock {} {backend} meanwhile", std::process::id());
        let address = PeerAddress::try_from(Path::new(&name)).unwrap();
        let mut unix = ListenOptions::new().listen(address).unwrap();
        let (mut tcp, tcp_address) = listener();
        for (listener, address) in [(&mut unix, address), (&mut tcp, tcp_address.into())] {
            connect(&mut reactor, address, &options());
            let mut peer = accept(listener);
            peer.write_all(b"hello").unwrap();
            drop(peer);
            let mut log = Log::new();
            assert_eq!(until_closed(&mut reactor, &mut log), 0);
            assert_eq!(log, [Told::Connected, Told::Data(b"hello".to_vec()), Told::End, Told::Closed(0)]);
        }
    });
}

#[test]
fn a_refused_connection_is_closed_with_the_error_and_was_never_connected() {
    for_each_backend(|backend| {
        let bound = Socket::new(Family::V4, Kind::Stream).unwrap();
        bound.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let token = connect(&mut reactor, bound.local_addr().unwrap(), &options());
        reactor.stream(token).unwrap().write(b"anyone?").unwrap();
        let mut log = Log::new();
        reactor.run(&mut log).unwrap();
        assert_eq!(log, [Told::Closed(libc::ECONNREFUSED)]);
        let nowhere = PeerAddress::try_from(Path::new("/does/not/exist")).unwrap();
        assert_eq!(errno(reactor.connect(nowhere, &options(), |_, _, _, _| Ok(()))), libc::ENOENT);
        assert!(reactor.is_empty());
    });
}

/// How long it takes for a stream that cannot connect to be closed, and with which errno.
fn given_up(
    backend: Backend,
    options: &StreamOptions,
    meddle: impl Fn(&mut Reactor<'_, Log>, Token),
) -> (Duration, Log) {
    let (_listener, _filling, address) = black_hole();
    let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
    let start = Instant::now();
    let token = connect(&mut reactor, address, options);
    let mut log = Log::new();
    reactor.turn(&mut log, NOW).unwrap();
    meddle(&mut reactor, token);
    reactor.run(&mut log).unwrap();
    (start.elapsed(), log)
}

#[test]
fn connecting_is_given_up_after_its_time_and_not_before() {
    for_each_backend(|backend| {
        let patience = Duration::from_millis(60);
        // The other times do not count before there is a connection.
        let options = options().connect_timeout(patience).idle_timeout(Duration::from_millis(1));
        let options = options.read_timeout(Duration::ZERO).write_timeout(Duration::ZERO);
        let (time, log) = given_up(backend, &options, |reactor, token| {
            reactor.stream(token).unwrap().write(b"anyone?").unwrap();
        });
        assert!(time >= patience && time < LONG, "{time:?}");
        assert_eq!(log, [Told::Closed(libc::ETIMEDOUT)]);
    });
}

#[test]
fn nothing_but_other_options_puts_the_end_of_connecting_off() {
    for_each_backend(|backend| {
        let patience = Duration::from_millis(60);
        given_up(backend, &options().connect_timeout(patience), |reactor, token| {
            let start = Instant::now();
            while start.elapsed() < patience {
                let mut stream = reactor.stream(token).unwrap();
                stream.pause();
                stream.resume();
                stream.set_options(&options().connect_timeout(patience));
            }
            let mut log = Log::new();
            reactor.turn(&mut log, NOW).unwrap();
            assert_eq!(log, [Told::Closed(libc::ETIMEDOUT)], "at once, for its time has come");
        });
        let (_, log) = given_up(backend, &options().connect_timeout(LONG * 100), |reactor, token| {
            reactor.stream(token).unwrap().set_options(&options().connect_timeout(Duration::from_millis(1)));
        });
        assert_eq!(log, [Told::Closed(libc::ETIMEDOUT)]);
    });
}

#[test]
fn closing_a_connection_in_progress_waits_only_for_what_is_queued() {
    for_each_backend(|backend| {
        let (time, log) = given_up(backend, &options().close_timeout(LONG), |reactor, token| {
            reactor.stream(token).unwrap().close();
        });
        assert!(time < LONG);
        assert_eq!(log, [Told::Closed(0)], "nothing waits for the connection");
        let patience = Duration::from_millis(40);
        let (time, log) = given_up(backend, &options().close_timeout(patience), |reactor, token| {
            let mut stream = reactor.stream(token).unwrap();
            stream.write(b"a last word").unwrap();
            stream.close();
        });
        assert!(time >= patience && time < LONG, "{time:?}");
        assert_eq!(log, [Told::Closed(libc::ETIMEDOUT)]);
    });
}

#[test]
fn what_a_stream_wrote_before_it_was_closed_and_connected_arrives() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (mut listener, address) = listener();
        let token = connect(&mut reactor, address, &options());
        let mut stream = reactor.stream(token).unwrap();
        stream.write(b"a last word").unwrap();
        stream.close();
        let mut peer = accept(&mut listener);
        let mut log = Log::new();
        assert_eq!(read_to_end(&mut reactor, &mut log, &mut peer), b"a last word");
        drop(peer);
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
        assert_eq!(log, [Told::Closed(0)], "and `Connected` is no news any more");
    });
}

#[test]
fn a_connection_in_progress_is_removed_without_a_word() {
    for_each_backend(|backend| {
        let (_, log) = given_up(backend, &options().connect_timeout(LONG), |reactor, token| {
            assert!(reactor.stream(token).unwrap().peer_addr().is_err());
            assert!(reactor.remove(token));
            assert!(reactor.is_empty() && reactor.next_deadline().is_none());
        });
        assert!(log.is_empty());
    });
}

#[test]
fn a_write_time_out_is_not_kept_waiting_by_the_time_for_connecting() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (mut listener, address) = listener();
        let options = options().connect_timeout(LONG * 2).write_timeout(Duration::from_millis(30));
        let token = connect(&mut reactor, address, &options);
        // More than the kernel takes: the stream is full as soon as it is connected, and waits for the same as before.
        reactor.stream(token).unwrap().write(&pattern(20_000_000)).unwrap();
        let _peer = accept(&mut listener);
        let mut log = Log::new();
        assert_eq!(until_closed(&mut reactor, &mut log), libc::ETIMEDOUT);
        assert_eq!(log, [Told::Connected, Told::TimedOut(Timeout::Write), Told::Closed(libc::ETIMEDOUT)]);
    });
}

#[test]
fn a_stream_may_be_removed_or_fail_when_it_is_told_that_it_is_connected() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (mut listener, address) = listener();
        reactor
            .connect(address, &options(), |reactor, log: &mut Log, token, event| {
                log.push(told(&event));
                reactor.remove(token);
                Ok(())
            })
            .unwrap();
        let mut log = Log::new();
        reactor.run(&mut log).unwrap();
        assert_eq!(log, [Told::Connected]);
        assert_eq!(accept(&mut listener).read(&mut [0; 1]).unwrap(), 0);
        reactor
            .connect(address, &options(), |_, log: &mut Log, _, event| {
                log.push(told(&event));
                match event {
                    StreamEvent::Connected => Err(std::io::Error::from_raw_os_error(libc::EACCES)),
                    _ => Ok(()),
                }
            })
            .unwrap();
        log.clear();
        reactor.run(&mut log).unwrap();
        assert_eq!(log, [Told::Connected, Told::Closed(libc::EACCES)]);
    });
}

#[test]
fn many_connect_at_once_and_each_is_echoed() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (listener, address) = listener();
        reactor.serve(listener, &Default::default(), |_, _, _| Ok(peers::echo)).unwrap();
        let tokens: Vec<Token> = (0..50).map(|_| connect(&mut reactor, address, &options())).collect();
        for &token in &tokens {
            reactor.stream(token).unwrap().write(b"x").unwrap();
        }
        let mut log = Log::new();
        until(&mut reactor, &mut log, |log| log.len() == 100);
        assert_eq!(log.iter().filter(|told| **told == Told::Connected).count(), 50);
        assert_eq!(log.iter().filter(|told| **told == Told::Data(b"x".to_vec())).count(), 50);
        let mut outside = Socket::new(Family::V4, Kind::Stream).unwrap();
        let _ = outside.connect(address).unwrap();
        play(&mut reactor, &mut log, |_| outside.finish_connect().unwrap() == Connect::Done);
        outside.write_all(b"and one more").unwrap();
        assert_eq!(read_exactly(&mut reactor, &mut log, &mut outside, 12), b"and one more");
    });
}
