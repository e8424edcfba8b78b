//! What follows from what has happened to a stream: after its callback, and for those noted.

use std::io;
use std::net::Shutdown;

use super::super::{Called, Reactor, Turn};
use super::state::{Deadline, Flags};
use crate::stream::{StreamEvent, Timeout};
use crate::{Time, Token, Trigger, error};

impl<'fd, C> Reactor<'fd, C> {
    /// Looks after those that were noted before. Returns how many callbacks were called.
    pub(in super::super) fn settle_noted(
        &mut self,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> usize {
        let mut count = 0;
        for _ in 0..self.streams.noted.len() {
            if !self.goes_on(turn) {
                break;
            }
            let Some(token) = self.streams.next_noted() else { break };
            if token.is_server() {
                count += self.settle_server(token, context, turn, after);
            } else if self.poller.contains(token) {
                if let Some(state) = self.streams.at(token) {
                    state.flags.take(Flags::NOTED);
                    count += self.settle(token, context, turn, after);
                }
            }
        }
        count
    }

    /// Takes a stream as far as it can go now. Returns how many callbacks were called.
    pub(super) fn settle(
        &mut self,
        token: Token,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> usize {
        let mut count = 0;
        while self.is_same(turn) && self.poller.contains(token) {
            self.flush_cork_of(token);
            let stopped = self.stopped;
            let Some(state) = self.streams.at(token) else { break };
            if state.callback.is_none() {
                if !state.flags.has(Flags::CALLED) {
                    // Its server moved this reactor away instead of making one.
                    self.remove_stream(token);
                }
                break;
            }
            if stopped {
                self.note(token);
                break;
            }
            // What followed its callback has panicked, and this is what was to follow that.
            if state.flags.take(Flags::DOOMED) {
                state.close();
            }
            if let Some(error) = state.failure.take() {
                return count + self.finish(token, Err(error), context, turn, after);
            }
            // After `close` nothing is told but `Closed`: what a callback would write then fails, and its error would cost
            // what is still queued.
            if state.flags.take(Flags::CONNECTED) && !state.flags.has(Flags::CLOSING) {
                count += self.tell(token, StreamEvent::Connected, context, turn, after);
                continue;
            }
            if state.flags.take(Flags::UNTRIED) {
                self.streams.send_queued(token);
                continue;
            }
            if state.flags.take(Flags::DUE) {
                if let Some((time, deadline)) = state.deadline() {
                    if time <= Time::now() {
                        match self.expire(token, deadline, context, turn, after) {
                            Ok(calls) => count += calls,
                            Err(result) => return count + self.finish(token, result, context, turn, after),
                        }
                        continue;
                    }
                }
                // Put off since it was set: the timer is due, and has to be set anew in any case.
                state.armed = Time::NEVER;
            }
            if state.flags.take(Flags::BURST) {
                // In its turn, though the kernel has taken everything.
                self.note(token);
                break;
            }
            if state.flags.has(Flags::FULL) && state.queued() <= state.options.low as u64 {
                state.flags.take(Flags::FULL);
                if state.keeps_time() {
                    state.last_read = Time::now();
                }
                if !state.flags.has(Flags::SHUTTING) {
                    count += self.tell(token, StreamEvent::Writable, context, turn, after);
                }
                continue;
            }
            if state.flags.take(Flags::STOPPING) && !state.flags.has(Flags::CLOSING) {
                count += self.tell_or_close(token, StreamEvent::Stopping, context, turn, after);
                continue;
            }
            if state.flags.has(Flags::SHUTTING) && state.queue.is_none() {
                let closing = state.flags.has(Flags::CLOSING);
                let connecting = state.flags.has(Flags::CONNECTING);
                if closing && (connecting || state.flags.has(Flags::ENDED) || state.options.close.is_zero()) {
                    // Nothing is left to read that closing could take for a reason to reset the connection.
                    return count + self.finish(token, Ok(()), context, turn, after);
                }
                if !connecting && !state.flags.has(Flags::SHUT) {
                    state.flags.set(Flags::SHUT);
                    // It fails when the peer is gone already, which reading or closing will tell.
                    let _ = state.socket.shutdown(Shutdown::Write);
                }
                if closing && !state.flags.has(Flags::LINGERING) {
                    state.flags.set(Flags::LINGERING);
                    state.last_write = Time::now();
                }
            }
            // Reading and writing put deadlines off. Only what also changes the interest, or closing, brings one nearer.
            let mut nearer = state.armed == Time::NEVER || state.flags.has(Flags::CLOSING);
            let wanted = state.wanted();
            if wanted != state.interest() {
                state.set_interest(wanted);
                nearer = true;
                if let Err(error) = self.poller.modify(token, wanted, Trigger::Level) {
                    self.fail(token, error);
                    continue;
                }
            }
            if nearer {
                self.arm(token);
            }
            break;
        }
        count
    }

    pub(super) fn fail(&mut self, token: Token, error: io::Error) {
        if let Some(state) = self.streams.at(token) {
            state.failure.get_or_insert(error);
        }
    }

    /// A deadline has passed. `Err`: the stream is at its end, with this result.
    fn expire(
        &mut self,
        token: Token,
        deadline: Deadline,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> Result<usize, io::Result<()>> {
        let Some(state) = self.streams.at(token) else { return Ok(0) };
        state.armed = Time::NEVER;
        let timeout = match deadline {
            Deadline::Close if state.flags.has(Flags::LINGERING) => return Err(Ok(())),
            Deadline::Close => return Err(Err(timed_out(None))),
            Deadline::Connect => return Err(Err(error::with(libc::ETIMEDOUT, "connecting has taken too long"))),
            Deadline::Timeout(timeout) if state.flags.has(Flags::CLOSING) => return Err(Err(timed_out(Some(timeout)))),
            Deadline::Timeout(timeout) => timeout,
        };
        state.flags.set(Flags::DOOMED);
        let count = self.tell(token, StreamEvent::TimedOut(timeout), context, turn, after);
        if self.is_same(turn) && self.poller.contains(token) {
            if let Some(state) = self.streams.at(token) {
                if !state.flags.take(Flags::DOOMED) {
                    state.refresh();
                } else if !state.flags.has(Flags::CLOSING) {
                    state.failure.get_or_insert(timed_out(Some(timeout)));
                }
            }
        }
        Ok(count)
    }

    /// The end: the socket is closed, and the callback told for the last time.
    fn finish(
        &mut self,
        token: Token,
        result: io::Result<()>,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> usize {
        let Some(mut state) = self.detach(token) else { return 0 };
        let Some(callback) = state.callback.take() else { return 0 };
        drop(state);
        // What it returns now concerns nobody.
        let _ = self.call_stream(token, callback, StreamEvent::Closed(result), context, turn);
        if self.is_same(turn) {
            if let Some(Called::Stream(_, callback, _)) = turn.called.take() {
                drop(callback);
            }
            self.follow_up(context, turn, after);
        }
        1
    }

    /// Sees to it that the timer comes no later than the next deadline; it may come before, when that was put off.
    pub(super) fn arm(&mut self, token: Token) {
        let Some(state) = self.streams.at(token) else { return };
        if !state.keeps_time() && !state.flags.has(Flags::CONNECTING) {
            return;
        }
        let Some((time, _)) = state.deadline() else { return };
        if time >= state.armed {
            return;
        }
        state.armed = time;
        let timer = state.timer;
        let armed = match timer {
            Some(timer) => self.streams.timers.rearm(timer, time),
            None => self.streams.timers.insert(time, token).map(|timer| {
                if let Some(state) = self.streams.at(token) {
                    state.timer = Some(timer);
                }
            }),
        };
        if let Err(error) = armed {
            self.fail(token, error);
            self.note(token);
        }
        self.timer_was_set();
    }
}

fn timed_out(timeout: Option<Timeout>) -> io::Error {
    let sentence = match timeout {
        Some(Timeout::Idle) => "nothing was received nor sent for the idle time-out",
        Some(Timeout::Read) => "nothing was received for the read time-out",
        Some(Timeout::Write) => "the peer has taken nothing for the write time-out",
        None => "the peer has taken nothing for the close time-out",
    };
    error::with(libc::ETIMEDOUT, sentence)
}
