use std::io;
use std::time::Duration;

use crate::slab::Slab;
use crate::token::{Kind, Token};
use crate::{Time, error};

/// How a timer goes on after it has fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repeat {
    /// Not at all.
    Once,
    /// At whole multiples of the period after the first deadline, however long the callback takes. Periods that were
    /// missed are not made up for: the callback is called once and told how many have passed.
    FixedRate(Duration),
    /// This long after each callback has ended.
    FixedDelay(Duration),
}

/// In `positions`: not in the heap, for the timer is due or waits to be re-armed.
const OUT: u32 = u32::MAX;
/// Four children a node: half the depth of a binary heap, and the children lie in one cache line.
const ARITY: usize = 4;

/// The key is kept in the heap itself, so that sifting touches nothing else.
#[derive(Clone, Copy)]
struct Node {
    deadline: u64,
    /// Counts insertions, so that equal deadlines fire in the order in which they were set. It may wrap: it is
    /// compared by distance.
    order: u32,
    slot: u32,
}

impl Node {
    #[inline]
    fn before(&self, other: &Node) -> bool {
        if self.deadline != other.deadline {
            return self.deadline < other.deadline;
        }
        (self.order.wrapping_sub(other.order) as i32) < 0
    }
}

/// Values with deadlines: a 4-ary heap with the keys in it.
///
/// | operation | cost |
/// |---|---|
/// | `insert`, `cancel`, `rearm` | O(log n), no allocation in steady state |
/// | `next_deadline` | O(1) |
/// | `take_due` | O(log n) for each that is due |
///
/// Equal deadlines come out in the order in which they went in.
///
/// ```
/// use fastsock::{Time, TimerQueue};
/// use std::time::Duration;
/// # fn main() -> std::io::Result<()> {
/// let mut queue = TimerQueue::new();
/// let start = Time::now();
/// let late = queue.insert(start + Duration::from_secs(2), "late")?;
/// let soon = queue.insert(start + Duration::from_secs(1), "soon")?;
/// let mut due = Vec::new();
/// queue.take_due(start + Duration::from_secs(1), &mut due);
/// assert_eq!(due, [soon]);
/// assert_eq!(queue.cancel(late), Some("late"));
/// # Ok(())
/// # }
/// ```
pub struct TimerQueue<T> {
    heap: Vec<Node>,
    /// Slot -> place in the heap.
    positions: Vec<u32>,
    values: Slab<T>,
    order: u32,
}

impl<T> TimerQueue<T> {
    /// An empty queue; it makes no system call ever.
    pub fn new() -> TimerQueue<T> {
        TimerQueue { heap: Vec::new(), positions: Vec::new(), values: Slab::new(Kind::Timer), order: 0 }
    }

    /// How many values are in the queue, due ones that were not cancelled included.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a value that is due at `deadline`.
    ///
    /// # Errors
    /// `ENOSPC` at 2^30 timers.
    pub fn insert(&mut self, deadline: Time, value: T) -> io::Result<Token> {
        let token = self.values.insert(value)?;
        let slot = token.slot();
        if self.positions.len() <= slot as usize {
            self.positions.resize(slot as usize + 1, OUT);
        }
        self.push(deadline, slot);
        Ok(token)
    }

    /// Takes a value out, whether it was due or not. `None`: stale token.
    pub fn cancel(&mut self, token: Token) -> Option<T> {
        let value = self.values.remove(token)?;
        self.unlink(token.slot());
        Some(value)
    }

    /// Gives a value another deadline; one that was due already is so no more.
    ///
    /// # Errors
    /// `ENOENT`: stale token.
    pub fn rearm(&mut self, token: Token, deadline: Time) -> io::Result<()> {
        if !self.values.contains(token) {
            return Err(error::stale());
        }
        let slot = token.slot();
        match self.positions[slot as usize] {
            OUT => self.push(deadline, slot),
            place => {
                let node = self.node(deadline, slot);
                self.settle(place as usize, node);
            }
        }
        Ok(())
    }

    /// The earliest deadline.
    #[inline]
    pub fn next_deadline(&self) -> Option<Time> {
        self.heap.first().map(|node| Time::from_nanos(node.deadline))
    }

    /// Appends the tokens of all that is due at `now`, earliest first. Their values stay until [`cancel`](Self::cancel)
    /// or [`rearm`](Self::rearm); whether one is still due is asked by [`is_due`](Self::is_due), for what is done
    /// about one may cancel the next.
    pub fn take_due(&mut self, now: Time, due: &mut Vec<Token>) {
        while let Some(first) = self.heap.first() {
            if first.deadline > now.as_nanos() {
                break;
            }
            let slot = first.slot;
            self.unlink(slot);
            due.extend(self.values.token_at(slot));
        }
    }

    /// Whether this timer came out of [`take_due`](Self::take_due) and has been neither cancelled nor re-armed since.
    pub fn is_due(&self, token: Token) -> bool {
        self.values.contains(token) && self.positions[token.slot() as usize] == OUT
    }

    /// Whether the token names a timer of this queue.
    pub fn contains(&self, token: Token) -> bool {
        self.values.contains(token)
    }

    /// The value of a timer.
    pub fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        self.values.get_mut(token)
    }

    fn node(&mut self, deadline: Time, slot: u32) -> Node {
        self.order = self.order.wrapping_add(1);
        Node { deadline: deadline.as_nanos(), order: self.order, slot }
    }

    fn push(&mut self, deadline: Time, slot: u32) {
        let node = self.node(deadline, slot);
        self.heap.push(node);
        self.up(self.heap.len() - 1, node);
    }

    /// Takes a slot's node out of the heap, if it is there.
    fn unlink(&mut self, slot: u32) {
        let place = std::mem::replace(&mut self.positions[slot as usize], OUT);
        if place == OUT {
            return;
        }
        if let Some(last) = self.heap.pop() {
            if (place as usize) < self.heap.len() {
                self.settle(place as usize, last);
            }
        }
    }

    /// Puts a node where one is missing or out of date, and moves it up or down to where it belongs.
    fn settle(&mut self, place: usize, node: Node) {
        if place > 0 && node.before(&self.heap[(place - 1) / ARITY]) {
            self.up(place, node);
        } else {
            self.down(place, node);
        }
    }

    fn up(&mut self, mut place: usize, node: Node) {
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if !node.before(&self.heap[parent]) {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, node);
    }

    fn down(&mut self, mut place: usize, node: Node) {
        loop {
            let first = place * ARITY + 1;
            if first >= self.heap.len() {
                break;
            }
            let mut least = first;
            for child in first + 1..(first + ARITY).min(self.heap.len()) {
                if self.heap[child].before(&self.heap[least]) {
                    least = child;
                }
            }
            if !self.heap[least].before(&node) {
                break;
            }
            self.put(place, self.heap[least]);
            place = least;
        }
        self.put(place, node);
    }

    #[inline]
    fn put(&mut self, place: usize, node: Node) {
        self.heap[place] = node;
        self.positions[node.slot as usize] = place as u32;
    }
}

impl<T> Default for TimerQueue<T> {
    fn default() -> TimerQueue<T> {
        TimerQueue::new()
    }
}

impl<T> std::fmt::Debug for TimerQueue<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimerQueue").field("len", &self.len()).field("next", &self.next_deadline()).finish()
    }
}
