use std::num::NonZeroU32;

use crate::growth;

/// Four children a node: half the depth of a binary heap, and the children lie side by side.
const ARITY: usize = 4;

/// A deadline, an order and a slot in one number: the least is due first. The deadline is kept here as well as with the
/// timer, so that sifting touches nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node(u128);

impl Node {
    /// The order counts what was set: equal deadlines fire in the order in which they were set.
    #[inline]
    pub(super) fn new(deadline: u64, order: NonZeroU32, slot: u32) -> Node {
        Node(u128::from(deadline) << 64 | u128::from(order.get()) << 32 | u128::from(slot))
    }

    #[inline]
    pub(super) fn deadline(self) -> u64 {
        (self.0 >> 64) as u64
    }

    #[inline]
    pub(super) fn order(self) -> Option<NonZeroU32> {
        NonZeroU32::new((self.0 >> 32) as u32)
    }

    #[inline]
    pub(super) fn slot(self) -> u32 {
        self.0 as u32
    }
}

/// A 4-ary heap: the children of place p are at 4p + 1 to 4p + 4, and none is less than p.
pub(super) struct Heap {
    nodes: Vec<Node>,
}

impl Heap {
    pub(super) const fn new() -> Heap {
        Heap { nodes: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    #[inline]
    pub(super) fn first(&self) -> Option<Node> {
        self.nodes.first().copied()
    }

    /// Adds a node, whose order is later than that of every other.
    // Always inline: a call costs a tenth of what setting a timer does.
    #[inline(always)]
    pub(super) fn push(&mut self, node: Node) {
        let mut place = self.nodes.len();
        growth::push(&mut self.nodes, node);
        while place > 0 {
            let parent = (place - 1) / ARITY;
            // Of equal deadlines this is the last.
            if self.nodes[parent].deadline() <= node.deadline() {
                break;
            }
            self.nodes[place] = self.nodes[parent];
            place = parent;
        }
        self.nodes[place] = node;
    }

    /// Throws the first node out.
    pub(super) fn pop(&mut self) {
        if let Some(last) = self.nodes.pop() {
            self.replace_first(last);
        }
    }

    /// Puts this node in the place of the first, if there is a first.
    pub(super) fn replace_first(&mut self, node: Node) {
        if !self.nodes.is_empty() {
            self.down(0, node);
        }
    }

    /// Changes the nodes in any way, and puts them in order, in linear time.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Vec<Node>)) {
        change(&mut self.nodes);
        // Only these have children.
        for place in (0..self.nodes.len().div_ceil(ARITY)).rev() {
            self.down(place, self.nodes[place]);
        }
    }

    #[cfg(test)]
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Puts a node at a place, or beneath it where it belongs.
    fn down(&mut self, mut place: usize, node: Node) {
        let nodes = &mut self.nodes[..];
        loop {
            let first = place * ARITY + 1;
            let (child, least) = match nodes.get(first..) {
                Some(&[a, b, c, d, ..]) => {
                    // In pairs, and chosen without a jump: which is the least is not to be foretold.
                    let ab = if b < a { (1, b) } else { (0, a) };
                    let cd = if d < c { (3, d) } else { (2, c) };
                    if cd.1 < ab.1 { cd } else { ab }
                }
                Some(last) => match last.iter().copied().enumerate().min_by_key(|&(_, node)| node) {
                    Some(least) => least,
                    None => break,
                },
                None => break,
            };
            if node < least {
                break;
            }
            nodes[place] = least;
            place = first + child;
        }
        nodes[place] = node;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_child_is_less_than_its_parent_and_the_nodes_come_out_sorted() {
        for count in 0..200_u32 {
            let (mut heap, mut sorted) = (Heap::new(), Vec::new());
            for order in 1..=count {
                // Scattered, and some are equal.
                let node = Node::new(u64::from(order * 7919 % 101), NonZeroU32::new(order).unwrap(), count - order);
                heap.push(node);
                sorted.push(node);
            }
            heap.change(|nodes| nodes.retain(|node| node.slot() % 5 != 0));
            sorted.retain(|node| node.slot() % 5 != 0);
            sorted.sort();
            for (place, node) in heap.nodes.iter().enumerate().skip(1) {
                assert!(heap.nodes[(place - 1) / ARITY] < *node);
            }
            let popped = std::iter::from_fn(|| heap.first().inspect(|_| heap.pop()));
            assert!(popped.eq(sorted));
        }
    }

    #[test]
    fn a_node_keeps_what_it_was_made_of() {
        let node = Node::new(u64::MAX - 1, NonZeroU32::MAX, 7);
        assert_eq!((node.deadline(), node.order(), node.slot()), (u64::MAX - 1, Some(NonZeroU32::MAX), 7));
    }
}
