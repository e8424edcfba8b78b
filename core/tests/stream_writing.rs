//! Writing to a stream: in order, gathered, with files in between, from wherever one is.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use common::{Random, for_each_backend, read_some};
use fastsock::net::Socket;
use fastsock::stream::{StreamEvent, StreamOptions};
use fastsock::{Reactor, Token};
use peers::{
    Log, NOW, Told, Transport, add_logging, file_of, for_each, pair, pattern, peer_fd, read_exactly, read_to_end, told,
    until, until_closed,
};

fn options() -> StreamOptions {
    StreamOptions::new()
}

/// How many segments with data this TCP socket has received: `tcpi_data_segs_in`, Linux 4.6.
fn data_segments(peer: &Socket) -> u32 {
    let mut info = [0_u8; 232];
    let mut length = info.len() as libc::socklen_t;
    // SAFETY: the buffer has room for its length, which the kernel may lower.
    let result = unsafe {
        let value = info.as_mut_ptr().cast();
        libc::getsockopt(peer_fd(peer), libc::IPPROTO_TCP, libc::TCP_INFO, value, &mut length)
    };
    assert!(result == 0 && length >= 160);
    u32::from_ne_bytes(info[152..156].try_into().unwrap())
}

#[test]
fn ten_small_writes_of_a_callback_are_one_segment() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(Transport::Tcp);
        reactor
            .add_stream(socket, &options(), |reactor, _, token, event| {
                if let StreamEvent::Data(_) = event {
                    for i in 0..10 {
                        reactor.stream(token)?.write(&[b'0' + i; 10])?;
                    }
                }
                Ok(())
            })
            .unwrap();
        for rounds in 1..=20 {
            peer.write_all(b"x").unwrap();
            let bytes = read_exactly(&mut reactor, &mut (), &mut peer, 100);
            assert_eq!(bytes, (0..100).map(|i| b'0' + i / 10).collect::<Vec<u8>>());
            assert_eq!(data_segments(&peer), rounds, "TCP sends at once, so that a send is a segment");
        }
    });
}

#[test]
fn flush_sends_in_the_middle_of_a_callback() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(Transport::Tcp);
        let token = reactor.add_stream(socket, &options(), |_, _, _, _| Ok(())).unwrap();
        reactor
            .timer(Duration::ZERO, move |reactor, _, _, _| {
                let mut stream = reactor.stream(token).unwrap();
                stream.write(b"now").unwrap();
                assert_eq!(stream.queued(), 3);
                stream.flush();
                assert_eq!(stream.queued(), 0);
                stream.write_file(file_of(b"and the file"), 4, 8).unwrap();
                stream.flush();
                assert_eq!(stream.queued(), 0, "files as well");
                stream.write(b"then").unwrap();
            })
            .unwrap();
        assert_eq!(read_exactly(&mut reactor, &mut (), &mut peer, 15), b"nowthe filethen");
        assert_eq!(data_segments(&peer), 3);
    });
}

#[test]
fn two_streams_that_are_written_in_turn_keep_their_bytes_apart_and_in_order() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let (one, mut peer) = pair(transport);
        let (other, mut another) = pair(transport);
        let quiet = |_: &mut Reactor<'_, ()>, _: &mut (), _, _: StreamEvent<'_>| Ok(());
        let one = reactor.add_stream(one, &options(), quiet).unwrap();
        let other = reactor.add_stream(other, &options(), quiet).unwrap();
        reactor
            .timer(Duration::ZERO, move |reactor, _, _, _| {
                for i in 0..200_u8 {
                    reactor.stream(one).unwrap().write(&[i; 3]).unwrap();
                    reactor.stream(other).unwrap().write(&[255 - i; 700]).unwrap();
                }
            })
            .unwrap();
        let expected = |of: fn(u8) -> u8, each| (0..200).flat_map(|i| vec![of(i); each]).collect::<Vec<u8>>();
        assert_eq!(read_exactly(&mut reactor, &mut (), &mut peer, 600), expected(|i| i, 3));
        assert!(read_exactly(&mut reactor, &mut (), &mut another, 140_000) == expected(|i| 255 - i, 700));
    });
}

#[test]
fn bytes_and_files_of_every_size_arrive_in_the_order_in_which_they_were_written() {
    for_each(|backend, transport| {
        let mut random = Random::new();
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options());
        let mut log = Log::new();
        let (mut expected, mut got) = (Vec::new(), Vec::new());
        for _ in 0..300 {
            let sizes = [1, 20, 1000, 16 * 1024 - 1, 16 * 1024, 64 * 1024, 64 * 1024 + 1, 300_000];
            let key = random.below(256) as u8;
            let bytes: Vec<u8> = pattern(sizes[random.below(sizes.len())]).iter().map(|byte| byte ^ key).collect();
            expected.extend(&bytes);
            let mut stream = reactor.stream(token).unwrap();
            if random.below(3) == 0 {
                let file = file_of(&[b"before", &*bytes, b"behind"].concat());
                stream.write_file(file, 6, bytes.len() as u64).unwrap();
            } else {
                stream.write(&bytes).unwrap();
            }
            if random.below(2) == 0 {
                reactor.turn(&mut log, NOW).unwrap();
            }
            if random.below(3) == 0 {
                got.extend(read_some(&mut peer, 200_000).unwrap_or_default());
            }
        }
        reactor.stream(token).unwrap().shutdown();
        got.extend(read_to_end(&mut reactor, &mut log, &mut peer));
        assert!(got == expected, "{} bytes of {}", got.len(), expected.len());
        drop(peer);
        assert_eq!(until_closed(&mut reactor, &mut log), 0);
    });
}

#[test]
fn nothing_written_is_nothing_sent() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options().water_marks(0, 1));
        let mut stream = reactor.stream(token).unwrap();
        stream.write(b"").unwrap();
        stream.write_file(file_of(b""), 0, 0).unwrap();
        assert!(!stream.is_full() && stream.queued() == 0);
        stream.shutdown();
        let mut log = Log::new();
        assert_eq!(read_to_end(&mut reactor, &mut log, &mut peer), b"");
    });
}

#[test]
fn a_file_that_has_become_shorter_ends_the_connection() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options());
        let file = file_of(&pattern(5000));
        let mut stream = reactor.stream(token).unwrap();
        stream.write(b"head").unwrap();
        stream.write_file(file.try_clone().unwrap(), 1000, 4000).unwrap();
        stream.write(b"tail").unwrap();
        file.set_len(3000).unwrap();
        let mut log = Log::new();
        let bytes = read_to_end(&mut reactor, &mut log, &mut peer);
        assert_eq!(bytes, [b"head", &pattern(5000)[1000..3000]].concat(), "and nothing after the gap");
        assert_eq!(until_closed(&mut reactor, &mut log), libc::EIO);
    });
}

#[test]
fn what_is_no_file_ends_the_connection_with_the_systems_error() {
    for_each_backend(|backend| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, _peer) = pair(Transport::Tcp);
        let token = add_logging(&mut reactor, socket, &options());
        let (pipe, _other) = common::pipe();
        reactor.stream(token).unwrap().write_file(pipe, 0, 10).unwrap();
        let mut log = Log::new();
        assert_ne!(until_closed(&mut reactor, &mut log), 0);
        assert!(reactor.is_empty() || reactor.turn(&mut log, NOW).is_ok());
    });
}

#[test]
fn a_write_is_sent_from_wherever_it_comes() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Vec<Token>>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let (trigger, mut puller) = pair(transport);
        let write = |reactor: &mut Reactor<'_, Vec<Token>>, tokens: &Vec<Token>, bytes: &[u8]| {
            reactor.stream(tokens[0]).unwrap().write(bytes).unwrap();
        };
        let token = reactor.add_stream(socket, &options(), |_, _, _, _| Ok(())).unwrap();
        let mut tokens = vec![token];
        // Another stream's callback.
        reactor
            .add_stream(trigger, &options(), move |reactor, tokens: &mut Vec<Token>, _, event| {
                if let StreamEvent::Data(bytes) = event {
                    write(reactor, tokens, bytes);
                }
                Ok(())
            })
            .unwrap();
        puller.write_all(b"stream").unwrap();
        assert_eq!(read_exactly(&mut reactor, &mut tokens, &mut peer, 6), b"stream");
        // A timer's, a waker's, a closure's, and between turns.
        reactor.timer(Duration::ZERO, move |reactor, tokens, _, _| write(reactor, tokens, b"timer")).unwrap();
        assert_eq!(read_exactly(&mut reactor, &mut tokens, &mut peer, 5), b"timer");
        let (_, waker) = reactor.add_waker(move |reactor, tokens, _| write(reactor, tokens, b"waker")).unwrap();
        waker.wake().unwrap();
        assert_eq!(read_exactly(&mut reactor, &mut tokens, &mut peer, 5), b"waker");
        let submitter = reactor.submitter().unwrap();
        submitter.submit(move |reactor, tokens| write(reactor, tokens, b"closure")).unwrap();
        assert_eq!(read_exactly(&mut reactor, &mut tokens, &mut peer, 7), b"closure");
        write(&mut reactor, &tokens, b"between");
        reactor.wait(NOW).unwrap();
        assert_eq!(read_some(&mut peer, 100).unwrap(), b"between", "the next wait sends it");
    });
}

#[test]
fn a_write_that_the_kernel_does_not_take_goes_on_from_wherever_it_came() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<()>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = reactor.add_stream(socket, &options(), |_, _, _, _| Ok(())).unwrap();
        let bytes = pattern(5_000_000);
        let copy = bytes.clone();
        reactor
            .timer(Duration::ZERO, move |reactor, _, _, _| reactor.stream(token).unwrap().write(&copy).unwrap())
            .unwrap();
        assert!(read_exactly(&mut reactor, &mut (), &mut peer, bytes.len()) == bytes);
        let mut times = 0;
        while reactor.stream(token).unwrap().queued() == 0 {
            reactor.stream(token).unwrap().write(&bytes).unwrap();
            times += 1;
        }
        for _ in 0..times {
            assert!(read_exactly(&mut reactor, &mut (), &mut peer, bytes.len()) == bytes);
        }
        assert_eq!(reactor.stream(token).unwrap().queued(), 0);
    });
}

#[test]
fn a_stream_that_has_failed_says_so_to_who_writes() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Vec<i32>>::with_backend(backend).unwrap();
        let (socket, peer) = pair(transport);
        drop(peer);
        let callback = |reactor: &mut Reactor<'_, Vec<i32>>, log: &mut Vec<i32>, token, event: StreamEvent<'_>| {
            match event {
                StreamEvent::End => {
                    reactor.stream(token)?.keep();
                    // The first finds out, and what is written behind it is told.
                    for _ in 0..100_000 {
                        let mut stream = reactor.stream(token)?;
                        stream.flush();
                        if let Err(error) = stream.write(&[7; 100]) {
                            log.push(fastsock::errno(&error));
                            break;
                        }
                    }
                }
                StreamEvent::Closed(Err(error)) => log.push(fastsock::errno(&error)),
                other => panic!("{other:?}"),
            }
            Ok(())
        };
        reactor.add_stream(socket, &options(), callback).unwrap();
        let mut log = Vec::new();
        reactor.run(&mut log).unwrap();
        assert_eq!(log.len(), 2, "{log:?}");
        assert!(log.iter().all(|errno| [libc::EPIPE, libc::ECONNRESET].contains(errno)), "{log:?}");
    });
}

#[test]
fn queued_counts_what_the_kernel_has_not_taken() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        let token = add_logging(&mut reactor, socket, &options());
        let mut stream = reactor.stream(token).unwrap();
        stream.write(&[1; 1000]).unwrap();
        assert_eq!(stream.queued(), 1000);
        stream.write_file(file_of(&[2; 4_000_000]), 0, 4_000_000).unwrap();
        assert!(stream.queued() >= 4_000_000 && stream.is_full());
        let mut log = Log::new();
        for _ in 0..20 {
            reactor.turn(&mut log, NOW).unwrap();
        }
        let queued = reactor.stream(token).unwrap().queued();
        let mut buffer = vec![0; 5_000_000];
        let mut in_kernel = 0;
        while let Ok(n) = peer.read(&mut buffer) {
            in_kernel += n as u64;
        }
        assert!(queued > 0 && queued + in_kernel <= 4_001_000);
        assert!(transport == Transport::Tcp || queued + in_kernel == 4_001_000);
        until(&mut reactor, &mut log, |log| {
            while peer.read(&mut buffer).is_ok() {}
            *log == [Told::Writable]
        });
    });
}

#[test]
fn a_callback_that_returns_an_error_is_told_nothing_more() {
    for_each(|backend, transport| {
        let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
        let (socket, mut peer) = pair(transport);
        reactor
            .add_stream(socket, &options(), |reactor, log: &mut Log, token, event| {
                let length = if let StreamEvent::Data(bytes) = event { bytes.len() } else { 0 };
                log.push(if length > 0 { Told::Data(Vec::new()) } else { told(&event) });
                reactor.stream(token)?.write(b"so far")?;
                Err(io::Error::from_raw_os_error(libc::EDOM))
            })
            .unwrap();
        // So much, with the end behind it, that it would be read on.
        peer.write_all(&pattern(180_000)).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut log = Log::new();
        reactor.run(&mut log).unwrap();
        assert_eq!(log, [Told::Data(Vec::new()), Told::Closed(libc::EDOM)]);
        // TCP has reset the connection, for something was left unread.
        let mut bytes = [0; 9];
        assert!(peer.read(&mut bytes).map_or(transport == Transport::Tcp, |n| bytes[..n] == *b"so far"));
    });
}
