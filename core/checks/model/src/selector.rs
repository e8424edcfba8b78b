//! In the model: a set of modelled descriptors.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use crate::{Backend, Mode, Ready, Trigger};

pub(crate) struct Selector {
    backend: Backend,
    watched: Vec<(RawFd, u64, Mode)>,
}

impl Selector {
    pub(crate) fn new(backend: Backend) -> io::Result<Selector> {
        Ok(Selector { backend, watched: Vec::new() })
    }

    pub(crate) fn backend(&self) -> Backend {
        self.backend
    }

    pub(crate) fn supports(&self, _mode: Mode) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn add(&mut self, fd: RawFd, key: u64, mode: Mode) -> io::Result<()> {
        self.watched.push((fd, key, mode));
        Ok(())
    }

    pub(crate) fn modify(&mut self, _fd: RawFd, _key: u64, _mode: Mode) -> io::Result<()> {
        unimplemented!("no model has sources")
    }

    pub(crate) fn remove(&mut self, _fd: RawFd) -> io::Result<()> {
        unimplemented!("no model has sources")
    }

    pub(crate) fn wait(
        &mut self,
        _limit: usize,
        timeout: Option<Duration>,
        mut sink: impl FnMut(u64, Ready),
    ) -> io::Result<()> {
        let mut look = || {
            let mut any = false;
            for &(fd, key, mode) in &self.watched {
                if modelled_kernel::poll(fd, mode.trigger() == Trigger::Edge) {
                    sink(key, Ready::READ);
                    any = true;
                }
            }
            any
        };
        match timeout {
            None => modelled_kernel::sleep_until(look),
            Some(Duration::ZERO) => drop(look()),
            Some(_) => unimplemented!("no model has a clock"),
        }
        Ok(())
    }

    pub(crate) fn raw_fd(&self) -> Option<RawFd> {
        None
    }
}
