//! select(2): level and one-shot, for systems that have nothing better.
//!
//! The bitmaps are ours and as long as the largest descriptor needs, so `FD_SETSIZE` is no limit on Linux and
//! never a write past the end of a set. Elsewhere the C library's own limit holds and is checked.
//! select(2) has no bits for HUP and ERR: it reports them as READ and WRITE.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use super::syscall;
use crate::{Interest, Mode, Ready, Trigger};

const BITS: usize = libc::c_ulong::BITS as usize;
/// READ, WRITE, PRI: the order of select's arguments.
const SETS: [(Interest, Ready); 3] =
    [(Interest::READABLE, Ready::READ), (Interest::WRITABLE, Ready::WRITE), (Interest::PRIORITY, Ready::PRI)];

#[derive(Clone, Copy)]
struct Entry {
    key: u64,
    oneshot: bool,
}

pub(crate) struct Select {
    entries: Vec<Option<Entry>>,
    /// What to ask for, and the copy that the kernel writes its answer into.
    asked: [Vec<libc::c_ulong>; 3],
    answer: [Vec<libc::c_ulong>; 3],
    /// The descriptor where the next report begins.
    start: usize,
}

impl Select {
    pub(crate) fn new() -> Select {
        Select { entries: Vec::new(), asked: Default::default(), answer: Default::default(), start: 0 }
    }

    fn index(&self, fd: RawFd) -> io::Result<usize> {
        match usize::try_from(fd) {
            Ok(index) if matches!(self.entries.get(index), Some(Some(_))) => Ok(index),
            _ => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
    }

    fn set(&mut self, index: usize, mode: Mode) {
        for (set, (interest, _)) in self.asked.iter_mut().zip(SETS) {
            let bit = 1 << (index % BITS);
            if mode.interest().contains(interest) {
                set[index / BITS] |= bit;
            } else {
                set[index / BITS] &= !bit;
            }
        }
    }

    fn silence(&mut self, index: usize) {
        for set in &mut self.asked {
            set[index / BITS] &= !(1 << (index % BITS));
        }
    }

    pub(crate) fn add(&mut self, fd: RawFd, key: u64, mode: Mode) -> io::Result<()> {
        super::socket::pollable(fd)?;
        if self.index(fd).is_ok() {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        let index = fd as usize;
        if cfg!(not(target_os = "linux")) && index >= libc::FD_SETSIZE {
            return Err(crate::error::with(
                libc::EINVAL,
                "select(2) of this system takes descriptors below FD_SETSIZE only: use the poll backend",
            ));
        }
        if self.entries.len() <= index {
            let words = index / BITS + 1;
            self.entries.resize(words * BITS, None);
            for set in self.asked.iter_mut().chain(&mut self.answer) {
                set.resize(words, 0);
            }
        }
        self.entries[index] = Some(Entry { key, oneshot: mode.trigger() == Trigger::OneShot });
        self.set(index, mode);
        Ok(())
    }

    pub(crate) fn modify(&mut self, fd: RawFd, key: u64, mode: Mode) -> io::Result<()> {
        let index = self.index(fd)?;
        self.entries[index] = Some(Entry { key, oneshot: mode.trigger() == Trigger::OneShot });
        self.set(index, mode);
        Ok(())
    }

    pub(crate) fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        let index = self.index(fd)?;
        self.entries[index] = None;
        self.silence(index);
        Ok(())
    }

    pub(crate) fn wait(
        &mut self,
        limit: usize,
        timeout: Option<Duration>,
        mut sink: impl FnMut(u64, Ready),
    ) -> io::Result<()> {
        if let Err(error) = self.ask(timeout) {
            if error.raw_os_error() != Some(libc::EBADF) {
                return Err(error);
            }
            // One closed descriptor fails the whole set: find it, drop it, and ask the rest without waiting.
            for index in 0..self.entries.len() {
                // SAFETY: F_GETFD takes any number.
                let open =
                    self.entries[index].is_none() || syscall!(libc::fcntl(index as RawFd, libc::F_GETFD)).is_ok();
                if !open {
                    if let Some(entry) = self.entries[index].take() {
                        sink(entry.key, Ready::NONE);
                    }
                    self.silence(index);
                }
            }
            self.ask(Some(Duration::ZERO))?;
        }
        self.report(limit, sink);
        Ok(())
    }

    fn report(&mut self, limit: usize, mut sink: impl FnMut(u64, Ready)) {
        let words = self.answer[0].len();
        let mut left = limit;
        // Begin behind the last one that was reported, so that a small limit starves no one; the word in which that
        // is comes twice: its upper part first, its lower part last.
        let (first, split) = if words == 0 { (0, 0) } else { (self.start / BITS % words, self.start % BITS) };
        let upper = libc::c_ulong::MAX << split;
        let parts = (first..words).chain(0..=first).enumerate();
        for (part, word) in parts.take(if words == 0 { 0 } else { words + 1 }) {
            let mask = if part == 0 {
                upper
            } else if part == words {
                !upper
            } else {
                libc::c_ulong::MAX
            };
            let mut any = (self.answer[0][word] | self.answer[1][word] | self.answer[2][word]) & mask;
            while any != 0 && left > 0 {
                let bit = any.trailing_zeros() as usize;
                any &= any - 1;
                let index = word * BITS + bit;
                let Some(entry) = self.entries[index] else { continue };
                let mut ready = Ready::NONE;
                for (set, (_, ours)) in self.answer.iter().zip(SETS) {
                    if set[word] & (1 << bit) != 0 {
                        ready = ready | ours;
                    }
                }
                if entry.oneshot {
                    self.silence(index);
                }
                left -= 1;
                self.start = index + 1;
                sink(entry.key, ready);
            }
        }
    }

    fn ask(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        for (answer, asked) in self.answer.iter_mut().zip(&self.asked) {
            answer.copy_from_slice(asked);
        }
        let ts = timeout.map(super::timespec);
        let ts = ts.as_ref().map_or(std::ptr::null(), |t| t as *const libc::timespec);
        let [read, write, priority] = &mut self.answer;
        let count = (read.len() * BITS) as libc::c_int;
        // SAFETY: each set holds `count` bits, which is all that the kernel reads and writes; `ts` is null or lives here.
        let result = syscall!(libc::pselect(
            count,
            read.as_mut_ptr().cast(),
            write.as_mut_ptr().cast(),
            priority.as_mut_ptr().cast(),
            ts,
            std::ptr::null(),
        ));
        if result.is_err() {
            // The sets are unspecified after an error (select(2)).
            self.answer.iter_mut().for_each(|set| set.fill(0));
        }
        result.map(drop)
    }
}
