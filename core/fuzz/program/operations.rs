//! One call to the reactor for each operation, and what must come of it.

use std::panic::resume_unwind;
use std::time::Duration;

use fastsock::{Backend, errno};

use super::model::{Kind, Watch, World};
use super::{NOW, Planned, R, contain};
use super::{others::*, sources::*};

/// Registrations that one program may make: more of them find nothing more.
const MOST: usize = 100;

/// Reactors that dispatch one inside the other.
const DEEPEST: usize = 3;

/// One operation; inside a callback `own` is that callback's registration. False at the end of the program.
pub(super) fn step(reactor: &mut R, world: &mut World, own: Option<usize>) -> bool {
    let Some(operation) = world.next() else { return false };
    if world.entries.len() >= MOST && matches!(operation % 32, 0..=2 | 6 | 8 | 11 | 12 | 27) {
        return true;
    }
    match operation % 32 {
        0 | 1 => add_owned(reactor, world),
        2 => add_raw(reactor, world),
        3 => modify(reactor, world),
        4 => rearm(reactor, world),
        5 => take(reactor, world),
        6 => timer(reactor, world),
        7 => rearm_timer(reactor, world),
        8 => add_waker(reactor, world),
        9 => wake(world),
        10 => submitter(reactor, world),
        11 => submit(world),
        12 => signal(reactor, world),
        13 => raise(world),
        14 => peer(world),
        15 => remove_by_pick(reactor, world),
        16 => remove_any(reactor, world),
        17 | 18 => turn(reactor, world),
        19 => wait(reactor, world),
        20 => dispatch(reactor, world),
        21 => reactor.stop(),
        22 => close_behind_the_back(world),
        23 => duplicate(world),
        24 => another_reactor(reactor, world),
        25 => drop_a_parked_one(world),
        26 if own.is_some() => resume_unwind(Box::new(Planned)),
        27 => add_stream(reactor, world),
        28 => use_stream(reactor, world),
        29 => embed(reactor, world),
        30 => run(reactor, world),
        _ => ask(reactor, world),
    }
    if world.runs.last().is_some_and(|&home| home != world.current) {
        // A `run` must not sleep in a reactor of which nobody has said when it stops.
        reactor.stop();
    }
    true
}

/// What a callback does: some operations, or a panic. The model's side of its beginning and end.
pub(super) fn call(reactor: &mut R, world: &mut World, id: usize) {
    let (home, token) = (world.entries[id].home, world.entries[id].token);
    assert!(world.entries[id].alive, "called after its end: {:?}", world.entries[id]);
    assert!(!world.entries[id].running, "called inside itself: {:?}", world.entries[id]);
    assert_eq!(world.current, home, "called with another reactor: {:?}", world.entries[id]);
    assert!(reactor.contains(token));
    during(reactor, world, id);
}

/// As [`call`], without a look at whether it may be called.
pub(super) fn during(reactor: &mut R, world: &mut World, id: usize) {
    let home = world.entries[id].home;
    world.entries[id].calls += 1;
    (world.entries[id].running, world.entries[id].rearmed) = (true, false);
    let finished = contain(|| {
        for _ in 0..world.below(4) {
            step(reactor, world, Some(id));
        }
    });
    let here = world.current == home;
    let entry = &mut world.entries[id];
    entry.running = false;
    entry.unsettled |= !here;
    if here && (!finished || entry.kind == Kind::Timer { once: true } && !entry.rearmed) {
        entry.alive = false;
    }
    if !finished {
        resume_unwind(Box::new(Planned));
    }
}

/// Calls what dispatches, which must be refused inside a dispatch of the same reactor.
fn dispatching(reactor: &mut R, world: &mut World, part: impl FnOnce(&mut R, &mut World) -> std::io::Result<()>) {
    if world.dispatching.len() >= DEEPEST {
        return;
    }
    let home = world.current;
    let busy = world.dispatching.contains(&home);
    world.dispatching.push(home);
    let mut result = Ok(());
    contain(|| result = part(reactor, world));
    world.dispatching.pop();
    match result {
        Ok(()) => assert!(!busy),
        Err(error) => assert!(errno(&error) == if busy { libc::EBUSY } else { libc::EINTR }, "{error}"),
    }
}

fn turn(reactor: &mut R, world: &mut World) {
    dispatching(reactor, world, |reactor, world| reactor.turn(world, NOW).map(drop));
}

fn dispatch(reactor: &mut R, world: &mut World) {
    let operations = world.below(3);
    dispatching(reactor, world, |reactor, world| {
        let after = |reactor: &mut R, world: &mut World| {
            for _ in 0..operations {
                step(reactor, world, Some(usize::MAX));
            }
        };
        reactor.dispatch_and(world, after).map(drop)
    });
}

fn wait(reactor: &mut R, world: &mut World) {
    let limit = world.below(4);
    let busy = world.dispatching.contains(&world.current);
    match reactor.wait_at_most(limit, NOW) {
        Ok(_) => assert!(!busy),
        Err(error) if busy => assert_eq!(errno(&error), libc::EBUSY),
        Err(error) if limit == 0 => assert_eq!(errno(&error), libc::EINVAL),
        Err(error) => assert_eq!(errno(&error), libc::EINTR),
    }
}

/// Until a timer of ours stops it.
fn run(reactor: &mut R, world: &mut World) {
    if world.runs.len() + 1 >= DEEPEST || world.dispatching.contains(&world.current) {
        return;
    }
    let (id, guard) = world.begin();
    let drops = guard.drops();
    let home = world.current;
    let stop = move |reactor: &mut R, world: &mut World, _, _| {
        let _guard = &guard;
        world.entries[id].alive = false;
        // Not one that an earlier `run`, which had been stopped before, has left.
        if world.runs.contains(&home) {
            reactor.stop();
        }
    };
    let token = reactor.timer(Duration::ZERO, stop).expect("a timer");
    world.enter(token, Kind::Timer { once: true }, drops).hidden = true;
    world.runs.push(home);
    dispatching(reactor, world, |reactor, world| reactor.run(world));
    world.runs.pop();
}

fn another_reactor(reactor: &mut R, world: &mut World) {
    let which = world.below(world.parked.len() + 1);
    let before = world.current;
    let other = if which < world.parked.len() {
        let (home, other) = world.parked.swap_remove(which);
        world.current = home;
        other
    } else if world.parked.len() < 3 {
        world.new_reactor()
    } else {
        return;
    };
    let old = std::mem::replace(reactor, other);
    world.parked.push((before, old));
}

fn drop_a_parked_one(world: &mut World) {
    let which = world.below(world.parked.len());
    if which < world.parked.len() {
        let (home, old) = world.parked.swap_remove(which);
        world.died(home);
        drop(old);
    }
}

fn embed(reactor: &mut R, world: &mut World) {
    match reactor.embed() {
        Ok(fd) => assert!(world.backend == Backend::Epoll && reactor.raw_fd() == Some(fd)),
        Err(error) => assert!(world.backend != Backend::Epoll && errno(&error) == libc::EOPNOTSUPP, "{error}"),
    }
    // Its timer may have the number of a source that was closed.
    let home = world.current;
    for entry in world.entries.iter_mut().filter(|entry| entry.home == home) {
        if let Kind::Raw(Watch { closed: true, .. }) = entry.kind {
            entry.alive &= reactor.contains(entry.token);
        }
    }
}

fn ask(reactor: &mut R, world: &mut World) {
    reactor.measure(world.below(2) == 0);
    let _ = (reactor.stats(), reactor.next_deadline(), reactor.is_stopped(), format!("{reactor:?}"));
    assert_eq!(reactor.backend(), world.backend);
}
