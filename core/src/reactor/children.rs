use std::io;
use std::process::ExitStatus;

use super::Reactor;
use crate::sys::child;
use crate::{Interest, Token, Trigger};

impl<'fd, C> Reactor<'fd, C> {
    /// Calls back once when this child process ends, with how: its exit code, or the signal that killed it. Also for one
    /// that has ended already and was not waited for. Its number comes from [`Child::id`](std::process::Child::id) or
    /// fork(2).
    ///
    /// The reactor waits for this child (waitid(2)) and no other, once it has ended; so do not wait for it yourself, nor
    /// kill it by its number after the callback, when the number may be another's. `SIGCHLD` is not touched. Removed
    /// by its token before that, the child is yours to wait for again. It costs one descriptor (pidfd_open(2)).
    ///
    /// The callback's token is stale by then. Its error is `ECHILD`: the child has ended, but someone else has
    /// waited for it, or `SIGCHLD` is ignored.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// use std::process::Command;
    /// # fn main() -> std::io::Result<()> {
    /// let child = Command::new("sh").args(["-c", "exit 3"]).spawn()?;
    /// let mut reactor = Reactor::<Option<i32>>::new()?;
    /// reactor.child(child.id(), |_, code, _, status| *code = status.unwrap().code())?;
    /// let mut code = None;
    /// reactor.run(&mut code)?;
    /// assert_eq!(code, Some(3));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ESRCH`: no such process, or it was waited for already. `ECHILD`: not a child of this process; or see
    /// [`reinit`](Self::reinit). `EINVAL`: 0, or no process number. `EOPNOTSUPP`: before Linux 5.4, or elsewhere. `EMFILE` and the like.
    pub fn child<F>(&mut self, pid: u32, callback: F) -> io::Result<Token>
    where
        F: FnOnce(&mut Reactor<'fd, C>, &mut C, Token, io::Result<ExitStatus>) + 'fd,
        C: 'fd,
    {
        let fd = child::open(pid)?;
        let mut callback = Some(callback);
        let token = self.add(fd, Interest::READABLE, Trigger::Level, move |reactor, context, fd, event| {
            let Some(ended) = child::reap(fd).transpose() else { return };
            let token = event.token();
            reactor.remove(token);
            if let Some(callback) = callback.take() {
                callback(reactor, context, token, ended);
            }
        })?;
        Ok(token)
    }
}
