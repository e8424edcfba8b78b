//! Many timers, most of which are put off or cancelled before they are due.

mod calloop;
#[cfg(feature = "libev")]
mod libev;
mod queue;
mod reactor;

use std::io;
use std::marker::PhantomData;

pub(crate) use self::calloop::Calloop;
#[cfg(feature = "libev")]
pub(crate) use self::libev::Libev;
#[cfg(feature = "libev")]
pub(crate) use self::libev::version as libev_version;
pub(crate) use self::queue::Queue;
pub(crate) use self::reactor::Reactor;

use crate::case::all_came;
use crate::{Case, Meter};

/// What is measured, in this order.
pub(crate) const PARTS: [&str; 5] = ["set first", "set again", "set anew", "put off", "cancel"];

/// Deadlines are so many milliseconds away: at random, from one second to a minute.
const NEAREST: u32 = 1000;
const FURTHEST: u32 = 60_000;
/// What is put off is put off by so much.
const LATER: u32 = 60_000;

/// A contender.
pub(crate) trait Timers: Sized + 'static {
    /// What its user keeps of a timer.
    type Handle: Copy;

    /// None, with room for so many. Deadlines count from now.
    fn new(room: usize) -> io::Result<Self>;
    /// Sets one; `index` is a place of its own for those whose memory is the user's affair.
    fn set(&mut self, index: usize, millis: u32) -> io::Result<Self::Handle>;
    /// Gives one that is set another deadline.
    fn set_anew(&mut self, timer: Self::Handle, millis: u32) -> io::Result<()>;
    fn cancel(&mut self, timer: Self::Handle) -> io::Result<()>;
    /// How many are set.
    fn left(&self) -> usize;
}

/// Sets timers that are new, which takes memory from the system; cancels them and sets them again, which does not; gives
/// them other deadlines at random; puts each off beyond all others; and cancels them. All but the first in random order:
/// handles and deadlines are laid out in that order before the clock runs, so that what is timed is the timers alone.
pub(crate) struct Cycle<T> {
    first: Vec<u32>,
    second: Vec<u32>,
    orders: [Vec<u32>; 3],
    kind: PhantomData<T>,
}

impl<T: Timers> Cycle<T> {
    pub(crate) fn new(count: usize) -> io::Result<Cycle<T>> {
        // The same for every contender and in every round.
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut deadlines = || (0..count).map(|_| NEAREST + random.below(FURTHEST - NEAREST)).collect();
        let (first, second) = (deadlines(), deadlines());
        let mut order = || {
            let mut order: Vec<u32> = (0..count as u32).collect();
            for last in (1..count).rev() {
                order.swap(last, random.below(last as u32 + 1) as usize);
            }
            order
        };
        let orders = [order(), order(), order()];
        Ok(Cycle { first, second, orders, kind: PhantomData })
    }
}

impl<T: Timers> Case for Cycle<T> {
    fn run(&mut self, turns: u64, meter: &mut Meter) -> io::Result<()> {
        let Cycle { first, second, orders: [anew, later, cancelled], .. } = self;
        for _ in 0..turns {
            let mut timers = T::new(first.len())?;
            let mut handles = Vec::with_capacity(first.len());
            meter.time(0, || set(&mut timers, first.iter().copied().enumerate(), &mut handles))?;
            for &index in cancelled.iter() {
                timers.cancel(handles[index as usize])?;
            }
            // The last that was given back comes first, as from any allocator.
            let again: Vec<_> = cancelled.iter().rev().map(|&index| (index as usize, first[index as usize])).collect();
            let mut afresh = Vec::with_capacity(first.len());
            meter.time(1, || set(&mut timers, again.iter().copied(), &mut afresh))?;
            for (&(index, _), handle) in again.iter().zip(afresh) {
                handles[index] = handle;
            }
            let plan = |order: &[u32], more: u32| -> Vec<(T::Handle, u32)> {
                order.iter().map(|&index| (handles[index as usize], second[index as usize] + more)).collect()
            };
            for (part, plan) in [(2, plan(anew, 0)), (3, plan(later, LATER))] {
                meter.time(part, || plan.iter().try_for_each(|&(timer, millis)| timers.set_anew(timer, millis)))?;
            }
            let plan = plan(cancelled, 0);
            meter.time(4, || plan.iter().try_for_each(|&(timer, _)| timers.cancel(timer)))?;
            all_came(0, timers.left() as u64)?;
        }
        Ok(())
    }
}

#[inline]
fn set<T: Timers>(
    timers: &mut T,
    all: impl Iterator<Item = (usize, u32)>,
    handles: &mut Vec<T::Handle>,
) -> io::Result<()> {
    for (index, millis) in all {
        handles.push(timers.set(index, millis)?);
    }
    Ok(())
}

/// xorshift64: good enough to shuffle.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % u64::from(limit)) as u32
    }
}
