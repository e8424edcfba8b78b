//! The native half of the Python package `fastsock`: the loop of greenlets on the core crate's poller, and what
//! `fastsock.Socket` and the handlers' files bind to. Policy and everything a person reads is Python, in `fastsock/`.

mod accepted;
mod address;
mod alarm;
mod attached;
mod buffer;
mod channel;
mod cycle;
mod errors;
mod farewell;
mod greenlet;
mod hot;
mod hub;
mod inbox;
mod mailbox;
mod members;
mod output;
mod park;
mod posts;
mod rarely;
mod reader;
mod socket;
mod sys;
mod task;
mod transfer;
mod turns;
mod watch;
mod writer;

/// The native half of fastsock. Everything meant for use is in the package `fastsock`.
#[pyo3::pymodule(gil_used = true)]
mod _fastsock {
    #[pymodule_export]
    use super::reader::Reader;
    #[pymodule_export]
    use super::socket::PyChannel;
    #[pymodule_export]
    use super::task::{Group, after_fork_in_child, flush, in_loop, ring_on, run, sleep};
    #[pymodule_export]
    use super::writer::Writer;

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
