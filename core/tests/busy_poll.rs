//! Busy polling of an epoll set: what is set is what the kernel has, and what the next set gets.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;
#[path = "common/options.rs"]
mod options;

use std::ffi::CStr;
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::time::Duration;

use common::{duplicate, errno, look, replace, streams, tcp_streams, wait_for};
use fastsock::{Backend, BusyPoll, Interest, Poller, Reactor, Trigger};

const BUSY: BusyPoll = BusyPoll { time: Duration::from_micros(20), budget: 16, prefer: true };

/// The major and minor numbers of the running kernel.
fn kernel() -> (u32, u32) {
    // SAFETY: uname writes one `utsname`, whose strings are NUL-terminated.
    let release = unsafe {
        let mut name = MaybeUninit::<libc::utsname>::zeroed();
        assert_eq!(libc::uname(name.as_mut_ptr()), 0);
        CStr::from_ptr(name.assume_init_ref().release.as_ptr()).to_str().unwrap().to_owned()
    };
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// An epoll poller whose kernel has busy polling; `None`, said aloud, when it has not.
fn poller() -> Option<Poller<'static>> {
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let Err(error) = poller.set_busy_poll(BusyPoll::default()) else { return Some(poller) };
    if kernel() < (6, 9) {
        assert_eq!(fastsock::errno(&error), libc::ENOTTY, "{error}");
        assert!(error.to_string().contains("Linux 6.9"), "{error}");
    } else {
        assert_eq!(fastsock::errno(&error), libc::EOPNOTSUPP, "{error}");
    }
    eprintln!("SKIPPED: {error}");
    None
}

#[test]
fn what_is_set_is_what_the_kernel_has() {
    let Some(mut poller) = poller() else { return };
    assert_eq!(poller.busy_poll().unwrap(), BusyPoll::default());
    for busy in [BUSY, BusyPoll { prefer: false, ..BUSY }, BusyPoll::default()] {
        poller.set_busy_poll(busy).unwrap();
        assert_eq!(poller.busy_poll().unwrap(), busy);
    }
    let half = BusyPoll { time: Duration::from_nanos(1500), ..BUSY };
    poller.set_busy_poll(half).unwrap();
    assert_eq!(poller.busy_poll().unwrap().time, Duration::from_micros(2), "rounded up");
}

#[test]
fn what_does_not_fit_or_is_not_allowed_changes_nothing() {
    let Some(mut poller) = poller() else { return };
    poller.set_busy_poll(BUSY).unwrap();
    for time in [Duration::from_micros(1 << 31), Duration::MAX] {
        assert_eq!(errno(poller.set_busy_poll(BusyPoll { time, ..BUSY })), libc::EINVAL);
    }
    let large = BusyPoll { budget: 65, ..BUSY };
    match poller.set_busy_poll(large) {
        Ok(()) => assert_eq!(poller.busy_poll().unwrap(), large),
        Err(error) => {
            assert_eq!(fastsock::errno(&error), libc::EPERM);
            assert!(!options::has_capability(options::CAP_NET_ADMIN), "{error}");
            assert_eq!(poller.busy_poll().unwrap(), BUSY);
        }
    }
}

#[test]
fn the_other_backends_refuse_it_with_a_sentence() {
    for backend in [Backend::Poll, Backend::Select] {
        let mut poller = Poller::with_backend(backend).unwrap();
        let error = poller.set_busy_poll(BUSY).unwrap_err();
        assert_eq!(fastsock::errno(&error), libc::EOPNOTSUPP);
        assert!(error.to_string().contains("epoll"), "{error}");
        assert_eq!(errno(poller.busy_poll()), libc::EOPNOTSUPP);
    }
}

#[test]
fn a_new_set_is_polled_as_the_old_one() {
    let Some(mut poller) = poller() else { return };
    poller.set_busy_poll(BUSY).unwrap();
    poller.reinit().unwrap();
    assert_eq!(poller.busy_poll().unwrap(), BUSY);

    // A registration that reports though it is removed, for a duplicate of its closed descriptor lives: the cure is a new set.
    let ((a, mut b), (c, _d)) = (streams(), streams());
    let number = duplicate(&a, 3);
    // SAFETY: closed before it is removed, on purpose: that is the accident.
    let token = unsafe { poller.add_raw(number.as_raw_fd(), Interest::READABLE, Trigger::Level) }.unwrap();
    replace(&number, &c);
    assert!(poller.remove(token));
    b.write_all(b"for nobody").unwrap();
    let rebuilds = poller.stats().rebuilds;
    assert!(look(&mut poller).is_empty());
    assert_eq!(poller.stats().rebuilds, rebuilds + 1);
    assert_eq!(poller.busy_poll().unwrap(), BUSY);
}

#[test]
fn events_come_as_without_it() {
    let Some(mut poller) = poller() else { return };
    poller.set_busy_poll(BUSY).unwrap();
    let (a, mut b) = tcp_streams();
    // SAFETY: the stream is closed after the poller.
    let token = unsafe { poller.add_raw(a.as_raw_fd(), Interest::READABLE, Trigger::Level) }.unwrap();
    b.write_all(b"x").unwrap();
    assert!(wait_for(&mut poller, token).is_readable());
    drop(poller);
}

#[test]
fn a_reactor_has_it_too_and_keeps_it() {
    if poller().is_none() {
        return;
    }
    let mut reactor = Reactor::<()>::with_backend(Backend::Epoll).unwrap();
    reactor.set_busy_poll(BUSY).unwrap();
    reactor.reinit().unwrap();
    assert_eq!(reactor.busy_poll().unwrap(), BUSY);
    let mut other = Reactor::<()>::with_backend(Backend::Poll).unwrap();
    assert_eq!(errno(other.set_busy_poll(BUSY)), libc::EOPNOTSUPP);
    assert_eq!(errno(other.busy_poll()), libc::EOPNOTSUPP);
}
