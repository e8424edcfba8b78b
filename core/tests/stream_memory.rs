//! What streams cost in memory. In a test binary of its own, for it has an allocator of its own; and in processes of their
//! own, for some tables are as long as the highest descriptor number.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::{LONG, allow_descriptors, for_each_backend, in_child};
use fastsock::net::Socket;
use fastsock::server::ServerOptions;
use fastsock::stream::StreamOptions;
use fastsock::{Backend, Reactor, Token};
use peers::{echo, listener, pair, pattern, play, read_exactly};

thread_local! {
    /// What this thread has asked the allocator for, and the bytes that it has not given back.
    static REQUESTS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn count(requests: usize, bytes: isize) {
    let _ = REQUESTS.try_with(|cell| cell.set(cell.get() + requests));
    let _ = LIVE.try_with(|cell| cell.set(cell.get() + bytes));
}

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as isize - layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bound for one idle connection.
const BOUND: usize = 256;

fn serving(backend: Backend) -> (Reactor<'static, ()>, Token, std::net::SocketAddr) {
    let mut reactor = Reactor::with_backend(backend).unwrap();
    let (listener, address) = listener();
    let all = StreamOptions::new().idle_timeout(LONG * 100).read_timeout(LONG * 100).write_timeout(LONG * 100);
    let server = reactor.serve(listener, &ServerOptions::new().streams(all), |_, _, _| Ok(echo)).unwrap();
    (reactor, server, address)
}

/// So many clients, each of which has been echoed once, so that everything that grows has grown.
fn connect(reactor: &mut Reactor<'_, ()>, address: std::net::SocketAddr, count: usize) -> Vec<Socket> {
    (0..count)
        .map(|_| {
            let mut client = Socket::from_fd(TcpStream::connect(address).unwrap()).unwrap();
            client.write_all(b"x").unwrap();
            play(reactor, &mut (), |_| client.read(&mut [0; 1]).is_ok());
            client
        })
        .collect()
}

#[test]
fn an_idle_served_connection_takes_no_more_than_its_bound() {
    allow_descriptors(5000);
    in_child("an_idle_served_connection_takes_no_more_than_its_bound", |backend| {
        let counts: &[usize] = match backend {
            // Just beyond a power of two tables are half empty, which is the worst that can be.
            Backend::Epoll => &[1000, 1025, 2000],
            // Of that it is excepted, having tables of its own: nobody takes it for so many.
            Backend::Poll => &[1000, 2000],
            // It knows no descriptor beyond 1023, and beside them stand the clients'.
            _ => &[400],
        };
        for &count in counts {
            let (mut reactor, server, address) = serving(backend);
            let first = connect(&mut reactor, address, 1);
            let before = LIVE.get();
            let clients = connect(&mut reactor, address, count);
            let ours = LIVE.get() - before - (clients.capacity() * size_of::<Socket>()) as isize;
            let each = ours as usize / count;
            eprintln!("{count} connections: {each} bytes each");
            assert_eq!(reactor.server(server).unwrap().stats().connections as usize, count + 1);
            assert!(each <= BOUND, "{each} bytes for each of {count} idle connections");
            assert!(each >= 64, "{each}: this test has counted nothing");
            drop((first, clients));
        }
    });
}

#[test]
fn what_a_slow_reader_has_cost_is_given_back() {
    in_child("what_a_slow_reader_has_cost_is_given_back", |backend| {
        let (mut reactor, server, address) = serving(backend);
        let mut client = connect(&mut reactor, address, 1).pop().unwrap();
        let stream = reactor.server(server).unwrap().streams()[0];
        let bytes = pattern(20_000_000);
        let before = LIVE.get();
        reactor.stream(stream).unwrap().write(&bytes).unwrap();
        assert!(LIVE.get() - before > 1_000_000, "it is queued");
        drop(read_exactly(&mut reactor, &mut (), &mut client, bytes.len()));
        assert_eq!(LIVE.get(), before);
    });
}

#[test]
fn an_echo_allocates_nothing_once_it_runs() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let options = StreamOptions::new().idle_timeout(LONG).read_timeout(LONG).write_timeout(LONG);
        let mut peers = Vec::new();
        for transport in [peers::Transport::Tcp, peers::Transport::Unix] {
            for _ in 0..10 {
                let (socket, peer) = pair(transport);
                reactor.add_stream(socket, &options, echo).unwrap();
                peers.push(peer);
            }
        }
        let mut buffer = [0; 1000];
        let mut round = |reactor: &mut Reactor<'_, ()>| {
            for peer in &mut peers {
                peer.write_all(&[7; 1000]).unwrap();
            }
            for peer in &mut peers {
                let mut left = 1000;
                while left > 0 {
                    match peer.read(&mut buffer[..left]) {
                        Ok(n) => left -= n,
                        Err(_) => drop(reactor.turn(&mut (), Some(Duration::from_millis(1))).unwrap()),
                    }
                }
            }
        };
        (0..100).for_each(|_| round(&mut reactor));
        let (requests, live) = (REQUESTS.get(), LIVE.get());
        (0..100).for_each(|_| round(&mut reactor));
        assert_eq!((REQUESTS.get() - requests, LIVE.get() - live), (0, 0));
    });
}

#[test]
fn connections_that_come_and_go_leave_nothing() {
    in_child("connections_that_come_and_go_leave_nothing", |backend| {
        let (mut reactor, server, address) = serving(backend);
        let mut live = Vec::new();
        for _ in 0..10 {
            drop(connect(&mut reactor, address, 30));
            while reactor.server(server).unwrap().stats().connections > 0 {
                reactor.turn(&mut (), Some(LONG)).unwrap();
            }
            live.push(LIVE.get());
        }
        // A table may still have grown a little; a word for each connection would be more.
        assert!(live[9] - live[1] < 8 * 30 * size_of::<usize>() as isize / 2, "{live:?}");
    });
}
