//! What C gives along with a callback, and how it gets it back.

use std::ffi::c_void;
use std::mem;

use crate::home::fsock_loop;

/// Gives a callback's user data back: called exactly once, after the last call of the callback, on the loop's thread.
/// free is one. NULL is none. It may call any function of the loop except those that wait.
pub type fsock_drop = Option<unsafe extern "C-unwind" fn(user: *mut c_void)>;

/// User data that the loop owns, for as long as a callback may want it.
pub(crate) struct User {
    data: *mut c_void,
    drop: fsock_drop,
    home: *const fsock_loop,
}

impl User {
    /// For a callback that lives in the reactor of this loop.
    pub(crate) fn new(home: *const fsock_loop, data: *mut c_void, drop: fsock_drop) -> User {
        User { data, drop, home }
    }

    #[inline]
    pub(crate) fn data(&self) -> *mut c_void {
        self.data
    }

    /// The loop that owns it.
    pub(crate) fn home(&self) -> *const fsock_loop {
        self.home
    }

    /// For a loop that keeps it otherwise, until it makes one of these again. Nothing is given back.
    #[inline]
    pub(crate) fn into_parts(self) -> (*mut c_void, fsock_drop) {
        let parts = (self.data, self.drop);
        mem::forget(self);
        parts
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(drop) = self.drop {
            // SAFETY: callbacks live in the reactor, or with the loop's alarms, and the loop outlives both.
            // The drop function may call the loop, so it has to wait until the reactor has let go of itself.
            unsafe { &*self.home }.bury(Last { data: self.data, drop });
        }
    }
}

/// A drop function to be called as soon as the loop may be used.
pub(crate) struct Last {
    data: *mut c_void,
    drop: unsafe extern "C-unwind" fn(*mut c_void),
}

impl Last {
    pub(crate) fn call(self) {
        // SAFETY: the function and its argument came together from C, and this is the only call.
        unsafe { (self.drop)(self.data) };
    }
}
