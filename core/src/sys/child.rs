//! Child processes, by pidfd_open(2).

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod pidfd {
    use std::os::fd::{AsRawFd, FromRawFd};
    use std::os::unix::process::ExitStatusExt;

    use super::*;
    use crate::error;
    use crate::sys::syscall;

    /// waitid(2) on the child behind a pidfd. `None`: it has not ended.
    fn wait_id(fd: &OwnedFd, options: libc::c_int) -> io::Result<Option<libc::siginfo_t>> {
        // SAFETY: all-zero bytes are a valid `siginfo_t`.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` is a valid place to write to.
        syscall!(libc::waitid(libc::P_PIDFD, fd.as_raw_fd() as libc::id_t, &mut info, options | libc::WNOHANG))?;
        // Left as it was, with no pid in it, when there is nothing to tell.
        // SAFETY: filled in by waitid, or zero.
        Ok((unsafe { info.si_pid() } != 0).then_some(info))
    }

    /// A descriptor that becomes readable when this child of ours ends.
    pub(crate) fn open(pid: u32) -> io::Result<OwnedFd> {
        let Some(pid) = libc::pid_t::try_from(pid).ok().filter(|&pid| pid > 0) else {
            return Err(error::with(libc::EINVAL, "no process has this number"));
        };
        // By number: the C libraries have the wrapper only of late. The descriptor is close-on-exec always.
        // SAFETY: two integers.
        let fd = syscall!(libc::syscall(libc::SYS_pidfd_open, pid, 0)).map_err(|error| match error.raw_os_error() {
            Some(libc::ESRCH) => error::with(
                libc::ESRCH,
                "there is no such process: a child that was waited for already, by someone else or because SIGCHLD is ignored",
            ),
            // EPERM: a seccomp filter that does not know the call.
            Some(libc::ENOSYS | libc::EPERM) => unsupported(),
            _ => error,
        })?;
        // SAFETY: the kernel has just made this descriptor for us alone.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) };
        // A look that takes nothing: whether it is ours to wait for.
        wait_id(&fd, libc::WEXITED | libc::WNOWAIT).map_err(|error| match error.raw_os_error() {
            Some(libc::ECHILD) => error::with(
                libc::ECHILD,
                "this process is not a child of ours: only the parent learns how a process ended (waitid(2))",
            ),
            Some(libc::EINVAL) => unsupported(),
            _ => error,
        })?;
        Ok(fd)
    }

    fn unsupported() -> io::Error {
        error::with(
            libc::EOPNOTSUPP,
            "this kernel or sandbox has no pidfd_open (Linux 5.3) or waitid on one (5.4): watch SIGCHLD by signal() and \
             wait for the child there",
        )
    }

    /// Waits for the child behind a descriptor of `open`'s, and for no other, without blocking. `None`: it has not ended.
    pub(crate) fn reap(fd: &OwnedFd) -> io::Result<Option<ExitStatus>> {
        let info = wait_id(fd, libc::WEXITED).map_err(|error| match error.raw_os_error() {
            Some(libc::ECHILD) => error::with(
                libc::ECHILD,
                "someone else has waited for this child, or SIGCHLD is ignored: how it ended is lost (waitid(2))",
            ),
            _ => error,
        })?;
        Ok(info.map(|info| {
            // SAFETY: waitid fills this in for a child that has ended.
            let status = unsafe { info.si_status() };
            // Back to the form that wait(2) gives.
            ExitStatus::from_raw(match info.si_code {
                libc::CLD_EXITED => (status & 0xff) << 8,
                libc::CLD_DUMPED => status | 0x80,
                _ => status,
            })
        }))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod pidfd {
    use super::*;

    pub(crate) fn open(_pid: u32) -> io::Result<OwnedFd> {
        Err(crate::error::with(
            libc::EOPNOTSUPP,
            "only Linux has pidfd_open: watch SIGCHLD by signal() and wait for the child there",
        ))
    }

    pub(crate) fn reap(_fd: &OwnedFd) -> io::Result<Option<ExitStatus>> {
        Ok(None)
    }
}

pub(crate) use pidfd::{open, reap};
