//! A wait is never over early, ends close to its time, and says when a signal ended it.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::ErrorKind;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::{LONG, for_each_backend, streams};
use fastsock::{Backend, Interest, Poller, Reactor, Time, Trigger};

#[test]
fn never_early() {
    for_each_backend(|backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let mut events = Vec::new();
        for micros in [1, 50, 100, 333, 999, 1000, 1001, 2500, 10_000] {
            let (timeout, start) = (Duration::from_micros(micros), Instant::now());
            assert_eq!(poller.wait(&mut events, Some(timeout)).unwrap(), 0);
            assert!(start.elapsed() >= timeout, "{timeout:?} was over in {:?}", start.elapsed());
        }
    });
}

/// Measures this many times, and tells the median; again while it is not below the limit, for the machine may be busy.
/// What always takes too long takes too long every time.
fn median_below(limit: Duration, mut measure: impl FnMut() -> Duration) {
    let mut medians = Vec::new();
    for _ in 0..40 {
        let mut list: Vec<Duration> = (0..25).map(|_| measure()).collect();
        list.sort();
        if list[12] < limit {
            return;
        }
        medians.push(list[12]);
    }
    panic!("never below {limit:?}: {medians:?}");
}

#[test]
fn a_hundred_microseconds_are_not_made_a_millisecond() {
    for_each_backend(|backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let (mut events, timeout) = (Vec::new(), Duration::from_micros(100));
        // What the kernel adds by itself is 50 us (PR_SET_TIMERSLACK), and the way back to the thread.
        median_below(Duration::from_micros(500), || {
            let start = Instant::now();
            poller.wait(&mut events, Some(timeout)).unwrap();
            let took = start.elapsed();
            assert!(took >= timeout, "over early, in {took:?}");
            took
        });
    });
}

#[test]
fn a_timer_of_a_hundred_microseconds_fires_within_the_slack_of_the_kernel() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Option<Time>>::with_backend(backend).unwrap();
        median_below(Duration::from_micros(500), || {
            let deadline = Time::now() + Duration::from_micros(100);
            reactor.timer_at(deadline, |_, fired, _, _| *fired = Some(Time::now())).unwrap();
            let mut fired = None;
            reactor.run(&mut fired).unwrap();
            let fired = fired.unwrap();
            assert!(fired >= deadline, "early");
            Duration::from_micros(100) + (fired - deadline)
        });
    });
}

#[test]
fn a_zero_timeout_returns_at_once_with_what_there_is() {
    for_each_backend(|backend| {
        use std::os::fd::AsFd;
        let (a, _b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let mut events = Vec::new();
        assert_eq!(poller.wait(&mut events, Some(Duration::ZERO)).unwrap(), 0);
        poller.add(a.as_fd(), Interest::WRITABLE, Trigger::Level).unwrap();
        assert_eq!(poller.wait(&mut events, Some(Duration::ZERO)).unwrap(), 1);
        poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(events.len(), 1, "the events of the wait before are replaced");
    });
}

#[test]
fn a_huge_timeout_is_a_long_one_and_not_an_error() {
    for_each_backend(|backend| {
        for timeout in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_nanos(u64::MAX)] {
            let mut poller = Poller::with_backend(backend).unwrap();
            let waker = poller.waker().unwrap();
            std::thread::scope(|scope| {
                let started = mpsc::channel();
                let (tell, told) = started;
                scope.spawn(move || {
                    told.recv().unwrap();
                    waker.wake().unwrap();
                });
                tell.send(()).unwrap();
                poller.wait(&mut Vec::new(), Some(timeout)).unwrap();
                assert!(poller.take_woken(), "it ended by itself");
            });
        }
    });
}

#[test]
fn times_and_deadlines_are_clamped() {
    let now = Time::now();
    for huge in [Duration::MAX, Duration::from_nanos(u64::MAX), Duration::from_secs(u64::MAX)] {
        assert_eq!(now + huge, Time::NEVER);
    }
    assert_eq!(Time::NEVER + Duration::from_nanos(1), Time::NEVER);
    assert_eq!(Time::NEVER.until(now), Duration::ZERO);
    assert_eq!(now - (now + Duration::from_secs(1)), Duration::ZERO);
    assert_eq!((now + Duration::from_secs(1)) - now, Duration::from_secs(1));
    assert!(Time::now() >= now);
}

extern "C" fn on_signal(_: libc::c_int) {}

/// Interrupts the calling thread, again and again until told to stop: whatever it is doing when the first comes, one
/// comes while it waits.
fn interrupted<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: the handler does nothing; all-zero bytes are a valid sigaction, with no SA_RESTART in it.
    let this = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
        libc::pthread_self()
    };
    let (done, is_done) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while is_done.recv_timeout(Duration::from_millis(2)) == Err(mpsc::RecvTimeoutError::Timeout) {
                // SAFETY: the thread that made this scope is in it until `done` is dropped.
                unsafe { libc::pthread_kill(this, libc::SIGUSR1) };
            }
        });
        let result = body();
        drop(done);
        result
    })
}

#[test]
fn a_signal_is_reported_and_the_poller_is_as_good_as_before() {
    for_each_backend(|backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let mut events = Vec::new();
        let result = interrupted(|| poller.wait(&mut events, Some(LONG)));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Interrupted);
        let waker = poller.waker().unwrap();
        waker.wake().unwrap();
        assert_eq!(poller.wait(&mut events, Some(LONG)).unwrap(), 0);
        assert!(poller.take_woken());
    });
}

#[test]
fn the_reactor_reports_a_signal_from_wait_and_goes_on_by_itself_in_run() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let result = interrupted(|| reactor.wait(Some(LONG)));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Interrupted);
        let start = Instant::now();
        reactor.timer(Duration::from_millis(20), |_, fired, _, _| *fired += 1).unwrap();
        let mut fired = 0;
        interrupted(|| reactor.run(&mut fired)).unwrap();
        assert!(fired == 1 && start.elapsed() >= Duration::from_millis(20));
    });
}

#[test]
fn the_backend_is_the_one_that_was_chosen() {
    for_each_backend(|backend| {
        assert_eq!(Poller::with_backend(backend).unwrap().backend(), backend);
        assert_eq!(Reactor::<()>::with_backend(backend).unwrap().backend(), backend);
        assert_eq!(backend.name().parse::<Backend>().unwrap(), backend);
        assert_eq!(backend.to_string(), backend.name());
    });
    let error = "kqueue".parse::<Backend>().unwrap_err();
    assert!(fastsock::errno(&error) == libc::EINVAL && error.to_string().contains("epoll, poll or select"), "{error}");
}
