//! The end of a thread that had a loop.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict};

use crate::greenlet::Greenlet;
use crate::hub::{Hub, thread_id};
use crate::task;

/// How often coroutines that wait again in their clean-up are ended, and for how long they are waited for each time.
const ROUNDS: usize = 10;
const ROUND: f64 = 0.1;

/// Dropped with the thread's own dictionary: on the thread, and while it can still run Python code.
///
/// A greenlet that is parked when its thread ends can never be ended: what its stack owns would be lost, the loop's
/// descriptors among it.
#[pyclass(frozen)]
pub(crate) struct Farewell {
    thread: usize,
}

impl Farewell {
    /// For every thread but the main one, which ends with the process.
    pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
        let threading = py.import("threading")?;
        let current = threading.call_method0("get_ident")?;
        if threading.call_method0("main_thread")?.getattr("ident")?.eq(current)? {
            return Ok(());
        }
        // SAFETY: attached; a borrowed reference, or null when there is no room for one.
        let dict = unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyThreadState_GetDict()) };
        if let Some(dict) = dict {
            dict.cast::<PyDict>()?.set_item("fastsock loop", Farewell { thread: thread_id() })?;
        }
        Ok(())
    }

    fn say(py: Python<'_>) -> PyResult<()> {
        let hub = Hub::of_thread(py)?;
        if hub.is_running() {
            return Ok(());
        }
        let reap = PyCFunction::new_closure(py, None, None, |args, _| reap(args.py()))?;
        let empty = pyo3::types::PyTuple::empty(py).unbind();
        task::run(py, reap.into_any().unbind(), empty)?;
        // Those without work just return, to whom they are told to.
        hub.retire();
        let me = Greenlet::current(py)?;
        let idle = hub.idle.take();
        for worker in idle {
            worker.set_parent(py, &me)?;
            worker.switch(py).map_err(|error| *error)?;
        }
        Ok(())
    }
}

/// Ends every coroutine of the thread but this one.
fn reap(py: Python<'_>) -> PyResult<()> {
    let hub = Hub::of_thread(py)?;
    let me = Greenlet::current(py)?;
    for _ in 0..ROUNDS {
        let mut left = 0;
        for group in hub.groups() {
            left += group.kill(py, &hub)?;
        }
        if left == 0 {
            break;
        }
        for group in hub.groups() {
            // The one that counts this very coroutine never gets empty.
            group.join(py, 1 + usize::from(group.contains(&me)), Some(ROUND), false)?;
        }
    }
    Ok(())
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if self.thread != thread_id() {
            return;
        }
        // None: the interpreter is ending, and its threads with it.
        let _ = Python::try_attach(|py| {
            if let Err(error) = Farewell::say(py) {
                error.write_unraisable(py, None);
            }
            Hub::end(py);
        });
    }
}
