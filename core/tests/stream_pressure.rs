//! Water marks: who writes too much is told, who reads too little is made to wait, and nobody else is.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::io::{Read, Write};
use std::time::Duration;

use common::{LONG, fill, read_some};
use fastsock::net::Socket;
use fastsock::net::options::SocketOptions;
use fastsock::stream::{StreamEvent, StreamOptions};
use fastsock::{Reactor, Token};
use peers::{Log, NOW, Told, add_logging, echo, for_each, pair, pattern, play, told, until};

fn options() -> StreamOptions {
    StreamOptions::new()
}

/// Reads all that is there.
fn drain(peer: &mut Socket) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(more) = read_some(peer, 1 << 20) {
        assert!(!more.is_empty(), "the end");
        bytes.extend(more);
    }
    bytes
}

#[test]
fn a_stream_is_full_at_the_high_mark_and_has_room_at_the_low_one() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let (low, high) = (100_000, 1_000_000);
        let token = add_logging(&mut reactor, socket, &options().water_marks(low, high));
        let mut log = Log::new();
        let piece = pattern(20_000);
        let (mut sent, mut got) = (0, 0);
        for _ in 0..3 {
            log.clear();
            loop {
                let mut stream = reactor.stream(token).unwrap();
                if stream.is_full() {
                    assert!(stream.queued() >= high as u64 && stream.queued() < high as u64 + 20_000);
                    break;
                }
                assert!(stream.queued() < high as u64);
                stream.write(&piece).unwrap();
                sent += piece.len();
            }
            let start = std::time::Instant::now();
            while log.is_empty() {
                assert!(start.elapsed() < LONG);
                let before = reactor.stream(token).unwrap().queued();
                reactor.turn(&mut log, Some(Duration::from_millis(1))).unwrap();
                let after = reactor.stream(token).unwrap().queued();
                assert_eq!(log == [Told::Writable], after <= low as u64, "{before} then {after}: {log:?}");
                assert_eq!(reactor.stream(token).unwrap().is_full(), log.is_empty());
                for byte in read_some(&mut peer, 30_000).unwrap_or_default() {
                    assert_eq!(byte, piece[got % piece.len()]);
                    got += 1;
                }
            }
        }
        play(&mut reactor, &mut log, |_| {
            got += drain(&mut peer).len();
            got == sent
        });
        assert_eq!(log, [Told::Writable], "once");
    });
}

#[test]
fn a_peer_that_does_not_read_the_answers_is_not_read_and_loses_nothing() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        for end in [&socket, &peer] {
            end.set_send_buffer_size(100_000).unwrap();
            end.set_recv_buffer_size(100_000).unwrap();
        }
        let token = reactor.add_stream(socket, &options(), echo).unwrap();
        let bytes = pattern(8 << 20);
        let (mut sent, mut idle) = (0, 0);
        // Until nothing moves any more, however often the reactor turns.
        while idle < 50 {
            match peer.write(&bytes[sent..]) {
                Ok(n) => (sent, idle) = (sent + n, 0),
                Err(_) => idle += 1,
            }
            reactor.turn(&mut (), Some(Duration::from_millis(1))).unwrap();
        }
        let mut stream = reactor.stream(token).unwrap();
        assert!(stream.is_full() && stream.queued() < 64 * 1024 + 64 * 1024, "{}", stream.queued());
        assert!(sent < 2_000_000, "{sent}: what four buffers of the kernel hold, and the queue");
        let mut got = Vec::new();
        play(&mut reactor, &mut (), |_| {
            got.extend(drain(&mut peer));
            while sent < bytes.len() {
                match peer.write(&bytes[sent..]) {
                    Ok(n) => sent += n,
                    Err(_) => break,
                }
            }
            got.len() == bytes.len()
        });
        assert!(got == bytes);
        assert!(!reactor.stream(token).unwrap().is_full());
    });
}

#[test]
fn a_full_stream_is_not_read() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options());
        while !reactor.stream(token).unwrap().is_full() {
            reactor.stream(token).unwrap().write(&pattern(100_000)).unwrap();
        }
        peer.write_all(b"hello").unwrap();
        let mut log = Log::new();
        for _ in 0..20 {
            reactor.turn(&mut log, NOW).unwrap();
        }
        assert!(log.is_empty());
        fill(&mut peer);
        let turns = reactor.stats().turns;
        reactor.turn(&mut log, Some(Duration::from_millis(20))).unwrap();
        assert_eq!((log.len(), reactor.stats().turns), (0, turns + 1), "nor does it turn for that");
        play(&mut reactor, &mut log, |log| {
            let _ = peer.read(&mut vec![0; 1 << 20]);
            !log.is_empty()
        });
        assert_eq!(log[0], Told::Writable, "which comes first");
        until(&mut reactor, &mut log, |log| log.len() > 1);
        assert!(matches!(&log[1], Told::Data(bytes) if bytes.starts_with(b"hello")));
    });
}

#[test]
fn a_callback_that_writes_much_at_once_is_full_until_the_others_had_their_turn() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = reactor
            .add_stream(socket, &options().water_marks(10, 1000), |reactor, log: &mut Log, token, event| {
                log.push(told(&event));
                if let StreamEvent::Data(bytes) = event {
                    let mut stream = reactor.stream(token)?;
                    for i in 0..bytes.len() {
                        assert_eq!(stream.is_full(), i >= 10);
                        stream.write(&[7; 100])?;
                    }
                    stream.flush();
                    assert_eq!((stream.is_full(), stream.queued()), (bytes.len() >= 10, 0), "the kernel took it all");
                }
                Ok(())
            })
            .unwrap();
        let mut log = Log::new();
        peer.write_all(&[1; 9]).unwrap();
        until(&mut reactor, &mut log, |log| log.len() == 1);
        reactor.turn(&mut log, NOW).unwrap();
        assert_eq!(log.len(), 1, "not full, and not told of it");
        peer.write_all(&[1; 12]).unwrap();
        until(&mut reactor, &mut log, |log| log.len() == 3);
        assert_eq!(log[2], Told::Writable);
        assert!(!reactor.stream(token).unwrap().is_full());
        assert_eq!(drain(&mut peer).len(), 2100);
    });
}

#[test]
fn who_writes_for_ever_starves_nobody() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<[u64; 2]>::with_backend(backend).unwrap();
        let (socket, mut sink) = pair(transport);
        let (other, mut puller) = pair(transport);
        // As long as somebody takes it: this goes on for ever.
        let token = reactor
            .add_stream(socket, &options(), |reactor, counts: &mut [u64; 2], token, event| {
                let mut stream = reactor.stream(token)?;
                if let StreamEvent::Writable = event {
                    counts[0] += 1;
                    while !stream.is_full() {
                        stream.write(&[7; 10_000])?;
                    }
                }
                Ok(())
            })
            .unwrap();
        reactor
            .add_stream(other, &options(), |_, counts: &mut [u64; 2], _, _| {
                counts[1] += 1;
                Ok(())
            })
            .unwrap();
        while !reactor.stream(token).unwrap().is_full() {
            reactor.stream(token).unwrap().write(&[7; 10_000]).unwrap();
        }
        let mut counts = [0; 2];
        for round in 1..=300 {
            puller.write_all(b"x").unwrap();
            drain(&mut sink);
            // It may take a turn for the kernel to pass it on; but no more than that.
            reactor.turn(&mut counts, NOW).unwrap();
            reactor.turn(&mut counts, NOW).unwrap();
            assert_eq!(counts[1], round);
        }
        assert!(counts[0] > 100 && counts[0] <= 4 * 300, "{counts:?}: at most twice a turn");
    });
}

#[test]
fn marks_out_of_order_are_moved_to_where_they_make_sense() {
    for_each(|backend, transport| {
        for (low, high) in [(0, 0), (5, 5), (usize::MAX, usize::MAX), (10, 3), (0, 1), (usize::MAX, 1)] {
            let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
            let (socket, mut peer) = pair(transport);
            let token: Token = add_logging(&mut reactor, socket, &options().water_marks(low, high));
            let mut log = Log::new();
            let mut stream = reactor.stream(token).unwrap();
            stream.write(&[1; 100]).unwrap();
            assert_eq!(stream.is_full(), high < 100);
            reactor.turn(&mut log, NOW).unwrap();
            reactor.turn(&mut log, NOW).unwrap();
            assert_eq!(log.len(), usize::from(high < 100));
            assert_eq!(drain(&mut peer).len(), 100);
        }
    });
}

#[test]
fn other_marks_count_at_once() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options().water_marks(0, usize::MAX));
        while reactor.stream(token).unwrap().queued() < 100_000 {
            reactor.stream(token).unwrap().write(&[1; 50_000]).unwrap();
        }
        let mut stream = reactor.stream(token).unwrap();
        assert!(!stream.is_full());
        stream.set_options(&options().water_marks(0, 1000));
        assert!(stream.is_full());
        let mut log = Log::new();
        reactor.turn(&mut log, NOW).unwrap();
        assert!(log.is_empty());
        reactor.stream(token).unwrap().set_options(&options().water_marks(1 << 30, 1 << 31));
        reactor.turn(&mut log, NOW).unwrap();
        assert_eq!(log, [Told::Writable]);
        drop(peer);
    });
}

#[test]
fn who_writes_a_little_at_a_time_is_told_once_for_each_time_that_it_was_full() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<(u64, u64)>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let bytes = pattern(6_000_000);
        let (copy, mut at) = (bytes.clone(), 0);
        let token = reactor
            .add_stream(socket, &options(), move |reactor, (told, full), token, event| {
                if let StreamEvent::Writable = event {
                    *told += 1;
                    let mut stream = reactor.stream(token)?;
                    while !stream.is_full() && at < copy.len() {
                        stream.write(&copy[at..at + 1000])?;
                        at += 1000;
                    }
                    *full += u64::from(stream.is_full());
                }
                Ok(())
            })
            .unwrap();
        let mut counts = (0, 1);
        reactor.stream(token).unwrap().set_options(&options().water_marks(0, 1));
        reactor.stream(token).unwrap().write(b"!").unwrap();
        reactor.stream(token).unwrap().set_options(&options());
        let mut got = Vec::new();
        play(&mut reactor, &mut counts, |_| {
            got.extend(drain(&mut peer));
            got.len() > bytes.len()
        });
        assert!(got[1..] == bytes);
        reactor.turn(&mut counts, NOW).unwrap();
        assert_eq!(counts.0, counts.1);
        assert!(counts.0 > 50, "{counts:?}");
    });
}

#[test]
fn what_another_stream_has_written_does_not_fill_this_one() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let ((one, _peer), (other, _another)) = (pair(transport), pair(transport));
        let marks = options().water_marks(0, 1 << 30);
        let (one, other) = (add_logging(&mut reactor, one, &marks), add_logging(&mut reactor, other, &options()));
        while reactor.stream(one).unwrap().queued() == 0 {
            reactor.stream(one).unwrap().write(&[1; 100_000]).unwrap();
        }
        for _ in 0..6 {
            reactor.stream(other).unwrap().write(&[2; 10_000]).unwrap();
        }
        assert_eq!(reactor.stream(other).unwrap().queued(), 60_000, "gathered");
        let queued = reactor.stream(one).unwrap().queued();
        reactor.stream(one).unwrap().set_options(&options().water_marks(0, queued as usize + 30_000));
        reactor.stream(one).unwrap().write(&[1; 100]).unwrap();
        assert!(!reactor.stream(one).unwrap().is_full());
    });
}
