//! Sockets of every kind: connected, unconnected, refused, half closed.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;

use common::{errno, has_v6, wait_for};
use fastsock::net::{Accept, Connect, Family, Kind, ListenOptions, Listener, PeerAddress, Socket};
use fastsock::{Interest, Poller, Trigger};

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Both ends of a connection to this listener.
fn connected(listener: &mut Listener, kind: Kind) -> (Socket, Socket) {
    let address = listener.local_addr().unwrap();
    let client = Socket::for_address(address, kind).unwrap();
    let mut connect = client.connect(address).unwrap();
    if connect == Connect::InProgress {
        let mut poller = Poller::new().unwrap();
        let token = poller.add(client.as_fd(), Interest::WRITABLE, Trigger::Level).unwrap();
        wait_for(&mut poller, token);
        connect = client.finish_connect().unwrap();
    }
    assert_eq!(connect, Connect::Done);
    let Accept::Connection(server) = listener.accept().unwrap() else { panic!("no connection") };
    (client, Socket::from(server))
}

/// Two bytes there and two back, by each pair of methods.
fn talk(a: &Socket, b: &Socket) {
    assert_eq!(a.send(b"ab").unwrap(), 2);
    wait_readable(b);
    let mut buffer = [0; 8];
    assert_eq!(b.peek(&mut buffer).unwrap(), 2);
    assert_eq!((b.recv(&mut buffer).unwrap(), &buffer[..2]), (2, &b"ab"[..]));
    assert_eq!(b.send_vectored(&[IoSlice::new(b"c"), IoSlice::new(b""), IoSlice::new(b"d")]).unwrap(), 2);
    wait_readable(a);
    let (mut first, mut second) = ([0; 1], [0; 8]);
    let n = a.recv_vectored(&mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)]).unwrap();
    assert_eq!((n, &first, &second[..1]), (2, b"c", &b"d"[..]));
    assert_eq!(errno(a.recv(&mut buffer)), libc::EAGAIN);
}

fn wait_readable(socket: &Socket) {
    let mut poller = Poller::new().unwrap();
    let token = poller.add(socket.as_fd(), Interest::READABLE, Trigger::Level).unwrap();
    wait_for(&mut poller, token);
}

fn abstract_name(name: &str) -> PeerAddress {
    PeerAddress::try_from(Path::new(&format!("\0fastsock {} {name}", std::process::id()))).unwrap()
}

#[test]
fn every_kind_of_connection_carries_what_is_sent() {
    let mut listeners = vec![
        (ListenOptions::new().listen(anywhere()).unwrap(), Kind::Stream),
        (ListenOptions::new().listen(abstract_name("stream")).unwrap(), Kind::Stream),
        (ListenOptions::new().kind(Kind::SeqPacket).listen(abstract_name("packets")).unwrap(), Kind::SeqPacket),
    ];
    if has_v6() {
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        listeners.push((ListenOptions::new().listen(v6).unwrap(), Kind::Stream));
    }
    for (listener, kind) in &mut listeners {
        let (a, b) = connected(listener, *kind);
        talk(&a, &b);
        assert_eq!(format!("{:?}", a.peer_addr().unwrap()), format!("{:?}", listener.local_addr().unwrap()));
        assert_eq!(format!("{:?}", b.peer_addr().unwrap()), format!("{:?}", a.local_addr().unwrap()));
    }
    for kind in [Kind::Stream, Kind::Datagram, Kind::SeqPacket] {
        let (a, b) = Socket::pair(kind).unwrap();
        talk(&a, &b);
    }
}

#[test]
fn datagrams_say_who_sent_them() {
    let mut addresses = vec![PeerAddress::from(anywhere()), abstract_name("datagrams")];
    if has_v6() {
        addresses.push(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into());
    }
    for address in addresses {
        let receiver = Socket::for_address(address, Kind::Datagram).unwrap();
        receiver.bind(address).unwrap();
        let sender = Socket::for_address(address, Kind::Datagram).unwrap();
        if address.ip().is_some() {
            sender.bind(address).unwrap();
        } else {
            sender.bind(abstract_name("sender")).unwrap();
        }
        for message in [&b"four"[..], b""] {
            assert_eq!(sender.send_to(message, receiver.local_addr().unwrap()).unwrap(), message.len());
            wait_readable(&receiver);
            let mut buffer = [1; 10];
            let (n, from) = receiver.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..n], message);
            assert_eq!(format!("{from:?}"), format!("{:?}", sender.local_addr().unwrap()));
        }
        assert_eq!(
            errno(sender.send(b"to whom?")),
            if address.ip().is_some() { libc::EDESTADDRREQ } else { libc::ENOTCONN }
        );
        assert_eq!(sender.connect(receiver.local_addr().unwrap()).unwrap(), Connect::Done);
        assert_eq!(sender.finish_connect().unwrap(), Connect::Done);
        sender.send(b"to you").unwrap();
        wait_readable(&receiver);
        assert_eq!(receiver.recv(&mut [0; 2]).unwrap(), 2, "the rest of the message is lost");
        assert_eq!(errno(receiver.recv(&mut [0; 2])), libc::EAGAIN);
    }
}

#[test]
fn a_stream_names_no_sender() {
    let (a, b) = Socket::pair(Kind::Stream).unwrap();
    a.send(b"x").unwrap();
    let (n, from) = b.recv_from(&mut [0; 4]).unwrap();
    assert_eq!((n, from.family(), from.ip(), from.unix_bytes()), (1, libc::AF_UNSPEC, None, None));
}

#[test]
fn a_socket_is_non_blocking_and_closes_on_exec() {
    let made = Socket::new(Family::Unix, Kind::SeqPacket).unwrap();
    let (a, b) = Socket::pair(Kind::Stream).unwrap();
    let taken_over = Socket::from_fd(UnixStream::pair().unwrap().0).unwrap();
    for socket in [made, a, b, taken_over] {
        let fd = socket.as_fd().as_raw_fd();
        // SAFETY: both ask for a number and change nothing.
        let (status, flags) = unsafe { (libc::fcntl(fd, libc::F_GETFL), libc::fcntl(fd, libc::F_GETFD)) };
        assert!(status & libc::O_NONBLOCK != 0 && flags & libc::FD_CLOEXEC != 0);
    }
}

#[test]
fn half_closed_the_other_half_goes_on() {
    let (a, b) = Socket::pair(Kind::Stream).unwrap();
    a.send(b"last").unwrap();
    a.shutdown(Shutdown::Write).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(b.recv(&mut buffer).unwrap(), 4);
    assert_eq!(b.recv(&mut buffer).unwrap(), 0, "the end");
    assert_eq!(errno(a.send(b"more")), libc::EPIPE);
    b.send(b"still").unwrap();
    assert_eq!(a.recv(&mut buffer).unwrap(), 5);
    assert_eq!(errno(Socket::new(Family::V4, Kind::Stream).unwrap().shutdown(Shutdown::Both)), libc::ENOTCONN);
}

#[test]
fn the_standard_librarys_sockets_come_and_go() {
    let listener = TcpListener::bind(anywhere()).unwrap();
    let mut there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut socket = Socket::from_fd(listener.accept().unwrap().0).unwrap();
    socket.write_all(b"out").unwrap();
    (&socket).write_all(b"!").unwrap();
    there.read_exact(&mut [0; 4]).unwrap();
    there.write_all(b"in").unwrap();
    wait_readable(&socket);
    let mut buffer = [0; 8];
    assert_eq!((&socket).read(&mut buffer).unwrap(), 2);
    let mut stream = TcpStream::from(socket);
    assert_eq!(errno(stream.read(&mut buffer)), libc::EAGAIN, "non-blocking still");

    let udp = Socket::from_fd(UdpSocket::bind(anywhere()).unwrap()).unwrap();
    assert!(UdpSocket::from(udp).local_addr().unwrap().port() != 0);
    let (a, b) = Socket::pair(Kind::Datagram).unwrap();
    UnixDatagram::from(a).send(b"x").unwrap();
    assert_eq!(b.recv(&mut buffer).unwrap(), 1);
    assert!(OwnedFd::from(b).as_raw_fd() >= 0);
    let mut alone = UnixStream::from(Socket::pair(Kind::Stream).unwrap().0);
    assert_eq!(errno(alone.write(b"x")), libc::EPIPE);
}

#[test]
fn what_does_not_exist_is_said_to_be_so() {
    assert_eq!(errno(Socket::new(Family::V4, Kind::SeqPacket)), libc::ESOCKTNOSUPPORT);
    let unix = Socket::new(Family::Unix, Kind::Stream).unwrap();
    let nowhere = PeerAddress::try_from(Path::new("no/such/socket")).unwrap();
    assert_eq!(errno(unix.connect(nowhere)), libc::ENOENT);
    assert_eq!(errno(unix.connect(abstract_name("nobody"))), libc::ECONNREFUSED);
    assert_eq!(errno(unix.peer_addr()), libc::ENOTCONN);
}

#[test]
fn an_address_goes_to_c_and_comes_back() {
    let named = [abstract_name("there and back"), PeerAddress::try_from(Path::new("a/path")).unwrap()];
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 7));
    for address in [anywhere().into(), v6.into()].into_iter().chain(named) {
        let back = PeerAddress::from_bytes(address.as_bytes()).unwrap();
        assert_eq!(format!("{back:?}"), format!("{address:?}"));
        assert_eq!((back.ip(), back.unix_bytes()), (address.ip(), address.unix_bytes()));
        assert_eq!(back.as_bytes(), address.as_bytes());
    }
    let v4 = PeerAddress::from(anywhere());
    assert_eq!(v4.as_bytes().len(), size_of::<libc::sockaddr_in>());
    assert_eq!(v4.as_bytes().as_ptr().align_offset(align_of::<libc::sockaddr_in>()), 0);
    for wrong in [&[][..], &v4.as_bytes()[..1], &v4.as_bytes()[..15], &v6_bytes()[..27], &[0; 129]] {
        assert_eq!(errno(PeerAddress::from_bytes(wrong)), libc::EINVAL, "{wrong:?}");
    }
}

fn v6_bytes() -> Vec<u8> {
    PeerAddress::from(SocketAddr::from((Ipv6Addr::LOCALHOST, 7))).as_bytes().to_vec()
}
