//! Connections seen through the reactor: made, refused, in progress, given up.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use common::{LONG, errno, for_each_backend, look, wait_for};
use fastsock::net::{Accept, Connect, Family, Kind, ListenOptions, PeerAddress, Socket};
use fastsock::{Backend, Interest, Poller, Reactor, Trigger};

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A port where nobody listens: bound, so that nobody else takes it.
fn nobody() -> (Socket, PeerAddress) {
    let bound = Socket::new(Family::V4, Kind::Stream).unwrap();
    bound.bind(anywhere()).unwrap();
    let address = bound.local_addr().unwrap();
    (bound, address)
}

/// What the reactor learns of a connection within this time: 0 for made, an errno, or `None` when time is up.
fn outcome(backend: Backend, address: PeerAddress, patience: Duration) -> Option<i32> {
    let socket = Socket::for_address(address, Kind::Stream).unwrap();
    assert_eq!(socket.connect(address).unwrap(), Connect::InProgress);
    let mut reactor = Reactor::<Option<i32>>::with_backend(backend).unwrap();
    reactor
        .add(socket, Interest::WRITABLE, Trigger::Level, |reactor, outcome, socket, event| {
            *outcome = match socket.finish_connect() {
                Ok(Connect::Done) => Some(0),
                Ok(Connect::InProgress) => return,
                Err(error) => Some(fastsock::errno(&error)),
            };
            reactor.remove(event.token());
            reactor.stop();
        })
        .unwrap();
    reactor.timer(patience, |reactor, _, _, _| reactor.stop()).unwrap();
    let mut outcome = None;
    reactor.run(&mut outcome).unwrap();
    outcome
}

#[test]
fn writable_and_without_an_error_is_connected() {
    for_each_backend(|backend| {
        let listener = ListenOptions::new().listen(anywhere()).unwrap();
        assert_eq!(outcome(backend, listener.local_addr().unwrap(), LONG), Some(0));
    });
}

#[test]
fn refused_is_writable_too_and_the_error_tells() {
    for_each_backend(|backend| {
        let (_bound, address) = nobody();
        assert_eq!(outcome(backend, address, LONG), Some(libc::ECONNREFUSED));
    });
}

#[test]
fn an_error_is_told_once_and_then_it_is_not_connected() {
    let (_bound, address) = nobody();
    let socket = Socket::new(Family::V4, Kind::Stream).unwrap();
    assert_eq!(errno(socket.finish_connect()), libc::ENOTCONN, "none has begun");
    assert_eq!(socket.connect(address).unwrap(), Connect::InProgress);
    let mut poller = Poller::new().unwrap();
    let token = poller.add(socket.as_fd(), Interest::WRITABLE, Trigger::Level).unwrap();
    let event = wait_for(&mut poller, token);
    assert!(event.ready().is_writable(), "{event:?}");
    assert_eq!(errno(socket.finish_connect()), libc::ECONNREFUSED);
    assert_eq!(errno(socket.finish_connect()), libc::ENOTCONN, "told before");
    assert!(socket.take_error().unwrap().is_none());
}

#[test]
fn in_progress_until_the_listener_has_room_or_patience_ends() {
    for_each_backend(|backend| {
        let listener = ListenOptions::new().backlog(0).listen(anywhere()).unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(outcome(backend, address, LONG), Some(0), "one may wait");
        let second = Socket::new(Family::V4, Kind::Stream).unwrap();
        assert_eq!(second.connect(address).unwrap(), Connect::InProgress);
        assert_eq!(second.finish_connect().unwrap(), Connect::InProgress);
        let mut poller = Poller::with_backend(backend).unwrap();
        poller.add(second.as_fd(), Interest::WRITABLE, Trigger::Level).unwrap();
        assert!(look(&mut poller).is_empty());
        assert_eq!(errno(second.connect(address)), libc::EALREADY);
        assert_eq!(errno(second.peer_addr()), libc::ENOTCONN);
        assert_eq!(errno(second.send(b"too soon")), libc::EAGAIN);
        assert_eq!(outcome(backend, address, Duration::from_millis(30)), None, "given up");
    });
}

#[test]
fn a_full_unix_listener_is_tried_again_on_a_timer() {
    let name = format!("\0fastsock {} full", std::process::id());
    let address = PeerAddress::try_from(Path::new(&name)).unwrap();
    let listener = Rc::new(RefCell::new(ListenOptions::new().backlog(0).listen(address).unwrap()));
    let first = Socket::new(Family::Unix, Kind::Stream).unwrap();
    assert_eq!(first.connect(address).unwrap(), Connect::Done);
    let second = Socket::new(Family::Unix, Kind::Stream).unwrap();
    let error = second.connect(address).unwrap_err();
    assert_eq!((error.kind(), fastsock::errno(&error)), (std::io::ErrorKind::WouldBlock, libc::EAGAIN));
    assert_eq!(errno(second.finish_connect()), libc::ENOTCONN, "nothing is in progress");

    let mut reactor = Reactor::<u32>::new().unwrap();
    reactor
        .timer(Duration::from_millis(1), move |reactor, tries, timer, _| {
            *tries += 1;
            match second.connect(address) {
                Ok(connect) => assert_eq!(connect, Connect::Done),
                Err(error) => {
                    assert_eq!(fastsock::errno(&error), libc::EAGAIN);
                    assert!(matches!(listener.borrow_mut().accept().unwrap(), Accept::Connection(_)));
                    reactor.rearm_timer(timer, Duration::from_millis(1)).unwrap();
                    return;
                }
            }
            reactor.stop();
        })
        .unwrap();
    let mut tries = 0;
    reactor.run(&mut tries).unwrap();
    assert_eq!(tries, 2);
}
