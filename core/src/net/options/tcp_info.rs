use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::sys::options;

/// How far a TCP connection has come, or gone: RFC 9293.
///
/// ```
/// use fastsock::net::options::{TcpOptions, TcpState};
/// use std::io::Read;
/// use std::net::{TcpListener, TcpStream};
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// assert_eq!(listener.tcp_info()?.state, TcpState::Listening);
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let (mut server, _) = listener.accept()?;
/// drop(client);
/// server.read(&mut [0; 1])?; // The end.
/// assert_eq!(server.tcp_info()?.state, TcpState::CloseWait);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TcpState {
    /// Data goes both ways.
    Established,
    /// `connect` has begun.
    SynSent,
    /// The peer's `connect` has been answered.
    SynReceived,
    /// Closed or shut down here; the peer has not acknowledged that yet.
    FinWait1,
    /// Closed or shut down here; the peer may go on sending.
    FinWait2,
    /// Closed on both sides; late packets are waited for.
    TimeWait,
    /// Not connected, or no more.
    Closed,
    /// The peer has closed or shut down; this side may go on sending.
    CloseWait,
    /// Closed on both sides, the peer first; it has not acknowledged that yet.
    LastAck,
    /// It listens.
    Listening,
    /// Closed on both sides at once.
    Closing,
    /// A state that this crate has no name for.
    Other,
}

/// What the kernel knows of a TCP connection: `TCP_INFO`, tcp(7). What an older kernel does not tell is zero.
///
/// ```
/// use fastsock::net::options::{TcpInfo, TcpOptions};
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Duration;
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let TcpInfo { send_segment, retransmit_timeout, retransmits, .. } = client.tcp_info()?;
/// assert!(send_segment >= 536 && retransmit_timeout > Duration::ZERO);
/// assert_eq!(retransmits, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpInfo {
    /// The connection's state.
    pub state: TcpState,
    /// How long the peer takes to answer, smoothed.
    pub round_trip: Duration,
    /// How much that varies.
    pub round_trip_deviation: Duration,
    /// The shortest of late. Linux 4.6.
    pub round_trip_least: Duration,
    /// After how long without an acknowledgement segments are sent again.
    pub retransmit_timeout: Duration,
    /// The most bytes of a segment that is sent.
    pub send_segment: u32,
    /// The same of those received, estimated.
    pub recv_segment: u32,
    /// How many segments may be on their way (the congestion window).
    pub window: u32,
    /// How many segments are on their way, unacknowledged.
    pub unacknowledged: u32,
    /// How many of them count as lost.
    pub lost: u32,
    /// How many segments were sent again, ever.
    pub retransmits: u32,
    /// How many bytes were written and not sent for the first time yet. Linux 4.6.
    pub not_sent: u32,
    /// How many bytes the peer has acknowledged (the end of the stream counts as one). Linux 4.1.
    pub bytes_acknowledged: u64,
    /// How many bytes were received. Linux 4.1.
    pub bytes_received: u64,
    /// How many bytes a second get through, as last measured. Linux 4.9.
    pub delivery_rate: u64,
}

impl TcpInfo {
    pub(super) fn of(socket: BorrowedFd<'_>) -> io::Result<TcpInfo> {
        // The kernel's `tcp_info` begins with eight bytes and has grown at its end ever since: what a kernel does not know
        // of stays zero, and what it knows beyond is not asked for.
        let mut bytes = [0; 168];
        options::get_bytes(socket, libc::IPPROTO_TCP, libc::TCP_INFO, &mut bytes)?;
        let word = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let long = |at: usize| bytes[at..at + 8].try_into().map_or(0, u64::from_ne_bytes);
        let micros = |at: usize| Duration::from_micros(u64::from(word(at)));
        Ok(TcpInfo {
            state: match bytes[0] {
                1 => TcpState::Established,
                2 => TcpState::SynSent,
                3 | 12 => TcpState::SynReceived,
                4 => TcpState::FinWait1,
                5 => TcpState::FinWait2,
                6 => TcpState::TimeWait,
                7 => TcpState::Closed,
                8 => TcpState::CloseWait,
                9 => TcpState::LastAck,
                10 => TcpState::Listening,
                11 => TcpState::Closing,
                _ => TcpState::Other,
            },
            retransmit_timeout: micros(8),
            send_segment: word(16),
            recv_segment: word(20),
            unacknowledged: word(24),
            lost: word(32),
            round_trip: micros(68),
            round_trip_deviation: micros(72),
            window: word(80),
            retransmits: word(100),
            bytes_acknowledged: long(120),
            bytes_received: long(128),
            not_sent: word(144),
            round_trip_least: micros(148),
            delivery_rate: long(160),
        })
    }
}
