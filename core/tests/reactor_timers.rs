//! Timers of a reactor: order, repetition, changes from inside callbacks.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{LONG, Random, errno, for_each_backend, streams};
use fastsock::{Interest, Reactor, Repeat, Time, Token, Trigger};

const MS: Duration = Duration::from_millis(1);

type Log = Vec<u32>;

#[test]
fn they_fire_in_the_order_of_their_deadlines_and_never_early() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let start = Time::now();
        for ms in [5, 1, 3, 4, 2] {
            let deadline = start + MS * ms;
            let callback = move |_: &mut Reactor<'_, Log>, log: &mut Log, _, passed| {
                assert!(Time::now() >= deadline, "early");
                assert_eq!(passed, 1);
                log.push(ms);
            };
            reactor.timer_at(deadline, callback).unwrap();
        }
        let mut log = Log::new();
        reactor.run(&mut log).unwrap();
        assert_eq!(log, [1, 2, 3, 4, 5]);
        assert_eq!(reactor.stats().timers_fired, 5);
    });
}

#[test]
fn none_is_early_among_many_that_are_put_off_brought_forward_and_cancelled() {
    for_each_backend(|backend| {
        let mut random = Random::new();
        let mut reactor = Reactor::<Vec<(usize, Time)>>::with_backend(backend).unwrap();
        let tokens: Vec<Token> =
            (0..500).map(|i| reactor.timer(LONG, move |_, log, _, _| log.push((i, Time::now()))).unwrap()).collect();
        let mut earliest = vec![None; tokens.len()];
        for _ in 0..1500 {
            let i = random.below(tokens.len());
            let after = Duration::from_micros(random.below(20_000) as u64);
            earliest[i] = Some(Time::now() + after);
            reactor.rearm_timer(tokens[i], after).unwrap();
        }
        for (i, &token) in tokens.iter().enumerate() {
            if earliest[i].is_none() || i % 10 == 0 {
                assert!(reactor.remove(token));
                earliest[i] = None;
            }
        }
        let mut log = Vec::new();
        reactor.run(&mut log).unwrap();
        assert_eq!(log.len(), earliest.iter().flatten().count(), "each fires once");
        for (i, fired) in log {
            let earliest = earliest[i].take().expect("cancelled, or fired twice");
            assert!(fired >= earliest, "early by {:?}", fired.until(earliest));
        }
    });
}

#[test]
fn equal_deadlines_fire_in_the_order_in_which_they_were_set() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let deadline = Time::now();
        for i in 0..100_000 {
            reactor.timer_at(deadline, move |_, log, _, _| log.push(i)).unwrap();
        }
        let mut log = Log::new();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert!(log.iter().copied().eq(0..100_000));
    });
}

#[test]
fn a_timer_of_no_delay_that_sets_itself_again_starves_nobody() {
    for_each_backend(|backend| {
        let (a, mut b) = streams();
        b.write_all(b"x").unwrap();
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        reactor
            .timer(Duration::ZERO, |reactor, log, token, _| {
                log.push(1);
                reactor.rearm_timer(token, Duration::ZERO).unwrap();
            })
            .unwrap();
        reactor.add(a, Interest::READABLE, Trigger::Level, |_, log: &mut Log, _, _| log.push(2)).unwrap();
        reactor.timer(Duration::ZERO, |_, log, _, _| log.push(3)).unwrap();
        let mut log = Log::new();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, [1, 3, 2], "once a turn");
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, [1, 3, 2, 1, 2]);
    });
}

#[test]
fn a_timer_set_by_a_timer_for_now_fires_in_the_next_turn() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        reactor
            .timer(Duration::ZERO, |reactor, log, _, _| {
                log.push(1);
                reactor.timer_at(Time::from_nanos(0), |_, log, _, _| log.push(2)).unwrap();
            })
            .unwrap();
        let mut log = Log::new();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, [1]);
        reactor.run(&mut log).unwrap();
        assert_eq!(log, [1, 2]);
    });
}

#[test]
fn a_one_shot_timer_set_again_from_its_own_callback_goes_on_and_is_gone_when_not() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let start = Instant::now();
        let token = reactor
            .timer(MS, |reactor, log, token, _| {
                log.push(log.len() as u32);
                if log.len() < 3 {
                    reactor.rearm_timer(token, MS).unwrap();
                }
            })
            .unwrap();
        let mut log = Log::new();
        reactor.run(&mut log).unwrap();
        assert!(log == [0, 1, 2] && start.elapsed() >= 3 * MS);
        assert!(!reactor.contains(token) && !reactor.remove(token));
        assert_eq!(errno(reactor.rearm_timer(token, MS)), libc::ENOENT);
    });
}

#[test]
fn a_timer_set_again_before_it_is_due_fires_once_at_the_last_time() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<char>>::with_backend(backend).unwrap();
        let far = Duration::from_secs(3600);
        let late = reactor.timer(Duration::ZERO, |_, log, _, _| log.push('a')).unwrap();
        let soon = reactor.timer(far, |_, log, _, _| log.push('b')).unwrap();
        reactor.rearm_timer(late, far).unwrap();
        reactor.rearm_timer(soon, Duration::ZERO).unwrap();
        reactor.rearm_timer(soon, Duration::ZERO).unwrap();
        let mut log = Vec::new();
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 1);
        assert_eq!(reactor.turn(&mut log, Some(Duration::ZERO)).unwrap(), 0);
        assert_eq!(log, ['b']);
        assert!(reactor.contains(late) && !reactor.contains(soon));
    });
}

#[test]
fn a_timer_may_cancel_another_that_is_due_in_the_same_turn() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let second: Rc<Cell<Option<Token>>> = Rc::default();
        let victim = second.clone();
        let now = Time::now();
        reactor
            .timer_at(now, move |reactor, log, token, _| {
                log.push(1);
                assert!(reactor.remove(victim.get().unwrap()));
                assert!(reactor.remove(token), "itself too");
            })
            .unwrap();
        second.set(Some(reactor.timer_at(now, |_, log, _, _| log.push(2)).unwrap()));
        reactor.timer_at(now, |_, log, _, _| log.push(3)).unwrap();
        let mut log = Log::new();
        reactor.run(&mut log).unwrap();
        assert_eq!(log, [1, 3]);
    });
}

#[test]
fn a_timer_may_put_off_another_that_is_due_in_the_same_turn() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let second: Rc<Cell<Option<Token>>> = Rc::default();
        let other = second.clone();
        let now = Time::now();
        reactor
            .timer_at(now, move |reactor, _, _, _| reactor.rearm_timer(other.get().unwrap(), 5 * MS).unwrap())
            .unwrap();
        second.set(Some(reactor.timer_at(now, |_, log, _, _| log.push(2)).unwrap()));
        let (mut log, start) = (Log::new(), Instant::now());
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert!(log.is_empty());
        reactor.run(&mut log).unwrap();
        assert!(log == [2] && start.elapsed() >= 5 * MS);
    });
}

#[test]
fn fixed_rate_keeps_its_grid_and_counts_what_it_missed() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<(Time, u64)>>::with_backend(backend).unwrap();
        // Ten periods late from the start.
        let period = 2 * MS;
        let late = Time::now().as_nanos() - 10 * period.as_nanos() as u64;
        let first = Time::from_nanos(late);
        let token = reactor
            .timer_repeating(first, Repeat::FixedRate(period), |reactor, log, token, passed| {
                log.push((Time::now(), passed));
                if log.len() == 5 {
                    assert!(reactor.remove(token));
                }
            })
            .unwrap();
        let mut log = Vec::new();
        reactor.run(&mut log).unwrap();
        assert!(!reactor.contains(token));
        assert!(log[0].1 >= 11, "{log:?}");
        let mut periods = 0;
        for &(at, passed) in &log {
            periods += passed;
            // The call that tells of the n-th deadline comes after that deadline, and before the next one's call.
            let deadline = first + period * (periods as u32 - 1);
            assert!(at >= deadline, "{log:?}");
        }
        let end = log[4].0;
        assert!(end < first + period * (periods as u32 + 100), "no deadline was made up for late: {log:?}");
    });
}

#[test]
fn fixed_delay_begins_at_the_end_of_the_callback() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<(Time, Time)>>::with_backend(backend).unwrap();
        reactor
            .timer_repeating(Time::now(), Repeat::FixedDelay(3 * MS), |reactor, log, token, passed| {
                assert_eq!(passed, 1);
                let begin = Time::now();
                // A callback that takes its time.
                while begin.until(Time::now()) < MS {
                    std::hint::spin_loop();
                }
                log.push((begin, Time::now()));
                if log.len() == 4 {
                    reactor.remove(token);
                }
            })
            .unwrap();
        let mut log = Vec::new();
        reactor.run(&mut log).unwrap();
        for pair in log.windows(2) {
            assert!(pair[1].0 - pair[0].1 >= 3 * MS);
        }
    });
}

#[test]
fn fixed_rate_counts_from_the_deadline_and_fixed_delay_from_the_end_of_the_callback() {
    for_each_backend(|backend| {
        for repeat in [Repeat::FixedRate(2 * MS), Repeat::FixedDelay(2 * MS)] {
            let mut reactor = Reactor::<Option<Time>>::with_backend(backend).unwrap();
            let first = Time::now() + MS;
            reactor
                .timer_repeating(first, repeat, |_, end, _, _| {
                    let begin = Time::now();
                    while begin.until(Time::now()) < MS {
                        std::hint::spin_loop();
                    }
                    *end = Some(Time::now());
                })
                .unwrap();
            for _ in 0..5 {
                let mut end = None;
                while end.is_none() {
                    reactor.turn(&mut end, Some(LONG)).unwrap();
                }
                let (end, next) = (end.unwrap(), reactor.next_deadline().unwrap());
                let on_the_grid = (next - first).as_nanos() % (2 * MS).as_nanos() == 0;
                if repeat == Repeat::FixedRate(2 * MS) {
                    assert!(on_the_grid, "{:?} after the first", next - first);
                } else {
                    assert!(next - end >= 2 * MS && next <= Time::now() + 2 * MS);
                }
            }
        }
    });
}

#[test]
fn a_repeating_timer_fires_once_a_turn_however_late() {
    for_each_backend(|backend| {
        for repeat in [
            Repeat::FixedRate(Duration::from_nanos(1)),
            Repeat::FixedDelay(Duration::ZERO),
            Repeat::FixedRate(Duration::ZERO),
        ] {
            let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
            reactor.timer_repeating(Time::from_nanos(0), repeat, |_, log, _, _| log.push(1)).unwrap();
            let mut log = Log::new();
            for turn in 1..=4 {
                reactor.turn(&mut log, Some(LONG)).unwrap();
                assert_eq!(log.len(), turn);
            }
        }
    });
}

#[test]
fn huge_delays_and_periods_are_clamped() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let huge = [Duration::MAX, Duration::from_nanos(u64::MAX), Duration::from_secs(u64::MAX)];
        for period in huge {
            reactor.timer(period, |_, log, _, _| log.push(1)).unwrap();
            for repeat in [Repeat::FixedRate(period), Repeat::FixedDelay(period)] {
                reactor.timer_repeating(Time::now(), repeat, |_, log, _, _| log.push(2)).unwrap();
            }
        }
        reactor.timer_repeating(Time::NEVER, Repeat::FixedRate(MS), |_, log, _, _| log.push(3)).unwrap();
        let far = reactor.timer(MS, |_, log, _, _| log.push(4)).unwrap();
        reactor.rearm_timer(far, Duration::from_nanos(u64::MAX - 5)).unwrap();
        let mut log = Log::new();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, [2; 6]);
        assert_eq!(reactor.turn(&mut log, Some(2 * MS)).unwrap(), 0);
        assert_eq!(log, [2; 6]);
    });
}

#[test]
fn the_nearest_deadline_ends_the_wait_and_the_callers_timeout_does_too() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        reactor.timer(Duration::from_secs(3600), |_, log, _, _| log.push(1)).unwrap();
        let mut log = Log::new();
        let start = Instant::now();
        reactor.turn(&mut log, Some(2 * MS)).unwrap();
        assert!(log.is_empty() && start.elapsed() >= 2 * MS);
        reactor.timer(3 * MS, |_, log, _, _| log.push(2)).unwrap();
        reactor.turn(&mut log, None).unwrap();
        assert!(log == [2] && start.elapsed() < LONG);
    });
}
