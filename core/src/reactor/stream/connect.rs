use std::io;
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use super::super::Reactor;
use super::state::Flags;
use crate::net::options::TcpOptions;
use crate::net::{Connect, Kind, PeerAddress, Socket};
use crate::stream::{StreamEvent, StreamOptions};
use crate::sys::options;
use crate::{Token, error};

/// `EPROTOTYPE` for a socket that carries messages: gathered, they would be one. `ENOTSOCK` for what is none.
pub(in super::super) fn is_stream(socket: BorrowedFd<'_>) -> io::Result<()> {
    match options::get::<libc::c_int>(socket, libc::SOL_SOCKET, libc::SO_TYPE) {
        Ok(libc::SOCK_STREAM) => return Ok(()),
        Ok(_) => {}
        Err(error) if error.raw_os_error() == Some(libc::ENOTSOCK) => {
            return Err(error::with(libc::ENOTSOCK, "this is no socket: add() it, and read and write it yourself"));
        }
        Err(error) => return Err(error),
    }
    Err(error::with(
        libc::EPROTOTYPE,
        "this socket carries messages, not a stream of bytes: add() it, and send() and recv() each message",
    ))
}

impl<'fd, C> Reactor<'fd, C> {
    /// Connects to an address, for a buffered connection with a callback; see [`stream`](crate::stream). It is told
    /// [`Connected`](StreamEvent::Connected), or [`Closed`](StreamEvent::Closed) with what went wrong. What is written before
    /// goes out then. TCP is set to send at once (`TCP_NODELAY`).
    ///
    /// ```
    /// use fastsock::stream::{StreamEvent, StreamOptions};
    /// use fastsock::{Reactor, net::Listener};
    /// use std::time::Duration;
    /// # fn main() -> std::io::Result<()> {
    /// # let listener = Listener::bind("127.0.0.1:0".parse().unwrap())?;
    /// # let address = listener.local_addr()?;
    /// # drop(listener);
    /// let mut reactor = Reactor::<Vec<String>>::new()?;
    /// let options = StreamOptions::new().connect_timeout(Duration::from_secs(5));
    /// reactor.connect(address, &options, |reactor, log, token, event| {
    ///     match event {
    ///         StreamEvent::Connected => reactor.stream(token)?.write(b"hello")?,
    ///         StreamEvent::Data(answer) => log.push(format!("{} bytes", answer.len())),
    ///         StreamEvent::Closed(Err(error)) => log.push(error.to_string()),
    ///         _ => {}
    ///     }
    ///     Ok(())
    /// })?;
    /// let mut log = Vec::new();
    /// reactor.run(&mut log)?;
    /// assert!(log[0].contains("refused")); // Nobody listened there.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What connect(2) says at once, `ENETUNREACH` or a Unix path's `ENOENT` and `EAGAIN` for instance; see
    /// [`Socket::connect`]. Those of [`Socket::new`] and [`Poller::add`](crate::Poller::add).
    pub fn connect<F>(
        &mut self,
        address: impl Into<PeerAddress>,
        options: &StreamOptions,
        callback: F,
    ) -> io::Result<Token>
    where
        F: FnMut(&mut Reactor<'fd, C>, &mut C, Token, StreamEvent<'_>) -> io::Result<()> + 'fd,
    {
        let address = address.into();
        let socket = Socket::for_address(address, Kind::Stream)?;
        if address.ip().is_some() {
            socket.set_no_delay(true)?;
        }
        let flags = match socket.connect(address)? {
            Connect::InProgress => Flags::CONNECTING,
            Connect::Done => Flags::CONNECTED,
        };
        let token = self.put_stream(socket, Rc::new(options.clone()), flags, Some(Box::new(callback)), None)?;
        if flags.has(Flags::CONNECTED) {
            self.note(token);
        }
        Ok(token)
    }
}
