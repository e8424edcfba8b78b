use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Reactor;
use crate::{Token, Waker};

type Callback<C> = Box<dyn FnMut(&mut Reactor<C>, &mut C, Token)>;

/// One callback behind the reactor's only waking descriptor.
pub(super) struct Notify<C> {
    asked: Arc<AtomicBool>,
    callback: Option<Callback<C>>,
}

impl<C> Reactor<C> {
    /// A waker with no callback: it ends the wait, no more.
    ///
    /// # Errors
    /// `EMFILE` and the like from eventfd(2), the first time.
    pub fn waker(&mut self) -> io::Result<Waker> {
        self.poller.waker()
    }

    /// A waker with a callback on the reactor's thread. However often it is used between two turns, there is one
    /// call. All wakers of a reactor share one descriptor.
    ///
    /// # Errors
    /// `EMFILE` and the like from eventfd(2), the first time.
    pub fn add_waker<F>(&mut self, callback: F) -> io::Result<(Token, Waker)>
    where
        F: FnMut(&mut Reactor<C>, &mut C, Token) + 'static,
    {
        let asked = Arc::new(AtomicBool::new(false));
        let waker = self.poller.waker()?.with_flag(asked.clone());
        let token = self.notifies.insert(Notify { asked, callback: Some(Box::new(callback)) })?;
        Ok((token, waker))
    }

    /// Calls the callbacks of the wakers that were used.
    pub(super) fn notify(&mut self, context: &mut C) -> usize {
        let used = |notify: &Notify<C>| notify.asked.swap(false, Ordering::AcqRel);
        let tokens: Vec<Token> = self.notifies.iter_mut().filter(|(_, n)| used(n)).map(|(token, _)| token).collect();
        let mut count = 0;
        for token in tokens {
            let Some(mut callback) = self.notifies.get_mut(token).and_then(|n| n.callback.take()) else { continue };
            count += 1;
            let result = catch_unwind(AssertUnwindSafe(|| callback(self, context, token)));
            if let Err(panic) = result {
                drop(self.notifies.remove(token));
                drop(callback);
                resume_unwind(panic);
            }
            if let Some(notify) = self.notifies.get_mut(token) {
                notify.callback = Some(callback);
            }
        }
        count
    }

    /// After a fork: a descriptor of the child's own. The handles given out before stay the parent's.
    pub(super) fn renew_wakers(&mut self) -> io::Result<()> {
        if self.notifies.len() > 0 { self.poller.waker().map(drop) } else { Ok(()) }
    }
}
