//! Out of descriptors: accepting pauses without a spin, and goes on by itself. Each case in a process of its own, whose
//! limit is lowered.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::{LONG, cpu_time, in_child, use_up_descriptors};
use fastsock::net::{Accept, Accepted, Listener};
use fastsock::{Backend, Reactor};

type Connections = Vec<Accepted>;

struct Scene {
    reactor: Reactor<'static, Connections>,
    client: TcpStream,
    files: Vec<File>,
}

/// A reactor that listens, a client in the queue, and no descriptor left.
fn scene(backend: Backend) -> Scene {
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap().ip().unwrap();
    let mut reactor = Reactor::with_backend(backend).unwrap();
    reactor.listen(listener, |_, all: &mut Connections, connection| connection.map(|new| all.push(new))).unwrap();
    let client = TcpStream::connect(address).unwrap();
    let files = use_up_descriptors();
    Scene { reactor, client, files }
}

fn turn_for(reactor: &mut Reactor<'_, Connections>, all: &mut Connections, time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        reactor.turn(all, Some(time.saturating_sub(start.elapsed()))).unwrap();
    }
}

#[test]
fn a_pause_costs_no_cpu_and_the_waiting_client_is_served_when_a_descriptor_is_free() {
    in_child("a_pause_costs_no_cpu_and_the_waiting_client_is_served_when_a_descriptor_is_free", |backend| {
        let Scene { mut reactor, client, mut files } = scene(backend);
        let mut all = Vec::new();
        // Below a second, so that nobody is turned away yet.
        turn_for(&mut reactor, &mut all, Duration::from_millis(700));
        assert!(all.is_empty() && reactor.stats().turns < 50, "{:?}", reactor.stats());
        assert!((1..50).contains(&reactor.stats().accept_failures), "{:?}", reactor.stats());
        files.truncate(files.len() - 2);
        let start = Instant::now();
        while all.is_empty() {
            assert!(start.elapsed() < LONG);
            reactor.turn(&mut all, Some(LONG)).unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        assert_eq!(all[0].peer().ip(), Some(client.local_addr().unwrap()));
        drop(files);
    });
}

#[test]
fn after_a_second_of_pauses_waiting_clients_are_closed_rather_than_left_hanging() {
    in_child("after_a_second_of_pauses_waiting_clients_are_closed_rather_than_left_hanging", |backend| {
        let Scene { mut reactor, mut client, files } = scene(backend);
        let mut all = Vec::new();
        let (cpu, start) = (cpu_time(), Instant::now());
        turn_for(&mut reactor, &mut all, Duration::from_millis(1800));
        let (cpu, wall) = (cpu_time() - cpu, start.elapsed());
        assert!(cpu * 20 < wall, "{cpu:?} of CPU in {wall:?}: a spin");
        assert!(all.is_empty());
        client.set_read_timeout(Some(LONG)).unwrap();
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "closed");
        drop(files);
    });
}

#[test]
fn the_counters_tell_of_it() {
    in_child("the_counters_tell_of_it", |_| {
        let mut listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap().ip().unwrap()).unwrap();
        let files = use_up_descriptors();
        let Accept::Paused(first) = listener.accept().unwrap() else { panic!("no pause") };
        let Accept::Paused(second) = listener.accept().unwrap() else { panic!("no pause") };
        assert!(second > first, "the pauses grow");
        assert_eq!((listener.stats().pauses, listener.stats().accepted, listener.stats().refused), (2, 0, 0));
        drop(files);
        assert!(matches!(listener.accept().unwrap(), Accept::Connection(_)));
        assert_eq!((listener.stats().pauses, listener.stats().accepted), (2, 1));
        drop(client);
    });
}

#[test]
fn a_listener_paused_by_its_user_in_the_meantime_stays_so() {
    in_child("a_listener_paused_by_its_user_in_the_meantime_stays_so", |backend| {
        use fastsock::{Interest, Trigger};
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap().ip().unwrap();
        let mut reactor = Reactor::<Connections>::with_backend(backend).unwrap();
        let token = reactor
            .listen(listener, |_, all: &mut Connections, connection| connection.map(|new| all.push(new)))
            .unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let files = use_up_descriptors();
        let mut all = Vec::new();
        reactor.turn(&mut all, Some(LONG)).unwrap();
        reactor.modify(token, Interest::NONE, Trigger::Level).unwrap();
        drop(files);
        turn_for(&mut reactor, &mut all, Duration::from_millis(50));
        assert!(all.is_empty());
        reactor.modify(token, Interest::READABLE, Trigger::Level).unwrap();
        reactor.turn(&mut all, Some(LONG)).unwrap();
        assert_eq!(all.len(), 1);
    });
}

#[test]
fn a_listener_removed_in_the_meantime_is_not_brought_back() {
    in_child("a_listener_removed_in_the_meantime_is_not_brought_back", |backend| {
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap().ip().unwrap();
        let mut reactor = Reactor::<Connections>::with_backend(backend).unwrap();
        let token = reactor
            .listen(listener, |_, all: &mut Connections, connection| connection.map(|new| all.push(new)))
            .unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let files = use_up_descriptors();
        let mut all = Vec::new();
        reactor.turn(&mut all, Some(LONG)).unwrap();
        assert!(reactor.remove(token));
        drop(files);
        reactor.run(&mut all).unwrap();
        assert!(all.is_empty() && reactor.is_empty());
    });
}
