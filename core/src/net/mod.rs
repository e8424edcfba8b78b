//! Sockets of every kind, their options, and listening ones with a policy for bad times.
//!
//! Everything here is non-blocking and close-on-exec, and goes on a [`Reactor`](crate::Reactor) or a
//! [`Poller`](crate::Poller); or stands alone:
//!
//! ```
//! use fastsock::net::{Accept, Kind, Listener, Socket};
//! # fn main() -> std::io::Result<()> {
//! let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
//! let client = Socket::for_address(listener.local_addr()?, Kind::Stream)?;
//! let _ = client.connect(listener.local_addr()?)?;
//! let Accept::Connection(connection) = listener.accept()? else { panic!("nobody there") };
//! let server = Socket::from(connection);
//! server.send(b"hello")?;
//! # assert_eq!(client.finish_connect()?, fastsock::net::Connect::Done);
//! let mut buffer = [0; 100];
//! let length = client.recv(&mut buffer)?;
//! assert_eq!(&buffer[..length], b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! | operation | cost |
//! |---|---|
//! | [`Socket::send`], [`recv`](Socket::recv) and the like | one system call, no allocation |
//! | [`SendBatch`], [`RecvBatch`] | one system call for up to 1024 datagrams; allocated once |
//! | [`Listener::accept`] | one system call: accept4(2) gives a non-blocking socket |
//! | an [option](options), read or set | one system call |

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
