//! What the core crate costs beside raw epoll, mio, polling, calloop and (timers) libev.
//!
//! A [`Workload`] is written once, over the trait [`Driver`] that each contender implements; [`Workload::build`] makes a
//! [`Case`] of it for one contender. The criterion bench (`benches/core.rs`) and the table (`src/main.rs`), with its
//! clock and with callgrind, run the same cases.

mod case;
mod chain;
mod contender;
mod driver;
mod harvest;
mod meter;
mod registration;
mod sources;
mod timers;
mod wake;
mod watchdog;
mod workload;

pub use case::Case;
pub use contender::Contender;
pub use driver::{Driver, Trigger, Work};
pub use meter::{Clock, Meter};
pub use sources::raise_open_file_limit;
pub use watchdog::watched;
pub use workload::{Workload, libev_version};
