//! Random peers of random streams, on every backend: every byte in order, every stream at its end once, nothing leaked.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{LONG, Random, in_child, open_descriptors};
use fastsock::net::Socket;
use fastsock::stream::{StreamEvent, StreamOptions};
use fastsock::{Reactor, Token};
use peers::{NOW, Transport, file_of, pair, reset};

const STEPS: usize = 6000;
const SLOTS: usize = 16;

/// What is known of a stream, from its callback's and from our own doing.
#[derive(Default)]
struct Known {
    ended: bool,
    closed: Option<i32>,
    /// Somebody did what may cost bytes: a reset, a removal, an error, a time-out, a closing in between.
    disturbed: bool,
}

struct Context {
    random: Random,
    known: HashMap<Token, Known>,
    removed: Vec<Token>,
    drops: Rc<Cell<usize>>,
}

impl Context {
    fn disturb(&mut self, token: Token) {
        if let Some(known) = self.known.get_mut(&token) {
            known.disturbed = true;
        }
    }
}

type Loop = Reactor<'static, Context>;

/// The bytes of a connection, each different from its neighbours.
fn byte(key: u64, at: usize) -> u8 {
    ((at as u64).wrapping_mul(0x9e37_79b9) ^ key ^ (at as u64 >> 9)) as u8
}

fn bytes(key: u64, from: usize, count: usize) -> Vec<u8> {
    (from..from + count).map(|at| byte(key, at)).collect()
}

struct Dropped(Rc<Cell<usize>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// One end of the test's.
struct Peer {
    token: Token,
    socket: Option<Socket>,
    key: u64,
    /// It sends something and gets the same back; otherwise it is sent so much by the other side.
    total: Option<usize>,
    sent: usize,
    got: usize,
    shut: bool,
}

/// The callback of a stream that echoes, or sends `total` bytes in pieces when it may, and then closes.
fn callback(
    key: u64,
    total: Option<usize>,
    dropped: Dropped,
) -> impl FnMut(&mut Loop, &mut Context, Token, StreamEvent<'_>) -> io::Result<()> {
    let mut at = 0;
    move |reactor, context, token, event| {
        let _ = &dropped;
        assert!(!context.removed.contains(&token), "{event:?} after it was removed");
        let known = context.known.get_mut(&token).expect("a stream that we know");
        assert!(known.closed.is_none(), "{event:?} after Closed");
        match &event {
            StreamEvent::Closed(result) => {
                known.closed = Some(result.as_ref().map_or_else(fastsock::errno, |()| 0));
                assert!(reactor.stream(token).is_err());
                return Ok(());
            }
            StreamEvent::End => {
                assert!(!std::mem::replace(&mut known.ended, true), "the end comes once");
            }
            StreamEvent::TimedOut(_) => {
                if context.random.below(2) == 0 {
                    reactor.stream(token)?.keep();
                } else {
                    known.disturbed = true;
                }
            }
            _ => {}
        }
        match context.random.below(400) {
            0 => {
                context.disturb(token);
                return Err(io::Error::from_raw_os_error(libc::EDOM));
            }
            1 => {
                context.removed.push(token);
                assert!(reactor.remove(token));
                return Ok(());
            }
            2 => reactor.stop(),
            3 => reactor.stream(token)?.flush(),
            _ => {}
        }
        let mut stream = reactor.stream(token)?;
        match (event, total) {
            (StreamEvent::Data(data), None) => match context.random.below(3) {
                0 => data.chunks(700).try_for_each(|chunk| stream.write(chunk)),
                1 => stream.write_file(file_of(data), 0, data.len() as u64),
                _ => stream.write(data),
            },
            (StreamEvent::Data(_) | StreamEvent::Writable, Some(total)) => {
                while at < total && !stream.is_full() {
                    let count = (1 + context.random.below(9000)).min(total - at);
                    stream.write(&bytes(key, at, count))?;
                    at += count;
                }
                if at == total {
                    stream.close();
                }
                Ok(())
            }
            _ => Ok(()),
        }
        // This side was closed or shut down by somebody meanwhile.
        .or_else(|error| if fastsock::errno(&error) == libc::EPIPE { Ok(()) } else { Err(error) })
    }
}

/// And whether what the peer has not taken at the end is lost by them.
fn options(random: &mut Random) -> (StreamOptions, bool) {
    let most = [10, 5000, 200_000][random.below(3)];
    let high = 1 + random.below(most);
    let mut options = StreamOptions::new().water_marks(random.below(high), high);
    for set in [StreamOptions::idle_timeout, StreamOptions::read_timeout, StreamOptions::write_timeout] {
        match random.below(12) {
            0 => options = set(options, Duration::from_millis(random.below(20) as u64)),
            1..=3 => options = set(options, LONG * 10),
            _ => {}
        }
    }
    if random.below(10) == 0 { (options.close_timeout(Duration::ZERO), true) } else { (options, false) }
}

fn open(reactor: &mut Loop, context: &mut Context) -> Peer {
    let random = &mut context.random;
    let (key, (options, loses)) = (random.next(), options(random));
    let total = (random.below(3) == 0).then(|| random.below(1_000_000));
    let run = callback(key, total, Dropped(context.drops.clone()));
    let (token, socket) = match random.below(3) {
        0 => {
            let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let token = reactor.connect(listener.local_addr().unwrap(), &options, run).unwrap();
            (token, Socket::from_fd(listener.accept().unwrap().0).unwrap())
        }
        n => {
            let (here, there) = pair(if n == 1 { Transport::Tcp } else { Transport::Unix });
            (reactor.add_stream(here, &options, run).unwrap(), there)
        }
    };
    assert!(context.known.insert(token, Known::default()).is_none(), "a token is never used twice");
    if loses {
        context.disturb(token);
    }
    Peer { token, socket: Some(socket), key, total, sent: 0, got: 0, shut: false }
}

impl Peer {
    fn write(&mut self, count: usize) {
        let Some(socket) = self.socket.as_mut().filter(|_| !self.shut) else { return };
        if let Ok(n) = socket.write(&bytes(self.key, self.sent, count)) {
            self.sent += n;
        }
    }

    /// Reads some, and compares. `Some`: the end, or a reset.
    fn read(&mut self, most: usize) -> Option<io::Result<()>> {
        let mut buffer = vec![0; most];
        match self.socket.as_mut()?.read(&mut buffer) {
            Ok(0) => Some(Ok(())),
            Ok(n) => {
                assert!(buffer[..n] == bytes(self.key, self.got, n), "the bytes after {}", self.got);
                self.got += n;
                None
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// After the stream's end: what is left, and whether it is all.
    fn finish(mut self, context: &mut Context) {
        let known = context.known.remove(&self.token).unwrap();
        let removed = context.removed.contains(&self.token);
        assert!(removed || known.closed.is_some());
        let start = Instant::now();
        while self.socket.is_some() {
            assert!(start.elapsed() < LONG, "no end comes");
            match self.read(1 << 16) {
                None => {}
                Some(result) => {
                    if result.is_ok() && !known.disturbed && !removed && known.closed == Some(0) {
                        let expected = self.total.unwrap_or(self.sent);
                        // A producer that was asked nothing has sent nothing.
                        assert!(
                            self.got == expected || (self.total.is_some() && self.sent == 0),
                            "{} of {expected}",
                            self.got
                        );
                    }
                    break;
                }
            }
        }
        assert!(self.got <= self.total.unwrap_or(self.sent));
    }
}

fn step(reactor: &mut Loop, context: &mut Context, peer: &mut Peer) {
    let token = peer.token;
    match context.random.below(40) {
        0..=9 => {
            let most = [10, 3000, 100_000][context.random.below(3)];
            let count = 1 + context.random.below(most);
            peer.write(if peer.total.is_some() { 1 } else { count });
        }
        10..=24 => {
            let most = [100, 100_000][context.random.below(2)];
            let count = 1 + context.random.below(most);
            drop(peer.read(count));
        }
        25..=26 => drop(reactor.stream(token).map(|mut stream| stream.pause())),
        27..=30 => drop(reactor.stream(token).map(|mut stream| stream.resume())),
        31 => {
            if let Some(socket) = &peer.socket {
                let _ = socket.shutdown(Shutdown::Write);
                // A producer stops at the end like everybody: it is not known how far it came.
                if peer.total.is_some() {
                    context.disturb(token);
                }
            }
            peer.shut = true;
        }
        32 => {
            context.disturb(token);
            match context.random.below(2) {
                0 => drop(peer.socket.take()),
                _ => drop(peer.socket.take().map(reset)),
            }
        }
        33 if context.random.below(4) == 0 => {
            if reactor.remove(token) {
                context.removed.push(token);
            }
        }
        34 => {
            if let Ok(mut stream) = reactor.stream(token) {
                context.disturb(token);
                if context.random.below(2) == 0 { stream.close() } else { stream.shutdown() }
            }
        }
        35 => {
            let (options, loses) = options(&mut context.random);
            if loses {
                context.disturb(token);
            }
            drop(reactor.stream(token).map(|mut stream| stream.set_options(&options)));
        }
        _ => drop(reactor.turn(context, Some(Duration::from_micros(300))).unwrap()),
    }
}

#[test]
fn every_byte_in_order_every_stream_at_its_end_once_and_nothing_leaked() {
    in_child("every_byte_in_order_every_stream_at_its_end_once_and_nothing_leaked", |backend| {
        let before = open_descriptors();
        let mut reactor = Loop::with_backend(backend).unwrap();
        let drops = Rc::new(Cell::new(0));
        let mut context =
            Context { random: Random::new(), known: HashMap::new(), removed: Vec::new(), drops: drops.clone() };
        let mut opened = SLOTS;
        let mut slots: Vec<Peer> = (0..SLOTS).map(|_| open(&mut reactor, &mut context)).collect();
        for _ in 0..STEPS {
            let slot = context.random.below(SLOTS);
            step(&mut reactor, &mut context, &mut slots[slot]);
            if context.random.below(3) == 0 {
                reactor.turn(&mut context, NOW).unwrap();
            }
            for place in &mut slots {
                if !reactor.contains(place.token) {
                    let new = open(&mut reactor, &mut context);
                    opened += 1;
                    std::mem::replace(place, new).finish(&mut context);
                }
            }
            assert_eq!(drops.get(), opened - SLOTS, "a callback is dropped with its stream");
        }
        // Those left: everybody reads to the end, and closes.
        for peer in &mut slots {
            peer.shut = true;
            let _ = peer.socket.as_ref().map(|socket| socket.shutdown(Shutdown::Write));
            drop(reactor.stream(peer.token).map(|mut stream| stream.resume()));
            if peer.total.is_some() {
                context.disturb(peer.token);
            }
        }
        let start = Instant::now();
        while !reactor.is_empty() {
            assert!(
                start.elapsed() < LONG,
                "{reactor:?} {} left",
                slots.iter().filter(|peer| reactor.contains(peer.token)).count()
            );
            for peer in &mut slots {
                if reactor.contains(peer.token) {
                    drop(peer.read(1 << 16));
                }
            }
            reactor.turn(&mut context, Some(Duration::from_millis(1))).unwrap();
        }
        for peer in slots {
            peer.finish(&mut context);
        }
        assert_eq!(drops.get(), opened);
        assert!(opened > STEPS / 100, "{opened} streams: the steps do too little");
        assert_eq!((reactor.stats().closed_unasked, reactor.next_deadline()), (0, None));
        drop(reactor);
        assert_eq!(open_descriptors(), before);
    });
}
