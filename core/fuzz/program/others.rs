//! Operations on timers, wakers, submitted closures, signals and streams.

use std::os::fd::AsRawFd;
use std::time::Duration;

use fastsock::net::Socket;
use fastsock::stream::{StreamEvent, StreamOptions};
use fastsock::{AddError, Repeat, Time, Token, errno};

use super::R;
use super::model::{Kind, World};
use super::operations::{call, during, step};
use super::sources::streams;

/// Ignored by default, so that it harms nobody when it is not watched.
const SIGNAL: i32 = libc::SIGURG;

pub(super) fn after(world: &mut World) -> Duration {
    [Duration::ZERO, Duration::ZERO, Duration::from_secs(3600), Duration::MAX][world.below(4)]
}

pub(super) fn timer(reactor: &mut R, world: &mut World) {
    let repeat = match world.below(5) {
        0..=2 => Repeat::Once,
        3 => Repeat::FixedRate(after(world)),
        _ => Repeat::FixedDelay(after(world)),
    };
    let first = Time::now() + after(world);
    let (id, guard) = world.begin();
    let drops = guard.drops();
    let callback = move |reactor: &mut R, world: &mut World, token: Token, passed: u64| {
        let _guard = &guard;
        assert!(token == world.entries[id].token && passed > 0);
        call(reactor, world, id);
    };
    let token = reactor.timer_repeating(first, repeat, callback).expect("a timer");
    assert!(token.is_timer());
    world.enter(token, Kind::Timer { once: matches!(repeat, Repeat::Once) }, drops);
}

pub(super) fn rearm_timer(reactor: &mut R, world: &mut World) {
    let Some(id) = world.pick() else { return };
    let after = after(world);
    let entry = &mut world.entries[id];
    let result = reactor.rearm_timer(entry.token, after);
    if !entry.unsettled {
        assert_eq!(result.is_ok(), entry.alive && matches!(entry.kind, Kind::Timer { .. }), "{entry:?}: {result:?}");
    }
    entry.rearmed = true;
}

pub(super) fn add_waker(reactor: &mut R, world: &mut World) {
    if world.below(4) == 0 {
        let waker = reactor.waker().expect("a waker");
        world.wakers.push((world.current, None, waker));
        return;
    }
    let (id, guard) = world.begin();
    let drops = guard.drops();
    let callback = move |reactor: &mut R, world: &mut World, token: Token| {
        let _guard = &guard;
        assert_eq!(token, world.entries[id].token);
        assert_eq!(world.entries[id].kind, Kind::Waker { asked: true }, "called, and not woken");
        world.entries[id].kind = Kind::Waker { asked: false };
        call(reactor, world, id);
    };
    let (token, waker) = reactor.add_waker(callback).expect("a waker");
    world.enter(token, Kind::Waker { asked: false }, drops);
    world.wakers.push((world.current, Some(id), waker));
}

pub(super) fn wake(world: &mut World) {
    let which = world.below(world.wakers.len());
    let Some((home, id, waker)) = world.wakers.get(which) else { return };
    match waker.wake() {
        Ok(()) => assert!(!world.dead.contains(home)),
        Err(error) => assert!(world.dead.contains(home) && errno(&error) == libc::ESHUTDOWN, "{error}"),
    }
    if let Some(entry) = id.map(|id| &mut world.entries[id]) {
        entry.kind = Kind::Waker { asked: entry.alive };
    }
    if world.below(4) == 0 {
        world.wakers.swap_remove(which);
    }
}

pub(super) fn submitter(reactor: &mut R, world: &mut World) {
    let which = world.below(world.submitters.len() + 1);
    match world.submitters.get(which) {
        None => {
            let submitter = reactor.submitter().expect("a submitter");
            world.submitters.push((world.current, submitter));
        }
        Some((home, submitter)) if world.submitters.len() < 4 => {
            let again = (*home, submitter.clone());
            world.submitters.push(again);
        }
        Some(_) => drop(world.submitters.swap_remove(which)),
    }
}

pub(super) fn submit(world: &mut World) {
    let which = world.below(world.submitters.len());
    let guard = world.guard();
    let drops = guard.drops();
    let Some((home, submitter)) = world.submitters.get(which) else { return };
    let home = *home;
    let number = world.jobs[home].submitted;
    let result = submitter.submit(move |reactor: &mut R, world: &mut World| {
        let _guard = guard;
        assert_eq!((world.current, world.jobs[home].run), (home, number), "of another reactor, or out of order");
        world.jobs[home].run += 1;
        for _ in 0..world.below(4) {
            step(reactor, world, Some(usize::MAX));
        }
    });
    match result {
        Ok(()) => {
            assert!(!world.dead.contains(&home));
            world.jobs[home].submitted += 1;
        }
        Err(refused) => {
            assert!(world.dead.contains(&home) && errno(&refused.error) == libc::ESHUTDOWN);
            assert_eq!(drops.times(), 0, "the closure comes back");
        }
    }
}

pub(super) fn signal(reactor: &mut R, world: &mut World) {
    assert_eq!(errno(&reactor.signal(libc::SIGKILL, |_, _, _, _| {}).expect_err("SIGKILL")), libc::EINVAL);
    let (id, guard) = world.begin();
    let drops = guard.drops();
    let callback = move |reactor: &mut R, world: &mut World, token: Token, times: u64| {
        let _guard = &guard;
        assert!(token == world.entries[id].token && times > 0);
        let Kind::Signal { raised, told } = &mut world.entries[id].kind else { unreachable!() };
        *told += times;
        assert!(told <= raised, "told of {told} signals, and {raised} came");
        call(reactor, world, id);
    };
    let token = reactor.signal(SIGNAL, callback).expect("a signal");
    world.enter(token, Kind::Signal { raised: 0, told: 0 }, drops);
}

pub(super) fn raise(world: &mut World) {
    // SAFETY: takes an integer. The signal is ignored where no reactor watches it.
    assert_eq!(unsafe { libc::raise(SIGNAL) }, 0);
    for entry in world.entries.iter_mut().filter(|entry| entry.alive) {
        if let Kind::Signal { raised, .. } = &mut entry.kind {
            *raised += 1;
        }
    }
}

pub(super) fn add_stream(reactor: &mut R, world: &mut World) {
    let (here, there) = streams();
    let fd = here.as_raw_fd();
    let options = match world.below(4) {
        0 | 1 => StreamOptions::new(),
        2 => StreamOptions::new().close_timeout(Duration::ZERO).water_marks(0, 1),
        _ => StreamOptions::new().idle_timeout(Duration::ZERO).read_timeout(after(world)).water_marks(1, 50),
    };
    let (id, guard) = world.begin();
    let drops = guard.drops();
    let callback = move |reactor: &mut R, world: &mut World, token: Token, event: StreamEvent<'_>| {
        let _guard = &guard;
        assert_eq!(token, world.entries[id].token);
        if let StreamEvent::Closed(_) = event {
            assert!(world.entries[id].alive && !reactor.contains(token), "{:?}", world.entries[id]);
            world.entries[id].alive = false;
            during(reactor, world, id);
            return Ok(());
        }
        call(reactor, world, id);
        if world.below(16) == 15 { Err(std::io::Error::from_raw_os_error(libc::EPROTO)) } else { Ok(()) }
    };
    let socket = Socket::from_fd(here).expect("a socket");
    match reactor.add_stream(socket, &options, callback) {
        Ok(token) => {
            world.evict(fd);
            world.enter(token, Kind::Stream, drops);
        }
        Err(AddError { error, .. }) => {
            let known = world.by_fd(world.current, fd).is_some();
            assert!(known && errno(&error) == libc::EEXIST, "{error}");
            assert_eq!(drops.times(), 1);
        }
    }
    world.peers.push(there);
}

pub(super) fn use_stream(reactor: &mut R, world: &mut World) {
    let Some(id) = world.pick() else { return };
    let operation = world.next().unwrap_or(0);
    let entry = &world.entries[id];
    let Ok(mut stream) = reactor.stream(entry.token) else {
        assert!(entry.kind != Kind::Stream || !entry.alive || entry.unsettled, "{entry:?}");
        return;
    };
    assert!(entry.alive && entry.kind == Kind::Stream, "{entry:?}");
    match operation % 12 {
        0..=3 => drop(stream.write(&vec![2; usize::from(operation) * 500])),
        4 => stream.close(),
        5 => stream.shutdown(),
        6 => stream.pause(),
        7 => stream.resume(),
        8 => stream.keep(),
        9 => stream.flush(),
        10 => stream.set_options(&StreamOptions::new().write_timeout(Duration::ZERO).water_marks(0, 10)),
        _ => assert!(stream.server().is_none() && stream.token() == entry.token),
    }
    let _ = (stream.queued(), stream.is_full(), stream.is_paused());
}
