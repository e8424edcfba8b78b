use std::io;
use std::os::fd::AsFd;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    time::Duration,
};

use super::{Int, option};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::{MILLISECONDS, SECONDS, TcpInfo, time, units};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::error;
use crate::sys::options;

/// The kernel's `TCP_CA_NAME_MAX`: the longest name of a congestion control, with the NUL behind it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CONGESTION_NAME: usize = 16;

/// The options of TCP: tcp(7). A listener's pass to the connections that it accepts. See [the module](super) for an example.
///
/// ```
/// use fastsock::net::options::TcpOptions;
/// use std::net::{TcpListener, TcpStream};
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// listener.set_keepalive_count(7)?;
/// listener.set_cork(true)?;
/// let _client = TcpStream::connect(listener.local_addr()?)?;
/// let (connection, _) = listener.accept()?;
/// assert!(connection.keepalive_count()? == 7 && connection.cork()?);
/// # Ok(())
/// # }
/// ```
pub trait TcpOptions: AsFd {
    option! {
        /// `TCP_NODELAY`: small writes go out at once, not gathered until the peer has acknowledged the last (Nagle).
        no_delay, set_no_delay: bool = IPPROTO_TCP, TCP_NODELAY; tcp: true
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_CORK`: only full segments go out, until it is off again or 200 ms have passed: for a header before a file.
        cork, set_cork: bool = IPPROTO_TCP, TCP_CORK; tcp: true
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_QUICKACK`: acknowledge at once. The kernel turns it on and off by itself: what is set holds for a while.
        quick_ack, set_quick_ack: bool = IPPROTO_TCP, TCP_QUICKACK; tcp: false
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_KEEPCNT`: after how many unanswered probes the connection is given up, 1 to 127.
        keepalive_count, set_keepalive_count: u32 = IPPROTO_TCP, TCP_KEEPCNT; tcp: 5
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    time! {
        /// `TCP_KEEPIDLE`: how long a connection is idle before the first probe, 1 to 32,767 whole seconds; needs
        /// [`keepalive`](super::SocketOptions::keepalive).
        keepalive_idle, set_keepalive_idle = SECONDS, IPPROTO_TCP, TCP_KEEPIDLE; tcp: Duration::from_secs(60)
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    time! {
        /// `TCP_KEEPINTVL`: the time between two probes, 1 to 32,767 whole seconds.
        keepalive_interval, set_keepalive_interval = SECONDS, IPPROTO_TCP, TCP_KEEPINTVL; tcp: Duration::from_secs(10)
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    time! {
        /// `TCP_USER_TIMEOUT`: how long what was sent may stay unacknowledged before the connection ends with
        /// `ETIMEDOUT`, in whole milliseconds; zero, as at first: the kernel's own, about 15 minutes.
        user_timeout, set_user_timeout = MILLISECONDS, IPPROTO_TCP, TCP_USER_TIMEOUT; tcp: Duration::from_secs(30)
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_SYNCNT`: how many times an unanswered `connect` is tried again before it is `ETIMEDOUT`, 1 to 127; the first
        /// time after a second, then twice as long each time.
        syn_retries, set_syn_retries: u32 = IPPROTO_TCP, TCP_SYNCNT; tcp: 3
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_WINDOW_CLAMP`: the most bytes that the peer may send ahead of what is read; small values are raised to what
        /// the kernel needs, 0 is no bound.
        window_clamp, set_window_clamp: u32 = IPPROTO_TCP, TCP_WINDOW_CLAMP; tcp: 100_000
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_NOTSENT_LOWAT`: the socket is writable only while fewer bytes than this wait to be sent for the first time, so
        /// that what is written goes out soon; 0: the system's own (`net.ipv4.tcp_notsent_lowat`), which is no bound
        /// mostly.
        not_sent_low_water, set_not_sent_low_water: u32 = IPPROTO_TCP, TCP_NOTSENT_LOWAT; tcp: 16_384
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_THIN_LINEAR_TIMEOUTS`: of a connection with little on its way, what is lost is sent again at even intervals at
        /// first, not at doubling ones: for games and terminals.
        thin_linear_timeouts, set_thin_linear_timeouts: bool = IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS; tcp: true
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_FASTOPEN`, of a listener: so many connections may bring data with their first packet (RFC 7413) before they are
        /// known to be real; 0, as at first: none. Needs `net.ipv4.tcp_fastopen` with 2 in it.
        fast_open, set_fast_open: u32 = IPPROTO_TCP, TCP_FASTOPEN; tcp: 16
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_FASTOPEN_CONNECT`, before `connect`: to a server that is known to take it, `connect` is done at once, and the
        /// first write goes with the first packet. Linux 4.11; `EOPNOTSUPP` unless `net.ipv4.tcp_fastopen` has 1 in it.
        fast_open_connect, set_fast_open_connect: bool = IPPROTO_TCP, TCP_FASTOPEN_CONNECT; tcp: true, else EOPNOTSUPP
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    time! {
        /// `TCP_DEFER_ACCEPT`, of a listener: a connection is reported when its first bytes have come, or in the end without
        /// them; zero, as at first: at once. In whole seconds, which the kernel makes longer, to the next of its own
        /// retries.
        defer_accept, set_defer_accept = SECONDS, IPPROTO_TCP, TCP_DEFER_ACCEPT; tcp: Duration::from_secs(1)
    }

    /// `TCP_MAXSEG`: the most bytes of one segment. Once connected, what is sent at most; before, older kernels tell their
    /// default and not what was set.
    ///
    /// ```
    /// use fastsock::net::options::TcpOptions;
    /// use std::net::{TcpListener, TcpStream};
    /// # fn main() -> std::io::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// assert!(client.max_segment()? >= 536); // Every way takes so much.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    fn max_segment(&self) -> io::Result<u32> {
        options::get(self.as_fd(), libc::IPPROTO_TCP, libc::TCP_MAXSEG).map(u32::from_int)
    }

    /// Sets [`max_segment`](Self::max_segment), 88 to 32,767 bytes. Set before `connect` or `listen`, the peer is told not to
    /// send larger ones either; the path may allow less.
    ///
    /// ```
    /// use fastsock::net::options::TcpOptions;
    /// use fastsock::net::{Family, Kind, Socket};
    /// # fn main() -> std::io::Result<()> {
    /// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let address = listener.local_addr()?;
    /// let client = Socket::new(Family::V4, Kind::Stream)?;
    /// client.set_max_segment(1000)?;
    /// let _ = client.connect(address)?;
    /// let (server, _) = listener.accept()?;
    /// assert!(server.max_segment()? <= 1000); // It was told.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    fn set_max_segment(&self, bytes: u32) -> io::Result<()> {
        options::set(self.as_fd(), libc::IPPROTO_TCP, libc::TCP_MAXSEG, bytes.to_int()?)
    }

    /// `TCP_LINGER2`: how long the kernel waits for the peer's end after the socket was closed (FIN-WAIT-2), in whole seconds;
    /// `None`: not at all.
    ///
    /// ```
    /// use fastsock::net::options::TcpOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// assert!(socket.fin_timeout()?.is_some()); // The system's own.
    /// socket.set_fin_timeout(None)?;
    /// assert_eq!(socket.fin_timeout()?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn fin_timeout(&self) -> io::Result<Option<Duration>> {
        let seconds: libc::c_int = options::get(self.as_fd(), libc::IPPROTO_TCP, libc::TCP_LINGER2)?;
        Ok(u64::try_from(seconds).ok().map(Duration::from_secs))
    }

    /// Sets [`fin_timeout`](Self::fin_timeout), rounded up to whole seconds and cut to 120; zero: the system's own
    /// (`net.ipv4.tcp_fin_timeout`).
    ///
    /// ```
    /// use fastsock::net::options::TcpOptions;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// socket.set_fin_timeout(Some(Duration::from_millis(4200)))?;
    /// assert_eq!(socket.fin_timeout()?, Some(Duration::from_secs(5)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As there.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_fin_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        let seconds = time.map_or(Ok(-1), |time| units(time, SECONDS))?;
        options::set(self.as_fd(), libc::IPPROTO_TCP, libc::TCP_LINGER2, seconds)
    }

    /// `TCP_CONGESTION`: the name of what decides how fast to send: `cubic`, `bbr`.
    ///
    /// ```
    /// use fastsock::net::options::TcpOptions;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let name = socket.congestion()?;
    /// let system = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control")?;
    /// assert_eq!(name.to_str(), Some(system.trim())); // Nobody has set another.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn congestion(&self) -> io::Result<OsString> {
        let mut name = [0; CONGESTION_NAME];
        let name = options::get_bytes(self.as_fd(), libc::IPPROTO_TCP, libc::TCP_CONGESTION, &mut name)?;
        Ok(OsString::from_vec(name.split(|&byte| byte == 0).next().unwrap_or_default().to_vec()))
    }

    /// Sets [`congestion`](Self::congestion) to one of `net.ipv4.tcp_allowed_congestion_control`; with `CAP_NET_ADMIN` any
    /// that the kernel has.
    ///
    /// ```
    /// use fastsock::net::options::TcpOptions;
    /// use std::ffi::OsStr;
    /// # fn main() -> std::io::Result<()> {
    /// let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// socket.set_congestion(OsStr::new("reno"))?; // In every kernel, and allowed to everybody.
    /// assert_eq!(socket.congestion()?, "reno");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOENT`: the kernel has none of that name. `EPERM`: not allowed to this process. `EINVAL`: longer than 15 bytes (the
    /// kernel would cut it), or empty.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_congestion(&self, name: &OsStr) -> io::Result<()> {
        if name.len() >= CONGESTION_NAME {
            return Err(error::with(libc::EINVAL, "the name of a congestion control has at most 15 bytes"));
        }
        options::set_bytes(self.as_fd(), libc::IPPROTO_TCP, libc::TCP_CONGESTION, name.as_bytes())
    }

    /// `TCP_INFO`: what the kernel knows of the connection.
    ///
    /// ```
    /// use fastsock::net::options::{TcpOptions, TcpState};
    /// use std::io::{Read, Write};
    /// use std::net::{TcpListener, TcpStream};
    /// # fn main() -> std::io::Result<()> {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// let (mut server, _) = listener.accept()?;
    /// client.write_all(b"hello")?;
    /// server.read_exact(&mut [0; 5])?;
    /// let info = server.tcp_info()?;
    /// assert_eq!((info.state, info.bytes_received), (TcpState::Established, 5));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn tcp_info(&self) -> io::Result<TcpInfo> {
        TcpInfo::of(self.as_fd())
    }
}

impl<T: AsFd + ?Sized> TcpOptions for T {}
