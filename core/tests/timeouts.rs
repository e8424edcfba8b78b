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

#[test]
fn a_hundred_microseconds_are_not_made_a_millisecond() {
    for_each_backend(|backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let (mut events, timeout) = (Vec::new(), Duration::from_micros(100));
        // The best of many: what the kernel can do, whatever else this machine is busy with.
        let best = (0..200)
            .map(|_| {
                let start = Instant::now();
                poller.wait(&mut events, Some(timeout)).unwrap();
                start.elapsed()
            })
            .min()
            .unwrap();
        assert!(best >= timeout && best < Duration::from_micros(600), "{best:?}");
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
    assert_eq!(now + Duration::MAX, Time::NEVER);
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
