//! One connection and the stream of bytes on it.

use crate::failure::Failure;
use crate::pattern::Pattern;
use crate::poller::{Interest, Poller};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

/// How a connection went wrong.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server ended the stream while bytes were due.
    Closed,
    /// The kernel reported an error.
    Io(io::Error),
    /// The echoed byte at this place of the stream is not the one that was sent.
    Wrong { offset: u64, sent: u8, echoed: u8 },
    /// So many bytes came that were never sent.
    Surplus(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Closed => write!(f, "the server closed it"),
            Fault::Io(error) => write!(f, "{error}"),
            Fault::Wrong { offset, sent, echoed } => {
                write!(f, "byte {offset} of its stream was sent as 0x{sent:02x} and came back as 0x{echoed:02x}")
            }
            Fault::Surplus(count) => write!(f, "{count} bytes came back that were not sent"),
        }
    }
}

/// A connection, where its stream is in the pattern, and what is under way.
pub(crate) struct Conn {
    stream: TcpStream,
    index: usize,
    write_at: usize,
    read_at: usize,
    /// Bytes to be written.
    unsent: usize,
    /// Bytes written and not yet back.
    out: usize,
    /// Bytes back since the beginning.
    returned: u64,
    interest: Interest,
    /// Nothing more is done with it: it went wrong.
    pub(crate) dead: bool,
}

impl Conn {
    pub(crate) fn new(stream: TcpStream, index: usize, origin: usize) -> Conn {
        Conn {
            stream,
            index,
            write_at: origin,
            read_at: origin,
            unsent: 0,
            out: 0,
            returned: 0,
            interest: Interest::ReadWrite,
            dead: false,
        }
    }

    /// Begins to be watched, for the connect to be done first of all.
    pub(crate) fn watch(&self, poller: &Poller) -> Result<(), Failure> {
        poller.add(&self.stream, self.index, self.interest)
    }

    /// Whether the connect, now that it is done, went well.
    pub(crate) fn connected(&self) -> Result<(), Fault> {
        match self.stream.take_error() {
            Ok(None) => Ok(()),
            Ok(Some(error)) | Err(error) => Err(Fault::Io(error)),
        }
    }

    /// Bytes that were given to the connection and are not back.
    pub(crate) fn due(&self) -> usize {
        self.unsent + self.out
    }

    /// Whether all it was given is back, and something was.
    pub(crate) fn settled(&self) -> bool {
        self.returned > 0 && self.due() == 0
    }

    /// Gives the connection the next `bytes` of its stream to send; `push` sends them.
    #[inline]
    pub(crate) fn give(&mut self, bytes: usize) {
        self.unsent += bytes;
    }

    /// Sends what it can of what it was given, and waits for room if that is not all.
    #[inline]
    pub(crate) fn push(&mut self, pattern: &Pattern) -> Result<(), Fault> {
        while self.unsent > 0 {
            let bytes = pattern.slice(self.write_at, self.unsent);
            match (&self.stream).write(bytes) {
                Ok(sent) => {
                    self.unsent -= sent;
                    self.out += sent;
                    self.write_at = pattern.advance(self.write_at, sent);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Io(error)),
            }
        }
        Ok(())
    }

    /// Has the poller watch for what the connection needs now, if that has changed.
    #[inline]
    pub(crate) fn rewatch(&mut self, poller: &Poller) -> Result<(), Failure> {
        let interest = if self.unsent > 0 { Interest::ReadWrite } else { Interest::Read };
        if interest != self.interest {
            self.interest = interest;
            poller.change(&self.stream, self.index, interest)?;
        }
        Ok(())
    }

    /// Receives once and compares; returns how many right bytes came, 0 if there are none yet.
    #[inline]
    pub(crate) fn pull(&mut self, pattern: &Pattern, buffer: &mut [u8]) -> Result<usize, Fault> {
        let count = match (&self.stream).read(buffer) {
            Ok(0) => return Err(Fault::Closed),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(0);
            }
            Err(error) => return Err(Fault::Io(error)),
        };
        if count > self.out {
            return Err(Fault::Surplus(count - self.out));
        }
        let echoed = &buffer[..count];
        let sent = pattern.slice(self.read_at, count);
        if echoed != sent {
            return Err(self.first_difference(sent, echoed));
        }
        self.out -= count;
        self.returned += count as u64;
        self.read_at = pattern.advance(self.read_at, count);
        Ok(count)
    }

    #[cold]
    fn first_difference(&self, sent: &[u8], echoed: &[u8]) -> Fault {
        let at = sent.iter().zip(echoed).position(|(a, b)| a != b);
        let at = at.unwrap_or(0);
        Fault::Wrong { offset: self.returned + at as u64, sent: sent[at], echoed: echoed[at] }
    }

    /// Leaves a connection that went wrong alone from now on; the server sees it end.
    pub(crate) fn kill(&mut self, poller: &Poller) -> Result<(), Failure> {
        self.dead = true;
        self.unsent = 0;
        self.out = 0;
        poller.remove(&self.stream)?;
        // One that is already gone is as good.
        self.stream.shutdown(Shutdown::Both).ok();
        Ok(())
    }
}
