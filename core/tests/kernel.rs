//! What the design takes for granted about epoll(7) and the other waits of Linux: should a kernel differ, this fails here
//! and by name. What it takes for granted about sockets is in kernel_sockets.rs.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;
#[path = "common/epoll.rs"]
mod epoll;

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use common::{LONG, allow_descriptors, duplicate, pipe, read_some, replace, streams};
use epoll::{Epoll, errno_of};
use libc::{EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLPRI, EPOLLRDHUP};

fn eventfd() -> OwnedFd {
    // SAFETY: a new descriptor, ours alone.
    unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC)) }
}

/// Adds to an eventfd's counter; the errno, 0 for none.
fn count(fd: &OwnedFd, number: u64) -> i32 {
    // SAFETY: eight bytes, which live on this frame.
    let written = unsafe { libc::write(fd.as_raw_fd(), (&raw const number).cast(), 8) };
    errno_of(written as i32)
}

#[test]
fn modify_fires_an_edge_again_when_it_is_still_ready() {
    let (mut a, mut b) = streams();
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&a, EPOLLIN | EPOLLET), 0);
    b.write_all(b"xy").unwrap();
    assert_eq!(epoll.look(), EPOLLIN);
    read_some(&mut a, 1).unwrap();
    assert_eq!(epoll.look(), 0);
    assert_eq!(epoll.modify(&a, EPOLLIN | EPOLLET), 0);
    assert_eq!(epoll.look(), EPOLLIN);
}

#[test]
fn each_write_is_an_edge_and_a_partial_read_is_none() {
    let (mut a, mut b) = streams();
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&a, EPOLLIN | EPOLLET), 0);
    for _ in 0..5 {
        b.write_all(b"xy").unwrap();
        assert_eq!(epoll.look(), EPOLLIN, "though bytes of the last write are unread");
        assert_eq!(epoll.look(), 0);
        read_some(&mut a, 1).unwrap();
        assert_eq!(epoll.look(), 0);
    }
}

#[test]
fn hup_is_reported_for_no_interest_and_not_after_a_one_shot() {
    let (a, b) = streams();
    drop(b);
    let none = Epoll::new();
    assert_eq!(none.add(&a, 0), 0);
    assert_eq!(none.look() & EPOLLHUP, EPOLLHUP);
    assert_eq!(none.look() & EPOLLHUP, EPOLLHUP, "for ever");
    let once = Epoll::new();
    assert_eq!(once.add(&a, EPOLLONESHOT), 0);
    assert_eq!(once.look() & EPOLLHUP, EPOLLHUP);
    assert_eq!(once.look(), 0);
}

#[test]
fn a_registration_ends_with_its_last_descriptor() {
    let (a, mut b) = streams();
    let epoll = Epoll::new();
    // A number that nobody takes meanwhile: the kernel gives out the lowest.
    let number = duplicate(&a, 700);
    drop(a);
    assert_eq!(epoll.add(&number, EPOLLIN), 0);
    assert_eq!(epoll.add(&number, EPOLLIN), libc::EEXIST);
    b.write_all(b"x").unwrap();
    assert_eq!(epoll.look(), EPOLLIN);
    let raw = number.as_raw_fd();
    drop(number);
    assert_eq!(epoll.look(), 0);
    assert_eq!(epoll.control(libc::EPOLL_CTL_DEL, raw, 0), libc::EBADF);
}

#[test]
fn a_duplicate_keeps_a_closed_registration_that_cannot_be_removed_any_more() {
    let ((a, mut b), (c, _d)) = (streams(), streams());
    let epoll = Epoll::new();
    let number = duplicate(&a, 800);
    let raw = number.as_raw_fd();
    assert_eq!(epoll.add(&number, EPOLLIN), 0);
    drop(number);
    b.write_all(b"x").unwrap();
    assert_eq!(epoll.look(), EPOLLIN);
    assert_eq!(epoll.control(libc::EPOLL_CTL_DEL, raw, 0), libc::EBADF, "it is not open");
    assert_eq!(epoll.remove(&a), libc::ENOENT, "and the duplicate is not what was added");
    let newcomer = duplicate(&c, raw);
    assert_eq!(newcomer.as_raw_fd(), raw);
    assert_eq!(epoll.remove(&newcomer), libc::ENOENT, "nor is what has the number now");
    assert_eq!(epoll.add(&newcomer, EPOLLIN), 0, "the number is free for it");
    drop(a);
    assert_eq!(epoll.look(), 0, "the last one gone, the registration is");
}

#[test]
fn a_duplicate_may_be_registered_beside_its_twin() {
    let (a, mut b) = streams();
    let (epoll, twin) = (Epoll::new(), duplicate(&a, 3));
    assert_eq!((epoll.add(&a, EPOLLIN), epoll.add(&twin, EPOLLIN)), (0, 0));
    b.write_all(b"x").unwrap();
    assert_eq!(epoll.look_at_most(8).len(), 2);
}

#[test]
fn a_childs_removal_is_one_from_its_parents_set() {
    let (a, mut b) = streams();
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&a, EPOLLIN), 0);
    b.write_all(b"x").unwrap();
    assert_eq!(epoll.look(), EPOLLIN);
    // SAFETY: the child makes two system calls, which are all safe after a fork of many threads.
    let status = unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            let result = libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_DEL, a.as_raw_fd(), std::ptr::null_mut());
            libc::_exit(result);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        status
    };
    assert_eq!(status, 0);
    assert_eq!(epoll.look(), 0);
    assert_eq!(epoll.remove(&a), libc::ENOENT);
}

#[test]
fn exclusive_can_be_neither_modified_nor_combined() {
    let (a, _b) = streams();
    let epoll = Epoll::new();
    for also in [EPOLLONESHOT, EPOLLRDHUP, EPOLLPRI] {
        assert_eq!(epoll.add(&a, EPOLLIN | EPOLLEXCLUSIVE | also), libc::EINVAL);
    }
    assert_eq!(epoll.add(&Epoll::new(), EPOLLIN | EPOLLEXCLUSIVE), libc::EINVAL);
    assert_eq!(epoll.add(&a, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLEXCLUSIVE | EPOLLET), 0);
    assert_eq!(epoll.modify(&a, EPOLLIN), libc::EINVAL);
    assert_eq!(epoll.remove(&a), 0);
    assert_eq!(epoll.add(&a, EPOLLIN), 0);
    assert_eq!(epoll.modify(&a, EPOLLIN | EPOLLEXCLUSIVE), libc::EINVAL);
}

#[test]
fn what_is_always_ready_cannot_be_watched() {
    let epoll = Epoll::new();
    for path in ["Cargo.toml", ".", "/dev/null"] {
        assert_eq!(epoll.add(&File::open(path).unwrap(), EPOLLIN), libc::EPERM, "{path}");
    }
}

#[test]
fn sets_in_sets_are_readable_with_them_and_never_circles() {
    let (a, mut b) = streams();
    let (inner, outer) = (Epoll::new(), Epoll::new());
    assert_eq!(inner.add(&inner, EPOLLIN), libc::EINVAL);
    assert_eq!((inner.add(&a, EPOLLIN), outer.add(&inner, EPOLLIN)), (0, 0));
    assert_eq!(inner.add(&outer, EPOLLIN), libc::ELOOP);
    assert_eq!(outer.look(), 0);
    b.write_all(b"x").unwrap();
    assert_eq!(outer.look(), EPOLLIN);

    let mut chain = vec![inner, outer];
    let refused = (0..10).find_map(|_| {
        let next = Epoll::new();
        let error = next.add(chain.last().unwrap(), EPOLLIN);
        chain.push(next);
        (error != 0).then_some(error)
    });
    assert_eq!(refused, Some(libc::ELOOP), "too many in each other");
    assert!(chain.len() > 4, "four are not too many");
}

#[test]
fn each_write_to_an_eventfd_is_an_edge_though_nobody_reads() {
    let (fd, epoll) = (eventfd(), Epoll::new());
    assert_eq!(epoll.add(&fd, EPOLLIN | EPOLLET), 0);
    for _ in 0..5 {
        assert_eq!(count(&fd, 1), 0);
        assert_eq!(epoll.look(), EPOLLIN);
        assert_eq!(epoll.look(), 0);
    }
}

#[test]
fn a_full_eventfd_refuses_a_write_and_is_readable() {
    let (fd, epoll) = (eventfd(), Epoll::new());
    assert_eq!(epoll.add(&fd, EPOLLIN), 0);
    assert_eq!(count(&fd, u64::MAX - 1), 0);
    assert_eq!(count(&fd, 1), libc::EAGAIN);
    assert_eq!(epoll.look(), EPOLLIN);
}

#[test]
fn a_timerfd_that_is_set_again_is_an_edge_though_nobody_reads() {
    let epoll = Epoll::new();
    // SAFETY: a new descriptor, ours alone.
    let timer = unsafe {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        OwnedFd::from_raw_fd(libc::timerfd_create(libc::CLOCK_MONOTONIC, flags))
    };
    assert_eq!(epoll.add(&timer, EPOLLIN | EPOLLET), 0);
    for _ in 0..5 {
        // One nanosecond after the clock began: long past.
        let past = libc::timespec { tv_sec: 0, tv_nsec: 1 };
        let spec = libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: past };
        // SAFETY: the times live on this frame.
        let set =
            unsafe { libc::timerfd_settime(timer.as_raw_fd(), libc::TFD_TIMER_ABSTIME, &spec, std::ptr::null_mut()) };
        assert_eq!(set, 0);
        epoll.wait_for(EPOLLIN);
        assert_eq!(epoll.look(), 0);
    }
}

#[test]
fn a_pipe_at_its_end_is_hup_without_in() {
    let (reader, writer) = pipe();
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&reader, EPOLLIN | EPOLLRDHUP), 0);
    drop(writer);
    assert_eq!(epoll.look(), EPOLLHUP);
}

#[test]
fn room_for_no_event_is_refused() {
    let epoll = Epoll::new();
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    for most in [0, -1] {
        // SAFETY: the kernel writes no more than `most` events.
        let result = unsafe { libc::epoll_wait(epoll.as_raw_fd(), &mut event, most, 0) };
        assert_eq!(errno_of(result), libc::EINVAL);
    }
}

#[test]
fn of_more_ready_descriptors_than_fit_each_has_its_turn() {
    let (epoll, mut ends) = (Epoll::new(), Vec::new());
    for _ in 0..10 {
        let (a, mut b) = streams();
        b.write_all(b"x").unwrap();
        assert_eq!(epoll.add(&a, EPOLLIN), 0);
        ends.push((a, b));
    }
    let rounds: Vec<Vec<RawFd>> =
        (0..3).map(|_| (0..5).flat_map(|_| epoll.look_at_most(2)).map(|event| event.0).collect()).collect();
    let mut first = rounds[0].clone();
    first.sort_unstable();
    first.dedup();
    assert_eq!(first.len(), 10, "five waits for two report ten");
    assert_eq!((&rounds[1], &rounds[2]), (&rounds[0], &rounds[0]), "in the same order again");
}

#[test]
fn a_wait_in_nanoseconds_is_never_early_and_not_a_millisecond_late() {
    let epoll = Epoll::new();
    let timeout = Duration::from_micros(100);
    let wait = || {
        let ts = libc::timespec { tv_sec: 0, tv_nsec: timeout.subsec_nanos().into() };
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let start = Instant::now();
        // SAFETY: room for one event; the timeout lives on this frame; no signal mask is passed.
        let result = unsafe {
            let mask = std::ptr::null::<libc::sigset_t>();
            libc::syscall(libc::SYS_epoll_pwait2, epoll.as_raw_fd(), &raw mut event, 1, &raw const ts, mask, 0)
        };
        (result, start.elapsed())
    };
    if wait().0 == -1 {
        eprintln!("SKIPPED: epoll_pwait2 needs Linux 5.11");
        return;
    }
    // One of many, for a busy machine may be late; the slack of timers is 50 microseconds (prctl(2)).
    let start = Instant::now();
    while start.elapsed() < LONG {
        let (result, elapsed) = wait();
        assert_eq!(result, 0);
        assert!(elapsed >= timeout, "{elapsed:?}");
        if elapsed < Duration::from_millis(1) {
            return;
        }
    }
    panic!("in {LONG:?} no wait of {timeout:?} was over within a millisecond");
}

#[test]
fn poll_passes_over_negative_numbers_and_reports_closed_ones() {
    let (a, b) = streams();
    drop(b);
    let number = duplicate(&a, 900);
    let closed = number.as_raw_fd();
    drop(number);
    let mut fds = [!a.as_raw_fd(), closed].map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    // SAFETY: two entries.
    assert_eq!(unsafe { libc::poll(fds.as_mut_ptr(), 2, 0) }, 1);
    assert_eq!(fds.map(|fd| fd.revents), [0, libc::POLLNVAL], "not even HUP of what is silenced");
}

#[test]
fn select_takes_sets_of_any_length_and_fails_whole_for_a_closed_descriptor() {
    allow_descriptors(2100);
    let (a, mut b) = streams();
    b.write_all(b"x").unwrap();
    let high = duplicate(&a, 2000);
    let number = high.as_raw_fd() as usize;
    const BITS: usize = libc::c_ulong::BITS as usize;
    let select = |numbers: &[usize]| {
        let mut set = vec![0 as libc::c_ulong; 2048 / BITS + 1];
        numbers.iter().for_each(|number| set[number / BITS] |= 1 << (number % BITS));
        let (null, zero) = (std::ptr::null_mut(), libc::timespec { tv_sec: 0, tv_nsec: 0 });
        let count = (set.len() * BITS) as i32;
        // SAFETY: the set holds so many bits.
        let result = unsafe { libc::pselect(count, set.as_mut_ptr().cast(), null, null, &zero, std::ptr::null()) };
        (result, errno_of(result), set[number / BITS] >> (number % BITS) & 1)
    };
    assert_eq!(select(&[number]), (1, 0, 1));
    let other = duplicate(&a, 1900);
    let closed = other.as_raw_fd() as usize;
    drop(other);
    let (result, error, _) = select(&[number, closed]);
    assert_eq!((result, error), (-1, libc::EBADF));
}

#[test]
fn a_number_that_is_taken_over_by_another_file_is_out_of_the_set() {
    let ((a, mut b), (c, _d)) = (streams(), streams());
    let epoll = Epoll::new();
    assert_eq!(epoll.add(&a, EPOLLIN), 0);
    b.write_all(b"x").unwrap();
    assert_eq!(epoll.look(), EPOLLIN);
    replace(&a, &c);
    assert_eq!(epoll.look(), 0);
    assert_eq!(epoll.remove(&a), libc::ENOENT);
}
