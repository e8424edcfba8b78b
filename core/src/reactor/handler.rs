use std::any::Any;

use crate::{Event, Reactor};

/// A source and its callback, with their types forgotten.
pub(super) trait Handler<C> {
    fn ready(&mut self, reactor: &mut Reactor<C>, context: &mut C, event: Event);
    /// The source alone, boxed.
    fn into_source(self: Box<Self>) -> Box<dyn Any>;
    fn source_is(&self, id: std::any::TypeId) -> bool;
}

pub(super) struct Bound<S, F> {
    pub(super) source: S,
    pub(super) callback: F,
}

impl<C, S, F> Handler<C> for Bound<S, F>
where
    S: 'static,
    F: FnMut(&mut Reactor<C>, &mut C, &mut S, Event) + 'static,
{
    #[inline]
    fn ready(&mut self, reactor: &mut Reactor<C>, context: &mut C, event: Event) {
        (self.callback)(reactor, context, &mut self.source, event);
    }

    fn into_source(self: Box<Self>) -> Box<dyn Any> {
        Box::new(self.source)
    }

    fn source_is(&self, id: std::any::TypeId) -> bool {
        id == std::any::TypeId::of::<S>()
    }
}
