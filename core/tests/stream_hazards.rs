//! What a hostile peer, a careless callback, a fork or a host with a loop of its own could do to streams, and does not.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::cell::RefCell;
use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{LONG, errno, for_each_backend};
use fastsock::net::Socket;
use fastsock::server::ServerOptions;
use fastsock::stream::{StreamEvent, StreamOptions};
use fastsock::{Backend, Reactor, Time};
use peers::{Log, Told, Transport, add_logging, file_of, listener, pair, pattern, told};

const NOW: Option<Duration> = Some(Duration::ZERO);
const PIECE: usize = 64 * 1024;

/// Takes all that is there.
fn drain(socket: &Socket) -> usize {
    let mut buffer = [0; PIECE];
    let mut sum = 0;
    while let Ok(n @ 1..) = socket.recv(&mut buffer) {
        sum += n;
    }
    sum
}

#[test]
fn who_sends_one_file_after_another_to_a_fast_reader_gives_way() {
    for_each_backend(|backend| {
        let (here, there) = pair(Transport::Unix);
        let file = file_of(&pattern(PIECE));
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let send = move |reactor: &mut Reactor<'_, u32>, sent: &mut u32, token, event: StreamEvent<'_>| {
            if let StreamEvent::Writable = event {
                drain(&there);
                *sent += 1;
                reactor.stream(token)?.write_file(file.try_clone()?, 0, PIECE as u64)?;
            }
            Ok(())
        };
        let token = reactor.add_stream(here, &StreamOptions::new(), send).unwrap();
        reactor.stream(token).unwrap().write_file(file_of(&pattern(PIECE)), 0, PIECE as u64).unwrap();
        let mut sent = 0;
        for _ in 0..20 {
            assert!(reactor.turn(&mut sent, NOW).unwrap() <= 2, "in one turn");
        }
        assert!(sent >= 10, "{sent}");
    });
}

#[test]
fn streams_that_stop_every_dispatch_starve_no_timer() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<bool>::with_backend(backend).unwrap();
        let mut peers = Vec::new();
        for n in 0..3 {
            let (here, there) = pair(Transport::Unix);
            let sink = another(&there);
            let token = reactor.add_stream(here, &StreamOptions::new(), move |reactor, _, token, event| {
                match event {
                    StreamEvent::Data(_) if n == 1 => reactor.stop(),
                    StreamEvent::Writable => {
                        drain(&sink);
                        reactor.stop();
                    }
                    StreamEvent::Data(_) => {}
                    _ => return Ok(()),
                }
                reactor.stream(token)?.write(&[0; PIECE])
            });
            token.unwrap();
            peers.push(there);
        }
        reactor.timer(Duration::from_millis(10), |_, fired, _, _| *fired = true).unwrap();
        for peer in &peers {
            peer.send(b"go").unwrap();
        }
        let (mut fired, begun) = (false, Instant::now());
        while !fired {
            reactor.run(&mut fired).unwrap();
            assert!(begun.elapsed() < LONG, "the timer never came");
        }
    });
}

/// Another descriptor of the same socket.
fn another(socket: &Socket) -> Socket {
    Socket::from_fd(socket.as_fd().try_clone_to_owned().unwrap()).unwrap()
}

/// Runs it in a forked child, which ends with 0 if it was so.
fn holds_in_fork(body: impl FnOnce() -> bool) {
    // SAFETY: the child uses memory, descriptors and the crate under test, prints nothing and leaves by _exit.
    let status = unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            libc::alarm(20);
            libc::_exit(i32::from(!body()));
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        status
    };
    assert_eq!(status, 0);
}

fn is_forked<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
    errno(result) == libc::ECHILD
}

#[test]
fn a_forked_child_neither_sends_nor_reads_nor_ends_what_is_its_parents() {
    for_each_backend(|backend| {
        let (here, there) = pair(Transport::Unix);
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let token = add_logging(&mut reactor, here, &StreamOptions::new());
        // Harvested, and gathered, and to be shut down.
        there.send(b"for the parent").unwrap();
        reactor.wait(Some(LONG)).unwrap();
        reactor.stream(token).unwrap().write(b"once").unwrap();
        reactor.stream(token).unwrap().shutdown();
        holds_in_fork(|| {
            let mut log = Log::new();
            let refused = is_forked(reactor.turn(&mut log, NOW))
                && is_forked(reactor.dispatch(&mut log))
                && is_forked(reactor.wait(NOW))
                && is_forked(reactor.stream(token).unwrap().write(b"never"))
                && is_forked(reactor.stream(token).unwrap().write_file(file_of(b"never"), 0, 5));
            reactor.stream(token).unwrap().flush();
            refused && reactor.remove(token) && log.is_empty()
        });
        let mut log = Log::new();
        for _ in 0..3 {
            reactor.turn(&mut log, NOW).unwrap();
        }
        assert_eq!(log, [Told::Data(b"for the parent".to_vec())]);
        let mut buffer = [0; 100];
        assert_eq!(there.recv(&mut buffer).unwrap(), 4, "sent by one of the two");
        assert_eq!(&buffer[..4], b"once");
        assert_eq!(there.recv(&mut buffer).unwrap(), 0, "shut down by the parent");
    });
}

#[test]
fn for_a_host_that_waits_elsewhere_time_outs_count_from_what_happened() {
    let idle = Duration::from_millis(200);
    let options = StreamOptions::new().idle_timeout(idle);
    let once = || {
        let (here, there) = pair(Transport::Unix);
        let mut reactor = Reactor::<Option<Time>>::with_backend(Backend::Epoll).unwrap();
        let note = |_: &mut Reactor<'_, _>, at: &mut Option<Time>, _, event: StreamEvent<'_>| {
            if let StreamEvent::TimedOut(_) = event {
                *at = Some(Time::now());
            }
            Ok(())
        };
        reactor.add_stream(here, &options, note).unwrap();
        let mut at = None;
        // Most of the first period passes before anything comes.
        reactor.wait(Some(idle * 9 / 10)).unwrap();
        reactor.dispatch(&mut at).unwrap();
        there.send(b"x").unwrap();
        let sent = Time::now();
        while at.is_none() {
            let mut host = [libc::pollfd { fd: reactor.embed().unwrap(), events: libc::POLLIN, revents: 0 }];
            // SAFETY: one entry, on this frame.
            unsafe { libc::poll(host.as_mut_ptr(), 1, 20_000) };
            reactor.turn(&mut at, NOW).unwrap();
        }
        at.unwrap() - sent
    };
    // A busy machine may be late, once; a clock read too late always is, by nearly a period.
    let late: Vec<Duration> = (0..10).map(|_| once()).take_while(|took| *took > idle * 3 / 2).collect();
    assert!(late.len() < 10, "{late:?}");
}

#[test]
fn a_file_longer_than_any_is_an_error_and_costs_nothing_that_is_queued() {
    let (here, there) = pair(Transport::Unix);
    let mut reactor = Reactor::<Log>::new().unwrap();
    let token = add_logging(&mut reactor, here, &StreamOptions::new());
    let mut stream = reactor.stream(token).unwrap();
    stream.write(b"first ").unwrap();
    let most = i64::MAX as u64;
    for (offset, count) in [(0, u64::MAX), (0, most + 1), (u64::MAX, 1), (1, most), (most, 1)] {
        assert_eq!(errno(stream.write_file(file_of(b"hello"), offset, count)), libc::EOVERFLOW, "{offset} {count}");
    }
    stream.write(b"last").unwrap();
    reactor.turn(&mut Log::new(), NOW).unwrap();
    let mut buffer = [0; 100];
    assert_eq!(there.recv(&mut buffer).unwrap(), 10);
    assert_eq!(&buffer[..10], b"first last");
}

#[test]
fn a_panic_in_what_follows_a_callback_leaves_no_stream_behind_that_was_to_be_closed() {
    for_each_backend(|backend| {
        let (here, there) = pair(Transport::Unix);
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let token = add_logging(&mut reactor, here, &StreamOptions::new());
        drop(there);
        let mut log = Log::new();
        reactor.wait(Some(LONG)).unwrap();
        let after = |_: &mut Reactor<'_, Log>, _: &mut Log| panic!("in what follows");
        assert!(catch_unwind(AssertUnwindSafe(|| reactor.dispatch_and(&mut log, after))).is_err());
        reactor.run(&mut log).unwrap();
        assert!(!reactor.contains(token));
        assert_eq!(log, [Told::End, Told::Closed(0)]);
    });
}

#[test]
fn a_callback_that_moves_its_reactor_away_keeps_its_error() {
    type R = Reactor<'static, Log>;
    let (here, there) = pair(Transport::Unix);
    let mut reactor = R::new().unwrap();
    let place: Rc<RefCell<Option<R>>> = Rc::default();
    let away = place.clone();
    let callback = move |reactor: &mut R, log: &mut Log, _, event: StreamEvent<'_>| {
        log.push(told(&event));
        if let StreamEvent::Data(_) = event {
            *away.borrow_mut() = Some(std::mem::replace(reactor, R::new()?));
            return Err(io::Error::from_raw_os_error(libc::EPROTO));
        }
        Ok(())
    };
    reactor.add_stream(here, &StreamOptions::new(), callback).unwrap();
    there.send(b"x").unwrap();
    let mut log = Log::new();
    reactor.turn(&mut log, Some(LONG)).unwrap();
    let mut moved = place.borrow_mut().take().unwrap();
    moved.run(&mut log).unwrap();
    assert_eq!(log, [Told::Data(b"x".to_vec()), Told::Closed(libc::EPROTO)]);
}

#[test]
fn a_destructor_that_panics_saves_no_connection_of_a_removed_server() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!std::mem::take(&mut self.0), "in a destructor");
        }
    }
    for_each_backend(|backend| {
        let (listener, address) = listener();
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let make = |_: &mut Reactor<'_, u32>, made: &mut u32, _| {
            *made += 1;
            let bomb = Bomb(*made == 1);
            Ok(move |_: &mut Reactor<'_, u32>, calls: &mut u32, _, _: StreamEvent<'_>| {
                let _ = &bomb;
                *calls += 100;
                Ok(())
            })
        };
        let server = reactor.serve(listener, &ServerOptions::new(), make).unwrap();
        let clients: Vec<_> = (0..3).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let mut calls = 0;
        while calls < 3 {
            reactor.turn(&mut calls, Some(LONG)).unwrap();
        }
        assert!(catch_unwind(AssertUnwindSafe(|| reactor.remove(server))).is_err());
        for mut client in &clients {
            let _ = io::Write::write(&mut client, b"x");
        }
        reactor.run(&mut calls).unwrap(); // Nothing is left.
        assert_eq!(calls, 3, "none was called");
    });
}
