//! fastsock for C. The contract is in the comments here, from which `include/fastsock.h` is generated.
//!
//! One file per noun of the header. Every export goes through [`guard`], takes its pointers through [`handle`], and
//! answers with a number; what a callback may do is seen to in [`turn`].

// The names are C's.
#![allow(non_camel_case_types)]
// The comments are the C header's: what a pointer must be stands there in C's own words.
#![allow(clippy::missing_safety_doc)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

// In the header's order.
pub mod version;

pub mod error;

pub mod config;
pub mod loop_;

pub mod event;
pub mod source;

pub mod timer;

pub mod waker;

pub mod submitter;

pub mod signal;

pub mod child;

pub mod address;

pub mod listener;

pub mod stream;

pub mod server;

pub mod recv_batch;
pub mod send_batch;

pub mod stats;

pub mod log;

// Not in the header.
pub mod alarms;
pub mod guard;
pub mod handle;
pub mod home;
pub mod registry;
pub mod text;
pub mod turn;
pub mod user;
pub mod versioned;
