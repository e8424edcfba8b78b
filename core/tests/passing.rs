//! Descriptors and files through sockets.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use common::{errno, for_each_backend, in_child, open_descriptors, pipe, read_some, tcp_streams};
use fastsock::net::{Family, Kind, RecvBatch, Socket};
use fastsock::{Interest, Reactor, Trigger};

const KINDS: [Kind; 3] = [Kind::Stream, Kind::Datagram, Kind::SeqPacket];

/// So many pipes: their ends to read, their ends to write.
fn pipes(count: usize) -> (Vec<File>, Vec<OwnedFd>) {
    (0..count).map(|_| pipe()).map(|(read, write)| (File::from(read), write)).unzip()
}

fn borrowed(fds: &[OwnedFd]) -> Vec<BorrowedFd<'_>> {
    fds.iter().map(AsFd::as_fd).collect()
}

/// Whether nobody holds the end to write of this pipe.
fn is_orphaned(read: &mut File) -> bool {
    match read_some(read, 1) {
        Some(bytes) => bytes.is_empty(),
        None => false,
    }
}

#[test]
fn descriptors_arrive_with_their_bytes_close_on_exec_and_in_order() {
    for kind in KINDS {
        let (a, b) = Socket::pair(kind).unwrap();
        for count in [1, 2, 20] {
            let (mut reads, writes) = pipes(count);
            assert_eq!(a.send_fds(b"bytes", &borrowed(&writes)).unwrap(), 5);
            drop(writes);
            let mut buffer = [0; 10];
            let received = b.recv_fds(&mut buffer, 253).unwrap();
            assert_eq!(&buffer[..received.bytes], b"bytes");
            assert!(!received.bytes_truncated && !received.fds_truncated);
            assert_eq!(received.fds.len(), count);
            for (n, (fd, read)) in received.fds.into_iter().zip(&mut reads).enumerate() {
                // SAFETY: asks for flags of an open descriptor.
                assert_eq!(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) }, libc::FD_CLOEXEC);
                assert!(!is_orphaned(read), "on its way, it stays open");
                File::from(fd).write_all(&[n as u8]).unwrap();
                assert_eq!(read_some(read, 2).unwrap(), [n as u8]);
                assert!(is_orphaned(read), "no copy is left");
            }
        }
    }
}

#[test]
fn descriptors_beyond_the_limit_are_closed_and_it_is_said() {
    for kind in KINDS {
        for (sent, limit) in [(1, 0), (2, 1), (3, 1), (20, 2), (20, 0), (20, 19)] {
            let (a, b) = Socket::pair(kind).unwrap();
            let (mut reads, writes) = pipes(sent);
            a.send_fds(b"x", &borrowed(&writes)).unwrap();
            drop(writes);
            let received = b.recv_fds(&mut [0; 1], limit).unwrap();
            assert!(received.fds_truncated && !received.bytes_truncated, "{sent} sent, {limit} at most");
            assert_eq!((received.bytes, received.fds.len()), (1, limit));
            assert!(reads[..limit].iter_mut().all(|read| !is_orphaned(read)));
            assert!(reads[limit..].iter_mut().all(is_orphaned), "{sent} sent, {limit} at most: one is left open");
            drop(received);
            assert!(reads[..limit].iter_mut().all(is_orphaned));
        }
    }
}

#[test]
fn a_message_without_descriptors_has_none_and_one_too_long_is_cut() {
    for kind in KINDS {
        let (a, b) = Socket::pair(kind).unwrap();
        assert_eq!(errno(b.recv_fds(&mut [0; 8], 4)), libc::EAGAIN);
        a.send_fds(b"none", &[]).unwrap();
        let received = b.recv_fds(&mut [0; 2], 4).unwrap();
        assert!(received.fds.is_empty() && !received.fds_truncated);
        assert_eq!((received.bytes, received.bytes_truncated), (2, kind != Kind::Stream));
    }
}

#[test]
fn without_a_byte_a_stream_carries_none_but_a_message_does() {
    let (mut reads, writes) = pipes(1);
    let (a, _b) = Socket::pair(Kind::Stream).unwrap();
    assert_eq!(errno(a.send_fds(b"", &borrowed(&writes))), libc::EINVAL);
    let (a, b) = Socket::pair(Kind::SeqPacket).unwrap();
    assert_eq!(a.send_fds(b"", &borrowed(&writes)).unwrap(), 0);
    drop(writes);
    let received = b.recv_fds(&mut [0; 8], 1).unwrap();
    assert_eq!((received.bytes, received.fds.len()), (0, 1));
    drop(received);
    assert!(is_orphaned(&mut reads[0]));
}

#[test]
fn descriptors_that_cannot_be_sent_are_an_error() {
    let (_reads, writes) = pipes(1);
    let udp = Socket::new(Family::V4, Kind::Datagram).unwrap();
    let tcp = Socket::from_fd(tcp_streams().0).unwrap();
    for socket in [udp, tcp] {
        assert_eq!(errno(socket.send_fds(b"x", &borrowed(&writes))), libc::EOPNOTSUPP);
    }
    let (a, _b) = Socket::pair(Kind::Stream).unwrap();
    assert_eq!(errno(a.send_fds(b"x", &[writes[0].as_fd(); 254])), libc::EINVAL);
}

#[test]
fn the_senders_credentials_take_no_descriptors_place() {
    let (a, b) = Socket::pair(Kind::Stream).unwrap();
    let on: libc::c_int = 1;
    let len = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the value is an int.
    let set = unsafe {
        libc::setsockopt(b.as_fd().as_raw_fd(), libc::SOL_SOCKET, libc::SO_PASSCRED, (&raw const on).cast(), len)
    };
    assert_eq!(set, 0);
    let (_reads, writes) = pipes(1);
    a.send_fds(b"x", &[writes[0].as_fd(); 253]).unwrap();
    let received = b.recv_fds(&mut [0; 1], 253).unwrap();
    assert_eq!((received.fds.len(), received.fds_truncated), (253, false));
}

/// A file with no name, of these bytes.
fn file(bytes: &[u8]) -> File {
    // SAFETY: the name is NUL-terminated, and the descriptor is ours alone.
    let fd: OwnedFd = unsafe {
        let fd = libc::memfd_create(c"test".as_ptr(), libc::MFD_CLOEXEC);
        assert!(fd >= 0);
        std::os::fd::FromRawFd::from_raw_fd(fd)
    };
    let mut file = File::from(fd);
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn a_file_larger_than_the_sockets_buffers_arrives_whole() {
    struct State {
        file: File,
        sent: usize,
        received: Vec<u8>,
    }
    for_each_backend(|backend| {
        let bytes: Vec<u8> = (0..8_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let (a, b) = tcp_streams();
        let (a, b) = (Socket::from_fd(a).unwrap(), Socket::from_fd(b).unwrap());
        let mut reactor = Reactor::<State>::with_backend(backend).unwrap();
        reactor
            .add(a, Interest::WRITABLE, Trigger::Level, |reactor, state: &mut State, socket, event| {
                match socket.send_file(&state.file, state.sent as u64, usize::MAX) {
                    Ok(0) => drop(reactor.remove(event.token())),
                    Ok(sent) => state.sent += sent,
                    Err(error) => assert_eq!(fastsock::errno(&error), libc::EAGAIN),
                }
            })
            .unwrap();
        let mut buffer = vec![0; 65_536];
        reactor
            .add(b, Interest::READABLE, Trigger::Level, move |reactor, state: &mut State, socket, event| {
                match socket.recv(&mut buffer).unwrap() {
                    0 => drop(reactor.remove(event.token())),
                    n => state.received.extend_from_slice(&buffer[..n]),
                }
            })
            .unwrap();
        let mut state = State { file: file(&bytes), sent: 0, received: Vec::new() };
        reactor.run(&mut state).unwrap();
        assert!(state.received == bytes, "{} of {}", state.received.len(), bytes.len());
        assert_eq!(state.file.stream_position().unwrap(), 0, "the file keeps its position");
    });
}

#[test]
fn a_part_of_a_file_is_what_is_asked_for() {
    let (a, mut b) = Socket::pair(Kind::Stream).unwrap();
    let file = file(b"0123456789");
    assert_eq!(a.send_file(&file, 2, 3).unwrap(), 3);
    assert_eq!(a.send_file(&file, 8, 100).unwrap(), 2);
    for (offset, count) in [(10, 1), (100, 1), (0, 0)] {
        assert_eq!(a.send_file(&file, offset, count).unwrap(), 0);
    }
    let mut buffer = [0; 20];
    assert_eq!(b.read(&mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"23489");
    assert_eq!(errno(a.send_file(&file, u64::MAX, 1)), libc::EOVERFLOW);
    drop(b);
    assert_eq!(errno(a.send_file(&file, 0, 1)), libc::EPIPE, "and no signal, where it is ignored");
}

#[test]
fn descriptors_that_nobody_asked_for_are_not_kept() {
    in_child("descriptors_that_nobody_asked_for_are_not_kept", |_| {
        let (a, b) = Socket::pair(Kind::Datagram).unwrap();
        let gift = File::open("/dev/null").unwrap();
        let mut batch = RecvBatch::new(16, 64);
        let before = open_descriptors();
        for _ in 0..10 {
            for _ in 0..4 {
                a.send_fds(b"x", &[gift.as_fd(); 25]).unwrap();
            }
            assert_eq!(b.recv_batch(&mut batch).unwrap(), 4);
            assert_eq!(open_descriptors(), before, "of a batch");
        }
        // A pidfd with each message (unix(7), Linux 6.5); an older kernel refuses the option, and sends none.
        let (on, so_passpidfd) = (1_i32, 76);
        // SAFETY: setsockopt reads the one int.
        unsafe { libc::setsockopt(b.as_fd().as_raw_fd(), libc::SOL_SOCKET, so_passpidfd, (&raw const on).cast(), 4) };
        let before = open_descriptors();
        for _ in 0..10 {
            a.send(b"x").unwrap();
            assert!(b.recv_fds(&mut [0; 9], 4).unwrap().fds.is_empty());
            a.send(b"x").unwrap();
            assert_eq!(b.recv_batch(&mut batch).unwrap(), 1);
        }
        assert_eq!(open_descriptors(), before, "pidfds");
    });
}
