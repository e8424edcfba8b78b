//! What the design takes for granted about sockets of Linux: should a kernel differ, this fails here and by name.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;
#[path = "common/epoll.rs"]
mod epoll;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use common::{read_some, tcp_streams};
use epoll::{Epoll, errno_of};
use fastsock::net::options::{RawOptions, SocketOptions};
use libc::{EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP};

const ALL: i32 = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP;

fn tcp_socket() -> OwnedFd {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: a new descriptor, ours alone.
    unsafe { OwnedFd::from_raw_fd(libc::socket(libc::AF_INET, kind, 0)) }
}

/// Begins to connect to this port of the loopback interface; the errno, 0 for none.
fn connect(socket: &OwnedFd, port: u16) -> i32 {
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: libc::INADDR_LOOPBACK.to_be() },
        sin_zero: [0; 8],
    };
    // SAFETY: the address is of the length that is said.
    errno_of(unsafe {
        libc::connect(socket.as_raw_fd(), (&raw const address).cast(), size_of_val(&address) as libc::socklen_t)
    })
}

/// A port on which nobody listens: bound, and never made to.
fn deaf_port() -> (OwnedFd, u16) {
    let socket = tcp_socket();
    let mut address = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: libc::INADDR_LOOPBACK.to_be() },
        sin_zero: [0; 8],
    };
    let mut len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address is of the length that is said, and has room for as much.
    unsafe {
        assert_eq!(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len), 0);
        assert_eq!(libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &mut len), 0);
    }
    (socket, u16::from_be(address.sin_port))
}

#[test]
fn a_fresh_tcp_socket_counts_as_hung_up() {
    let (socket, epoll) = (tcp_socket(), Epoll::new());
    assert_eq!(epoll.add(&socket, ALL), 0);
    assert_eq!(epoll.look(), EPOLLOUT | EPOLLHUP);
}

#[test]
fn a_refused_connect_is_in_out_err_and_hup_and_its_reason_is_told_once() {
    let (_bound, port) = deaf_port();
    let (socket, epoll) = (tcp_socket(), Epoll::new());
    let error = connect(&socket, port);
    assert!(matches!(error, libc::EINPROGRESS | libc::ECONNREFUSED), "{error}");
    assert_eq!(epoll.add(&socket, EPOLLIN | EPOLLOUT), 0);
    epoll.wait_for(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
    if error == libc::EINPROGRESS {
        assert_eq!(socket.option(libc::SOL_SOCKET, libc::SO_ERROR).unwrap(), libc::ECONNREFUSED);
    }
    assert_eq!(socket.option(libc::SOL_SOCKET, libc::SO_ERROR).unwrap(), 0, "reading it takes it away");
    assert_eq!(epoll.look() & EPOLLERR, 0);
}

#[test]
fn a_connect_that_succeeds_is_writable_without_an_error() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (socket, epoll) = (tcp_socket(), Epoll::new());
    let error = connect(&socket, listener.local_addr().unwrap().port());
    assert!(matches!(error, 0 | libc::EINPROGRESS), "{error}");
    assert_eq!(epoll.add(&socket, ALL), 0);
    epoll.wait_for(EPOLLOUT);
    assert_eq!(socket.option(libc::SOL_SOCKET, libc::SO_ERROR).unwrap(), 0);
    if error == libc::EINPROGRESS {
        assert_eq!(connect(&socket, 1), 0, "the first that asks is told");
    }
    assert_eq!(connect(&socket, 1), libc::EISCONN);
}

#[test]
fn a_reset_is_every_bit_but_pri() {
    let (a, mut b) = tcp_streams();
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&b, ALL), 0);
    SocketOptions::set_linger(&a, Some(std::time::Duration::ZERO)).unwrap();
    drop(a);
    epoll.wait_for(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
    assert_eq!(b.read(&mut [0; 1]).unwrap_err().raw_os_error(), Some(libc::ECONNRESET));
    assert_eq!(b.read(&mut [0; 1]).unwrap(), 0, "told once");
    assert_eq!(b.write(&[0; 1]).unwrap_err().raw_os_error(), Some(libc::EPIPE));
}

#[test]
fn a_half_close_is_rdhup_beside_the_bytes_before_it() {
    let (mut a, mut b) = tcp_streams();
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&b, ALL), 0);
    a.write_all(b"last words").unwrap();
    a.shutdown(Shutdown::Write).unwrap();
    epoll.wait_for(EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    assert_eq!(read_some(&mut b, 64).unwrap(), b"last words");
    assert_eq!(epoll.look(), EPOLLIN | EPOLLOUT | EPOLLRDHUP, "the end is readable, too");
    b.shutdown(Shutdown::Write).unwrap();
    epoll.wait_for(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
}

#[test]
fn an_urgent_byte_is_pri_and_a_read_stops_before_it() {
    let (a, mut b) = tcp_streams();
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&b, EPOLLIN | EPOLLPRI), 0);
    (&a).write_all(b"before").unwrap();
    // SAFETY: one byte.
    assert_eq!(unsafe { libc::send(a.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) }, 1);
    (&a).write_all(b"after").unwrap();
    epoll.wait_for(EPOLLIN | EPOLLPRI);
    assert_eq!(read_some(&mut b, 64).unwrap(), b"before");
}

#[test]
fn each_datagram_is_an_edge() {
    let (a, b) = (UdpSocket::bind(("127.0.0.1", 0)).unwrap(), UdpSocket::bind(("127.0.0.1", 0)).unwrap());
    b.connect(a.local_addr().unwrap()).unwrap();
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&a, EPOLLIN | EPOLLET), 0);
    for _ in 0..5 {
        b.send(b"x").unwrap();
        epoll.wait_for(EPOLLIN);
        assert_eq!(epoll.look(), 0, "though it is unread");
    }
}

#[test]
fn accept4_gives_what_it_was_asked_for_and_nothing_of_the_listeners() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    for (nonblocking, flags) in [(true, 0), (false, libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)] {
        listener.set_nonblocking(nonblocking).unwrap();
        let _client = TcpStream::connect(address).unwrap();
        // SAFETY: no address is asked for; the new descriptor is ours alone, and fcntl only tells of it.
        let (accepted, status, descriptor) = unsafe {
            let fd = libc::accept4(listener.as_fd().as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut(), flags);
            assert!(fd >= 0, "a connection is in the queue when connect is done");
            (OwnedFd::from_raw_fd(fd), libc::fcntl(fd, libc::F_GETFL), libc::fcntl(fd, libc::F_GETFD))
        };
        assert_eq!(status & libc::O_NONBLOCK != 0, flags != 0);
        assert_eq!(descriptor & libc::FD_CLOEXEC != 0, flags != 0);
        drop(accepted);
    }
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().raw_os_error(), Some(libc::EAGAIN));
}

#[test]
fn what_a_unix_stream_was_sent_is_there_when_the_write_is_done() {
    let (mut a, mut b) = common::streams();
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&b, ALL), 0);
    for _ in 0..100 {
        a.write_all(b"x").unwrap();
        assert_eq!(epoll.look(), EPOLLIN | EPOLLOUT);
        assert_eq!(read_some(&mut b, 8).unwrap(), b"x");
    }
    drop(a);
    assert_eq!(epoll.look(), EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP);
}
