//! A kernel, or a sandbox, without epoll_pwait2: the wait falls back to milliseconds, rounded up.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;

use std::time::{Duration, Instant};

use common::{forbid, in_child, look, streams, wait_for};
use fastsock::{Interest, Poller, Trigger};

fn waits_still_work(errno: i32) {
    forbid(libc::SYS_epoll_pwait2, errno);
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
