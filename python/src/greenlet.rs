//! greenlet's C API, which is a capsule of function pointers (greenlet.h).

use std::ffi::c_void;

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{ffi, intern};

use crate::errors::Slim;

type Raw = *mut ffi::PyObject;

/// The functions we use, by their places in the capsule.
struct Api {
    /// `PyGreenlet_New(run, parent)`, a new reference.
    new: unsafe extern "C" fn(Raw, Raw) -> Raw,
    /// `PyGreenlet_GetCurrent()`, a new reference.
    current: unsafe extern "C" fn() -> Raw,
    /// `PyGreenlet_Switch(greenlet, args, kwargs)`, a new reference.
    switch: unsafe extern "C" fn(Raw, Raw, Raw) -> Raw,
    exit: Py<PyAny>,
}

// SAFETY: plain functions, which are called with the GIL held only.
unsafe impl Send for Api {}
// SAFETY: as above.
unsafe impl Sync for Api {}

static API: PyOnceLock<Api> = PyOnceLock::new();

const NEW: usize = 3;
const GET_CURRENT: usize = 4;
const SWITCH: usize = 6;

#[inline]
fn api(py: Python<'_>) -> PyResult<&'static Api> {
    match API.get(py) {
        Some(api) => Ok(api),
        None => first(py),
    }
}

#[cold]
#[inline(never)]
fn first(py: Python<'_>) -> PyResult<&'static Api> {
    API.get_or_try_init(py, || load(py))
}

fn load(py: Python<'_>) -> PyResult<Api> {
    let module = py.import("greenlet").map_err(|error| {
        if !error.is_instance_of::<PyImportError>(py) {
            return error;
        }
        let mended = PyImportError::new_err(
            "fastsock needs greenlet to run blocking-style handlers on its loop: install it with `python -m pip install greenlet`",
        );
        mended.set_cause(py, Some(error));
        mended
    })?;
    let exit = module.getattr(intern!(py, "GreenletExit"))?.unbind();
    // SAFETY: the name is NUL-terminated; a null result comes with an exception.
    let table = unsafe { ffi::PyCapsule_Import(c"greenlet._C_API".as_ptr(), 0) }.cast::<*mut c_void>();
    if table.is_null() {
        return Err(PyErr::fetch(py));
    }
    // SAFETY: greenlet.h gives these places and types to the capsule's table, which lives as long as the module
    // (kept alive by sys.modules and by `exit`), and has not changed them since greenlet 1.0.
    unsafe {
        Ok(Api {
            new: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(Raw, Raw) -> Raw>(*table.add(NEW)),
            current: std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> Raw>(*table.add(GET_CURRENT)),
            switch: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(Raw, Raw, Raw) -> Raw>(*table.add(SWITCH)),
            exit,
        })
    }
}

/// A greenlet: a Python object whose C stack is swapped in and out.
pub(crate) struct Greenlet(Py<PyAny>);

impl Greenlet {
    /// The one that runs. Imports greenlet the first time.
    #[inline]
    pub(crate) fn current(py: Python<'_>) -> PyResult<Greenlet> {
        let api = api(py)?;
        // SAFETY: we are attached; a new reference or null with an exception.
        unsafe { Bound::from_owned_ptr_or_err(py, (api.current)()) }.map(|g| Greenlet(g.unbind()))
    }

    /// One that will call `run()` when it is first switched to, and go to `parent` when that returns.
    pub(crate) fn new(py: Python<'_>, run: &Bound<'_, PyAny>, parent: &Greenlet) -> PyResult<Greenlet> {
        let api = api(py)?;
        // SAFETY: both are live objects, `parent` is a greenlet; a new reference or null with an exception.
        let new = unsafe { Bound::from_owned_ptr_or_err(py, (api.new)(run.as_ptr(), parent.0.as_ptr())) }?;
        Ok(Greenlet(new.unbind()))
    }

    /// Goes on in this greenlet, and returns when someone switches back.
    #[inline]
    pub(crate) fn switch(&self, py: Python<'_>) -> Slim<()> {
        let api = api(py)?;
        let null = std::ptr::null_mut();
        // SAFETY: a greenlet; no arguments is an empty tuple. What is on this stack is moved away and back: nothing
        // outside points at it.
        let result = unsafe { (api.switch)(self.0.as_ptr(), null, null) };
        if result.is_null() {
            return Err(raised(py));
        }
        // SAFETY: a new reference.
        unsafe { ffi::Py_DECREF(result) };
        Ok(())
    }

    #[inline]
    pub(crate) fn is(&self, other: &Greenlet) -> bool {
        self.0.as_ptr() == other.0.as_ptr()
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Greenlet {
        Greenlet(self.0.clone_ref(py))
    }

    /// Who goes on when it has ended.
    pub(crate) fn set_parent(&self, py: Python<'_>, parent: &Greenlet) -> PyResult<()> {
        self.0.bind(py).setattr(intern!(py, "parent"), parent.0.bind(py))
    }

    pub(crate) fn set_context(&self, py: Python<'_>, context: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.bind(py).setattr(intern!(py, "gr_context"), context)
    }
}

#[cold]
#[inline(never)]
fn raised(py: Python<'_>) -> Box<PyErr> {
    Box::new(PyErr::fetch(py))
}

/// A fresh `GreenletExit`.
pub(crate) fn exit(py: Python<'_>) -> PyResult<PyErr> {
    Ok(PyErr::from_value(api(py)?.exit.bind(py).call0()?))
}

/// Whether an error is a `GreenletExit`: the quiet end of a coroutine.
pub(crate) fn is_exit(py: Python<'_>, error: &PyErr) -> bool {
    api(py).is_ok_and(|api| error.is_instance(py, api.exit.bind(py)))
}
