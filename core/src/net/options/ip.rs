use std::io;
use std::os::fd::AsFd;

use super::{Int, option};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::sys::options;

/// What becomes of a packet that is larger than a network on its way takes: `IP_PMTUDISC_*`, ip(7).
///
/// ```
/// use fastsock::net::options::{IpOptions, PathMtu};
/// use std::net::UdpSocket;
/// # fn main() -> std::io::Result<()> {
/// let (here, there) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
/// here.connect(there.local_addr()?)?;
/// here.set_path_mtu(PathMtu::Do)?;
/// if here.mtu()? < 65_535 {
///     // Not even the loopback interface may cut it.
///     let error = here.send(&[0; 65_507]).err();
///     assert!(error.is_none_or(|error| fastsock::errno(&error) == libc::EMSGSIZE));
/// }
/// assert_eq!(here.path_mtu()?, PathMtu::Do);
/// # Ok(())
/// # }
/// ```
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PathMtu {
    /// It is cut, here or by a router.
    Dont,
    /// It is cut here, to the size that the way is known to take. What has that size may not be cut by routers: they complain
    /// instead, and so the size becomes known.
    Want,
    /// It is `EMSGSIZE`; routers complain.
    Do,
    /// It is sent, whatever is known of the way, and `EMSGSIZE` only when the interface cannot take it; routers complain.
    Probe,
    /// What routers complain is not believed: the interface's size alone counts, and what is larger is `EMSGSIZE`. Routers may
    /// cut. Linux 3.14.
    Interface,
    /// As `Interface`, and what is larger is cut here. Linux 3.16.
    Omit,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl PathMtu {
    /// The numbers are those of IPv6, too.
    const ALL: [(PathMtu, libc::c_int); 6] = [
        (PathMtu::Dont, libc::IP_PMTUDISC_DONT),
        (PathMtu::Want, libc::IP_PMTUDISC_WANT),
        (PathMtu::Do, libc::IP_PMTUDISC_DO),
        (PathMtu::Probe, libc::IP_PMTUDISC_PROBE),
        (PathMtu::Interface, libc::IP_PMTUDISC_INTERFACE),
        (PathMtu::Omit, libc::IP_PMTUDISC_OMIT),
    ];

    fn get(socket: &(impl AsFd + ?Sized), level: libc::c_int, name: libc::c_int) -> io::Result<PathMtu> {
        let number: libc::c_int = options::get(socket.as_fd(), level, name)?;
        let known = PathMtu::ALL.into_iter().find(|(_, known)| *known == number);
        known.map(|(mode, _)| mode).ok_or_else(|| {
            crate::error::with(libc::ENOTSUP, "the kernel has a mode of path MTU discovery that is unknown here")
        })
    }

    fn set(self, socket: &(impl AsFd + ?Sized), level: libc::c_int, name: libc::c_int) -> io::Result<()> {
        let number = PathMtu::ALL.into_iter().find(|(mode, _)| *mode == self).map_or(-1, |(_, number)| number);
        options::set(socket.as_fd(), level, name, number)
    }
}

/// The options of IPv4 and IPv6: ip(7), ipv6(7). See [the module](super) for an example.
///
/// ```
/// use fastsock::net::options::IpOptions;
/// use fastsock::net::{Family, Kind, Socket};
/// # fn main() -> std::io::Result<()> {
/// let socket = Socket::new(Family::V4, Kind::Datagram)?;
/// socket.set_ttl(1)?; // Not beyond the next router.
/// socket.set_tos(0xb8)?; // Expedited forwarding, RFC 3246.
/// assert_eq!((socket.ttl()?, socket.tos()?), (1, 0xb8));
/// let error = socket.set_ttl(256).unwrap_err();
/// assert_eq!(fastsock::errno(&error), libc::EINVAL);
/// # Ok(())
/// # }
/// ```
pub trait IpOptions: AsFd {
    option! {
        /// `IPV6_V6ONLY`: an IPv6 socket leaves IPv4 alone. Set it before `bind`.
        only_v6, set_only_v6: bool = IPPROTO_IPV6, IPV6_V6ONLY; udp_v6: true
    }
    option! {
        /// `IP_TTL`: how many routers an IPv4 packet may pass, 1 to 255; mostly 64.
        ttl, set_ttl: u32 = IPPROTO_IP, IP_TTL; udp: 7
    }
    option! {
        /// `IPV6_UNICAST_HOPS`: the same for IPv6, 0 to 255.
        hops_v6, set_hops_v6: u32 = IPPROTO_IPV6, IPV6_UNICAST_HOPS; udp_v6: 7
    }
    option! {
        /// `IP_TOS`: the byte of that name in an IPv4 packet: DSCP in the upper six bits, ECN in the lower two, which TCP
        /// keeps for itself.
        tos, set_tos: u8 = IPPROTO_IP, IP_TOS; udp: 0xb8
    }
    option! {
        /// `IPV6_TCLASS`: the traffic class, the same for IPv6.
        traffic_class_v6, set_traffic_class_v6: u8 = IPPROTO_IPV6, IPV6_TCLASS; udp_v6: 0xb8
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `IP_FREEBIND`: `bind` takes an IPv4 address that no interface has (yet).
        free_bind, set_free_bind: bool = IPPROTO_IP, IP_FREEBIND; udp: true
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `IPV6_FREEBIND`: the same for IPv6. Linux 4.15.
        free_bind_v6, set_free_bind_v6: bool = IPPROTO_IPV6, IPV6_FREEBIND; udp_v6: true
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `IP_TRANSPARENT`: as [`free_bind`](Self::free_bind), and for proxies: takes what TPROXY rules send here, though it
        /// is addressed to others, and answers from their addresses. Switching it on needs `CAP_NET_ADMIN` or
        /// `CAP_NET_RAW` (`EPERM`).
        transparent, set_transparent: bool = IPPROTO_IP, IP_TRANSPARENT; udp: true, else EPERM
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `IPV6_TRANSPARENT`: the same for IPv6.
        transparent_v6, set_transparent_v6: bool = IPPROTO_IPV6, IPV6_TRANSPARENT; udp_v6: true, else EPERM
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `IP_BIND_ADDRESS_NO_PORT`: `bind` to an address with port 0 leaves the choice of the port to `connect`, so that
        /// there may be more connections than ports; IPv6 as well. Linux 4.2.
        bind_without_port, set_bind_without_port: bool = IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT; tcp: true
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `IP_MTU`: the largest packet, in bytes with its headers, that the way to the IPv4 peer is known to take.
        /// `ENOTCONN`: not connected.
        ///
        /// ```
        /// use fastsock::net::options::IpOptions;
        /// use std::net::UdpSocket;
        /// # fn main() -> std::io::Result<()> {
        /// let (here, there) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        /// assert_eq!(fastsock::errno(&here.mtu().unwrap_err()), libc::ENOTCONN);
        /// here.connect(there.local_addr()?)?;
        /// assert!(here.mtu()? >= 68); // No network of IPv4 takes less (RFC 791).
        /// # Ok(())
        /// # }
        /// ```
        mtu: u32 = IPPROTO_IP, IP_MTU
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `IPV6_MTU`: the same for IPv6.
        ///
        /// ```
        /// use fastsock::net::options::IpOptions;
        /// use std::net::UdpSocket;
        /// # fn main() -> std::io::Result<()> {
        /// let Ok(here) = UdpSocket::bind("[::1]:0") else { return Ok(()) }; // No IPv6 here.
        /// let there = UdpSocket::bind("[::1]:0")?;
        /// here.connect(there.local_addr()?)?;
        /// assert!(here.mtu_v6()? >= 1280); // No network of IPv6 takes less (RFC 8200).
        /// # Ok(())
        /// # }
        /// ```
        mtu_v6: u32 = IPPROTO_IPV6, IPV6_MTU
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `IPV6_DONTFRAG`: a datagram that is larger than the interface takes is `EMSGSIZE`, not cut.
        dont_fragment_v6, set_dont_fragment_v6: bool = IPPROTO_IPV6, IPV6_DONTFRAG; udp_v6: true
    }

    /// `IP_MTU_DISCOVER`: what becomes of IPv4 packets that are too large; [`PathMtu::Want`] at first
    /// (`net.ipv4.ip_no_pmtu_disc`).
    ///
    /// ```
    /// use fastsock::net::options::{IpOptions, PathMtu};
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// assert_ne!(socket.path_mtu()?, PathMtu::Probe); // Nobody has asked for that.
    /// socket.set_path_mtu(PathMtu::Probe)?;
    /// assert_eq!(socket.path_mtu()?, PathMtu::Probe);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn path_mtu(&self) -> io::Result<PathMtu> {
        PathMtu::get(self, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER)
    }

    /// Sets [`path_mtu`](Self::path_mtu).
    ///
    /// ```
    /// use fastsock::net::options::{IpOptions, PathMtu};
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// for mode in [PathMtu::Dont, PathMtu::Want, PathMtu::Do] {
    ///     socket.set_path_mtu(mode)?;
    ///     assert_eq!(socket.path_mtu()?, mode);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_path_mtu(&self, mode: PathMtu) -> io::Result<()> {
        mode.set(self, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER)
    }

    /// `IPV6_MTU_DISCOVER`: the same for IPv6.
    ///
    /// ```
    /// use fastsock::net::options::{IpOptions, PathMtu};
    /// # fn main() -> std::io::Result<()> {
    /// let Ok(socket) = std::net::UdpSocket::bind("[::1]:0") else { return Ok(()) }; // No IPv6 here.
    /// socket.set_path_mtu_v6(PathMtu::Do)?;
    /// assert_eq!(socket.path_mtu_v6()?, PathMtu::Do);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn path_mtu_v6(&self) -> io::Result<PathMtu> {
        PathMtu::get(self, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER)
    }

    /// Sets [`path_mtu_v6`](Self::path_mtu_v6).
    ///
    /// ```
    /// use fastsock::net::options::{IpOptions, PathMtu};
    /// # fn main() -> std::io::Result<()> {
    /// let Ok(socket) = std::net::UdpSocket::bind("[::1]:0") else { return Ok(()) }; // No IPv6 here.
    /// for mode in [PathMtu::Dont, PathMtu::Probe] {
    ///     socket.set_path_mtu_v6(mode)?;
    ///     assert_eq!(socket.path_mtu_v6()?, mode);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_path_mtu_v6(&self, mode: PathMtu) -> io::Result<()> {
        mode.set(self, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER)
    }
}

impl<T: AsFd + ?Sized> IpOptions for T {}
