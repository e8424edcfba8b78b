//! Closures that other threads send to a reactor.
#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use common::{LONG, for_each_backend, streams};
use fastsock::{Interest, Reactor, Submitter, Trigger, errno};

const NOW: Option<Duration> = Some(Duration::ZERO);

/// Counts how often it is dropped.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_submitter_goes_to_any_thread_whatever_the_context_is() {
    fn goes_anywhere<T: Send + Sync + Clone>() {}
    goes_anywhere::<Submitter<'_, Rc<RefCell<u32>>>>();
}

#[test]
fn a_closure_runs_on_the_reactors_thread_with_reactor_and_context() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<u8>>::with_backend(backend).unwrap();
        let submitter = reactor.submitter().unwrap();
        let here = std::thread::current().id();
        let helper = std::thread::spawn(move || {
            submitter.submit(move |reactor, log| {
                assert_eq!(std::thread::current().id(), here);
                log.push(1);
                reactor.timer(Duration::ZERO, |_, log: &mut Vec<u8>, _, _| log.push(2)).unwrap();
            })
        });
        let mut log = Vec::new();
        reactor.run(&mut log).unwrap();
        assert_eq!(log, [1, 2], "and the run ended with the last submitter");
        helper.join().unwrap().unwrap();
    });
}

#[test]
fn ten_thousand_submits_before_a_wait_are_one_wake_up_and_keep_their_order() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<u32>>::with_backend(backend).unwrap();
        let submitter = reactor.submitter().unwrap();
        for i in 0..10_000 {
            submitter.submit(move |_, log| log.push(i)).unwrap();
        }
        let mut log = Vec::new();
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 10_000);
        assert!(log.iter().copied().eq(0..10_000));
        assert_eq!(reactor.turn(&mut log, NOW).unwrap(), 0);
        assert_eq!(reactor.stats().wakeups, 1);
    });
}

#[test]
fn under_stress_nothing_is_lost_and_each_thread_keeps_its_order() {
    const THREADS: usize = 4;
    const EACH: usize = 5000;
    for_each_backend(|backend| {
        let mut reactor = Reactor::<[usize; THREADS]>::with_backend(backend).unwrap();
        let first = reactor.submitter().unwrap();
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let submitter = first.clone();
                std::thread::spawn(move || {
                    for i in 0..EACH {
                        let job = move |_: &mut Reactor<'_, _>, next: &mut [usize; THREADS]| {
                            assert_eq!(next[thread], i);
                            next[thread] += 1;
                        };
                        submitter.submit(job).unwrap();
                        if i % 31 == 0 {
                            // So that the reactor goes to sleep in between.
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        drop(first);
        // A lost wake-up shows as this timer firing.
        let watchdog = reactor.timer(LONG, |_, next, _, _| panic!("lost: {next:?}")).unwrap();
        let mut next = [0; THREADS];
        while next != [EACH; THREADS] {
            reactor.turn(&mut next, None).unwrap();
        }
        reactor.remove(watchdog);
        reactor.run(&mut next).unwrap();
        assert_eq!(next, [EACH; THREADS]);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_closure_that_submits_itself_again_starves_nobody() {
    fn again(submitter: Submitter<'static, (u32, u32)>) {
        let next = submitter.clone();
        submitter
            .submit(move |_, (runs, _)| {
                *runs += 1;
                again(next);
            })
            .unwrap();
    }
    for_each_backend(|backend| {
        let mut reactor = Reactor::<(u32, u32)>::with_backend(backend).unwrap();
        let (a, mut b) = streams();
        b.write_all(b"x").unwrap();
        let read = |_: &mut Reactor<'_, _>, counts: &mut (u32, u32), _: &mut _, _| counts.1 += 1;
        reactor.add(a, Interest::READABLE, Trigger::Level, read).unwrap();
        again(reactor.submitter().unwrap());
        let mut counts = (0, 0);
        for turn in 1..=20 {
            reactor.turn(&mut counts, Some(LONG)).unwrap();
            assert_eq!(counts, (turn, turn));
        }
    });
}

#[test]
fn what_a_callback_submits_runs_in_the_next_dispatch() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<char>>::with_backend(backend).unwrap();
        let submitter = reactor.submitter().unwrap();
        let inside = submitter.clone();
        reactor
            .timer(Duration::ZERO, move |_, log, _, _| {
                log.push('t');
                inside.submit(|_, log| log.push('s')).unwrap();
            })
            .unwrap();
        submitter.submit(|_, log| log.push('f')).unwrap();
        let mut log = Vec::new();
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, ['t', 'f']);
        reactor.turn(&mut log, Some(LONG)).unwrap();
        assert_eq!(log, ['t', 'f', 's']);
    });
}

#[test]
fn a_stop_or_a_panic_keeps_the_others_for_the_next_dispatch() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<u8>>::with_backend(backend).unwrap();
        let submitter = reactor.submitter().unwrap();
        submitter.submit(|reactor, log| (log.push(0), reactor.stop()).1).unwrap();
        submitter.submit(|_, _| panic!("on purpose")).unwrap();
        submitter.submit(|_, log| log.push(2)).unwrap();
        let mut log = Vec::new();
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 1);
        assert_eq!(log, [0]);
        let turn = catch_unwind(AssertUnwindSafe(|| reactor.turn(&mut log, Some(LONG)).unwrap()));
        assert!(turn.is_err() && log == [0]);
        submitter.submit(|_, log| log.push(3)).unwrap();
        while log.len() < 3 {
            reactor.turn(&mut log, Some(LONG)).unwrap();
        }
        assert_eq!(log, [0, 2, 3]);
        assert!(!reactor.is_empty());
        drop(submitter);
        assert!(reactor.is_empty());
    });
}

#[test]
fn run_waits_for_the_last_submitter_and_for_what_it_left() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let submitter = reactor.submitter().unwrap();
        submitter.clone().submit(|_, calls| *calls += 1).unwrap();
        drop(submitter);
        assert!(!reactor.is_empty(), "one is queued");
        let mut calls = 0;
        reactor.run(&mut calls).unwrap();
        assert_eq!(calls, 1);
        // The last submitter goes, unused, while the run waits for it.
        let submitter = reactor.submitter().unwrap();
        let helper = std::thread::spawn(move || drop(submitter));
        reactor.run(&mut calls).unwrap();
        helper.join().unwrap();
    });
}

#[test]
fn after_the_reactors_death_the_closure_comes_back() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let submitter = reactor.submitter().unwrap();
        drop(reactor);
        let drops = Arc::new(AtomicUsize::new(0));
        let guard = Guard(drops.clone());
        let refused = submitter.submit(move |_, _| drop(guard)).unwrap_err();
        assert_eq!(errno(&refused.error), libc::ESHUTDOWN);
        assert!(refused.to_string().contains("gone"));
        assert_eq!(drops.load(Ordering::SeqCst), 0);
        drop(refused.job);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn what_is_queued_when_the_reactor_dies_is_dropped_once_and_may_submit_in_its_destructor() {
    struct Submits(Submitter<'static, u32>, Arc<AtomicUsize>);
    impl Drop for Submits {
        fn drop(&mut self) {
            if self.0.submit(|_, _| {}).is_err() {
                self.1.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let submitter = reactor.submitter().unwrap();
        let drops = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let last = Submits(submitter.clone(), drops.clone());
            submitter.submit(move |_, _| drop(last)).unwrap();
        }
        drop(reactor);
        assert_eq!(drops.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn a_reactor_that_dies_while_others_submit_runs_drops_or_gives_back_every_closure() {
    const THREADS: usize = 3;
    for_each_backend(|backend| {
        for _ in 0..50 {
            let mut reactor = Reactor::<usize>::with_backend(backend).unwrap();
            let (drops, made) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let start = Arc::new(Barrier::new(THREADS + 1));
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let submitter = reactor.submitter().unwrap();
                    let (start, drops, made) = (start.clone(), drops.clone(), made.clone());
                    std::thread::spawn(move || {
                        start.wait();
                        // Bounded: the reactor dies.
                        loop {
                            let guard = Guard(drops.clone());
                            made.fetch_add(1, Ordering::SeqCst);
                            let job = move |_: &mut Reactor<'_, usize>, runs: &mut usize| {
                                *runs += 1;
                                drop(guard);
                            };
                            if let Err(refused) = submitter.submit(job) {
                                assert_eq!(errno(&refused.error), libc::ESHUTDOWN);
                                return;
                            }
                        }
                    })
                })
                .collect();
            let mut runs = 0;
            start.wait();
            while runs == 0 {
                reactor.turn(&mut runs, Some(LONG)).unwrap();
            }
            drop(reactor);
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(drops.load(Ordering::SeqCst), made.load(Ordering::SeqCst));
        }
    });
}

#[test]
fn a_reactor_may_be_replaced_inside_a_submitted_closure() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<u8>>::with_backend(backend).unwrap();
        let submitter = reactor.submitter().unwrap();
        // Reached through the context's thread alone: the closure itself is `Send`.
        thread_local! { static OLD: RefCell<Option<Reactor<'static, Vec<u8>>>> = const { RefCell::new(None) }; }
        submitter
            .submit(move |reactor, log| {
                log.push(1);
                let other = Reactor::with_backend(backend).unwrap();
                OLD.set(Some(std::mem::replace(reactor, other)));
            })
            .unwrap();
        submitter.submit(|_, log| log.push(2)).unwrap();
        let mut log = Vec::new();
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 1);
        assert_eq!(reactor.turn(&mut log, NOW).unwrap(), 0);
        let mut old = OLD.take().unwrap();
        assert_eq!(old.turn(&mut log, Some(LONG)).unwrap(), 1);
        assert_eq!(log, [1, 2]);
    });
}
