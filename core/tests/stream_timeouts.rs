//! Time-outs of streams: never early, never lost, put off for nothing.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use common::LONG;
use fastsock::stream::{StreamEvent, StreamOptions, Timeout};
use fastsock::{Backend, Reactor, Time, Token};
use peers::{
    Log, NOW, Told, Transport, add_logging, echo, for_each, pair, pattern, read_exactly, read_to_end, told, until,
    until_closed,
};

const BRIEF: Duration = Duration::from_millis(30);

fn options() -> StreamOptions {
    StreamOptions::new()
}

/// Turns for as long as that.
fn run_for(reactor: &mut Reactor<'_, Log>, log: &mut Log, time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        reactor.turn(log, Some(left)).unwrap();
    }
}

/// A stream that fills the kernel's buffers, so that something is queued.
fn clog(reactor: &mut Reactor<'_, Log>, token: Token) {
    while reactor.stream(token).unwrap().queued() == 0 {
        reactor.stream(token).unwrap().write(&pattern(500_000)).unwrap();
    }
}

#[test]
fn an_idle_stream_is_told_once_and_closed_never_early() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, _peer) = pair(transport);
        let start = Instant::now();
        add_logging(&mut reactor, socket, &options().idle_timeout(BRIEF));
        let mut log = Log::new();
        reactor.run(&mut log).unwrap();
        assert!(start.elapsed() >= BRIEF && start.elapsed() < LONG);
        assert_eq!(log, [Told::TimedOut(Timeout::Idle), Told::Closed(libc::ETIMEDOUT)]);
        assert_eq!(reactor.next_deadline(), None);
    });
}

#[test]
fn bytes_in_either_direction_put_idling_off_and_nothing_else_does() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options().idle_timeout(BRIEF));
        let mut log = Log::new();
        let mut last = Instant::now();
        for i in 0..10 {
            // Less than the time each, more than that together. A machine that is held up may time out all the same.
            run_for(&mut reactor, &mut log, BRIEF / 4);
            if log.last() == Some(&Told::Closed(libc::ETIMEDOUT)) {
                assert!(last.elapsed() >= BRIEF);
                return;
            }
            last = Instant::now();
            match i % 2 {
                0 => peer.write_all(b"x").unwrap(),
                _ => reactor.stream(token).unwrap().write(b"y").unwrap(),
            }
            reactor.turn(&mut log, NOW).unwrap();
        }
        let start = Instant::now();
        while log.last() != Some(&Told::Closed(libc::ETIMEDOUT)) {
            assert!(start.elapsed() < LONG);
            if let Ok(mut stream) = reactor.stream(token) {
                // Nothing is sent by that.
                stream.flush();
                stream.write(b"").unwrap();
            }
            reactor.turn(&mut log, Some(BRIEF / 10)).unwrap();
        }
        assert!(last.elapsed() >= BRIEF);
    });
}

#[test]
fn putting_a_time_out_off_sets_no_timer() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let all = options().idle_timeout(LONG).read_timeout(LONG * 2).write_timeout(LONG * 3);
        reactor.add_stream(socket, &all, echo).unwrap();
        let first = reactor.next_deadline().unwrap();
        for _ in 0..3000 {
            peer.write_all(b"x").unwrap();
            assert_eq!(read_exactly(&mut reactor, &mut (), &mut peer, 1), b"x");
            assert_eq!(reactor.next_deadline(), Some(first), "it stands where it stood");
        }
    });
}

#[test]
fn a_timer_that_comes_before_the_deadline_that_was_put_off_tells_nobody() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        add_logging(&mut reactor, socket, &options().idle_timeout(BRIEF * 4));
        let first = reactor.next_deadline().unwrap();
        let mut log = Log::new();
        run_for(&mut reactor, &mut log, BRIEF);
        let start = Instant::now();
        if peer.write_all(b"x").is_err() {
            return; // The machine was held up for so long that the time was over.
        }
        until(&mut reactor, &mut log, |log| log.contains(&Told::Closed(libc::ETIMEDOUT)));
        assert!(start.elapsed() >= BRIEF * 4 || log.len() == 2);
        assert!(Time::now() >= first);
        assert_eq!(log[log.len() - 2..], [Told::TimedOut(Timeout::Idle), Told::Closed(libc::ETIMEDOUT)]);
    });
}

#[test]
fn kept_it_begins_anew_and_an_error_or_a_close_ends_it_as_they_say() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Vec<Instant>>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let callback =
            |reactor: &mut Reactor<'_, Vec<Instant>>, times: &mut Vec<Instant>, token, event: StreamEvent<'_>| {
                match event {
                    StreamEvent::TimedOut(Timeout::Idle) => {
                        times.push(Instant::now());
                        let mut stream = reactor.stream(token)?;
                        if times.len() < 4 {
                            stream.keep();
                        } else {
                            stream.write(&pattern(3_000_000))?;
                            stream.close();
                        }
                    }
                    StreamEvent::Closed(Ok(())) => times.push(Instant::now()),
                    other => panic!("{other:?}"),
                }
                Ok(())
            };
        reactor.add_stream(socket, &options().idle_timeout(BRIEF).close_timeout(LONG), callback).unwrap();
        let start = Instant::now();
        let mut times = Vec::new();
        until(&mut reactor, &mut times, |times| times.len() == 4);
        assert!(times[0] - start >= BRIEF && times.windows(2).all(|pair| pair[1] - pair[0] >= BRIEF), "{times:?}");
        // Closed in it: the rest is sent, and the peer is given its time.
        assert!(read_to_end(&mut reactor, &mut times, &mut peer) == pattern(3_000_000));
        drop(peer);
        reactor.run(&mut times).unwrap();
        assert_eq!(times.len(), 5);
    });
}

#[test]
fn the_time_for_reading_does_not_pass_while_nothing_is_read() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options().read_timeout(BRIEF));
        let mut log = Log::new();
        reactor.stream(token).unwrap().pause();
        run_for(&mut reactor, &mut log, BRIEF * 2);
        assert!(log.is_empty(), "{log:?}: it is paused");
        // Full before anything is read again.
        clog(&mut reactor, token);
        while !reactor.stream(token).unwrap().is_full() {
            reactor.stream(token).unwrap().write(&pattern(50_000)).unwrap();
        }
        reactor.stream(token).unwrap().resume();
        run_for(&mut reactor, &mut log, BRIEF * 2);
        assert!(log.is_empty(), "{log:?}: it is full");
        let start = Instant::now();
        until(&mut reactor, &mut log, |log| {
            while peer.read(&mut vec![0; 1 << 20]).is_ok() {}
            !log.is_empty()
        });
        assert_eq!(log[0], Told::Writable);
        assert_eq!(until_closed(&mut reactor, &mut log), libc::ETIMEDOUT);
        assert!(start.elapsed() >= BRIEF);
        assert_eq!(log[1..], [Told::TimedOut(Timeout::Read), Told::Closed(libc::ETIMEDOUT)]);
    });
}

#[test]
fn after_the_end_nothing_is_read_and_no_time_for_it_passes() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, peer) = pair(transport);
        let token = reactor
            .add_stream(socket, &options().read_timeout(BRIEF), |reactor, log: &mut Log, token, event| {
                log.push(told(&event));
                reactor.stream(token).map(|mut stream| stream.keep()).or(Ok(()))
            })
            .unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut log = Log::new();
        until(&mut reactor, &mut log, |log| log.contains(&Told::End));
        log.clear();
        run_for(&mut reactor, &mut log, BRIEF * 2);
        assert!(log.is_empty() && reactor.contains(token));
        assert_eq!(reactor.next_deadline(), None, "nor does a timer come for nothing, again and again");
    });
}

#[test]
fn a_peer_that_takes_nothing_is_told_of() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, _peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options().write_timeout(BRIEF).water_marks(0, 1 << 30));
        let mut log = Log::new();
        reactor.stream(token).unwrap().write(b"x").unwrap();
        run_for(&mut reactor, &mut log, BRIEF * 2);
        assert!(log.is_empty(), "nothing waits");
        let start = Instant::now();
        clog(&mut reactor, token);
        // Writing more puts nothing off, nor do pausing and resuming.
        while log.is_empty() {
            assert!(start.elapsed() < LONG);
            let mut stream = reactor.stream(token).unwrap();
            stream.write(b"more").unwrap();
            stream.pause();
            stream.resume();
            reactor.turn(&mut log, Some(Duration::from_millis(2))).unwrap();
        }
        assert!(start.elapsed() >= BRIEF);
        assert_eq!(log, [Told::TimedOut(Timeout::Write), Told::Closed(libc::ETIMEDOUT)]);
    });
}

#[test]
fn a_peer_that_takes_something_puts_the_end_of_writing_off() {
    for_each(|backend, _| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        // Of a Unix socket it is known what the peer takes when it reads.
        let (socket, mut peer) = pair(Transport::Unix);
        let time = Duration::from_millis(300);
        let token = add_logging(&mut reactor, socket, &options().write_timeout(time).water_marks(0, 1 << 30));
        reactor.stream(token).unwrap().write(&pattern(2_500_000)).unwrap();
        let (mut log, mut got) = (Log::new(), 0);
        let start = Instant::now();
        let mut longest = Duration::ZERO;
        while got < 2_500_000 && log.is_empty() {
            let before = Instant::now();
            run_for(&mut reactor, &mut log, time / 6);
            got += peer.read(&mut vec![0; 1 << 20]).unwrap_or(0);
            reactor.turn(&mut log, NOW).unwrap();
            longest = longest.max(before.elapsed());
        }
        // Unless the machine was held up.
        assert!(log.is_empty() && start.elapsed() > time || longest >= time, "{log:?}");
    });
}

#[test]
fn no_time_at_all_is_over_at_once_and_endless_time_never() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, _peer) = pair(transport);
        let endless = options().idle_timeout(Duration::MAX).read_timeout(Duration::MAX).write_timeout(Duration::MAX);
        let token = add_logging(&mut reactor, socket, &endless.close_timeout(Duration::MAX));
        let mut log = Log::new();
        reactor.turn(&mut log, NOW).unwrap();
        assert_eq!(reactor.next_deadline(), None);
        reactor.stream(token).unwrap().close();
        reactor.turn(&mut log, NOW).unwrap();
        assert!(log.is_empty() && reactor.next_deadline().is_none() && reactor.remove(token));

        // Kept each time: it comes again each turn, and starves nobody.
        let (socket, mut peer) = pair(transport);
        reactor
            .add_stream(socket, &options().idle_timeout(Duration::ZERO), |reactor, log: &mut Log, token, event| {
                log.push(told(&event));
                reactor.stream(token)?.keep();
                Ok(())
            })
            .unwrap();
        peer.write_all(b"x").unwrap();
        for _ in 0..20 {
            reactor.turn(&mut log, Some(LONG)).unwrap();
        }
        assert!(log.contains(&Told::Data(b"x".to_vec())));
        let times = log.iter().filter(|told| **told == Told::TimedOut(Timeout::Idle)).count();
        assert!((10..=21).contains(&times), "{times}");
    });
}

/// Whether a stream added with `first`, and given `then` after a while, is timed out.
fn is_over(backend: Backend, first: &StreamOptions, wait: Duration, then: &StreamOptions, expected: bool) {
    let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
    let (socket, _peer) = pair(Transport::Unix);
    let token = add_logging(&mut reactor, socket, first);
    let mut log = Log::new();
    run_for(&mut reactor, &mut log, wait);
    let start = Instant::now();
    reactor.stream(token).unwrap().set_options(then);
    if expected {
        until_closed(&mut reactor, &mut log);
        assert_eq!(log, [Told::TimedOut(Timeout::Idle), Told::Closed(libc::ETIMEDOUT)]);
        assert!(start.elapsed() + wait >= BRIEF);
    } else {
        run_for(&mut reactor, &mut log, BRIEF * 3);
        assert_eq!(log, []);
    }
}

#[test]
fn other_time_outs_count_at_once() {
    common::for_each_backend(|backend| {
        let (none, brief, long) = (options(), options().idle_timeout(BRIEF), options().idle_timeout(LONG * 10));
        is_over(backend, &none, Duration::ZERO, &brief, true);
        is_over(backend, &long, Duration::ZERO, &brief, true);
        is_over(backend, &long, BRIEF, &brief, true);
        is_over(backend, &brief, Duration::ZERO, &long, false);
        is_over(backend, &brief, Duration::ZERO, &none, false);
    });
}

#[test]
fn where_there_was_no_time_out_one_begins_when_it_is_set() {
    common::for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, _peer) = pair(Transport::Unix);
        let token = add_logging(&mut reactor, socket, &options());
        let mut log = Log::new();
        run_for(&mut reactor, &mut log, BRIEF);
        let start = Instant::now();
        reactor.stream(token).unwrap().set_options(&options().idle_timeout(BRIEF));
        until_closed(&mut reactor, &mut log);
        assert!(start.elapsed() >= BRIEF);
    });
}

#[test]
fn the_first_of_several_is_told() {
    for_each(|backend, transport| {
        for (wanted, all) in [
            (Timeout::Read, options().read_timeout(BRIEF).idle_timeout(BRIEF * 50).write_timeout(BRIEF * 60)),
            (Timeout::Idle, options().read_timeout(BRIEF * 50).idle_timeout(BRIEF).write_timeout(BRIEF * 60)),
            (Timeout::Write, options().read_timeout(BRIEF * 50).idle_timeout(BRIEF * 60).write_timeout(BRIEF)),
        ] {
            let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
            let (socket, _peer) = pair(transport);
            let token = add_logging(&mut reactor, socket, &all.water_marks(0, 1 << 30));
            clog(&mut reactor, token);
            let mut log = Log::new();
            assert_eq!(until_closed(&mut reactor, &mut log), libc::ETIMEDOUT);
            assert_eq!(log[0], Told::TimedOut(wanted));
        }
    });
}

#[test]
fn long_time_outs_are_never_early_either() {
    // A clock that goes by the kernel's ticks would not do: it may lag behind by more than one.
    let mut reactor = Reactor::<Vec<Instant>>::new().unwrap();
    let time = Duration::from_secs(1);
    let mut peers = Vec::new();
    let mut starts = Vec::new();
    for _ in 0..40 {
        let (socket, mut peer) = pair(Transport::Unix);
        reactor
            .add_stream(socket, &options().idle_timeout(time), |_, times: &mut Vec<Instant>, _, event| {
                if let StreamEvent::TimedOut(_) = event {
                    times.push(Instant::now());
                }
                Ok(())
            })
            .unwrap();
        reactor.turn(&mut Vec::new(), Some(Duration::from_millis(3))).unwrap();
        peer.write_all(b"x").unwrap();
        starts.push(Instant::now());
        reactor.turn(&mut Vec::new(), NOW).unwrap();
        peers.push(peer);
    }
    let mut times = Vec::new();
    reactor.run(&mut times).unwrap();
    assert_eq!(times.len(), 40);
    for (start, end) in starts.iter().zip(times) {
        assert!(end - *start >= time, "{:?} early", time - (end - *start));
    }
}
