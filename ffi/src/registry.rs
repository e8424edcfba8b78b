//! What every noun with a token does alike: it registers a callback with user data, and finds by the token what it made.

use std::ffi::{c_int, c_void};
use std::io;

use fastsock::{Reactor, Token};

use crate::error::{Code, Result};
use crate::home::fsock_loop;
use crate::turn::Turn;
use crate::user::{User, fsock_drop};

/// What a token names.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Source,
    Timer,
    Signal,
    Server,
}

impl Kind {
    fn is_of(self, token: Token) -> bool {
        match self {
            Kind::Source => token.is_source(),
            Kind::Timer => token.is_timer(),
            Kind::Signal => token.is_signal(),
            Kind::Server => token.is_server(),
        }
    }

    /// What has that number, if it is there and of this kind.
    #[inline]
    pub(crate) fn find(self, reactor: &Reactor<'static, Turn>, token: u64) -> Result<Token> {
        Token::from_bits(token).filter(|t| self.is_of(*t) && reactor.contains(*t)).ok_or(Code::STALE)
    }
}

impl fsock_loop {
    /// Registers something that has user data of C's; when that fails, the data stays C's.
    ///
    /// # Safety
    /// The loop is null or alive; `token` is null or valid for a write.
    pub(crate) unsafe fn start(
        pointer: *mut fsock_loop,
        user: *mut c_void,
        drop: fsock_drop,
        token: *mut u64,
        body: impl FnOnce(&mut Reactor<'static, Turn>, User) -> io::Result<Token>,
    ) -> Result<c_int> {
        // SAFETY: null or alive, as promised.
        let home = unsafe { fsock_loop::enter(pointer) }?;
        let started = home.register(|reactor| body(reactor, User::new(pointer, user, drop)))?;
        // SAFETY: as promised.
        if let Some(place) = unsafe { token.as_mut() } {
            *place = started.to_bits();
        }
        // What was known by the same descriptor's number, closed unasked, may have been given up for it. What was started
        // is in, whatever becomes of the loop by that.
        // SAFETY: alive, on its thread.
        let _ = unsafe { fsock_loop::settle(pointer) };
        Ok(0)
    }

    /// Does something to what has this token.
    ///
    /// # Safety
    /// The loop is null or alive.
    pub(crate) unsafe fn on<T>(
        pointer: *mut fsock_loop,
        kind: Kind,
        token: u64,
        body: impl FnOnce(&mut Reactor<'static, Turn>, Token) -> Result<T>,
    ) -> Result<T> {
        // SAFETY: null or alive, as promised.
        let home = unsafe { fsock_loop::enter(pointer) }?;
        home.with(|reactor| {
            let token = kind.find(reactor, token)?;
            body(reactor, token)
        })?
    }

    /// Removes what has this token, and gives its user data back.
    ///
    /// # Safety
    /// The loop is null or alive.
    pub(crate) unsafe fn end_one(pointer: *mut fsock_loop, kind: Kind, token: u64) -> Result<c_int> {
        // SAFETY: null or alive, as promised.
        unsafe { fsock_loop::on(pointer, kind, token, |reactor, token| Ok(reactor.remove(token))) }?;
        // SAFETY: alive, on its thread.
        unsafe { fsock_loop::settle(pointer) }?;
        Ok(0)
    }
}
