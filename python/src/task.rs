//! Coroutines: pooled worker greenlets, and the groups that keep count of what they do.

use std::cell::RefCell;
use std::panic::catch_unwind;
use std::rc::Rc;

use fastsock::Time;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use pyo3::{ffi, intern};

use crate::alarm::Alarm;
use crate::attached::Attached;
use crate::channel::{Channel, Kind};
use crate::errors::misuse;
use crate::greenlet::{self, Greenlet};
use crate::hub::Hub;
use crate::members::Members;
use crate::park::Why;
use crate::socket::duration;

/// How many workers without work are kept.
const POOL: usize = 256;

/// Something for a worker to do.
pub(crate) struct Job {
    call: Py<PyAny>,
    args: Py<PyTuple>,
    /// The `contextvars` of who started it, copied.
    context: Py<PyAny>,
    members: Rc<Members>,
    id: usize,
    /// Whether its worker has never run.
    first: bool,
    /// Where the result goes, when someone waits for it.
    outcome: Option<Rc<Outcome>>,
}

#[derive(Default)]
struct Outcome(RefCell<Option<PyResult<Py<PyAny>>>>);

/// What every worker greenlet runs: a C function, not a `#[pyfunction]`, whose wrapper would lie under every coroutine.
unsafe extern "C" fn work(_module: *mut ffi::PyObject, _args: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: Python calls this, so we are attached; and the loop's own frame, which is below this one for as long as
    // workers run, has told pyo3 so.
    let py = unsafe { Python::assume_attached() };
    let result =
        catch_unwind(|| serve(py)).unwrap_or_else(|_| Err(PanicException::new_err("a coroutine's worker panicked")));
    match result {
        Ok(()) => py.None().into_ptr(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}

fn serve(py: Python<'_>) -> PyResult<()> {
    let hub = Hub::of_thread(py)?;
    loop {
        if let Some(mut job) = hub.take_job() {
            job.begin(py)?;
            let result = job.call(py);
            job.end(py, &hub, result);
            if !rest(py, &hub)? {
                return Ok(());
            }
        } else if hub.is_dead() {
            return Ok(());
        }
        // Entered without a job: by who meant what this worker did before. It rests as it did, or its job is on the way.
        hub.leave(py).map_err(|error| *error)?;
    }
}

#[cold]
fn new_work(py: Python<'_>) -> PyResult<Py<PyAny>> {
    let method = Box::new(ffi::PyMethodDef {
        ml_name: c"work".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: work },
        ml_flags: ffi::METH_NOARGS,
        ml_doc: std::ptr::null(),
    });
    // SAFETY: the definition is never freed, as the function object demands.
    unsafe {
        let function = ffi::PyCFunction_NewEx(Box::leak(method), std::ptr::null_mut(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(py, function).map(Bound::unbind)
    }
}

/// Into the pool, if there is room.
#[inline(never)]
fn rest(py: Python<'_>, hub: &Hub) -> PyResult<bool> {
    let me = Greenlet::current(py)?;
    let mut idle = hub.idle.borrow_mut();
    if hub.is_dead() || idle.len() >= POOL {
        return Ok(false);
    }
    idle.push(me);
    Ok(true)
}

static WORK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static COPY_CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// A worker, and whether it is new.
fn worker(py: Python<'_>, hub: &Hub) -> PyResult<(Greenlet, bool)> {
    let pooled = hub.idle.borrow_mut().pop();
    if let Some(worker) = pooled {
        return Ok((worker, false));
    }
    let run = WORK.get_or_try_init(py, || new_work(py))?;
    let parent = match hub.home(py) {
        Some(home) => home,
        None => Greenlet::current(py)?,
    };
    Ok((Greenlet::new(py, run.bind(py), &parent)?, true))
}

fn spawn(
    py: Python<'_>,
    hub: &Rc<Hub>,
    members: &Rc<Members>,
    call: Py<PyAny>,
    args: Py<PyTuple>,
    outcome: Option<Rc<Outcome>>,
) -> PyResult<Greenlet> {
    members.settle(hub)?;
    let copy = COPY_CONTEXT
        .get_or_try_init(py, || -> PyResult<_> { Ok(py.import("contextvars")?.getattr("copy_context")?.unbind()) })?;
    let context = copy.bind(py).call0()?.unbind();
    let (worker, first) = worker(py, hub)?;
    let id = members.enter(worker.clone_ref(py));
    let job = Job { call, args, context, members: members.clone(), id, first, outcome };
    hub.push(worker.clone_ref(py), Why::Start(Box::new(job)));
    Ok(worker)
}

impl Job {
    /// Whether it enters its worker for the first time.
    pub(crate) fn is_first(&self) -> bool {
        self.first
    }

    #[inline(never)]
    fn begin(&mut self, py: Python<'_>) -> PyResult<()> {
        // By the worker itself: greenlet takes one that is parked without a Python frame for one that runs elsewhere.
        Greenlet::current(py)?.set_context(py, self.context.bind(py))
    }

    #[inline(never)]
    fn call(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        // SAFETY: a callable and a tuple, both alive for as long as the job is; a new reference or null with an exception.
        unsafe {
            let result = ffi::PyObject_Call(self.call.as_ptr(), self.args.as_ptr(), std::ptr::null_mut());
            Bound::from_owned_ptr_or_err(py, result).map(Bound::unbind)
        }
    }

    #[inline(never)]
    fn end(self, py: Python<'_>, hub: &Hub, result: PyResult<Py<PyAny>>) {
        // What it wrote goes out even when nothing waits any more.
        let flushed = hub.flush(py);
        let result = result.and_then(|value| flushed.map(|()| value));
        if let Some(outcome) = &self.outcome {
            // Ctrl-C that was on its way here comes before the result: nobody else would ever see it.
            let late = Greenlet::current(py).ok().and_then(|me| hub.take_throw(&me));
            outcome.0.replace(Some(late.map_or(result, |error| Err(*error))));
        } else if let Err(error) = result {
            report(py, hub, error);
        }
        if let Ok(me) = Greenlet::current(py) {
            let _ = me.set_context(py, py.None().bind(py));
        }
        let Job { call, args, context, members, id, .. } = self;
        // Their destructors may run anything; do it while this is still a coroutine like any other.
        drop((call, args, context));
        members.leave(hub, id);
    }
}

thread_local! {
    /// The coroutine that `run` waits for: Ctrl-C is raised there.
    static MAIN: RefCell<Option<Greenlet>> = const { RefCell::new(None) };
}

/// What a coroutine raised and nobody caught: Ctrl-C, or what another signal's handler raised to end the program, goes to
/// who runs the loop; GreenletExit is quiet, the rest is shown as `threading` shows it (which passes over SystemExit).
#[cold]
fn report(py: Python<'_>, hub: &Hub, error: PyErr) {
    if greenlet::is_exit(py, &error) {
        return;
    }
    if error.is_instance_of::<PyKeyboardInterrupt>(py) || is_from_signal(py, &error) {
        let main = MAIN.with_borrow(|main| main.as_ref().map(|main| main.clone_ref(py)));
        if let Some(main) = main {
            hub.push(main, Why::Throw(Box::new(error)));
        }
        return;
    }
    let shown = || -> PyResult<()> {
        let threading = py.import("threading")?;
        let thread = threading.call_method0("current_thread")?;
        let parts = (error.get_type(py), error.value(py), error.traceback(py), thread);
        let args = threading.getattr("ExceptHookArgs")?.call1((parts,))?;
        threading.call_method1("excepthook", (args,)).map(drop)
    };
    if let Err(failure) = shown() {
        failure.write_unraisable(py, None);
    }
}

/// Whether a signal handler has raised it, in whichever coroutine ran at that moment.
fn is_from_signal(py: Python<'_>, error: &PyErr) -> bool {
    let ask = || py.import("fastsock.loop")?.call_method1("is_from_signal", (error.value(py),))?.extract();
    ask().unwrap_or(false)
}

/// Coroutines that belong together: those of one server.
#[pyclass(frozen, module = "fastsock._fastsock")]
pub(crate) struct Group(Attached<Rc<Members>>);

#[pymethods]
impl Group {
    #[new]
    fn new() -> Group {
        Group(Attached::new(Rc::default()))
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.0.get(py).len()
    }

    /// Starts `call(*args)` as a coroutine on this thread's loop; it begins at the next wait of the caller.
    #[pyo3(signature = (call, *args))]
    fn spawn(&self, py: Python<'_>, call: Py<PyAny>, args: Py<PyTuple>) -> PyResult<()> {
        let hub = Hub::of_thread(py)?;
        spawn(py, &hub, self.0.get(py), call, args, None).map(drop)
    }

    /// As `spawn`; `False`, and nothing is started, where no loop runs that the caller is a coroutine of.
    #[pyo3(signature = (call, *args))]
    fn spawn_in_loop(&self, py: Python<'_>, call: Py<PyAny>, args: Py<PyTuple>) -> PyResult<bool> {
        match Hub::running(py) {
            Some(hub) if hub.parkable(py).is_ok() => spawn(py, &hub, self.0.get(py), call, args, None).map(|_| true),
            _ => Ok(false),
        }
    }

    /// Waits until fewer than `below` coroutines are left, or `timeout` seconds; whether it came to that. On the loop only.
    #[pyo3(signature = (below = 1, timeout = None, interruptible = false))]
    fn join(&self, py: Python<'_>, below: usize, timeout: Option<f64>, interruptible: bool) -> PyResult<bool> {
        self.0.get(py).join(py, below, timeout, interruptible)
    }

    /// Makes an interruptible `join` of another coroutine or thread end early; without one, the next.
    fn interrupt(&self, py: Python<'_>) {
        self.0.get(py).interrupt();
    }

    /// Raises `GreenletExit` in every coroutine that is left, where it waits. Returns how many there were. On the
    /// group's own thread only; `join` waits for their clean-up.
    fn kill(&self, py: Python<'_>) -> PyResult<usize> {
        let members = self.0.get(py);
        match members.hub() {
            Some(hub) if hub.is_here() => members.kill(py, &hub),
            Some(_) if members.len() > 0 => {
                Err(misuse("this group's coroutines run on another thread's loop: end them there"))
            }
            _ => Ok(0),
        }
    }
}

/// Calls `call(*args)` as a coroutine and runs this thread's loop until it returns. In a coroutine already: just
/// calls it.
#[pyfunction]
#[pyo3(signature = (call, *args))]
pub(crate) fn run(py: Python<'_>, call: Py<PyAny>, args: Py<PyTuple>) -> PyResult<Py<PyAny>> {
    let hub = Hub::of_thread(py)?;
    if hub.is_running() {
        return call.bind(py).call1(args.bind(py)).map(Bound::unbind);
    }
    let members = Rc::new(Members::default());
    let outcome = Rc::new(Outcome::default());
    let main = spawn(py, &hub, &members, call, args, Some(outcome.clone()))?;
    MAIN.set(Some(main.clone_ref(py)));
    let ended = || members.len() == 0;
    let result = hub.run(py, &main, &ended);
    MAIN.set(None);
    result?;
    // Ctrl-C on its way to a coroutine that has ended in the same turn.
    if let Some(error) = hub.take_throw(&main) {
        return Err(*error);
    }
    outcome.0.take().unwrap_or_else(|| Err(misuse("the coroutine ended without a result")))
}

/// Waits `seconds` on the loop (off it, as `time.sleep`). 0 lets everyone else have a turn.
#[pyfunction]
pub(crate) fn sleep(py: Python<'_>, seconds: f64) -> PyResult<()> {
    let Some(hub) = Hub::running(py) else {
        return py.import("time")?.call_method1(intern!(py, "sleep"), (seconds,)).map(drop);
    };
    let duration = duration(Some(seconds))?.unwrap_or_default();
    if duration.is_zero() {
        return hub.give_way(py);
    }
    let deadline = Time::now() + duration;
    hub.flush(py)?;
    while Time::now() < deadline {
        let me = hub.parkable(py)?;
        let alarm = hub.alarm(deadline, Alarm::Greenlet(me))?;
        let result = hub.park(py);
        hub.cancel(alarm);
        result?;
    }
    Ok(())
}

/// Whether the caller is a coroutine on this thread's running loop.
#[pyfunction]
pub(crate) fn in_loop(py: Python<'_>) -> bool {
    Hub::running(py).is_some_and(|hub| hub.parkable(py).is_ok())
}

/// Lets bytes that come from this pipe end the waits of this thread's loop, for as long as there is one. They are read by
/// nobody: Python code that did so could itself be where a signal's exception is raised.
#[pyfunction]
pub(crate) fn ring_on(py: Python<'_>, fd: i32) -> PyResult<()> {
    Hub::of_thread(py)?.watch(&Channel::new(fd, Kind::Bell)).map(drop)
}

/// Sends what this thread's coroutines have written and have not waited for; in a coroutine it waits until that is done.
///
/// For `os.register_at_fork`: a child may write too, and has copies of what has not been sent.
#[pyfunction]
pub(crate) fn flush(py: Python<'_>) -> PyResult<()> {
    let Some(hub) = Hub::here(py) else { return Ok(()) };
    hub.send_posts(py);
    if hub.parkable(py).is_ok() { hub.flush(py) } else { Ok(()) }
}

/// Starts a coroutine that does that: the loop itself cannot wait.
#[cold]
pub(crate) fn flush_soon(py: Python<'_>) -> PyResult<()> {
    let hub = Hub::of_thread(py)?;
    let call = py.import("fastsock._fastsock")?.getattr("flush")?.unbind();
    spawn(py, &hub, &Rc::default(), call, PyTuple::empty(py).unbind(), None).map(drop)
}

/// For `os.register_at_fork`: the child leaves the loop.
#[pyfunction]
pub(crate) fn after_fork_in_child(py: Python<'_>) {
    Hub::abandon(py);
}
