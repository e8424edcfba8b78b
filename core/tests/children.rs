//! Child processes that end.
// The reactor waits for them.
#![allow(clippy::unwrap_used, clippy::zombie_processes)]
#![cfg(target_os = "linux")]

mod common;

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use common::{LONG, errno, for_each_backend, in_child, open_descriptors};
use fastsock::Reactor;

type Ended = Vec<std::io::Result<ExitStatus>>;

fn spawn(program: &str, arguments: &[&str]) -> Child {
    Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// One that ends when its standard input is closed.
fn patient() -> Child {
    spawn("cat", &[])
}

/// Watches one child until nothing is left to wait for.
fn end_of(reactor: &mut Reactor<'_, Ended>, pid: u32) -> ExitStatus {
    reactor.child(pid, |_, log, _, status| log.push(status)).unwrap();
    let mut log = Ended::new();
    reactor.run(&mut log).unwrap();
    assert_eq!(log.len(), 1);
    log.remove(0).unwrap()
}

/// Whether nobody has to wait for this child any more.
fn is_reaped(child: &mut Child) -> bool {
    child.try_wait().is_err_and(|error| error.raw_os_error() == Some(libc::ECHILD))
}

#[test]
fn the_exit_code_is_told_and_the_child_is_reaped() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::with_backend(backend).unwrap();
        for (script, code) in [("true", 0), ("exit 3", 3), ("exit 255", 255)] {
            let mut child = spawn("sh", &["-c", script]);
            let status = end_of(&mut reactor, child.id());
            assert_eq!((status.code(), status.signal(), status.success()), (Some(code), None, code == 0));
            assert!(is_reaped(&mut child));
        }
        assert!(reactor.is_empty());
    });
}

#[test]
fn the_signal_that_killed_it_is_told() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::with_backend(backend).unwrap();
        for signum in [libc::SIGKILL, libc::SIGTERM, libc::SIGHUP] {
            let child = patient();
            // SAFETY: the child is ours and was not waited for.
            assert_eq!(unsafe { libc::kill(child.id() as i32, signum) }, 0);
            let status = end_of(&mut reactor, child.id());
            assert_eq!((status.code(), status.signal()), (None, Some(signum)));
        }
    });
}

#[test]
fn a_child_that_has_ended_already_is_told_at_once() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::with_backend(backend).unwrap();
        let mut child = spawn("sh", &["-c", "exit 7"]);
        // SAFETY: waits for the end and takes nothing, into a place of our own.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            assert_eq!(libc::waitid(libc::P_PID, child.id(), &mut info, libc::WEXITED | libc::WNOWAIT), 0);
        }
        assert_eq!(end_of(&mut reactor, child.id()).code(), Some(7));
        assert!(is_reaped(&mut child));
    });
}

#[test]
fn a_child_that_lives_is_not_told_until_it_ends() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Ended>::with_backend(backend).unwrap();
        let mut child = patient();
        let token = reactor.child(child.id(), |_, log, _, status| log.push(status)).unwrap();
        let mut log = Ended::new();
        assert_eq!(reactor.turn(&mut log, Some(Duration::ZERO)).unwrap(), 0);
        // SAFETY: the child is ours and was not waited for. A stop is not an end.
        assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGSTOP) }, 0);
        assert_eq!(reactor.turn(&mut log, Some(Duration::from_millis(1))).unwrap(), 0);
        // SAFETY: as above.
        assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGCONT) }, 0);
        drop(child.stdin.take());
        assert_eq!(reactor.turn(&mut log, Some(LONG)).unwrap(), 1);
        assert!(log.remove(0).unwrap().success() && !reactor.contains(token));
    });
}

#[test]
fn a_child_removed_before_its_end_is_the_callers_to_wait_for() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Ended>::with_backend(backend).unwrap();
        let mut child = patient();
        let token = reactor.child(child.id(), |_, log, _, status| log.push(status)).unwrap();
        assert!(reactor.remove(token) && !reactor.remove(token) && reactor.is_empty());
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
        // And one that is ready to be told when it is removed.
        let mut child = spawn("true", &[]);
        let token = reactor.child(child.id(), |_, log, _, status| log.push(status)).unwrap();
        assert_eq!(reactor.wait(Some(LONG)).unwrap(), 1);
        assert!(reactor.remove(token));
        let mut log = Ended::new();
        assert_eq!(reactor.dispatch(&mut log).unwrap(), 0);
        assert!(log.is_empty() && child.wait().unwrap().success());
    });
}

#[test]
fn fifty_children_at_once_are_each_told_to_their_own_callback() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Vec<i32>>::with_backend(backend).unwrap();
        let mut children: Vec<_> = (0..50).map(|i| spawn("sh", &["-c", &format!("read x; exit {i}")])).collect();
        for (i, child) in (0..).zip(&children) {
            let check = move |_: &mut Reactor<'_, _>, log: &mut Vec<i32>, _, status: std::io::Result<ExitStatus>| {
                assert_eq!(status.unwrap().code(), Some(i));
                log.push(i);
            };
            reactor.child(child.id(), check).unwrap();
        }
        let stdins: Vec<_> = children.iter_mut().map(|child| child.stdin.take()).collect();
        drop(stdins);
        let mut log = Vec::new();
        reactor.run(&mut log).unwrap();
        log.sort();
        assert!(log.into_iter().eq(0..50));
        assert!(children.iter_mut().all(is_reaped));
    });
}

#[test]
fn other_children_are_not_touched() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::with_backend(backend).unwrap();
        let (mut other, watched) = (spawn("sh", &["-c", "exit 5"]), spawn("true", &[]));
        // The end of its output is the end of the other, or nearly.
        other.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
        assert!(end_of(&mut reactor, watched.id()).success());
        assert_eq!(other.wait().unwrap().code(), Some(5));
    });
}

#[test]
fn a_child_that_someone_else_waits_for_is_echild_in_the_callback() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Ended>::with_backend(backend).unwrap();
        let mut child = patient();
        reactor.child(child.id(), |_, log, _, status| log.push(status)).unwrap();
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
        let mut log = Ended::new();
        reactor.run(&mut log).unwrap();
        assert_eq!(errno(log.remove(0)), libc::ECHILD);
        assert_eq!(errno(reactor.child(child.id(), |_, log, _, status| log.push(status))), libc::ESRCH);
    });
}

#[test]
fn what_is_no_child_of_ours_is_refused_with_the_reason() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Ended>::with_backend(backend).unwrap();
        for (pid, expected) in [
            (std::process::id(), libc::ECHILD),
            (std::os::unix::process::parent_id(), libc::ECHILD),
            (0, libc::EINVAL),
            (u32::MAX, libc::EINVAL),
            // Above the kernel's largest, 2^22.
            (i32::MAX as u32, libc::ESRCH),
        ] {
            assert_eq!(errno(reactor.child(pid, |_, _, _, _| {})), expected, "{pid}");
        }
        assert!(reactor.is_empty());
    });
}

#[test]
fn a_callback_may_start_and_watch_the_next_child() {
    fn next(reactor: &mut Reactor<'_, u32>, left: &mut u32) {
        if *left > 0 {
            *left -= 1;
            let child = spawn("true", &[]);
            reactor.child(child.id(), |reactor, left, _, status| (status.unwrap(), next(reactor, left)).1).unwrap();
        }
    }
    for_each_backend(|backend| {
        let mut reactor = Reactor::with_backend(backend).unwrap();
        let mut left = 3;
        next(&mut reactor, &mut left);
        reactor.run(&mut left).unwrap();
        assert_eq!(left, 0);
    });
}

#[test]
fn a_kernel_without_pidfd_open_is_eopnotsupp() {
    in_child("a_kernel_without_pidfd_open_is_eopnotsupp", |backend| {
        let mut child = patient();
        common::forbid(libc::SYS_pidfd_open, libc::ENOSYS);
        let mut reactor = Reactor::<Ended>::with_backend(backend).unwrap();
        assert_eq!(errno(reactor.child(child.id(), |_, _, _, _| {})), libc::EOPNOTSUPP);
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn no_descriptor_stays_open() {
    in_child("no_descriptor_stays_open", |backend| {
        let before = open_descriptors();
        let mut reactor = Reactor::with_backend(backend).unwrap();
        let child = spawn("true", &[]);
        end_of(&mut reactor, child.id());
        drop(child);
        let mut child = patient();
        reactor.child(child.id(), |_, log: &mut Ended, _, status| log.push(status)).unwrap();
        drop(reactor);
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
        drop(child);
        assert_eq!(errno(Reactor::<Ended>::new().unwrap().child(std::process::id(), |_, _, _, _| {})), libc::ECHILD);
        assert_eq!(open_descriptors(), before);
    });
}
