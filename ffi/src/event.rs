//! What to be told of, and what one is told.

use fastsock::{Event, Interest};

use crate::error::{Code, Result};

/// Interest: bytes, a datagram, a connection to accept, or the end of the stream.
pub const FSOCK_READABLE: u32 = 1;
/// Interest: room in the send buffer, or a connect that has ended, well or not: read SO_ERROR.
pub const FSOCK_WRITABLE: u32 = 2;
/// Interest: urgent data (MSG_OOB) and the like.
pub const FSOCK_PRIORITY: u32 = 4;

/// Ready: bytes, a datagram or a connection wait.
pub const FSOCK_READY_READ: u32 = 0x1;
/// Ready: urgent data waits.
pub const FSOCK_READY_PRI: u32 = 0x2;
/// Ready: a send would take at least something.
pub const FSOCK_READY_WRITE: u32 = 0x4;
/// Ready: an error waits in SO_ERROR, or the read end of a pipe is gone. Comes unasked.
pub const FSOCK_READY_ERR: u32 = 0x8;
/// Ready: both directions are closed; on a pipe, the writer is gone. Comes unasked, and without FSOCK_READY_READ when
/// nothing is left to read: treat it as readable.
pub const FSOCK_READY_HUP: u32 = 0x10;
/// Ready: the peer will send nothing more; what it sent before may still wait, so read first. Comes with
/// FSOCK_READABLE. The select backend reports this, FSOCK_READY_ERR and FSOCK_READY_HUP as FSOCK_READY_READ and
/// FSOCK_READY_WRITE.
pub const FSOCK_READY_RDHUP: u32 = 0x2000;

/// One source that is ready: an element of fsock_loop_wait's array. 16 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fsock_event {
    /// Which source: what fsock_add gave.
    pub token: u64,
    /// What for: a sum of FSOCK_READY_ bits.
    pub ready: u32,
    /// 0.
    pub reserved: u32,
}

impl From<Event> for fsock_event {
    #[inline]
    fn from(event: Event) -> fsock_event {
        fsock_event { token: event.token().to_bits(), ready: event.ready().bits(), reserved: 0 }
    }
}

pub(crate) fn interest(bits: u32) -> Result<Interest> {
    u8::try_from(bits).ok().and_then(Interest::from_bits).ok_or(Code::INVALID)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastsock::Ready;

    #[test]
    fn bits_are_the_core_s() {
        let interests = [Interest::READABLE, Interest::WRITABLE, Interest::PRIORITY];
        assert_eq!(interests.map(|i| u32::from(i.bits())), [FSOCK_READABLE, FSOCK_WRITABLE, FSOCK_PRIORITY]);
        let ready = [Ready::READ, Ready::PRI, Ready::WRITE, Ready::ERR, Ready::HUP, Ready::RDHUP];
        let ours =
            [FSOCK_READY_READ, FSOCK_READY_PRI, FSOCK_READY_WRITE, FSOCK_READY_ERR, FSOCK_READY_HUP, FSOCK_READY_RDHUP];
        assert_eq!(ready.map(Ready::bits), ours);
    }

    #[test]
    fn unknown_interest_is_refused() {
        assert_eq!(interest(8), Err(Code::INVALID));
        assert_eq!(interest(0x100), Err(Code::INVALID));
        assert_eq!(interest(0), Ok(Interest::NONE));
    }
}
