//! What the poller tells about a stream, and how its callback is called.

use std::io;

use super::super::{Called, Reactor, Turn};
use super::state::Flags;
use super::{Callback, SCRATCH};
use crate::net::Connect;
use crate::stream::StreamEvent;
use crate::{Event, Time, Token};

/// So often is a stream read for one event, and only when its end is near.
const READS: usize = 16;

impl<'fd, C> Reactor<'fd, C> {
    /// Whether a token is a stream's; asked of those alone that are not stale.
    #[inline]
    pub(in super::super) fn is_stream(&mut self, token: Token) -> bool {
        self.streams.at(token).is_some()
    }

    /// Returns how many callbacks were called.
    #[inline(never)] // The loop over the events is to stay small.
    pub(in super::super) fn deliver_stream(
        &mut self,
        event: Event,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> usize {
        let token = event.token();
        let Some(state) = self.streams.at(token) else { return 0 };
        if state.flags.has(Flags::CONNECTING) {
            match state.socket.finish_connect() {
                Ok(Connect::InProgress) => return 0,
                Ok(Connect::Done) => {
                    state.flags.take(Flags::CONNECTING);
                    state.flags.set(Flags::CONNECTED.and(Flags::UNTRIED));
                    state.refresh();
                    // The deadline that comes first now may be before the one for connecting.
                    state.armed = Time::NEVER;
                }
                Err(error) => {
                    state.failure.get_or_insert(error);
                }
            }
            return self.settle(token, context, turn, after);
        }
        if state.flags.has(Flags::CONNECTED) {
            // That comes first. What else there is to tell is reported again.
            return self.settle(token, context, turn, after);
        }
        let mut count = 0;
        // First what the peer has sent before it went, if it did.
        if event.is_readable() {
            count += self.read_stream(event, context, turn, after);
        }
        if event.is_writable() && self.is_same(turn) && self.poller.contains(token) {
            self.streams.send_queued(token);
        }
        count + self.settle(token, context, turn, after)
    }

    fn read_stream(
        &mut self,
        event: Event,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> usize {
        let token = event.token();
        let mut count = 0;
        for _ in 0..READS {
            if !self.goes_on(turn) || !self.poller.contains(token) {
                break;
            }
            let streams = &mut self.streams;
            // Out of its place for as long as the callback sees it.
            let mut scratch = std::mem::take(&mut streams.scratch);
            scratch.resize(SCRATCH, 0);
            let Some(state) = streams.at(token).filter(|state| state.reads() && state.hears()) else {
                streams.scratch = scratch;
                break;
            };
            let received = state.socket.recv(&mut scratch);
            let lingers = state.flags.has(Flags::LINGERING);
            let mut again = event.ready().is_read_hangup();
            match received {
                Ok(0) => {
                    state.flags.set(Flags::ENDED);
                    if !lingers {
                        streams.mark(token, Flags::READ);
                        count += self.tell_or_close(token, StreamEvent::End, context, turn, after);
                    }
                    again = false;
                }
                // It came too late.
                Ok(_) if lingers => {}
                Ok(n) => {
                    streams.mark(token, Flags::READ);
                    count += self.tell(token, StreamEvent::Data(&scratch[..n]), context, turn, after);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => again = true,
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        state.failure.get_or_insert(error);
                    }
                    again = false;
                }
            }
            self.streams.scratch = scratch;
            if !again {
                break;
            }
        }
        count
    }

    /// Tells the callback, and closes the stream unless it said otherwise. Returns how many callbacks were called.
    pub(super) fn tell_or_close(
        &mut self,
        token: Token,
        event: StreamEvent<'_>,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> usize {
        if let Some(state) = self.streams.at(token) {
            state.flags.set(Flags::DOOMED);
        }
        let count = self.tell(token, event, context, turn, after);
        if !self.is_same(turn) {
            return count;
        }
        if let Some(state) = self.live(token).filter(|state| state.flags.has(Flags::DOOMED)) {
            state.flags.take(Flags::DOOMED);
            state.close();
        }
        count
    }

    /// Tells the callback. Returns how many callbacks were called: none when it is not there.
    pub(super) fn tell(
        &mut self,
        token: Token,
        event: StreamEvent<'_>,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> usize {
        let Some(state) = self.streams.at(token) else { return 0 };
        let Some(callback) = state.callback.take() else { return 0 };
        state.flags.set(Flags::CALLED);
        self.streams.begin_burst();
        let result = self.call_stream(token, callback, event, context, turn);
        if !self.is_same(turn) {
            if let (Some(Called::Stream(_, _, place)), Err(error)) = (&mut turn.called, result) {
                *place = Some(error);
            }
            return 1;
        }
        if let Some(Called::Stream(_, callback, _)) = turn.called.take() {
            if self.poller.contains(token) {
                if let Some(state) = self.streams.at(token) {
                    state.callback = Some(callback);
                    state.flags.take(Flags::CALLED);
                }
                if let Err(error) = result {
                    // What was written before goes out: after a failure nothing does.
                    self.flush_cork_of(token);
                    self.fail(token, error);
                }
            }
        }
        self.follow_up(context, turn, after);
        1
    }

    /// Calls it from where a panic leaves it to be dropped in order.
    pub(super) fn call_stream(
        &mut self,
        token: Token,
        callback: Callback<'fd, C>,
        event: StreamEvent<'_>,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
    ) -> io::Result<()> {
        let called = turn.called.insert(Called::Stream(token, callback, None));
        let Called::Stream(_, callback, _) = called else { return Ok(()) };
        let begun = self.measure.begin();
        let result = callback(self, context, token, event);
        if self.is_same(turn) {
            self.measure.called(begun);
        }
        result
    }

    /// After a dispatch in which this reactor was moved away.
    pub(in super::super) fn put_stream_back(
        &mut self,
        token: Token,
        callback: Callback<'fd, C>,
        error: Option<io::Error>,
    ) {
        if self.poller.contains(token) {
            if let Some(state) = self.streams.at(token) {
                state.callback = Some(callback);
                state.flags.take(Flags::CALLED);
                if state.flags.take(Flags::DOOMED) {
                    state.close();
                }
                if let Some(error) = error {
                    self.flush_cork_of(token);
                    self.fail(token, error);
                }
                self.note(token);
            }
        }
    }
}
