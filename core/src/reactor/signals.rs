use std::io;

use super::{Called, Reactor, Turn};
use crate::Token;
use crate::slab::Slab;
use crate::sys::signal;
use crate::token::Kind;

pub(super) type Callback<'fd, C> = Box<dyn FnMut(&mut Reactor<'fd, C>, &mut C, Token, u64) + 'fd>;

struct Watch<'fd, C> {
    signum: i32,
    /// How often the signal came and was not yet told.
    pending: u64,
    /// `None` while it runs.
    callback: Option<Callback<'fd, C>>,
}

/// The signals that a reactor watches.
pub(super) struct Signals<'fd, C> {
    watches: Slab<Watch<'fd, C>>,
    /// Not there before the first is watched, nor after the last.
    system: Option<signal::Signals>,
}

impl<'fd, C> Signals<'fd, C> {
    pub(super) fn new() -> Signals<'fd, C> {
        Signals { watches: Slab::new(Kind::Signal), system: None }
    }

    pub(super) fn len(&self) -> usize {
        self.watches.len()
    }

    pub(super) fn contains(&self, token: Token) -> bool {
        self.watches.contains(token)
    }

    /// Takes over what the handler has counted.
    pub(super) fn take_pending(&mut self) {
        let Some(system) = &self.system else { return };
        // Asked once for each signal, told to all that watch it.
        let mut came = [None; 65];
        for (_, watch) in self.watches.iter_mut() {
            let count = came[watch.signum as usize].get_or_insert_with(|| system.take(watch.signum));
            watch.pending += u64::from(*count);
        }
    }

    /// Whether some have come that were not told yet.
    pub(super) fn has_pending(&self) -> bool {
        let watch = |slot| self.watches.get(self.watches.token_at(slot)?);
        (0..self.watches.slots()).any(|slot| watch(slot).is_some_and(|watch| watch.pending > 0))
    }

    pub(super) fn remove(&mut self, token: Token) -> bool {
        let Some(watch) = self.watches.remove(token) else { return false };
        if let Some(system) = &mut self.system {
            system.unwatch(watch.signum);
        }
        if self.len() == 0 {
            self.system = None;
        }
        true
    }

    /// After a fork, in the child.
    pub(super) fn renew(&mut self) {
        if let Some(system) = &mut self.system {
            system.renew();
        }
    }
}

impl<'fd, C> Reactor<'fd, C> {
    /// Calls back when this process gets a signal, instead of what the signal did before; sigaction(2) with `SA_RESTART`.
    ///
    /// The callback runs in a dispatch, as every other, so that it may do anything; it gets its token and how
    /// often the signal came since the last call (at least 1; the kernel itself merges equal signals that are pending at
    /// once, signal(7)). Any number of reactors and callbacks may watch one signal, and each is told. Only signals
    /// asked for are touched; when the last one in the process that watches a signal is removed, the signal does
    /// again what it did before, unless someone else has set a handler since. What came and was not yet told at the
    /// removal is forgotten.
    ///
    /// A wait that the signal interrupts ends with `EINTR`, and the next one at once. In a child after fork(2) the signals
    /// watched here are caught and dropped until [`reinit`](Self::reinit); exec(3) sets them to their default.
    ///
    /// ```
    /// # use fastsock::Reactor;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// reactor.signal(libc::SIGTERM, |reactor, _, _, _| reactor.stop())?;
    /// # reactor.timer(std::time::Duration::ZERO, |_, _, _, _| { std::process::Command::new("kill").arg(std::process::id().to_string()).status().unwrap(); })?;
    /// reactor.run(&mut ())?; // Until SIGTERM comes.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EINVAL`: no such signal, one that cannot be caught (`SIGKILL`, `SIGSTOP`), or one that tells of a fault
    /// (`SIGSEGV`, `SIGBUS`, `SIGFPE`, `SIGILL`). `EMFILE` and the like from eventfd(2), the first time. `ECHILD`: see
    /// [`reinit`](Self::reinit).
    pub fn signal<F>(&mut self, signum: i32, callback: F) -> io::Result<Token>
    where
        F: FnMut(&mut Reactor<'fd, C>, &mut C, Token, u64) + 'fd,
    {
        let waker = self.poller.waker()?;
        // What came before is not for the newcomer.
        self.signals.take_pending();
        let mut system = self.signals.system.take().unwrap_or_else(|| signal::Signals::new(waker.fd()));
        let result = system.watch(signum).and_then(|()| {
            let watch = Watch { signum, pending: 0, callback: Some(Box::new(callback)) };
            self.signals.watches.insert(watch).inspect_err(|_| system.unwatch(signum))
        });
        if self.signals.len() > 0 {
            self.signals.system = Some(system);
        }
        result
    }

    /// Calls the callbacks of the signals that came, as long as the turn goes on.
    pub(super) fn tell_signals(
        &mut self,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> usize {
        let mut count = 0;
        for slot in 0..self.signals.watches.slots() {
            if !self.goes_on(turn) {
                break;
            }
            let Some(token) = self.signals.watches.token_at(slot) else { continue };
            let Some(watch) = self.signals.watches.get_mut(token).filter(|watch| watch.pending > 0) else { continue };
            let Some(callback) = watch.callback.take() else { continue };
            let times = std::mem::take(&mut watch.pending);
            count += 1;
            let Called::Signal(_, callback) = turn.called.insert(Called::Signal(token, callback)) else { continue };
            let begun = self.measure.begin();
            callback(self, context, token, times);
            if self.is_same(turn) {
                self.measure.called(begun);
                if let Some(Called::Signal(_, callback)) = turn.called.take() {
                    self.put_signal_back(token, callback);
                }
            }
            self.follow_up(context, turn, after);
        }
        count
    }

    pub(super) fn put_signal_back(&mut self, token: Token, callback: Callback<'fd, C>) {
        if let Some(watch) = self.signals.watches.get_mut(token) {
            watch.callback = Some(callback);
        }
    }
}
