use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::case::all_came;
use crate::sources::{lend, socket_pair};
use crate::{Case, Driver, Meter, Trigger, Work};

/// So many pairs get a byte at the start of each turn.
pub(crate) const ACTIVE: usize = 100;
/// So many more bytes are written, each by a handler to the next pair.
pub(crate) const WRITES: u64 = 1000;

/// What the bytes go through.
pub(crate) struct Pipes {
    pairs: Vec<(OwnedFd, OwnedFd)>,
    /// An edge is used up only by a read that would block.
    until_empty: bool,
    left: u64,
    written: u64,
    read: u64,
    failure: Option<io::Error>,
}

impl Pipes {
    fn write(&mut self, pair: usize) -> io::Result<()> {
        self.written += 1;
        // SAFETY: one byte that outlives the call.
        let sent = unsafe { libc::send(self.pairs[pair].1.as_raw_fd(), [0u8].as_ptr().cast(), 1, libc::MSG_NOSIGNAL) };
        if sent == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Whether there was a byte.
    fn read(&mut self, pair: usize) -> io::Result<bool> {
        let mut byte = [0u8];
        // SAFETY: there is room for one byte.
        let got = unsafe { libc::recv(self.pairs[pair].0.as_raw_fd(), byte.as_mut_ptr().cast(), 1, 0) };
        match got {
            1 => Ok(true),
            -1 => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
                error => Err(error),
            },
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn pass_on(&mut self, pair: usize) -> io::Result<()> {
        while self.read(pair)? {
            self.read += 1;
            if self.left > 0 {
                self.left -= 1;
                self.write(if pair + 1 == self.pairs.len() { 0 } else { pair + 1 })?;
            }
            if !self.until_empty {
                break;
            }
        }
        Ok(())
    }
}

impl Work for Pipes {
    #[inline]
    fn ready(&mut self, pair: usize) {
        if let Err(error) = self.pass_on(pair) {
            self.failure = Some(error);
        }
    }
}

/// The classic chain of libevent's bench.c: of many socket pairs some are active, and whoever reads a byte writes one to
/// the next pair, until all writes are used up.
pub(crate) struct Chain<D> {
    driver: D,
    pipes: Pipes,
}

impl<D: Driver<Pipes>> Chain<D> {
    pub(crate) fn new(pairs: usize) -> io::Result<Chain<D>> {
        let trigger = if D::HAS_LEVEL { Trigger::Level } else { Trigger::Edge };
        let pipes = Pipes {
            pairs: (0..pairs).map(|_| socket_pair()).collect::<io::Result<_>>()?,
            until_empty: trigger == Trigger::Edge,
            left: 0,
            written: 0,
            read: 0,
            failure: None,
        };
        let mut chain = Chain { driver: D::new()?, pipes };
        for (key, (reader, _)) in chain.pipes.pairs.iter().enumerate() {
            // SAFETY: the driver is the field above the sockets.
            chain.driver.add(unsafe { lend(reader) }, key, trigger)?;
        }
        Ok(chain)
    }

    fn turn(&mut self) -> io::Result<()> {
        let pipes = &mut self.pipes;
        (pipes.left, pipes.written, pipes.read) = (WRITES, 0, 0);
        let space = pipes.pairs.len() / ACTIVE;
        for active in 0..ACTIVE {
            pipes.write(active * space)?;
        }
        while self.pipes.read < self.pipes.written {
            self.driver.turn(&mut self.pipes)?;
            if let Some(error) = self.pipes.failure.take() {
                return Err(error);
            }
        }
        all_came(ACTIVE as u64 + WRITES, self.pipes.read)
    }
}

impl<D: Driver<Pipes>> Case for Chain<D> {
    fn run(&mut self, turns: u64, meter: &mut Meter) -> io::Result<()> {
        meter.time(0, || (0..turns).try_for_each(|_| self.turn()))
    }
}
