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

/// In `Entry::node`: no node in the heap stands for this timer, for it is due or waits to be re-armed.
const NONE: u32 = 0;
/// Four children a node: half the depth of a binary heap, and the children lie in one cache line.
const ARITY: usize = 4;
/// So many outdated nodes are not worth a sweep.
const FEW: usize = 64;

/// A place in the heap. The deadline is kept here as well, so that sifting touches nothing else.
#[derive(Clone, Copy)]
struct Node {
    deadline: u64,
    /// Counts what was put into the heap: equal deadlines fire in the order in which they were set.
    order: u32,
    slot: u32,
}

impl Node {
    #[inline]
    fn before(&self, other: &Node) -> bool {
        (self.deadline, self.order) < (other.deadline, other.order)
    }
}

/// A timer, and what it wants, which the heap may not know yet.
struct Entry<T> {
    deadline: u64,
    order: u32,
    /// The order of the node that stands for it; every other node of its slot is outdated.
    node: u32,
    value: T,
}

/// Values with deadlines: a 4-ary heap with the keys in it, brought up to date late.
///
/// Most timers are timeouts, which are put off or cancelled long before they are due. So a cancelled timer only forgets its
/// place in the heap, and one that is put off only notes its new deadline: the heap finds out when the old place comes
/// up, or in a sweep when half of it is outdated. Only the first place is right at any time.
///
/// | operation | cost |
/// |---|---|
/// | `insert` | O(log n), O(1) for random deadlines; no allocation in steady state |
/// | `cancel`, `rearm` to a later deadline | O(1) amortised |
/// | `rearm` to an earlier deadline | as `insert` |
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
    entries: Slab<Entry<T>>,
    /// The last order given out.
    order: u32,
    /// How many nodes stand for nothing any more.
    outdated: usize,
}

impl<T> TimerQueue<T> {
    /// An empty queue; it makes no system call ever.
    pub fn new() -> TimerQueue<T> {
        TimerQueue { heap: Vec::new(), entries: Slab::new(Kind::Timer), order: 0, outdated: 0 }
    }

    /// How many values are in the queue, due ones that were not cancelled included.
    pub fn len(&self) -> usize {
        self.entries.len()
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
        let (deadline, order) = (deadline.as_nanos(), self.next_order());
        let token = self.entries.insert(Entry { deadline, order, node: order, value })?;
        self.push(Node { deadline, order, slot: token.slot() });
        Ok(token)
    }

    /// Takes a value out, whether it was due or not. `None`: stale token.
    pub fn cancel(&mut self, token: Token) -> Option<T> {
        let entry = self.entries.remove(token)?;
        if entry.node != NONE {
            self.outdate(token.slot());
        }
        Some(entry.value)
    }

    /// Gives a value another deadline; one that was due already is so no more.
    ///
    /// # Errors
    /// `ENOENT`: stale token.
    pub fn rearm(&mut self, token: Token, deadline: Time) -> io::Result<()> {
        let (deadline, order) = (deadline.as_nanos(), self.next_order());
        let entry = self.entries.get_mut(token).ok_or_else(error::stale)?;
        let later = deadline >= entry.deadline;
        (entry.deadline, entry.order) = (deadline, order);
        let before = entry.node;
        let slot = token.slot();
        if later && before != NONE {
            // Its node comes up too early, and is moved on then: now, if it is the first.
            if self.heap[0].slot == slot {
                self.right_the_first();
            }
            return Ok(());
        }
        entry.node = order;
        self.push(Node { deadline, order, slot });
        if before != NONE {
            self.outdate(slot);
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
        while let Some(&first) = self.heap.first() {
            if first.deadline > now.as_nanos() {
                break;
            }
            if let Some(entry) = self.entries.at_mut(first.slot) {
                entry.node = NONE;
            }
            self.pop();
            self.right_the_first();
            due.extend(self.entries.token_at(first.slot));
        }
    }

    /// Whether this timer came out of [`take_due`](Self::take_due) and has been neither cancelled nor re-armed since.
    pub fn is_due(&self, token: Token) -> bool {
        self.entries.get(token).is_some_and(|entry| entry.node == NONE)
    }

    /// Whether the token names a timer of this queue.
    pub fn contains(&self, token: Token) -> bool {
        self.entries.contains(token)
    }

    /// The value of a timer.
    pub fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        self.entries.get_mut(token).map(|entry| &mut entry.value)
    }

    /// One more than ever before.
    #[inline]
    fn next_order(&mut self) -> u32 {
        if self.order == u32::MAX {
            self.renumber();
        }
        self.order += 1;
        self.order
    }

    /// Begins the count anew, in the same order. Once in four thousand million insertions.
    #[cold]
    fn renumber(&mut self) {
        self.sweep();
        for node in &mut self.heap {
            if let Some(entry) = self.entries.at_mut(node.slot) {
                (node.deadline, node.order) = (entry.deadline, entry.order);
            }
        }
        // Sorted is a heap, too.
        self.heap.sort_unstable_by_key(|node| (node.deadline, node.order));
        self.order = 0;
        for node in &mut self.heap {
            self.order += 1;
            node.order = self.order;
            if let Some(entry) = self.entries.at_mut(node.slot) {
                (entry.order, entry.node) = (self.order, self.order);
            }
        }
    }

    /// A node of this slot stands for nothing any more.
    #[inline]
    fn outdate(&mut self, slot: u32) {
        self.outdated += 1;
        // Also when its slot is the first: what comes to the front again and again leaves the others behind it.
        if self.outdated > FEW && self.outdated > self.heap.len() / 2 {
            self.sweep();
        } else if self.heap[0].slot == slot {
            self.right_the_first();
        }
    }

    /// Until the first node stands for a timer, with that timer's deadline.
    fn right_the_first(&mut self) {
        while let Some(&Node { order, slot, .. }) = self.heap.first() {
            match self.entries.at_mut(slot) {
                Some(entry) if entry.node == order => {
                    if entry.order == order {
                        break;
                    }
                    entry.node = entry.order;
                    let node = Node { deadline: entry.deadline, order: entry.order, slot };
                    self.down(0, node);
                }
                _ => {
                    self.outdated -= 1;
                    self.pop();
                }
            }
        }
    }

    /// Throws every outdated node out.
    #[cold]
    fn sweep(&mut self) {
        let entries = &mut self.entries;
        self.heap.retain(|node| entries.at_mut(node.slot).is_some_and(|entry| entry.node == node.order));
        self.outdated = 0;
        for place in (0..self.heap.len().div_ceil(ARITY)).rev() {
            self.down(place, self.heap[place]);
        }
        self.right_the_first();
    }

    #[inline]
    fn push(&mut self, node: Node) {
        let mut place = self.heap.len();
        self.heap.push(node);
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if !node.before(&self.heap[parent]) {
                break;
            }
            self.heap[place] = self.heap[parent];
            place = parent;
        }
        self.heap[place] = node;
    }

    /// Throws the first node out.
    fn pop(&mut self) {
        if let Some(last) = self.heap.pop() {
            if !self.heap.is_empty() {
                self.down(0, last);
            }
        }
    }

    /// Puts a node at a place, or beneath it where it belongs.
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
            self.heap[place] = self.heap[least];
            place = least;
        }
        self.heap[place] = node;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_equal_deadlines_outlives_the_counter() {
        let mut queue = TimerQueue::new();
        queue.order = u32::MAX - 3;
        let at = Time::from_nanos(7);
        let tokens: Vec<Token> = (0..8).map(|i| queue.insert(at, i).unwrap()).collect();
        queue.rearm(tokens[1], at).unwrap();
        queue.cancel(tokens[3]);
        let mut due = Vec::new();
        queue.take_due(at, &mut due);
        let values: Vec<i32> = due.iter().map(|token| *queue.get_mut(*token).unwrap()).collect();
        assert_eq!(values, [0, 2, 4, 5, 6, 7, 1]);
    }

    #[test]
    fn timeouts_that_are_always_put_off_or_cancelled_do_not_pile_up() {
        let mut queue = TimerQueue::new();
        let kept = queue.insert(Time::from_nanos(1 << 40), 0).unwrap();
        for i in 0..100_000 {
            queue.rearm(kept, Time::from_nanos((1 << 40) + i)).unwrap();
            let brief = queue.insert(Time::from_nanos((1 << 41) - i), 1).unwrap();
            queue.rearm(brief, Time::from_nanos((1 << 41) - 2 * i)).unwrap();
            queue.cancel(brief);
        }
        assert_eq!(queue.len(), 1);
        assert!(queue.heap.len() <= 3 * FEW, "{} nodes for one timer", queue.heap.len());
        assert_eq!(queue.next_deadline(), Some(Time::from_nanos((1 << 40) + 99_999)));
    }

    #[test]
    fn timeouts_that_are_always_brought_forward_do_not_pile_up() {
        let mut queue = TimerQueue::new();
        let kept = queue.insert(Time::from_nanos(1 << 40), 0).unwrap();
        for i in 0..10_000 {
            queue.rearm(kept, Time::from_nanos((1 << 40) - i)).unwrap();
            let brief = queue.insert(Time::from_nanos(1 << 41), 1).unwrap();
            queue.rearm(brief, Time::from_nanos(1)).unwrap();
            queue.cancel(brief);
            assert!(queue.heap.len() <= 3 * FEW, "{} nodes for one timer", queue.heap.len());
        }
        assert_eq!(queue.next_deadline(), Some(Time::from_nanos((1 << 40) - 9_999)));
    }
}
