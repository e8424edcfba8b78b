//! Groups: who hears what is sent to them.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;
#[path = "common/options.rs"]
mod options;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;

use common::{errno, has_v6, look, wait_for};
use fastsock::net::options::MulticastOptions;
use fastsock::net::{Family, Socket};
use fastsock::{Interest, Poller, Trigger};
use options::{loopback, reads_back, udp};

const INTERFACE: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A socket at a port of its own that hears what is sent to groups.
fn receiver() -> (Socket, u16) {
    let receiver = udp(Family::V4);
    receiver.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
    let port = receiver.local_addr().unwrap().ip().unwrap().port();
    (receiver, port)
}

/// A socket that sends to groups on the loopback interface.
fn sender() -> Socket {
    let sender = udp(Family::V4);
    sender.bind(SocketAddr::from((INTERFACE, 0))).unwrap();
    sender.set_multicast_interface_v4(INTERFACE).unwrap();
    assert_eq!(sender.multicast_interface_v4().unwrap(), INTERFACE);
    sender
}

/// Whether what is sent to the group now is heard: over the loopback interface it is there when `send_to` is done.
fn hears(receiver: &Socket, to: (Ipv4Addr, u16)) -> bool {
    sender().send_to(b"all", SocketAddr::from(to)).unwrap();
    let mut poller = Poller::new().unwrap();
    poller.add(receiver.as_fd(), Interest::READABLE, Trigger::Level).unwrap();
    let heard = !look(&mut poller).is_empty();
    if heard {
        assert_eq!(receiver.recv(&mut [0; 8]).unwrap(), 3);
    }
    heard
}

/// Whether the loopback interface takes part in multicast here; when not, says aloud that what needs it is left out.
fn has_groups() -> bool {
    let joined = receiver().0.join_v4(Ipv4Addr::new(239, 255, 70, 80), INTERFACE);
    if let Err(error) = &joined {
        eprintln!("SKIPPED: no groups on the loopback interface: {error}");
    }
    joined.is_ok()
}

#[test]
fn switches_and_numbers_are_read_back() {
    let socket = udp(Family::V4);
    reads_back!(socket, multicast_loop_v4, set_multicast_loop_v4, [false, true]);
    reads_back!(socket, multicast_all_v4, set_multicast_all_v4, [false, true]);
    reads_back!(socket, multicast_ttl_v4, set_multicast_ttl_v4, [0, 1, 255]);
    if has_v6() {
        let socket = udp(Family::V6);
        reads_back!(socket, multicast_hops_v6, set_multicast_hops_v6, [0, 1, 255]);
        reads_back!(socket, multicast_loop_v6, set_multicast_loop_v6, [false, true]);
        reads_back!(socket, multicast_all_v6, set_multicast_all_v6, [false, true]);
        reads_back!(socket, multicast_interface_v6, set_multicast_interface_v6, [loopback(), 0]);
    }
}

#[test]
fn a_group_hears_what_is_sent_to_it_until_it_leaves() {
    if !has_groups() {
        return;
    }
    let group = Ipv4Addr::new(239, 255, 70, 83);
    let (receiver, port) = receiver();
    receiver.join_v4(group, INTERFACE).unwrap();
    assert_eq!(errno(receiver.join_v4(group, INTERFACE)), libc::EADDRINUSE);
    sender().send_to(b"all", SocketAddr::from((group, port))).unwrap();
    let mut poller = Poller::new().unwrap();
    let token = poller.add(receiver.as_fd(), Interest::READABLE, Trigger::Level).unwrap();
    wait_for(&mut poller, token);
    assert_eq!(receiver.recv(&mut [0; 8]).unwrap(), 3);
    receiver.leave_v4(group, INTERFACE).unwrap();
    assert!(!hears(&receiver, (group, port)));
    assert_eq!(errno(receiver.leave_v4(group, INTERFACE)), libc::EADDRNOTAVAIL);
    assert_eq!(errno(receiver.join_v4(Ipv4Addr::LOCALHOST, INTERFACE)), libc::EINVAL);
    assert_eq!(errno(receiver.set_multicast_interface_v4(Ipv4Addr::new(192, 0, 2, 1))), libc::EADDRNOTAVAIL);
}

#[test]
fn of_a_group_one_source_may_be_chosen_or_shut_out() {
    if !has_groups() {
        return;
    }
    let (group, stranger) = (Ipv4Addr::new(239, 255, 70, 84), Ipv4Addr::new(192, 0, 2, 1));
    let (socket, port) = receiver();
    // What another socket of this machine has joined is not for this one.
    socket.set_multicast_all_v4(false).unwrap();
    let to = (group, port);

    socket.join_source_v4(group, stranger, INTERFACE).unwrap();
    assert!(!hears(&socket, to), "the sender is another one");
    socket.join_source_v4(group, INTERFACE, INTERFACE).unwrap();
    assert!(hears(&socket, to));
    assert_eq!(errno(socket.join_source_v4(group, INTERFACE, INTERFACE)), libc::EADDRNOTAVAIL);
    socket.leave_source_v4(group, INTERFACE, INTERFACE).unwrap();
    assert!(!hears(&socket, to));
    socket.leave_source_v4(group, stranger, INTERFACE).unwrap();
    let error = errno(socket.leave_source_v4(group, stranger, INTERFACE));
    assert!(matches!(error, libc::EADDRNOTAVAIL | libc::EINVAL), "{error}");

    assert_eq!(errno(socket.block_source_v4(group, INTERFACE, INTERFACE)), libc::EINVAL);
    socket.join_v4(group, INTERFACE).unwrap();
    assert!(hears(&socket, to));
    socket.block_source_v4(group, INTERFACE, INTERFACE).unwrap();
    assert!(!hears(&socket, to));
    assert_eq!(errno(socket.block_source_v4(group, INTERFACE, INTERFACE)), libc::EADDRNOTAVAIL);
    socket.unblock_source_v4(group, INTERFACE, INTERFACE).unwrap();
    assert!(hears(&socket, to));
    assert_eq!(errno(socket.unblock_source_v4(group, INTERFACE, INTERFACE)), libc::EADDRNOTAVAIL);
}

#[test]
fn groups_of_v6_are_joined_whole_or_by_source() {
    if !has_v6() {
        return;
    }
    let (socket, interface) = (udp(Family::V6), loopback());
    let group: Ipv6Addr = "ff01::7083".parse().unwrap();
    socket.join_v6(group, interface).unwrap();
    socket.leave_v6(group, interface).unwrap();
    assert_eq!(errno(socket.leave_v6(group, interface)), libc::EADDRNOTAVAIL);
    assert_eq!(errno(socket.join_v6(Ipv6Addr::LOCALHOST, interface)), libc::EINVAL);

    socket.bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).unwrap();
    socket.set_multicast_all_v6(false).unwrap();
    let sender = udp(Family::V6);
    sender.bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).unwrap();
    sender.set_multicast_interface_v6(interface).unwrap();
    let to = SocketAddr::from((group, socket.local_addr().unwrap().ip().unwrap().port()));
    let stranger: Ipv6Addr = "2001:db8::1".parse().unwrap();
    socket.join_source_v6(group, stranger, interface).unwrap();
    let sent = sender.send_to(b"unheard", to);
    socket.join_source_v6(group, Ipv6Addr::LOCALHOST, interface).unwrap();
    match sent.and_then(|_| sender.send_to(b"all", to)) {
        Ok(_) => {
            let mut poller = Poller::new().unwrap();
            let token = poller.add(socket.as_fd(), Interest::READABLE, Trigger::Level).unwrap();
            wait_for(&mut poller, token);
            assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 3);
        }
        Err(error) => {
            assert_eq!(fastsock::errno(&error), libc::ENETUNREACH, "{error}");
            eprintln!("SKIPPED: no way to groups of IPv6 over the loopback interface");
        }
    }
    assert_eq!(errno(socket.join_source_v6(group, Ipv6Addr::LOCALHOST, interface)), libc::EADDRNOTAVAIL);
    socket.leave_source_v6(group, Ipv6Addr::LOCALHOST, interface).unwrap();
    socket.leave_source_v6(group, stranger, interface).unwrap();
    let error = errno(socket.leave_source_v6(group, stranger, interface));
    assert!(matches!(error, libc::EADDRNOTAVAIL | libc::EINVAL), "{error}");
    assert_eq!(errno(socket.join_source_v6(Ipv6Addr::LOCALHOST, stranger, interface)), libc::EINVAL);
}
