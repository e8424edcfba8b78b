//! Leaving a coroutine and coming back to it.

use pyo3::prelude::*;

use crate::errors::{Slim, misuse};
use crate::greenlet::Greenlet;
use crate::hub::Hub;
use crate::task::Job;

/// How much I/O a coroutine may do before the others get their turn: one for each call, and one for each 4 KiB.
pub(crate) const BUDGET: i32 = 128;

/// Why a parked coroutine goes on.
pub(crate) enum Why {
    /// What it waited for has come, or may have: look again.
    Ready,
    TimedOut,
    /// `interrupt()` was called.
    Interrupted,
    /// A worker gets something to do.
    Start(Box<Job>),
    /// An exception is raised where it waits.
    Throw(Box<PyErr>),
}

pub(crate) struct Resume {
    pub(crate) greenlet: Greenlet,
    pub(crate) why: Why,
}

impl Resume {
    /// Whether this enters a greenlet for the first time.
    pub(crate) fn is_birth(&self) -> bool {
        matches!(&self.why, Why::Start(job) if job.is_first())
    }
}

impl Hub {
    /// Lets a greenlet go on, in its turn.
    pub(crate) fn push(&self, greenlet: Greenlet, why: Why) {
        self.ready.borrow_mut().push_back(Resume { greenlet, why });
    }

    /// Takes back an exception that was to be raised in a greenlet and has not been.
    pub(crate) fn take_throw(&self, greenlet: &Greenlet) -> Option<Box<PyErr>> {
        let mut ready = self.ready.borrow_mut();
        let place = ready.iter().position(|r| r.greenlet.is(greenlet) && matches!(r.why, Why::Throw(_)))?;
        match ready.remove(place)?.why {
            Why::Throw(error) => Some(error),
            _ => None,
        }
    }

    /// The greenlet that is about to wait: never the loop's own.
    #[inline(never)]
    pub(crate) fn parkable(&self, py: Python<'_>) -> PyResult<Greenlet> {
        let current = Greenlet::current(py)?;
        if self.home.borrow().as_ref().is_some_and(|home| home.is(&current)) {
            return Err(misuse("this call would wait on the loop's own greenlet, and nothing could ever wake it"));
        }
        Ok(current)
    }

    pub(crate) fn home(&self, py: Python<'_>) -> Option<Greenlet> {
        self.home.borrow().as_ref().map(|home| home.clone_ref(py))
    }

    // From here to the switch, frames are kept small: they are saved for every parked coroutine.

    /// Gives way until someone resumes the current greenlet (which has seen to that) and says why.
    ///
    /// Goes straight to the next coroutine that is ready, and to the loop only when there is none.
    pub(crate) fn park(&self, py: Python<'_>) -> PyResult<Why> {
        let switched = self.leave(py);
        self.back(switched).map_err(|error| *error)
    }

    /// What comes after a switch away and back: the reason for the return.
    #[inline(never)]
    pub(crate) fn back(&self, switched: Slim<()>) -> Slim<Why> {
        switched?;
        self.budget.set(BUDGET);
        match self.why.take() {
            Some(Why::Throw(error)) => Err(error),
            Some(why) => Ok(why),
            // Someone else switched here: let the caller look again.
            None => Ok(Why::Ready),
        }
    }

    /// Away from the current greenlet; returns when it is switched to again.
    pub(crate) fn leave(&self, py: Python<'_>) -> Slim<()> {
        self.next(py)?.switch(py)
    }

    /// Where to go on, which is told why.
    #[inline(never)]
    pub(crate) fn next(&self, py: Python<'_>) -> PyResult<Greenlet> {
        if self.slice.get() > 0 {
            let mut ready = self.ready.borrow_mut();
            // A greenlet lies for its whole life where it was first entered, and counts its recursion from there: each
            // begins on the loop, not on top of another coroutine.
            if ready.front().is_some_and(|resume| !resume.is_birth()) {
                if let Some(resume) = ready.pop_front() {
                    drop(ready);
                    self.slice.set(self.slice.get() - 1);
                    self.why.replace(Some(resume.why));
                    return Ok(resume.greenlet);
                }
            }
        }
        self.home(py).ok_or_else(|| misuse("the loop has ended"))
    }

    /// Into a greenlet that is ready.
    pub(crate) fn enter(&self, py: Python<'_>, resume: Resume) -> PyResult<()> {
        self.why.replace(Some(resume.why));
        let result = resume.greenlet.switch(py);
        // Still here when someone switched by hand, past us: nobody else's reason.
        let unclaimed = self.why.take();
        drop(unclaimed);
        result.map_err(|error| *error)
    }

    /// What `Start` brought to the worker that has just been entered.
    #[inline(never)]
    pub(crate) fn take_job(&self) -> Option<Box<Job>> {
        match self.why.take() {
            Some(Why::Start(job)) => Some(job),
            // Meant for what this worker did before.
            _ => None,
        }
    }

    /// Pays for I/O that did not wait. Who never waits gives way now and then.
    #[inline]
    pub(crate) fn spend(&self, py: Python<'_>, bytes: usize) -> PyResult<()> {
        let left = self.budget.get() - 1 - (bytes >> 12) as i32;
        self.budget.set(left);
        if left < 0 { self.give_way(py) } else { Ok(()) }
    }

    /// Behind everyone who is ready, and after a look at the kernel.
    #[cold]
    pub(crate) fn give_way(&self, py: Python<'_>) -> PyResult<()> {
        self.flush(py)?;
        self.budget.set(BUDGET);
        // On the loop's own greenlet (a signal handler) there is nobody to give way to.
        let Ok(current) = self.parkable(py) else { return Ok(()) };
        self.push(current, Why::Ready);
        self.park(py).map(drop)
    }
}
