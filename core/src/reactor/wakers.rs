use std::io;

use super::{Called, Reactor, Turn};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::{Token, Waker};

pub(super) type Callback<'fd, C> = Box<dyn FnMut(&mut Reactor<'fd, C>, &mut C, Token) + 'fd>;

/// One callback behind the reactor's only waking descriptor.
pub(super) struct Notify<'fd, C> {
    asked: Arc<AtomicBool>,
    callback: Option<Callback<'fd, C>>,
}

impl<'fd, C> Reactor<'fd, C> {
    /// A waker with no callback: it ends the wait, no more.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<()>::new()?;
    /// let waker = reactor.waker()?;
    /// std::thread::spawn(move || waker.wake());
    /// assert_eq!(reactor.turn(&mut (), None)?, 0); // Woken, with nothing to call.
    /// assert_eq!(reactor.stats().wakeups, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EMFILE` and the like from eventfd(2), the first time.
    pub fn waker(&mut self) -> io::Result<Waker> {
        self.poller.waker()
    }

    /// A waker with a callback on the reactor's thread. However often it is used between two turns, there is one
    /// call. All wakers of a reactor share one descriptor.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<u32>::new()?;
    /// let (token, waker) = reactor.add_waker(|reactor, calls, token| {
    ///     *calls += 1;
    ///     reactor.remove(token);
    /// })?;
    /// let thread = std::thread::spawn(move || waker.wake());
    /// let mut calls = 0;
    /// reactor.run(&mut calls)?; // Until the callback has removed its waker.
    /// assert!(calls == 1 && !reactor.contains(token));
    /// # thread.join().unwrap()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EMFILE` and the like from eventfd(2), the first time.
    pub fn add_waker<F>(&mut self, callback: F) -> io::Result<(Token, Waker)>
    where
        F: FnMut(&mut Reactor<'fd, C>, &mut C, Token) + 'fd,
    {
        let asked = Arc::new(AtomicBool::new(false));
        let waker = self.poller.waker()?.with_flag(asked.clone());
        let token = self.notifies.insert(Notify { asked, callback: Some(Box::new(callback)) })?;
        Ok((token, waker))
    }

    /// Calls the callbacks of the wakers that were used, as long as the turn goes on.
    pub(super) fn notify(
        &mut self,
        context: &mut C,
        turn: &mut Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> usize {
        let mut count = 0;
        while self.goes_on(turn) && self.notified < self.notifies.slots() {
            let slot = self.notified;
            self.notified += 1;
            let Some(token) = self.notifies.token_at(slot) else { continue };
            let Some(notify) = self.notifies.get_mut(token) else { continue };
            if !notify.asked.swap(false, Ordering::AcqRel) {
                continue;
            }
            let Some(callback) = notify.callback.take() else { continue };
            count += 1;
            let Called::Waker(_, callback) = turn.called.insert(Called::Waker(token, callback)) else { continue };
            let begun = self.measure.begin();
            callback(self, context, token);
            if self.is_same(turn) {
                self.measure.called(begun);
                if let Some(Called::Waker(_, callback)) = turn.called.take() {
                    self.put_waker_back(token, callback);
                }
            }
            self.follow_up(context, turn, after);
        }
        count
    }

    pub(super) fn put_waker_back(&mut self, token: Token, callback: Callback<'fd, C>) {
        if let Some(notify) = self.notifies.get_mut(token) {
            notify.callback = Some(callback);
        }
    }
}
