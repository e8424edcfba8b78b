//! What threads share is made of these: the standard library's own, except where a check has to see for itself how
//! they synchronise.
//!
//! - `--cfg fastsock_model`: loom's, which try every interleaving and every value that a load may return
//!   (`make model`).
//! - `--cfg fastsock_tsan`: a mutex and an `Arc` that ThreadSanitizer follows. A contended lock of the standard library
//!   ends in code that was compiled without it, and its `Arc` ends with a fence, of which it knows nothing: both are
//!   reported as races that they are not (`make sanitize`).

#[cfg(not(any(fastsock_model, fastsock_tsan)))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, atomic};

#[cfg(fastsock_model)]
#[path = "../checks/model/src/threads.rs"]
mod threads;
#[cfg(fastsock_model)]
pub(crate) use threads::{Arc, Mutex, MutexGuard, atomic};

#[cfg(fastsock_tsan)]
#[path = "../checks/sanitize/src/visible.rs"]
mod visible;
#[cfg(fastsock_tsan)]
pub(crate) use {
    std::sync::atomic,
    visible::{Arc, Mutex, MutexGuard},
};

/// For statics, which loom's cannot be.
pub(crate) mod fixed {
    #[cfg(not(fastsock_model))]
    pub(crate) use super::{Mutex, MutexGuard};
    #[cfg(fastsock_model)]
    pub(crate) use std::sync::{Mutex, MutexGuard};
}
