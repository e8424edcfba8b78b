use std::fmt;
use std::num::NonZeroU64;

/// Names one registration: 32 bits of generation over 32 bits of slot.
///
/// Never 0 and never used twice: when what it names is removed, its slot moves to the next generation, and a slot
/// whose generations are used up is retired. So a token kept too long is recognised as stale and can never reach
/// what came after it. Sources, timers, wakers, signals and servers draw from separate ranges of slots.
///
/// ```
/// use fastsock::{Interest, Poller, Token, Trigger};
/// use std::os::fd::AsFd;
/// # fn main() -> std::io::Result<()> {
/// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
/// let mut poller = Poller::new()?;
/// let old: Token = poller.add(here.as_fd(), Interest::READABLE, Trigger::Level)?;
/// poller.remove(old);
/// let new = poller.add(here.as_fd(), Interest::READABLE, Trigger::Level)?;
/// assert!(old != new && !poller.contains(old)); // The same descriptor, the same place, another name.
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Token(NonZeroU64);

/// What a token names, told by the three high bits of its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Source = 0,
    Timer = 1,
    Waker = 2,
    Signal = 3,
    Server = 4,
}

const KIND_SHIFT: u32 = 29;
pub(crate) const MAX_SLOT: u32 = (1 << KIND_SHIFT) - 1;

impl Token {
    pub(crate) fn new(generation: u32, kind: Kind, slot: u32) -> Token {
        debug_assert!(generation != 0 && slot <= MAX_SLOT);
        let low = (kind as u32) << KIND_SHIFT | slot;
        let bits = u64::from(generation.max(1)) << 32 | u64::from(low);
        Token(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MAX))
    }

    /// As a number, for user data in C and in the kernel.
    ///
    /// ```
    /// use fastsock::{Time, TimerQueue, Token};
    /// # fn main() -> std::io::Result<()> {
    /// let mut queue = TimerQueue::new();
    /// let token = queue.insert(Time::now(), "due")?;
    /// let user_data: u64 = token.to_bits();
    /// assert_eq!(Token::from_bits(user_data), Some(token));
    /// # Ok(())
    /// # }
    /// ```
    pub const fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// Back from [`to_bits`](Self::to_bits); `None` for 0. A made-up number is a stale token, not a danger.
    ///
    /// ```
    /// use fastsock::{Time, TimerQueue, Token};
    /// assert_eq!(Token::from_bits(0), None);
    /// let made_up = Token::from_bits(12_345).unwrap();
    /// let mut queue = TimerQueue::<&str>::new();
    /// assert_eq!(fastsock::errno(&queue.rearm(made_up, Time::now()).unwrap_err()), libc::ENOENT);
    /// ```
    pub const fn from_bits(bits: u64) -> Option<Token> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Token(bits)),
            None => None,
        }
    }

    pub(crate) const fn generation(self) -> u32 {
        (self.0.get() >> 32) as u32
    }

    pub(crate) const fn slot(self) -> u32 {
        self.0.get() as u32 & MAX_SLOT
    }

    pub(crate) const fn is(self, kind: Kind) -> bool {
        (self.0.get() as u32) >> KIND_SHIFT == kind as u32
    }

    /// Whether this token's form is that of a timer.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.timer(Duration::from_secs(1), |_, _, _, _| {})?;
    /// assert!(token.is_timer() && !token.is_source());
    /// # Ok(())
    /// # }
    /// ```
    pub const fn is_timer(self) -> bool {
        self.is(Kind::Timer)
    }

    /// Whether this token's form is that of a server.
    ///
    /// ```
    /// use fastsock::server::ServerOptions;
    /// use fastsock::{Reactor, net::Listener, stream::StreamEvent};
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// let token = reactor.serve(listener, &ServerOptions::new(), |_, _, _| {
    ///     Ok(|_: &mut Reactor<'_, ()>, _: &mut (), _, _: StreamEvent<'_>| Ok(()))
    /// })?;
    /// assert!(token.is_server() && !token.is_source());
    /// # Ok(())
    /// # }
    /// ```
    pub const fn is_server(self) -> bool {
        self.is(Kind::Server)
    }

    /// Whether this token's form is that of a source (a stream is one, too).
    ///
    /// ```
    /// use fastsock::{Interest, Reactor, Trigger};
    /// # fn main() -> std::io::Result<()> {
    /// # let (here, _there) = std::os::unix::net::UnixStream::pair()?;
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.add(here, Interest::READABLE, Trigger::Level, |_, _, _, _| {})?;
    /// assert!(token.is_source() && !token.is_timer());
    /// # Ok(())
    /// # }
    /// ```
    pub const fn is_source(self) -> bool {
        self.is(Kind::Source)
    }

    /// Whether this token's form is that of a signal.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// let token = reactor.signal(libc::SIGHUP, |_, _, _, _| {})?;
    /// assert!(token.is_signal() && !token.is_timer());
    /// # Ok(())
    /// # }
    /// ```
    pub const fn is_signal(self) -> bool {
        self.is(Kind::Signal)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}#{})", self.0.get() as u32, self.generation())
    }
}
