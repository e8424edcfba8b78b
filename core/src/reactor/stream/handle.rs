use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::super::Reactor;
use super::state::{Flags, State};
use crate::net::{PeerAddress, Socket};
use crate::stream::StreamOptions;
use crate::{Time, Token};

/// A stream of a reactor's, for as long as it is borrowed: from [`Reactor::stream`].
///
/// Everything here is legal in its own callback, in any other, and between turns; nothing here calls back.
pub struct Stream<'r, 'fd, C> {
    pub(super) reactor: &'r mut Reactor<'fd, C>,
    pub(super) token: Token,
}

impl<'fd, C> Stream<'_, 'fd, C> {
    /// The token.
    pub fn token(&self) -> Token {
        self.token
    }

    /// Sends bytes, behind what was written before: when the callback that is running returns, or another stream is
    /// written to, or the next wait begins. What the kernel does not take is queued. An error of the connection's comes by
    /// [`Closed`](crate::stream::StreamEvent::Closed).
    ///
    /// # Errors
    /// `EPIPE`: this side was shut down or closed. Or the error that the connection has failed with.
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reactor.write_stream(self.token, bytes)
    }

    /// Sends a part of a file, behind what was written before, without a copy through this process (sendfile(2)). The file
    /// must keep that much until it is sent: one that is cut shorter meanwhile ends the connection with `EIO`. Its
    /// position stays. Reading it may block, for as long as the disk takes.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn write_file(&mut self, file: impl Into<OwnedFd>, offset: u64, count: u64) -> io::Result<()> {
        self.reactor.write_file_to(self.token, file.into(), offset, count)
    }

    /// Sends now what was written, as much as the kernel takes.
    pub fn flush(&mut self) {
        self.reactor.flush_cork_of(self.token);
        if self.state().is_some_and(|state| state.flags.take(Flags::UNTRIED)) {
            self.reactor.streams.send_queued(self.token);
            self.reactor.note(self.token);
        }
    }

    /// How many bytes were written and not yet taken by the kernel.
    pub fn queued(&mut self) -> u64 {
        self.reactor.streams.queued(self.token)
    }

    /// Whether so much was written that the writer should wait for
    /// [`Writable`](crate::stream::StreamEvent::Writable). Until then the stream is not read.
    pub fn is_full(&mut self) -> bool {
        self.state().is_some_and(|state| state.flags.has(Flags::FULL))
    }

    /// Reads no more until [`resume`](Self::resume): what the peer sends waits in the kernel, and then at the peer. Its
    /// end is not noticed either.
    pub fn pause(&mut self) {
        self.change(|state| state.flags.set(Flags::PAUSED));
    }

    /// Reads again. The time-outs for reading and for idling begin anew.
    pub fn resume(&mut self) {
        self.change(|state| {
            if state.flags.take(Flags::PAUSED) && !state.flags.has(Flags::CONNECTING) {
                state.last_read = Time::now();
            }
        });
    }

    /// Whether it is [paused](Self::pause).
    pub fn is_paused(&mut self) -> bool {
        self.state().is_some_and(|state| state.flags.has(Flags::PAUSED))
    }

    /// Tells the peer that nothing more comes, when what is queued has been sent; what it sends is still read.
    pub fn shutdown(&mut self) {
        self.change(|state| state.flags.set(Flags::SHUTTING));
    }

    /// Closes the stream when what is queued has been sent; see [The end](crate::stream#the-end). Nothing is told after
    /// this but [`Closed`](crate::stream::StreamEvent::Closed). Done twice, it does nothing.
    pub fn close(&mut self) {
        self.change(State::close);
    }

    /// In the callback of [`End`](crate::stream::StreamEvent::End), [`TimedOut`](crate::stream::StreamEvent::TimedOut) or
    /// [`Stopping`](crate::stream::StreamEvent::Stopping): the stream stays open, until it is [closed](Self::close).
    pub fn keep(&mut self) {
        self.change(|state| {
            state.flags.take(Flags::DOOMED);
        });
    }

    /// The socket: for its options. Reading and writing it is the stream's affair.
    pub fn socket(&mut self) -> &Socket {
        match self.reactor.streams.slots[self.token.slot() as usize].as_deref() {
            Some(state) => &state.socket,
            None => unreachable!("a stream that is borrowed is there"),
        }
    }

    /// The peer's address: getpeername(2).
    ///
    /// # Errors
    /// `ENOTCONN`: not yet connected, or the peer is gone.
    pub fn peer_addr(&mut self) -> io::Result<PeerAddress> {
        self.socket().peer_addr()
    }

    /// The stream's own address: getsockname(2).
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn local_addr(&mut self) -> io::Result<PeerAddress> {
        self.socket().local_addr()
    }

    /// Other marks and time-outs. Those that are running are counted from when they would have been.
    pub fn set_options(&mut self, options: &StreamOptions) {
        let options = Rc::new(options.clone());
        self.change(|state| {
            if !state.keeps_time() && !state.flags.has(Flags::CONNECTING) {
                state.refresh();
            }
            state.options = options;
            if state.queued() >= state.options.high as u64 {
                state.flags.set(Flags::FULL);
            }
            state.armed = Time::NEVER;
        });
    }

    /// The server that accepted it; `None` for another stream.
    pub fn server(&mut self) -> Option<Token> {
        self.state().and_then(|state| state.server)
    }

    fn state(&mut self) -> Option<&mut State<'fd, C>> {
        self.reactor.streams.at(self.token)
    }

    fn change(&mut self, change: impl FnOnce(&mut State<'fd, C>)) {
        if let Some(state) = self.state() {
            change(state);
        }
        self.reactor.note(self.token);
    }
}

impl<C> fmt::Debug for Stream<'_, '_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("token", &self.token).finish()
    }
}
