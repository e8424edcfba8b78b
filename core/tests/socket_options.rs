//! Options of every socket: what is set is what is read, in the unit that is promised; what does not fit is an error.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;
#[path = "common/options.rs"]
mod options;

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use common::{LONG, errno, has_v6, streams, tcp_streams, wait_for};
use fastsock::net::options::{IpOptions, PeerCredentials, RawOptions, SocketOptions, TcpOptions};
use fastsock::net::{Connect, Family, Kind, Listener, Socket};
use fastsock::{Backend, Interest, Poller, Trigger};
use options::{CAP_NET_ADMIN, CAP_NET_RAW, bound_udp, loopback, reads_back, reads_back_with, tcp, udp};

#[test]
fn switches_go_on_and_off() {
    let socket = tcp();
    reads_back!(socket, reuse_address, set_reuse_address, [true, false]);
    reads_back!(socket, reuse_port, set_reuse_port, [true, false]);
    reads_back!(socket, keepalive, set_keepalive, [true, false]);
    reads_back!(socket, broadcast, set_broadcast, [true, false]);
    reads_back!(socket, dont_route, set_dont_route, [true, false]);
    reads_back!(socket, oob_inline, set_oob_inline, [true, false]);
}

#[test]
fn buffers_have_twice_the_size_that_was_set() {
    let socket = tcp();
    socket.set_send_buffer_size(20_000).unwrap();
    assert_eq!(socket.send_buffer_size().unwrap(), 40_000, "the kernel doubles it");
    socket.set_recv_buffer_size(30_000).unwrap();
    assert_eq!(socket.recv_buffer_size().unwrap(), 60_000);
    assert_eq!(errno(socket.set_recv_buffer_size(1 << 31)), libc::EINVAL);
}

#[test]
fn buffers_go_beyond_the_systems_bound_by_force_alone() {
    let most = |name: &str| -> u32 {
        std::fs::read_to_string(format!("/proc/sys/net/core/{name}")).unwrap().trim().parse().unwrap()
    };
    let (send, recv) = (most("wmem_max"), most("rmem_max"));
    let socket = tcp();
    socket.set_send_buffer_size(send + 5000).unwrap();
    assert_eq!(socket.send_buffer_size().unwrap(), 2 * send, "cut without a word");
    match (socket.force_send_buffer_size(send + 5000), socket.force_recv_buffer_size(recv + 5000)) {
        (Ok(()), Ok(())) => {
            assert_eq!(socket.send_buffer_size().unwrap(), 2 * (send + 5000));
            assert_eq!(socket.recv_buffer_size().unwrap(), 2 * (recv + 5000));
        }
        refused => {
            assert_eq!((errno(refused.0), errno(refused.1)), (libc::EPERM, libc::EPERM));
            assert!(!options::has_capability(CAP_NET_ADMIN));
        }
    }
}

#[test]
fn a_socket_tells_what_it_is() {
    let sockets = [
        (tcp(), Kind::Stream, Family::V4, libc::IPPROTO_TCP),
        (udp(Family::V4), Kind::Datagram, Family::V4, libc::IPPROTO_UDP),
        (Socket::new(Family::Unix, Kind::SeqPacket).unwrap(), Kind::SeqPacket, Family::Unix, 0),
    ];
    for (socket, kind, family, protocol) in sockets {
        assert_eq!(socket.kind().unwrap(), Some(kind));
        assert_eq!(socket.family().unwrap(), Some(family));
        assert_eq!(socket.protocol().unwrap(), protocol as u32);
        assert!(!socket.is_listening().unwrap());
    }
    if has_v6() {
        assert_eq!(udp(Family::V6).family().unwrap(), Some(Family::V6));
    }
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    assert!(listener.is_listening().unwrap());
}

#[test]
fn lingering_is_in_whole_seconds_rounded_up() {
    let (second, endless) = (Duration::from_secs(1), Duration::MAX);
    let socket = tcp();
    reads_back!(socket, linger, set_linger, [Some(Duration::ZERO), Some(second), None]);
    socket.set_linger(Some(Duration::from_nanos(1))).unwrap();
    assert_eq!(socket.linger().unwrap(), Some(second));
    assert_eq!(errno(socket.set_linger(Some(endless))), libc::EINVAL);
}

#[test]
fn lingering_for_no_time_resets_the_connection() {
    let (a, b) = tcp_streams();
    SocketOptions::set_linger(&a, Some(Duration::ZERO)).unwrap();
    let b = Socket::from_fd(b).unwrap();
    let mut poller = Poller::new().unwrap();
    let token = poller.add(b.as_fd(), Interest::READABLE, Trigger::Level).unwrap();
    drop(a);
    wait_for(&mut poller, token);
    assert_eq!(errno(b.recv(&mut [0; 1])), libc::ECONNRESET);
}

#[test]
fn timeouts_of_blocking_calls_are_rounded_up_to_the_kernels_tick() {
    let socket = tcp();
    let times = [None, Some(Duration::from_secs(1)), Some(Duration::from_secs(100_000))];
    reads_back!(socket, recv_timeout, set_recv_timeout, times);
    reads_back!(socket, send_timeout, set_send_timeout, times);
    for asked in [Duration::from_nanos(1), Duration::from_micros(1_000_001)] {
        socket.set_recv_timeout(Some(asked)).unwrap();
        let got = socket.recv_timeout().unwrap().unwrap();
        assert!(got >= asked && got <= asked + Duration::from_millis(10), "{asked:?} became {got:?}");
    }
    for wrong in [Duration::ZERO, Duration::MAX] {
        assert_eq!(errno(socket.set_recv_timeout(Some(wrong))), libc::EINVAL);
        assert_eq!(errno(socket.set_send_timeout(Some(wrong))), libc::EINVAL);
    }
}

#[test]
fn a_blocking_receive_ends_at_its_timeout_and_not_before() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let timeout = Duration::from_millis(20);
    socket.set_recv_timeout(Some(timeout)).unwrap();
    let start = Instant::now();
    assert_eq!(socket.recv(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    // A millisecond for a kernel whose tick began before our clock was read.
    assert!(start.elapsed() >= timeout - Duration::from_millis(1), "{:?}", start.elapsed());
}

#[test]
fn below_the_low_water_mark_a_stream_is_not_readable() {
    let (a, b) = tcp_streams();
    let (a, b) = (Socket::from_fd(a).unwrap(), Socket::from_fd(b).unwrap());
    reads_back!(b, recv_low_water, set_recv_low_water, [1, 100, 10]);
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let token = poller.add(b.as_fd(), Interest::READABLE, Trigger::Level).unwrap();
    a.send(&[0; 9]).unwrap();
    assert!(common::look(&mut poller).is_empty());
    a.send(&[0; 1]).unwrap();
    wait_for(&mut poller, token);
    assert_eq!(b.recv(&mut [0; 100]).unwrap(), 10);
}

#[test]
fn peeking_goes_on_from_the_offset() {
    let (a, b) = streams();
    let (a, b) = (Socket::from_fd(a).unwrap(), Socket::from_fd(b).unwrap());
    assert_eq!(b.peek_offset().unwrap(), None);
    a.send(b"abcdef").unwrap();
    b.set_peek_offset(Some(1)).unwrap();
    let mut two = [0; 2];
    assert_eq!((b.peek(&mut two).unwrap(), &two), (2, b"bc"));
    assert_eq!(b.peek_offset().unwrap(), Some(3));
    assert_eq!((b.peek(&mut two).unwrap(), &two), (2, b"de"));
    assert_eq!((b.recv(&mut two).unwrap(), &two), (2, b"ab"));
    assert_eq!(b.peek_offset().unwrap(), Some(3), "reading moves it back");
    reads_back!(b, peek_offset, set_peek_offset, [Some(0), None]);
    assert_eq!(errno(b.set_peek_offset(Some(u32::MAX))), libc::EINVAL);
}

#[test]
fn priority_and_mark_go_as_far_as_the_capabilities() {
    let socket = udp(Family::V4);
    reads_back!(socket, priority, set_priority, [6, 0]);
    reads_back_with!([CAP_NET_ADMIN], socket, priority, set_priority, [7]);
    assert_eq!(socket.mark().unwrap(), 0);
    // CAP_NET_RAW is enough since Linux 5.17; before, it may be refused.
    reads_back_with!([CAP_NET_ADMIN], socket, mark, set_mark, [1, u32::MAX]);
}

#[test]
fn busy_polling_of_a_socket_goes_as_far_as_the_capabilities() {
    let socket = udp(Family::V4);
    let (micros, zero) = (Duration::from_micros, Duration::ZERO);
    reads_back!(socket, busy_poll, set_busy_poll, [zero]);
    reads_back_with!([CAP_NET_ADMIN], socket, busy_poll, set_busy_poll, [micros(50), zero]);
    assert_eq!(errno(socket.set_busy_poll(Duration::MAX)), libc::EINVAL);
    match socket.prefer_busy_poll() {
        Err(error) => {
            assert_eq!(fastsock::errno(&error), libc::ENOPROTOOPT);
            eprintln!("SKIPPED: SO_PREFER_BUSY_POLL needs Linux 5.11");
        }
        Ok(prefer) => {
            assert!(!prefer);
            reads_back!(socket, prefer_busy_poll, set_prefer_busy_poll, [false]);
            reads_back_with!([CAP_NET_ADMIN], socket, prefer_busy_poll, set_prefer_busy_poll, [true]);
            socket.set_busy_poll_budget(0).unwrap();
            match socket.set_busy_poll_budget(16) {
                Ok(()) => assert!(options::has_capability(CAP_NET_ADMIN)),
                Err(error) => assert_eq!(fastsock::errno(&error), libc::EPERM),
            }
            assert!(matches!(errno(socket.set_busy_poll_budget(65_536)), libc::EINVAL | libc::EPERM));
        }
    }
    assert_eq!(socket.incoming_queue().unwrap(), None, "nothing has come");
}

#[test]
fn the_peer_of_a_unix_socket_is_known() {
    let (stream, _other) = streams();
    // SAFETY: both only tell who we are.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    let pid = i32::try_from(std::process::id()).unwrap();
    assert_eq!(SocketOptions::peer_credentials(&stream).unwrap(), Some(PeerCredentials { pid, uid, gid }));
    assert_eq!(Socket::new(Family::Unix, Kind::Stream).unwrap().peer_credentials().unwrap(), None);
    assert_eq!(tcp().peer_credentials().unwrap(), None);
}

#[test]
fn a_device_is_named_or_said_not_to_be_there() {
    let socket = udp(Family::V4);
    assert_eq!(socket.device().unwrap(), None);
    socket.set_device(None).unwrap();
    match socket.set_device(Some(OsStr::new("lo"))) {
        Ok(()) => assert_eq!(socket.device().unwrap().unwrap(), "lo"),
        // Before Linux 5.7 for all, not only for who has bound it before.
        Err(error) => {
            assert_eq!(fastsock::errno(&error), libc::EPERM);
            assert!(!options::has_capability(CAP_NET_RAW));
        }
    }
    assert_eq!(errno(tcp().set_device(Some(OsStr::new("sixteen-letters!")))), libc::EINVAL);
    let error = tcp().set_device(Some(OsStr::new("no-such-device"))).unwrap_err();
    assert!(matches!(fastsock::errno(&error), libc::ENODEV | libc::EPERM), "{error}");
}

#[test]
fn a_device_has_a_number_too() {
    let socket = udp(Family::V4);
    assert_eq!(socket.device_index().unwrap(), None);
    reads_back_with!([CAP_NET_RAW], socket, device_index, set_device_index, [Some(loopback())]);
    if socket.device_index().unwrap().is_some() {
        assert_eq!(socket.device().unwrap().unwrap(), "lo");
    }
    assert_eq!(errno(socket.set_device_index(Some(u32::MAX))), libc::EINVAL);
}

#[test]
fn the_processor_is_known_once_a_packet_has_come() {
    let socket = udp(Family::V4);
    assert_eq!(socket.incoming_cpu().unwrap(), None);
    socket.set_incoming_cpu(0).unwrap();
    assert_eq!(socket.incoming_cpu().unwrap(), Some(0));
    assert_eq!(errno(socket.set_incoming_cpu(u32::MAX)), libc::EINVAL);
}

#[test]
fn options_of_another_kind_of_socket_are_an_error() {
    let unix = Socket::new(Family::Unix, Kind::Stream).unwrap();
    for error in [errno(unix.set_no_delay(true)), errno(unix.ttl()), errno(udp(Family::V4).set_cork(true))] {
        assert!(matches!(error, libc::EOPNOTSUPP | libc::ENOPROTOOPT), "{error}");
    }
    assert_eq!(errno(tcp().set_only_v6(true)), libc::ENOPROTOOPT);
    assert_eq!(errno(std::fs::File::open("Cargo.toml").unwrap().reuse_address()), libc::ENOTSOCK);
}

#[test]
fn what_has_no_method_is_reached_by_its_number() {
    let socket = bound_udp();
    for value in [1, 0] {
        socket.set_option(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, value).unwrap();
        assert_eq!(socket.option(libc::SOL_SOCKET, libc::SO_RXQ_OVFL).unwrap(), value);
    }
    socket.set_ttl(7).unwrap();
    assert_eq!(socket.option(libc::IPPROTO_IP, libc::IP_TTL).unwrap(), 7);
    let cookie = socket.option_bytes(libc::SOL_SOCKET, libc::SO_COOKIE, 64).unwrap();
    assert_eq!(cookie.len(), 8, "as many bytes as the kernel gives");
    assert_eq!(cookie, socket.option_bytes(libc::SOL_SOCKET, libc::SO_COOKIE, 8).unwrap());
    assert_eq!(errno(socket.option_bytes(libc::SOL_SOCKET, libc::SO_COOKIE, 7)), libc::EINVAL);
    let listener = tcp();
    // SAFETY: a name, and no address.
    unsafe { listener.set_option_bytes(libc::IPPROTO_TCP, libc::TCP_CONGESTION, b"reno").unwrap() };
    assert_eq!(listener.congestion().unwrap(), "reno");
    assert_eq!(errno(socket.option(libc::SOL_SOCKET, 9999)), libc::ENOPROTOOPT);
    assert_eq!(errno(socket.set_option(libc::SOL_SOCKET, 9999, 1)), libc::ENOPROTOOPT);
}

#[test]
fn the_standard_librarys_sockets_have_them_too() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_reuse_port(true).unwrap();
    assert!(socket.as_fd().reuse_port().unwrap());
}

#[test]
fn options_of_a_listener_pass_to_what_it_accepts() {
    let mut listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    listener.set_keepalive(true).unwrap();
    listener.set_keepalive_count(7).unwrap();
    let client = tcp();
    let connecting = client.connect(listener.local_addr().unwrap()).unwrap();
    assert!(matches!(connecting, Connect::Done | Connect::InProgress));
    let mut poller = Poller::new().unwrap();
    poller.add(listener.as_fd(), Interest::READABLE, Trigger::Level).unwrap();
    let mut events = Vec::new();
    assert_eq!(poller.wait(&mut events, Some(LONG)).unwrap(), 1);
    drop(poller);
    let fastsock::net::Accept::Connection(accepted) = listener.accept().unwrap() else { panic!("no connection") };
    let accepted = accepted.into_fd();
    assert!(accepted.keepalive().unwrap());
    assert_eq!(accepted.keepalive_count().unwrap(), 7);
}
