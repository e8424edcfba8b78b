//! Listening: one family or both, a shared port, a short queue.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;

use common::{errno, has_v6};
use fastsock::net::{Accept, Kind, ListenOptions, Listener, PeerAddress};

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn port(listener: &Listener) -> u16 {
    listener.local_addr().unwrap().ip().unwrap().port()
}

#[test]
fn dual_stack_takes_both_families_and_v6_only_takes_one() {
    if !has_v6() {
        return;
    }
    let anywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let mut both = ListenOptions::new().only_v6(false).listen(anywhere).unwrap();
    let v6 = TcpStream::connect((Ipv6Addr::LOCALHOST, port(&both))).unwrap();
    let v4 = TcpStream::connect((Ipv4Addr::LOCALHOST, port(&both))).unwrap();
    for client in [v6, v4] {
        let Accept::Connection(connection) = both.accept().unwrap() else { panic!("no connection") };
        let (peer, client) = (connection.peer().ip().unwrap(), client.local_addr().unwrap());
        assert!(peer.is_ipv6());
        assert_eq!((peer.ip().to_canonical(), peer.port()), (client.ip(), client.port()));
    }

    let mut only = ListenOptions::new().only_v6(true).listen(anywhere).unwrap();
    let _v6 = TcpStream::connect((Ipv6Addr::LOCALHOST, port(&only))).unwrap();
    // Refused; or another program's, for that port of IPv4's is free.
    let _v4 = TcpStream::connect((Ipv4Addr::LOCALHOST, port(&only)));
    assert!(matches!(only.accept().unwrap(), Accept::Connection(_)));
    assert!(matches!(only.accept().unwrap(), Accept::WouldBlock));
    let taken = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port(&both)));
    assert_eq!(errno(Listener::bind(taken)), libc::EADDRINUSE);
}

#[test]
fn listeners_share_a_port_when_all_of_them_ask_for_it() {
    let shared = ListenOptions::new().reuse_port(true);
    let mut first = shared.listen(loopback(0)).unwrap();
    let mut second = shared.listen(first.local_addr().unwrap()).unwrap();
    assert_eq!(port(&first), port(&second));
    assert_eq!(errno(ListenOptions::new().listen(first.local_addr().unwrap())), libc::EADDRINUSE);
    let _clients: Vec<_> = (0..64).map(|_| TcpStream::connect(loopback(port(&first))).unwrap()).collect();
    let count = |listener: &mut Listener| {
        (0..100).take_while(|_| matches!(listener.accept().unwrap(), Accept::Connection(_))).count()
    };
    let (a, b) = (count(&mut first), count(&mut second));
    assert_eq!(a + b, 64);
    // All to one of them: the chance is 2 in 2^64.
    assert!(a > 0 && b > 0, "{a} and {b}");
}

#[test]
fn what_does_not_go_together_is_an_error() {
    let unix = PeerAddress::try_from(Path::new("\0fastsock, never bound")).unwrap();
    assert_eq!(errno(ListenOptions::new().reuse_port(true).listen(unix)), libc::EOPNOTSUPP);
    assert_eq!(errno(ListenOptions::new().only_v6(true).listen(unix)), libc::EINVAL);
    assert_eq!(errno(ListenOptions::new().only_v6(false).listen(loopback(0))), libc::EINVAL);
    assert_eq!(errno(ListenOptions::new().kind(Kind::Datagram).listen(loopback(0))), libc::EOPNOTSUPP);
    assert_eq!(errno(ListenOptions::new().kind(Kind::SeqPacket).listen(loopback(0))), libc::ESOCKTNOSUPPORT);
    ListenOptions::default().backlog(u32::MAX).listen(loopback(0)).unwrap();
}
