//! A kernel, or a sandbox, without epoll_pwait2: the wait falls back to milliseconds, rounded up.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;

use std::time::{Duration, Instant};

use common::{in_child, look, streams, wait_for};
use fastsock::{Interest, Poller, Trigger};

/// From now on, epoll_pwait2 fails in this thread with this errno.
fn forbid_epoll_pwait2(errno: i32) {
    let code = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let filter = [
        // The number of the system call is the first word of what a filter sees.
        code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_epoll_pwait2 as u32),
        code(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        code(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the program lives on this frame; the kernel copies it.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}

fn waits_still_work(errno: i32) {
    forbid_epoll_pwait2(errno);
    let (a, b) = streams();
    let mut poller: Poller<'_> = Poller::with_backend(fastsock::Backend::Epoll).unwrap();
    for micros in [1, 999, 1000, 1001, 2500] {
        let (timeout, start) = (Duration::from_micros(micros), Instant::now());
        assert_eq!(poller.wait(&mut Vec::new(), Some(timeout)).unwrap(), 0);
        assert!(start.elapsed() >= timeout);
    }
    let token = poller.add(std::os::fd::AsFd::as_fd(&a), Interest::READABLE, Trigger::Level).unwrap();
    assert!(look(&mut poller).is_empty());
    std::io::Write::write_all(&mut &b, b"x").unwrap();
    wait_for(&mut poller, token);
    let mut events = Vec::new();
    assert_eq!(poller.wait(&mut events, Some(Duration::MAX)).unwrap(), 1);
}

#[test]
fn a_missing_call_is_replaced() {
    in_child("a_missing_call_is_replaced", |_| waits_still_work(libc::ENOSYS));
}

#[test]
fn a_forbidden_call_is_replaced() {
    in_child("a_forbidden_call_is_replaced", |_| waits_still_work(libc::EPERM));
}
