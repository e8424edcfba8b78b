//! For builds under ThreadSanitizer: a mutex and an `Arc` whose synchronisation it sees. They do as the standard library's
//! do, and have as much of their interface as the core uses.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::LockResult;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A pthread mutex, whose functions ThreadSanitizer's run time has in its own hands. Not moved once it has been locked: it
/// lives in a static or in an [`Arc`].
pub(crate) struct Mutex<T> {
    raw: UnsafeCell<libc::pthread_mutex_t>,
    value: UnsafeCell<T>,
}

// SAFETY: one thread at a time gets at the value, by the guard.
unsafe impl<T: Send> Send for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Mutex<T> {
        Mutex { raw: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        // SAFETY: initialised in `new`, and destroyed only with `self`.
        assert_eq!(unsafe { libc::pthread_mutex_lock(self.raw.get()) }, 0);
        Ok(MutexGuard { mutex: self })
    }
}

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        // SAFETY: nobody else has it any more, so nobody holds it.
        unsafe { libc::pthread_mutex_destroy(self.raw.get()) };
    }
}

pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held for as long as the guard lives.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held for as long as the guard lives, and the guard is borrowed alone.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: this thread has locked it.
        unsafe { libc::pthread_mutex_unlock(self.mutex.raw.get()) };
    }
}

/// Counts its owners, and orders all that they did before the destructor by the count alone, without a fence.
pub(crate) struct Arc<T> {
    inner: NonNull<Inner<T>>,
}

struct Inner<T> {
    owners: AtomicUsize,
    value: T,
}

// SAFETY: it gives out `&T` in any thread, and drops the value in any.
unsafe impl<T: Send + Sync> Send for Arc<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Arc<T> {}

impl<T> Arc<T> {
    pub(crate) fn new(value: T) -> Arc<T> {
        Arc { inner: NonNull::from(Box::leak(Box::new(Inner { owners: AtomicUsize::new(1), value }))) }
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: alive for as long as one owner is.
        unsafe { &self.inner.as_ref().value }
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Arc<T> {
        // SAFETY: alive for as long as one owner is.
        unsafe { self.inner.as_ref() }.owners.fetch_add(1, Ordering::Relaxed);
        Arc { inner: self.inner }
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        // SAFETY: alive for as long as one owner is.
        if unsafe { self.inner.as_ref() }.owners.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: from a box in `new`, and this was the last owner.
            drop(unsafe { Box::from_raw(self.inner.as_ptr()) });
        }
    }
}
