//! Options: what is set is what is read, in the unit that is promised; what does not fit is an error.
#![allow(clippy::unwrap_used)]

mod common;

use std::ffi::OsStr;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use common::{errno, has_v6, look, streams, tcp_streams, wait_for};
use fastsock::net::options::{IpOptions, PeerCredentials, SocketOptions, TcpOptions};
use fastsock::net::{Family, Kind, Socket};
use fastsock::{Backend, Interest, Poller, Trigger};

fn tcp() -> Socket {
    Socket::new(Family::V4, Kind::Stream).unwrap()
}

fn udp(family: Family) -> Socket {
    Socket::new(family, Kind::Datagram).unwrap()
}

/// Sets each value in turn, and reads it back.
macro_rules! reads_back {
    ($socket:expr, $get:ident, $set:ident, $values:expr) => {
        let socket = &$socket;
        for value in $values {
            socket.$set(value).unwrap();
            assert_eq!(socket.$get().unwrap(), value, stringify!($get));
        }
    };
}

#[test]
fn switches_go_on_and_off() {
    let socket = tcp();
    reads_back!(socket, reuse_address, set_reuse_address, [true, false]);
    reads_back!(socket, reuse_port, set_reuse_port, [true, false]);
    reads_back!(socket, keepalive, set_keepalive, [true, false]);
    reads_back!(socket, broadcast, set_broadcast, [true, false]);
    reads_back!(socket, dont_route, set_dont_route, [true, false]);
    reads_back!(socket, oob_inline, set_oob_inline, [true, false]);
    reads_back!(socket, no_delay, set_no_delay, [true, false]);
    reads_back!(socket, cork, set_cork, [true, false]);
    reads_back!(udp(Family::V4), multicast_loop_v4, set_multicast_loop_v4, [false, true]);
}

#[test]
fn quick_ack_is_told_as_the_kernel_has_it_now() {
    let connected = tcp_streams().0;
    for on in [false, true] {
        // "This flag is not permanent" (tcp(7)): the kernel goes back by itself, at any moment, so one reading proves
        // nothing. Methods of the same names in the standard library's types come first, and mean the same.
        let agrees = |set: &dyn Fn()| {
            (0..1000).any(|_| {
                set();
                TcpOptions::quick_ack(&connected).unwrap() == on
            })
        };
        let ours = agrees(&|| TcpOptions::set_quick_ack(&connected, on).unwrap());
        let kernels = agrees(&|| {
            let value = libc::c_int::from(on);
            // SAFETY: setsockopt reads the one int.
            let result = unsafe {
                let value = std::ptr::from_ref(&value).cast();
                libc::setsockopt(connected.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_QUICKACK, value, 4)
            };
            assert_eq!(result, 0);
        });
        assert_eq!(ours, kernels, "set to {on}");
    }
}

#[test]
fn numbers_have_the_unit_and_the_range_that_the_manual_gives() {
    let socket = tcp();
    reads_back!(socket, keepalive_count, set_keepalive_count, [1, 127]);
    reads_back!(socket, recv_low_water, set_recv_low_water, [1, 100]);
    reads_back!(socket, ttl, set_ttl, [1, 255]);
    reads_back!(socket, tos, set_tos, [0, 0x10, 0xb8]);
    reads_back!(udp(Family::V4), multicast_ttl_v4, set_multicast_ttl_v4, [0, 1, 255]);
    for wrong in [0, 128, u32::MAX] {
        assert_eq!(errno(socket.set_keepalive_count(wrong)), libc::EINVAL);
    }
    for wrong in [0, 256, u32::MAX] {
        assert_eq!(errno(socket.set_ttl(wrong)), libc::EINVAL);
    }
    socket.set_send_buffer_size(20_000).unwrap();
    assert_eq!(socket.send_buffer_size().unwrap(), 40_000, "the kernel doubles it");
    socket.set_recv_buffer_size(30_000).unwrap();
    assert_eq!(socket.recv_buffer_size().unwrap(), 60_000);
    assert_eq!(errno(socket.set_recv_buffer_size(1 << 31)), libc::EINVAL);
}

#[test]
fn times_are_rounded_up_to_their_unit() {
    let (second, millisecond) = (Duration::from_secs(1), Duration::from_millis(1));
    let (nanosecond, endless) = (Duration::from_nanos(1), Duration::MAX);
    let socket = tcp();
    reads_back!(socket, keepalive_idle, set_keepalive_idle, [second, second * 32_767]);
    reads_back!(socket, keepalive_interval, set_keepalive_interval, [second, second * 32_767]);
    reads_back!(socket, user_timeout, set_user_timeout, [millisecond, Duration::ZERO, second * 100]);
    reads_back!(socket, linger, set_linger, [Some(Duration::ZERO), Some(second), None]);
    socket.set_keepalive_idle(second + nanosecond).unwrap();
    assert_eq!(socket.keepalive_idle().unwrap(), second * 2);
    socket.set_user_timeout(millisecond + nanosecond).unwrap();
    assert_eq!(socket.user_timeout().unwrap(), millisecond * 2);
    socket.set_linger(Some(nanosecond)).unwrap();
    assert_eq!(socket.linger().unwrap(), Some(second));
    for wrong in [Duration::ZERO, second * 32_768, endless] {
        assert_eq!(errno(socket.set_keepalive_idle(wrong)), libc::EINVAL);
        assert_eq!(errno(socket.set_keepalive_interval(wrong)), libc::EINVAL);
    }
    assert_eq!(errno(socket.set_user_timeout(endless)), libc::EINVAL);
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
fn below_the_low_water_mark_a_stream_is_not_readable() {
    let (a, b) = tcp_streams();
    let (a, b) = (Socket::from_fd(a).unwrap(), Socket::from_fd(b).unwrap());
    b.set_recv_low_water(10).unwrap();
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let token = poller.add(b.as_fd(), Interest::READABLE, Trigger::Level).unwrap();
    a.send(&[0; 9]).unwrap();
    assert!(look(&mut poller).is_empty());
    a.send(&[0; 1]).unwrap();
    wait_for(&mut poller, token);
    assert_eq!(b.recv(&mut [0; 100]).unwrap(), 10);
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
        Err(error) => {
            eprintln!("SKIPPED: binding to a device is not allowed here");
            assert!(matches!(fastsock::errno(&error), libc::EPERM | libc::ENODEV), "{error}");
        }
    }
    assert_eq!(errno(tcp().set_device(Some(OsStr::new("sixteen-letters!")))), libc::EINVAL);
    let error = tcp().set_device(Some(OsStr::new("no-such-device"))).unwrap_err();
    assert!(matches!(fastsock::errno(&error), libc::ENODEV | libc::EPERM), "{error}");
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
fn a_group_hears_what_is_sent_to_it_until_it_leaves() {
    let (group, interface) = (Ipv4Addr::new(239, 255, 70, 83), Ipv4Addr::LOCALHOST);
    let receiver = udp(Family::V4);
    receiver.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
    if let Err(error) = receiver.join_v4(group, interface) {
        eprintln!("SKIPPED: no groups on the loopback interface: {error}");
        return;
    }
    assert_eq!(errno(receiver.join_v4(group, interface)), libc::EADDRINUSE);
    let sender = udp(Family::V4);
    sender.set_multicast_interface_v4(interface).unwrap();
    assert_eq!(sender.multicast_interface_v4().unwrap(), interface);
    let port = receiver.local_addr().unwrap().ip().unwrap().port();
    sender.send_to(b"all", SocketAddr::from((group, port))).unwrap();
    let mut poller = Poller::new().unwrap();
    let token = poller.add(receiver.as_fd(), Interest::READABLE, Trigger::Level).unwrap();
    wait_for(&mut poller, token);
    assert_eq!(receiver.recv(&mut [0; 8]).unwrap(), 3);
    receiver.leave_v4(group, interface).unwrap();
    assert_eq!(errno(receiver.leave_v4(group, interface)), libc::EADDRNOTAVAIL);
    assert_eq!(errno(receiver.join_v4(Ipv4Addr::LOCALHOST, interface)), libc::EINVAL);
    assert_eq!(errno(sender.set_multicast_interface_v4(Ipv4Addr::new(192, 0, 2, 1))), libc::EADDRNOTAVAIL);
}

#[test]
fn the_options_of_v6() {
    if !has_v6() {
        return;
    }
    let socket = udp(Family::V6);
    reads_back!(socket, only_v6, set_only_v6, [true, false]);
    reads_back!(socket, hops_v6, set_hops_v6, [0, 1, 255]);
    reads_back!(socket, traffic_class_v6, set_traffic_class_v6, [0, 0xb8]);
    reads_back!(socket, multicast_hops_v6, set_multicast_hops_v6, [0, 1, 255]);
    reads_back!(socket, multicast_loop_v6, set_multicast_loop_v6, [false, true]);
    // SAFETY: the name is NUL-terminated.
    let loopback = unsafe { libc::if_nametoindex(c"lo".as_ptr()) };
    reads_back!(socket, multicast_interface_v6, set_multicast_interface_v6, [loopback, 0]);
    let group: Ipv6Addr = "ff01::7083".parse().unwrap();
    socket.join_v6(group, loopback).unwrap();
    socket.leave_v6(group, loopback).unwrap();
    assert_eq!(errno(socket.leave_v6(group, loopback)), libc::EADDRNOTAVAIL);
    assert_eq!(errno(socket.join_v6(Ipv6Addr::LOCALHOST, loopback)), libc::EINVAL);
    assert_eq!(errno(socket.set_hops_v6(256)), libc::EINVAL);
}

#[test]
fn the_standard_librarys_sockets_have_them_too() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_reuse_port(true).unwrap();
    assert!(socket.as_fd().reuse_port().unwrap());
}
