//! Nobody starves: beside whatever is always ready, always due or always woken, every other callback comes within a turn or
//! two. Counted in turns, for a turn has no length that a test could rely on.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, Thread};
use std::time::Duration;

use common::{LONG, Random, allow_descriptors, fill, for_each_backend, streams};
use fastsock::net::Listener;
use fastsock::{Backend, Interest, Reactor, Repeat, Submitter, Time, Token, Trigger};

const READ: Interest = Interest::READABLE;
const TURNS: u64 = 500;

/// Who was served how often.
#[derive(Default)]
struct Served {
    hot: u64,
    timer: u64,
    waker: u64,
    jobs: u64,
    quiet: u64,
}

type Loop = Reactor<'static, Served>;

/// A source whose callback takes one piece of what lies there for hundreds of turns.
fn hot(reactor: &mut Loop) -> UnixStream {
    let (here, mut there) = streams();
    const PIECE: usize = 16;
    assert!(fill(&mut there) > 2 * PIECE * TURNS as usize);
    reactor
        .add(here, READ, Trigger::Level, |_, served, stream, _| {
            assert_ne!(stream.read(&mut [0; PIECE]).unwrap(), 0);
            served.hot += 1;
        })
        .unwrap();
    there
}

/// A source that gets a byte now and then: from the end that is returned.
fn quiet(reactor: &mut Loop) -> UnixStream {
    let (here, there) = streams();
    reactor
        .add(here, READ, Trigger::Level, |_, served, stream, _| {
            assert_eq!(stream.read(&mut [0; 2]).unwrap(), 1);
            served.quiet += 1;
        })
        .unwrap();
    there
}

fn every_turn(reactor: &mut Loop) -> Token {
    reactor
        .timer_repeating(Time::now(), Repeat::FixedRate(Duration::ZERO), |_, served, _, _| served.timer += 1)
        .unwrap()
}

/// Does something again and again in a thread of its own, until dropped.
struct Flood(Arc<AtomicBool>, Option<thread::JoinHandle<()>>);

impl Flood {
    fn of(mut work: impl FnMut() + Send + 'static) -> Flood {
        let over = Arc::new(AtomicBool::new(false));
        let seen = over.clone();
        let thread = thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                work();
            }
        });
        Flood(over, Some(thread))
    }

    fn thread(&self) -> &Thread {
        self.1.as_ref().unwrap().thread()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.thread().unpark();
        let _ = self.1.take().unwrap().join();
    }
}

/// Three threads that never rest: one fills the hot socket, one wakes, one submits (no more than a thousand closures ahead of
/// the reactor, for memory has an end).
fn floods(reactor: &mut Loop, mut hot: UnixStream) -> [Flood; 3] {
    let (_, waker) = reactor.add_waker(|_, served, _| served.waker += 1).unwrap();
    let submitter = reactor.submitter().unwrap();
    let ahead = Arc::new(AtomicU64::new(0));
    [
        Flood::of(move || {
            // Full, mostly: then there is nothing to do but to try again.
            if hot.write(&[7; 512]).is_err() {
                thread::yield_now();
            }
        }),
        Flood::of(move || waker.wake().unwrap()),
        Flood::of(move || {
            if ahead.load(Ordering::Relaxed) >= 1000 {
                return thread::yield_now();
            }
            ahead.fetch_add(1, Ordering::Relaxed);
            let ahead = ahead.clone();
            let job = move |_: &mut Loop, served: &mut Served| {
                ahead.fetch_sub(1, Ordering::Relaxed);
                served.jobs += 1;
            };
            submitter.submit(job).unwrap();
        }),
    ]
}

#[test]
fn beside_a_hot_socket_a_timer_of_every_turn_and_floods_from_other_threads_each_is_served() {
    for_each_backend(|backend| {
        let mut reactor = Loop::with_backend(backend).unwrap();
        let (hot, mut peer) = (hot(&mut reactor), quiet(&mut reactor));
        every_turn(&mut reactor);
        let floods = floods(&mut reactor, hot);
        let (mut served, mut random, mut next, mut sent) = (Served::default(), Random::new(), 0, 0);
        let mut turns = 0;
        // The two threads that come and go with the scheduler's mood must be seen at work, too.
        while turns < TURNS || served.waker < 20 || served.jobs < 1000 {
            if turns == next {
                peer.write_all(b"x").unwrap();
                sent += 1;
                next += 1 + random.below(10) as u64;
            }
            reactor.turn(&mut served, Some(LONG)).unwrap();
            turns += 1;
            assert_eq!(served.quiet, sent, "the byte was there before turn {turns}");
            assert_eq!(served.timer, turns);
            if turns <= TURNS {
                assert_eq!(served.hot, turns, "what lies there is enough for {TURNS} turns");
            }
            assert!(turns < 1_000_000, "{} wakes and {} closures in {turns} turns", served.waker, served.jobs);
        }
        drop(floods);
    });
}

#[test]
fn a_byte_that_comes_in_the_midst_of_a_turn_is_read_in_that_or_the_next() {
    for_each_backend(|backend| {
        let mut reactor = Loop::with_backend(backend).unwrap();
        let hot = hot(&mut reactor);
        every_turn(&mut reactor);
        let floods = floods(&mut reactor, hot);

        let turn = Arc::new(AtomicU64::new(0));
        let (here, mut there) = streams();
        let (read, is_read) = mpsc::channel();
        let counter = turn.clone();
        reactor
            .add(here, READ, Trigger::Level, move |_, served, stream, _| {
                assert_eq!(stream.read(&mut [0; 2]).unwrap(), 1);
                served.quiet += 1;
                let _ = read.send(counter.load(Ordering::SeqCst));
            })
            .unwrap();
        let counter = turn.clone();
        let writer = thread::spawn(move || {
            let mut latest = 0;
            for _ in 0..200 {
                there.write_all(b"x").unwrap();
                // After the write: the byte was there in this turn, or in an earlier one.
                let written = counter.load(Ordering::SeqCst);
                let read = is_read.recv_timeout(LONG).unwrap();
                latest = latest.max(read.saturating_sub(written));
            }
            latest
        });
        let mut served = Served::default();
        let start = std::time::Instant::now();
        while served.quiet < 200 {
            assert!(start.elapsed() < 2 * LONG, "{} bytes read in {turn:?} turns", served.quiet);
            turn.fetch_add(1, Ordering::SeqCst);
            reactor.turn(&mut served, Some(LONG)).unwrap();
        }
        assert!(writer.join().unwrap() <= 1);
        drop(floods);
    });
}

#[test]
fn what_a_callback_sets_off_again_for_itself_comes_once_a_turn() {
    fn again(submitter: Submitter<'static, Served>) {
        let next = submitter.clone();
        let job = move |_: &mut Loop, served: &mut Served| {
            served.jobs += 1;
            assert!(served.jobs <= TURNS, "more than one a turn");
            again(next);
        };
        submitter.submit(job).unwrap();
    }
    for_each_backend(|backend| {
        let mut reactor = Loop::with_backend(backend).unwrap();
        let mut peer = quiet(&mut reactor);
        let timer = |reactor: &mut Loop, served: &mut Served, token, _| {
            served.timer += 1;
            assert!(served.timer <= TURNS, "more than one a turn");
            reactor.rearm_timer(token, Duration::ZERO).unwrap();
        };
        reactor.timer(Duration::ZERO, timer).unwrap();
        let own = std::rc::Rc::new(std::cell::OnceCell::<fastsock::Waker>::new());
        let mine = own.clone();
        let (_, waker) = reactor
            .add_waker(move |_, served, _| {
                served.waker += 1;
                assert!(served.waker <= TURNS, "more than one a turn");
                mine.get().unwrap().wake().unwrap();
            })
            .unwrap();
        waker.wake().unwrap();
        own.set(waker).unwrap();
        again(reactor.submitter().unwrap());
        let mut served = Served::default();
        for turn in 1..=TURNS {
            peer.write_all(b"x").unwrap();
            reactor.turn(&mut served, Some(LONG)).unwrap();
            let Served { timer, waker, jobs, quiet, .. } = served;
            assert_eq!((timer, waker, jobs, quiet), (turn, turn, turn, turn));
        }
    });
}

#[test]
fn an_edge_that_is_rearmed_in_its_callback_comes_once_a_turn() {
    let mut reactor = Loop::with_backend(Backend::Epoll).unwrap();
    let mut peer = quiet(&mut reactor);
    let (here, mut there) = streams();
    there.write_all(b"never read").unwrap();
    reactor
        .add(here, READ, Trigger::Edge, |reactor, served, _, event| {
            served.hot += 1;
            assert!(served.hot <= TURNS, "more than one a turn");
            reactor.rearm(event.token()).unwrap();
        })
        .unwrap();
    let mut served = Served::default();
    for turn in 1..=TURNS {
        peer.write_all(b"x").unwrap();
        reactor.turn(&mut served, Some(LONG)).unwrap();
        assert_eq!((served.hot, served.quiet), (turn, turn));
    }
}

#[test]
fn what_stops_every_dispatch_starves_nobody() {
    for_each_backend(|backend| {
        let mut reactor = Loop::with_backend(backend).unwrap();
        // Each of these is ready, due or woken again at once, and ends the dispatch.
        let timer = |reactor: &mut Loop, served: &mut Served, _, _| {
            served.timer += 1;
            reactor.stop();
        };
        reactor.timer_repeating(Time::now(), Repeat::FixedRate(Duration::ZERO), timer).unwrap();
        let (here, mut there) = streams();
        there.write_all(b"never read").unwrap();
        reactor
            .add(here, READ, Trigger::Level, |reactor, served, _, _| {
                served.hot += 1;
                reactor.stop();
            })
            .unwrap();
        let own = std::rc::Rc::new(std::cell::OnceCell::<fastsock::Waker>::new());
        let mine = own.clone();
        let (_, waker) = reactor
            .add_waker(move |reactor, served, _| {
                served.waker += 1;
                mine.get().unwrap().wake().unwrap();
                reactor.stop();
            })
            .unwrap();
        waker.wake().unwrap();
        own.set(waker).unwrap();
        // A second waker behind the first, a closure behind them both, and a quiet source.
        let (_, second) = reactor.add_waker(|_, served, _| served.quiet += 1).unwrap();
        let submitter = reactor.submitter().unwrap();
        let mut served = Served::default();
        for round in 1..=100 {
            second.wake().unwrap();
            submitter.submit(|_: &mut Loop, served: &mut Served| served.jobs += 1).unwrap();
            // Three callbacks that stop are three dispatches; a fourth ends the turn.
            for _ in 0..4 {
                reactor.turn(&mut served, Some(LONG)).unwrap();
            }
            let Served { hot, timer, waker, jobs, quiet } = served;
            for count in [hot, timer, waker, jobs, quiet] {
                assert!(count >= round, "{count} calls of one in {} dispatches", 4 * round);
            }
        }
    });
}

/// So many sources that are ready for ever, each with a count of its callbacks.
fn crowd(backend: Backend, size: usize) -> (Reactor<'static, Vec<u64>>, Vec<UnixStream>) {
    let mut reactor = Reactor::with_backend(backend).unwrap();
    let mut peers = Vec::new();
    for index in 0..size {
        let (here, mut there) = streams();
        there.write_all(b"never read").unwrap();
        peers.push(there);
        reactor.add(here, READ, Trigger::Level, move |_, counts: &mut Vec<u64>, _, _| counts[index] += 1).unwrap();
    }
    (reactor, peers)
}

#[test]
fn more_ready_sources_than_a_wait_may_report_take_turns() {
    const SIZE: usize = 100;
    for_each_backend(|backend| {
        for limit in [1, 7, 64, 99] {
            let (mut reactor, _peers) = crowd(backend, SIZE);
            let mut counts = vec![0; SIZE];
            for turn in 1..=3 * SIZE {
                assert_eq!(reactor.wait_at_most(limit, Some(LONG)).unwrap(), limit);
                reactor.dispatch(&mut counts).unwrap();
                let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
                assert!(most - least <= 1, "{limit} a turn, after {turn} turns: one has {most}, another {least}");
            }
        }
    });
}

#[test]
fn more_ready_sources_than_the_event_buffer_holds_at_first_are_all_served_in_few_turns() {
    const SIZE: usize = 1000;
    allow_descriptors(2 * SIZE as u64 + 100);
    for_each_backend(|backend| {
        let (mut reactor, _peers) = crowd(backend, SIZE);
        let mut counts = vec![0; SIZE];
        // A buffer that doubles whenever it was full holds 128 events, 256, 512, 1024.
        for turn in 1..=8 {
            reactor.turn(&mut counts, Some(LONG)).unwrap();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            assert!(most - least <= 1, "after {turn} turns one has {most}, another {least}");
            assert!(turn < 4 || *least > 0, "one has not been called in {turn} turns");
        }
    });
}

#[test]
fn a_listener_with_a_long_queue_takes_one_a_turn_beside_the_others() {
    const CLIENTS: u64 = 50;
    for_each_backend(|backend| {
        let mut reactor = Loop::with_backend(backend).unwrap();
        let mut peer = quiet(&mut reactor);
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.local_addr().unwrap().ip().unwrap();
        let _clients: Vec<TcpStream> = (0..CLIENTS).map(|_| TcpStream::connect(address).unwrap()).collect();
        reactor
            .listen(listener, |_, served, connection| {
                served.hot += 1;
                connection.map(drop)
            })
            .unwrap();
        let mut served = Served::default();
        for turn in 1..=CLIENTS {
            peer.write_all(b"x").unwrap();
            reactor.turn(&mut served, Some(LONG)).unwrap();
            assert_eq!((served.hot, served.quiet), (turn, turn));
        }
    });
}
