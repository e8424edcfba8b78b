use crate::{Ready, Token};

/// One source that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    token: Token,
    ready: Ready,
}

impl Event {
    pub(crate) const fn new(token: Token, ready: Ready) -> Event {
        Event { token, ready }
    }

    /// Which source.
    pub const fn token(&self) -> Token {
        self.token
    }

    /// What for.
    pub const fn ready(&self) -> Ready {
        self.ready
    }

    /// [`Ready::is_readable`].
    pub const fn is_readable(&self) -> bool {
        self.ready.is_readable()
    }

    /// [`Ready::is_writable`].
    pub const fn is_writable(&self) -> bool {
        self.ready.is_writable()
    }
}
