//! State that is reached only by who holds the GIL.

use pyo3::Python;

/// A value that is shared between threads by the GIL alone.
///
/// The module says `gil_used = true`, so being attached to the interpreter means that no other thread is. The value is
/// given out as `&T` only, and only for as long as the proof lasts; mutability comes from `Cell` and `RefCell`
/// inside. No borrow of a `RefCell` may be held across anything that runs Python code, switches greenlets or
/// lets go of the GIL: it would be a panic, not a race.
pub(crate) struct Attached<T>(T);

// SAFETY: every access needs a `Python<'_>`, which one thread at a time has.
unsafe impl<T> Sync for Attached<T> {}
// SAFETY: as above; dropping happens with the GIL held too, for values of this type live in Python objects.
unsafe impl<T> Send for Attached<T> {}

impl<T> Attached<T> {
    pub(crate) fn new(value: T) -> Attached<T> {
        Attached(value)
    }

    #[inline]
    pub(crate) fn get<'a>(&'a self, _py: Python<'a>) -> &'a T {
        &self.0
    }
}
