//! Adding, modifying, removing: what is refused, what is stale, and what becomes of numbers that are closed.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use common::{duplicate, errno, for_each_backend, look, replace, streams, wait_for};
use fastsock::{Backend, Event, Interest, Poller, Token, Trigger};

const READ: Interest = Interest::READABLE;

#[test]
fn no_interest_does_not_spin_on_a_peer_that_hung_up_and_comes_back() {
    for_each_backend(|backend| {
        let (a, b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
        poller.modify(token, Interest::NONE, Trigger::Level).unwrap();
        drop(b);
        let (mut events, start) = (Vec::new(), Instant::now());
        assert_eq!(poller.wait(&mut events, Some(Duration::from_millis(20))).unwrap(), 0);
        assert!(start.elapsed() >= Duration::from_millis(20), "the wait lasted");
        assert_eq!(poller.len(), 1, "it is registered still");
        poller.modify(token, READ, Trigger::Level).unwrap();
        assert!(wait_for(&mut poller, token).is_readable());
    });
}

#[test]
fn a_source_added_without_interest_waits_for_one() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(a.as_fd(), Interest::NONE, Trigger::Level).unwrap();
        b.write_all(b"x").unwrap();
        assert!(look(&mut poller).is_empty());
        poller.modify(token, READ, Trigger::Level).unwrap();
        wait_for(&mut poller, token);
        assert!(poller.remove(token));
        assert!(look(&mut poller).is_empty());
    });
}

#[test]
fn regular_files_and_directories_are_refused_alike_by_every_backend() {
    for_each_backend(|backend| {
        let (file, folder) = (File::open("Cargo.toml").unwrap(), File::open("src").unwrap());
        let mut poller = Poller::with_backend(backend).unwrap();
        for fd in [file.as_fd(), folder.as_fd()] {
            for interest in [READ, Interest::WRITABLE, Interest::NONE] {
                let error = poller.add(fd, interest, Trigger::Level).unwrap_err();
                assert_eq!(fastsock::errno(&error), libc::EPERM);
                assert!(error.to_string().contains("always ready"), "{interest:?}: {error}");
            }
        }
        assert!(poller.is_empty());
    });
}

#[test]
fn a_second_registration_is_refused_whatever_the_interests() {
    for_each_backend(|backend| {
        let (a, _b) = streams();
        for first in [READ, Interest::NONE] {
            let mut poller = Poller::with_backend(backend).unwrap();
            let token = poller.add(a.as_fd(), first, Trigger::Level).unwrap();
            for second in [READ, Interest::WRITABLE, Interest::NONE] {
                assert_eq!(errno(poller.add(a.as_fd(), second, Trigger::Level)), libc::EEXIST);
            }
            assert!(poller.contains(token) && poller.len() == 1, "the first one stays");
            assert!(poller.remove(token));
            poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
        }
    });
}

#[test]
fn a_second_registration_is_refused_after_a_one_shot_has_fired() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(a.as_fd(), READ, Trigger::OneShot).unwrap();
        b.write_all(b"x").unwrap();
        wait_for(&mut poller, token);
        assert_eq!(errno(poller.add(a.as_fd(), READ, Trigger::Level)), libc::EEXIST);
    });
}

#[test]
fn a_number_that_is_not_open_is_ebadf_at_once_however_large() {
    for_each_backend(|backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        for fd in [-1, i32::MIN, 1_000_000_007, i32::MAX] {
            for interest in [READ, Interest::NONE] {
                // SAFETY: nothing is open there, so nothing is watched.
                let result = unsafe { poller.add_raw(fd, interest, Trigger::Level) };
                assert_eq!(errno(result), libc::EBADF);
            }
        }
        assert!(poller.is_empty());
    });
    let peak = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 500_000, "tables were made for a number that is not open: {peak}");
}

#[test]
fn a_stale_token_reaches_nothing() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let old = poller.add(a.as_fd(), READ, Trigger::OneShot).unwrap();
        assert!(poller.remove(old) && !poller.remove(old));
        let new = poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
        assert_ne!(old, new);
        assert_eq!(errno(poller.modify(old, Interest::NONE, Trigger::Level)), libc::ENOENT);
        assert_eq!(errno(poller.rearm(old)), libc::ENOENT);
        assert!(!poller.contains(old) && poller.contains(new));
        b.write_all(b"x").unwrap();
        wait_for(&mut poller, new);
    });
}

#[test]
fn made_up_tokens_are_stale() {
    for_each_backend(|backend| {
        let (a, _b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
        assert_eq!(Token::from_bits(0), None);
        for bits in [1, u64::MAX, 1 << 63, token.to_bits() ^ 1 << 30, token.to_bits() + (1 << 32), token.to_bits() | 5]
        {
            let made_up = Token::from_bits(bits).unwrap();
            assert!(made_up != token && !poller.contains(made_up) && !poller.remove(made_up), "{bits:#x}");
        }
        assert_eq!(Token::from_bits(token.to_bits()), Some(token));
        assert!(poller.contains(token));
    });
}

#[test]
fn no_event_comes_after_remove_even_of_what_was_ready() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
        b.write_all(b"x").unwrap();
        wait_for(&mut poller, token);
        poller.remove(token);
        assert!(look(&mut poller).is_empty());
    });
}

#[test]
fn the_old_token_of_a_number_taken_again_does_not_disturb_the_newcomer() {
    // The kernel forgets a closed descriptor by itself, so that its number can be registered again. The poll and select
    // backends cannot see such a change; they are told by `remove`.
    let ((a, _b), (c, mut d)) = (streams(), streams());
    let mut poller: Poller<'static> = Poller::with_backend(Backend::Epoll).unwrap();
    // SAFETY: the number is replaced on purpose; nothing is done with the old token that could reach the new file.
    let old = unsafe { poller.add_raw(a.as_raw_fd(), READ, Trigger::Level) }.unwrap();
    replace(&a, &c);
    // SAFETY: open until the end of this function.
    let new = unsafe { poller.add_raw(a.as_raw_fd(), READ, Trigger::Level) }.unwrap();
    assert!(!poller.contains(old) && !poller.remove(old));
    assert_eq!(errno(poller.modify(old, Interest::NONE, Trigger::Level)), libc::ENOENT);
    d.write_all(b"x").unwrap();
    wait_for(&mut poller, new);
    assert_eq!((poller.len(), poller.stats().stale_events), (1, 0));
}

#[test]
fn a_number_that_the_backend_found_closed_can_be_registered_again() {
    for backend in [Backend::Poll, Backend::Select] {
        let (_keep, mut d) = streams();
        let target = duplicate(&_keep, 900);
        let mut poller: Poller<'static> = Poller::with_backend(backend).unwrap();
        let number = target.as_raw_fd();
        // SAFETY: closed on purpose below; the old token is not used to reach the new file.
        let old = unsafe { poller.add_raw(number, READ, Trigger::Level) }.unwrap();
        drop(target);
        assert!(look(&mut poller).is_empty());
        let again = duplicate(&_keep, number);
        if again.as_raw_fd() != number {
            continue; // Another test of this process was faster.
        }
        // SAFETY: open until the end of this function.
        let new = unsafe { poller.add_raw(number, READ, Trigger::Level) }.unwrap();
        assert!(!poller.remove(old), "stale since the newcomer came");
        d.write_all(b"x").unwrap();
        wait_for(&mut poller, new);
    }
}

#[test]
fn a_file_that_comes_back_to_its_number_after_a_late_remove_can_be_registered_again() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        let alive = duplicate(&a, 3);
        let (number, other) = (duplicate(&a, 3), streams());
        let mut poller = Poller::with_backend(backend).unwrap();
        // SAFETY: the number is open again whenever the poller uses it.
        let token = unsafe { poller.add_raw(number.as_raw_fd(), READ, Trigger::Level) }.unwrap();
        replace(&number, &other.0);
        assert!(poller.remove(token), "too late for the kernel, which knows the number no more");
        replace(&number, &alive);
        // SAFETY: as above.
        let token = unsafe { poller.add_raw(number.as_raw_fd(), READ, Trigger::Level) }.unwrap();
        b.write_all(b"x").unwrap();
        wait_for(&mut poller, token);
        assert_eq!(poller.stats().stale_events, 0);
        assert!(poller.remove(token));
    });
}

#[test]
fn a_closed_descriptor_does_not_poison_the_set() {
    for_each_backend(|backend| {
        let ((a, mut b), (c, _d)) = (streams(), streams());
        let lost = duplicate(&c, 950);
        let mut poller: Poller<'static> = Poller::with_backend(backend).unwrap();
        // SAFETY: the one stays open; the other is closed on purpose and its token only removed.
        let (good, bad) = unsafe {
            (
                poller.add_raw(a.as_raw_fd(), READ, Trigger::Level).unwrap(),
                poller.add_raw(lost.as_raw_fd(), READ, Trigger::Level).unwrap(),
            )
        };
        drop(lost);
        assert!(look(&mut poller).is_empty());
        b.write_all(b"x").unwrap();
        wait_for(&mut poller, good);
        wait_for(&mut poller, good);
        assert!(poller.stats().stale_events <= 1, "told once: {:?}", poller.stats());
        assert!(poller.remove(bad) && !poller.remove(bad));
        wait_for(&mut poller, good);
    });
}

#[test]
fn an_interrupted_registration_leaves_no_trace() {
    for_each_backend(|backend| {
        let file = File::open("Cargo.toml").unwrap();
        let mut poller = Poller::with_backend(backend).unwrap();
        for _ in 0..10 {
            poller.add(file.as_fd(), READ, Trigger::Level).unwrap_err();
        }
        let (a, mut b) = streams();
        replace_file_with(&file, &a);
        // SAFETY: the number is open, and a stream now.
        let fd = unsafe { BorrowedFd::borrow_raw(file.as_raw_fd()) };
        let token = poller.add(fd, READ, Trigger::Level).unwrap();
        b.write_all(b"x").unwrap();
        wait_for(&mut poller, token);
    });
}

fn replace_file_with(file: &File, stream: &impl AsRawFd) {
    replace(file, stream);
}

#[test]
fn a_poller_can_be_watched_by_another() {
    let (a, mut b) = streams();
    let mut inner = Poller::with_backend(Backend::Epoll).unwrap();
    inner.add(a.as_fd(), READ, Trigger::Level).unwrap();
    // SAFETY: the inner poller outlives the outer one's use of it.
    let fd = unsafe { BorrowedFd::borrow_raw(inner.raw_fd().unwrap()) };
    for_each_backend(|backend| {
        let mut outer = Poller::with_backend(backend).unwrap();
        let token = outer.add(fd, READ, Trigger::Level).unwrap();
        assert!(look(&mut outer).is_empty());
        (&b).write_all(b"x").unwrap();
        wait_for(&mut outer, token);
        common::read_some(&mut &a, 9).unwrap();
        assert!(look(&mut outer).is_empty());
    });
    b.flush().unwrap();
}

#[test]
fn pollers_and_wakers_may_change_threads() {
    fn is_send<T: Send>() {}
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send::<Poller<'static>>();
    is_send_and_sync::<fastsock::Waker>();
    is_send_and_sync::<Token>();
    is_send_and_sync::<Event>();
}
