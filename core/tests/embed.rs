//! A reactor inside a host's own loop.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;

use std::io::Write;
use std::time::{Duration, Instant};

use common::{LONG, errno, for_each_backend, in_child, open_descriptors, streams};
use fastsock::{Backend, Interest, Reactor, Repeat, Time, Trigger};

const NOW: Option<Duration> = Some(Duration::ZERO);

/// What a host does: sleeps in its own poll(2), with one descriptor of the reactor's.
fn readable(fd: i32, timeout: Duration) -> bool {
    let mut host = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, on this frame.
    let n = unsafe { libc::poll(&mut host, 1, timeout.as_millis() as i32) };
    assert!(n >= 0 && host.revents & !libc::POLLIN == 0);
    n == 1
}

/// Turns whenever the descriptor is readable, until `done`; gives the number of turns.
fn host<C>(reactor: &mut Reactor<'_, C>, context: &mut C, done: impl Fn(&C) -> bool) -> usize {
    for turns in 0..1000 {
        if done(context) {
            return turns;
        }
        let fd = reactor.embed().unwrap();
        assert!(readable(fd, LONG), "nothing in {LONG:?}");
        reactor.turn(context, NOW).unwrap();
    }
    panic!("the descriptor is readable for nothing");
}

fn epoll<C>() -> Reactor<'static, C> {
    Reactor::with_backend(Backend::Epoll).unwrap()
}

#[test]
fn the_next_deadline_is_that_of_the_earliest_timer() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        assert_eq!(reactor.next_deadline(), None);
        let (soon, late) = (Time::now() + Duration::from_secs(50), Time::now() + Duration::from_secs(60));
        reactor.timer_at(late, |_, _, _, _| {}).unwrap();
        let token = reactor.timer_at(soon, |_, _, _, _| {}).unwrap();
        assert_eq!(reactor.next_deadline(), Some(soon));
        reactor.remove(token);
        assert_eq!(reactor.next_deadline(), Some(late));
    });
}

#[test]
fn what_waits_for_a_dispatch_is_due_in_the_past() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        reactor.waker().unwrap().wake().unwrap();
        assert_eq!(reactor.next_deadline(), None, "not harvested");
        reactor.wait(Some(LONG)).unwrap();
        assert!(reactor.next_deadline().unwrap() < Time::now());
        reactor.dispatch(&mut 0).unwrap();
        assert_eq!(reactor.next_deadline(), None);
    });
}

#[test]
fn timers_make_the_descriptor_readable_and_are_never_early() {
    let mut reactor = epoll::<Vec<u64>>();
    let start = Time::now();
    for millis in [20, 0, 10, 10, 1] {
        let after = Duration::from_millis(millis);
        reactor
            .timer_at(start + after, move |_, log: &mut Vec<u64>, _, _| {
                assert!(Time::now() >= start + after);
                log.push(millis);
            })
            .unwrap();
    }
    let mut log = Vec::new();
    let turns = host(&mut reactor, &mut log, |log| log.len() == 5);
    assert_eq!(log, [0, 1, 10, 10, 20]);
    assert!(turns <= 5, "{turns}");
    assert!(!readable(reactor.embed().unwrap(), Duration::ZERO), "and quiet again");
}

#[test]
fn a_timer_set_between_two_polls_is_noticed() {
    let mut reactor = epoll::<u32>();
    let fd = reactor.embed().unwrap();
    assert!(!readable(fd, Duration::ZERO));
    let far = reactor.timer(Duration::from_secs(600), |_, calls, _, _| *calls += 100).unwrap();
    assert!(!readable(fd, Duration::ZERO));
    reactor.timer(Duration::from_millis(1), |_, calls, _, _| *calls += 1).unwrap();
    assert!(readable(fd, LONG), "an earlier one");
    let mut calls = 0;
    assert_eq!(reactor.turn(&mut calls, NOW).unwrap(), 1);
    assert!(!readable(fd, Duration::ZERO));
    reactor.rearm_timer(far, Duration::from_millis(1)).unwrap();
    assert!(readable(fd, LONG), "one brought forward");
    reactor.turn(&mut calls, NOW).unwrap();
    assert_eq!(calls, 101);
}

#[test]
fn a_timer_that_is_put_off_or_cancelled_costs_one_turn_for_nothing_at_most() {
    let mut reactor = epoll::<u32>();
    let fd = reactor.embed().unwrap();
    let put_off = reactor.timer(Duration::from_millis(1), |_, calls, _, _| *calls += 1).unwrap();
    reactor.rearm_timer(put_off, Duration::from_millis(30)).unwrap();
    let cancelled = reactor.timer(Duration::from_millis(1), |_, _, _, _| panic!("cancelled")).unwrap();
    reactor.remove(cancelled);
    let mut calls = 0;
    let turns = host(&mut reactor, &mut calls, |calls| *calls == 1);
    assert!(turns <= 2, "{turns}");
    assert!(reactor.is_empty() && !readable(fd, Duration::from_millis(5)));
}

#[test]
fn repeating_timers_and_timers_set_in_callbacks_go_on() {
    let mut reactor = epoll::<(u32, u32)>();
    let period = Duration::from_millis(2);
    reactor.timer_repeating(Time::now(), Repeat::FixedDelay(period), |_, counts, _, _| counts.0 += 1).unwrap();
    reactor
        .timer(Duration::ZERO, move |reactor, counts, token, _| {
            counts.1 += 1;
            reactor.rearm_timer(token, period).unwrap();
        })
        .unwrap();
    let mut counts = (0, 0);
    let start = Instant::now();
    host(&mut reactor, &mut counts, |counts| counts.0 >= 5 && counts.1 >= 5);
    assert!(start.elapsed() >= 4 * period);
}

#[test]
fn sources_and_other_threads_make_it_readable_too() {
    let mut reactor = epoll::<Vec<char>>();
    let (a, mut b) = streams();
    reactor.add(a, Interest::READABLE, Trigger::OneShot, |_, log: &mut Vec<char>, _, _| log.push('s')).unwrap();
    let submitter = reactor.submitter().unwrap();
    let fd = reactor.embed().unwrap();
    assert!(!readable(fd, Duration::ZERO));
    let mut log = Vec::new();
    b.write_all(b"x").unwrap();
    host(&mut reactor, &mut log, |log| log == &['s']);
    let helper = std::thread::spawn(move || submitter.submit(|_, log| log.push('j')));
    host(&mut reactor, &mut log, |log| log == &['s', 'j']);
    helper.join().unwrap().unwrap();
}

#[test]
fn what_a_stop_leaves_over_is_announced_again() {
    let mut reactor = epoll::<u32>();
    let mut peers = Vec::new();
    for _ in 0..4 {
        let (a, mut b) = streams();
        b.write_all(b"x").unwrap();
        peers.push(b);
        let stop = |reactor: &mut Reactor<'_, u32>, calls: &mut u32, _: &mut _, _| {
            *calls += 1;
            reactor.stop();
        };
        reactor.add(a, Interest::READABLE, Trigger::OneShot, stop).unwrap();
    }
    let mut calls = 0;
    let turns = host(&mut reactor, &mut calls, |calls| *calls == 4);
    assert!(turns <= 6, "{turns}");
}

#[test]
fn embedding_shows_nowhere_else() {
    let mut reactor = epoll::<u32>();
    let fd = reactor.embed().unwrap();
    assert_eq!((reactor.embed().unwrap(), reactor.raw_fd()), (fd, Some(fd)));
    assert!(reactor.is_empty());
    reactor.timer(Duration::from_millis(1), |_, calls, _, _| *calls += 1).unwrap();
    let mut calls = 0;
    reactor.run(&mut calls).unwrap();
    assert_eq!(calls, 1, "an embedded reactor may run as any other");
    // Ready in the kernel's set, and called by nobody.
    reactor.timer(Duration::ZERO, |_, calls, _, _| *calls += 1).unwrap();
    assert!(readable(fd, LONG));
    assert_eq!(reactor.turn(&mut calls, NOW).unwrap(), 1);
}

#[test]
fn the_other_backends_have_no_descriptor() {
    for_each_backend(|backend| {
        if backend != Backend::Epoll {
            let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
            assert_eq!(errno(reactor.embed()), libc::EOPNOTSUPP);
            assert!(reactor.is_empty());
        }
    });
}

#[test]
fn only_who_embeds_pays_for_it_and_nothing_stays_open() {
    in_child("only_who_embeds_pays_for_it_and_nothing_stays_open", |_| {
        let before = open_descriptors();
        let mut reactor = epoll::<u32>();
        reactor.timer(Duration::ZERO, |_, _, _, _| {}).unwrap();
        reactor.run(&mut 0).unwrap();
        assert_eq!(open_descriptors(), before + 1);
        reactor.embed().unwrap();
        reactor.embed().unwrap();
        assert_eq!(open_descriptors(), before + 2);
        reactor.reinit().unwrap();
        assert_eq!(open_descriptors(), before + 2);
        drop(reactor);
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn after_a_fork_the_childs_timers_are_not_the_parents() {
    let mut reactor = epoll::<u32>();
    reactor.timer(Duration::from_secs(600), |_, _, _, _| {}).unwrap();
    let fd = reactor.embed().unwrap();
    // SAFETY: the child uses memory, descriptors and the crate under test, and leaves by _exit.
    let status = unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            libc::alarm(20);
            let set = reactor.timer(Duration::ZERO, |_, calls, _, _| *calls += 1).is_ok();
            let renewed = reactor.reinit().is_ok();
            let set = set && reactor.timer(Duration::ZERO, |_, calls, _, _| *calls += 1).is_ok();
            let mut host = libc::pollfd { fd: reactor.embed().unwrap_or(-1), events: libc::POLLIN, revents: 0 };
            let came = libc::poll(&mut host, 1, 10_000) == 1;
            let mut calls = 0;
            let fired = reactor.turn(&mut calls, NOW).is_ok() && calls == 2;
            libc::_exit(i32::from(!(renewed && set && came && fired)));
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        status
    };
    assert_eq!(status, 0);
    assert!(!readable(fd, Duration::ZERO), "the parent's is as it was");
}
