//! What the core's threads share, used as hard as they can, for ThreadSanitizer to look at: wakers, submitters, reactors
//! that die meanwhile, and signals.
//!
//! A program and not a test: the harness of `cargo test` talks to its threads by channels whose half is compiled into the
//! standard library, where ThreadSanitizer does not look, so that it takes them for races. For the same reason the
//! threads here share nothing but what the core gives them, join (which it does follow) and atomics. What is handed over
//! is plain memory: had the core not ordered the two accesses, they were a race, and reported.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastsock::{Backend, Reactor, Submitter, errno};

const THREADS: usize = 3;
/// A wait this long is over only when something is broken.
const LONG: Duration = Duration::from_secs(60);

/// Memory without any synchronisation.
struct Plain(UnsafeCell<usize>);

// SAFETY: none of its own: whoever uses it relies on the order that the core promises, which is what is looked at.
unsafe impl Sync for Plain {}

impl Plain {
    const fn new() -> Plain {
        Plain(UnsafeCell::new(0))
    }

    fn add(&self, count: usize) -> usize {
        // SAFETY: as above.
        unsafe {
            *self.0.get() += count;
            *self.0.get()
        }
    }
}

/// Leaked, so that no `Arc` adds an order of its own.
fn shared<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Each thread writes plainly and wakes; the loop reads in that waker's callback and gives the turn back.
fn wakers(backend: Backend, rounds: usize) {
    let mut reactor = Reactor::<usize>::with_backend(backend).expect("a reactor");
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let written = shared(Plain::new());
            let seen = shared(AtomicUsize::new(0));
            let callback = move |_: &mut Reactor<'_, usize>, calls: &mut usize, _| {
                let count = written.add(0);
                *calls += 1;
                seen.store(count, Ordering::Release);
            };
            let (token, waker) = reactor.add_waker(callback).expect("a waker");
            let thread = thread::spawn(move || {
                for round in 1..=rounds {
                    written.add(1);
                    let other = waker.clone();
                    other.wake().expect("a wake-up");
                    while seen.load(Ordering::Acquire) != round {
                        thread::yield_now();
                    }
                }
            });
            (token, thread)
        })
        .collect();
    let mut calls = 0;
    let watchdog = reactor.timer(LONG, |_, calls, _, _| panic!("a wake-up was lost after {calls}")).expect("a timer");
    while calls < THREADS * rounds {
        reactor.turn(&mut calls, None).expect("a turn");
    }
    assert!(reactor.remove(watchdog));
    for (token, thread) in threads {
        thread.join().expect("a thread");
        assert!(reactor.remove(token));
    }
}

/// Closures bring plain memory, and change the reactor's context.
fn submitters(backend: Backend, rounds: usize) {
    let mut reactor = Reactor::<Vec<usize>>::with_backend(backend).expect("a reactor");
    let first = reactor.submitter().expect("a submitter");
    let threads: Vec<_> = (0..THREADS)
        .map(|index| {
            let submitter = first.clone();
            thread::spawn(move || {
                for round in 0..rounds {
                    let brought = Box::new(round);
                    let job = move |_: &mut Reactor<'_, Vec<usize>>, next: &mut Vec<usize>| {
                        assert_eq!(next[index], *brought, "out of order, twice or lost");
                        next[index] += 1;
                    };
                    assert!(submitter.clone().submit(job).is_ok());
                    if round % 7 == 0 {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    drop(first);
    let mut next = vec![0; THREADS];
    let watchdog = reactor.timer(LONG, |_, next, _, _| panic!("a wake-up was lost after {next:?}")).expect("a timer");
    while next != [rounds; THREADS] {
        reactor.turn(&mut next, None).expect("a turn");
    }
    assert!(reactor.remove(watchdog));
    reactor.run(&mut next).expect("a run");
    for thread in threads {
        thread.join().expect("a thread");
    }
}

/// Reactors in threads of their own send each other closures that send one back.
fn two_reactors(backend: Backend, rounds: usize) {
    type Other = Submitter<'static, usize>;
    fn answer(from: Other, to: Other, left: usize) {
        let back = to.clone();
        let _ = to.submit(move |_, count| {
            *count += 1;
            if left > 0 {
                answer(back, from, left - 1);
            }
        });
    }
    let mut here = Reactor::<usize>::with_backend(backend).expect("a reactor");
    let mut there = Reactor::<usize>::with_backend(backend).expect("a reactor");
    let (to_here, to_there) = (here.submitter().expect("a submitter"), there.submitter().expect("a submitter"));
    // A reactor is bound to its thread; the closures that go to and fro are not.
    let start = to_there.clone();
    let from = to_here.clone();
    let thread = thread::spawn(move || answer(from, start, rounds));
    drop((to_here, to_there));
    let (mut a, mut b) = (0, 0);
    while a + b <= rounds {
        here.turn(&mut a, Some(Duration::ZERO)).expect("a turn");
        there.turn(&mut b, Some(Duration::ZERO)).expect("a turn");
    }
    thread.join().expect("the thread");
}

/// The reactor goes while others submit and wake: what they send runs, is dropped there, or comes back.
fn deaths(backend: Backend, rounds: usize) {
    for _ in 0..rounds {
        let mut reactor = Reactor::<usize>::with_backend(backend).expect("a reactor");
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (submitter, waker) = (reactor.submitter().expect("a submitter"), reactor.waker().expect("a waker"));
                thread::spawn(move || {
                    // Bounded: the reactor dies.
                    loop {
                        let brought = Box::new(1);
                        if let Err(refused) = submitter.submit(move |_, sum: &mut usize| *sum += *brought) {
                            assert_eq!(errno(&refused.error), libc::ESHUTDOWN);
                            return;
                        }
                        let _ = waker.wake();
                    }
                })
            })
            .collect();
        let mut sum = 0;
        while sum < THREADS {
            reactor.turn(&mut sum, Some(LONG)).expect("a turn");
        }
        drop(reactor);
        for thread in threads {
            thread.join().expect("a thread");
        }
    }
}

/// Loops come and go that watch a signal, each in a thread of its own, and each raises it for all.
///
/// By raise(3), in the thread itself: ThreadSanitizer puts off the handler of a signal from elsewhere until the thread
/// calls something that it has in hand.
fn signals(backend: Backend, rounds: usize) {
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            thread::spawn(move || {
                for _ in 0..rounds {
                    let mut reactor = Reactor::<u64>::with_backend(backend).expect("a reactor");
                    let callback = |_: &mut Reactor<'_, u64>, times: &mut u64, _, count| *times += count;
                    let token = reactor.signal(libc::SIGUSR1, callback).expect("a signal");
                    let mut times = 0;
                    for _ in 0..3 {
                        let before = times;
                        // SAFETY: takes an integer; the handler is this reactor's.
                        assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
                        while times == before {
                            match reactor.turn(&mut times, Some(LONG)) {
                                Ok(_) => {}
                                Err(error) => assert_eq!(errno(&error), libc::EINTR),
                            }
                        }
                    }
                    assert!(reactor.remove(token));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("a thread");
    }
}

fn main() {
    let scale: usize = std::env::args().nth(1).map_or(1, |scale| scale.parse().expect("a number"));
    type Part = fn(Backend, usize);
    let parts: [(&str, Part, usize); 5] = [
        ("wakers", wakers, 1000),
        ("submitters", submitters, 3000),
        ("two reactors", two_reactors, 3000),
        ("deaths", deaths, 30),
        ("signals", signals, 200),
    ];
    for &backend in Backend::ALL {
        for (name, part, rounds) in parts {
            let begun = Instant::now();
            part(backend, rounds * scale);
            println!("{backend}: {name}: {:?}", begun.elapsed());
        }
    }
}
