//! Level against edge: what a trigger promises, what it asks for in return, and which to take.
//!
//! A descriptor is *ready* when an operation on it would not block (poll(2)). Readiness is a state, and a trigger says
//! when you are told of it: for as long as it lasts, or when it begins.
//!
//! ```text
//! bytes that wait    0   5 arrive   3 read    the rest read   4 arrive
//!                    ____/‾‾‾‾‾‾‾‾‾‾\____________/‾‾‾
//! level, each wait   -   told       told      -               told
//! edge, each wait    -   told       -         -               told
//! ```
//!
//! # Level: told for as long as it is so
//!
//! Read some, or all, or nothing: what is left is reported by the next wait. There is no rule to break, so it is the
//! default.
//!
//! ```
//! use fastsock::{Interest, Poller, Trigger};
//! use std::io::{Read, Write};
//! use std::os::fd::AsFd;
//! # fn main() -> std::io::Result<()> {
//! let (mut a, mut b) = std::os::unix::net::UnixStream::pair()?;
//! b.set_nonblocking(true)?;
//! let reader = b.try_clone()?;
//! let mut poller = Poller::new()?;
//! poller.add(reader.as_fd(), Interest::READABLE, Trigger::Level)?;
//! let mut events = Vec::new();
//!
//! a.write_all(b"hello")?;
//! assert_eq!(poller.wait(&mut events, None)?, 1);
//! b.read_exact(&mut [0; 3])?;
//! assert_eq!(poller.wait(&mut events, None)?, 1); // Two bytes are left, and it says so.
//! # Ok(())
//! # }
//! ```
//!
//! Two things to know. What you do not want to hear of has to be taken out of the interest: a stream with room is writable at
//! every wait, so ask for [`WRITABLE`](crate::Interest::WRITABLE) only while there is something to write (that costs a
//! system call each way). And a hang-up is reported whatever the interest is; with [`Interest::NONE`](crate::Interest::NONE)
//! this crate leaves the kernel's set, so that it cannot spin.
//!
//! # Edge: told when it begins
//!
//! One report for each time that the descriptor *becomes* ready. Epoll alone has it ([`Trigger::Edge`](crate::Trigger::Edge)).
//! It saves the system calls that change an interest: ask for reading and writing once, and never again. In return there
//! is **the drain rule: go on until `WouldBlock`, or you will not be told again.**
//!
//! ```
//! use fastsock::{Backend, Interest, Poller, Trigger};
//! use std::io::{ErrorKind, Read, Write};
//! use std::os::fd::AsFd;
//! use std::time::Duration;
//! # fn main() -> std::io::Result<()> {
//! let (mut a, mut b) = std::os::unix::net::UnixStream::pair()?;
//! b.set_nonblocking(true)?;
//! let reader = b.try_clone()?;
//! let mut poller = Poller::with_backend(Backend::Epoll)?;
//! poller.add(reader.as_fd(), Interest::READABLE, Trigger::Edge)?;
//! let mut events = Vec::new();
//!
//! a.write_all(b"hello")?;
//! assert_eq!(poller.wait(&mut events, None)?, 1);
//! b.read_exact(&mut [0; 3])?; // Stops too early...
//! let brief = Some(Duration::from_millis(20));
//! assert_eq!(poller.wait(&mut events, brief)?, 0); // ...and two bytes wait for ever.
//!
//! a.write_all(b"!")?; // A new byte is a new edge.
//! assert_eq!(poller.wait(&mut events, None)?, 1);
//! let mut buffer = [0; 4096];
//! loop {
//!     match b.read(&mut buffer) {
//!         Ok(0) => break,                                               // The end of the stream.
//!         Ok(_) => {}                                                   // More may wait: go on.
//!         Err(error) if error.kind() == ErrorKind::WouldBlock => break, // Drained: the next byte is an edge.
//!         Err(error) if error.kind() == ErrorKind::Interrupted => {}
//!         Err(error) => return Err(error),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! How the rule is broken, and what follows:
//!
//! | mistake | what is seen | cure |
//! |---|---|---|
//! | one `read` for each event | the last part of a large message arrives with the next one | the loop above |
//! | drained, but a peer that sends without end keeps the loop | all others starve | stop after so many bytes, and [`rearm`](crate::Poller::rearm) |
//! | wrote a part, did not try again | the rest is never sent: an edge comes only after a `WouldBlock` | write until `WouldBlock` |
//! | wrote, got no `WouldBlock`, waits for "writable" | waits for ever | only what has blocked becomes ready |
//! | an accept loop that takes one connection | clients hang in the queue until the next one comes | accept until `WouldBlock` |
//! | two threads wait on one set | both get the edge of one burst, in parts | a reactor a thread, or one-shot |
//!
//! On a stream a *short* read (less than the buffer holds) has drained it as well, which spares the read that says
//! `WouldBlock` (epoll(7), question 9). With datagrams and listeners only `WouldBlock` tells.
//!
//! Draining in pieces, so that nobody starves:
//!
//! ```
//! use fastsock::{Backend, Interest, Reactor, Trigger};
//! use std::io::{Read, Write};
//! # fn main() -> std::io::Result<()> {
//! # let (mut a, b) = std::os::unix::net::UnixStream::pair()?;
//! # b.set_nonblocking(true)?;
//! # let mut reactor = Reactor::<usize>::with_backend(Backend::Epoll)?;
//! reactor.add(b, Interest::READABLE, Trigger::Edge, |reactor, total, stream, event| {
//!     let mut buffer = [0; 4096];
//!     for _ in 0..4 {
//!         match stream.read(&mut buffer) {
//!             Ok(n) if n == buffer.len() => *total += n,
//!             Ok(n) if n > 0 => return *total += n, // Short: drained.
//!             Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
//!             _ => return drop(reactor.remove(event.token())),
//!         }
//!     }
//!     let _ = reactor.rearm(event.token()); // The others first: if bytes are left, it is reported once more.
//! })?;
//! # a.write_all(&[0; 60_000])?;
//! # let mut total = 0;
//! # while total < 60_000 { reactor.turn(&mut total, None)?; }
//! # Ok(())
//! # }
//! ```
//!
//! # One-shot: told once
//!
//! After one report the descriptor is silent, its hang-ups too, until [`rearm`](crate::Poller::rearm) or
//! [`modify`](crate::Poller::modify). It is for handing a connection to another thread: nobody else is told of it
//! meanwhile. What is still ready when it is re-armed is reported at once, so there is no drain rule. Each report
//! costs a system call to re-arm.
//!
//! # Exclusive: one of many is told
//!
//! Several loops that watch one listener are all woken by each connection, and all but one in vain. With
//! [`Mode::exclusive`](crate::Mode::exclusive) the kernel wakes at least one, mostly one. It likes the one that waited
//! last, so the load is uneven; [`reuse_port`](crate::net::ListenOptions::reuse_port) spreads it evenly, but leaves
//! connections stuck behind a process that hangs.
//!
//! # Which to take
//!
//! | you have | take |
//! |---|---|
//! | no reason to choose | level |
//! | connections that are read and written all the time | level for reading, `WRITABLE` while something is queued ([streams](crate::stream) do that for you) |
//! | one registration for life, and code that drains | edge |
//! | a pool of threads over one set | one-shot |
//! | poll or select as backend | level or one-shot: an edge is refused |
//! | a listener in several processes | level and exclusive, or a shared port |
