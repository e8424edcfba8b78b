//! Helpers of the tests of streams and servers.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use fastsock::net::{Listener, Socket};
use fastsock::stream::{StreamEvent, StreamOptions, Timeout};
use fastsock::{Backend, Reactor, Token};

use crate::common::{LONG, tcp_streams};

pub(crate) const NOW: Option<Duration> = Some(Duration::ZERO);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Unix,
}

/// Runs a test on each backend, with TCP and with Unix sockets, and names both in the output of one that fails.
pub(crate) fn for_each(test: impl Fn(Backend, Transport)) {
    for &backend in Backend::ALL {
        for transport in [Transport::Tcp, Transport::Unix] {
            eprintln!("backend: {backend}, {transport:?}");
            test(backend, transport);
        }
    }
}

/// Two connected, non-blocking sockets: one to become a stream, the other its peer's.
pub(crate) fn pair(transport: Transport) -> (Socket, Socket) {
    let pair = match transport {
        Transport::Tcp => {
            let (a, b) = tcp_streams();
            a.set_nodelay(true).unwrap();
            b.set_nodelay(true).unwrap();
            (Socket::from_fd(a), Socket::from_fd(b))
        }
        Transport::Unix => {
            let (a, b) = UnixStream::pair().unwrap();
            (Socket::from_fd(a), Socket::from_fd(b))
        }
    };
    (pair.0.unwrap(), pair.1.unwrap())
}

/// What a callback was told, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Connected,
    Data(Vec<u8>),
    End,
    Writable,
    TimedOut(Timeout),
    Stopping,
    /// With the errno, or 0.
    Closed(i32),
}

pub(crate) type Log = Vec<Told>;

pub(crate) fn told(event: &StreamEvent<'_>) -> Told {
    match event {
        StreamEvent::Connected => Told::Connected,
        StreamEvent::Data(bytes) => Told::Data(bytes.to_vec()),
        StreamEvent::End => Told::End,
        StreamEvent::Writable => Told::Writable,
        StreamEvent::TimedOut(timeout) => Told::TimedOut(*timeout),
        StreamEvent::Stopping => Told::Stopping,
        StreamEvent::Closed(Ok(())) => Told::Closed(0),
        StreamEvent::Closed(Err(error)) => {
            assert!(!error.to_string().is_empty());
            Told::Closed(fastsock::errno(error))
        }
        other => panic!("{other:?} is new"),
    }
}

/// A stream whose callback keeps what it is told, and does nothing else.
pub(crate) fn add_logging(reactor: &mut Reactor<'_, Log>, socket: Socket, options: &StreamOptions) -> Token {
    let callback = |_: &mut Reactor<'_, Log>, log: &mut Log, _, event: StreamEvent<'_>| {
        log.push(told(&event));
        Ok(())
    };
    reactor.add_stream(socket, options, callback).unwrap()
}

/// A callback that sends back what comes.
pub(crate) fn echo<C>(reactor: &mut Reactor<'_, C>, _: &mut C, token: Token, event: StreamEvent<'_>) -> io::Result<()> {
    match event {
        StreamEvent::Data(bytes) => reactor.stream(token)?.write(bytes),
        _ => Ok(()),
    }
}

/// Turns until `done`, which is asked before each turn.
#[track_caller]
pub(crate) fn until<C>(reactor: &mut Reactor<'_, C>, context: &mut C, mut done: impl FnMut(&mut C) -> bool) {
    let start = Instant::now();
    while !done(context) {
        let left = LONG.checked_sub(start.elapsed()).expect("it took too long");
        reactor.turn(context, Some(left)).unwrap();
    }
}

/// Turns until `done`, which plays the peers, between short turns.
#[track_caller]
pub(crate) fn play<C>(reactor: &mut Reactor<'_, C>, context: &mut C, mut done: impl FnMut(&mut C) -> bool) {
    let start = Instant::now();
    while !done(context) {
        assert!(start.elapsed() < LONG, "it took too long");
        reactor.turn(context, Some(Duration::from_millis(1))).unwrap();
    }
}

/// Turns until the log ends with `Closed`; gives its errno.
#[track_caller]
pub(crate) fn until_closed(reactor: &mut Reactor<'_, Log>, log: &mut Log) -> i32 {
    until(reactor, log, |log| matches!(log.last(), Some(Told::Closed(_))));
    match log.last() {
        Some(Told::Closed(errno)) => *errno,
        other => panic!("{other:?}"),
    }
}

/// Everything until the end, while the reactor turns.
#[track_caller]
pub(crate) fn read_to_end<C>(reactor: &mut Reactor<'_, C>, context: &mut C, peer: &mut Socket) -> Vec<u8> {
    let mut bytes = Vec::new();
    play(reactor, context, |_| match peer.read_to_end(&mut bytes) {
        Ok(_) => true,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    });
    bytes
}

/// So many bytes, while the reactor turns.
#[track_caller]
pub(crate) fn read_exactly<C>(reactor: &mut Reactor<'_, C>, context: &mut C, peer: &mut Socket, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    let mut count = 0;
    play(reactor, context, |_| {
        while count < n {
            match peer.read(&mut bytes[count..]) {
                Ok(0) => panic!("the end after {count} bytes of {n}"),
                Ok(read) => count += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => panic!("{error}"),
            }
        }
        true
    });
    bytes
}

/// Bytes that differ wherever they are cut.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

/// A file without a name, with these bytes.
pub(crate) fn file_of(bytes: &[u8]) -> File {
    // SAFETY: the name is NUL-terminated; the descriptor is new, and ours alone.
    let mut file = unsafe {
        let fd = libc::memfd_create(c"fastsock".as_ptr(), libc::MFD_CLOEXEC);
        assert!(fd >= 0);
        File::from_raw_fd(fd)
    };
    file.write_all(bytes).unwrap();
    file
}

/// Has the connection end with a reset.
pub(crate) fn reset(peer: Socket) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the option's value lives on this frame.
    let result = unsafe {
        libc::setsockopt(
            peer_fd(&peer),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0);
}

pub(crate) fn peer_fd(peer: &Socket) -> i32 {
    use std::os::fd::AsFd;
    peer.as_fd().as_raw_fd()
}

/// A listener on this machine, and where it is.
pub(crate) fn listener() -> (Listener, std::net::SocketAddr) {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap().ip().unwrap();
    (listener, address)
}
