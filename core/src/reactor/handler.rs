use std::any::Any;

use crate::{Event, Reactor};

/// A source and its callback, with their types forgotten.
pub(super) trait Handler<'fd, C> {
    fn ready(&mut self, reactor: &mut Reactor<'fd, C>, context: &mut C, event: Event);
    /// The source alone, boxed.
    fn into_source(self: Box<Self>) -> Box<dyn Any>;
    fn source(&self) -> &dyn Any;
}

pub(super) struct Bound<S, F> {
    pub(super) source: S,
    pub(super) callback: F,
}

impl<'fd, C, S, F> Handler<'fd, C> for Bound<S, F>
where
    S: 'static,
    F: FnMut(&mut Reactor<'fd, C>, &mut C, &mut S, Event) + 'fd,
{
    #[inline]
    fn ready(&mut self, reactor: &mut Reactor<'fd, C>, context: &mut C, event: Event) {
        (self.callback)(reactor, context, &mut self.source, event);
    }

    fn into_source(self: Box<Self>) -> Box<dyn Any> {
        Box::new(self.source)
    }

    fn source(&self) -> &dyn Any {
        &self.source
    }
}
