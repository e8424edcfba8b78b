//! Wakers and submitters, the core's own code, in every interleaving of a few threads and with every value that the
//! memory model lets a load return. A wait that nothing ends is a failure: see `sleep_until`.
//!
//! A model is explored again from its start for each path, so that a panic in one tells of a path that exists.

use std::time::Duration;

use fastsock::{Backend, Reactor, errno};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;
use modelled_kernel as kernel;

/// How often a thread may be interrupted where it need not be. Bugs need few (Musuvathi and Qadeer, PLDI 2007); the number
/// of paths grows with it steeply.
const PREEMPTIONS: usize = 3;

/// Explores a body on the backend that reports edges, and on one that reports levels.
fn explore(preemptions: Option<usize>, body: impl Fn(Backend) + Send + Sync + Copy + 'static) {
    for backend in [Backend::Epoll, Backend::Poll] {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = preemptions;
        builder.max_branches = 10_000;
        let paths = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = paths.clone();
        builder.check(move || {
            kernel::boot();
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            body(backend);
            assert_eq!(kernel::open(), 0, "a descriptor was left open");
        });
        let paths = paths.load(std::sync::atomic::Ordering::Relaxed);
        eprintln!("{backend}: {paths} paths");
        assert!(paths > 1, "nothing was explored");
    }
}

/// Counts how often it is dropped. Relaxed: the joins order it.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn no_wake_is_lost_and_what_was_written_before_it_is_seen() {
    explore(Some(PREEMPTIONS), |backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let written: Arc<[AtomicUsize; 2]> = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let threads = [0, 1].map(|index| {
            let (waker, written) = (reactor.waker().unwrap(), written.clone());
            thread::spawn(move || {
                written[index].store(1, Relaxed);
                waker.wake().unwrap();
            })
        });
        let mut sleeps = 0;
        while written.iter().any(|written| written.load(Relaxed) == 0) {
            reactor.turn(&mut (), None).unwrap();
            sleeps += 1;
        }
        for thread in threads {
            thread.join().unwrap();
        }
        // The last may have come after the last turn.
        assert!(kernel::writes() <= sleeps + 1, "{} writes for {sleeps} sleeps", kernel::writes());
    });
}

#[test]
fn wakes_while_the_loop_sleeps_are_one_write() {
    explore(None, |backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let wakers = [reactor.waker().unwrap(), reactor.waker().unwrap()];
        let threads = wakers.map(|waker| {
            thread::spawn(move || {
                waker.wake().unwrap();
                waker.clone().wake().unwrap();
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(kernel::writes(), 1);
        reactor.turn(&mut (), None).unwrap();
        assert_eq!(reactor.stats().wakeups, 1);
        // And no more: neither an edge nor a level is left.
        reactor.turn(&mut (), Some(Duration::ZERO)).unwrap();
        assert_eq!(reactor.stats().wakeups, 1);
    });
}

#[test]
fn each_waker_with_a_callback_gets_its_call_after_its_last_wake() {
    explore(Some(PREEMPTIONS), |backend| {
        let mut reactor = Reactor::<[usize; 2]>::with_backend(backend).unwrap();
        let written: Arc<[AtomicUsize; 2]> = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let threads = [0, 1].map(|index| {
            let seen = written.clone();
            let (_, waker) =
                reactor.add_waker(move |_, last: &mut [usize; 2], _| last[index] = seen[index].load(Relaxed)).unwrap();
            let written = written.clone();
            thread::spawn(move || {
                written[index].store(1, Relaxed);
                waker.wake().unwrap();
                if index == 0 {
                    written[index].store(2, Relaxed);
                    waker.wake().unwrap();
                }
            })
        });
        let mut last = [0; 2];
        while last != [2, 1] {
            reactor.turn(&mut last, None).unwrap();
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_waker_outlives_its_loop() {
    explore(None, |backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let waker = reactor.waker().unwrap();
        let other = reactor.waker().unwrap();
        // Refused or not, it writes to no descriptor that is closed: the modelled kernel would tell.
        let thread = thread::spawn(move || other.wake().map_err(|error| errno(&error)));
        drop(reactor);
        assert_eq!(errno(&waker.wake().unwrap_err()), libc::ESHUTDOWN);
        assert!(matches!(thread.join().unwrap(), Ok(()) | Err(libc::ESHUTDOWN)));
    });
}

#[test]
fn a_write_that_fails_is_made_good_by_the_next_wake() {
    explore(None, |backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        kernel::fail_next(1);
        let threads = [reactor.waker().unwrap(), reactor.waker().unwrap()].map(|waker| {
            thread::spawn(move || {
                // Whoever is told of the failure tries again.
                while waker.wake().is_err() {}
            })
        });
        reactor.turn(&mut (), None).unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_run_ends_when_the_last_submitter_is_gone_and_runs_all_in_each_threads_order() {
    explore(Some(2), |backend| {
        let mut reactor = Reactor::<[usize; 2]>::with_backend(backend).unwrap();
        let threads = [0, 1].map(|index| {
            let submitter = reactor.submitter().unwrap();
            thread::spawn(move || {
                for number in 0..=1 - index {
                    let job = move |_: &mut Reactor<'_, _>, next: &mut [usize; 2]| {
                        assert_eq!(next[index], number, "out of order, twice or lost");
                        next[index] += 1;
                    };
                    submitter.submit(job).unwrap();
                }
            })
        });
        let mut next = [0; 2];
        reactor.run(&mut next).unwrap();
        assert_eq!(next, [2, 1]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(kernel::writes() as u64 <= reactor.stats().turns + 1);
    });
}

#[test]
fn a_closure_ends_the_wait_and_sees_what_was_written_before_it_was_submitted() {
    explore(None, |backend| {
        let mut reactor = Reactor::<usize>::with_backend(backend).unwrap();
        let submitter = reactor.submitter().unwrap();
        let thread = thread::spawn(move || {
            let written = Arc::new(AtomicUsize::new(0));
            let seen = written.clone();
            written.store(1, Relaxed);
            submitter.submit(move |_, sum| *sum += seen.load(Relaxed)).unwrap();
            // Not dropped here, for that would be another wake-up.
            submitter
        });
        let mut sum = 0;
        while sum == 0 {
            reactor.turn(&mut sum, None).unwrap();
        }
        assert_eq!(sum, 1);
        drop(thread.join().unwrap());
        assert!(reactor.is_empty());
    });
}

#[test]
fn a_submitter_that_goes_unused_ends_the_run_and_its_clones_keep_it_on() {
    explore(Some(PREEMPTIONS), |backend| {
        let mut reactor = Reactor::<usize>::with_backend(backend).unwrap();
        let first = reactor.submitter().unwrap();
        let thread = thread::spawn(move || {
            let second = first.clone();
            drop(first);
            let third = thread::spawn(move || second.submit(|_, runs| *runs += 1).unwrap());
            third.join().unwrap();
        });
        let mut runs = 0;
        reactor.run(&mut runs).unwrap();
        assert_eq!(runs, 1);
        thread.join().unwrap();
    });
}

#[test]
fn a_reactor_that_dies_runs_drops_or_gives_back_every_closure_once() {
    explore(Some(PREEMPTIONS), |backend| {
        let mut reactor = Reactor::<usize>::with_backend(backend).unwrap();
        let drops = Arc::new(AtomicUsize::new(0));
        // The queue lives on with it.
        let last = reactor.submitter().unwrap();
        let threads = [0, 1].map(|_| {
            let (submitter, drops) = (reactor.submitter().unwrap(), drops.clone());
            thread::spawn(move || {
                let guard = Guard(drops.clone());
                let job = move |_: &mut Reactor<'_, usize>, runs: &mut usize| {
                    *runs += 1;
                    drop(guard);
                };
                match submitter.submit(job) {
                    Ok(()) => true,
                    Err(refused) => {
                        assert_eq!(errno(&refused.error), libc::ESHUTDOWN);
                        false
                    }
                }
            })
        });
        let mut runs = 0;
        reactor.turn(&mut runs, Some(Duration::ZERO)).unwrap();
        drop(reactor);
        let mut taken = 0;
        for thread in threads {
            taken += usize::from(thread.join().unwrap());
        }
        assert!(runs <= taken);
        assert_eq!(drops.load(Relaxed), 2);
        assert!(last.submit(|_, _| {}).is_err());
    });
}

#[test]
fn the_model_finds_a_wake_up_that_is_lost() {
    // As `Waker::wake` and `Shared::rest` would be if the loop went to rest after it has looked at its work: the control
    // that shows that such a mistake does not go unseen here.
    let lost = std::panic::catch_unwind(|| {
        explore(None, |_| {
            let fd = kernel::eventfd();
            let (pending, work) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let thread = {
                let (pending, work) = (pending.clone(), work.clone());
                thread::spawn(move || {
                    for _ in 0..2 {
                        work.fetch_add(1, Relaxed);
                        if pending.swap(1, std::sync::atomic::Ordering::AcqRel) == 0 {
                            kernel::write(fd);
                        }
                    }
                })
            };
            let mut done = 0;
            while done < 2 {
                kernel::sleep_until(|| kernel::poll(fd, true));
                done += work.swap(0, Relaxed);
                pending.swap(0, std::sync::atomic::Ordering::AcqRel);
            }
            thread.join().unwrap();
            kernel::close(fd);
        });
    });
    let panic = lost.expect_err("the model did not see it");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"asleep for ever: a wake-up was lost"));
}
