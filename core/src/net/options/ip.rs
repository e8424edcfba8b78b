use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;

use super::{Int, option};
use crate::sys::options;

fn in_addr(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr { s_addr: u32::from(address).to_be() }
}

fn mreq_v4(group: Ipv4Addr, interface: Ipv4Addr) -> libc::ip_mreq {
    libc::ip_mreq { imr_multiaddr: in_addr(group), imr_interface: in_addr(interface) }
}

fn mreq_v6(group: Ipv6Addr, interface: u32) -> libc::ipv6_mreq {
    let ipv6mr_multiaddr = libc::in6_addr { s6_addr: group.octets() };
    libc::ipv6_mreq { ipv6mr_multiaddr, ipv6mr_interface: interface as _ }
}

/// The options of IPv4 and IPv6: ip(7), ipv6(7). See [the module](super) for an example.
///
/// ```
/// use fastsock::net::options::IpOptions;
/// use std::net::Ipv4Addr;
/// # fn main() -> std::io::Result<()> {
/// let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
/// let (group, interface) = (Ipv4Addr::new(239, 255, 70, 83), Ipv4Addr::LOCALHOST);
/// # if IpOptions::join_v4(&socket, group, interface).is_ok() {
/// # socket.leave_v4(group, interface)?;
/// socket.join_v4(group, interface)?; // Hears what is sent to the group.
/// socket.set_multicast_interface_v4(interface)?; // Sends to groups from there.
/// # }
/// # Ok(())
/// # }
/// ```
pub trait IpOptions: AsFd {
    option! {
        /// `IPV6_V6ONLY`: an IPv6 socket leaves IPv4 alone. Set it before `bind`.
        only_v6, set_only_v6: bool = IPPROTO_IPV6, IPV6_V6ONLY
    }
    option! {
        /// `IP_TTL`: how many routers an IPv4 packet may pass, 1 to 255; mostly 64.
        ttl, set_ttl: u32 = IPPROTO_IP, IP_TTL
    }
    option! {
        /// `IPV6_UNICAST_HOPS`: the same for IPv6, 0 to 255.
        hops_v6, set_hops_v6: u32 = IPPROTO_IPV6, IPV6_UNICAST_HOPS
    }
    option! {
        /// `IP_TOS`: the byte of that name in an IPv4 packet: DSCP in the upper six bits, ECN in the lower two, which TCP
        /// keeps for itself.
        tos, set_tos: u8 = IPPROTO_IP, IP_TOS
    }
    option! {
        /// `IPV6_TCLASS`: the traffic class, the same for IPv6.
        traffic_class_v6, set_traffic_class_v6: u8 = IPPROTO_IPV6, IPV6_TCLASS
    }
    option! {
        /// `IP_MULTICAST_TTL`: how many routers an IPv4 packet to a group may pass, 0 to 255; 1 at first.
        multicast_ttl_v4, set_multicast_ttl_v4: u8 = IPPROTO_IP, IP_MULTICAST_TTL
    }
    option! {
        /// `IPV6_MULTICAST_HOPS`: the same for IPv6, 0 to 255; 1 at first.
        multicast_hops_v6, set_multicast_hops_v6: u8 = IPPROTO_IPV6, IPV6_MULTICAST_HOPS
    }
    option! {
        /// `IP_MULTICAST_LOOP`: this machine hears what the socket sends to IPv4 groups; on at first.
        multicast_loop_v4, set_multicast_loop_v4: bool = IPPROTO_IP, IP_MULTICAST_LOOP
    }
    option! {
        /// `IPV6_MULTICAST_LOOP`: the same for IPv6.
        multicast_loop_v6, set_multicast_loop_v6: bool = IPPROTO_IPV6, IPV6_MULTICAST_LOOP
    }
    option! {
        /// `IPV6_MULTICAST_IF`: the index of the interface that packets to IPv6 groups leave from (if_nametoindex(3)); 0: the
        /// kernel's choice.
        multicast_interface_v6, set_multicast_interface_v6: u32 = IPPROTO_IPV6, IPV6_MULTICAST_IF
    }

    /// `IP_MULTICAST_IF`: the address of the interface that packets to IPv4 groups leave from; `0.0.0.0`: the kernel's choice.
    ///
    /// # Errors
    /// As in [the module](super#errors).
    fn multicast_interface_v4(&self) -> io::Result<Ipv4Addr> {
        let address: libc::in_addr = options::get(self.as_fd(), libc::IPPROTO_IP, libc::IP_MULTICAST_IF)?;
        Ok(Ipv4Addr::from(u32::from_be(address.s_addr)))
    }

    /// Sets [`multicast_interface_v4`](Self::multicast_interface_v4).
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`: no interface has that address.
    fn set_multicast_interface_v4(&self, interface: Ipv4Addr) -> io::Result<()> {
        options::set(self.as_fd(), libc::IPPROTO_IP, libc::IP_MULTICAST_IF, in_addr(interface))
    }

    /// `IP_ADD_MEMBERSHIP`: hears what is sent to this IPv4 group on the interface of that address (`0.0.0.0`: the
    /// kernel's choice).
    ///
    /// # Errors
    /// `EINVAL`: not a group's address. `ENODEV`: no such interface. `EADDRINUSE`: joined already.
    fn join_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        options::set(self.as_fd(), libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, mreq_v4(group, interface))
    }

    /// `IP_DROP_MEMBERSHIP`: the contrary of [`join_v4`](Self::join_v4).
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`: it had not joined.
    fn leave_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        options::set(self.as_fd(), libc::IPPROTO_IP, libc::IP_DROP_MEMBERSHIP, mreq_v4(group, interface))
    }

    /// `IPV6_ADD_MEMBERSHIP`: hears what is sent to this IPv6 group on the interface of that index (0: the kernel's
    /// choice).
    ///
    /// # Errors
    /// As [`join_v4`](Self::join_v4).
    fn join_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        options::set(self.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP, mreq_v6(group, interface))
    }

    /// `IPV6_DROP_MEMBERSHIP`: the contrary of [`join_v6`](Self::join_v6).
    ///
    /// # Errors
    /// As [`leave_v4`](Self::leave_v4).
    fn leave_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        options::set(self.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_DROP_MEMBERSHIP, mreq_v6(group, interface))
    }
}

impl<T: AsFd + ?Sized> IpOptions for T {}
