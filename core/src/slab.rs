//! Slots named by tokens.

use crate::token::{Kind, MAX_SLOT, Token};
use crate::{error, growth};

struct Slot<T> {
    /// Of the value that is here, or of the next one. 0: retired.
    generation: u32,
    value: Option<T>,
}

/// A vector with holes, whose places are named by tokens that are never used twice.
pub(crate) struct Slab<T> {
    kind: Kind,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len: usize,
}

impl<T> Slab<T> {
    pub(crate) fn new(kind: Kind) -> Slab<T> {
        Slab { kind, slots: Vec::new(), free: Vec::new(), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> std::io::Result<Token> {
        let (slot, generation) = match self.free.pop() {
            Some(slot) => {
                let place = &mut self.slots[slot as usize];
                place.value = Some(value);
                (slot, place.generation)
            }
            None => {
                let slot = self.slots.len() as u32;
                if slot > MAX_SLOT {
                    return Err(full());
                }
                growth::push(&mut self.slots, Slot { generation: 1, value: Some(value) });
                (slot, 1)
            }
        };
        self.len += 1;
        Ok(Token::new(generation, self.kind, slot))
    }

    #[inline]
    pub(crate) fn get(&self, token: Token) -> Option<&T> {
        match self.slots.get(token.slot() as usize) {
            Some(slot) if slot.generation == token.generation() && token.is(self.kind) => slot.value.as_ref(),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        match self.slots.get_mut(token.slot() as usize) {
            Some(slot) if slot.generation == token.generation() && token.is(self.kind) => slot.value.as_mut(),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn contains(&self, token: Token) -> bool {
        self.get(token).is_some()
    }

    /// How many slots there are, empty ones included.
    pub(crate) fn slots(&self) -> u32 {
        self.slots.len() as u32
    }

    /// By place alone, for indexes that the owner keeps in step itself.
    #[inline]
    pub(crate) fn at_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.slots.get_mut(slot as usize).and_then(|slot| slot.value.as_mut())
    }

    /// The token of what is in a slot.
    #[inline]
    pub(crate) fn token_at(&self, slot: u32) -> Option<Token> {
        let entry = self.slots.get(slot as usize)?;
        entry.value.as_ref()?;
        Some(Token::new(entry.generation, self.kind, slot))
    }

    #[inline]
    pub(crate) fn remove(&mut self, token: Token) -> Option<T> {
        if !token.is(self.kind) {
            return None;
        }
        let slot = self.slots.get_mut(token.slot() as usize)?;
        if slot.generation != token.generation() {
            return None;
        }
        let value = slot.value.take()?;
        // At the last generation the sum wraps to 0, which no token carries: the slot is retired for good.
        slot.generation = slot.generation.wrapping_add(1);
        if slot.generation != 0 {
            growth::push(&mut self.free, token.slot());
        }
        self.len -= 1;
        Some(value)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Token, &mut T)> {
        let kind = self.kind;
        self.slots.iter_mut().enumerate().filter_map(move |(index, slot)| {
            let generation = slot.generation;
            slot.value.as_mut().map(|value| (Token::new(generation, kind, index as u32), value))
        })
    }
}

#[cold]
fn full() -> std::io::Error {
    error::with(libc::ENOSPC, "2^29 slots are in use or retired: make a new reactor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_used_twice() {
        let mut slab = Slab::new(Kind::Source);
        let first = slab.insert('a').unwrap();
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b').unwrap();
        assert_eq!(first.slot(), second.slot());
        assert_ne!(first, second);
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&'b')));
        assert_eq!((slab.remove(first), slab.len()), (None, 1));
    }

    #[test]
    fn a_slot_at_its_last_generation_is_retired() {
        let mut slab = Slab::new(Kind::Source);
        let first = slab.insert(1).unwrap();
        slab.slots[0].generation = u32::MAX;
        let last = Token::new(u32::MAX, Kind::Source, 0);
        assert_eq!(slab.remove(last), Some(1));
        let next = slab.insert(2).unwrap();
        assert_eq!(next.slot(), 1);
        assert!(!slab.contains(first) && !slab.contains(last));
    }

    #[test]
    fn a_token_of_another_kind_is_stale() {
        let mut timers = Slab::new(Kind::Timer);
        let mut sources = Slab::new(Kind::Source);
        let (timer, source) = (timers.insert(()).unwrap(), sources.insert(()).unwrap());
        assert_ne!(timer, source);
        assert!(!timers.contains(source) && !sources.contains(timer));
        assert!(timers.remove(source).is_none());
    }
}
