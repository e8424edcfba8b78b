//! The timers of libev, by as much of its ABI as that takes (`ev.h` of version 4, as distributions build it).

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_uint, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr::{NonNull, null_mut};

use super::Timers;

/// `struct ev_loop`, which only libev looks into.
#[repr(C)]
pub(crate) struct Loop {
    opaque: [u8; 0],
}

/// `struct ev_timer`.
#[repr(C)]
pub(crate) struct Watcher {
    active: c_int,
    pending: c_int,
    priority: c_int,
    data: *mut c_void,
    callback: extern "C" fn(*mut Loop, *mut Watcher, c_int),
    at: f64,
    repeat: f64,
}

#[link(name = "ev")]
unsafe extern "C" {
    fn ev_version_major() -> c_int;
    fn ev_version_minor() -> c_int;
    fn ev_loop_new(flags: c_uint) -> *mut Loop;
    fn ev_loop_destroy(looped: *mut Loop);
    fn ev_timer_start(looped: *mut Loop, watcher: *mut Watcher);
    fn ev_timer_again(looped: *mut Loop, watcher: *mut Watcher);
    fn ev_timer_stop(looped: *mut Loop, watcher: *mut Watcher);
}

pub(crate) fn version() -> String {
    // SAFETY: both take nothing and return a number.
    let (major, minor) = unsafe { (ev_version_major(), ev_version_minor()) };
    format!("{major}.{minor}")
}

pub(crate) struct Libev {
    looped: NonNull<Loop>,
    /// Never moved: libev keeps pointers to those that are active. Written when a timer is set, as in a program that
    /// allocates them then.
    watchers: Box<[UnsafeCell<MaybeUninit<Watcher>>]>,
    set: usize,
}

extern "C" fn due(_: *mut Loop, _: *mut Watcher, _: c_int) {}

fn seconds(millis: u32) -> f64 {
    f64::from(millis) / 1000.0
}

impl Timers for Libev {
    type Handle = *mut Watcher;

    fn new(room: usize) -> io::Result<Libev> {
        // SAFETY: takes nothing and returns a number.
        if unsafe { ev_version_major() } != 4 {
            return Err(io::Error::other(format!("libev {} is not the version 4 that this knows", version())));
        }
        // SAFETY: flags of 0 are EVFLAG_AUTO.
        let looped = NonNull::new(unsafe { ev_loop_new(0) }).ok_or_else(io::Error::last_os_error)?;
        let watchers = Box::new_uninit_slice(room);
        // SAFETY: an uninitialized `MaybeUninit` is a valid one.
        let watchers = unsafe { watchers.assume_init() };
        Ok(Libev { looped, watchers, set: 0 })
    }

    #[inline]
    fn set(&mut self, index: usize, millis: u32) -> io::Result<*mut Watcher> {
        let watcher = self.watchers[index].get();
        let (at, repeat) = (seconds(millis), seconds(millis));
        let new = Watcher { active: 0, pending: 0, priority: 0, data: null_mut(), callback: due, at, repeat };
        // SAFETY: the watcher is not set, so that libev has no pointer to it; it is valid then, and lives until the loop
        // is destroyed.
        unsafe {
            (*watcher).write(new);
            ev_timer_start(self.looped.as_ptr(), watcher.cast());
        }
        self.set += 1;
        Ok(watcher.cast())
    }

    #[inline]
    fn set_anew(&mut self, watcher: *mut Watcher, millis: u32) -> io::Result<()> {
        // SAFETY: `set` has written it. `repeat` may be written at any time, and counts from the call of ev_timer_again
        // (ev(3)).
        unsafe {
            (*watcher).repeat = seconds(millis);
            ev_timer_again(self.looped.as_ptr(), watcher);
        }
        Ok(())
    }

    #[inline]
    fn cancel(&mut self, watcher: *mut Watcher) -> io::Result<()> {
        // SAFETY: `set` has written it; it is a watcher of this loop's, active or not.
        let active = unsafe {
            ev_timer_stop(self.looped.as_ptr(), watcher);
            (*watcher).active
        };
        self.set -= usize::from(active == 0);
        Ok(())
    }

    fn left(&self) -> usize {
        self.set
    }
}

impl Drop for Libev {
    fn drop(&mut self) {
        // SAFETY: made by ev_loop_new, used by nobody else, and not used after this.
        unsafe { ev_loop_destroy(self.looped.as_ptr()) };
    }
}
