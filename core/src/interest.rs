use std::fmt;
use std::ops::{BitOr, BitOrAssign, Sub};

/// What to be told of: any sum of `READABLE`, `WRITABLE` and `PRIORITY`, or `NONE`.
///
/// Hang-up and error are reported whatever the interest is (epoll_ctl(2)), except for `NONE`: a source without
/// interest leaves the kernel's set, so that a peer that hung up does not make the loop spin.
///
/// ```
/// use fastsock::Interest;
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.contains(Interest::WRITABLE));
/// assert_eq!(both - Interest::WRITABLE, Interest::READABLE);
/// assert_eq!(format!("{both:?}"), "READABLE|WRITABLE");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Interest(u8);

impl Interest {
    /// Nothing for now; the source stays registered and a later `modify` brings it back.
    pub const NONE: Interest = Interest(0);
    /// Bytes, a datagram, a connection to accept, or the end of the stream.
    pub const READABLE: Interest = Interest(1);
    /// Room in the send buffer, or a connect that has ended (well or not: read `SO_ERROR`).
    pub const WRITABLE: Interest = Interest(2);
    /// Urgent data (`MSG_OOB`) and the like.
    pub const PRIORITY: Interest = Interest(4);

    /// The bits: 1 readable, 2 writable, 4 priority.
    ///
    /// ```
    /// use fastsock::Interest;
    /// assert_eq!((Interest::READABLE | Interest::PRIORITY).bits(), 5);
    /// assert_eq!(Interest::NONE.bits(), 0);
    /// ```
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From the bits of [`bits`](Self::bits); `None` when an unknown one is set.
    ///
    /// ```
    /// use fastsock::Interest;
    /// assert_eq!(Interest::from_bits(3), Some(Interest::READABLE | Interest::WRITABLE));
    /// assert_eq!(Interest::from_bits(8), None);
    /// ```
    pub const fn from_bits(bits: u8) -> Option<Interest> {
        if bits & !7 == 0 { Some(Interest(bits)) } else { None }
    }

    /// Whether every part of `other` is in `self`.
    ///
    /// ```
    /// use fastsock::Interest;
    /// let both = Interest::READABLE | Interest::WRITABLE;
    /// assert!(both.contains(Interest::READABLE) && both.contains(both));
    /// assert!(!Interest::READABLE.contains(both));
    /// ```
    pub const fn contains(self, other: Interest) -> bool {
        self.0 & other.0 == other.0
    }

    /// No interest at all.
    ///
    /// ```
    /// use fastsock::Interest;
    /// assert!((Interest::READABLE - Interest::READABLE).is_none());
    /// assert!(!Interest::PRIORITY.is_none());
    /// ```
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Holds `READABLE`.
    ///
    /// ```
    /// use fastsock::Interest;
    /// assert!((Interest::READABLE | Interest::WRITABLE).is_readable());
    /// assert!(!Interest::WRITABLE.is_readable());
    /// ```
    pub const fn is_readable(self) -> bool {
        self.contains(Interest::READABLE)
    }

    /// Holds `WRITABLE`.
    ///
    /// ```
    /// use fastsock::Interest;
    /// assert!((Interest::READABLE | Interest::WRITABLE).is_writable());
    /// assert!(!Interest::READABLE.is_writable());
    /// ```
    pub const fn is_writable(self) -> bool {
        self.contains(Interest::WRITABLE)
    }

    /// Holds `PRIORITY`.
    ///
    /// ```
    /// use fastsock::Interest;
    /// assert!((Interest::READABLE | Interest::PRIORITY).is_priority());
    /// assert!(!Interest::READABLE.is_priority());
    /// ```
    pub const fn is_priority(self) -> bool {
        self.contains(Interest::PRIORITY)
    }
}

impl BitOr for Interest {
    type Output = Interest;
    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Interest) {
        self.0 |= other.0;
    }
}

impl Sub for Interest {
    type Output = Interest;
    /// The parts of `self` that are not in `other`.
    fn sub(self, other: Interest) -> Interest {
        Interest(self.0 & !other.0)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::ready::names(f, &[(1, "READABLE"), (2, "WRITABLE"), (4, "PRIORITY")], self.0.into())
    }
}
