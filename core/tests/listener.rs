//! Listening sockets: TCP and Unix, through the reactor and by hand.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use common::{LONG, errno, for_each_backend};
use fastsock::net::{Accept, Accepted, Listener, PeerAddress};
use fastsock::{Interest, Reactor, Trigger};

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A path that no other run uses.
fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("fastsock-{}-{name}", std::process::id()))
}

/// A reactor with a listener; each connection goes to the context.
fn reactor_with(backend: fastsock::Backend, listener: Listener) -> Reactor<'static, Vec<Accepted>> {
    let mut reactor = Reactor::with_backend(backend).unwrap();
    reactor.listen(listener, |_, all: &mut Vec<Accepted>, connection| connection.map(|new| all.push(new))).unwrap();
    reactor
}

#[test]
fn tcp_connections_come_with_their_address_non_blocking_and_close_on_exec() {
    for_each_backend(|backend| {
        let listener = Listener::bind(anywhere()).unwrap();
        let address = listener.local_addr().unwrap().ip().unwrap();
        assert_ne!(address.port(), 0);
        let mut reactor = reactor_with(backend, listener);
        let mut client = TcpStream::connect(address).unwrap();
        let mut all = Vec::new();
        reactor.turn(&mut all, Some(LONG)).unwrap();
        let connection = all.pop().unwrap();
        assert_eq!(connection.peer().ip(), Some(client.local_addr().unwrap()));
        assert_eq!(connection.peer().unix_bytes(), None);
        let mut server = TcpStream::from(connection.into_fd());
        assert_eq!(server.read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        // SAFETY: F_GETFD takes no further argument.
        let flags = unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&server), libc::F_GETFD) };
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
        server.write_all(b"hello").unwrap();
        let mut text = [0; 5];
        client.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"hello");
    });
}

#[test]
fn unix_connections_by_path_and_by_abstract_name() {
    for_each_backend(|backend| {
        let path = path(backend.name());
        let listener = Listener::bind_unix(&path).unwrap();
        assert_eq!(listener.local_addr().unwrap().unix_bytes().unwrap(), path.as_os_str().as_bytes());
        let mut reactor = reactor_with(backend, listener);
        let _client = UnixStream::connect(&path).unwrap();
        let mut all = Vec::new();
        reactor.turn(&mut all, Some(LONG)).unwrap();
        let peer = *all[0].peer();
        assert!(peer.family() == libc::AF_UNIX && peer.ip().is_none() && peer.unix_bytes() == Some(b""));
        drop(reactor);
        std::fs::remove_file(&path).unwrap();

        let name = format!("fastsock {} {backend}", std::process::id());
        let listener = Listener::bind_unix(format!("\0{name}")).unwrap();
        assert_eq!(listener.local_addr().unwrap().unix_bytes().unwrap(), format!("\0{name}").as_bytes());
        let mut reactor = reactor_with(backend, listener);
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let _client = UnixStream::connect_addr(&address).unwrap();
        reactor.turn(&mut all, Some(LONG)).unwrap();
        assert_eq!(all.len(), 2);
    });
}

#[test]
fn an_address_in_use_is_said_to_be() {
    let listener = Listener::bind(anywhere()).unwrap();
    let address = listener.local_addr().unwrap().ip().unwrap();
    assert_eq!(errno(Listener::bind(address)), libc::EADDRINUSE);
    let path = path("in-use");
    let _unix = Listener::bind_unix(&path).unwrap();
    assert_eq!(errno(Listener::bind_unix(&path)), libc::EADDRINUSE);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(errno(Listener::bind_unix("no/such/folder/socket")), libc::ENOENT);
    assert_eq!(errno(Listener::bind_unix("x".repeat(108))), libc::ENAMETOOLONG);
    assert_eq!(errno(Listener::bind_unix("with\0nul")), libc::EINVAL);
}

#[test]
fn an_address_says_what_it_is() {
    let v6: SocketAddr = "[fe80::1%7]:443".parse().unwrap();
    for address in [anywhere(), v6] {
        let peer = PeerAddress::from(address);
        assert_eq!(peer.ip(), Some(address));
        assert_eq!(format!("{peer:?}"), format!("{address:?}"));
    }
    let unix = PeerAddress::try_from(std::path::Path::new("a/b")).unwrap();
    assert_eq!((unix.ip(), unix.unix_bytes()), (None, Some(&b"a/b"[..])));
    assert_eq!(format!("{unix:?}"), "unix:\"a/b\"");
    let unnamed = PeerAddress::try_from(std::path::Path::new("")).unwrap();
    assert_eq!(unnamed.unix_bytes(), Some(&b""[..]));
}

#[test]
fn by_hand_none_waiting_is_would_block() {
    let mut listener = Listener::bind(anywhere()).unwrap();
    assert!(matches!(listener.accept().unwrap(), Accept::WouldBlock));
    let _client = TcpStream::connect(listener.local_addr().unwrap().ip().unwrap()).unwrap();
    assert!(matches!(listener.accept().unwrap(), Accept::Connection(_)));
    assert!(matches!(listener.accept().unwrap(), Accept::WouldBlock));
    assert_eq!(listener.stats().accepted, 1);
}

#[test]
fn a_listener_made_elsewhere_is_taken_over() {
    let made = TcpListener::bind(anywhere()).unwrap();
    let mut listener = Listener::from_fd(OwnedFd::from(made)).unwrap();
    assert!(matches!(listener.accept().unwrap(), Accept::WouldBlock), "it was blocking");
    let stream = common::streams().0;
    assert_eq!(errno(Listener::from_fd(stream.into())), libc::EINVAL, "connected streams cannot listen");
}

#[test]
fn one_connection_an_event_or_as_many_as_the_budget_says() {
    for_each_backend(|backend| {
        for (budget, each) in [(1, 1), (0, 1), (3, 3), (100, 7)] {
            let mut listener = Listener::bind(anywhere()).unwrap();
            listener.set_budget(budget);
            let address = listener.local_addr().unwrap().ip().unwrap();
            let mut reactor = reactor_with(backend, listener);
            let _clients: Vec<_> = (0..7).map(|_| TcpStream::connect(address).unwrap()).collect();
            let mut all = Vec::new();
            reactor.turn(&mut all, Some(LONG)).unwrap();
            assert_eq!(all.len(), each, "budget {budget}");
            for _ in 0..7 {
                reactor.turn(&mut all, Some(Duration::ZERO)).unwrap();
            }
            assert_eq!(all.len(), 7);
        }
    });
}

#[test]
fn a_callback_may_pause_or_remove_its_listener_in_the_midst_of_a_budget() {
    for_each_backend(|backend| {
        let mut listener = Listener::bind(anywhere()).unwrap();
        listener.set_budget(100);
        let address = listener.local_addr().unwrap().ip().unwrap();
        let mut reactor = Reactor::<(Vec<Accepted>, Option<fastsock::Token>)>::with_backend(backend).unwrap();
        let token = reactor
            .listen(listener, |reactor, (all, token), connection| {
                all.push(connection?);
                match all.len() {
                    2 => reactor.modify(token.unwrap(), Interest::NONE, Trigger::Level),
                    4 => {
                        assert!(reactor.remove(token.unwrap()));
                        Ok(())
                    }
                    _ => Ok(()),
                }
            })
            .unwrap();
        let _clients: Vec<_> = (0..6).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut context = (Vec::new(), Some(token));
        reactor.turn(&mut context, Some(LONG)).unwrap();
        reactor.turn(&mut context, Some(Duration::ZERO)).unwrap();
        assert_eq!(context.0.len(), 2, "paused");
        reactor.modify(token, Interest::READABLE, Trigger::Level).unwrap();
        reactor.run(&mut context).unwrap();
        assert_eq!(context.0.len(), 4, "removed");
    });
}

#[test]
fn a_stop_ends_a_burst_and_loses_no_connection() {
    for_each_backend(|backend| {
        let mut listener = Listener::bind(anywhere()).unwrap();
        listener.set_budget(100);
        let address = listener.local_addr().unwrap().ip().unwrap();
        let mut reactor = Reactor::<Vec<Accepted>>::with_backend(backend).unwrap();
        let hear =
            |reactor: &mut Reactor<'_, Vec<Accepted>>, all: &mut Vec<Accepted>, connection: io::Result<Accepted>| {
                all.push(connection?);
                if all.len() < 3 {
                    reactor.stop();
                }
                Ok(())
            };
        reactor.listen(listener, hear).unwrap();
        let _clients: Vec<_> = (0..6).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut all = Vec::new();
        for expected in [1, 2, 6] {
            reactor.turn(&mut all, Some(LONG)).unwrap();
            assert_eq!(all.len(), expected);
        }
    });
}

#[test]
fn a_callback_that_returns_an_error_loses_its_connection_alone() {
    for_each_backend(|backend| {
        let listener = Listener::bind(anywhere()).unwrap();
        let address = listener.local_addr().unwrap().ip().unwrap();
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let refuse = |_: &mut Reactor<'_, u32>, calls: &mut u32, connection: io::Result<Accepted>| {
            *calls += 1;
            drop(connection?);
            Err(io::Error::other("not today"))
        };
        let token = reactor.listen(listener, refuse).unwrap();
        let mut calls = 0;
        for expected in 1..=2 {
            let mut client = TcpStream::connect(address).unwrap();
            reactor.turn(&mut calls, Some(LONG)).unwrap();
            assert_eq!((calls, client.read(&mut [0; 1]).unwrap()), (expected, 0));
        }
        assert!(reactor.contains(token));
    });
}

#[test]
fn the_end_of_the_listening_reaches_the_callback_once() {
    for_each_backend(|backend| {
        let listener = Listener::bind(anywhere()).unwrap();
        let number = {
            use std::os::fd::{AsFd, AsRawFd};
            listener.as_fd().as_raw_fd()
        };
        let mut reactor = Reactor::<Vec<i32>>::with_backend(backend).unwrap();
        let note = |_: &mut Reactor<'_, Vec<i32>>, log: &mut Vec<i32>, connection: io::Result<Accepted>| {
            log.push(connection.map_or_else(|error| fastsock::errno(&error), |_| 0));
            Ok(())
        };
        reactor.listen(listener, note).unwrap();
        // SAFETY: shutdown closes nothing; the number is open.
        assert_eq!(unsafe { libc::shutdown(number, libc::SHUT_RD) }, 0);
        let mut log = Vec::new();
        reactor.run(&mut log).unwrap();
        assert_eq!(log, [libc::EINVAL]);
    });
}
