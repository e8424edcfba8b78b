//! No descriptor is left: what cannot be made anew does not cost what there is.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::os::fd::AsRawFd;
use std::time::Duration;

use common::{duplicate, errno, in_child, look, replace, streams, use_up_descriptors, wait_for};
use fastsock::{Backend, Interest, Poller, Reactor, Trigger};

const READ: Interest = Interest::READABLE;

#[test]
fn a_set_that_cannot_be_made_anew_loses_no_event_and_is_made_later() {
    in_child("a_set_that_cannot_be_made_anew_loses_no_event_and_is_made_later", |backend| {
        if backend != Backend::Epoll {
            return; // The others need no descriptor for theirs.
        }
        let ((a, mut b), (c, _d), (e, mut f)) = (streams(), streams(), streams());
        let mut poller: Poller<'static> = Poller::with_backend(backend).unwrap();
        // SAFETY: `a` is put away before it is removed, on purpose; `e` outlives the poller's use.
        let (ghost, edge) = unsafe {
            (
                poller.add_raw(a.as_raw_fd(), READ, Trigger::Level).unwrap(),
                poller.add_raw(e.as_raw_fd(), READ, Trigger::Edge).unwrap(),
            )
        };
        let _alive = duplicate(&a, 3);
        replace(&a, &c);
        poller.remove(ghost);
        let files = use_up_descriptors();
        b.write_all(b"for nobody").unwrap();
        f.write_all(b"x").unwrap();
        wait_for(&mut poller, edge);
        assert_eq!((poller.stats().stale_events, poller.stats().rebuilds), (1, 0));
        drop(files);
        look(&mut poller);
        assert_eq!((poller.stats().stale_events, poller.stats().rebuilds), (2, 1));
        common::read_some(&mut &e, 9).unwrap();
        f.write_all(b"y").unwrap();
        wait_for(&mut poller, edge);
    });
}

#[test]
fn a_reinit_that_fails_leaves_the_parents_set_alone_and_can_be_tried_again() {
    in_child("a_reinit_that_fails_leaves_the_parents_set_alone_and_can_be_tried_again", |backend| {
        let (a, mut b) = streams();
        let mut poller: Poller<'static> = Poller::with_backend(backend).unwrap();
        // SAFETY: the stream outlives the poller's use.
        let token = unsafe { poller.add_raw(a.as_raw_fd(), READ, Trigger::Level) }.unwrap();
        let waker = poller.waker().unwrap();
        // SAFETY: a process with one thread besides those that wait, as the one that runs this alone is.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let files = use_up_descriptors();
            assert_eq!(errno(poller.reinit()), libc::EMFILE);
            assert_eq!(errno(poller.wait(&mut Vec::new(), Some(Duration::ZERO))), libc::ECHILD);
            assert!(poller.remove(token));
            drop(files);
            poller.reinit().unwrap();
            waker.wake().unwrap();
            assert!(look(&mut poller).is_empty() && poller.take_woken());
            // SAFETY: the child has nothing to clean up.
            unsafe { libc::_exit(0) };
        }
        let mut status = -1;
        // SAFETY: `status` lives on this frame.
        unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!(status, 0);
        b.write_all(b"x").unwrap();
        wait_for(&mut poller, token);
    });
}

#[test]
fn what_needs_a_descriptor_says_so() {
    in_child("what_needs_a_descriptor_says_so", |backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let _files = use_up_descriptors();
        assert_eq!(errno(poller.waker()), libc::EMFILE);
        assert_eq!(errno(reactor.add_waker(|_, _, _| {}).map(|_| ())), libc::EMFILE);
        assert!(reactor.is_empty());
        let another = Poller::with_backend(backend);
        assert!(backend != Backend::Epoll || errno(another) == libc::EMFILE);
        let address = ([127, 0, 0, 1], 0).into();
        assert_eq!(errno(fastsock::net::Listener::bind(address)), libc::EMFILE);
    });
}
