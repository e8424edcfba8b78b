//! Callbacks that add, modify and remove, themselves and others.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use common::{LONG, allow_descriptors, duplicate, for_each_backend, is_closed, read_some, replace, streams};
use fastsock::{AddError, Backend, Interest, Reactor, Token, Trigger};

const READ: Interest = Interest::READABLE;
const NOW: Option<Duration> = Some(Duration::ZERO);

/// A stream that counts how many of its kind have been dropped.
struct Counted(UnixStream, Rc<Cell<usize>>);

impl AsFd for Counted {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.set(self.1.get() + 1);
    }
}

/// A stream with a byte to read, and its peer.
fn ready() -> (UnixStream, UnixStream) {
    let (a, mut b) = streams();
    b.write_all(b"x").unwrap();
    (a, b)
}

#[test]
fn a_callback_gets_its_source_its_event_and_the_context() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        let mut reactor = Reactor::<Vec<u8>>::with_backend(backend).unwrap();
        let token = reactor
            .add(a, READ, Trigger::Level, |_, log, source: &mut UnixStream, event| {
                assert!(event.is_readable());
                log.extend(read_some(source, 64).unwrap());
            })
            .unwrap();
        let mut log = Vec::new();
        b.write_all(b"one").unwrap();
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 1);
        b.write_all(b" two").unwrap();
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 1);
        assert_eq!(log, b"one two");
        assert!(reactor.contains(token) && reactor.turn(&mut log, NOW).unwrap() == 0);
    });
}

#[test]
fn a_callback_may_remove_its_own_source_which_is_dropped_after_it() {
    for_each_backend(|backend| {
        let ((a, _b), dropped) = (ready(), Rc::new(Cell::new(0)));
        let seen = dropped.clone();
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let callback =
            move |reactor: &mut Reactor<'_, ()>, _: &mut (), source: &mut Counted, event: fastsock::Event| {
                assert!(reactor.remove(event.token()) && !reactor.remove(event.token()));
                assert_eq!(seen.get(), 0);
                assert_eq!(read_some(&mut source.0, 9).unwrap(), b"x", "usable until the return");
            };
        reactor.add(Counted(a, dropped.clone()), READ, Trigger::Level, callback).unwrap();
        reactor.run(&mut ()).unwrap();
        assert_eq!(dropped.get(), 1);
    });
}

#[test]
fn a_callback_may_remove_the_next_which_is_then_not_called() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<usize>>::with_backend(backend).unwrap();
        let tokens: Rc<RefCell<Vec<Token>>> = Rc::default();
        let mut peers = Vec::new();
        for i in 0..6 {
            let (a, b) = ready();
            peers.push(b);
            let all = tokens.clone();
            let token = reactor.add(a, READ, Trigger::Level, move |reactor, log: &mut Vec<usize>, _, _| {
                log.push(i);
                // Itself, and the other of its pair.
                for place in [i, i ^ 1] {
                    reactor.remove(all.borrow()[place]);
                }
            });
            tokens.borrow_mut().push(token.unwrap());
        }
        let mut log = Vec::new();
        reactor.run(&mut log).unwrap();
        log.iter_mut().for_each(|i| *i /= 2);
        log.sort();
        assert_eq!(log, [0, 1, 2], "one of each pair");
    });
}

#[test]
fn two_and_a_half_thousand_ready_sources_removed_by_the_first_are_not_called_and_all_closed() {
    const SOURCES: usize = 2500;
    allow_descriptors(6000);
    for_each_backend(|backend| {
        let mut reactor = Reactor::<usize>::with_backend(backend).unwrap();
        let (tokens, dropped) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
        let mut peers = Vec::new();
        for _ in 0..SOURCES {
            let (a, b) = ready();
            peers.push(b);
            let all = tokens.clone();
            let callback = move |reactor: &mut Reactor<'_, usize>, calls: &mut usize, _: &mut Counted, _| {
                *calls += 1;
                for token in all.take() {
                    assert!(reactor.remove(token));
                }
            };
            let source = Counted(a, dropped.clone());
            tokens.borrow_mut().push(reactor.add(source, READ, Trigger::Level, callback).unwrap());
        }
        let mut calls = 0;
        assert_eq!(reactor.turn(&mut calls, Some(LONG)).unwrap(), 1);
        assert_eq!((calls, dropped.get()), (1, SOURCES));
        assert!(reactor.is_empty() && reactor.turn(&mut calls, NOW).unwrap() == 0 && calls == 1);
        for peer in &mut peers {
            assert!(is_closed(peer));
        }
    });
}

#[test]
fn what_takes_the_place_of_a_removed_source_between_wait_and_dispatch_gets_none_of_its_events() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<usize>::with_backend(backend).unwrap();
        let (a, _peer) = ready();
        let old = reactor.add(a, READ, Trigger::Level, |_, _, _, _| panic!("it was removed")).unwrap();
        assert_eq!(reactor.wait(Some(LONG)).unwrap(), 1);
        assert!(reactor.remove(old));
        let (quiet, mut peer) = streams();
        let new = reactor.add(quiet, READ, Trigger::Level, |_, calls, _, _| *calls += 1).unwrap();
        assert_eq!(new.to_bits() as u32, old.to_bits() as u32, "the same slot");
        let mut calls = 0;
        assert_eq!(reactor.dispatch(&mut calls).unwrap(), 0);
        peer.write_all(b"later").unwrap();
        assert_eq!((reactor.turn(&mut calls, Some(LONG)).unwrap(), calls), (1, 1));
    });
}

#[test]
fn what_takes_the_place_of_a_removed_source_inside_a_batch_gets_none_of_its_events() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<&'static str>>::with_backend(backend).unwrap();
        let tokens: Rc<RefCell<Vec<Token>>> = Rc::default();
        let mut peers = Vec::new();
        for i in 0..2 {
            let (a, b) = ready();
            peers.push(b);
            let all = tokens.clone();
            let callback = move |reactor: &mut Reactor<'_, Vec<&'static str>>, log: &mut Vec<_>, _: &mut _, _| {
                log.push("first");
                // The other is ready too, and its event is in this batch: its slot and number go to one that is not.
                let other = all.borrow()[1 - i];
                assert!(reactor.remove(other));
                let (quiet, peer) = streams();
                let new = reactor.add(quiet, READ, Trigger::Level, |_, log, source, _| {
                    log.push("second");
                    assert_eq!(read_some(source, 9).unwrap(), b"later");
                });
                let new = new.unwrap();
                assert_eq!(new.to_bits() as u32, other.to_bits() as u32, "the same slot");
                all.borrow_mut().push(new);
                PEERS.with_borrow_mut(|peers| peers.push(peer));
            };
            tokens.borrow_mut().push(reactor.add(a, READ, Trigger::OneShot, callback).unwrap());
        }
        let mut log = Vec::new();
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 1);
        assert_eq!(reactor.turn(&mut log, NOW).unwrap(), 0);
        assert_eq!(log, ["first"]);
        PEERS.with_borrow_mut(|peers| peers.pop().unwrap().write_all(b"later").unwrap());
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, ["first", "second"]);
    });
}

thread_local! {
    static PEERS: RefCell<Vec<UnixStream>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn a_callback_may_change_its_own_interest_and_trigger() {
    for_each_backend(|backend| {
        let (a, _b) = ready();
        let mut reactor = Reactor::<Vec<bool>>::with_backend(backend).unwrap();
        reactor
            .add(a, READ, Trigger::Level, |reactor, log, _, event| {
                log.push(event.is_writable());
                match log.len() {
                    1 => reactor.modify(event.token(), Interest::WRITABLE, Trigger::OneShot).unwrap(),
                    2 => reactor.rearm(event.token()).unwrap(),
                    _ => reactor.modify(event.token(), Interest::NONE, Trigger::Level).unwrap(),
                }
            })
            .unwrap();
        let mut log = Vec::new();
        for _ in 0..3 {
            assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 1);
        }
        assert_eq!(reactor.turn(&mut log, NOW).unwrap(), 0);
        assert_eq!(log, [false, true, true]);
    });
}

#[test]
fn take_gives_the_source_back_and_ends_the_watching() {
    for_each_backend(|backend| {
        let ((a, mut b), dropped) = (ready(), Rc::new(Cell::new(0)));
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let token =
            reactor.add(Counted(a, dropped.clone()), READ, Trigger::Level, |_, calls, _, _| *calls += 1).unwrap();
        assert!(reactor.take::<UnixStream>(token).is_none(), "another type");
        assert!(reactor.contains(token), "and nothing was removed");
        let mut source = reactor.take::<Counted>(token).unwrap();
        assert!(!reactor.contains(token) && reactor.take::<Counted>(token).is_none());
        assert_eq!(dropped.get(), 0);
        assert_eq!(read_some(&mut source.0, 9).unwrap(), b"x");
        b.write_all(b"y").unwrap();
        let mut calls = 0;
        assert_eq!(reactor.turn(&mut calls, NOW).unwrap(), 0);
        reactor.add(source, READ, Trigger::Level, |_, calls, _, _| *calls += 10).unwrap();
        reactor.turn(&mut calls, Some(LONG)).unwrap();
        assert_eq!(calls, 10);
    });
}

#[test]
fn take_in_a_sources_own_callback_gives_nothing_and_removes_nothing() {
    for_each_backend(|backend| {
        let (a, _b) = ready();
        let mut reactor = Reactor::<bool>::with_backend(backend).unwrap();
        let token = reactor
            .add(a, READ, Trigger::Level, |reactor, asked, _, event| {
                *asked = true;
                assert!(reactor.take::<UnixStream>(event.token()).is_none());
            })
            .unwrap();
        let mut asked = false;
        reactor.turn(&mut asked, Some(LONG)).unwrap();
        assert!(asked && reactor.take::<UnixStream>(token).is_some());
    });
}

#[test]
fn a_source_that_is_refused_comes_back_in_the_error() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let file = File::open("Cargo.toml").unwrap();
        let number = file.as_raw_fd();
        let AddError { source, error } = reactor.add(file, READ, Trigger::Level, |_, _, _, _| {}).unwrap_err();
        assert_eq!((source.as_raw_fd(), fastsock::errno(&error)), (number, libc::EPERM));
        let again = reactor.add(source, READ, Trigger::Level, |_, _, _, _| {}).unwrap_err();
        assert_eq!(again.to_string(), again.error.to_string());
        assert_eq!(fastsock::errno(&again.into()), libc::EPERM);
        assert!(reactor.is_empty());
    });
}

#[test]
fn a_source_whose_number_was_closed_inside_its_callback_harms_no_other() {
    allow_descriptors(6000);
    for_each_backend(|backend| {
        let ((low, _b), (c, _d)) = (ready(), streams());
        // A number so high that no other test takes it while it is closed.
        let a = UnixStream::from(duplicate(&low, 5000));
        drop(low);
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        // The forbidden thing: another stream in the place of the source closes the number that is watched.
        let mut other = Some(c);
        let token = reactor
            .add(a, READ, Trigger::Level, move |_, calls, source, _| {
                *calls += 1;
                *source = other.take().unwrap();
            })
            .unwrap();
        let (e, mut f) = streams();
        let good = reactor.add(e, READ, Trigger::OneShot, |_, calls, _, _| *calls += 100).unwrap();
        let mut calls = 0;
        reactor.turn(&mut calls, Some(LONG)).unwrap();
        reactor.turn(&mut calls, NOW).unwrap();
        f.write_all(b"x").unwrap();
        reactor.turn(&mut calls, Some(LONG)).unwrap();
        assert_eq!(calls, 101);
        assert!(reactor.remove(token) && reactor.contains(good));
    });
}

#[test]
fn what_was_given_with_a_number_that_was_closed_and_taken_again_is_dropped_at_once() {
    let mut reactor = Reactor::<()>::with_backend(Backend::Epoll).unwrap();
    let ((a, _a), (b, _b)) = (streams(), streams());
    let given = Rc::new(());
    let held = given.clone();
    // SAFETY: the number stays open.
    let old =
        unsafe { reactor.add_raw(a.as_raw_fd(), READ, Trigger::Level, move |_, _, _| drop(held.clone())) }.unwrap();
    replace(&a, &b);
    // SAFETY: as above.
    let new = unsafe { reactor.add_raw(a.as_raw_fd(), READ, Trigger::Level, |_, _, _| {}) }.unwrap();
    assert_eq!(Rc::strong_count(&given), 1);
    assert!(!reactor.contains(old) && reactor.contains(new) && !reactor.remove(old));
    assert_eq!(reactor.stats().closed_unasked, 1);
}

#[test]
fn a_source_can_be_looked_at_but_not_as_something_else_nor_in_its_own_callback() {
    let mut reactor = Reactor::<bool>::new().unwrap();
    let (stream, _peer) = ready();
    let number = stream.as_raw_fd();
    let token = reactor
        .add(stream, READ, Trigger::Level, |reactor, seen, _, event| {
            *seen = reactor.source::<UnixStream>(event.token()).is_none();
        })
        .unwrap();
    assert_eq!(reactor.source::<UnixStream>(token).map(AsRawFd::as_raw_fd), Some(number));
    assert!(reactor.source::<std::fs::File>(token).is_none());
    let mut seen = false;
    reactor.turn(&mut seen, NOW).unwrap();
    assert!(seen);
    assert!(reactor.source::<UnixStream>(token).is_some());
    reactor.remove(token);
    assert!(reactor.source::<UnixStream>(token).is_none());
}

#[test]
fn a_callback_whose_own_number_is_taken_again_inside_it_is_dropped_after_it() {
    let mut reactor = Reactor::<Vec<usize>>::with_backend(Backend::Epoll).unwrap();
    let ((a, _a), (b, _b)) = (ready(), ready());
    let given = Rc::new(());
    let held = given.clone();
    let number = a.as_raw_fd();
    let again = move |reactor: &mut Reactor<'_, Vec<usize>>, log: &mut Vec<usize>, _| {
        replace(&number, &b);
        // SAFETY: the number stays open.
        unsafe { reactor.add_raw(number, READ, Trigger::Level, |_, log: &mut Vec<usize>, _| log.push(0)) }.unwrap();
        log.push(Rc::strong_count(&held));
    };
    // SAFETY: as above.
    unsafe { reactor.add_raw(number, READ, Trigger::Level, again) }.unwrap();
    let mut log = Vec::new();
    reactor.turn(&mut log, NOW).unwrap();
    assert_eq!((&log[..], Rc::strong_count(&given)), (&[2][..], 1));
    reactor.turn(&mut log, NOW).unwrap();
    assert_eq!(log, [2, 0]);
}

#[test]
fn a_raw_descriptor_is_watched_and_not_closed() {
    for_each_backend(|backend| {
        let (a, mut b) = ready();
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        // SAFETY: `a` outlives the reactor.
        let token = unsafe { reactor.add_raw(a.as_raw_fd(), READ, Trigger::Level, |_, calls, _| *calls += 1) }.unwrap();
        let mut calls = 0;
        reactor.turn(&mut calls, Some(LONG)).unwrap();
        assert!(reactor.remove(token) && calls == 1);
        drop(reactor);
        b.write_all(b"y").unwrap();
        assert_eq!(read_some(&mut &a, 9).unwrap(), b"xy");
    });
}

#[test]
fn a_wait_below_a_limit_harvests_the_rest_later() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<usize>::with_backend(backend).unwrap();
        let mut peers = Vec::new();
        for _ in 0..10 {
            let (a, b) = ready();
            peers.push(b);
            reactor.add(a, READ, Trigger::OneShot, |_, calls, _, _| *calls += 1).unwrap();
        }
        let mut calls = 0;
        for expected in [4, 8, 10] {
            reactor.wait_at_most(4, Some(LONG)).unwrap();
            reactor.dispatch(&mut calls).unwrap();
            assert_eq!(calls, expected);
        }
    });
}

#[test]
fn a_source_kept_alive_by_a_duplicate_is_gone_once_removed() {
    for_each_backend(|backend| {
        let (a, mut b) = ready();
        let alive = duplicate(&a, 3);
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let token = reactor.add(a, READ, Trigger::Level, |_, calls, _, _| *calls += 1).unwrap();
        assert!(reactor.remove(token));
        b.write_all(b"y").unwrap();
        let mut calls = 0;
        assert_eq!((reactor.turn(&mut calls, NOW).unwrap(), calls), (0, 0));
        assert_eq!(reactor.stats().stale_events, 0, "removed before it was closed");
        drop(alive);
    });
}
