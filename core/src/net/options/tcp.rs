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
use crate::{error, sys::options};

/// The kernel's `TCP_CA_NAME_MAX`: the longest name of a congestion control, with the NUL behind it.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CONGESTION_NAME: usize = 16;

/// The options of TCP: tcp(7). A listener's pass to the connections that it accepts. See [the module](super) for an example.
pub trait TcpOptions: AsFd {
    option! {
        /// `TCP_NODELAY`: small writes go out at once, not gathered until the peer has acknowledged the last (Nagle).
        no_delay, set_no_delay: bool = IPPROTO_TCP, TCP_NODELAY
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_CORK`: only full segments go out, until it is off again or 200 ms have passed: for a header before a file.
        cork, set_cork: bool = IPPROTO_TCP, TCP_CORK
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_QUICKACK`: acknowledge at once. The kernel turns it on and off by itself: what is set holds for a while.
        quick_ack, set_quick_ack: bool = IPPROTO_TCP, TCP_QUICKACK
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_KEEPCNT`: after how many unanswered probes the connection is given up, 1 to 127.
        keepalive_count, set_keepalive_count: u32 = IPPROTO_TCP, TCP_KEEPCNT
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    time! {
        /// `TCP_KEEPIDLE`: how long a connection is idle before the first probe, 1 to 32,767 whole seconds; needs
        /// [`keepalive`](super::SocketOptions::keepalive).
        keepalive_idle, set_keepalive_idle = SECONDS, IPPROTO_TCP, TCP_KEEPIDLE
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    time! {
        /// `TCP_KEEPINTVL`: the time between two probes, 1 to 32,767 whole seconds.
        keepalive_interval, set_keepalive_interval = SECONDS, IPPROTO_TCP, TCP_KEEPINTVL
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    time! {
        /// `TCP_USER_TIMEOUT`: how long what was sent may stay unacknowledged before the connection ends with
        /// `ETIMEDOUT`, in whole milliseconds; zero, as at first: the kernel's own, about 15 minutes.
        user_timeout, set_user_timeout = MILLISECONDS, IPPROTO_TCP, TCP_USER_TIMEOUT
    }
    option! {
        /// `TCP_MAXSEG`: the most bytes of one segment. Set before `connect` or `listen`, 88 to 32,767, the peer is told not to
        /// send larger ones either; the path may allow less. Once connected, reads what is sent at most.
        max_segment, set_max_segment: u32 = IPPROTO_TCP, TCP_MAXSEG
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_SYNCNT`: how many times an unanswered `connect` is tried again before it is `ETIMEDOUT`, 1 to 127; the first
        /// time after a second, then twice as long each time.
        syn_retries, set_syn_retries: u32 = IPPROTO_TCP, TCP_SYNCNT
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_WINDOW_CLAMP`: the most bytes that the peer may send ahead of what is read; small values are raised to what
        /// the kernel needs, 0 is no bound.
        window_clamp, set_window_clamp: u32 = IPPROTO_TCP, TCP_WINDOW_CLAMP
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_NOTSENT_LOWAT`: the socket is writable only while fewer bytes than this wait to be sent for the first time, so
        /// that what is written goes out soon; 0: the system's own (`net.ipv4.tcp_notsent_lowat`), which is no bound
        /// mostly.
        not_sent_low_water, set_not_sent_low_water: u32 = IPPROTO_TCP, TCP_NOTSENT_LOWAT
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_THIN_LINEAR_TIMEOUTS`: of a connection with little on its way, what is lost is sent again at even intervals at
        /// first, not at doubling ones: for games and terminals.
        thin_linear_timeouts, set_thin_linear_timeouts: bool = IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_FASTOPEN`, of a listener: so many connections may bring data with their first packet (RFC 7413) before they are
        /// known to be real; 0, as at first: none. Needs `net.ipv4.tcp_fastopen` with 2 in it.
        fast_open, set_fast_open: u32 = IPPROTO_TCP, TCP_FASTOPEN
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    option! {
        /// `TCP_FASTOPEN_CONNECT`, before `connect`: to a server that is known to take it, `connect` is done at once, and the
        /// first write goes with the first packet. Linux 4.11; `EOPNOTSUPP` unless `net.ipv4.tcp_fastopen` has 1 in it.
        fast_open_connect, set_fast_open_connect: bool = IPPROTO_TCP, TCP_FASTOPEN_CONNECT
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    time! {
        /// `TCP_DEFER_ACCEPT`, of a listener: a connection is reported when its first bytes have come, or in the end without
        /// them; zero, as at first: at once. In whole seconds, which the kernel makes longer, to the next of its own
        /// retries.
        defer_accept, set_defer_accept = SECONDS, IPPROTO_TCP, TCP_DEFER_ACCEPT
    }

    /// `TCP_LINGER2`: how long the kernel waits for the peer's end after the socket was closed (FIN-WAIT-2), in whole seconds;
    /// `None`: not at all.
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
    /// # Errors
    /// As there.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn set_fin_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        let seconds = time.map_or(Ok(-1), |time| units(time, SECONDS))?;
        options::set(self.as_fd(), libc::IPPROTO_TCP, libc::TCP_LINGER2, seconds)
    }

    /// `TCP_CONGESTION`: the name of what decides how fast to send: `cubic`, `bbr`.
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
    /// # Errors
    /// As in [the module](super#errors).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn tcp_info(&self) -> io::Result<TcpInfo> {
        TcpInfo::of(self.as_fd())
    }
}

impl<T: AsFd + ?Sized> TcpOptions for T {}
