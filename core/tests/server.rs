//! Servers: who is accepted, how many at a time, and what becomes of them.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use common::{LONG, errno, for_each_backend, in_child, is_closed, use_up_descriptors};
use fastsock::net::options::TcpOptions;
use fastsock::net::{Kind, ListenOptions, Listener, PeerAddress, Socket};
use fastsock::server::ServerOptions;
use fastsock::stream::{StreamEvent, StreamOptions};
use fastsock::{Backend, Reactor, Token};
use peers::{Log, NOW, Told, echo, listener, pair, pattern, play, read_exactly, told, until};

fn client(address: SocketAddr) -> Socket {
    Socket::from_fd(TcpStream::connect(address).unwrap()).unwrap()
}

/// A reactor with an echo server.
fn serving(backend: Backend, options: &ServerOptions) -> (Reactor<'static, ()>, Token, SocketAddr) {
    let mut reactor = Reactor::with_backend(backend).unwrap();
    let (listener, address) = listener();
    let server = reactor.serve(listener, options, |_, _, _| Ok(echo)).unwrap();
    (reactor, server, address)
}

fn is_echoed(reactor: &mut Reactor<'_, ()>, client: &mut Socket) {
    client.write_all(b"hello").unwrap();
    assert_eq!(read_exactly(reactor, &mut (), client, 5), b"hello");
}

/// Whether an echo comes within some turns.
fn is_served(reactor: &mut Reactor<'_, ()>, client: &mut Socket) -> bool {
    let _ = client.write(b"x");
    for _ in 0..30 {
        reactor.turn(&mut (), Some(Duration::from_millis(1))).unwrap();
        if client.read(&mut [0; 9]).is_ok_and(|n| n > 0) {
            return true;
        }
    }
    false
}

#[test]
fn every_connection_gets_a_callback_of_its_own() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let name = format!("\0fastsock {} {backend} own", std::process::id());
        let unix = PeerAddress::try_from(Path::new(&name)).unwrap();
        let (tcp, address) = listener();
        for listener in [tcp, ListenOptions::new().listen(unix).unwrap()] {
            let server = reactor
                .serve(listener, &ServerOptions::new(), |reactor, accepted: &mut u32, token| {
                    *accepted += 1;
                    let number = *accepted;
                    let server = reactor.stream(token)?.server();
                    assert!(server.is_some_and(|server| reactor.contains(server)));
                    reactor.stream(token)?.write(&[number as u8])?;
                    let mut sum = 0;
                    Ok(move |reactor: &mut Reactor<'_, u32>, _: &mut u32, token, event: StreamEvent<'_>| match event {
                        StreamEvent::Data(bytes) => {
                            sum += bytes.len() as u32;
                            reactor.stream(token)?.write(&[number as u8, sum as u8])
                        }
                        _ => Ok(()),
                    })
                })
                .unwrap();
            assert!(reactor.contains(server));
        }
        let mut accepted = 0;
        for number in 1..=6 {
            let mut peer = if number <= 3 {
                client(address)
            } else {
                let socket = Socket::for_address(unix, Kind::Stream).unwrap();
                let _ = socket.connect(unix).unwrap();
                socket
            };
            assert_eq!(read_exactly(&mut reactor, &mut accepted, &mut peer, 1), [number]);
            for round in 1..=3 {
                peer.write_all(b"xy").unwrap();
                assert_eq!(read_exactly(&mut reactor, &mut accepted, &mut peer, 2), [number, round * 2]);
            }
            assert!(number > 3 || peer.no_delay().is_ok());
        }
        assert_eq!(accepted, 6);
    });
}

#[test]
fn tcp_is_set_to_send_at_once() {
    for_each_backend(|backend| {
        let (mut reactor, server, address) = serving(backend, &ServerOptions::new());
        let mut peer = client(address);
        is_echoed(&mut reactor, &mut peer);
        let streams = reactor.server(server).unwrap().streams();
        assert_eq!(streams.len(), 1);
        assert!(reactor.stream(streams[0]).unwrap().socket().no_delay().unwrap());
    });
}

#[test]
fn those_over_the_limit_wait_and_are_served_in_order() {
    for_each_backend(|backend| {
        let (mut reactor, server, address) = serving(backend, &ServerOptions::new().connection_limit(2));
        let mut clients: Vec<Socket> = (0..5).map(|_| client(address)).collect();
        is_echoed(&mut reactor, &mut clients[0]);
        is_echoed(&mut reactor, &mut clients[1]);
        assert!(!is_served(&mut reactor, &mut clients[2]));
        let stats = reactor.server(server).unwrap().stats();
        assert_eq!((stats.connections, stats.accepted, stats.limited), (2, 2, 1));
        let turns = reactor.stats().turns;
        reactor.turn(&mut (), Some(Duration::from_millis(20))).unwrap();
        assert_eq!(reactor.stats().turns, turns + 1, "those who wait keep nobody awake");
        for next in 2..5 {
            drop(clients.remove(0));
            let mut byte = [0; 1];
            let waiting = &mut clients[1];
            if next > 2 {
                waiting.write_all(b"x").unwrap();
            }
            play(&mut reactor, &mut (), |_| waiting.read(&mut byte).is_ok());
            assert_eq!(&byte, b"x");
        }
        let stats = reactor.server(server).unwrap().stats();
        assert_eq!((stats.connections, stats.accepted, stats.limited), (2, 5, 4));
        drop(clients);
        until_left(&mut reactor, server, 0);
        assert_eq!(reactor.server(server).unwrap().stats().limited, 4);
    });
}

fn until_left(reactor: &mut Reactor<'_, ()>, server: Token, count: u32) {
    let start = std::time::Instant::now();
    while reactor.server(server).unwrap().stats().connections != count {
        assert!(start.elapsed() < LONG);
        reactor.turn(&mut (), Some(Duration::from_millis(1))).unwrap();
    }
}

#[test]
fn another_limit_counts_at_once() {
    for_each_backend(|backend| {
        let (mut reactor, server, address) = serving(backend, &ServerOptions::new());
        let mut clients: Vec<Socket> = (0..3).map(|_| client(address)).collect();
        for client in &mut clients {
            is_echoed(&mut reactor, client);
        }
        let mut late = client(address);
        // Harvested already, but not accepted.
        reactor.wait(Some(LONG)).unwrap();
        reactor.server(server).unwrap().set_connection_limit(2);
        assert!(!is_served(&mut reactor, &mut late));
        drop(clients.pop());
        until_left(&mut reactor, server, 2);
        assert!(!is_served(&mut reactor, &mut late), "two are as many as there may be");
        reactor.server(server).unwrap().set_connection_limit(3);
        play(&mut reactor, &mut (), |_| late.read(&mut [0; 9]).is_ok());
        let mut fifth = client(address);
        assert!(!is_served(&mut reactor, &mut fifth));
        reactor.server(server).unwrap().set_connection_limit(u32::MAX);
        play(&mut reactor, &mut (), |_| fifth.read(&mut [0; 9]).is_ok());
        reactor.server(server).unwrap().set_connection_limit(0);
        drop((clients, late, fifth));
        until_left(&mut reactor, server, 0);
        is_echoed(&mut reactor, &mut client(address));
    });
}

#[test]
fn a_connection_for_which_no_callback_is_made_is_closed_and_the_others_go_on() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let (listener, address) = listener();
        let server = reactor
            .serve(listener, &ServerOptions::new().connection_limit(1), |reactor, count: &mut u32, token| {
                *count += 1;
                if *count % 2 == 1 {
                    reactor.stream(token)?.write(b"no")?;
                    return Err(io::Error::other("on purpose"));
                }
                Ok(echo)
            })
            .unwrap();
        let mut refused = client(address);
        let mut count = 0;
        assert_eq!(peers::read_to_end(&mut reactor, &mut count, &mut refused), b"no");
        let mut taken = client(address);
        taken.write_all(b"yes").unwrap();
        assert_eq!(read_exactly(&mut reactor, &mut count, &mut taken, 3), b"yes");
        let stats = reactor.server(server).unwrap().stats();
        assert_eq!((stats.connections, stats.accepted, stats.refused), (1, 2, 1));
    });
}

#[test]
fn a_panic_in_accepting_costs_the_listener_and_no_connection() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let (listener, address) = listener();
        let server = reactor
            .serve(listener, &ServerOptions::new(), |_, count: &mut u32, _| {
                *count += 1;
                assert!(*count < 2, "on purpose");
                Ok(echo)
            })
            .unwrap();
        let mut first = client(address);
        first.write_all(b"x").unwrap();
        let mut count = 0;
        assert_eq!(read_exactly(&mut reactor, &mut count, &mut first, 1), b"x");
        let mut second = client(address);
        catch_unwind(AssertUnwindSafe(|| until(&mut reactor, &mut count, |_| false))).unwrap_err();
        assert!(is_closed(&mut second));
        first.write_all(b"y").unwrap();
        assert_eq!(read_exactly(&mut reactor, &mut count, &mut first, 1), b"y");
        let stats = reactor.server(server).unwrap().stats();
        assert_eq!((stats.connections, stats.accepted), (1, 2));
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
        drop(first);
        reactor.run(&mut count).unwrap();
        assert!(!reactor.contains(server), "it ends with its last connection");
    });
}

#[test]
fn a_callback_that_is_made_may_remove_close_or_replace() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (listener, address) = listener();
        let mut number = 0;
        let (sender, receiver) = std::sync::mpsc::channel();
        let server = reactor
            .serve(listener, &ServerOptions::new(), move |reactor: &mut Reactor<'static, Log>, _, token| {
                number += 1;
                match number {
                    1 => assert!(reactor.remove(token)),
                    2 => {
                        reactor.stream(token)?.write(b"bye")?;
                        reactor.stream(token)?.close();
                    }
                    _ => {
                        let next = Reactor::with_backend(backend).unwrap();
                        let _ = sender.send(std::mem::replace(reactor, next));
                    }
                }
                Ok(|_: &mut Reactor<'static, Log>, log: &mut Log, _, event: StreamEvent<'_>| {
                    log.push(told(&event));
                    Ok(())
                })
            })
            .unwrap();
        let mut log = Log::new();
        let mut removed = client(address);
        assert_eq!(peers::read_to_end(&mut reactor, &mut log, &mut removed), b"");
        let mut closed = client(address);
        assert_eq!(peers::read_to_end(&mut reactor, &mut log, &mut closed), b"bye");
        drop(closed);
        peers::until_closed(&mut reactor, &mut log);
        assert_eq!(log, [Told::Closed(0)]);
        let mut third = client(address);
        let mut kept = None;
        play(&mut reactor, &mut log, |_| {
            kept = kept.take().or_else(|| receiver.try_recv().ok());
            kept.is_some()
        });
        let mut old = kept.unwrap();
        assert!(reactor.is_empty());
        // The one without a callback is found out, in the reactor where it is.
        play(&mut old, &mut log, |_| is_closed_now(&mut third));
        assert_eq!(old.server(server).unwrap().stats().connections, 0);
        assert_eq!(log, [Told::Closed(0)]);
    });
}

fn is_closed_now(peer: &mut Socket) -> bool {
    match peer.read(&mut [0; 1]) {
        Ok(n) => n == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

#[test]
fn without_descriptors_it_pauses_and_goes_on_when_there_are_some() {
    in_child("without_descriptors_it_pauses_and_goes_on_when_there_are_some", |backend| {
        let (mut reactor, server, address) = serving(backend, &ServerOptions::new().connection_limit(1000));
        let mut first = client(address);
        is_echoed(&mut reactor, &mut first);
        let mut second = client(address);
        let files = use_up_descriptors();
        assert!(!is_served(&mut reactor, &mut second));
        is_echoed(&mut reactor, &mut first);
        assert_eq!(reactor.server(server).unwrap().stats().accepted, 1);
        assert!(reactor.stats().accept_failures > 0);
        // Other limits meanwhile confuse nobody.
        reactor.server(server).unwrap().set_connection_limit(1);
        reactor.turn(&mut (), Some(Duration::from_millis(30))).unwrap();
        reactor.server(server).unwrap().set_connection_limit(2);
        drop(files);
        play(&mut reactor, &mut (), |_| second.read(&mut [0; 9]).is_ok());
        let stats = reactor.server(server).unwrap().stats();
        assert_eq!((stats.connections, stats.failure), (2, 0));
    });
}

#[test]
fn what_cannot_be_served_is_refused_and_comes_back() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let name = format!("\0fastsock {} {backend} packets", std::process::id());
        let address = PeerAddress::try_from(Path::new(&name)).unwrap();
        let packets: Listener = ListenOptions::new().kind(Kind::SeqPacket).listen(address).unwrap();
        let refused = reactor.serve(packets, &ServerOptions::new(), |_, _, _| Ok(echo)).unwrap_err();
        assert_eq!(fastsock::errno(&refused.error), libc::EPROTOTYPE);
        assert!(refused.source.local_addr().is_ok() && reactor.is_empty());
        let (socket, _peer) = pair(peers::Transport::Unix);
        let stream = reactor.add_stream(socket, &StreamOptions::new(), echo).unwrap();
        assert_eq!(errno(reactor.server(stream).map(drop)), libc::ENOENT, "a stream is no server");
    });
}

#[test]
fn a_removed_server_takes_its_connections_along_without_a_word() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (listener, address) = listener();
        let server = reactor
            .serve(listener, &ServerOptions::new(), |_, log: &mut Log, _| {
                log.push(Told::Connected);
                Ok(|_: &mut Reactor<'_, Log>, log: &mut Log, _, event: StreamEvent<'_>| {
                    log.push(told(&event));
                    Ok(())
                })
            })
            .unwrap();
        let mut clients: Vec<Socket> = (0..4).map(|_| client(address)).collect();
        let (mut log, mut waiting) = (Log::new(), client(address));
        until(&mut reactor, &mut log, |log| log.len() == 5);
        clients[0].write_all(&pattern(100)).unwrap();
        reactor.wait(Some(LONG)).unwrap();
        reactor.server(server).unwrap().drain(LONG, |_, _, _| panic!("it was removed")).unwrap();
        assert!(reactor.remove(server) && !reactor.remove(server) && !reactor.contains(server));
        assert_eq!(errno(reactor.server(server).map(drop)), libc::ENOENT);
        reactor.run(&mut log).unwrap();
        assert_eq!(log.len(), 5, "{log:?}");
        assert!(clients.iter_mut().all(is_closed) && is_closed(&mut waiting));
        assert!(reactor.is_empty() && reactor.turn(&mut log, NOW).unwrap() == 0);
    });
}
