//! Datagrams several at a time: none lost, none joined, none invented; cut and joined by the kernel where asked for.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::Path;

use common::{errno, has_v6, wait_for};
use fastsock::net::options::UdpOptions;
use fastsock::net::{Family, Kind, PeerAddress, RecvBatch, SendBatch, Socket};
use fastsock::{Interest, Poller, Reactor, Trigger};

/// A sender, a receiver, and the receiver's address; of UDP over each family that there is, and of Unix datagrams.
fn pairs() -> Vec<(Socket, Socket, PeerAddress)> {
    let unix = |name| PeerAddress::try_from(Path::new(&format!("\0fastsock {} {name}", std::process::id()))).unwrap();
    let thread = format!("{:?}", std::thread::current().id());
    let v4 = PeerAddress::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let mut addresses = vec![(v4, v4), (unix(thread.clone() + "a"), unix(thread + "b"))];
    if has_v6() {
        let v6 = PeerAddress::from(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)));
        addresses.push((v6, v6));
    }
    let bound = |address: PeerAddress| {
        let socket = Socket::for_address(address, Kind::Datagram).unwrap();
        socket.bind(address).unwrap();
        socket
    };
    let pair = |(a, b)| {
        let (a, b) = (bound(a), bound(b));
        let to = b.local_addr().unwrap();
        (a, b, to)
    };
    addresses.into_iter().map(pair).collect()
}

fn udp() -> (Socket, Socket, PeerAddress) {
    pairs().swap_remove(0)
}

fn wait_readable(socket: &Socket) {
    let mut poller = Poller::new().unwrap();
    let token = poller.add(socket.as_fd(), Interest::READABLE, Trigger::Level).unwrap();
    wait_for(&mut poller, token);
}

#[test]
fn datagrams_arrive_one_by_one_in_order_and_empty_ones_too() {
    for (a, b, to) in pairs() {
        let sent: [&[u8]; 5] = [b"first", b"", b"third", &[7; 100], b""];
        let mut outgoing = SendBatch::new(10, 1000);
        assert!(sent.iter().all(|bytes| outgoing.push(bytes, Some(to))));
        assert_eq!(outgoing.len(), 5);
        assert_eq!(a.send_batch(&mut outgoing).unwrap(), 5);
        assert!(outgoing.is_empty());
        assert_eq!(a.send_batch(&mut outgoing).unwrap(), 0, "nothing to send");

        let mut incoming = RecvBatch::new(3, 100);
        let mut received = Vec::new();
        for expected in [3, 2] {
            assert_eq!(b.recv_batch(&mut incoming).unwrap(), expected);
            assert_eq!((incoming.len(), incoming.iter().count()), (expected, expected));
            for datagram in incoming.iter() {
                assert!(!datagram.is_truncated());
                assert_eq!(format!("{:?}", datagram.from()), format!("{:?}", a.local_addr().unwrap()));
                assert!(datagram.segments().eq([datagram.bytes()]), "one is one, and an empty one is one");
                received.push(datagram.bytes().to_vec());
            }
        }
        assert_eq!(received, sent);
        assert_eq!(errno(b.recv_batch(&mut incoming)), libc::EAGAIN);
        assert!(incoming.is_empty(), "what it held is gone");
    }
}

#[test]
fn what_is_longer_than_its_room_is_said_to_be_cut() {
    for (a, b, to) in pairs() {
        for length in [9, 10, 11] {
            a.send_to(&vec![1; length], to).unwrap();
        }
        let mut incoming = RecvBatch::new(8, 10);
        assert_eq!(b.recv_batch(&mut incoming).unwrap(), 3);
        let seen: Vec<_> = incoming.iter().map(|datagram| (datagram.bytes().len(), datagram.is_truncated())).collect();
        assert_eq!(seen, [(9, false), (10, false), (10, true)]);
    }
}

#[test]
fn a_batch_takes_as_many_as_it_has_room_for() {
    let (a, b, to) = udp();
    let mut batch = SendBatch::new(2, 10);
    assert!(!batch.push(&[0; 11], Some(to)), "larger than the batch");
    assert!(batch.push(&[0; 10], Some(to)));
    assert!(!batch.push(&[0; 1], Some(to)), "no bytes left");
    assert!(batch.push(&[], Some(to)));
    assert!(!batch.push(&[], Some(to)), "no datagram left");
    assert_eq!(a.send_batch(&mut batch).unwrap(), 2);
    assert!(batch.push(&[0; 10], Some(to)), "sent, so there is room again");
    batch.clear();
    assert!(batch.is_empty() && batch.push(&[0; 10], Some(to)));
    batch.skip();
    assert!(batch.is_empty());
    batch.skip();
    assert_eq!(b.recv_batch(&mut RecvBatch::new(0, 0)).unwrap(), 1, "room for one, at least");
}

#[test]
fn what_the_kernel_does_not_take_stays_for_when_it_is_writable() {
    let (a, b) = Socket::pair(Kind::Datagram).unwrap();
    let mut batch = SendBatch::new(usize::MAX, 4096);
    for n in 0..1024_u32 {
        assert!(batch.push(&n.to_ne_bytes(), None));
    }
    assert!(!batch.push(b"", None), "1024 at most");
    let mut reactor = Reactor::<(SendBatch, Vec<u32>)>::new().unwrap();
    reactor
        .add(a, Interest::WRITABLE, Trigger::Level, |reactor, (batch, _), socket, event| {
            match socket.send_batch(batch) {
                Ok(sent) => assert!(sent > 0),
                Err(error) => assert_eq!(fastsock::errno(&error), libc::EAGAIN),
            }
            if batch.is_empty() {
                reactor.remove(event.token());
            }
        })
        .unwrap();
    let mut incoming = RecvBatch::new(7, 4);
    reactor
        .add(b, Interest::READABLE, Trigger::Level, move |reactor, (_, seen), socket, event| {
            socket.recv_batch(&mut incoming).unwrap();
            seen.extend(incoming.iter().map(|datagram| u32::from_ne_bytes(datagram.bytes().try_into().unwrap())));
            if seen.len() == 1024 {
                reactor.remove(event.token());
            }
        })
        .unwrap();
    let mut context = (batch, Vec::new());
    reactor.run(&mut context).unwrap();
    assert!(context.1.into_iter().eq(0..1024));
}

#[test]
fn an_error_is_about_the_first_and_the_others_go_when_it_is_skipped() {
    let (a, b, to) = udp();
    let mut batch = SendBatch::new(10, 200_000);
    assert!(batch.push(b"before", Some(to)));
    assert!(batch.push(&vec![0; 70_000], Some(to)), "more than UDP carries");
    assert!(batch.push(b"after", Some(to)));
    assert_eq!(a.send_batch(&mut batch).unwrap(), 1);
    assert_eq!(errno(a.send_batch(&mut batch)), libc::EMSGSIZE);
    assert_eq!(batch.len(), 2);
    batch.skip();
    assert_eq!(a.send_batch(&mut batch).unwrap(), 1);
    let mut incoming = RecvBatch::new(10, 100);
    wait_readable(&b);
    assert_eq!(b.recv_batch(&mut incoming).unwrap(), 2);
    assert!(incoming.iter().map(|datagram| datagram.bytes()).eq([&b"before"[..], b"after"]));
    assert!(batch.push(b"to whom?", None));
    assert_eq!(errno(a.send_batch(&mut batch)), libc::EDESTADDRREQ);
}

#[test]
fn the_kernel_cuts_one_message_into_datagrams() {
    for (a, b, to) in pairs() {
        let mut batch = SendBatch::new(10, 10_000);
        let bytes: Vec<u8> = (0..2500_u32).map(|n| n as u8).collect();
        assert!(batch.push(b"whole", Some(to)) && batch.push_segments(&bytes, 1000, Some(to)));
        if let Err(error) = a.send_batch(&mut batch) {
            assert_eq!(fastsock::errno(&error), libc::EOPNOTSUPP);
            assert_eq!(batch.len(), 2, "nothing was sent uncut");
            let is_udp = to.ip().is_some();
            if is_udp {
                eprintln!("SKIPPED: this kernel has no UDP_SEGMENT");
            }
            assert_eq!(errno(a.set_segment_size(1000)), libc::EOPNOTSUPP);
            continue;
        }
        let mut incoming = RecvBatch::new(10, 2000);
        let mut received = Vec::new();
        for _ in 0..4 {
            if received.len() < 4 {
                wait_readable(&b);
                b.recv_batch(&mut incoming).unwrap();
                received.extend(incoming.iter().map(|datagram| datagram.bytes().to_vec()));
            }
        }
        assert_eq!(received, [b"whole", &bytes[..1000], &bytes[1000..2000], &bytes[2000..]]);
    }
}

#[test]
fn the_kernel_joins_datagrams_and_they_are_parted_again() {
    let (a, b, to) = udp();
    if b.set_gro(true).is_err() || a.set_segment_size(500).is_err() {
        eprintln!("SKIPPED: this kernel has no UDP_GRO");
        return;
    }
    assert!(b.gro().unwrap());
    assert_eq!(a.segment_size().unwrap(), 500);
    let bytes: Vec<u8> = (0..1700_u32).map(|n| (n / 100) as u8).collect();
    a.send_to(&bytes, to).unwrap();
    wait_readable(&b);
    let mut incoming = RecvBatch::new(10, 65_535);
    assert_eq!(b.recv_batch(&mut incoming).unwrap(), 1, "joined, or never cut, on the loopback");
    assert!(incoming.iter().flat_map(|datagram| datagram.segments()).eq(bytes.chunks(500)));
    a.set_segment_size(0).unwrap();
    assert_eq!(errno(a.set_segment_size(65_536)), libc::EINVAL);
}

#[test]
fn cutting_and_joining_are_for_udp() {
    for kind in [Kind::Stream, Kind::Datagram] {
        let unix = Socket::new(Family::Unix, kind).unwrap();
        assert_eq!(errno(unix.set_gro(true)), libc::EOPNOTSUPP);
        assert_eq!(errno(unix.segment_size()), libc::EOPNOTSUPP);
    }
    let tcp = Socket::new(Family::V4, Kind::Stream).unwrap();
    assert_eq!((errno(tcp.gro()), errno(tcp.set_segment_size(1))), (libc::EOPNOTSUPP, libc::EOPNOTSUPP));
}

#[test]
fn batches_go_to_other_threads() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<(SendBatch, RecvBatch)>();
    let (a, b) = Socket::pair(Kind::Datagram).unwrap();
    a.send(b"here").unwrap();
    let mut incoming = RecvBatch::new(2, 10);
    b.recv_batch(&mut incoming).unwrap();
    let bytes = std::thread::spawn(move || incoming.iter().next().unwrap().bytes().to_vec()).join().unwrap();
    assert_eq!(bytes, b"here");
}
