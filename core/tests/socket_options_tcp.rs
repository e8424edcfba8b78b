//! Options of TCP: units, ranges, and what some of them do to a real connection.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

mod common;
#[path = "common/options.rs"]
mod options;

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use common::{errno, fill, tcp_streams, wait_for};
use fastsock::net::options::{TcpOptions, TcpState};
use fastsock::net::{Accept, Listener};
use fastsock::{Backend, Interest, Poller, Trigger};
use options::{reads_back, tcp};

#[test]
fn switches_go_on_and_off() {
    let socket = tcp();
    reads_back!(socket, no_delay, set_no_delay, [true, false]);
    reads_back!(socket, cork, set_cork, [true, false]);
    reads_back!(socket, thin_linear_timeouts, set_thin_linear_timeouts, [true, false]);
}

#[test]
fn quick_ack_is_told_as_the_kernel_has_it_now() {
    let connected = tcp_streams().0;
    for on in [false, true] {
        // "This flag is not permanent" (tcp(7)): the kernel goes back by itself, at any moment, so one reading proves
        // nothing. Methods of the same names in the standard library's types come first, and mean the same.
        let agrees = |set: &dyn Fn()| {
            (0..1000).any(|_| {
                set();
                TcpOptions::quick_ack(&connected).unwrap() == on
            })
        };
        let ours = agrees(&|| TcpOptions::set_quick_ack(&connected, on).unwrap());
        let kernels = agrees(&|| {
            let value = libc::c_int::from(on);
            // SAFETY: setsockopt reads the one int.
            let result = unsafe {
                let value = std::ptr::from_ref(&value).cast();
                libc::setsockopt(connected.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_QUICKACK, value, 4)
            };
            assert_eq!(result, 0);
        });
        assert_eq!(ours, kernels, "set to {on}");
    }
}

#[test]
fn numbers_have_the_range_that_the_manual_gives() {
    let socket = tcp();
    reads_back!(socket, keepalive_count, set_keepalive_count, [1, 127]);
    reads_back!(socket, syn_retries, set_syn_retries, [1, 127]);
    reads_back!(socket, window_clamp, set_window_clamp, [100_000, 0]);
    reads_back!(socket, not_sent_low_water, set_not_sent_low_water, [100, 0]);
    for wrong in [0, 128, u32::MAX] {
        assert_eq!(errno(socket.set_keepalive_count(wrong)), libc::EINVAL);
        assert_eq!(errno(socket.set_syn_retries(wrong)), libc::EINVAL);
    }
    for wrong in [1, 87, 32_768, u32::MAX] {
        assert_eq!(errno(socket.set_max_segment(wrong)), libc::EINVAL);
    }
    assert_eq!(errno(socket.set_window_clamp(u32::MAX)), libc::EINVAL);
    assert_eq!(errno(socket.set_not_sent_low_water(u32::MAX)), libc::EINVAL);
}

#[test]
fn times_are_rounded_up_to_their_unit() {
    let (second, millisecond) = (Duration::from_secs(1), Duration::from_millis(1));
    let (nanosecond, endless) = (Duration::from_nanos(1), Duration::MAX);
    let socket = tcp();
    reads_back!(socket, keepalive_idle, set_keepalive_idle, [second, second * 32_767]);
    reads_back!(socket, keepalive_interval, set_keepalive_interval, [second, second * 32_767]);
    reads_back!(socket, user_timeout, set_user_timeout, [millisecond, Duration::ZERO, second * 100]);
    reads_back!(socket, fin_timeout, set_fin_timeout, [Some(second), Some(second * 120), None]);
    socket.set_keepalive_idle(second + nanosecond).unwrap();
    assert_eq!(socket.keepalive_idle().unwrap(), second * 2);
    socket.set_user_timeout(millisecond + nanosecond).unwrap();
    assert_eq!(socket.user_timeout().unwrap(), millisecond * 2);
    socket.set_fin_timeout(Some(nanosecond)).unwrap();
    assert_eq!(socket.fin_timeout().unwrap(), Some(second));
    socket.set_fin_timeout(Some(Duration::ZERO)).unwrap();
    assert!(socket.fin_timeout().unwrap().is_some(), "zero is the system's own, not none");
    for wrong in [Duration::ZERO, second * 32_768, endless] {
        assert_eq!(errno(socket.set_keepalive_idle(wrong)), libc::EINVAL);
        assert_eq!(errno(socket.set_keepalive_interval(wrong)), libc::EINVAL);
    }
    assert_eq!(errno(socket.set_user_timeout(endless)), libc::EINVAL);
    assert_eq!(errno(socket.set_fin_timeout(Some(endless))), libc::EINVAL);
    assert_eq!(errno(socket.set_defer_accept(endless)), libc::EINVAL);
}

#[test]
fn the_peer_sends_no_larger_segments_than_it_was_told() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = tcp();
    client.set_max_segment(1000).unwrap();
    let _ = client.connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let size = server.max_segment().unwrap();
    assert!((88..=1000).contains(&size), "{size}");
    assert_eq!(server.tcp_info().unwrap().send_segment, size);
}

#[test]
fn a_deferred_connection_comes_with_its_first_bytes() {
    let mut listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    assert_eq!(listener.defer_accept().unwrap(), Duration::ZERO);
    let asked = Duration::from_secs(5);
    listener.set_defer_accept(asked).unwrap();
    assert!(listener.defer_accept().unwrap() >= asked, "made longer, never shorter");
    let mut client = TcpStream::connect(listener.local_addr().unwrap().ip().unwrap()).unwrap();
    client.write_all(b"first").unwrap();
    let mut poller = Poller::new().unwrap();
    let token = poller.add(listener.as_fd(), Interest::READABLE, Trigger::Level).unwrap();
    wait_for(&mut poller, token);
    drop(poller);
    let Accept::Connection(accepted) = listener.accept().unwrap() else { panic!("no connection") };
    let mut bytes = [0; 8];
    assert_eq!(TcpStream::from(accepted.into_fd()).read(&mut bytes).unwrap(), 5, "without waiting");
    listener.set_defer_accept(Duration::ZERO).unwrap();
    assert_eq!(listener.defer_accept().unwrap(), Duration::ZERO);
}

#[test]
fn with_few_unsent_bytes_the_socket_is_writable_and_with_many_not() {
    let (mut a, b) = tcp_streams();
    a.set_not_sent_low_water(1).unwrap();
    fill(&mut a);
    assert!(a.tcp_info().unwrap().not_sent > 0, "the peer's window is full, so that some must wait here");
    let mut poller = Poller::with_backend(Backend::Epoll).unwrap();
    let token = poller.add(a.as_fd(), Interest::WRITABLE, Trigger::Level).unwrap();
    assert!(common::look(&mut poller).is_empty());
    let mut peer = b.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        peer.set_nonblocking(false).unwrap();
        std::io::copy(&mut peer, &mut std::io::sink()).unwrap()
    });
    assert!(wait_for(&mut poller, token).is_writable());
    a.shutdown(Shutdown::Write).unwrap();
    reader.join().unwrap();
}

#[test]
fn fast_open_is_a_listeners_queue_and_a_clients_switch() {
    let listener = tcp();
    assert_eq!(listener.fast_open().unwrap(), 0);
    reads_back!(listener, fast_open, set_fast_open, [5, 0]);
    assert_eq!(errno(listener.set_fast_open(u32::MAX)), libc::EINVAL);
    let client = tcp();
    match client.set_fast_open_connect(true) {
        Ok(()) => assert!(client.fast_open_connect().unwrap()),
        Err(error) => {
            assert_eq!(fastsock::errno(&error), libc::EOPNOTSUPP);
            let allowed = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_fastopen").unwrap();
            assert_eq!(allowed.trim().parse::<u32>().unwrap() & 1, 0, "{error}");
        }
    }
}

#[test]
fn congestion_control_is_chosen_by_name() {
    let socket = tcp();
    // Reno is in every kernel, and allowed to everybody.
    socket.set_congestion(OsStr::new("reno")).unwrap();
    assert_eq!(socket.congestion().unwrap(), "reno");
    let error = errno(socket.set_congestion(OsStr::new("no-such-thing")));
    assert!(matches!(error, libc::ENOENT | libc::EPERM), "{error}");
    assert_eq!(errno(socket.set_congestion(OsStr::new("sixteen-letters!"))), libc::EINVAL);
    assert_eq!(errno(socket.set_congestion(OsStr::new(""))), libc::EINVAL);
    assert_eq!(socket.congestion().unwrap(), "reno", "as it was");
}

#[test]
fn the_kernel_tells_how_a_connection_is() {
    assert_eq!(tcp().tcp_info().unwrap().state, TcpState::Closed);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    assert_eq!(listener.tcp_info().unwrap().state, TcpState::Listening);
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    assert_eq!(client.tcp_info().unwrap().state, TcpState::Established);
    client.write_all(&[7; 1234]).unwrap();
    server.read_exact(&mut [0; 1234]).unwrap();
    let info = server.tcp_info().unwrap();
    assert_eq!(info.bytes_received, 1234);
    assert!(info.send_segment > 0 && info.recv_segment > 0 && info.window > 0);
    assert!(info.round_trip > Duration::ZERO && info.retransmit_timeout > info.round_trip, "{info:?}");
    // The echo's acknowledgement comes at the latest with what the client answers.
    server.write_all(b"echo").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    client.write_all(b"!").unwrap();
    server.read_exact(&mut [0; 1]).unwrap();
    let info = server.tcp_info().unwrap();
    assert_eq!((info.bytes_acknowledged, info.bytes_received), (4, 1235));
    assert_eq!((info.unacknowledged, info.not_sent), (0, 0));
    drop(client);
    assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
    assert_eq!(server.tcp_info().unwrap().state, TcpState::CloseWait);
}
