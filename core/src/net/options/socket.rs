#[cfg(any(target_os = "linux", target_os = "android"))]
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use super::{Int, SECONDS, option, too_large, units};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::{MICROSECONDS, time};
use crate::error;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::net::Family;
use crate::net::Kind;
use crate::sys::options;

/// Linux's numbers, which `libc` lacks on some targets.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod number {
    pub(super) const SO_INCOMING_CPU: libc::c_int = 49;
    pub(super) const SO_INCOMING_NAPI_ID: libc::c_int = 56;
    pub(super) const SO_BINDTOIFINDEX: libc::c_int = 62;
    pub(super) const SO_PREFER_BUSY_POLL: libc::c_int = 69;
    pub(super) const SO_BUSY_POLL_BUDGET: libc::c_int = 70;
}

fn from_timeval(time: libc::timeval) -> Option<Duration> {
    let (seconds, micros) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_usec).unwrap_or(0));
    let time = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
    (!time.is_zero()).then_some(time)
}

fn timeval(time: Option<Duration>) -> io::Result<libc::timeval> {
    if time == Some(Duration::ZERO) {
        return Err(error::with(
            libc::EINVAL,
            "a timeout of zero would be without end: give None for that, or a longer one",
        ));
    }
    let micros = time.unwrap_or_default().as_nanos().div_ceil(1000);
    let tv_sec = libc::time_t::try_from(micros / 1_000_000).map_err(|_| too_large())?;
    Ok(libc::timeval { tv_sec, tv_usec: (micros % 1_000_000) as libc::suseconds_t })
}

/// Who is at the other end of a Unix socket, as it was when the two were connected.
///
/// ```
/// use fastsock::net::options::{PeerCredentials, SocketOptions};
/// use fastsock::net::{Kind, Socket};
/// # fn main() -> std::io::Result<()> {
/// let (socket, _other) = Socket::pair(Kind::Stream)?;
/// let Some(PeerCredentials { pid, .. }) = socket.peer_credentials()? else { panic!("a pair has peers") };
/// assert_eq!(pid.unsigned_abs(), std::process::id());
/// # Ok(())
/// # }
/// ```
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
///
/// ```
/// use fastsock::net::options::SocketOptions;
/// use fastsock::net::{Family, Kind, Socket};
/// use std::time::Duration;
/// # fn main() -> std::io::Result<()> {
/// let socket = Socket::new(Family::V4, Kind::Stream)?;
/// socket.set_keepalive(true)?;
/// socket.set_linger(Some(Duration::from_millis(1500)))?;
/// assert_eq!(socket.linger()?, Some(Duration::from_secs(2))); // In whole seconds, never shorter.
/// let error = socket.set_recv_buffer_size(u32::MAX).unwrap_err();
/// assert_eq!(fastsock::errno(&error), libc::EINVAL); // Nothing wraps round.
/// # Ok(())
/// # }
/// ```
pub trait SocketOptions: AsFd {
    option! {
        /// `SO_REUSEADDR`: the address may be taken though connections of its last owner linger. Set it before `bind`.
        reuse_address, set_reuse_address: bool = SOL_SOCKET, SO_REUSEADDR; tcp: true
    }
    option! {
        /// `SO_REUSEPORT`: sockets of one user share the address, and the kernel divides connections and datagrams between
        /// them. Set it on each of them before `bind`.
        reuse_port, set_reuse_port: bool = SOL_SOCKET, SO_REUSEPORT; tcp: true
    }
    option! {
        /// `SO_KEEPALIVE`: an idle connection is probed; how often, [`TcpOptions`](super::TcpOptions) say.
        keepalive, set_keepalive: bool = SOL_SOCKET, SO_KEEPALIVE; tcp: true
    }
    option! {
        /// `SO_BROADCAST`: datagrams may go to a broadcast address. Without it, that is `EACCES`.
        broadcast, set_broadcast: bool = SOL_SOCKET, SO_BROADCAST; udp: true
    }
    option! {
        /// `SO_DONTROUTE`: only to hosts of networks that this one is directly on.
        dont_route, set_dont_route: bool = SOL_SOCKET, SO_DONTROUTE; udp: true
    }
    option! {
        /// `SO_OOBINLINE`: urgent bytes (`PRIORITY` readiness, tcp(7)) stay in the stream.
        oob_inline, set_oob_inline: bool = SOL_SOCKET, SO_OOBINLINE; tcp: true
    }
    option! {
        /// `SO_SNDBUF`: how much may wait to be sent, in bytes. Reads twice what was set, for the kernel's bookkeeping comes
        /// on top; at least 4608 on Linux, and `net.core.wmem_max` at most, to which it is cut without a word. Setting it
        /// ends the kernel's own tuning.
        send_buffer_size, set_send_buffer_size: u32 = SOL_SOCKET, SO_SNDBUF; udp: 20_000 => 40_000
    }
    option! {
        /// `SO_RCVBUF`: how much may wait to be received, in bytes; as [`send_buffer_size`](Self::send_buffer_size), at
        /// least 2304 and `net.core.rmem_max` at most. For TCP, set it before `connect` or `listen`.
        recv_buffer_size, set_recv_buffer_size: u32 = SOL_SOCKET, SO_RCVBUF; udp: 30_000 => 60_000
    }
    option! {
        /// `SO_RCVLOWAT`: from how many bytes on a stream counts as readable; 1 at first (0 means 1). Not for Unix sockets
        /// on epoll and poll, which take no notice of it.
        recv_low_water, set_recv_low_water: u32 = SOL_SOCKET, SO_RCVLOWAT; tcp: 100
    }

    option! {
        /// `SO_ACCEPTCONN`: whether the socket listens.
        ///
        /// ```
        /// use fastsock::net::options::SocketOptions;
        /// use std::net::{TcpListener, TcpStream};
        /// # fn main() -> std::io::Result<()> {
        /// let listener = TcpListener::bind("127.0.0.1:0")?;
        /// let client = TcpStream::connect(listener.local_addr()?)?;
        /// assert!(listener.is_listening()? && !client.is_listening()?);
        /// # Ok(())
        /// # }
        /// ```
        is_listening: bool = SOL_SOCKET, SO_ACCEPTCONN
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `SO_PROTOCOL`: the number of the protocol (protocols(5)): 6 for TCP, 17 for UDP, 0 for Unix sockets.
        ///
        /// ```
        /// use fastsock::net::options::SocketOptions;
        /// # fn main() -> std::io::Result<()> {
        /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
        /// assert_eq!(socket.protocol()?, 17);
        /// # Ok(())
        /// # }
        /// ```
        protocol: u32 = SOL_SOCKET, SO_PROTOCOL
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `SO_PRIORITY`: which of the interface's queues the packets go to, 0 to 6, the larger the sooner; larger ones need
        /// `CAP_NET_ADMIN` (`EPERM`). Setting [`tos`](super::IpOptions::tos) sets it as well.
        priority, set_priority: u32 = SOL_SOCKET, SO_PRIORITY; udp: 6
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    time! {
        /// `SO_BUSY_POLL`: how long a blocking receive, poll(2) and select(2) look into the network device's queue before they
        /// sleep, in whole microseconds; zero, as mostly at first (`net.core.busy_read`): not at all. Making it longer
        /// needs `CAP_NET_ADMIN` (`EPERM`). For epoll: [`BusyPoll`](crate::BusyPoll).
        busy_poll, set_busy_poll = MICROSECONDS, SOL_SOCKET, SO_BUSY_POLL; udp: Duration::from_micros(50), else EPERM
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `SO_PREFER_BUSY_POLL`: the device's interrupts stay off while somebody polls busily; Linux 5.11. Switching it on
        /// needs `CAP_NET_ADMIN` (`EPERM`).
        prefer_busy_poll, set_prefer_busy_poll: bool = SOL_SOCKET, [number::SO_PREFER_BUSY_POLL]; udp: true, else EPERM
    }

    /// Sets `SO_BUSY_POLL_BUDGET`: how many packets one look into the device's queue takes in at most, 65,535 at most; 0, as
    /// at first: the kernel's own number, 8. Linux 5.11. More than it was needs `CAP_NET_ADMIN` (`EPERM`). The kernel
    /// does not tell what was set.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// socket.set_busy_poll_budget(0)?; // The kernel's own.
    /// if let Err(error) = socket.set_busy_poll_budget(16) {
    ///     assert_eq!(fastsock::errno(&error), libc::EPERM);
    /// }
    /// assert!(socket.set_busy_poll_budget(65_536).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_busy_poll_budget(&self, packets: u32) -> io::Result<()> {
        options::set(self.as_fd(), libc::SOL_SOCKET, number::SO_BUSY_POLL_BUDGET, packets.to_int()?)
    }

    /// `SO_INCOMING_NAPI_ID`: the number of the device's queue that the last packet came by, which is what sockets that are
    /// polled busily in one set should have in common; `None`: none came, or by no such device. Linux 4.12.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// use std::net::UdpSocket;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// socket.send_to(b"to itself", socket.local_addr()?)?;
    /// socket.recv(&mut [0; 9])?;
    /// assert_eq!(socket.incoming_queue()?, None); // The loopback interface has no such queue.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn incoming_queue(&self) -> io::Result<Option<u32>> {
        let queue: libc::c_int = options::get(self.as_fd(), libc::SOL_SOCKET, number::SO_INCOMING_NAPI_ID)?;
        Ok(u32::try_from(queue).ok().filter(|&queue| queue != 0))
    }

    /// `SO_TYPE`: what the socket carries; `None`: something that this crate has no name for.
    ///
    /// ```
    /// use fastsock::net::Kind;
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// assert_eq!(socket.kind()?, Some(Kind::Datagram));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    fn kind(&self) -> io::Result<Option<Kind>> {
        let number: libc::c_int = options::get(self.as_fd(), libc::SOL_SOCKET, libc::SO_TYPE)?;
        Ok([Kind::Stream, Kind::Datagram, Kind::SeqPacket].into_iter().find(|kind| kind.number() == number))
    }

    /// `SO_DOMAIN`: the family of its addresses; `None`: one that this crate has no name for.
    ///
    /// ```
    /// use fastsock::net::Family;
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let (socket, _other) = std::os::unix::net::UnixStream::pair()?;
    /// assert_eq!(socket.family()?, Some(Family::Unix));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn family(&self) -> io::Result<Option<Family>> {
        let number: libc::c_int = options::get(self.as_fd(), libc::SOL_SOCKET, libc::SO_DOMAIN)?;
        Ok([Family::V4, Family::V6, Family::Unix].into_iter().find(|family| family.number() == number))
    }

    /// `SO_RCVTIMEO`: how long a receive on a *blocking* socket waits before it is `EAGAIN`; `None`, as at first: without
    /// end. It means nothing to a non-blocking socket, nor to epoll, poll and select: on the loop, use a timer.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// assert_eq!(socket.recv_timeout()?, None); // Without end.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    fn recv_timeout(&self) -> io::Result<Option<Duration>> {
        options::get(self.as_fd(), libc::SOL_SOCKET, libc::SO_RCVTIMEO).map(from_timeval)
    }

    /// Sets [`recv_timeout`](Self::recv_timeout), rounded up to whole microseconds; the kernel rounds up to its own tick
    /// (1 to 10 ms), and takes what is longer than its clock for `None`.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// use std::io::ErrorKind;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?; // It blocks.
    /// socket.set_recv_timeout(Some(Duration::from_millis(1)))?;
    /// assert_eq!(socket.recv(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// let error = socket.set_recv_timeout(Some(Duration::ZERO)).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EINVAL);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there; `EINVAL` for zero, which would be without end.
    fn set_recv_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        options::set(self.as_fd(), libc::SOL_SOCKET, libc::SO_RCVTIMEO, timeval(time)?)
    }

    /// `SO_SNDTIMEO`: how long a send, or `connect`, on a *blocking* socket waits before it is `EAGAIN` (`EINPROGRESS`); as
    /// [`recv_timeout`](Self::recv_timeout).
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// assert_eq!(socket.send_timeout()?, None); // Without end.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    fn send_timeout(&self) -> io::Result<Option<Duration>> {
        options::get(self.as_fd(), libc::SOL_SOCKET, libc::SO_SNDTIMEO).map(from_timeval)
    }

    /// Sets [`send_timeout`](Self::send_timeout), as [`set_recv_timeout`](Self::set_recv_timeout).
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// use std::io::{ErrorKind, Write};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let (mut socket, _reads_nothing) = std::os::unix::net::UnixStream::pair()?; // It blocks.
    /// socket.set_send_timeout(Some(Duration::from_millis(1)))?;
    /// assert_eq!(socket.write_all(&[0; 1 << 20]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    fn set_send_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        options::set(self.as_fd(), libc::SOL_SOCKET, libc::SO_SNDTIMEO, timeval(time)?)
    }

    /// Sets `SO_SNDBUFFORCE`: [`send_buffer_size`](Self::send_buffer_size) beyond `net.core.wmem_max`.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// match socket.force_send_buffer_size(50_000_000) {
    ///     Ok(()) => assert_eq!(socket.send_buffer_size()?, 100_000_000), // Whatever the system's bound.
    ///     Err(error) => assert_eq!(fastsock::errno(&error), libc::EPERM),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EPERM`: the process has not `CAP_NET_ADMIN`.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn force_send_buffer_size(&self, bytes: u32) -> io::Result<()> {
        options::set(self.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, bytes.to_int()?)
    }

    /// Sets `SO_RCVBUFFORCE`: [`recv_buffer_size`](Self::recv_buffer_size) beyond `net.core.rmem_max`.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// match socket.force_recv_buffer_size(50_000_000) {
    ///     Ok(()) => assert_eq!(socket.recv_buffer_size()?, 100_000_000), // Whatever the system's bound.
    ///     Err(error) => assert_eq!(fastsock::errno(&error), libc::EPERM),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EPERM`: the process has not `CAP_NET_ADMIN`.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn force_recv_buffer_size(&self, bytes: u32) -> io::Result<()> {
        options::set(self.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes.to_int()?)
    }

    /// `SO_PEEK_OFF`: how far behind the first unread byte the next `peek` begins; peeking moves it on, and reading back.
    /// `None`, as at first: always at the first. Unix sockets, UDP since Linux 4.9, TCP since 6.9.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// use fastsock::net::{Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Stream)?;
    /// assert_eq!(here.peek_offset()?, None);
    /// here.set_peek_offset(Some(2))?;
    /// there.send(b"abcdef")?;
    /// here.peek(&mut [0; 3])?;
    /// assert_eq!(here.peek_offset()?, Some(5)); // Moved on.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn peek_offset(&self) -> io::Result<Option<u32>> {
        let offset: libc::c_int = options::get(self.as_fd(), libc::SOL_SOCKET, libc::SO_PEEK_OFF)?;
        Ok(u32::try_from(offset).ok())
    }

    /// Sets [`peek_offset`](Self::peek_offset), in bytes.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// use fastsock::net::{Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let (here, there) = Socket::pair(Kind::Stream)?;
    /// there.send(b"abcdef")?;
    /// here.set_peek_offset(Some(4))?;
    /// let mut two = [0; 2];
    /// assert_eq!((here.peek(&mut two)?, &two), (2, b"ef"));
    /// assert_eq!((here.recv(&mut two)?, &two), (2, b"ab"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_peek_offset(&self, bytes: Option<u32>) -> io::Result<()> {
        let offset = bytes.map_or(Ok(-1), Int::to_int)?;
        options::set(self.as_fd(), libc::SOL_SOCKET, libc::SO_PEEK_OFF, offset)
    }

    /// `SO_MARK`: a number on every packet that is sent, for routing and filters (ip-rule(8), nft(8)).
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// assert_eq!(socket.mark()?, 0); // None, at first.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn mark(&self) -> io::Result<u32> {
        let mark: libc::c_int = options::get(self.as_fd(), libc::SOL_SOCKET, libc::SO_MARK)?;
        Ok(mark as u32) // All 32 bits are its.
    }

    /// Sets [`mark`](Self::mark).
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// match socket.set_mark(0x8000_0001) {
    ///     Ok(()) => assert_eq!(socket.mark()?, 0x8000_0001),
    ///     Err(error) => assert_eq!(fastsock::errno(&error), libc::EPERM),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EPERM`: the process has neither `CAP_NET_ADMIN` nor, since Linux 5.17, `CAP_NET_RAW`.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_mark(&self, mark: u32) -> io::Result<()> {
        options::set(self.as_fd(), libc::SOL_SOCKET, libc::SO_MARK, mark as libc::c_int)
    }

    /// `SO_BINDTOIFINDEX`: the number of the interface that [`device`](Self::device) names (if_nametoindex(3)); `None` for all
    /// of them. Linux 5.0.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// assert_eq!(socket.device_index()?, None); // All of them, at first.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn device_index(&self) -> io::Result<Option<u32>> {
        let index: libc::c_int = options::get(self.as_fd(), libc::SOL_SOCKET, number::SO_BINDTOIFINDEX)?;
        Ok(u32::try_from(index).ok().filter(|&index| index != 0))
    }

    /// Sets [`device_index`](Self::device_index); `Some(0)` is `None`. A number that no interface has is taken, too.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// // SAFETY: the name ends with NUL.
    /// let index = unsafe { libc::if_nametoindex(c"lo".as_ptr()) };
    /// match socket.set_device_index(Some(index)) {
    ///     Ok(()) => assert_eq!(socket.device_index()?, Some(index)),
    ///     Err(error) => assert_eq!(fastsock::errno(&error), libc::EPERM),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EPERM`: as [`set_device`](Self::set_device).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_device_index(&self, index: Option<u32>) -> io::Result<()> {
        let index = index.unwrap_or(0).to_int()?;
        options::set(self.as_fd(), libc::SOL_SOCKET, number::SO_BINDTOIFINDEX, index)
    }

    /// `SO_LINGER`: what becomes of unsent bytes when the socket is closed. `None`: the kernel goes on sending them. Zero: they
    /// are thrown away, and TCP resets the connection. Else `close` *blocks* for that long at most, on a non-blocking
    /// socket too. Whole seconds.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// use fastsock::net::{Family, Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Socket::new(Family::V4, Kind::Stream)?;
    /// assert_eq!(socket.linger()?, None); // Closing does not block, and nothing is lost.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    fn linger(&self) -> io::Result<Option<Duration>> {
        let linger: libc::linger = options::get(self.as_fd(), libc::SOL_SOCKET, libc::SO_LINGER)?;
        Ok((linger.l_onoff != 0).then(|| Duration::from_secs(u64::from(u32::from_int(linger.l_linger)))))
    }

    /// Sets [`linger`](Self::linger), rounded up to whole seconds.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// use fastsock::net::{Accept, Family, Kind, Listener, Socket};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let client = Socket::new(Family::V4, Kind::Stream)?;
    /// let _ = client.connect(listener.local_addr()?)?;
    /// let Accept::Connection(server) = listener.accept()? else { panic!("nobody there") };
    /// client.set_linger(Some(Duration::ZERO))?;
    /// drop(client);
    /// let error = Socket::from(server).recv(&mut [0; 9]).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::ECONNRESET); // No end, but a reset.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    fn set_linger(&self, time: Option<Duration>) -> io::Result<()> {
        let l_linger = units(time.unwrap_or_default(), SECONDS)?;
        let linger = libc::linger { l_onoff: libc::c_int::from(time.is_some()), l_linger };
        options::set(self.as_fd(), libc::SOL_SOCKET, libc::SO_LINGER, linger)
    }

    /// `SO_BINDTODEVICE`: the one network interface that the socket uses, such as `eth0`; `None` for all of them.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// assert_eq!(socket.device()?, None); // All of them, at first.
    /// # Ok(())
    /// # }
    /// ```
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
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// use std::ffi::OsStr;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// match socket.set_device(Some(OsStr::new("lo"))) {
    ///     Ok(()) => assert_eq!(socket.device()?.unwrap(), "lo"),
    ///     Err(error) => assert_eq!(fastsock::errno(&error), libc::EPERM), // Before Linux 5.7.
    /// }
    /// let error = socket.set_device(Some(OsStr::new("an interface's name?"))).unwrap_err();
    /// assert_eq!(fastsock::errno(&error), libc::EINVAL);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENODEV`: no such interface. `EPERM`: it had one before, and the process has not `CAP_NET_RAW`. `EINVAL`: longer
    /// than 15 bytes (the kernel would cut it).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_device(&self, name: Option<&OsStr>) -> io::Result<()> {
        let name = name.map_or(&b""[..], OsStrExt::as_bytes);
        if name.len() >= libc::IFNAMSIZ {
            return Err(error::with(libc::EINVAL, "an interface's name has at most 15 bytes"));
        }
        options::set_bytes(self.as_fd(), libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name)
    }

    /// `SO_INCOMING_CPU`: the processor, counted from 0, that took the last packet in; `None` when there was none.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// use std::net::UdpSocket;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// assert_eq!(socket.incoming_cpu()?, None);
    /// socket.connect(socket.local_addr()?)?;
    /// socket.send(b"to itself")?;
    /// socket.recv(&mut [0; 9])?;
    /// assert!(socket.incoming_cpu()?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn incoming_cpu(&self) -> io::Result<Option<u32>> {
        let cpu: libc::c_int = options::get(self.as_fd(), libc::SOL_SOCKET, number::SO_INCOMING_CPU)?;
        Ok(u32::try_from(cpu).ok())
    }

    /// Of sockets that share a port ([`reuse_port`](Self::reuse_port)), this one is for what that processor takes in: Linux
    /// 4.4, and for TCP listeners 6.1.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// use fastsock::net::{Family, Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// let socket = Socket::new(Family::V4, Kind::Datagram)?;
    /// socket.set_reuse_port(true)?;
    /// socket.set_incoming_cpu(0)?; // And another socket for processor 1.
    /// assert_eq!(socket.incoming_cpu()?, Some(0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_incoming_cpu(&self, cpu: u32) -> io::Result<()> {
        options::set(self.as_fd(), libc::SOL_SOCKET, number::SO_INCOMING_CPU, cpu.to_int()?)
    }

    /// `SO_PEERCRED`, unix(7): who connected, or made the pair, or listened; `None` where the kernel does not know:
    /// unconnected, or no Unix socket.
    ///
    /// ```
    /// use fastsock::net::options::SocketOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let (socket, _other) = std::os::unix::net::UnixStream::pair()?;
    /// // The standard library will have a method of this name.
    /// let peer = SocketOptions::peer_credentials(&socket)?.unwrap();
    /// assert_eq!(peer.pid.unsigned_abs(), std::process::id());
    /// let tcp = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// assert_eq!(tcp.peer_credentials()?, None);
    /// # Ok(())
    /// # }
    /// ```
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
