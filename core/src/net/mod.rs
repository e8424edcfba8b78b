//! Listening sockets.

mod accept;
mod address;
mod listener;

pub use accept::{Accept, AcceptPolicy, AcceptStats, Accepted};
pub use address::PeerAddress;
pub use listener::Listener;
