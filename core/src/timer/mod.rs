mod heap;
#[cfg(test)]
mod tests;

use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::slab::Slab;
use crate::token::{Kind, Token};
use crate::{Time, error};
use heap::{Heap, Node};

/// How a timer goes on after it has fired.
///
/// ```
/// use fastsock::{Reactor, Repeat, Time};
/// use std::time::Duration;
/// # fn main() -> std::io::Result<()> {
/// let mut reactor = Reactor::<u64>::new()?;
/// let start = Time::now();
/// let every = Repeat::FixedRate(Duration::from_millis(1));
/// reactor.timer_repeating(start, every, |reactor, periods, _, passed| {
///     *periods += passed; // 1, and more of them when the loop was late.
///     if *periods >= 3 {
///         reactor.stop();
///     }
/// })?;
/// let mut periods = 0;
/// reactor.run(&mut periods)?;
/// assert!(periods >= 3 && Time::now() - start >= Duration::from_millis(2));
/// # Ok(())
/// # }
/// ```
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

/// So many outdated nodes are not worth a sweep.
const FEW: usize = 64;
/// What a sweep takes for each node, moving one takes about so many times.
const MOVE: usize = 16;

/// A timer, and what it wants, which the heap may not know yet.
struct Entry<T> {
    deadline: u64,
    /// Never 0: an empty slot of the slab is told by that, in no more room. With a value of eight bytes, two lie in a
    /// cache line.
    order: NonZeroU32,
    /// The order of the node that stands for it; every other node of its slot is outdated. `None`: it is due, or it
    /// waits to be re-armed.
    node: Option<NonZeroU32>,
    value: T,
}

impl<T> Entry<T> {
    /// Whether a node of its slot stands for it.
    #[inline]
    fn has(&self, node: Node) -> bool {
        self.node.is_some() && self.node == node.order()
    }

    /// Whether the node that stands for it is from before it was put off.
    #[inline]
    fn was_put_off(&self) -> bool {
        self.node.is_some_and(|order| order != self.order)
    }

    /// The node that says what the entry wants, from now on the one that stands for it.
    #[inline]
    fn renew(&mut self, slot: u32) -> Node {
        self.node = Some(self.order);
        Node::new(self.deadline, self.order, slot)
    }
}

/// Values with deadlines: a 4-ary heap with the keys in it, brought up to date late.
///
/// Most timers are timeouts, which are put off or cancelled long before they are due. So a cancelled timer only forgets
/// its place in the heap, and one that is put off only notes its new deadline: the heap finds out when the old place
/// comes up, or in a sweep of the whole when half of it is outdated. Only the first place is right at any time.
///
/// | operation | cost |
/// |---|---|
/// | `insert` | O(log n), O(1) for random deadlines; no allocation in steady state |
/// | `cancel`, `rearm` to a later deadline | O(1) amortised; O(log n) for what comes up first |
/// | `rearm` to an earlier deadline | as `insert`, amortised |
/// | `next_deadline` | O(1) |
/// | `take_due` | O(log n) for each that is due |
///
/// Equal deadlines come out in the order in which they went in. The heap has at most two places for each timer, and 64:
/// when it has more, it is swept in linear time, which is O(1) for each place that this frees. So a single call may
/// take O(n).
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
    heap: Heap,
    entries: Slab<Entry<T>>,
    /// The last order given out.
    order: NonZeroU32,
    /// How many nodes stand for nothing any more.
    outdated: usize,
    /// How many stand for a timer that was put off since.
    put_off: usize,
    /// How many nodes were moved or thrown out, one by one, since the last sweep.
    moved: usize,
}

impl<T> TimerQueue<T> {
    /// An empty queue; it makes no system call ever.
    ///
    /// ```
    /// use fastsock::TimerQueue;
    /// let queue = TimerQueue::<String>::new();
    /// assert!(queue.is_empty() && queue.next_deadline().is_none());
    /// ```
    pub fn new() -> TimerQueue<T> {
        TimerQueue {
            heap: Heap::new(),
            entries: Slab::new(Kind::Timer),
            order: NonZeroU32::MIN,
            outdated: 0,
            put_off: 0,
            moved: 0,
        }
    }

    /// How many values are in the queue, due ones that were not cancelled included.
    ///
    /// ```
    /// use fastsock::{Time, TimerQueue};
    /// # fn main() -> std::io::Result<()> {
    /// let mut queue = TimerQueue::new();
    /// let token = queue.insert(Time::from_nanos(10), 'a')?;
    /// queue.insert(Time::from_nanos(20), 'b')?;
    /// queue.take_due(Time::from_nanos(10), &mut Vec::new());
    /// assert_eq!(queue.len(), 2);
    /// queue.cancel(token);
    /// assert_eq!(queue.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    ///
    /// ```
    /// use fastsock::{Time, TimerQueue};
    /// # fn main() -> std::io::Result<()> {
    /// let mut queue = TimerQueue::new();
    /// let token = queue.insert(Time::NEVER, 'a')?;
    /// assert!(!queue.is_empty());
    /// queue.cancel(token);
    /// assert!(queue.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a value that is due at `deadline`.
    ///
    /// ```
    /// use fastsock::{Time, TimerQueue};
    /// # fn main() -> std::io::Result<()> {
    /// let mut queue = TimerQueue::new();
    /// let first = queue.insert(Time::from_nanos(10), 'a')?;
    /// let second = queue.insert(Time::from_nanos(10), 'b')?;
    /// let mut due = Vec::new();
    /// queue.take_due(Time::from_nanos(10), &mut due);
    /// assert_eq!(due, [first, second]); // Equal deadlines: in the order of their insertion.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOSPC` at 2^29 timers.
    #[inline]
    pub fn insert(&mut self, deadline: Time, value: T) -> io::Result<Token> {
        let (deadline, order) = (deadline.as_nanos(), self.next_order());
        let token = self.entries.insert(Entry { deadline, order, node: Some(order), value })?;
        self.heap.push(Node::new(deadline, order, token.slot()));
        Ok(token)
    }

    /// Takes a value out, whether it was due or not. `None`: stale token.
    ///
    /// ```
    /// use fastsock::{Time, TimerQueue};
    /// # fn main() -> std::io::Result<()> {
    /// let mut queue = TimerQueue::new();
    /// let token = queue.insert(Time::from_nanos(10), "timeout")?;
    /// assert_eq!(queue.cancel(token), Some("timeout"));
    /// assert_eq!(queue.cancel(token), None);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn cancel(&mut self, token: Token) -> Option<T> {
        let entry = self.entries.remove(token)?;
        if entry.node.is_some() {
            self.put_off -= usize::from(entry.was_put_off());
            self.outdate(token.slot());
        }
        Some(entry.value)
    }

    /// Gives a value another deadline; one that was due already is so no more.
    ///
    /// ```
    /// use fastsock::{Time, TimerQueue};
    /// # fn main() -> std::io::Result<()> {
    /// let mut queue = TimerQueue::new();
    /// let token = queue.insert(Time::from_nanos(10), "timeout")?;
    /// queue.rearm(token, Time::from_nanos(30))?;
    /// let mut due = Vec::new();
    /// queue.take_due(Time::from_nanos(20), &mut due);
    /// assert!(due.is_empty());
    /// queue.take_due(Time::from_nanos(30), &mut due);
    /// assert_eq!(due, [token]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `ENOENT`: stale token.
    #[inline]
    pub fn rearm(&mut self, token: Token, deadline: Time) -> io::Result<()> {
        let (deadline, order) = (deadline.as_nanos(), self.next_order());
        let entry = self.entries.get_mut(token).ok_or_else(error::stale)?;
        let later = deadline >= entry.deadline;
        let (has_node, was_put_off) = (entry.node.is_some(), entry.was_put_off());
        (entry.deadline, entry.order) = (deadline, order);
        let slot = token.slot();
        if has_node && later {
            // Its node comes up too early, and is moved on then: now, if it is the first.
            self.put_off += usize::from(!was_put_off);
            if self.heap.first().is_some_and(|first| first.slot() == slot) {
                self.right_the_first();
            }
            return Ok(());
        }
        let node = entry.renew(slot);
        self.heap.push(node);
        if has_node {
            self.put_off -= usize::from(was_put_off);
            self.outdate(slot);
        }
        Ok(())
    }

    /// The earliest deadline.
    ///
    /// ```
    /// use fastsock::{Time, TimerQueue};
    /// # fn main() -> std::io::Result<()> {
    /// let mut queue = TimerQueue::new();
    /// queue.insert(Time::from_nanos(20), 'b')?;
    /// let first = queue.insert(Time::from_nanos(10), 'a')?;
    /// assert_eq!(queue.next_deadline(), Some(Time::from_nanos(10)));
    /// queue.cancel(first);
    /// assert_eq!(queue.next_deadline(), Some(Time::from_nanos(20)));
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn next_deadline(&self) -> Option<Time> {
        self.heap.first().map(|node| Time::from_nanos(node.deadline()))
    }

    /// Appends the tokens of all that is due at `now`, earliest first. Their values stay until [`cancel`](Self::cancel)
    /// or [`rearm`](Self::rearm); whether one is still due is asked by [`is_due`](Self::is_due), for what is done
    /// about one may cancel the next.
    ///
    /// ```
    /// use fastsock::{Time, TimerQueue};
    /// # fn main() -> std::io::Result<()> {
    /// let mut queue = TimerQueue::new();
    /// let late = queue.insert(Time::from_nanos(20), "late")?;
    /// let soon = queue.insert(Time::from_nanos(10), "soon")?;
    /// let mut due = Vec::new();
    /// queue.take_due(Time::from_nanos(25), &mut due);
    /// assert_eq!(due, [soon, late]);
    /// let values: Vec<_> = due.into_iter().filter_map(|token| queue.cancel(token)).collect();
    /// assert_eq!(values, ["soon", "late"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn take_due(&mut self, now: Time, due: &mut Vec<Token>) {
        while let Some(first) = self.heap.first() {
            if first.deadline() > now.as_nanos() {
                break;
            }
            if let Some(entry) = self.entries.at_mut(first.slot()) {
                entry.node = None;
            }
            due.extend(self.entries.token_at(first.slot()));
            self.heap.pop();
            self.right_the_first();
        }
    }

    /// Whether this timer came out of [`take_due`](Self::take_due) and has been neither cancelled nor re-armed since.
    ///
    /// ```
    /// use fastsock::{Time, TimerQueue};
    /// # fn main() -> std::io::Result<()> {
    /// let mut queue = TimerQueue::new();
    /// let tokens = [queue.insert(Time::from_nanos(10), 'a')?, queue.insert(Time::from_nanos(10), 'b')?];
    /// queue.take_due(Time::from_nanos(10), &mut Vec::new());
    /// assert!(queue.is_due(tokens[0]) && queue.is_due(tokens[1]));
    /// queue.rearm(tokens[1], Time::from_nanos(90))?; // What was done about the first puts the second off.
    /// assert!(!queue.is_due(tokens[1]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_due(&self, token: Token) -> bool {
        self.entries.get(token).is_some_and(|entry| entry.node.is_none())
    }

    /// Whether the token names a timer of this queue.
    ///
    /// ```
    /// use fastsock::{Time, TimerQueue};
    /// # fn main() -> std::io::Result<()> {
    /// let mut queue = TimerQueue::new();
    /// let token = queue.insert(Time::NEVER, ())?;
    /// assert!(queue.contains(token));
    /// queue.cancel(token);
    /// assert!(!queue.contains(token));
    /// # Ok(())
    /// # }
    /// ```
    pub fn contains(&self, token: Token) -> bool {
        self.entries.contains(token)
    }

    /// The deadline of a timer, also of one that is due.
    pub(crate) fn deadline(&self, token: Token) -> Option<Time> {
        self.entries.get(token).map(|entry| Time::from_nanos(entry.deadline))
    }

    /// The value of a timer.
    ///
    /// ```
    /// use fastsock::{Time, TimerQueue};
    /// # fn main() -> std::io::Result<()> {
    /// let mut queue = TimerQueue::new();
    /// let token = queue.insert(Time::NEVER, vec!["tried once"])?;
    /// queue.get_mut(token).unwrap().push("tried again");
    /// assert_eq!(queue.cancel(token).unwrap().len(), 2);
    /// assert!(queue.get_mut(token).is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        self.entries.get_mut(token).map(|entry| &mut entry.value)
    }

    /// One more than ever before.
    #[inline]
    fn next_order(&mut self) -> NonZeroU32 {
        if self.order == NonZeroU32::MAX {
            self.renumber();
        }
        self.order = self.order.saturating_add(1);
        self.order
    }

    /// Begins the count anew, in the same order. Once in four thousand million insertions.
    #[cold]
    fn renumber(&mut self) {
        self.sweep();
        self.order = NonZeroU32::MIN;
        let (entries, last) = (&mut self.entries, &mut self.order);
        self.heap.change(|nodes| {
            nodes.sort_unstable();
            for node in nodes {
                *last = last.saturating_add(1);
                if let Some(entry) = entries.at_mut(node.slot()) {
                    entry.order = *last;
                    *node = entry.renew(node.slot());
                }
            }
        });
    }

    /// A node of this slot stands for nothing any more.
    #[inline]
    fn outdate(&mut self, slot: u32) {
        self.outdated += 1;
        // Also when its slot is the first: what comes to the front again and again leaves the others behind it.
        if self.outdated > FEW && self.outdated > self.heap.len() / 2 {
            self.sweep();
        } else if self.heap.first().is_some_and(|first| first.slot() == slot) {
            self.right_the_first();
        }
    }

    /// Until the first node stands for a timer, with that timer's deadline.
    fn right_the_first(&mut self) {
        while let Some(first) = self.heap.first() {
            match self.entries.at_mut(first.slot()) {
                Some(entry) if entry.has(first) => {
                    if !entry.was_put_off() {
                        break;
                    }
                    self.put_off -= 1;
                    let node = entry.renew(first.slot());
                    self.heap.replace_first(node);
                }
                _ => {
                    self.outdated -= 1;
                    self.heap.pop();
                }
            }
            self.moved += 1;
            // When most were put off, all in one go is cheaper. Only after as much work as that is, so that nodes that
            // are not coming up are not put right again and again.
            let half = self.heap.len() / 2;
            if self.moved > FEW && self.moved > self.heap.len() / MOVE && self.outdated + self.put_off > half {
                self.sweep();
            }
        }
    }

    /// Throws every outdated node out, and puts the others right.
    #[cold]
    fn sweep(&mut self) {
        let entries = &mut self.entries;
        self.heap.change(|nodes| {
            nodes.retain_mut(|node| match entries.at_mut(node.slot()) {
                Some(entry) if entry.has(*node) => {
                    *node = entry.renew(node.slot());
                    true
                }
                _ => false,
            });
        });
        (self.outdated, self.put_off, self.moved) = (0, 0, 0);
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
