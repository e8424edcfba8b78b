//! The server process, seen from outside.

use crate::clock;
use crate::failure::Failure;
use std::fs;

/// The process whose CPU time, memory and threads are read; all readings are `None` if no
/// process was named.
#[derive(Clone, Copy)]
pub(crate) struct Server {
    pid: Option<i32>,
}

impl Server {
    pub(crate) fn new(pid: Option<i32>) -> Result<Server, Failure> {
        let server = Server { pid };
        match pid {
            Some(pid) if server.cpu().is_none() => {
                Err(Failure::new(format!("there is no process {pid}: --pid must name the running server")))
            }
            _ => Ok(server),
        }
    }

    /// CPU time used so far, in nanoseconds.
    pub(crate) fn cpu(self) -> Option<u64> {
        self.pid.and_then(clock::cpu_of)
    }

    /// Memory resident now, in KiB.
    pub(crate) fn rss_kib(self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// Threads alive now.
    pub(crate) fn threads(self) -> Option<u64> {
        self.status("Threads:")
    }

    fn status(self, key: &str) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid?)).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix(key))?;
        value.split_whitespace().next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_watched() {
        let Ok(server) = Server::new(Some(std::process::id() as i32)) else { panic!("this process was not found") };
        assert!(server.cpu() > Some(0));
        assert!(server.rss_kib() > Some(100));
        assert!(server.threads() >= Some(1));
    }

    #[test]
    fn a_process_that_is_not_there_is_refused() {
        assert!(Server::new(Some(i32::MAX - 1)).is_err());
        assert!(Server::new(None).is_ok_and(|server| server.rss_kib().is_none()));
    }
}
