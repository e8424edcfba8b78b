//! Random registrations, writes, reads and hang-ups, on every backend, beside what poll(2) says about each descriptor.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use common::{Random, for_each_backend, look, streams};
use fastsock::{Backend, Interest, Poller, Ready, Token, Trigger};

const STEPS: usize = 8000;
const SLOTS: usize = 24;

/// One end is watched, the other plays the peer.
struct Pair {
    here: UnixStream,
    there: Option<UnixStream>,
    watch: Option<Watch>,
}

#[derive(Clone, Copy)]
struct Watch {
    token: Token,
    interest: Interest,
    oneshot: bool,
    spent: bool,
}

fn pair() -> Pair {
    let (here, there) = streams();
    Pair { here, there: Some(there), watch: None }
}

/// What poll(2) says of a descriptor, in our bits.
fn ask(stream: &UnixStream, interest: Interest) -> Ready {
    let mut events = 0;
    for (part, bits) in [
        (Interest::READABLE, libc::POLLIN | libc::POLLRDHUP),
        (Interest::WRITABLE, libc::POLLOUT),
        (Interest::PRIORITY, libc::POLLPRI),
    ] {
        events |= if interest.contains(part) { bits } else { 0 };
    }
    let mut entry = libc::pollfd { fd: stream.as_raw_fd(), events, revents: 0 };
    // SAFETY: one entry, which lives on this frame.
    assert!(unsafe { libc::poll(&mut entry, 1, 0) } >= 0);
    Ready::from_bits(entry.revents as u32)
}

/// What the select backend can tell of these bits: the read set covers HUP, ERR and the end, the write set ERR.
fn fold(ready: Ready, interest: Interest) -> Ready {
    let mut folded = Ready::NONE;
    if interest.is_readable() && ready.is_readable() {
        folded = folded | Ready::READ;
    }
    if interest.is_writable() && (ready.contains(Ready::WRITE) || ready.is_error()) {
        folded = folded | Ready::WRITE;
    }
    if interest.is_priority() && ready.is_priority() {
        folded = folded | Ready::PRI;
    }
    folded
}

/// What must be reported, by token.
fn expected(backend: Backend, pairs: &[Pair]) -> HashMap<Token, Ready> {
    let watches = pairs.iter().filter_map(|pair| pair.watch.map(|watch| (watch, pair)));
    let ready = watches.filter(|(watch, _)| !watch.spent && !watch.interest.is_none()).map(|(watch, pair)| {
        let ready = ask(&pair.here, watch.interest);
        (watch.token, if backend == Backend::Select { fold(ready, watch.interest) } else { ready })
    });
    ready.filter(|(_, ready)| !ready.is_none()).collect()
}

fn step(random: &mut Random, poller: &mut Poller<'static>, pairs: &mut [Pair], removed: &mut Vec<Token>) {
    let slot = random.below(SLOTS);
    let pair = &mut pairs[slot];
    let interest = Interest::from_bits(random.below(8) as u8).unwrap();
    let oneshot = random.below(3) == 0;
    let trigger = if oneshot { Trigger::OneShot } else { Trigger::Level };
    match (random.below(12), &mut pair.watch) {
        (0..=2, watch @ None) => {
            // SAFETY: removed before it is closed, below.
            let token = unsafe { poller.add_raw(pair.here.as_raw_fd(), interest, trigger) }.unwrap();
            *watch = Some(Watch { token, interest, oneshot, spent: false });
        }
        (0, Some(_)) => {
            // SAFETY: refused.
            let result = unsafe { poller.add_raw(pair.here.as_raw_fd(), interest, trigger) };
            assert_eq!(common::errno(result), libc::EEXIST);
        }
        (1..=3, Some(watch)) => {
            poller.modify(watch.token, interest, trigger).unwrap();
            (watch.interest, watch.oneshot, watch.spent) = (interest, oneshot, false);
        }
        (4, Some(watch)) => {
            poller.rearm(watch.token).unwrap();
            watch.spent = false;
        }
        (5, watch @ Some(_)) => {
            let token = watch.take().unwrap().token;
            assert!(poller.remove(token));
            removed.push(token);
        }
        (6..=7, _) => {
            if let Some(there) = &mut pair.there {
                let _ = there.write(&[1; 100]);
            }
        }
        (8, _) => {
            let _ = pair.here.read(&mut [0; 64]);
        }
        (9, _) => {
            // Full, so that it is not writable; or room again.
            match &mut pair.there {
                Some(there) if random.below(2) == 0 => while there.read(&mut [0; 65536]).is_ok_and(|n| n > 0) {},
                Some(_) if random.below(4) == 0 => while pair.here.write(&[2; 65536]).is_ok() {},
                _ => {}
            }
        }
        (10, _) => {
            if let Some(there) = &pair.there {
                let how = [std::net::Shutdown::Write, std::net::Shutdown::Read][random.below(2)];
                let _ = there.shutdown(how);
            }
            if random.below(3) == 0 {
                pair.there = None;
            }
        }
        _ => {
            if random.below(4) == 0 {
                if let Some(watch) = pair.watch {
                    assert!(poller.remove(watch.token));
                    removed.push(watch.token);
                }
                // Another socket; often under the same number.
                *pair = self::pair();
            }
        }
    }
}

#[test]
fn every_backend_reports_what_poll_says() {
    for_each_backend(|backend| {
        let mut random = Random::new();
        let mut poller: Poller<'static> = Poller::with_backend(backend).unwrap();
        let mut pairs: Vec<Pair> = (0..SLOTS).map(|_| pair()).collect();
        let mut removed = Vec::new();
        let mut sum = 0;
        for number in 0..STEPS {
            step(&mut random, &mut poller, &mut pairs, &mut removed);
            if let Some(&old) = removed.get(random.below(removed.len().max(1))) {
                assert!(!poller.contains(old) && !poller.remove(old));
            }
            let expected = expected(backend, &pairs);
            let events = look(&mut poller);
            let got: HashMap<Token, Ready> = events.iter().map(|event| (event.token(), event.ready())).collect();
            assert_eq!(got.len(), events.len(), "a source was reported twice in one wait");
            assert_eq!(got, expected, "step {number}");
            sum += got.len();
            for watch in pairs.iter_mut().filter_map(|pair| pair.watch.as_mut()) {
                watch.spent |= watch.oneshot && got.contains_key(&watch.token);
            }
            assert_eq!(poller.len(), pairs.iter().filter(|pair| pair.watch.is_some()).count());
        }
        assert!(sum > STEPS, "{sum} events: the steps do too little");
        assert_eq!(poller.stats().stale_events, 0);
    });
}
