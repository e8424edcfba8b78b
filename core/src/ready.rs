use std::fmt;
use std::ops::BitOr;

/// What a descriptor is ready for: six separate bits, as the kernel reported them.
///
/// | bit | poll(2) name | meaning |
/// |---|---|---|
/// | `READ` | POLLIN | bytes, a datagram or a connection wait |
/// | `PRI` | POLLPRI | urgent data waits |
/// | `WRITE` | POLLOUT | a send would take at least something |
/// | `ERR` | POLLERR | an error waits in `SO_ERROR`; or the read end of a pipe is gone |
/// | `HUP` | POLLHUP | both directions are closed; on a pipe: the writer is gone (without `READ` when it is empty) |
/// | `RDHUP` | POLLRDHUP | the peer will send nothing more; what it sent may still wait: read it first |
///
/// `ERR` and `HUP` come whether asked for or not; `RDHUP` comes with `READABLE` interest. The select backend knows
/// only `READ`, `WRITE` and `PRI`, and reports the others as the first two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Ready(u32);

impl Ready {
    /// Nothing.
    pub const NONE: Ready = Ready(0);
    /// POLLIN.
    pub const READ: Ready = Ready(0x001);
    /// POLLPRI.
    pub const PRI: Ready = Ready(0x002);
    /// POLLOUT.
    pub const WRITE: Ready = Ready(0x004);
    /// POLLERR.
    pub const ERR: Ready = Ready(0x008);
    /// POLLHUP.
    pub const HUP: Ready = Ready(0x010);
    /// POLLRDHUP.
    pub const RDHUP: Ready = Ready(0x2000);

    const ALL: u32 = 0x201f;

    /// The bits, which are those of Linux's epoll.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Keeps the six known bits and drops the others.
    pub const fn from_bits(bits: u32) -> Ready {
        Ready(bits & Ready::ALL)
    }

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: Ready) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no bit is set.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// A read would not block: it gives bytes, the end, or the error. (`READ`, `RDHUP`, `HUP` or `ERR`.)
    pub const fn is_readable(self) -> bool {
        self.0 & (Ready::READ.0 | Ready::RDHUP.0 | Ready::HUP.0 | Ready::ERR.0) != 0
    }

    /// A write would not block: it takes bytes, or gives the error. (`WRITE`, `HUP` or `ERR`.)
    pub const fn is_writable(self) -> bool {
        self.0 & (Ready::WRITE.0 | Ready::HUP.0 | Ready::ERR.0) != 0
    }

    /// `PRI`.
    pub const fn is_priority(self) -> bool {
        self.0 & Ready::PRI.0 != 0
    }

    /// `ERR`.
    pub const fn is_error(self) -> bool {
        self.0 & Ready::ERR.0 != 0
    }

    /// `HUP`.
    pub const fn is_hangup(self) -> bool {
        self.0 & Ready::HUP.0 != 0
    }

    /// `RDHUP`.
    pub const fn is_read_hangup(self) -> bool {
        self.0 & Ready::RDHUP.0 != 0
    }
}

impl BitOr for Ready {
    type Output = Ready;
    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [(1, "READ"), (2, "PRI"), (4, "WRITE"), (8, "ERR"), (0x10, "HUP"), (0x2000, "RDHUP")];
        names(f, &all, self.0)
    }
}

/// `A|B`, or `NONE`.
pub(crate) fn names(f: &mut fmt::Formatter<'_>, all: &[(u32, &str)], bits: u32) -> fmt::Result {
    let mut first = true;
    for (_, name) in all.iter().filter(|(bit, _)| bits & bit != 0) {
        if !first {
            f.write_str("|")?;
        }
        f.write_str(name)?;
        first = false;
    }
    if first { f.write_str("NONE") } else { Ok(()) }
}
