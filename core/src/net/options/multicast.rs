use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::mem::offset_of;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;

use super::{Int, option};
use crate::sys::options;

/// Linux's number, which `libc` lacks on some targets.
#[cfg(any(target_os = "linux", target_os = "android"))]
const IPV6_MULTICAST_ALL: libc::c_int = 29;

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

#[cfg(any(target_os = "linux", target_os = "android"))]
fn mreq_source_v4(group: Ipv4Addr, source: Ipv4Addr, interface: Ipv4Addr) -> libc::ip_mreq_source {
    libc::ip_mreq_source {
        imr_multiaddr: in_addr(group),
        imr_interface: in_addr(interface),
        imr_sourceaddr: in_addr(source),
    }
}

/// A `group_source_req`, as bytes, for it has padding.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn source_request_v6(group: Ipv6Addr, source: Ipv6Addr, interface: u32) -> [u8; size_of::<libc::group_source_req>()] {
    let mut bytes = [0; size_of::<libc::group_source_req>()];
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(offset_of!(libc::group_source_req, gsr_interface), &interface.to_ne_bytes());
    for (at, address) in [
        (offset_of!(libc::group_source_req, gsr_group), group),
        (offset_of!(libc::group_source_req, gsr_source), source),
    ] {
        let family = libc::AF_INET6 as libc::sa_family_t;
        put(at + offset_of!(libc::sockaddr_in6, sin6_family), &family.to_ne_bytes());
        put(at + offset_of!(libc::sockaddr_in6, sin6_addr), &address.octets());
    }
    bytes
}

/// The options of multicast, IPv4 and IPv6: ip(7), ipv6(7), RFC 3678.
///
/// ```
/// use fastsock::net::options::MulticastOptions;
/// use std::net::Ipv4Addr;
/// # fn main() -> std::io::Result<()> {
/// let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
/// let (group, interface) = (Ipv4Addr::new(239, 255, 70, 83), Ipv4Addr::LOCALHOST);
/// # if socket.join_v4(group, interface).is_ok() {
/// # socket.leave_v4(group, interface)?;
/// socket.join_v4(group, interface)?; // Hears what is sent to the group.
/// socket.set_multicast_interface_v4(interface)?; // Sends to groups from there.
/// # }
/// # Ok(())
/// # }
/// ```
pub trait MulticastOptions: AsFd {
    option! {
        /// `IP_MULTICAST_TTL`: how many routers an IPv4 packet to a group may pass, 0 to 255; 1 at first.
        multicast_ttl_v4, set_multicast_ttl_v4: u8 = IPPROTO_IP, IP_MULTICAST_TTL; udp: 4
    }
    option! {
        /// `IPV6_MULTICAST_HOPS`: the same for IPv6, 0 to 255; 1 at first.
        multicast_hops_v6, set_multicast_hops_v6: u8 = IPPROTO_IPV6, IPV6_MULTICAST_HOPS; udp_v6: 4
    }
    option! {
        /// `IP_MULTICAST_LOOP`: this machine hears what the socket sends to IPv4 groups; on at first.
        multicast_loop_v4, set_multicast_loop_v4: bool = IPPROTO_IP, IP_MULTICAST_LOOP; udp: false
    }
    option! {
        /// `IPV6_MULTICAST_LOOP`: the same for IPv6.
        multicast_loop_v6, set_multicast_loop_v6: bool = IPPROTO_IPV6, IPV6_MULTICAST_LOOP; udp_v6: false
    }
    option! {
        /// `IPV6_MULTICAST_IF`: the index of the interface that packets to IPv6 groups leave from (if_nametoindex(3)); 0: the
        /// kernel's choice.
        multicast_interface_v6, set_multicast_interface_v6: u32 = IPPROTO_IPV6, IPV6_MULTICAST_IF; udp_v6: 1
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `IP_MULTICAST_ALL`: hears every IPv4 group that any socket of this machine has joined, not its own alone; on at
        /// first, as ever. Linux 2.6.31.
        multicast_all_v4, set_multicast_all_v4: bool = IPPROTO_IP, IP_MULTICAST_ALL; udp: false
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `IPV6_MULTICAST_ALL`: the same for IPv6. Linux 4.20.
        multicast_all_v6, set_multicast_all_v6: bool = IPPROTO_IPV6, [IPV6_MULTICAST_ALL]; udp_v6: false
    }

    /// `IP_MULTICAST_IF`: the address of the interface that packets to IPv4 groups leave from; `0.0.0.0`: the kernel's choice.
    ///
    /// ```
    /// use fastsock::net::options::MulticastOptions;
    /// use std::net::{Ipv4Addr, UdpSocket};
    /// # fn main() -> std::io::Result<()> {
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// assert_eq!(socket.multicast_interface_v4()?, Ipv4Addr::UNSPECIFIED); // The kernel's choice.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    fn multicast_interface_v4(&self) -> io::Result<Ipv4Addr> {
        let address: libc::in_addr = options::get(self.as_fd(), libc::IPPROTO_IP, libc::IP_MULTICAST_IF)?;
        Ok(Ipv4Addr::from(u32::from_be(address.s_addr)))
    }

    /// Sets [`multicast_interface_v4`](Self::multicast_interface_v4).
    ///
    /// ```
    /// use fastsock::net::options::MulticastOptions;
    /// use std::net::{Ipv4Addr, UdpSocket};
    /// # fn main() -> std::io::Result<()> {
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.set_multicast_interface_v4(Ipv4Addr::LOCALHOST)?;
    /// assert_eq!(socket.multicast_interface_v4()?, Ipv4Addr::LOCALHOST);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`: no interface has that address.
    fn set_multicast_interface_v4(&self, interface: Ipv4Addr) -> io::Result<()> {
        options::set(self.as_fd(), libc::IPPROTO_IP, libc::IP_MULTICAST_IF, in_addr(interface))
    }

    /// `IP_ADD_MEMBERSHIP`: hears what is sent to this IPv4 group on the interface of that address (`0.0.0.0`: the
    /// kernel's choice).
    ///
    /// ```
    /// use fastsock::net::options::MulticastOptions;
    /// use std::net::{Ipv4Addr, UdpSocket};
    /// # fn main() -> std::io::Result<()> {
    /// let group = Ipv4Addr::new(239, 255, 70, 85);
    /// let receiver = UdpSocket::bind("0.0.0.0:0")?;
    /// # if receiver.join_v4(group, Ipv4Addr::LOCALHOST).is_err() { return Ok(()) } // No groups on this machine.
    /// # receiver.leave_v4(group, Ipv4Addr::LOCALHOST)?;
    /// receiver.join_v4(group, Ipv4Addr::LOCALHOST)?;
    /// let sender = UdpSocket::bind("127.0.0.1:0")?;
    /// sender.set_multicast_interface_v4(Ipv4Addr::LOCALHOST)?;
    /// sender.send_to(b"all", (group, receiver.local_addr()?.port()))?;
    /// assert_eq!(receiver.recv(&mut [0; 9])?, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EINVAL`: not a group's address. `ENODEV`: no such interface. `EADDRINUSE`: joined already.
    fn join_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        options::set(self.as_fd(), libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, mreq_v4(group, interface))
    }

    /// `IP_DROP_MEMBERSHIP`: the contrary of [`join_v4`](Self::join_v4).
    ///
    /// ```
    /// use fastsock::net::options::MulticastOptions;
    /// use std::net::{Ipv4Addr, UdpSocket};
    /// # fn main() -> std::io::Result<()> {
    /// # let (group, interface) = (Ipv4Addr::new(239, 255, 70, 86), Ipv4Addr::LOCALHOST);
    /// # let socket = UdpSocket::bind("0.0.0.0:0")?;
    /// # if socket.join_v4(group, interface).is_err() { return Ok(()) } // No groups on this machine.
    /// # socket.leave_v4(group, interface)?;
    /// socket.join_v4(group, interface)?;
    /// socket.leave_v4(group, interface)?;
    /// let error = socket.leave_v4(group, interface).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EADDRNOTAVAIL);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`: it had not joined.
    fn leave_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        options::set(self.as_fd(), libc::IPPROTO_IP, libc::IP_DROP_MEMBERSHIP, mreq_v4(group, interface))
    }

    /// `IPV6_ADD_MEMBERSHIP`: hears what is sent to this IPv6 group on the interface of that index (0: the kernel's
    /// choice).
    ///
    /// ```
    /// use fastsock::net::options::MulticastOptions;
    /// use std::net::{Ipv6Addr, UdpSocket};
    /// # fn main() -> std::io::Result<()> {
    /// let group: Ipv6Addr = "ff01::7085".parse().unwrap();
    /// let Ok(socket) = UdpSocket::bind("[::]:0") else { return Ok(()) }; // No IPv6 here.
    /// socket.join_v6(group, 1)?; // The loopback interface.
    /// let error = socket.join_v6(group, 1).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EADDRINUSE);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`join_v4`](Self::join_v4).
    fn join_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        options::set(self.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP, mreq_v6(group, interface))
    }

    /// `IPV6_DROP_MEMBERSHIP`: the contrary of [`join_v6`](Self::join_v6).
    ///
    /// ```
    /// use fastsock::net::options::MulticastOptions;
    /// use std::net::{Ipv6Addr, UdpSocket};
    /// # fn main() -> std::io::Result<()> {
    /// let group: Ipv6Addr = "ff01::7086".parse().unwrap();
    /// let Ok(socket) = UdpSocket::bind("[::]:0") else { return Ok(()) }; // No IPv6 here.
    /// socket.join_v6(group, 1)?;
    /// socket.leave_v6(group, 1)?;
    /// assert_eq!(fastsock::errno(&socket.leave_v6(group, 1).unwrap_err()), libc::EADDRNOTAVAIL);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`leave_v4`](Self::leave_v4).
    fn leave_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        options::set(self.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_DROP_MEMBERSHIP, mreq_v6(group, interface))
    }

    /// `IP_ADD_SOURCE_MEMBERSHIP`: as [`join_v4`](Self::join_v4), for what this one source sends to the group; several may be
    /// joined, one by one.
    ///
    /// ```
    /// use fastsock::net::options::MulticastOptions;
    /// use std::net::{Ipv4Addr, UdpSocket};
    /// # fn main() -> std::io::Result<()> {
    /// let (group, interface) = (Ipv4Addr::new(239, 255, 70, 87), Ipv4Addr::LOCALHOST);
    /// let socket = UdpSocket::bind("0.0.0.0:0")?;
    /// # if socket.join_v4(group, interface).is_err() { return Ok(()) } // No groups on this machine.
    /// # socket.leave_v4(group, interface)?;
    /// socket.join_source_v4(group, Ipv4Addr::new(192, 0, 2, 1), interface)?;
    /// socket.join_source_v4(group, Ipv4Addr::new(192, 0, 2, 2), interface)?; // Hears these two alone.
    /// let error = socket.join_v4(group, interface).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EADDRINUSE); // Leave them first.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there, but `EADDRNOTAVAIL` when that source was joined already; `EINVAL` when the whole group was, and sources of it
    /// are blocked. (With none blocked, the group is from then on joined for this source alone.)
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn join_source_v4(&self, group: Ipv4Addr, source: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let request = mreq_source_v4(group, source, interface);
        options::set(self.as_fd(), libc::IPPROTO_IP, libc::IP_ADD_SOURCE_MEMBERSHIP, request)
    }

    /// `IP_DROP_SOURCE_MEMBERSHIP`: the contrary of [`join_source_v4`](Self::join_source_v4).
    ///
    /// ```
    /// use fastsock::net::options::MulticastOptions;
    /// use std::net::{Ipv4Addr, UdpSocket};
    /// # fn main() -> std::io::Result<()> {
    /// let (group, interface) = (Ipv4Addr::new(239, 255, 70, 88), Ipv4Addr::LOCALHOST);
    /// # let source = Ipv4Addr::new(192, 0, 2, 1);
    /// # let socket = UdpSocket::bind("0.0.0.0:0")?;
    /// # if socket.join_v4(group, interface).is_err() { return Ok(()) } // No groups on this machine.
    /// # socket.leave_v4(group, interface)?;
    /// socket.join_source_v4(group, source, interface)?;
    /// socket.leave_source_v4(group, source, interface)?;
    /// assert!(socket.leave_source_v4(group, source, interface).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` or `EINVAL`: it had not joined that.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn leave_source_v4(&self, group: Ipv4Addr, source: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let request = mreq_source_v4(group, source, interface);
        options::set(self.as_fd(), libc::IPPROTO_IP, libc::IP_DROP_SOURCE_MEMBERSHIP, request)
    }

    /// `IP_BLOCK_SOURCE`: of a group that was joined whole, hears this source no more.
    ///
    /// ```
    /// use fastsock::net::options::MulticastOptions;
    /// use std::net::{Ipv4Addr, UdpSocket};
    /// # fn main() -> std::io::Result<()> {
    /// # let (group, interface) = (Ipv4Addr::new(239, 255, 70, 89), Ipv4Addr::LOCALHOST);
    /// # let socket = UdpSocket::bind("0.0.0.0:0")?;
    /// # if socket.join_v4(group, interface).is_err() { return Ok(()) } // No groups on this machine.
    /// # socket.leave_v4(group, interface)?;
    /// let noisy = Ipv4Addr::new(192, 0, 2, 1);
    /// socket.join_v4(group, interface)?;
    /// socket.block_source_v4(group, noisy, interface)?; // Hears everyone else.
    /// let error = socket.block_source_v4(group, noisy, interface).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EADDRNOTAVAIL);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`: blocked already. `EINVAL`: the group was not joined whole.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn block_source_v4(&self, group: Ipv4Addr, source: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let request = mreq_source_v4(group, source, interface);
        options::set(self.as_fd(), libc::IPPROTO_IP, libc::IP_BLOCK_SOURCE, request)
    }

    /// `IP_UNBLOCK_SOURCE`: the contrary of [`block_source_v4`](Self::block_source_v4).
    ///
    /// ```
    /// use fastsock::net::options::MulticastOptions;
    /// use std::net::{Ipv4Addr, UdpSocket};
    /// # fn main() -> std::io::Result<()> {
    /// # let (group, interface) = (Ipv4Addr::new(239, 255, 70, 90), Ipv4Addr::LOCALHOST);
    /// # let (socket, noisy) = (UdpSocket::bind("0.0.0.0:0")?, Ipv4Addr::new(192, 0, 2, 1));
    /// # if socket.join_v4(group, interface).is_err() { return Ok(()) } // No groups on this machine.
    /// socket.block_source_v4(group, noisy, interface)?;
    /// socket.unblock_source_v4(group, noisy, interface)?;
    /// let error = socket.unblock_source_v4(group, noisy, interface).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EADDRNOTAVAIL);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EADDRNOTAVAIL`: not blocked. `EINVAL`: the group was not joined whole.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn unblock_source_v4(&self, group: Ipv4Addr, source: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let request = mreq_source_v4(group, source, interface);
        options::set(self.as_fd(), libc::IPPROTO_IP, libc::IP_UNBLOCK_SOURCE, request)
    }

    /// `MCAST_JOIN_SOURCE_GROUP`: [`join_source_v4`](Self::join_source_v4) for IPv6, on the interface of that index (0: the
    /// kernel's choice).
    ///
    /// ```
    /// use fastsock::net::options::MulticastOptions;
    /// use std::net::{Ipv6Addr, UdpSocket};
    /// # fn main() -> std::io::Result<()> {
    /// let (group, source): (Ipv6Addr, Ipv6Addr) = ("ff01::7087".parse().unwrap(), "2001:db8::1".parse().unwrap());
    /// let Ok(socket) = UdpSocket::bind("[::]:0") else { return Ok(()) }; // No IPv6 here.
    /// socket.join_source_v6(group, source, 1)?;
    /// let error = socket.join_source_v6(group, source, 1).unwrap_err(); // Joined already.
    /// assert_eq!(fastsock::errno(&error), libc::EADDRNOTAVAIL);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn join_source_v6(&self, group: Ipv6Addr, source: Ipv6Addr, interface: u32) -> io::Result<()> {
        let request = source_request_v6(group, source, interface);
        options::set_bytes(self.as_fd(), libc::IPPROTO_IPV6, libc::MCAST_JOIN_SOURCE_GROUP, &request)
    }

    /// `MCAST_LEAVE_SOURCE_GROUP`: the contrary of [`join_source_v6`](Self::join_source_v6).
    ///
    /// ```
    /// use fastsock::net::options::MulticastOptions;
    /// use std::net::{Ipv6Addr, UdpSocket};
    /// # fn main() -> std::io::Result<()> {
    /// let (group, source): (Ipv6Addr, Ipv6Addr) = ("ff01::7088".parse().unwrap(), "2001:db8::1".parse().unwrap());
    /// let Ok(socket) = UdpSocket::bind("[::]:0") else { return Ok(()) }; // No IPv6 here.
    /// socket.join_source_v6(group, source, 1)?;
    /// socket.leave_source_v6(group, source, 1)?;
    /// assert!(socket.leave_source_v6(group, source, 1).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`leave_source_v4`](Self::leave_source_v4).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn leave_source_v6(&self, group: Ipv6Addr, source: Ipv6Addr, interface: u32) -> io::Result<()> {
        let request = source_request_v6(group, source, interface);
        options::set_bytes(self.as_fd(), libc::IPPROTO_IPV6, libc::MCAST_LEAVE_SOURCE_GROUP, &request)
    }
}

impl<T: AsFd + ?Sized> MulticastOptions for T {}
