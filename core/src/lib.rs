#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backend;
mod busy_poll;
mod error;
mod event;
mod growth;
pub mod guide;
mod interest;
mod mode;
pub mod net;
mod poller;
mod reactor;
mod ready;
pub mod server;
mod slab;
mod stats;
pub mod stream;
mod sync;
mod sys;
mod time;
mod timer;
mod token;
mod waker;

pub use backend::Backend;
pub use busy_poll::BusyPoll;
pub use error::errno;
pub use event::Event;
pub use interest::Interest;
pub use mode::{Mode, Trigger};
pub use poller::Poller;
pub use reactor::{AddError, Reactor, SubmitError, Submitter};
pub use ready::Ready;
pub use stats::Stats;
pub use time::Time;
pub use timer::{Repeat, TimerQueue};
pub use token::Token;
pub use waker::Waker;

/// The Rust program in the project's README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeOfTheProject;
