//! Writing to a peer that is gone: an error, never a signal. Each test in a process that the signal would kill.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/stream.rs"]
mod peers;

use std::net::Shutdown;

use common::{in_child, read_some};
use fastsock::Reactor;
use fastsock::stream::StreamOptions;
use peers::{Log, NOW, Transport, add_logging, file_of, pair, pattern, until_closed};

#[test]
fn a_peer_that_is_gone_raises_no_signal_and_leaves_the_mask_alone() {
    in_child("a_peer_that_is_gone_raises_no_signal_and_leaves_the_mask_alone", |backend| {
        // SAFETY: this process has no other handler of it.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let mask = || {
            // SAFETY: the set is written, then read.
            unsafe {
                let mut set = std::mem::zeroed::<libc::sigset_t>();
                assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut set), 0);
                (1..32).map(|signal| libc::sigismember(&set, signal)).collect::<Vec<_>>()
            }
        };
        for transport in [Transport::Tcp, Transport::Unix] {
            for files in [true, false] {
                let before = mask();
                let mut reactor = Reactor::<Log>::with_backend(backend).unwrap();
                let (socket, peer) = pair(transport);
                peer.shutdown(Shutdown::Both).unwrap();
                drop(peer);
                let token = add_logging(&mut reactor, socket, &StreamOptions::new());
                reactor.stream(token).unwrap().pause();
                let mut log = Log::new();
                // TCP learns from the first that nobody is there.
                for _ in 0..100 {
                    let Ok(mut stream) = reactor.stream(token) else { break };
                    let written =
                        if files { stream.write_file(file_of(&[1; 9999]), 0, 9999) } else { stream.write(&[1; 9999]) };
                    written.unwrap();
                    reactor.turn(&mut log, NOW).unwrap();
                }
                let errno = until_closed(&mut reactor, &mut log);
                assert!([libc::EPIPE, libc::ECONNRESET].contains(&errno), "{errno}");
                assert_eq!(mask(), before);
            }
        }
    });
}

#[test]
fn a_peer_that_goes_while_a_file_is_being_sent_raises_no_signal() {
    in_child("a_peer_that_goes_while_a_file_is_being_sent_raises_no_signal", |_| {
        // SAFETY: this process has no other handler of it.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        let file = file_of(&pattern(1 << 20));
        for round in 0..300 {
            let (socket, peer) = pair(Transport::Unix);
            let other = std::thread::spawn(move || {
                let mut peer = peer;
                // As soon as something has come, gone in the middle of the rest.
                while read_some(&mut peer, 1 + round * 40).is_none() {}
            });
            while socket.send_file(&file, 0, 1 << 20).is_ok_and(|sent| sent > 0) {}
            other.join().unwrap();
        }
    });
}
