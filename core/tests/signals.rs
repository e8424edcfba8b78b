//! Signals, told to every reactor that asked for them.
#![allow(clippy::unwrap_used)]

mod common;

use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::{LONG, errno, for_each_backend, in_child, open_descriptors};
use fastsock::{Reactor, Token};

const NOW: Option<Duration> = Some(Duration::ZERO);
type Log = Vec<(char, u64)>;

/// Dispositions belong to the process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To this thread; the handler has run when this returns.
fn raise(signum: i32) {
    // SAFETY: a handler is installed, or the signal is ignored.
    assert_eq!(unsafe { libc::raise(signum) }, 0);
}

fn disposition(signum: i32) -> usize {
    // SAFETY: all-zero bytes are a valid `sigaction`, and the call writes one.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(signum, std::ptr::null(), &mut action), 0);
        action.sa_sigaction
    }
}

fn set_disposition(signum: i32, handler: usize) {
    // SAFETY: the handlers of these tests are async-signal-safe.
    assert_ne!(unsafe { libc::signal(signum, handler) }, libc::SIG_ERR);
}

static THEIRS: AtomicU32 = AtomicU32::new(0);

extern "C" fn theirs(_: libc::c_int) {
    THEIRS.fetch_add(1, Ordering::SeqCst);
}

fn their_handler() -> usize {
    theirs as extern "C" fn(libc::c_int) as usize
}

fn log_as(name: char) -> impl FnMut(&mut Reactor<'_, Log>, &mut Log, Token, u64) {
    move |_, log, _, count| log.push((name, count))
}

/// One turn; a signal may interrupt its wait.
fn turn(reactor: &mut Reactor<'_, Log>, log: &mut Log) {
    for _ in 0..100 {
        match reactor.turn(log, Some(LONG)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            result => {
                result.unwrap();
                return;
            }
        }
    }
    panic!("interrupted without end");
}

#[test]
fn a_signal_is_told_with_its_count_to_all_who_watch_it() {
    let _alone = alone();
    for_each_backend(|backend| {
        let mut reactor = Reactor::with_backend(backend).unwrap();
        reactor.signal(libc::SIGUSR1, log_as('a')).unwrap();
        reactor.signal(libc::SIGUSR2, log_as('b')).unwrap();
        reactor.signal(libc::SIGUSR1, log_as('c')).unwrap();
        let mut log = Log::new();
        raise(libc::SIGUSR1);
        turn(&mut reactor, &mut log);
        assert_eq!(log, [('a', 1), ('c', 1)]);
        raise(libc::SIGUSR2);
        raise(libc::SIGUSR1);
        raise(libc::SIGUSR2);
        turn(&mut reactor, &mut log);
        assert_eq!(log[2..], [('a', 1), ('b', 2), ('c', 1)]);
        assert_eq!(reactor.turn(&mut log, NOW).unwrap(), 0);
    });
}

#[test]
fn a_signal_from_elsewhere_ends_the_wait_of_a_run() {
    let _alone = alone();
    for_each_backend(|backend| {
        let mut reactor = Reactor::<u64>::with_backend(backend).unwrap();
        let stop = |reactor: &mut Reactor<'_, u64>, sum: &mut u64, token, count| {
            *sum += count;
            reactor.remove(token);
        };
        reactor.signal(libc::SIGUSR1, stop).unwrap();
        let helper = std::thread::spawn(|| {
            // SAFETY: a handler is installed. Any thread of the process may be the one that runs it.
            assert_eq!(unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) }, 0);
        });
        let mut sum = 0;
        reactor.run(&mut sum).unwrap();
        assert_eq!(sum, 1, "and the run ended, for nothing is watched any more");
        helper.join().unwrap();
    });
}

#[test]
fn a_thousand_signals_between_two_waits_are_one_call_and_one_wake_up() {
    let _alone = alone();
    for_each_backend(|backend| {
        let mut reactor = Reactor::with_backend(backend).unwrap();
        reactor.signal(libc::SIGUSR1, log_as('a')).unwrap();
        for _ in 0..1000 {
            raise(libc::SIGUSR1);
        }
        let mut log = Log::new();
        turn(&mut reactor, &mut log);
        assert_eq!(log, [('a', 1000)]);
        assert_eq!(reactor.turn(&mut log, NOW).unwrap(), 0);
        assert_eq!(reactor.stats().wakeups, 1);
    });
}

#[test]
fn reactors_in_several_threads_each_get_the_signal() {
    let _alone = alone();
    for_each_backend(|backend| {
        const LOOPS: usize = 3;
        let watching = Arc::new(Barrier::new(LOOPS + 1));
        let threads: Vec<_> = (0..LOOPS)
            .map(|_| {
                let watching = watching.clone();
                std::thread::spawn(move || {
                    let mut reactor = Reactor::<u64>::with_backend(backend).unwrap();
                    let count = |reactor: &mut Reactor<'_, u64>, sum: &mut u64, token, count| {
                        *sum += count;
                        reactor.remove(token);
                    };
                    reactor.signal(libc::SIGUSR1, count).unwrap();
                    watching.wait();
                    let mut sum = 0;
                    reactor.run(&mut sum).unwrap();
                    sum
                })
            })
            .collect();
        watching.wait();
        raise(libc::SIGUSR1);
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 1);
        }
        assert_eq!(disposition(libc::SIGUSR1), libc::SIG_DFL, "restored with the last of them");
    });
}

#[test]
fn what_a_signal_did_before_it_does_again_after_the_last_watcher_of_any_reactor() {
    let _alone = alone();
    for_each_backend(|backend| {
        for before in [libc::SIG_IGN, their_handler(), libc::SIG_DFL] {
            set_disposition(libc::SIGUSR1, before);
            let mut one = Reactor::<Log>::with_backend(backend).unwrap();
            let mut other = Reactor::<Log>::with_backend(backend).unwrap();
            let tokens = [0, 1].map(|_| one.signal(libc::SIGUSR1, log_as('a')).unwrap());
            other.signal(libc::SIGUSR1, log_as('b')).unwrap();
            let ours = disposition(libc::SIGUSR1);
            assert_ne!(ours, before);
            assert!(one.remove(tokens[0]) && !one.remove(tokens[0]));
            assert!(one.remove(tokens[1]) && one.is_empty());
            assert_eq!(disposition(libc::SIGUSR1), ours, "the other reactor watches");
            drop(other);
            assert_eq!(disposition(libc::SIGUSR1), before);
            if before != libc::SIG_DFL {
                THEIRS.store(0, Ordering::SeqCst);
                raise(libc::SIGUSR1);
                assert_eq!(THEIRS.load(Ordering::SeqCst), u32::from(before == their_handler()));
            }
        }
    });
}

#[test]
fn signals_that_nobody_asked_for_are_not_touched() {
    let _alone = alone();
    let before: Vec<_> = (1..=31).map(disposition).collect();
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        reactor.signal(libc::SIGUSR2, log_as('a')).unwrap();
        for (signum, before) in (1..).zip(&before) {
            assert_eq!(disposition(signum) == *before, signum != libc::SIGUSR2, "{signum}");
        }
    });
}

#[test]
fn a_handler_that_someone_put_over_ours_stays() {
    let _alone = alone();
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let token = reactor.signal(libc::SIGUSR1, log_as('a')).unwrap();
        set_disposition(libc::SIGUSR1, their_handler());
        assert!(reactor.remove(token));
        assert_eq!(disposition(libc::SIGUSR1), their_handler());
        set_disposition(libc::SIGUSR1, libc::SIG_DFL);
    });
}

#[test]
fn a_watcher_may_remove_itself_and_the_next_in_its_callback() {
    let _alone = alone();
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let next: Arc<Mutex<Option<Token>>> = Arc::default();
        let inside = next.clone();
        let remove = move |reactor: &mut Reactor<'_, Log>, log: &mut Log, token: Token, count| {
            log.push(('a', count));
            assert!(reactor.remove(token) && !reactor.remove(token));
            assert!(reactor.remove(inside.lock().unwrap().unwrap()));
        };
        let token = reactor.signal(libc::SIGUSR1, remove).unwrap();
        *next.lock().unwrap() = Some(reactor.signal(libc::SIGUSR1, log_as('b')).unwrap());
        assert!(reactor.contains(token));
        raise(libc::SIGUSR1);
        let mut log = Log::new();
        turn(&mut reactor, &mut log);
        assert_eq!(log, [('a', 1)]);
        assert!(!reactor.contains(token) && reactor.is_empty());
        assert_eq!(disposition(libc::SIGUSR1), libc::SIG_DFL);
    });
}

#[test]
fn what_is_pending_at_the_removal_is_forgotten_and_not_told_to_a_later_watcher() {
    let _alone = alone();
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let mut log = Log::new();
        for _ in 0..2 {
            let token = reactor.signal(libc::SIGUSR1, log_as('a')).unwrap();
            raise(libc::SIGUSR1);
            assert!(reactor.remove(token));
            let later = reactor.signal(libc::SIGUSR1, log_as('b')).unwrap();
            reactor.turn(&mut log, NOW).unwrap();
            assert!(log.is_empty());
            // And beside one that stays, which is told all the same.
            raise(libc::SIGUSR1);
            let last = reactor.signal(libc::SIGUSR1, log_as('c')).unwrap();
            turn(&mut reactor, &mut log);
            assert_eq!(std::mem::take(&mut log), [('b', 1)]);
            assert!(reactor.remove(later) && reactor.remove(last));
        }
    });
}

#[test]
fn a_stop_or_a_panic_keeps_the_others_for_the_next_dispatch() {
    let _alone = alone();
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        reactor.signal(libc::SIGUSR1, |reactor, log, _, count| (log.push(('s', count)), reactor.stop()).1).unwrap();
        let panics = reactor.signal(libc::SIGUSR1, |_, _, _, _| panic!("on purpose")).unwrap();
        reactor.signal(libc::SIGUSR1, log_as('c')).unwrap();
        let submitter = reactor.submitter().unwrap();
        submitter.submit(|_, log| log.push(('j', 0))).unwrap();
        raise(libc::SIGUSR1);
        let mut log = Log::new();
        turn(&mut reactor, &mut log);
        assert_eq!(log, [('s', 1)]);
        assert!(catch_unwind(AssertUnwindSafe(|| turn(&mut reactor, &mut log))).is_err());
        assert!(log.len() == 1 && !reactor.contains(panics));
        turn(&mut reactor, &mut log);
        assert_eq!(log, [('s', 1), ('c', 1), ('j', 0)]);
    });
}

#[test]
fn signals_that_cannot_be_watched_are_einval_and_change_nothing() {
    let _alone = alone();
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let none = [i32::MIN, -1, 0, 65, 1000, i32::MAX];
        let uncatchable = [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL];
        // 32 is the C library's own.
        for signum in none.into_iter().chain(uncatchable).chain([32]) {
            assert_eq!(errno(reactor.signal(signum, log_as('a'))), libc::EINVAL, "{signum}");
        }
        assert!(reactor.is_empty());
        let token = reactor.signal(libc::SIGRTMAX(), log_as('a')).unwrap();
        raise(libc::SIGRTMAX());
        let mut log = Log::new();
        turn(&mut reactor, &mut log);
        assert!(log == [('a', 1)] && reactor.remove(token));
    });
}

#[test]
fn the_handler_leaves_errno_as_it_was() {
    let _alone = alone();
    let mut reactor = Reactor::<Log>::new().unwrap();
    reactor.signal(libc::SIGUSR1, log_as('a')).unwrap();
    // SAFETY: closes no descriptor, and the place of errno is this thread's.
    unsafe {
        assert_eq!(libc::close(-1), -1);
        libc::raise(libc::SIGUSR1);
        assert_eq!(*libc::__errno_location(), libc::EBADF);
    }
}

#[test]
fn loops_that_come_and_go_under_a_hail_of_signals_lose_none() {
    let _alone = alone();
    for_each_backend(|backend| {
        const THREADS: usize = 2;
        const EACH: u64 = 20_000;
        let mut steady = Reactor::<Log>::with_backend(backend).unwrap();
        steady.signal(libc::SIGUSR1, log_as('s')).unwrap();
        let (ended, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let hail: Vec<_> = (0..THREADS)
            .map(|_| {
                let ended = ended.clone();
                std::thread::spawn(move || {
                    (0..EACH).for_each(|_| raise(libc::SIGUSR1));
                    ended.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        let comes_and_goes = over.clone();
        let other = std::thread::spawn(move || {
            while !comes_and_goes.load(Ordering::SeqCst) {
                let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
                let token = reactor.signal(libc::SIGUSR1, log_as('o')).unwrap();
                let _ = reactor.turn(&mut Log::new(), NOW);
                reactor.remove(token);
                drop(reactor);
                // Takes the number that a late handler would write to.
                let (end, _other) = common::pipe();
                assert!(!readable(&end));
            }
        });
        let (mut log, mut sum) = (Log::new(), 0);
        while sum < THREADS as u64 * EACH {
            turn(&mut steady, &mut log);
            sum += log.drain(..).map(|(_, count)| count).sum::<u64>();
        }
        over.store(true, Ordering::SeqCst);
        hail.into_iter().for_each(|thread| thread.join().unwrap());
        other.join().unwrap();
        assert_eq!((sum, ended.load(Ordering::SeqCst)), (THREADS as u64 * EACH, THREADS));
    });
}

fn readable(fd: &impl AsFd) -> bool {
    let mut poll = libc::pollfd { fd: std::os::fd::AsRawFd::as_raw_fd(&fd.as_fd()), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, on this frame.
    unsafe { libc::poll(&mut poll, 1, 0) == 1 && poll.revents & libc::POLLIN != 0 }
}

#[test]
fn a_reactor_with_signals_leaves_no_descriptor_open() {
    in_child("a_reactor_with_signals_leaves_no_descriptor_open", |backend| {
        let before = open_descriptors();
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        reactor.signal(libc::SIGUSR1, log_as('a')).unwrap();
        raise(libc::SIGUSR1);
        drop(reactor);
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn a_forked_child_never_tells_its_parent_and_after_reinit_is_told_itself() {
    let _alone = alone();
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let token = reactor.signal(libc::SIGUSR1, log_as('a')).unwrap();
        let mut log = Log::with_capacity(10);
        // SAFETY: the child uses memory, descriptors and the crate under test, and leaves by _exit.
        let status = unsafe {
            let child = libc::fork();
            assert!(child >= 0);
            if child == 0 {
                libc::alarm(20);
                libc::raise(libc::SIGUSR1);
                let made = reactor.reinit().is_ok() && reactor.turn(&mut log, NOW).is_ok() && log.is_empty();
                libc::raise(libc::SIGUSR1);
                let told = reactor.turn(&mut log, Some(LONG)).is_ok() && log == [('a', 1)];
                let gone = reactor.remove(token) && disposition(libc::SIGUSR1) == libc::SIG_DFL;
                libc::_exit(i32::from(!made) + 2 * i32::from(!told) + 4 * i32::from(!gone));
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &mut status, 0), child);
            status
        };
        assert_eq!(status, 0);
        assert_eq!(reactor.turn(&mut log, NOW).unwrap(), 0);
        raise(libc::SIGUSR1);
        reactor.reinit().unwrap();
        turn(&mut reactor, &mut log);
        assert_eq!(log, [('a', 1)], "the parent's goes on; reinit without a fork loses nothing");
    });
}
