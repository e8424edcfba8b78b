use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::PoisonError;

use super::{Reactor, Turn};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard};
use crate::{Waker, error};

type Job<'fd, C> = Box<dyn FnOnce(&mut Reactor<'fd, C>, &mut C) + Send + 'fd>;

/// What a reactor and its submitters share.
struct Queue<'fd, C> {
    /// `None` after the reactor's death.
    jobs: Mutex<Option<Vec<Job<'fd, C>>>>,
    /// How many submitters there are: the reactor runs on while work may come.
    submitters: AtomicUsize,
}

impl<'fd, C> Queue<'fd, C> {
    /// No code of the user's runs under this lock, so that a poisoned one is still whole.
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Job<'fd, C>>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends closures to a reactor from any thread, any time; also after the reactor is gone. From [`Reactor::submitter`].
///
/// Clones send to the same reactor, which [runs](Reactor::run) on for as long as one of them lives. Do not use one in a
/// child after fork(2) when other threads submit: one of them may have held the queue's lock.
///
/// ```
/// use fastsock::Reactor;
/// # fn main() -> std::io::Result<()> {
/// let mut reactor = Reactor::<Vec<u32>>::new()?;
/// let submitter = reactor.submitter()?;
/// let worker = std::thread::spawn(move || {
///     let answer = 6 * 7; // On this thread; what follows runs on the reactor's.
///     submitter.submit(move |_, answers| answers.push(answer))
/// });
/// let mut answers = Vec::new();
/// reactor.run(&mut answers)?; // Until the worker has dropped its submitter.
/// assert_eq!(answers, [42]);
/// # worker.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
pub struct Submitter<'fd, C> {
    queue: Arc<Queue<'fd, C>>,
    waker: Waker,
}

impl<'fd, C> Submitter<'fd, C> {
    /// Runs the closure on the reactor's thread, in one of its next dispatches; never in this call. Closures that one
    /// thread submits run in the order in which it did so. What was written to memory before is visible to the
    /// closure.
    ///
    /// The queue has no bound. A dispatch runs what was queued when it began, no more: whoever submits without end
    /// starves nobody. However many closures are submitted while the reactor sleeps, it is woken by one write.
    ///
    /// A closure that is queued when the reactor dies is dropped on the reactor's thread, unrun. A closure that panics is
    /// treated as every callback: the panic goes to the caller of [`Reactor::dispatch`], the others run in the next.
    ///
    /// ```
    /// use fastsock::Reactor;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<Vec<u32>>::new()?;
    /// let submitter = reactor.submitter()?;
    /// submitter.submit(|_, order| order.push(1))?;
    /// submitter.submit(|_, order| order.push(2))?;
    /// let mut order = Vec::new();
    /// reactor.turn(&mut order, None)?;
    /// assert_eq!(order, [1, 2]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ESHUTDOWN`: the reactor has been dropped. The closure comes back in the error.
    pub fn submit<F>(&self, job: F) -> Result<(), SubmitError<F>>
    where
        F: FnOnce(&mut Reactor<'fd, C>, &mut C) + Send + 'fd,
    {
        // Allocated outside of the lock.
        let job = Box::new(job);
        match &mut *self.queue.lock() {
            Some(jobs) => jobs.push(job),
            None => {
                let error = error::with(libc::ESHUTDOWN, "the reactor that this closure was meant for is gone");
                return Err(SubmitError { job: *job, error });
            }
        }
        // Fails only for a reactor that has died since, and has dropped the closure as any other in the queue.
        let _ = self.waker.wake();
        Ok(())
    }
}

impl<'fd, C> Clone for Submitter<'fd, C> {
    fn clone(&self) -> Submitter<'fd, C> {
        self.queue.submitters.fetch_add(1, Ordering::Relaxed);
        Submitter { queue: self.queue.clone(), waker: self.waker.clone() }
    }
}

impl<'fd, C> Drop for Submitter<'fd, C> {
    fn drop(&mut self) {
        if self.queue.submitters.fetch_sub(1, Ordering::AcqRel) == 1 {
            // The reactor may have been waiting for us alone.
            let _ = self.waker.wake();
        }
    }
}

impl<'fd, C> fmt::Debug for Submitter<'fd, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Submitter")
    }
}

/// A closure that could not be submitted, and why.
///
/// ```
/// use fastsock::{Reactor, SubmitError};
/// # fn main() -> std::io::Result<()> {
/// let mut reactor = Reactor::<u32>::new()?;
/// let submitter = reactor.submitter()?;
/// drop(reactor);
/// let SubmitError { job, error } = submitter.submit(|_, count| *count += 1).unwrap_err();
/// assert_eq!(fastsock::errno(&error), libc::ESHUTDOWN);
/// let (mut other, mut count) = (Reactor::<u32>::new()?, 0);
/// job(&mut other, &mut count); // The closure came back, to be used otherwise.
/// assert_eq!(count, 1);
/// # Ok(())
/// # }
/// ```
pub struct SubmitError<F> {
    /// The closure, as it was given.
    pub job: F,
    /// Why.
    pub error: io::Error,
}

impl<F> fmt::Debug for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<F> fmt::Display for SubmitError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<F> std::error::Error for SubmitError<F> {}

impl<F> From<SubmitError<F>> for io::Error {
    fn from(submit: SubmitError<F>) -> io::Error {
        submit.error
    }
}

/// The reactor's end of the queue.
pub(super) struct Jobs<'fd, C> {
    queue: Option<Arc<Queue<'fd, C>>>,
    /// Taken off the queue to be run in the dispatch that has begun, or in the next if that ends early.
    taken: VecDeque<Job<'fd, C>>,
}

impl<'fd, C> Jobs<'fd, C> {
    pub(super) fn new() -> Jobs<'fd, C> {
        Jobs { queue: None, taken: VecDeque::new() }
    }

    /// Whether none waits and none can come.
    pub(super) fn is_empty(&self) -> bool {
        let Some(queue) = &self.queue else { return true };
        // Asked first: what a submitter queued before it went is in the queue then.
        queue.submitters.load(Ordering::Acquire) == 0
            && self.taken.is_empty()
            && queue.lock().as_ref().is_none_or(Vec::is_empty)
    }

    /// Whether all that were taken off the queue have run.
    pub(super) fn is_done(&self) -> bool {
        self.taken.is_empty()
    }

    /// Takes what is queued now.
    pub(super) fn take_queued(&mut self) {
        if let Some(queue) = &self.queue {
            if let Some(jobs) = &mut *queue.lock() {
                self.taken.extend(jobs.drain(..));
            }
        }
    }
}

impl<'fd, C> Drop for Jobs<'fd, C> {
    fn drop(&mut self) {
        // Dropped outside of the lock: a closure's destructor may submit.
        let queued = self.queue.as_ref().and_then(|queue| queue.lock().take());
        drop(queued);
    }
}

impl<'fd, C> Reactor<'fd, C> {
    /// A handle by which any thread runs closures on this reactor's. [`run`](Self::run) goes on for as long as there
    /// is one (or until [`stop`](Self::stop)).
    ///
    /// ```
    /// use fastsock::Reactor;
    /// # fn main() -> std::io::Result<()> {
    /// let mut reactor = Reactor::<u32>::new()?;
    /// let submitter = reactor.submitter()?;
    /// let thread = std::thread::spawn(move || submitter.submit(|_, sum| *sum += 42).is_ok());
    /// let mut sum = 0;
    /// reactor.run(&mut sum)?; // Until the thread has dropped its submitter.
    /// assert_eq!(sum, 42);
    /// # assert!(thread.join().unwrap());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `EMFILE` and the like from eventfd(2), the first time. `ECHILD`: see [`reinit`](Self::reinit).
    pub fn submitter(&mut self) -> io::Result<Submitter<'fd, C>> {
        let waker = self.poller.waker()?;
        let queue = self.jobs.queue.get_or_insert_with(|| {
            Arc::new(Queue { jobs: Mutex::new(Some(Vec::new())), submitters: AtomicUsize::new(0) })
        });
        queue.submitters.fetch_add(1, Ordering::Relaxed);
        Ok(Submitter { queue: queue.clone(), waker })
    }

    /// Runs what [`Jobs::take_queued`] has taken, as long as the turn goes on.
    pub(super) fn run_jobs(
        &mut self,
        context: &mut C,
        turn: &Turn<'fd, C>,
        after: &mut impl FnMut(&mut Self, &mut C),
    ) -> usize {
        let mut count = 0;
        while self.goes_on(turn) {
            let Some(job) = self.jobs.taken.pop_front() else { break };
            count += 1;
            let begun = self.measure.begin();
            job(self, context);
            if self.is_same(turn) {
                self.measure.called(begun);
            }
            self.follow_up(context, turn, after);
        }
        count
    }
}
