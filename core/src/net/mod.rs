//! Sockets of every kind, their options, and listening ones with a policy for bad times.

mod accept;
mod address;
mod convert;
mod listen;
mod listener;
pub mod options;
mod socket;

pub use accept::{Accept, AcceptPolicy, AcceptStats, Accepted};
pub use address::PeerAddress;
pub use listen::ListenOptions;
pub use listener::Listener;
pub use socket::{Connect, Family, Kind, Socket};
