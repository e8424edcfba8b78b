//! Sockets of every kind, their options, and listening ones with a policy for bad times.

mod accept;
mod address;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod batch;
mod convert;
mod listen;
mod listener;
pub mod options;
mod passing;
mod socket;

pub use accept::{Accept, AcceptPolicy, AcceptStats, Accepted};
pub use address::PeerAddress;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use batch::{Datagram, RecvBatch, SendBatch};
pub use listen::ListenOptions;
pub use listener::Listener;
pub use passing::ReceivedFds;
pub use socket::{Connect, Family, Kind, Socket};
