#[cfg(any(target_os = "linux", target_os = "android"))]
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use super::{Int, option, seconds};
use crate::sys::options;

/// Linux's number for it, which `libc` lacks.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SO_INCOMING_CPU: libc::c_int = 49;

/// Who is at the other end of a Unix socket, as it was when the two were connected.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    /// The process; 0 when this process cannot see it (pid_namespaces(7)).
    pub pid: i32,
    /// The effective user.
    pub uid: u32,
    /// The effective group.
    pub gid: u32,
}

/// The options of every socket: socket(7). See [the module](super) for an example.
pub trait SocketOptions: AsFd {
    option! {
        /// `SO_REUSEADDR`: the address may be taken though connections of its last owner linger. Set it before `bind`.
        reuse_address, set_reuse_address: bool = SOL_SOCKET, SO_REUSEADDR
    }
    option! {
        /// `SO_REUSEPORT`: sockets of one user share the address, and the kernel divides connections and datagrams between
        /// them. Set it on each of them before `bind`.
        reuse_port, set_reuse_port: bool = SOL_SOCKET, SO_REUSEPORT
    }
    option! {
        /// `SO_KEEPALIVE`: an idle connection is probed; how often, [`TcpOptions`](super::TcpOptions) say.
        keepalive, set_keepalive: bool = SOL_SOCKET, SO_KEEPALIVE
    }
    option! {
        /// `SO_BROADCAST`: datagrams may go to a broadcast address. Without it, that is `EACCES`.
        broadcast, set_broadcast: bool = SOL_SOCKET, SO_BROADCAST
    }
    option! {
        /// `SO_DONTROUTE`: only to hosts of networks that this one is directly on.
        dont_route, set_dont_route: bool = SOL_SOCKET, SO_DONTROUTE
    }
    option! {
        /// `SO_OOBINLINE`: urgent bytes (`PRIORITY` readiness, tcp(7)) stay in the stream.
        oob_inline, set_oob_inline: bool = SOL_SOCKET, SO_OOBINLINE
    }
    option! {
        /// `SO_SNDBUF`: how much may wait to be sent, in bytes. Reads twice what was set, for the kernel's bookkeeping comes
        /// on top; at least 4608 on Linux, and `net.core.wmem_max` at most, to which it is cut without a word. Setting it
        /// ends the kernel's own tuning.
        send_buffer_size, set_send_buffer_size: u32 = SOL_SOCKET, SO_SNDBUF
    }
    option! {
        /// `SO_RCVBUF`: how much may wait to be received, in bytes; as [`send_buffer_size`](Self::send_buffer_size), at
        /// least 2304 and `net.core.rmem_max` at most. For TCP, set it before `connect` or `listen`.
        recv_buffer_size, set_recv_buffer_size: u32 = SOL_SOCKET, SO_RCVBUF
    }
    option! {
        /// `SO_RCVLOWAT`: from how many bytes on a stream counts as readable; 1 at first (0 means 1). Not for Unix sockets
        /// on epoll and poll, which take no notice of it.
        recv_low_water, set_recv_low_water: u32 = SOL_SOCKET, SO_RCVLOWAT
    }

    /// `SO_LINGER`: what becomes of unsent bytes when the socket is closed. `None`: the kernel goes on sending them. Zero: they
    /// are thrown away, and TCP resets the connection. Else `close` *blocks* for that long at most, on a non-blocking
    /// socket too. Whole seconds.
    ///
    /// # Errors
    /// As in [the module](super#errors).
    fn linger(&self) -> io::Result<Option<Duration>> {
        let linger: libc::linger = options::get(self.as_fd(), libc::SOL_SOCKET, libc::SO_LINGER)?;
        Ok((linger.l_onoff != 0).then(|| Duration::from_secs(u64::from(u32::from_int(linger.l_linger)))))
    }

    /// Sets [`linger`](Self::linger), rounded up to whole seconds.
    ///
    /// # Errors
    /// As in [the module](super#errors).
    fn set_linger(&self, time: Option<Duration>) -> io::Result<()> {
        let l_linger = seconds(time.unwrap_or_default())?;
        let linger = libc::linger { l_onoff: libc::c_int::from(time.is_some()), l_linger };
        options::set(self.as_fd(), libc::SOL_SOCKET, libc::SO_LINGER, linger)
    }

    /// `SO_BINDTODEVICE`: the one network interface that the socket uses, such as `eth0`; `None` for all of them.
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn device(&self) -> io::Result<Option<OsString>> {
        let mut name = [0; libc::IFNAMSIZ];
        let name = options::get_bytes(self.as_fd(), libc::SOL_SOCKET, libc::SO_BINDTODEVICE, &mut name)?;
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        Ok((!name.is_empty()).then(|| OsString::from_vec(name.to_vec())))
    }

    /// Sets [`device`](Self::device), 15 bytes at most.
    ///
    /// # Errors
    /// `ENODEV`: no such interface. `EPERM`: it had one before, and the process has not `CAP_NET_RAW`. `EINVAL`: longer
    /// than 15 bytes (the kernel would cut it).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_device(&self, name: Option<&OsStr>) -> io::Result<()> {
        let name = name.map_or(&b""[..], OsStrExt::as_bytes);
        if name.len() >= libc::IFNAMSIZ {
            return Err(crate::error::with(libc::EINVAL, "an interface's name has at most 15 bytes"));
        }
        options::set_bytes(self.as_fd(), libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name)
    }

    /// `SO_INCOMING_CPU`: the processor, counted from 0, that took the last packet in; `None` when there was none.
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn incoming_cpu(&self) -> io::Result<Option<u32>> {
        let cpu: libc::c_int = options::get(self.as_fd(), libc::SOL_SOCKET, SO_INCOMING_CPU)?;
        Ok(u32::try_from(cpu).ok())
    }

    /// Of sockets that share a port ([`reuse_port`](Self::reuse_port)), this one is for what that processor takes in: Linux
    /// 4.4, and for TCP listeners 6.1.
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_incoming_cpu(&self, cpu: u32) -> io::Result<()> {
        options::set(self.as_fd(), libc::SOL_SOCKET, SO_INCOMING_CPU, cpu.to_int()?)
    }

    /// `SO_PEERCRED`, unix(7): who connected, or made the pair, or listened; `None` where the kernel does not know:
    /// unconnected, or no Unix socket.
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn peer_credentials(&self) -> io::Result<Option<PeerCredentials>> {
        let peer: libc::ucred = options::get(self.as_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED)?;
        let known = peer.uid != libc::uid_t::MAX;
        Ok(known.then_some(PeerCredentials { pid: peer.pid, uid: peer.uid, gid: peer.gid }))
    }
}

impl<T: AsFd + ?Sized> SocketOptions for T {}
