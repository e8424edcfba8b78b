use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;

use crate::error;
use crate::net::Socket;

/// So much is gathered in one piece of memory, unless a single write is larger.
const PIECE: usize = 64 * 1024;
/// So many pieces go out in one system call.
const PIECES: usize = 16;
/// So much is sent for one event, so that a fast reader of much does not keep the others waiting.
const BUDGET: u64 = 1 << 20;

enum Piece {
    Bytes {
        bytes: Vec<u8>,
        sent: usize,
    },
    /// Sent by the kernel, without a copy.
    File {
        file: File,
        offset: u64,
        left: u64,
    },
}

/// What the kernel did not take yet.
#[derive(Default)]
pub(crate) struct WriteQueue {
    pieces: VecDeque<Piece>,
    len: u64,
}

impl WriteQueue {
    /// How many bytes wait, those of files included.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.len += bytes.len() as u64;
        match self.pieces.back_mut() {
            Some(Piece::Bytes { bytes: last, .. }) if last.len() + bytes.len() <= PIECE => {
                last.extend_from_slice(bytes)
            }
            _ => self.pieces.push_back(Piece::Bytes { bytes: bytes.to_vec(), sent: 0 }),
        }
    }

    pub(crate) fn push_file(&mut self, file: OwnedFd, offset: u64, left: u64) {
        if left > 0 {
            self.len += left;
            self.pieces.push_back(Piece::File { file: file.into(), offset, left });
        }
    }

    /// Sends what the kernel takes, within the budget. Tells whether it took anything.
    ///
    /// # Errors
    /// Those of sendmsg(2) and sendfile(2), `EAGAIN` excepted; `EIO` for a file that is shorter than was promised.
    pub(crate) fn send(&mut self, socket: &Socket) -> io::Result<bool> {
        let before = self.len;
        while !self.is_empty() && before - self.len < BUDGET {
            match self.send_some(socket) {
                Ok(sent) => self.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.len < before)
    }

    fn send_some(&self, socket: &Socket) -> io::Result<u64> {
        if let Some(Piece::File { file, offset, left }) = self.pieces.front() {
            let most = (*left).min(BUDGET);
            return match send_file(socket, file, *offset, most as usize)? {
                0 => Err(error::with(libc::EIO, "the file that is being sent has become shorter than was promised")),
                sent => Ok(sent as u64),
            };
        }
        let mut slices = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            let Piece::Bytes { bytes, sent } = piece else { break };
            *slice = IoSlice::new(&bytes[*sent..]);
            count += 1;
        }
        socket.send_vectored(&slices[..count]).map(|sent| sent as u64)
    }

    fn advance(&mut self, mut count: u64) {
        self.len -= count;
        while count > 0 {
            let done = match self.pieces.front_mut() {
                None => return,
                Some(Piece::Bytes { bytes, sent }) => {
                    let step = count.min((bytes.len() - *sent) as u64);
                    *sent += step as usize;
                    count -= step;
                    *sent == bytes.len()
                }
                Some(Piece::File { offset, left, .. }) => {
                    let step = count.min(*left);
                    *offset += step;
                    *left -= step;
                    count -= step;
                    *left == 0
                }
            };
            if done {
                self.pieces.pop_front();
            }
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn send_file(socket: &Socket, file: &File, offset: u64, count: usize) -> io::Result<usize> {
    socket.send_file(file, offset, count)
}

/// Elsewhere sendfile(2) is another, or is not: through memory.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn send_file(socket: &Socket, file: &File, offset: u64, count: usize) -> io::Result<usize> {
    let mut bytes = vec![0; count.min(PIECE)];
    match std::os::unix::fs::FileExt::read_at(file, &mut bytes, offset)? {
        0 => Ok(0),
        read => socket.send(&bytes[..read]),
    }
}
