//! Helpers of the tests of options.
#![allow(dead_code, unused_macros, unused_imports, clippy::unwrap_used)]

use std::net::Ipv4Addr;

use fastsock::net::{Family, Kind, Socket};

pub(crate) fn tcp() -> Socket {
    Socket::new(Family::V4, Kind::Stream).unwrap()
}

pub(crate) fn udp(family: Family) -> Socket {
    Socket::new(family, Kind::Datagram).unwrap()
}

/// A datagram socket at a port of its own on the loopback interface.
pub(crate) fn bound_udp() -> Socket {
    let socket = udp(Family::V4);
    socket.bind(std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    socket
}

/// The number of the loopback interface.
pub(crate) fn loopback() -> u32 {
    // SAFETY: the name is NUL-terminated.
    let index = unsafe { libc::if_nametoindex(c"lo".as_ptr()) };
    assert_ne!(index, 0, "no interface is named lo");
    index
}

/// Whether this thread has a capability (capabilities(7)) over the whole machine, not in a user namespace of its own alone.
pub(crate) fn has_capability(number: u32) -> bool {
    let users = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    if !users.split_whitespace().eq(["0", "0", "4294967295"]) {
        return false;
    }
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap() >> number & 1 == 1
}

pub(crate) const CAP_NET_ADMIN: u32 = 12;
pub(crate) const CAP_NET_RAW: u32 = 13;

/// Sets each value in turn, and reads it back.
macro_rules! reads_back {
    ($socket:expr, $get:ident, $set:ident, $values:expr) => {
        let socket = &$socket;
        for value in $values {
            socket.$set(value).unwrap();
            assert_eq!(socket.$get().unwrap(), value, stringify!($get));
        }
    };
}
pub(crate) use reads_back;

/// As `reads_back`, for what the manual allows with a capability alone: without it, `EPERM` and nothing else.
macro_rules! reads_back_with {
    ($capabilities:expr, $socket:expr, $get:ident, $set:ident, $values:expr) => {
        let socket = &$socket;
        for value in $values {
            match socket.$set(value) {
                Ok(()) => assert_eq!(socket.$get().unwrap(), value, stringify!($get)),
                Err(error) => {
                    assert_eq!(fastsock::errno(&error), libc::EPERM, concat!(stringify!($set), ": {}"), error);
                    let held = $capabilities.into_iter().find(|&number| crate::options::has_capability(number));
                    assert_eq!(held, None, concat!(stringify!($set), " is refused in spite of this capability"));
                }
            }
        }
    };
}
pub(crate) use reads_back_with;
