//! Bytes, as a program of calls to a reactor, and of what its callbacks do; beside a model of what must come of it.
//!
//! Run by the fuzzer with what it makes up, and by a test with what the fuzzer has found worth keeping. What is checked:
//! no callback after the removal, tokens are used once, errors are those that are promised, every value is dropped
//! exactly once and at the promised time, nothing that was asked for is forgotten, and no descriptor stays open.

mod model;
mod operations;
mod others;
mod sources;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use fastsock::{Backend, Reactor};
use model::{Kind, World};

pub(crate) type R = Reactor<'static, World>;

const NOW: Option<Duration> = Some(Duration::ZERO);

/// A program's own panic. It goes by `resume_unwind`, so that no panic hook takes it for a failure.
struct Planned;

/// Runs a part that may panic as planned. True: it did not.
fn contain(part: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(part)) {
        Ok(()) => true,
        Err(panic) if panic.is::<Planned>() => false,
        Err(panic) => resume_unwind(panic),
    }
}

/// Runs the program on every backend.
pub(crate) fn run(bytes: &[u8]) {
    for &backend in Backend::ALL {
        let before = open_descriptors();
        run_on(backend, bytes);
        assert_eq!(open_descriptors(), before, "{backend}: descriptors were left open, or closed twice");
    }
}

fn run_on(backend: Backend, bytes: &[u8]) {
    let mut world = World::new(backend, bytes);
    let mut reactor = world.new_reactor();
    while operations::step(&mut reactor, &mut world, None) {
        world.check(&mut reactor);
    }
    let current = world.current;
    world.parked.push((current, reactor));
    settle(&mut world);
    let drops = world.drops();
    drop(world);
    assert!(drops.iter().all(|drops| drops.times() == 1), "not everything was dropped exactly once");
}

/// With the program over, no callback does anything more: what is due must come now.
fn settle(world: &mut World) {
    for (home, mut reactor) in std::mem::take(&mut world.parked) {
        world.current = home;
        // What is left over from a dispatch that ended early, what was due, and what came of that.
        for _ in 0..3 {
            turn(&mut reactor, world);
            world.check(&mut reactor);
        }
        let ready = world.ready(home);
        turn(&mut reactor, world);
        for (id, calls) in ready {
            assert!(world.entries[id].calls > calls, "a source is ready and was not reported: {:?}", world.entries[id]);
        }
        for entry in world.entries.iter().filter(|entry| entry.home == home && entry.alive) {
            match entry.kind {
                Kind::Waker { asked } => assert!(!asked, "a waker was used and not heard"),
                Kind::Signal { raised, told } => assert_eq!(raised, told, "signals that were not told of"),
                _ => {}
            }
        }
        assert_eq!(world.jobs[home].submitted, world.jobs[home].run, "closures that were not run");
        world.check(&mut reactor);
        world.died(home);
        drop(reactor);
    }
}

/// A turn that no signal interrupts: the fuzzer has an alarm clock.
fn turn(reactor: &mut R, world: &mut World) {
    while let Err(error) = reactor.turn(world, NOW) {
        assert_eq!(error.kind(), std::io::ErrorKind::Interrupted, "{error}");
    }
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}
