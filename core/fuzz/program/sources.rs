//! Operations on sources, their descriptors and their peers.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use fastsock::net::Socket;
use fastsock::{AddError, Backend, Event, Interest, Mode, Token, Trigger, errno};

use super::R;
use super::model::{Kind, Source, Watch, World};
use super::operations::call;

pub(super) fn interest(world: &mut World) -> Interest {
    Interest::from_bits(world.below(8) as u8).unwrap_or(Interest::NONE)
}

pub(super) fn mode(world: &mut World) -> Mode {
    match world.below(8) {
        0..=3 => Trigger::Level.into(),
        4 => Trigger::Edge.into(),
        5 => Trigger::OneShot.into(),
        6 => Mode::from(Trigger::Level).exclusive(),
        _ => Mode::from(Trigger::OneShot).exclusive(),
    }
}

/// Whether the backend is to refuse this.
pub(super) fn refused(world: &World, interest: Interest, mode: Mode) -> bool {
    let exclusive = mode.is_exclusive();
    if world.backend == Backend::Epoll {
        exclusive && (mode.trigger() == Trigger::OneShot || interest.is_priority())
    } else {
        exclusive || mode.trigger() == Trigger::Edge
    }
}

pub(super) fn streams() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().expect("a pair");
    a.set_nonblocking(true).expect("a socket");
    b.set_nonblocking(true).expect("a socket");
    (a, b)
}

pub(super) fn add_owned(reactor: &mut R, world: &mut World) {
    let (here, there) = streams();
    let (interest, mode) = (interest(world), mode(world));
    let (id, guard) = world.begin();
    let mut source = Source { stream: here, guard: world.guard() };
    if world.below(4) == 0 {
        source.guard.wakes = reactor.waker().ok();
    }
    let watch = Watch { fd: source.stream.as_raw_fd(), interest, mode, closed: false };
    let drops = guard.drops();
    let callback = move |reactor: &mut R, world: &mut World, source: &mut Source, event: Event| {
        let _guard = &guard;
        assert_eq!(event.token(), world.entries[id].token);
        if world.below(2) == 0 {
            let _ = source.stream.read(&mut [0; 100]);
        }
        call(reactor, world, id);
    };
    match reactor.add(source, interest, mode, callback) {
        Ok(token) => {
            assert!(!refused(world, interest, mode));
            world.enter(token, Kind::Owned(watch), drops);
        }
        Err(AddError { source, error }) => {
            let known = world.by_fd(world.current, watch.fd).is_some();
            assert!(refused(world, interest, mode) || (known && errno(&error) == libc::EEXIST), "{error}");
            assert_eq!((drops.times(), source.guard.drops().times()), (1, 0), "the source comes back");
        }
    }
    world.peers.push(there);
}

pub(super) fn add_raw(reactor: &mut R, world: &mut World) {
    if world.raw.is_empty() || world.below(3) != 0 {
        let (here, there) = streams();
        world.raw.push(here);
        world.peers.push(there);
    }
    let which = world.below(world.raw.len());
    let fd = world.raw[world.raw.len() - 1 - which].as_raw_fd();
    let (interest, mode) = (interest(world), mode(world));
    let (id, guard) = world.begin();
    let drops = guard.drops();
    let callback = move |reactor: &mut R, world: &mut World, event: Event| {
        let _guard = &guard;
        assert_eq!(event.token(), world.entries[id].token);
        call(reactor, world, id);
    };
    // SAFETY: what is closed behind the reactor's back, on purpose, is closed in this program alone, and no descriptor of
    // anyone else's takes its number.
    match unsafe { reactor.add_raw(fd, interest, mode, callback) } {
        Ok(token) => {
            assert!(!refused(world, interest, mode));
            world.enter(token, Kind::Raw(Watch { fd, interest, mode, closed: false }), drops);
        }
        Err(error) => {
            let known = world.by_fd(world.current, fd).is_some();
            assert!(refused(world, interest, mode) || (known && errno(&error) == libc::EEXIST), "{error}");
            assert_eq!(drops.times(), 1);
        }
    }
}

pub(super) fn modify(reactor: &mut R, world: &mut World) {
    let Some(id) = world.pick() else { return };
    let (interest, mode) = (interest(world), mode(world));
    let refused = refused(world, interest, mode);
    let result = reactor.modify(world.entries[id].token, interest, mode);
    let entry = &mut world.entries[id];
    match &mut entry.kind {
        Kind::Owned(watch) | Kind::Raw(watch) if entry.alive => match result {
            Ok(()) => {
                assert!(!refused, "{entry:?}");
                (watch.interest, watch.mode) = (interest, mode);
            }
            Err(error) if watch.closed => {
                let errno = errno(&error);
                let told = [libc::EBADF, libc::ENOENT, libc::EEXIST, libc::EPERM, libc::EINVAL, libc::EOPNOTSUPP];
                assert!(told.contains(&errno), "{error}");
                // What is left of the old mode is no longer known.
                watch.mode = Trigger::Edge.into();
            }
            Err(error) => assert!(refused, "{entry:?}: {error}"),
        },
        _ => assert!(result.is_err(), "{entry:?}"),
    }
}

pub(super) fn rearm(reactor: &mut R, world: &mut World) {
    let Some(id) = world.pick() else { return };
    let entry = &world.entries[id];
    let result = reactor.rearm(entry.token);
    match entry.kind {
        Kind::Owned(watch) | Kind::Raw(watch) if entry.alive => {
            assert!(watch.closed || result.is_ok(), "{entry:?}: {result:?}");
        }
        Kind::Stream if entry.alive => assert!(result.is_ok()),
        _ if entry.unsettled => {}
        _ => assert_eq!(errno(&result.expect_err("stale")), libc::ENOENT),
    }
}

pub(super) fn take(reactor: &mut R, world: &mut World) {
    let Some(id) = world.pick() else { return };
    let entry = &world.entries[id];
    let (token, away) = (entry.token, entry.running || entry.unsettled);
    match entry.kind {
        Kind::Owned(watch) if entry.alive && !away => {
            assert!(reactor.source::<Source>(token).is_some_and(|source| source.stream.as_raw_fd() == watch.fd));
            assert!(reactor.take::<OwnedFd>(token).is_none(), "of another type");
            let source = reactor.take::<Source>(token).expect("a source");
            assert_eq!(source.guard.drops().times(), 0);
            world.entries[id].alive = false;
        }
        Kind::Stream if entry.alive => {
            if let Some(socket) = reactor.take::<Socket>(token) {
                drop(socket);
                world.entries[id].alive = false;
            }
        }
        _ => {
            let taken = reactor.take::<Source>(token);
            assert!(taken.is_none() || entry.unsettled, "{entry:?}");
        }
    }
}

pub(super) fn peer(world: &mut World) {
    let (which, operation) = (world.below(world.peers.len()), world.below(8));
    // Late ones first, as in `pick`.
    let Some(index) = world.peers.len().checked_sub(1 + which) else { return };
    let peer = &mut world.peers[index];
    match operation {
        0..=3 => drop(peer.write(b"some bytes")),
        4 => drop(peer.read(&mut [0; 4096])),
        5 => while peer.write(&[1; 65536]).is_ok() {},
        6 => drop(peer.shutdown(Shutdown::Write)),
        _ => drop(world.peers.swap_remove(index)),
    }
}

pub(super) fn remove_by_pick(reactor: &mut R, world: &mut World) {
    let Some(id) = world.pick() else { return };
    remove(reactor, world, id);
}

pub(super) fn remove(reactor: &mut R, world: &mut World, id: usize) {
    let token = world.entries[id].token;
    let removed = reactor.remove(token);
    let entry = &mut world.entries[id];
    assert!(removed == entry.alive || entry.unsettled, "{entry:?}");
    entry.alive = false;
    if !entry.running && !entry.unsettled {
        assert_eq!(entry.drops.times(), 1, "{entry:?}");
    }
    assert!(!reactor.contains(token) && !reactor.remove(token));
}

/// A token that was made up. It may be one that is known.
pub(super) fn remove_any(reactor: &mut R, world: &mut World) {
    let bits = (world.below(4) as u64) << 32 | (world.below(4) as u64) << 30 | world.below(8) as u64;
    let Some(token) = Token::from_bits(bits) else { return };
    let home = world.current;
    match world.entries.iter().position(|entry| entry.home == home && entry.token == token) {
        Some(id) if !world.entries[id].hidden => remove(reactor, world, id),
        Some(_) => {}
        // The timer of an embedded reactor is one that no entry tells of.
        None if reactor.contains(token) => {}
        None => {
            assert!(
                !reactor.remove(token) && reactor.stream(token).is_err() && reactor.take::<Source>(token).is_none()
            );
            assert!(reactor.modify(token, Interest::READABLE, Trigger::Level).is_err());
            assert!(reactor.rearm(token).is_err() && reactor.rearm_timer(token, Duration::ZERO).is_err());
        }
    }
}

pub(super) fn close_behind_the_back(world: &mut World) {
    if world.below(2) == 0 {
        let which = world.below(world.raw.len());
        if which < world.raw.len() {
            let stream = world.raw.swap_remove(which);
            world.closed(stream.as_raw_fd());
        }
        return;
    }
    // Another file under the number of a source.
    let Some(id) = world.pick() else { return };
    let entry = &world.entries[id];
    let Kind::Owned(watch) = entry.kind else { return };
    if entry.alive && !entry.unsettled {
        let (other, there) = streams();
        // SAFETY: both are open, for the source lives; the number stays the source's.
        assert_eq!(unsafe { libc::dup3(other.as_raw_fd(), watch.fd, libc::O_CLOEXEC) }, watch.fd);
        world.peers.push(there);
        world.closed(watch.fd);
    }
}

/// Keeps a file open that is closed elsewhere: the kernel goes on to report it under its old number.
pub(super) fn duplicate(world: &mut World) {
    let Some(id) = world.pick() else { return };
    let entry = &world.entries[id];
    let (Kind::Owned(watch) | Kind::Raw(watch)) = entry.kind else { return };
    if entry.alive && !watch.closed && world.duplicates.len() < 8 {
        // SAFETY: it makes a descriptor, ours alone.
        let new = unsafe { libc::fcntl(watch.fd, libc::F_DUPFD_CLOEXEC, 0) };
        assert!(new >= 0, "{entry:?}");
        // SAFETY: as above.
        world.duplicates.push(unsafe { OwnedFd::from_raw_fd(new) });
    }
}
