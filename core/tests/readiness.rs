//! The six bits: which of them come with which state of a descriptor.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use common::{fill, for_each_backend, look, pipe, read_some, streams, tcp_streams, wait_for};
use fastsock::{Backend, Interest, Poller, Ready, Trigger};

const READ: Interest = Interest::READABLE;

/// What the backend reports where the kernel has these bits: select folds HUP, RDHUP and ERR into READ, and ERR into
/// WRITE as well.
fn folded(backend: Backend, bits: Ready) -> Ready {
    if backend != Backend::Select {
        return bits;
    }
    let mut ready = Ready::from_bits(bits.bits() & (Ready::READ | Ready::WRITE | Ready::PRI).bits());
    if bits.is_hangup() || bits.is_error() || bits.is_read_hangup() {
        ready = ready | Ready::READ;
    }
    ready
}

fn bits_of(backend: Backend, fd: BorrowedFd<'_>, interest: Interest) -> Ready {
    let mut poller = Poller::with_backend(backend).unwrap();
    let token = poller.add(fd, interest, Trigger::Level).unwrap();
    wait_for(&mut poller, token).ready()
}

#[test]
fn only_what_was_asked_for_is_reported() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        b.write_all(b"x").unwrap();
        assert_eq!(bits_of(backend, a.as_fd(), READ), Ready::READ);
        assert_eq!(bits_of(backend, a.as_fd(), Interest::WRITABLE), Ready::WRITE);
        assert_eq!(bits_of(backend, a.as_fd(), READ | Interest::WRITABLE), Ready::READ | Ready::WRITE);
    });
}

#[test]
fn a_full_send_buffer_is_not_writable_until_the_peer_reads() {
    for_each_backend(|backend| {
        let (mut a, mut b) = streams();
        fill(&mut a);
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(a.as_fd(), Interest::WRITABLE, Trigger::Level).unwrap();
        assert!(look(&mut poller).is_empty());
        while read_some(&mut b, 65536).is_some() {}
        assert!(wait_for(&mut poller, token).is_writable());
    });
}

#[test]
fn half_close_is_rdhup_beside_the_bytes_still_to_be_read() {
    for_each_backend(|backend| {
        let (a, mut b) = tcp_streams();
        b.write_all(b"last words").unwrap();
        b.shutdown(Shutdown::Write).unwrap();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
        let mut text = Vec::new();
        // Until the end has been read; RDHUP may come with the bytes or after them.
        for _ in 0..10 {
            let event = wait_for(&mut poller, token);
            assert!(event.is_readable() && !event.ready().is_hangup() && !event.ready().is_error());
            let mut buffer = [0; 64];
            match (&a).read(&mut buffer).unwrap() {
                0 => break,
                n => text.extend_from_slice(&buffer[..n]),
            }
        }
        assert_eq!(text, b"last words");
        assert_eq!(bits_of(backend, a.as_fd(), READ), folded(backend, Ready::READ | Ready::RDHUP));
        assert!(bits_of(backend, a.as_fd(), Interest::WRITABLE).contains(Ready::WRITE), "the other half is open");
    });
}

#[test]
fn both_halves_closed_is_hup() {
    for_each_backend(|backend| {
        let (a, b) = streams();
        drop(b);
        let ready = bits_of(backend, a.as_fd(), READ);
        assert_eq!(ready, folded(backend, Ready::READ | Ready::HUP | Ready::RDHUP));
    });
}

#[test]
fn a_reset_is_err_and_hup() {
    for_each_backend(|backend| {
        let (a, b) = tcp_streams();
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // SAFETY: the option's value is a linger that lives on this frame.
        let done = unsafe {
            libc::setsockopt(
                b.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of_val(&linger) as u32,
            )
        };
        assert_eq!(done, 0);
        drop(b);
        let ready = bits_of(backend, a.as_fd(), READ | Interest::WRITABLE);
        let kernel = Ready::READ | Ready::WRITE | Ready::ERR | Ready::HUP | Ready::RDHUP;
        assert_eq!(ready, folded(backend, kernel));
        assert!(ready.is_readable() && ready.is_writable());
        assert_eq!(a.take_error().unwrap().unwrap().raw_os_error(), Some(libc::ECONNRESET));
    });
}

#[test]
fn a_pipe_at_its_end_is_hup_without_read_and_yet_readable() {
    for_each_backend(|backend| {
        let (reader, writer) = pipe();
        drop(writer);
        let ready = bits_of(backend, reader.as_fd(), READ);
        assert_eq!(ready, folded(backend, Ready::HUP));
        assert!(ready.is_readable());
    });
}

#[test]
fn a_pipe_whose_reader_is_gone_is_err_and_writable() {
    for_each_backend(|backend| {
        let (reader, writer) = pipe();
        drop(reader);
        let ready = bits_of(backend, writer.as_fd(), Interest::WRITABLE);
        assert!(ready.is_writable());
        assert!(backend == Backend::Select || ready.is_error(), "{ready:?}");
    });
}

#[test]
fn urgent_data_is_pri() {
    for_each_backend(|backend| {
        let (a, b) = tcp_streams();
        // SAFETY: one byte is read from a place that has one.
        let sent = unsafe { libc::send(b.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
        assert_eq!(sent, 1);
        let ready = bits_of(backend, a.as_fd(), Interest::PRIORITY);
        assert!(ready.is_priority() && !ready.contains(Ready::READ), "{ready:?}");
    });
}

#[test]
fn a_refused_connect_is_writable_with_the_reason_in_so_error() {
    for_each_backend(|backend| {
        // A port that was bound a moment ago and has no listener: bound still, by a socket that never listens.
        let holder = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let socket = connect_to(holder.local_addr().unwrap().port());
        let ready = bits_of(backend, socket.as_fd(), READ | Interest::WRITABLE);
        assert!(ready.is_readable() && ready.is_writable(), "{ready:?}");
        assert!(backend == Backend::Select || ready.contains(Ready::ERR | Ready::HUP), "{ready:?}");
        assert_eq!(socket.take_error().unwrap().unwrap().raw_os_error(), Some(libc::ECONNREFUSED));
    });
}

/// A non-blocking connect that has begun, to a loopback port where nobody listens.
fn connect_to(port: u16) -> TcpStream {
    use std::os::fd::FromRawFd;
    // SAFETY: all-zero bytes are a valid sockaddr_in, it lives on this frame, and the socket is ours alone.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0);
        let socket = TcpStream::from_raw_fd(fd);
        let mut address: libc::sockaddr_in = std::mem::zeroed();
        address.sin_family = libc::AF_INET as _;
        address.sin_port = port.to_be();
        address.sin_addr.s_addr = u32::from_be_bytes([127, 0, 0, 1]).to_be();
        libc::connect(fd, (&raw const address).cast(), size_of_val(&address) as u32);
        socket
    }
}

#[test]
fn a_connection_to_accept_is_read() {
    for_each_backend(|backend| {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(bits_of(backend, listener.as_fd(), READ), Ready::READ);
    });
}

#[test]
fn the_bits_print_their_names() {
    assert_eq!(format!("{:?}", Ready::READ | Ready::HUP), "READ|HUP");
    assert_eq!(format!("{:?}", Ready::NONE), "NONE");
    assert_eq!(format!("{:?}", Interest::READABLE | Interest::WRITABLE), "READABLE|WRITABLE");
    assert_eq!(Ready::from_bits(u32::MAX), Ready::from_bits(0x201f), "unknown bits are dropped");
}
