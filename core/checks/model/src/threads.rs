//! In the model: loom's types, and one of them mended.

pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};

pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

    /// loom's, but for the store. loom 0.7 lets a swap overlook a store that runs beside an earlier swap, as if the store
    /// had come between that swap's read and its write; which none can, for a read-modify-write reads the last value
    /// before its own write in the modification order (C11, 7.17.3). A store that is a swap itself is not overlooked.
    pub(crate) struct AtomicBool(loom::sync::atomic::AtomicBool);

    impl AtomicBool {
        pub(crate) fn new(value: bool) -> AtomicBool {
            AtomicBool(loom::sync::atomic::AtomicBool::new(value))
        }

        pub(crate) fn store(&self, value: bool, order: Ordering) {
            self.0.swap(value, order);
        }

        pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
            self.0.swap(value, order)
        }
    }
}
