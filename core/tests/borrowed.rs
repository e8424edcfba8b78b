//! Sources and callbacks that the reactor does not own, but which outlive it.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::Cell;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use common::{LONG, errno, for_each_backend, streams};
use fastsock::{Interest, Reactor, Trigger};

#[test]
fn a_borrowed_source_stays_with_its_owner() {
    for_each_backend(|backend| {
        let (mine, mut peer) = streams();
        let seen = Cell::new(0);
        {
            // Callbacks may borrow as well.
            let mut reactor = Reactor::with_backend(backend).unwrap();
            let read = |reactor: &mut Reactor<'_, ()>, _: &mut (), source: &mut &UnixStream, event: fastsock::Event| {
                seen.set(seen.get() + source.read(&mut [0; 8]).unwrap());
                assert!(reactor.take::<UnixStream>(event.token()).is_none(), "only what it owns can be taken");
                assert!(reactor.remove(event.token()));
            };
            reactor.add_borrowed(&mine, Interest::READABLE, Trigger::Level, read).unwrap();
            peer.write_all(b"one").unwrap();
            assert_eq!(reactor.turn(&mut (), Some(LONG)).unwrap(), 1);
            assert!(reactor.is_empty());
            // And again, from its borrowed descriptor alone; this one is there when the reactor goes.
            reactor.add_borrowed(mine.as_fd(), Interest::READABLE, Trigger::Level, |_, _, _, _| seen.set(100)).unwrap();
            let twice = reactor.add_borrowed(&mine, Interest::READABLE, Trigger::Level, |_, _, _, _| {});
            assert_eq!(errno(twice), libc::EEXIST);
        }
        peer.write_all(b"two").unwrap();
        assert_eq!((&mine).read(&mut [0; 8]).unwrap(), 3);
        assert_eq!(seen.get(), 3);
    });
}

#[test]
fn every_kind_of_callback_may_borrow() {
    let calls = Cell::new(0);
    let count = || calls.set(calls.get() + 1);
    let done = Cell::new(false);
    let mut reactor = Reactor::new().unwrap();
    reactor.timer(std::time::Duration::ZERO, |_, _: &mut (), _, _| count()).unwrap();
    let (_, waker) = reactor.add_waker(|_, _, _| count()).unwrap();
    let submitter = reactor.submitter().unwrap();
    // Borrowed by a thread that ends before its owner does.
    std::thread::scope(|scope| scope.spawn(|| submitter.submit(|reactor, _| reactor.stop()).unwrap()).join().unwrap());
    waker.wake().unwrap();
    reactor.run(&mut ()).unwrap();
    reactor.submitter().unwrap().submit(|_, _| ()).unwrap();
    done.set(calls.get() == 2);
    assert!(done.get(), "{} calls", calls.get());
}
