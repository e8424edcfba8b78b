//! The orderly end of a server.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::{LONG, errno, for_each_backend, is_closed};
use fastsock::net::Socket;
use fastsock::server::{ServerOptions, ServerStats};
use fastsock::stream::StreamEvent;
use fastsock::{Backend, Reactor, Token};
use peers::{Log, NOW, Told, listener, pattern, read_exactly, read_to_end, told, until};

#[derive(Default)]
struct Context {
    log: Log,
    drained: Vec<ServerStats>,
    /// What is kept open at `Stopping`.
    keep: bool,
}

type Loop = Reactor<'static, Context>;

fn client(address: SocketAddr) -> Socket {
    Socket::from_fd(TcpStream::connect(address).unwrap()).unwrap()
}

/// A server that answers "answer" and, told "more", 3 MB; and so many clients of it.
fn serving(backend: Backend, context: &mut Context, count: usize) -> (Loop, Token, SocketAddr, Vec<Socket>) {
    let mut reactor = Loop::with_backend(backend).unwrap();
    let (listener, address) = listener();
    let server = reactor
        .serve(listener, &ServerOptions::new(), |_, _, _| {
            Ok(|reactor: &mut Loop, context: &mut Context, token, event: StreamEvent<'_>| {
                context.log.push(told(&event));
                match event {
                    StreamEvent::Data(b"more") => reactor.stream(token)?.write(&pattern(3_000_000))?,
                    StreamEvent::Data(_) => reactor.stream(token)?.write(b"answer")?,
                    StreamEvent::Stopping if context.keep => reactor.stream(token)?.keep(),
                    _ => {}
                }
                Ok(())
            })
        })
        .unwrap();
    let mut clients: Vec<Socket> = (0..count).map(|_| client(address)).collect();
    for client in &mut clients {
        client.write_all(b"ask").unwrap();
        assert_eq!(read_exactly(&mut reactor, context, client, 6), b"answer");
    }
    context.log.clear();
    (reactor, server, address, clients)
}

fn drain(reactor: &mut Loop, server: Token, longest: Duration) {
    let drained = |_: &mut Loop, context: &mut Context, stats| context.drained.push(stats);
    reactor.server(server).unwrap().drain(longest, drained).unwrap();
}

fn count(context: &Context, wanted: &Told) -> usize {
    context.log.iter().filter(|told| *told == wanted).count()
}

#[test]
fn a_drain_tells_every_stream_sends_what_is_queued_and_ends() {
    for_each_backend(|backend| {
        let mut context = Context::default();
        let (mut reactor, server, address, mut clients) = serving(backend, &mut context, 5);
        clients[0].write_all(b"more").unwrap();
        until(&mut reactor, &mut context, |context| !context.log.is_empty());
        drain(&mut reactor, server, LONG);
        let again = reactor.server(server).unwrap().drain(LONG, |_, _, _| panic!("refused")).map(drop);
        assert_eq!(errno(again), libc::EALREADY);
        assert!(TcpStream::connect(address).is_err(), "nobody is accepted any more");
        reactor.turn(&mut context, NOW).unwrap();
        assert!(context.drained.is_empty());
        assert!(read_to_end(&mut reactor, &mut context, &mut clients[0]) == pattern(3_000_000));
        for client in &mut clients[1..] {
            assert_eq!(read_to_end(&mut reactor, &mut context, client), b"");
        }
        drop(clients);
        reactor.run(&mut context).unwrap();
        assert_eq!((count(&context, &Told::Stopping), count(&context, &Told::Closed(0))), (5, 5));
        assert_eq!(context.drained.len(), 1);
        let stats = context.drained[0];
        assert_eq!((stats.connections, stats.accepted, stats.cut_off, stats.failure), (0, 5, 0, 0));
        assert!(!reactor.contains(server) && reactor.next_deadline().is_none());
        assert_eq!(errno(reactor.server(server).map(drop)), libc::ENOENT);
    });
}

#[test]
fn a_stream_that_is_kept_finishes_what_it_is_at() {
    for_each_backend(|backend| {
        let mut context = Context { keep: true, ..Context::default() };
        let (mut reactor, server, _, mut clients) = serving(backend, &mut context, 2);
        drain(&mut reactor, server, LONG * 10);
        until(&mut reactor, &mut context, |context| context.log.len() == 2);
        assert_eq!(context.log, [Told::Stopping, Told::Stopping]);
        for client in &mut clients {
            client.write_all(b"ask").unwrap();
            assert_eq!(read_exactly(&mut reactor, &mut context, client, 6), b"answer");
        }
        assert_eq!(reactor.server(server).unwrap().stats().connections, 2);
        assert!(context.drained.is_empty());
        drop(clients);
        reactor.run(&mut context).unwrap();
        assert_eq!((context.drained.len(), context.drained[0].cut_off), (1, 0));
        assert_eq!(count(&context, &Told::Stopping), 2, "told once");
    });
}

#[test]
fn those_left_when_the_time_is_over_are_cut_off() {
    for_each_backend(|backend| {
        let mut context = Context { keep: true, ..Context::default() };
        let (mut reactor, server, _, mut clients) = serving(backend, &mut context, 3);
        let time = Duration::from_millis(30);
        let start = Instant::now();
        drain(&mut reactor, server, time);
        drop(clients.pop());
        reactor.run(&mut context).unwrap();
        assert!(start.elapsed() >= time);
        let cut_off = count(&context, &Told::Closed(libc::ETIMEDOUT));
        assert_eq!(cut_off + count(&context, &Told::Closed(0)), 3);
        assert!(cut_off >= 2);
        assert_eq!(context.drained.len(), 1);
        assert_eq!((context.drained[0].cut_off, context.drained[0].connections), (cut_off as u64, 0));
        assert!(clients.iter_mut().all(is_closed));
        // With no time at all.
        let (mut reactor, server, _, mut clients) = serving(backend, &mut context, 3);
        context.drained.clear();
        drain(&mut reactor, server, Duration::ZERO);
        reactor.run(&mut context).unwrap();
        assert!(context.drained.len() == 1 && clients.iter_mut().all(is_closed));
    });
}

#[test]
fn without_a_connection_it_is_over_in_the_next_turn() {
    for_each_backend(|backend| {
        let mut context = Context::default();
        let (mut reactor, server, ..) = serving(backend, &mut context, 0);
        drain(&mut reactor, server, LONG);
        assert!(context.drained.is_empty(), "nothing is called back outside of a turn");
        assert_eq!(reactor.turn(&mut context, Some(LONG)).unwrap(), 1);
        assert_eq!(context.drained, [ServerStats::default()]);
        assert!(reactor.is_empty() && !reactor.contains(server));
        reactor.run(&mut context).unwrap();
        assert_eq!(context.drained.len(), 1);
    });
}

#[test]
fn a_stream_may_drain_its_own_server() {
    for_each_backend(|backend| {
        let mut reactor = Loop::with_backend(backend).unwrap();
        let (listener, address) = listener();
        reactor
            .serve(listener, &ServerOptions::new(), |_, _, _| {
                Ok(|reactor: &mut Loop, context: &mut Context, token, event: StreamEvent<'_>| {
                    context.log.push(told(&event));
                    if let StreamEvent::Data(_) = event {
                        reactor.stream(token)?.write(b"bye")?;
                        let server = reactor.stream(token)?.server().unwrap();
                        drain(reactor, server, LONG);
                    }
                    Ok(())
                })
            })
            .unwrap();
        let mut context = Context::default();
        let (mut one, mut other) = (client(address), client(address));
        one.write_all(b"drain").unwrap();
        assert_eq!(read_to_end(&mut reactor, &mut context, &mut one), b"bye");
        // The other may still have been in the listener's queue: then it is reset.
        let start = Instant::now();
        loop {
            match other.read(&mut [0; 1]) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => assert!(start.elapsed() < LONG),
                result => break assert!(!matches!(result, Ok(1))),
            }
            reactor.turn(&mut context, Some(Duration::from_millis(1))).unwrap();
        }
        drop((one, other));
        reactor.run(&mut context).unwrap();
        assert_eq!(context.drained.len(), 1);
        assert_eq!(context.log[..2], [Told::Data(b"drain".to_vec()), Told::Stopping]);
    });
}

#[test]
fn streams_that_are_closing_already_are_not_told_but_waited_for() {
    for_each_backend(|backend| {
        let mut context = Context::default();
        let (mut reactor, server, _, mut clients) = serving(backend, &mut context, 1);
        let stream = reactor.server(server).unwrap().streams()[0];
        reactor.stream(stream).unwrap().close();
        assert_eq!(read_to_end(&mut reactor, &mut context, &mut clients[0]), b"");
        drain(&mut reactor, server, LONG);
        reactor.turn(&mut context, NOW).unwrap();
        assert!(context.log.is_empty() && context.drained.is_empty());
        drop(clients);
        reactor.run(&mut context).unwrap();
        assert_eq!((context.log.len(), context.drained.len()), (1, 1));
    });
}

#[test]
fn what_is_called_at_the_end_may_serve_again_or_stop() {
    for_each_backend(|backend| {
        let mut context = Context::default();
        let (mut reactor, server, _, clients) = serving(backend, &mut context, 1);
        let (next, address) = listener();
        let drained = move |reactor: &mut Loop, context: &mut Context, stats: ServerStats| {
            context.drained.push(stats);
            reactor.serve(next, &ServerOptions::new(), |_, _, _| Ok(peers::echo)).unwrap();
            reactor.stop();
        };
        reactor.server(server).unwrap().drain(LONG, drained).unwrap();
        drop(clients);
        reactor.run(&mut context).unwrap();
        assert_eq!(context.drained.len(), 1);
        let mut again = client(address);
        again.write_all(b"again").unwrap();
        assert_eq!(read_exactly(&mut reactor, &mut context, &mut again, 5), b"again");
    });
}
