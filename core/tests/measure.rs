//! The counters of time: idle, and the longest callback.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use common::{LONG, for_each_backend, streams};
use fastsock::{Interest, Reactor, Trigger};

const A_WHILE: Duration = Duration::from_millis(3);

/// Holds the loop, as no callback should.
fn hold() {
    let start = Instant::now();
    while start.elapsed() < A_WHILE {
        std::hint::spin_loop();
    }
}

#[test]
fn nothing_is_measured_unless_asked_for() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        reactor.timer(A_WHILE, |_, _, _, _| hold()).unwrap();
        reactor.run(&mut ()).unwrap();
        let stats = reactor.stats();
        assert_eq!((stats.idle, stats.longest_callback), (Duration::ZERO, Duration::ZERO));
    });
}

#[test]
fn idle_time_is_that_of_the_waits_and_never_goes_back() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        reactor.measure(true);
        let start = Instant::now();
        let mut before = Duration::ZERO;
        for _ in 0..3 {
            reactor.turn(&mut (), Some(A_WHILE)).unwrap();
            let idle = reactor.stats().idle;
            assert!(idle >= before + A_WHILE, "{idle:?}");
            before = idle;
        }
        hold();
        assert!(start.elapsed() >= reactor.stats().idle + A_WHILE, "work is not idleness");
        assert_eq!(reactor.stats().longest_callback, Duration::ZERO);
        reactor.measure(false);
        reactor.turn(&mut (), Some(A_WHILE)).unwrap();
        assert_eq!(reactor.stats().idle, before, "what was measured stays");
    });
}

#[test]
fn the_longest_callback_of_every_kind_is_measured() {
    type Slow = fn(&mut Reactor<'_, ()>);
    let kinds: [(&str, Slow); 5] = [
        ("source", |reactor| {
            let (a, mut b) = streams();
            b.write_all(b"x").unwrap();
            reactor.add(a, Interest::READABLE, Trigger::OneShot, |_, _, _, _| hold()).unwrap();
        }),
        ("timer", |reactor| {
            reactor.timer(Duration::ZERO, |_, _, _, _| hold()).unwrap();
        }),
        ("waker", |reactor| reactor.add_waker(|_, _, _| hold()).unwrap().1.wake().unwrap()),
        ("closure", |reactor| reactor.submitter().unwrap().submit(|_, _| hold()).unwrap()),
        ("signal", |reactor| {
            reactor.signal(libc::SIGWINCH, |_, _, _, _| hold()).unwrap();
            // SAFETY: a handler is installed, and the signal does nothing by default.
            unsafe { libc::raise(libc::SIGWINCH) };
        }),
    ];
    for_each_backend(|backend| {
        for (kind, slow) in kinds {
            let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
            reactor.measure(true);
            reactor.timer(Duration::ZERO, |_, _, _, _| {}).unwrap();
            slow(&mut reactor);
            while reactor.stats().longest_callback < A_WHILE {
                let turn = reactor.turn(&mut (), Some(LONG));
                assert!(turn.is_ok_and(|called| called > 0), "{kind}");
            }
        }
    });
}

#[test]
fn a_panic_does_not_upset_the_measure() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        reactor.measure(true);
        reactor.timer(Duration::ZERO, |_, _, _, _| panic!("on purpose")).unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| reactor.turn(&mut (), None).unwrap())).is_err());
        reactor.timer(Duration::ZERO, |_, _, _, _| hold()).unwrap();
        reactor.turn(&mut (), Some(LONG)).unwrap();
        let longest = reactor.stats().longest_callback;
        assert!(longest >= A_WHILE && longest < LONG, "{longest:?}");
    });
}
