//! A number closed while it is registered, which the loop itself then opens anew for a descriptor of its own.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use common::{LONG, in_child, look, streams};
use fastsock::{Backend, Interest, Poller, Reactor, Token, Trigger};

const READ: Interest = Interest::READABLE;

/// Registers a descriptor and closes it. Its number is the next that is opened, for the kernel gives the lowest.
fn closed_number(poller: &mut Poller<'static>) -> (Token, UnixStream) {
    let (here, there) = streams();
    // SAFETY: closed before it is removed, on purpose: that is the accident this file is about.
    let token = unsafe { poller.add_raw(here.as_raw_fd(), READ, Trigger::Level) }.unwrap();
    (token, there)
}

#[test]
fn a_waker_under_the_number_of_a_closed_source_works_and_outlives_its_removal() {
    in_child("a_waker_under_the_number_of_a_closed_source_works_and_outlives_its_removal", |backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let (token, _there) = closed_number(&mut poller);
        let waker = poller.waker().unwrap();
        let mut events = Vec::new();
        for remove in [false, true] {
            assert!(!remove || poller.remove(token));
            waker.wake().unwrap();
            assert_eq!(poller.wait(&mut events, Some(LONG)).unwrap(), 0);
            assert!(poller.take_woken(), "removed: {remove}");
            assert!(look(&mut poller).is_empty() && !poller.take_woken());
        }
    });
}

#[test]
fn a_closed_source_whose_number_is_the_wakers_is_told_so_when_it_is_modified() {
    in_child("a_closed_source_whose_number_is_the_wakers_is_told_so_when_it_is_modified", |backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let (token, _there) = closed_number(&mut poller);
        let waker = poller.waker().unwrap();
        assert_eq!(common::errno(poller.modify(token, READ, Trigger::OneShot)), libc::EBADF);
        waker.wake().unwrap();
        assert_eq!(poller.wait(&mut Vec::new(), Some(LONG)).unwrap(), 0);
        assert!(poller.take_woken());
    });
}

#[test]
fn a_callback_whose_number_the_embedded_timer_takes_is_dropped_at_once() {
    in_child("a_callback_whose_number_the_embedded_timer_takes_is_dropped_at_once", |backend| {
        if backend != Backend::Epoll {
            return;
        }
        for interest in [READ, Interest::NONE] {
            let mut reactor = Reactor::<bool>::with_backend(backend).unwrap();
            let (here, _there) = streams();
            let kept = Rc::new(Cell::new(()));
            let callback = {
                let kept = kept.clone();
                move |_: &mut Reactor<'static, bool>, _: &mut bool, _| kept.set(())
            };
            // SAFETY: closed before it is removed, on purpose.
            let token = unsafe { reactor.add_raw(here.as_raw_fd(), interest, Trigger::Level, callback) }.unwrap();
            drop(here);
            reactor.embed().unwrap();
            assert!(!reactor.contains(token) && !reactor.remove(token));
            assert_eq!(Rc::strong_count(&kept), 1);
            let mut fired = false;
            reactor.timer(Duration::ZERO, |_, fired, _, _| *fired = true).unwrap();
            reactor.turn(&mut fired, Some(LONG)).unwrap();
            assert!(fired);
        }
    });
}
