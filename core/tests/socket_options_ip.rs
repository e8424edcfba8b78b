//! Options of IPv4 and IPv6, and what is told beside the bytes.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;
#[path = "common/options.rs"]
mod options;

use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

use common::{errno, has_v6, wait_for};
use fastsock::net::options::{AncillaryOptions, IpOptions, PathMtu};
use fastsock::net::{Family, Kind, Socket};
use fastsock::{Interest, Poller, Trigger};
use options::{CAP_NET_ADMIN, CAP_NET_RAW, bound_udp, reads_back, reads_back_with, tcp, udp};

/// An address of the range for documentation (RFC 5737), which no machine has.
const NOBODY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

const MODES: [PathMtu; 6] =
    [PathMtu::Dont, PathMtu::Want, PathMtu::Do, PathMtu::Probe, PathMtu::Interface, PathMtu::Omit];

#[test]
fn numbers_have_the_range_that_the_manual_gives() {
    let socket = tcp();
    reads_back!(socket, ttl, set_ttl, [1, 255]);
    reads_back!(socket, tos, set_tos, [0, 0x10, 0xb8]);
    for wrong in [0, 256, u32::MAX] {
        assert_eq!(errno(socket.set_ttl(wrong)), libc::EINVAL);
    }
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
    reads_back!(socket, dont_fragment_v6, set_dont_fragment_v6, [true, false]);
    reads_back!(socket, free_bind_v6, set_free_bind_v6, [true, false]);
    reads_back!(socket, path_mtu_v6, set_path_mtu_v6, MODES);
    reads_back!(socket, transparent_v6, set_transparent_v6, [false]);
    assert_eq!(errno(socket.set_hops_v6(256)), libc::EINVAL);
    assert_eq!(errno(socket.mtu_v6()), libc::ENOTCONN);
    let peer = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let _ = socket.connect(peer.local_addr().unwrap()).unwrap();
    assert!(socket.mtu_v6().unwrap() >= 1280, "no network of IPv6 takes less");
}

#[test]
fn an_address_that_nobody_has_is_bound_freely_or_not_at_all() {
    let address = SocketAddr::from((NOBODY, 0));
    assert_eq!(errno(udp(Family::V4).bind(address)), libc::EADDRNOTAVAIL);
    let free = udp(Family::V4);
    reads_back!(free, free_bind, set_free_bind, [true, false, true]);
    free.bind(address).unwrap();
    assert_eq!(free.local_addr().unwrap().ip().unwrap().ip(), NOBODY);
    let transparent = udp(Family::V4);
    reads_back!(transparent, transparent, set_transparent, [false]);
    reads_back_with!([CAP_NET_ADMIN, CAP_NET_RAW], transparent, transparent, set_transparent, [true]);
    if transparent.transparent().unwrap() {
        transparent.bind(address).unwrap();
    }
}

#[test]
fn the_port_is_chosen_at_bind_or_at_connect() {
    let port = |socket: &Socket| socket.local_addr().unwrap().ip().unwrap().port();
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let early = tcp();
    early.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    assert_ne!(port(&early), 0);
    let late = tcp();
    reads_back!(late, bind_without_port, set_bind_without_port, [false, true]);
    late.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    assert_eq!(port(&late), 0);
    let _ = late.connect(listener.local_addr().unwrap()).unwrap();
    assert_ne!(port(&late), 0);
}

#[test]
fn the_size_that_a_way_takes_is_known_once_connected() {
    let receiver = bound_udp();
    let sender = udp(Family::V4);
    assert_eq!(errno(sender.mtu()), libc::ENOTCONN);
    let _ = sender.connect(receiver.local_addr().unwrap()).unwrap();
    assert!(sender.mtu().unwrap() >= 68, "no network of IPv4 takes less (RFC 791)");
    reads_back!(sender, path_mtu, set_path_mtu, MODES);
}

/// Receives one message, and what came beside it: level, type and the first byte of each.
fn recv_with_ancillary(socket: &Socket) -> Vec<(i32, i32, u8)> {
    let mut poller = Poller::new().unwrap();
    let token = poller.add(socket.as_fd(), Interest::READABLE, Trigger::Level).unwrap();
    wait_for(&mut poller, token);
    let (mut bytes, mut control) = ([0_u8; 64], [0_u64; 64]);
    let mut buffer = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: all-zero bytes are a valid header; it then names what lives on this frame, and the control messages lie
    // inside what the kernel wrote, each with a byte of data at least.
    unsafe {
        let mut header: libc::msghdr = MaybeUninit::zeroed().assume_init();
        (header.msg_iov, header.msg_iovlen) = (&raw mut buffer, 1);
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control) as _;
        assert!(libc::recvmsg(socket.as_fd().as_raw_fd(), &mut header, 0) >= 0);
        assert_eq!(header.msg_flags & libc::MSG_CTRUNC, 0);
        let mut found = Vec::new();
        let mut message = libc::CMSG_FIRSTHDR(&header);
        while !message.is_null() {
            found.push(((*message).cmsg_level, (*message).cmsg_type, *libc::CMSG_DATA(message)));
            message = libc::CMSG_NXTHDR(&header, message);
        }
        found
    }
}

#[test]
fn what_was_asked_for_comes_beside_a_datagram_of_v4() {
    let socket = bound_udp();
    reads_back!(socket, recv_packet_info, set_recv_packet_info, [true, false]);
    reads_back!(socket, recv_ttl, set_recv_ttl, [true, false]);
    reads_back!(socket, recv_tos, set_recv_tos, [true, false]);
    reads_back!(socket, recv_errors, set_recv_errors, [true, false]);
    reads_back!(socket, recv_ip_options, set_recv_ip_options, [true, false]);
    reads_back!(socket, recv_original_destination, set_recv_original_destination, [true, false]);
    reads_back!(socket, recv_timestamps, set_recv_timestamps, [true, false]);
    let sender = udp(Family::V4);
    sender.set_ttl(33).unwrap();
    sender.set_tos(0x10).unwrap();
    sender.send_to(b"x", socket.local_addr().unwrap()).unwrap();
    assert_eq!(recv_with_ancillary(&socket), [], "nothing was asked for");
    socket.set_recv_ttl(true).unwrap();
    socket.set_recv_tos(true).unwrap();
    socket.set_recv_packet_info(true).unwrap();
    socket.set_recv_timestamps(true).unwrap();
    sender.send_to(b"x", socket.local_addr().unwrap()).unwrap();
    let found = recv_with_ancillary(&socket);
    let first_byte = |level, kind| found.iter().find(|f| (f.0, f.1) == (level, kind)).map(|f| f.2);
    #[cfg(target_endian = "little")]
    assert_eq!(first_byte(libc::IPPROTO_IP, libc::IP_TTL), Some(33));
    assert_eq!(first_byte(libc::IPPROTO_IP, libc::IP_TOS), Some(0x10));
    assert!(first_byte(libc::IPPROTO_IP, libc::IP_PKTINFO).is_some(), "{found:?}");
    assert!(first_byte(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS).is_some(), "{found:?}");
}

#[test]
fn what_was_asked_for_comes_beside_a_datagram_of_v6() {
    if !has_v6() {
        return;
    }
    let socket = udp(Family::V6);
    socket.bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).unwrap();
    reads_back!(socket, recv_errors_v6, set_recv_errors_v6, [true, false]);
    reads_back!(socket, recv_path_mtu_v6, set_recv_path_mtu_v6, [true, false]);
    reads_back!(socket, recv_original_destination_v6, set_recv_original_destination_v6, [true, false]);
    reads_back!(socket, recv_packet_info_v6, set_recv_packet_info_v6, [false, true]);
    reads_back!(socket, recv_hops_v6, set_recv_hops_v6, [false, true]);
    reads_back!(socket, recv_traffic_class_v6, set_recv_traffic_class_v6, [false, true]);
    udp(Family::V6).send_to(b"x", socket.local_addr().unwrap()).unwrap();
    let kinds: Vec<(i32, i32)> = recv_with_ancillary(&socket).iter().map(|f| (f.0, f.1)).collect();
    for kind in [libc::IPV6_PKTINFO, libc::IPV6_HOPLIMIT, libc::IPV6_TCLASS] {
        assert!(kinds.contains(&(libc::IPPROTO_IPV6, kind)), "{kind} is not among {kinds:?}");
    }
}

#[test]
fn who_sent_it_comes_beside_a_message_over_a_unix_socket() {
    let (a, b) = Socket::pair(Kind::Datagram).unwrap();
    reads_back!(b, recv_credentials, set_recv_credentials, [false, true]);
    a.send(b"x").unwrap();
    let found = recv_with_ancillary(&b);
    assert!(found.iter().any(|f| (f.0, f.1) == (libc::SOL_SOCKET, libc::SCM_CREDENTIALS)), "{found:?}");
}
