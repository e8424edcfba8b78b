//! From what is written to what is sent.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;

use super::super::Reactor;
use super::Streams;
use super::state::{Flags, State};
use crate::stream::WriteQueue;
use crate::{Token, error};

/// So much is gathered before it is sent.
const GATHERED: usize = 64 * 1024;
/// So much is sent without being copied together first.
const LARGE: usize = 16 * 1024;

/// What one stream has written and not yet sent: until its callback returns, or another stream writes.
pub(super) struct Cork {
    stream: Option<Token>,
    bytes: Vec<u8>,
    /// How much its callback has written so far, sent or not.
    burst: usize,
}

impl Cork {
    pub(super) fn new() -> Cork {
        Cork { stream: None, bytes: Vec::new(), burst: 0 }
    }

    /// The stream is gone.
    pub(super) fn forget(&mut self, token: Token) {
        if self.stream == Some(token) {
            self.stream = None;
            self.bytes.clear();
        }
    }
}

impl<'fd, C> Streams<'fd, C> {
    /// Whether something is gathered and not yet sent.
    #[inline]
    pub(in super::super) fn is_corked(&self) -> bool {
        self.cork.stream.is_some()
    }

    /// A callback begins: what it writes is counted anew.
    pub(super) fn begin_burst(&mut self) {
        self.cork.burst = 0;
    }

    /// How much waits for this stream.
    pub(super) fn queued(&mut self, token: Token) -> u64 {
        let corked = if self.cork.stream == Some(token) { self.cork.bytes.len() as u64 } else { 0 };
        corked + self.at(token).map_or(0, |state| state.queued())
    }

    fn write(&mut self, token: Token, bytes: &[u8]) -> io::Result<()> {
        let state = self.at(token).ok_or_else(error::stale)?;
        writes(state)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let called = state.flags.has(Flags::CALLED);
        if state.queue.is_some() || state.flags.has(Flags::CONNECTING) {
            state.queue.get_or_insert_default().push(bytes);
        } else {
            if self.cork.stream != Some(token) {
                self.flush();
                self.cork.stream = Some(token);
            }
            if bytes.len() >= LARGE || self.cork.bytes.len() + bytes.len() > GATHERED {
                self.flush_with(bytes);
            } else {
                self.cork.bytes.extend_from_slice(bytes);
            }
        }
        let mut burst = 0;
        if called {
            burst = self.cork.burst.saturating_add(bytes.len());
            self.cork.burst = burst;
        }
        let corked = if self.cork.stream == Some(token) { self.cork.bytes.len() as u64 } else { 0 };
        if let Some(state) = self.at(token) {
            let (high, queued) = (state.options.high, corked + state.queued());
            if !state.flags.has(Flags::FULL) && (queued >= high as u64 || burst >= high) {
                state.flags.set(if burst >= high { Flags::FULL.and(Flags::BURST) } else { Flags::FULL });
            }
            // What waits now may want another interest, or a deadline.
            if state.flags.has(Flags::FULL) || state.queue.is_some() {
                self.note(token);
            }
        }
        Ok(())
    }

    fn write_file(&mut self, token: Token, file: OwnedFd, offset: u64, count: u64) -> io::Result<()> {
        if self.cork.stream == Some(token) {
            self.flush();
        }
        let state = self.at(token).ok_or_else(error::stale)?;
        writes(state)?;
        if count == 0 {
            return Ok(());
        }
        let most = i64::MAX as u64;
        if offset > most || count > most - offset || count > most - state.queued() {
            return Err(error::with(libc::EOVERFLOW, "no file is as long as that: ask it for its length (fstat(2))"));
        }
        let begins = state.queue.is_none();
        let queue = state.queue.get_or_insert_default();
        queue.push_file(file, offset, count);
        let (called, high) = (state.flags.has(Flags::CALLED), state.options.high);
        let full = state.queued() >= high as u64;
        state.flags.set(if full { Flags::UNTRIED.and(Flags::FULL) } else { Flags::UNTRIED });
        if called {
            self.cork.burst = self.cork.burst.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
            if self.cork.burst >= high {
                if let Some(state) = self.at(token) {
                    state.flags.set(Flags::FULL.and(Flags::BURST));
                }
            }
        }
        if begins {
            self.mark(token, Flags::WROTE);
        }
        self.note(token);
        Ok(())
    }

    /// Sends what is gathered.
    pub(super) fn flush(&mut self) {
        self.flush_with(&[]);
    }

    /// Sends what is gathered, and these bytes behind it; what the kernel does not take is queued.
    fn flush_with(&mut self, more: &[u8]) {
        let Some(token) = self.cork.stream.take() else { return };
        let Some(state) = self.slots.get_mut(token.slot() as usize).and_then(Option::as_deref_mut) else { return };
        let gathered = &*self.cork.bytes;
        let settled = match send(state, gathered, more) {
            Ok(sent) if sent == gathered.len() + more.len() => true,
            Ok(sent) => {
                let mut queue = Box::<WriteQueue>::default();
                queue.push(&gathered[sent.min(gathered.len())..]);
                queue.push(&more[sent.saturating_sub(gathered.len())..]);
                state.queue = Some(queue);
                if state.queued() >= state.options.high as u64 {
                    state.flags.set(Flags::FULL);
                }
                false
            }
            Err(error) => {
                state.failure.get_or_insert(error);
                false
            }
        };
        self.cork.bytes.clear();
        self.mark(token, Flags::WROTE);
        if !settled {
            self.note(token);
        }
    }

    /// Sends from the queue; tells what came of it in the state.
    pub(super) fn send_queued(&mut self, token: Token) {
        let Some(state) = self.at(token) else { return };
        if state.flags.has(Flags::CONNECTING) {
            return;
        }
        let Some(queue) = &mut state.queue else { return };
        match queue.send(&state.socket) {
            Ok(progress) => {
                if queue.is_empty() {
                    state.queue = None;
                }
                if progress {
                    self.mark(token, Flags::WROTE);
                }
            }
            Err(error) => {
                state.failure.get_or_insert(error);
            }
        }
    }
}

/// Whether the stream can still be written to.
fn writes<C>(state: &State<'_, C>) -> io::Result<()> {
    if let Some(failure) = &state.failure {
        return Err(io::Error::from_raw_os_error(crate::errno(failure)));
    }
    if state.flags.has(Flags::SHUTTING) {
        return Err(error::with(libc::EPIPE, "this side of the stream was shut down or closed: write before that"));
    }
    Ok(())
}

/// Sends two pieces as one. 0: the kernel takes none now.
fn send<C>(state: &State<'_, C>, first: &[u8], second: &[u8]) -> io::Result<usize> {
    if state.failure.is_some() {
        return Ok(0);
    }
    loop {
        let result = match (first.is_empty(), second.is_empty()) {
            (false, true) => state.socket.send(first),
            (true, false) => state.socket.send(second),
            (true, true) => return Ok(0),
            _ => state.socket.send_vectored(&[IoSlice::new(first), IoSlice::new(second)]),
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

impl<'fd, C> Reactor<'fd, C> {
    pub(super) fn write_stream(&mut self, token: Token, bytes: &[u8]) -> io::Result<()> {
        self.poller.same_process()?;
        let known = self.streams.has_pending();
        let result = self.streams.write(token, bytes);
        if !known {
            self.timer_was_set();
        }
        result
    }

    pub(super) fn write_file_to(&mut self, token: Token, file: OwnedFd, offset: u64, count: u64) -> io::Result<()> {
        self.poller.same_process()?;
        let result = self.streams.write_file(token, file, offset, count);
        self.timer_was_set();
        result
    }

    /// After each callback, and before a wait.
    #[inline]
    pub(in super::super) fn flush_cork(&mut self) {
        if self.streams.is_corked() && self.poller.same_process().is_ok() {
            self.streams.flush();
        }
    }

    pub(super) fn flush_cork_of(&mut self, token: Token) {
        // A forked child has the parent's bytes as well, which are not its to send.
        if self.streams.cork.stream == Some(token) && self.poller.same_process().is_ok() {
            self.streams.flush();
        }
    }
}
