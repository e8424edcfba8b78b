use std::io;
use std::os::fd::AsFd;

use super::{Int, option};

/// What is to be told beside the bytes of a message: cmsg(3). Each switch makes recvmsg(2) give a control message of the type
/// in brackets. The receiving of this crate passes over them (a [`RecvBatch`](crate::net::RecvBatch) has room for some, and
/// reads those of [`UdpOptions::gro`](super::UdpOptions::gro)): they are for a host that calls recvmsg(2) itself.
///
/// ```
/// use fastsock::net::options::AncillaryOptions;
/// # fn main() -> std::io::Result<()> {
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// socket.set_recv_packet_info(true)?; // Which of this machine's addresses was it sent to?
/// assert!(socket.recv_packet_info()?);
/// # Ok(())
/// # }
/// ```
pub trait AncillaryOptions: AsFd {
    option! {
        /// `IP_PKTINFO`: an IPv4 packet's interface and the address that it was sent to (`IP_PKTINFO`: `in_pktinfo`).
        recv_packet_info, set_recv_packet_info: bool = IPPROTO_IP, IP_PKTINFO; udp: true
    }
    option! {
        /// `IPV6_RECVPKTINFO`: the same for IPv6 (`IPV6_PKTINFO`: `in6_pktinfo`).
        recv_packet_info_v6, set_recv_packet_info_v6: bool = IPPROTO_IPV6, IPV6_RECVPKTINFO; udp_v6: true
    }
    option! {
        /// `IP_RECVTTL`: an IPv4 packet's TTL (`IP_TTL`: an `int`).
        recv_ttl, set_recv_ttl: bool = IPPROTO_IP, IP_RECVTTL; udp: true
    }
    option! {
        /// `IPV6_RECVHOPLIMIT`: the same for IPv6 (`IPV6_HOPLIMIT`: an `int`).
        recv_hops_v6, set_recv_hops_v6: bool = IPPROTO_IPV6, IPV6_RECVHOPLIMIT; udp_v6: true
    }
    option! {
        /// `IP_RECVTOS`: an IPv4 packet's type of service (`IP_TOS`: one byte).
        recv_tos, set_recv_tos: bool = IPPROTO_IP, IP_RECVTOS; udp: true
    }
    option! {
        /// `IPV6_RECVTCLASS`: the same for IPv6 (`IPV6_TCLASS`: an `int`).
        recv_traffic_class_v6, set_recv_traffic_class_v6: bool = IPPROTO_IPV6, IPV6_RECVTCLASS; udp_v6: true
    }
    option! {
        /// `IP_RECVERR`: errors that routers and peers report are queued, and a receive with `MSG_ERRQUEUE` tells them
        /// (`IP_RECVERR`: `sock_extended_err`). Until then the socket counts as being in error (`ERR` readiness).
        recv_errors, set_recv_errors: bool = IPPROTO_IP, IP_RECVERR; udp: true
    }
    option! {
        /// `IPV6_RECVERR`: the same for IPv6 (`IPV6_RECVERR`).
        recv_errors_v6, set_recv_errors_v6: bool = IPPROTO_IPV6, IPV6_RECVERR; udp_v6: true
    }
    option! {
        /// `IP_RECVORIGDSTADDR`: where an IPv4 packet was sent to before a TPROXY rule sent it here (`IP_ORIGDSTADDR`:
        /// `sockaddr_in`).
        recv_original_destination, set_recv_original_destination: bool = IPPROTO_IP, IP_RECVORIGDSTADDR; udp: true
    }
    option! {
        /// `IPV6_RECVORIGDSTADDR`: the same for IPv6 (`IPV6_ORIGDSTADDR`: `sockaddr_in6`).
        recv_original_destination_v6, set_recv_original_destination_v6: bool = IPPROTO_IPV6, IPV6_RECVORIGDSTADDR; udp_v6: true
    }
    option! {
        /// `IP_RECVOPTS`: an IPv4 packet's options (`IP_RECVOPTS`: 40 bytes at most).
        recv_ip_options, set_recv_ip_options: bool = IPPROTO_IP, IP_RECVOPTS; udp: true
    }
    option! {
        /// `IPV6_RECVPATHMTU`: a send that is too large for its way is told of by an empty message (`IPV6_PATHMTU`:
        /// `ip6_mtuinfo`).
        recv_path_mtu_v6, set_recv_path_mtu_v6: bool = IPPROTO_IPV6, IPV6_RECVPATHMTU; udp_v6: true
    }
    option! {
        /// `SO_TIMESTAMPNS`: when the kernel took the packet in, by the system's clock (`SCM_TIMESTAMPNS`: a `timespec`).
        recv_timestamps, set_recv_timestamps: bool = SOL_SOCKET, SO_TIMESTAMPNS; udp: true
    }
    option! {
        /// `SO_PASSCRED`, unix(7): who sent each message (`SCM_CREDENTIALS`: `ucred`). Since Linux 6.16, `EOPNOTSUPP` for
        /// other than Unix sockets.
        recv_credentials, set_recv_credentials: bool = SOL_SOCKET, SO_PASSCRED; unix: true
    }
}

impl<T: AsFd + ?Sized> AncillaryOptions for T {}
