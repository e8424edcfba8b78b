//! What the design takes for granted about Linux: should a kernel differ, this fails here and by name.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;

use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use common::{duplicate, read_some, replace, streams};

struct Epoll(OwnedFd);

impl Epoll {
    fn new() -> Epoll {
        // SAFETY: a new descriptor, ours alone.
        Epoll(unsafe { OwnedFd::from_raw_fd(libc::epoll_create1(libc::EPOLL_CLOEXEC)) })
    }

    fn control(&self, op: i32, fd: RawFd, events: i32) -> i32 {
        let mut event = libc::epoll_event { events: events as u32, u64: fd as u64 };
        // SAFETY: the event lives on this frame.
        let result = unsafe { libc::epoll_ctl(self.0.as_raw_fd(), op, fd, &mut event) };
        if result == 0 { 0 } else { io::Error::last_os_error().raw_os_error().unwrap() }
    }

    fn add(&self, fd: &impl AsRawFd, events: i32) -> i32 {
        self.control(libc::EPOLL_CTL_ADD, fd.as_raw_fd(), events)
    }

    /// The bits of the one event there is now; 0 for none.
    fn look(&self) -> i32 {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
        // SAFETY: room for eight.
        let n = unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), 8, 0) };
        assert!(n == 0 || n == 1, "{n} events");
        if n == 0 { 0 } else { events[0].events as i32 }
    }
}

#[test]
fn modify_fires_an_edge_again_when_it_is_still_ready() {
    let (mut a, mut b) = streams();
    let epoll = Epoll::new();
    let edge = libc::EPOLLIN | libc::EPOLLET;
    assert_eq!(epoll.add(&a, edge), 0);
    b.write_all(b"xy").unwrap();
    assert_eq!(epoll.look(), libc::EPOLLIN);
    read_some(&mut a, 1).unwrap();
    assert_eq!(epoll.look(), 0);
    assert_eq!(epoll.control(libc::EPOLL_CTL_MOD, a.as_raw_fd(), edge), 0);
    assert_eq!(epoll.look(), libc::EPOLLIN);
}

#[test]
fn hup_is_reported_for_no_interest_and_not_after_a_one_shot() {
    let (a, b) = streams();
    drop(b);
    let none = Epoll::new();
    assert_eq!(none.add(&a, 0), 0);
    assert_eq!(none.look() & libc::EPOLLHUP, libc::EPOLLHUP);
    assert_eq!(none.look() & libc::EPOLLHUP, libc::EPOLLHUP, "for ever");
    let once = Epoll::new();
    assert_eq!(once.add(&a, libc::EPOLLONESHOT), 0);
    assert_eq!(once.look() & libc::EPOLLHUP, libc::EPOLLHUP);
    assert_eq!(once.look(), 0);
}

#[test]
fn a_duplicate_keeps_a_closed_registration_that_cannot_be_removed_any_more() {
    let ((a, mut b), (c, _d)) = (streams(), streams());
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&a, libc::EPOLLIN), 0);
    let number = a.as_raw_fd();
    let alive = duplicate(&a, 3);
    replace(&a, &c);
    b.write_all(b"x").unwrap();
    assert_eq!(epoll.look(), libc::EPOLLIN);
    assert_eq!(epoll.control(libc::EPOLL_CTL_DEL, number, 0), libc::ENOENT);
    assert_eq!(epoll.control(libc::EPOLL_CTL_DEL, alive.as_raw_fd(), 0), libc::ENOENT);
    assert_eq!(epoll.control(libc::EPOLL_CTL_ADD, number, libc::EPOLLIN), 0, "the number is free again");
    drop(alive);
    assert_eq!(epoll.look(), 0, "the last one gone, the registration is");
}

#[test]
fn exclusive_can_be_neither_modified_nor_combined() {
    let (a, _b) = streams();
    let epoll = Epoll::new();
    for also in [libc::EPOLLONESHOT, libc::EPOLLRDHUP, libc::EPOLLPRI] {
        assert_eq!(epoll.add(&a, libc::EPOLLIN | libc::EPOLLEXCLUSIVE | also), libc::EINVAL);
    }
    assert_eq!(epoll.add(&a, libc::EPOLLIN | libc::EPOLLEXCLUSIVE | libc::EPOLLET), 0);
    assert_eq!(epoll.control(libc::EPOLL_CTL_MOD, a.as_raw_fd(), libc::EPOLLIN), libc::EINVAL);
    assert_eq!(epoll.control(libc::EPOLL_CTL_DEL, a.as_raw_fd(), 0), 0);
}

#[test]
fn each_write_to_an_eventfd_is_an_edge_though_nobody_reads() {
    // SAFETY: a new descriptor, ours alone.
    let fd = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC)) };
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&fd, libc::EPOLLIN | libc::EPOLLET), 0);
    for _ in 0..5 {
        // SAFETY: eight bytes, which live on this frame.
        assert_eq!(unsafe { libc::write(fd.as_raw_fd(), (&raw const ONE).cast(), 8) }, 8);
        assert_eq!(epoll.look(), libc::EPOLLIN);
        assert_eq!(epoll.look(), 0);
    }
}

static ONE: u64 = 1;
