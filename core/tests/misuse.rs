//! What a caller may get wrong: each is an error with an errno and a sentence, on every backend; nothing panics, and no
//! descriptor is left open. That a reactor cannot go to another thread, the compiler sees to: see `Reactor`.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use common::{LONG, allow_descriptors, duplicate, in_child, open_descriptors, streams, tcp_streams, wait_for};
use fastsock::net::options::{RawOptions, SocketOptions, TcpOptions};
use fastsock::net::{Family, Kind, ListenOptions, Listener, RecvBatch, SendBatch, Socket};
use fastsock::server::ServerOptions;
use fastsock::stream::{StreamEvent, StreamOptions};
use fastsock::{Backend, BusyPoll, Interest, Poller, Reactor, Repeat, Time, TimerQueue, Token, Trigger};

const READ: Interest = Interest::READABLE;
const NOW: Option<Duration> = Some(Duration::ZERO);
const FOR_EVER: Duration = Duration::MAX;
const EVERY_INTEREST: [Interest; 4] = [READ, Interest::WRITABLE, Interest::PRIORITY, Interest::NONE];

/// It is this error, and its sentence is one of this crate's, not the system's name for the number.
#[track_caller]
fn refused<T: Debug>(result: Result<T, impl Into<io::Error>>, errno: i32) {
    let error: io::Error = result.expect_err("it was taken").into();
    assert_eq!(fastsock::errno(&error), errno, "{error}");
    let text = error.to_string();
    let sentence = text.strip_suffix(&format!(" (os error {errno})")).expect("the number is in the text");
    let systems = io::Error::from_raw_os_error(errno);
    assert!(!systems.to_string().starts_with(sentence), "only the system's own words: {text}");
    assert!(sentence.split(' ').count() > 4, "no sentence: {text}");
}

/// Runs the test on each backend in a process of its own, whose descriptors are counted before and after.
fn leaving_nothing_open(name: &str, body: impl Fn(Backend)) {
    in_child(name, |backend| {
        let before = open_descriptors();
        body(backend);
        assert_eq!(open_descriptors(), before, "descriptors that were open before, and are now");
    });
}

/// Tokens that name nothing in a reactor or poller that has only what `alive` names.
fn strangers(alive: Token) -> Vec<Token> {
    let bits = alive.to_bits();
    let made_up = [1, u64::MAX, 1 << 63, bits ^ 1 << 29, bits + (1 << 32), bits | 7, bits & 0xffff_ffff];
    made_up.into_iter().filter(|&other| other != bits).filter_map(Token::from_bits).collect()
}

#[test]
fn a_stale_token_is_enoent_or_false() {
    leaving_nothing_open("a_stale_token_is_enoent_or_false", |backend| {
        let (a, _b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let removed = poller.add(a.as_fd(), READ, Trigger::OneShot).unwrap();
        assert!(poller.remove(removed));
        let alive = poller.add(a.as_fd(), READ, Trigger::OneShot).unwrap();
        for stale in strangers(alive).into_iter().chain([removed]) {
            for interest in EVERY_INTEREST {
                refused(poller.modify(stale, interest, Trigger::Level), libc::ENOENT);
            }
            refused(poller.rearm(stale), libc::ENOENT);
            assert!(!poller.contains(stale) && !poller.remove(stale));
        }
        assert!(poller.contains(alive) && poller.len() == 1);
    });
}

#[test]
fn a_stale_token_reaches_nothing_of_a_reactor() {
    leaving_nothing_open("a_stale_token_reaches_nothing_of_a_reactor", |backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let listener = || Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let serve = |reactor: &mut Reactor<'_, ()>| {
            let accepted = |_: &mut Reactor<'_, ()>, _: &mut (), _| {
                Ok(|_: &mut Reactor<'_, ()>, _: &mut (), _, _: StreamEvent<'_>| Ok(()))
            };
            reactor.serve(listener(), &ServerOptions::new(), accepted).unwrap()
        };
        let stream = |reactor: &mut Reactor<'_, ()>| {
            let (a, _) = Socket::pair(Kind::Stream).unwrap();
            reactor.add_stream(a, &StreamOptions::new(), |_, _, _, _| Ok(())).unwrap()
        };
        let all = |reactor: &mut Reactor<'_, ()>| {
            vec![
                reactor.add(streams().0, READ, Trigger::Level, |_, _, _, _| {}).unwrap(),
                reactor.listen(listener(), |_, _, _| Ok(())).unwrap(),
                reactor.timer(FOR_EVER, |_, _, _, _| {}).unwrap(),
                reactor.add_waker(|_, _, _| {}).unwrap().0,
                reactor.signal(libc::SIGUSR1, |_, _, _, _| {}).unwrap(),
                stream(reactor),
                serve(reactor),
            ]
        };
        let mut stale = all(&mut reactor);
        for &token in &stale {
            assert!(reactor.remove(token) && !reactor.remove(token), "{token:?}");
        }
        let alive = all(&mut reactor);
        // Not one that happens to name another of these, or the listener of the server.
        stale.extend(alive.iter().flat_map(|&token| strangers(token)).filter(|&token| !reactor.contains(token)));
        assert!(stale.len() > 35);
        for token in stale {
            refused(reactor.modify(token, READ, Trigger::Level), libc::ENOENT);
            refused(reactor.rearm(token), libc::ENOENT);
            refused(reactor.rearm_timer(token, Duration::ZERO), libc::ENOENT);
            refused(reactor.stream(token), libc::ENOENT);
            refused(reactor.server(token), libc::ENOENT);
            assert!(!reactor.contains(token) && !reactor.remove(token));
            assert!(reactor.source::<UnixStream>(token).is_none() && reactor.take::<UnixStream>(token).is_none());
        }
        assert!(alive.iter().all(|&token| reactor.contains(token)), "none of them reached what is there");
        // And one that names something else.
        let [source, listening, timer, waker, signal, stream, server] = alive[..] else { panic!("seven") };
        for token in [timer, waker, signal, server] {
            refused(reactor.modify(token, READ, Trigger::Level), libc::ENOENT);
            refused(reactor.rearm(token), libc::ENOENT);
            refused(reactor.stream(token), libc::ENOENT);
        }
        for token in [source, listening, waker, signal, stream, server] {
            refused(reactor.rearm_timer(token, Duration::ZERO), libc::ENOENT);
        }
        for token in [source, listening, timer, waker, signal, stream] {
            refused(reactor.server(token), libc::ENOENT);
        }
        refused(reactor.modify(stream, READ, Trigger::Level), libc::EINVAL);
        assert!(alive.iter().all(|&token| reactor.remove(token)));
    });
}

#[test]
fn a_stale_timer_is_enoent_or_none() {
    let mut queue = TimerQueue::new();
    let removed = queue.insert(Time::NEVER, 1).unwrap();
    assert_eq!(queue.cancel(removed), Some(1));
    let alive = queue.insert(Time::NEVER, 2).unwrap();
    for stale in strangers(alive).into_iter().chain([removed]) {
        refused(queue.rearm(stale, Time::NEVER), libc::ENOENT);
        assert!(queue.cancel(stale).is_none() && queue.get_mut(stale).is_none());
        assert!(!queue.contains(stale) && !queue.is_due(stale));
    }
    assert_eq!(queue.cancel(alive), Some(2));
}

#[test]
fn a_double_add_is_eexist_and_the_first_one_stays() {
    leaving_nothing_open("a_double_add_is_eexist_and_the_first_one_stays", |backend| {
        let (a, mut b) = streams();
        let (mut poller, mut reactor) =
            (Poller::with_backend(backend).unwrap(), Reactor::<u32>::with_backend(backend).unwrap());
        let token = poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
        let owned = a.try_clone().unwrap();
        let number = owned.as_raw_fd();
        reactor.add(owned, READ, Trigger::Level, |_, calls, _, _| *calls += 1).unwrap();
        reactor.add_borrowed(&a, READ, Trigger::Level, |_, calls, _, _| *calls += 10).unwrap();
        for interest in EVERY_INTEREST {
            refused(poller.add(a.as_fd(), interest, Trigger::Level), libc::EEXIST);
            refused(reactor.add_borrowed(&a, interest, Trigger::Level, |_, _, _, _| {}), libc::EEXIST);
            // SAFETY: the reactor owns the number, and it is refused.
            let second = unsafe { reactor.add_raw(number, interest, Trigger::Level, |_, _, _| {}) };
            refused(second, libc::EEXIST);
        }
        b.write_all(b"x").unwrap();
        wait_for(&mut poller, token);
        let mut calls = 0;
        reactor.turn(&mut calls, Some(LONG)).unwrap();
        assert_eq!(calls, 11);
    });
}

/// Everything by which a reactor might be run inside its own callback.
fn run_again(reactor: &mut Reactor<'_, u32>, refusals: &mut u32) {
    refused(reactor.run(refusals), libc::EBUSY);
    refused(reactor.turn(refusals, NOW), libc::EBUSY);
    refused(reactor.wait(NOW), libc::EBUSY);
    refused(reactor.wait_at_most(1, NOW), libc::EBUSY);
    refused(reactor.dispatch(refusals), libc::EBUSY);
    refused(reactor.dispatch_and(refusals, |_, _| {}), libc::EBUSY);
    *refusals += 1;
}

#[test]
fn a_reactor_that_runs_inside_any_callback_is_ebusy() {
    leaving_nothing_open("a_reactor_that_runs_inside_any_callback_is_ebusy", |backend| {
        let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
        let (a, mut b) = streams();
        reactor.add(a, READ, Trigger::OneShot, |reactor, refusals, _, _| run_again(reactor, refusals)).unwrap();
        b.write_all(b"x").unwrap();
        reactor.timer(Duration::ZERO, |reactor, refusals, _, _| run_again(reactor, refusals)).unwrap();
        let (_, waker) = reactor.add_waker(|reactor, refusals, _| run_again(reactor, refusals)).unwrap();
        waker.wake().unwrap();
        reactor.submitter().unwrap().submit(run_again).unwrap();
        reactor.signal(libc::SIGUSR1, |reactor, refusals, _, _| run_again(reactor, refusals)).unwrap();
        // SAFETY: the signal is caught, as the line above has asked for.
        assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
        let (stream, peer) = Socket::pair(Kind::Stream).unwrap();
        let on_stream = |reactor: &mut Reactor<'_, u32>, refusals: &mut u32, _, event: StreamEvent<'_>| {
            if let StreamEvent::Data(_) = event {
                run_again(reactor, refusals);
            }
            Ok(())
        };
        reactor.add_stream(stream, &StreamOptions::new(), on_stream).unwrap();
        peer.send(b"x").unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let on_connection = |reactor: &mut Reactor<'_, u32>, refusals: &mut u32, _| {
            run_again(reactor, refusals);
            Ok(())
        };
        reactor.listen(Listener::from_fd(listener.into()).unwrap(), on_connection).unwrap();
        let mut refusals = 0;
        while refusals < 7 {
            match reactor.wait(Some(LONG)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => panic!("{error}"),
            }
            assert_ne!(reactor.dispatch_and(&mut refusals, |_, _| {}).unwrap(), 0, "only {refusals} in {LONG:?}");
        }
        assert_eq!(refusals, 7, "each of them once");
    });
}

#[test]
fn a_bad_descriptor_is_ebadf() {
    leaving_nothing_open("a_bad_descriptor_is_ebadf", |backend| {
        let closed = File::open("/dev/zero").unwrap().as_raw_fd();
        let mut poller = Poller::with_backend(backend).unwrap();
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        // The two above may have taken the number that was closed.
        let closed = if closed <= open_descriptors() as i32 + 3 { 900 } else { closed };
        for number in [-1, i32::MIN, closed, 1_000_000_007, i32::MAX] {
            for interest in EVERY_INTEREST {
                // SAFETY: nothing is open there, so nothing is watched.
                unsafe {
                    refused(poller.add_raw(number, interest, Trigger::Level), libc::EBADF);
                    refused(reactor.add_raw(number, interest, Trigger::Level, |_, _, _| {}), libc::EBADF);
                }
            }
        }
        assert!(poller.is_empty() && reactor.is_empty());
    });
}

#[test]
fn a_descriptor_that_was_closed_while_it_was_registered_is_ebadf() {
    leaving_nothing_open("a_descriptor_that_was_closed_while_it_was_registered_is_ebadf", |backend| {
        for found_out in [false, true] {
            if !found_out && backend != Backend::Epoll {
                continue; // These ask the system only when they wait.
            }
            let (a, _b) = streams();
            let number = duplicate(&a, 900).into_raw_fd();
            let mut poller: Poller<'static> = Poller::with_backend(backend).unwrap();
            // SAFETY: closed below on purpose; the number is nobody's until the token is removed.
            let token = unsafe { poller.add_raw(number, READ, Trigger::Level) }.unwrap();
            // SAFETY: the number is this test's own.
            assert_eq!(unsafe { libc::close(number) }, 0);
            if found_out {
                assert_eq!(poller.wait(&mut Vec::new(), NOW).unwrap(), 0);
            }
            for interest in [READ, Interest::WRITABLE, READ] {
                refused(poller.modify(token, interest, Trigger::Level), libc::EBADF);
            }
            refused(poller.modify(token, READ, Trigger::OneShot), libc::EBADF);
            assert!(poller.contains(token) && poller.remove(token));
        }
    });
}

#[test]
fn a_regular_file_is_eperm_and_comes_back() {
    leaving_nothing_open("a_regular_file_is_eperm_and_comes_back", |backend| {
        let (file, folder) = (File::open("Cargo.toml").unwrap(), File::open("src").unwrap());
        let (mut poller, mut reactor) =
            (Poller::with_backend(backend).unwrap(), Reactor::<()>::with_backend(backend).unwrap());
        for source in [&file, &folder] {
            for interest in EVERY_INTEREST {
                refused(poller.add(source.as_fd(), interest, Trigger::Level), libc::EPERM);
                refused(reactor.add_borrowed(source, interest, Trigger::Level, |_, _, _, _| {}), libc::EPERM);
                let add = reactor.add(source.try_clone().unwrap(), interest, Trigger::Level, |_, _, _, _| {});
                let add = add.unwrap_err();
                assert!(add.source.metadata().is_ok(), "it is the caller's again, and open");
                refused::<()>(Err(add), libc::EPERM);
            }
        }
        assert!(poller.is_empty() && reactor.is_empty());
    });
}

#[test]
fn a_descriptor_above_the_select_limit_of_other_systems_is_like_any_other() {
    leaving_nothing_open("a_descriptor_above_the_select_limit_of_other_systems_is_like_any_other", |backend| {
        allow_descriptors(3000);
        let (a, mut b) = streams();
        let high = [1023, 1024, 1025, 2048, 2999].map(|number| duplicate(&a, number));
        let mut poller = Poller::with_backend(backend).unwrap();
        let tokens: Vec<_> = high.iter().map(|fd| poller.add(fd.as_fd(), READ, Trigger::Level).unwrap()).collect();
        b.write_all(b"x").unwrap();
        let events = common::wait(&mut poller);
        assert_eq!(events.len(), high.len());
        assert!(tokens.iter().all(|&token| events.iter().any(|event| event.token() == token && event.is_readable())));
        assert!(tokens.into_iter().all(|token| poller.remove(token)));
        assert!(common::look(&mut poller).is_empty());
    });
}

#[test]
fn a_poller_may_change_threads_between_any_two_calls() {
    leaving_nothing_open("a_poller_may_change_threads_between_any_two_calls", |backend| {
        let (a, mut b) = streams();
        let mut poller = Poller::with_backend(backend).unwrap();
        let token = std::thread::scope(|scope| {
            let added = scope.spawn(|| poller.add(a.as_fd(), READ, Trigger::Level).unwrap());
            added.join().unwrap()
        });
        b.write_all(b"x").unwrap();
        let poller = std::thread::scope(|scope| {
            let mut elsewhere = poller;
            let waited = scope.spawn(move || {
                wait_for(&mut elsewhere, token);
                elsewhere
            });
            waited.join().unwrap()
        });
        assert!(poller.contains(token));
    });
}

#[test]
fn room_for_no_event_is_einval() {
    leaving_nothing_open("room_for_no_event_is_einval", |backend| {
        let mut poller = Poller::with_backend(backend).unwrap();
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        refused(poller.wait_at_most(&mut Vec::new(), 0, NOW), libc::EINVAL);
        refused(reactor.wait_at_most(0, NOW), libc::EINVAL);
    });
}

/// It takes no byte and gives none: an end that is none, or nothing to do.
#[track_caller]
fn nothing(result: io::Result<usize>) {
    match result {
        Ok(count) => assert_eq!(count, 0),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}"),
    }
}

/// Every receive into no room at all.
fn receive_nothing(socket: &Socket) {
    nothing(socket.peek(&mut []));
    nothing(socket.recv(&mut []));
    nothing(socket.recv_from(&mut []).map(|(count, _)| count));
    nothing(socket.recv_vectored(&mut []));
    nothing(socket.recv_vectored(&mut [IoSliceMut::new(&mut []), IoSliceMut::new(&mut [])]));
    nothing(socket.recv_fds(&mut [], 0).map(|received| received.bytes));
    nothing(socket.recv_fds(&mut [], 9).map(|received| received.bytes));
}

#[test]
fn buffers_of_no_length_leave_a_stream_as_it_is() {
    leaving_nothing_open("buffers_of_no_length_leave_a_stream_as_it_is", |_| {
        let tcp = tcp_streams();
        let tcp = (Socket::from_fd(tcp.0).unwrap(), Socket::from_fd(tcp.1).unwrap());
        for (a, b) in [Socket::pair(Kind::Stream).unwrap(), tcp] {
            receive_nothing(&a);
            for _ in 0..2 {
                assert_eq!(b.send(b"").unwrap(), 0);
                assert_eq!(b.send_vectored(&[]).unwrap(), 0);
                assert_eq!(b.send_vectored(&[IoSlice::new(b""), IoSlice::new(b"")]).unwrap(), 0);
                assert_eq!(b.send_fds(b"", &[]).unwrap(), 0);
                assert_eq!(b.send_file(File::open("Cargo.toml").unwrap(), 0, 0).unwrap(), 0);
            }
            receive_nothing(&a);
            b.send(b"whole").unwrap();
            receive_nothing(&a);
            let mut buffer = [0; 9];
            assert_eq!((a.recv(&mut buffer).unwrap(), &buffer[..5]), (5, &b"whole"[..]));
            drop(b);
            receive_nothing(&a);
            assert_eq!(a.recv(&mut buffer).unwrap(), 0, "the end");
        }
    });
}

#[test]
fn buffers_of_no_length_take_a_message_each() {
    leaving_nothing_open("buffers_of_no_length_take_a_message_each", |_| {
        let udp = || Socket::new(Family::V4, Kind::Datagram).unwrap();
        let (here, there) = (udp(), udp());
        there.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let _ = here.connect(there.local_addr().unwrap()).unwrap();
        for (a, b) in [(there, here), Socket::pair(Kind::Datagram).unwrap()] {
            receive_nothing(&a);
            for text in ["1", "2", "3", "4"] {
                b.send(text.as_bytes()).unwrap();
            }
            assert_eq!(a.peek(&mut []).unwrap(), 0);
            assert_eq!(a.recv(&mut []).unwrap(), 0);
            assert_eq!(a.recv_from(&mut []).unwrap().0, 0);
            assert_eq!(a.recv_vectored(&mut []).unwrap(), 0);
            let last = a.recv_fds(&mut [], 0).unwrap();
            assert!(last.bytes == 0 && last.fds.is_empty() && last.bytes_truncated);
            receive_nothing(&a);
            // A message without a byte is one.
            assert_eq!((b.send(b"").unwrap(), b.send_vectored(&[]).unwrap()), (0, 0));
            assert_eq!((a.recv(&mut [0; 9]).unwrap(), a.recv(&mut [0; 9]).unwrap()), (0, 0));
            receive_nothing(&a);
        }
    });
}

#[test]
fn batches_of_nothing_have_room_for_one() {
    leaving_nothing_open("batches_of_nothing_have_room_for_one", |_| {
        let (a, b) = Socket::pair(Kind::Datagram).unwrap();
        let (mut incoming, mut outgoing) = (RecvBatch::new(0, 0), SendBatch::new(0, 0));
        assert_eq!(b.send_batch(&mut outgoing).unwrap(), 0, "nothing to send");
        assert!(!outgoing.push(b"x", None), "no room for a byte");
        assert!(outgoing.push(b"", None) && !outgoing.push(b"", None), "one datagram of none");
        assert_eq!(b.send_batch(&mut outgoing).unwrap(), 1);
        outgoing.skip();
        outgoing.clear();
        b.send(b"xyz").unwrap();
        assert_eq!(a.recv_batch(&mut incoming).unwrap(), 1);
        assert!(incoming.iter().next().unwrap().bytes().is_empty());
        assert_eq!(a.recv_batch(&mut incoming).unwrap(), 1);
        let datagram = incoming.iter().next().unwrap();
        assert!(datagram.bytes() == b"x" && datagram.is_truncated());
        assert_eq!(a.recv_batch(&mut incoming).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(incoming.is_empty() && incoming.iter().next().is_none());
    });
}

#[test]
fn batches_beyond_all_measure_are_as_large_as_any_datagram() {
    let (here, there) = Socket::pair(Kind::Datagram).unwrap();
    there.send(b"hello").unwrap();
    let mut batch = RecvBatch::new(1, usize::MAX);
    assert_eq!(here.recv_batch(&mut batch).unwrap(), 1);
    assert_eq!(batch.iter().next().unwrap().bytes(), b"hello");
    let mut batch = SendBatch::new(usize::MAX, usize::MAX);
    assert!(batch.push(b"hello", None));
    assert_eq!(there.send_batch(&mut batch).unwrap(), 1);
    assert_eq!(here.recv(&mut [0; 10]).unwrap(), 5);
    let linger = here.option_bytes(libc::SOL_SOCKET, libc::SO_LINGER, usize::MAX).unwrap();
    assert_eq!(linger.len(), size_of::<libc::linger>());
}

#[test]
fn writing_nothing_to_a_stream_queues_nothing() {
    leaving_nothing_open("writing_nothing_to_a_stream_queues_nothing", |backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let (socket, peer) = Socket::pair(Kind::Stream).unwrap();
        let token = reactor.add_stream(socket, &StreamOptions::new().water_marks(0, 0), |_, _, _, _| Ok(())).unwrap();
        let mut stream = reactor.stream(token).unwrap();
        stream.write(b"").unwrap();
        stream.write_file(File::open("Cargo.toml").unwrap(), 0, 0).unwrap();
        stream.flush();
        assert!(stream.queued() == 0 && !stream.is_full());
        stream.write(b"x").unwrap();
        reactor.turn(&mut (), NOW).unwrap();
        assert_eq!(peer.recv(&mut [0; 9]).unwrap(), 1);
        assert!(reactor.remove(token));
    });
}

#[test]
fn a_wait_for_ever_ends_with_what_it_waits_for() {
    leaving_nothing_open("a_wait_for_ever_ends_with_what_it_waits_for", |backend| {
        // One nanosecond less than what has no end, and the largest that fits the kernel's types.
        let almost = [FOR_EVER, FOR_EVER - Duration::from_nanos(1), Duration::from_secs(i64::MAX as u64)];
        let (a, mut b) = streams();
        b.write_all(b"x").unwrap();
        for timeout in almost {
            let mut poller = Poller::with_backend(backend).unwrap();
            let token = poller.add(a.as_fd(), READ, Trigger::Level).unwrap();
            let mut events = Vec::new();
            assert_eq!(poller.wait(&mut events, Some(timeout)).unwrap(), 1);
            assert!(poller.remove(token));
            let waker = poller.waker().unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| waker.wake().unwrap());
                assert_eq!(poller.wait(&mut events, Some(timeout)).unwrap(), 0);
            });
            assert!(poller.take_woken());

            let mut reactor = Reactor::<u32>::with_backend(backend).unwrap();
            reactor.add_borrowed(&a, READ, Trigger::Level, |_, calls, _, _| *calls += 1).unwrap();
            let mut calls = 0;
            reactor.turn(&mut calls, Some(timeout)).unwrap();
            assert_eq!(calls, 1);
        }
    });
}

#[test]
fn timers_at_the_end_of_time_never_fire() {
    leaving_nothing_open("timers_at_the_end_of_time_never_fire", |backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let never = |_: &mut Reactor<'_, ()>, _: &mut (), _, _| panic!("fired");
        let once = reactor.timer(FOR_EVER, never).unwrap();
        reactor.timer_at(Time::NEVER, never).unwrap();
        for repeat in [Repeat::Once, Repeat::FixedRate(FOR_EVER), Repeat::FixedDelay(FOR_EVER)] {
            reactor.timer_repeating(Time::NEVER, repeat, never).unwrap();
        }
        reactor.rearm_timer(once, FOR_EVER).unwrap();
        let twice = |reactor: &mut Reactor<'_, ()>, token| assert!(reactor.remove(token));
        for repeat in [Repeat::FixedRate(FOR_EVER), Repeat::FixedDelay(FOR_EVER)] {
            let fires_once = reactor.timer_repeating(Time::now(), repeat, |_, _, _, _| {}).unwrap();
            for _ in 0..3 {
                reactor.turn(&mut (), NOW).unwrap();
            }
            assert!(reactor.contains(fires_once), "it goes on, in 584 years");
            twice(&mut reactor, fires_once);
        }
        assert_eq!(reactor.stats().timers_fired, 2);
        if backend == Backend::Epoll {
            reactor.embed().unwrap();
            reactor.turn(&mut (), NOW).unwrap();
        }
        reactor.turn(&mut (), Some(Duration::from_millis(2))).unwrap();
    });
}

#[test]
fn streams_take_time_outs_without_end() {
    leaving_nothing_open("streams_take_time_outs_without_end", |backend| {
        let endless = StreamOptions::new()
            .idle_timeout(FOR_EVER)
            .read_timeout(FOR_EVER)
            .write_timeout(FOR_EVER)
            .connect_timeout(FOR_EVER)
            .close_timeout(FOR_EVER)
            .water_marks(usize::MAX, usize::MAX);
        let mut reactor = Reactor::<Vec<u8>>::with_backend(backend).unwrap();
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let options = ServerOptions::new().connection_limit(0).streams(endless.clone());
        let server = reactor
            .serve(listener, &options, |_, _, _| {
                Ok(|reactor: &mut Reactor<'_, Vec<u8>>, _: &mut Vec<u8>, token, event: StreamEvent<'_>| match event {
                    StreamEvent::Data(bytes) => reactor.stream(token)?.write(bytes),
                    StreamEvent::TimedOut(_) => panic!("timed out"),
                    _ => Ok(()),
                })
            })
            .unwrap();
        reactor
            .connect(address, &endless, move |reactor, echo, token, event| match event {
                StreamEvent::Connected => reactor.stream(token)?.write(b"hello"),
                StreamEvent::Data(bytes) => {
                    echo.extend_from_slice(bytes);
                    if echo.len() == 5 {
                        reactor.stream(token)?.close();
                        reactor.server(server)?.drain(FOR_EVER, |_, _, _| {})?;
                    }
                    Ok(())
                }
                StreamEvent::TimedOut(_) => panic!("timed out"),
                _ => Ok(()),
            })
            .unwrap();
        let guard = reactor.timer(LONG, |_, _, _, _| panic!("not done in time")).unwrap();
        let mut echo = Vec::new();
        while reactor.contains(server) {
            reactor.turn(&mut echo, Some(LONG)).unwrap();
        }
        reactor.remove(guard);
        reactor.run(&mut echo).unwrap();
        assert_eq!(echo, b"hello");
    });
}

#[test]
fn options_say_that_a_time_does_not_fit() {
    leaving_nothing_open("options_say_that_a_time_does_not_fit", |backend| {
        let socket = Socket::new(Family::V4, Kind::Stream).unwrap();
        for time in [FOR_EVER, Duration::from_secs(1 << 31)] {
            refused(socket.set_linger(Some(time)), libc::EINVAL);
            refused(socket.set_keepalive_idle(time), libc::EINVAL);
            refused(socket.set_keepalive_interval(time), libc::EINVAL);
            refused(socket.set_user_timeout(time), libc::EINVAL);
            refused(socket.set_defer_accept(time), libc::EINVAL);
            refused(socket.set_fin_timeout(Some(time)), libc::EINVAL);
            refused(socket.set_busy_poll(time), libc::EINVAL);
        }
        refused(socket.set_recv_timeout(Some(FOR_EVER)), libc::EINVAL);
        refused(socket.set_send_timeout(Some(FOR_EVER)), libc::EINVAL);
        refused(socket.set_recv_timeout(Some(Duration::ZERO)), libc::EINVAL);
        refused(socket.set_send_timeout(Some(Duration::ZERO)), libc::EINVAL);
        let mut poller = Poller::with_backend(backend).unwrap();
        let busy = BusyPoll { time: FOR_EVER, ..BusyPoll::default() };
        refused(poller.set_busy_poll(busy), if backend == Backend::Epoll { libc::EINVAL } else { libc::EOPNOTSUPP });
    });
}

#[test]
fn what_is_no_socket_of_that_kind_is_told_so() {
    leaving_nothing_open("what_is_no_socket_of_that_kind_is_told_so", |backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let (datagrams, _other) = Socket::pair(Kind::Datagram).unwrap();
        let add = reactor.add_stream(datagrams, &StreamOptions::new(), |_, _, _, _| Ok(())).unwrap_err();
        assert!(add.source.local_addr().is_ok(), "it is the caller's again");
        refused::<()>(Err(add), libc::EPROTOTYPE);
        let unconnected = Socket::new(Family::V4, Kind::Stream).unwrap();
        let add = reactor.add_stream(unconnected, &StreamOptions::new(), |_, _, _, _| Ok(())).unwrap_err();
        refused::<()>(Err(add), libc::ENOTCONN);
        let file = || File::open("Cargo.toml").unwrap();
        let no_socket = Socket::from_fd(file()).unwrap();
        refused(reactor.add_stream(no_socket, &StreamOptions::new(), |_, _, _, _| Ok(())), libc::ENOTSOCK);
        refused(Listener::from_fd(file().into()), libc::ENOTSOCK);
        refused(Listener::from_fd(Socket::new(Family::V4, Kind::Datagram).unwrap().into()), libc::EOPNOTSUPP);
        let (nowhere, options) = (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ListenOptions::new());
        refused(options.kind(Kind::Datagram).listen(nowhere), libc::EOPNOTSUPP);
        refused(options.only_v6(true).listen(nowhere), libc::EINVAL);
        assert!(reactor.is_empty());
    });
}
