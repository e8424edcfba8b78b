//! What C gave along with its timers. It lies in one array, by the slots of their tokens, and not in closures in the
//! reactor: a program that has very many timers, and cancels nearly all of them, would spend most of its time in malloc(3).

use std::cell::RefCell;
use std::ffi::c_void;

use fastsock::Token;

use crate::home::fsock_loop;
use crate::timer::TimerCallback;
use crate::user::{User, fsock_drop};

/// What is called, and the parts of the user data that it is called with. To put one into its place nothing has to be
/// read there first.
#[derive(Clone, Copy)]
struct Alarm {
    callback: TimerCallback,
    data: *mut c_void,
    drop: fsock_drop,
}

/// The alarms of one loop. Each is in here from its start to its end, but for while it is called.
#[derive(Default)]
pub(crate) struct Alarms(RefCell<Vec<Option<Alarm>>>);

/// Tokens of timers have so many slots, all in a row.
const SLOTS: u32 = 1 << 29;

/// The low half of a token is its slot.
fn place(token: Token) -> usize {
    (token.to_bits() as u32 % SLOTS) as usize
}

impl fsock_loop {
    /// Keeps what a timer that is set calls, and is called with.
    #[inline]
    pub(crate) fn put_alarm(&self, token: Token, callback: TimerCallback, user: User) {
        let (data, drop) = user.into_parts();
        let (place, mut alarms) = (place(token), self.alarms.0.borrow_mut());
        if place >= alarms.len() {
            alarms.resize(place + 1, None);
        }
        alarms[place] = Some(Alarm { callback, data, drop });
    }

    /// Takes out the alarm of a timer that is set, or was until just now: before another can have got its slot. `None`
    /// while it is called.
    #[inline]
    pub(crate) fn take_alarm(&self, token: Token) -> Option<(TimerCallback, User)> {
        let alarm = self.alarms.0.borrow_mut().get_mut(place(token))?.take()?;
        Some((alarm.callback, User::new(self, alarm.data, alarm.drop)))
    }

    /// Gives back what every alarm is called with: the timers are gone.
    pub(crate) fn end_alarms(&self) {
        for alarm in self.alarms.0.take().into_iter().flatten() {
            drop(User::new(self, alarm.data, alarm.drop));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fastsock::Reactor;

    use super::place;

    #[test]
    fn the_places_of_timers_are_those_from_0_on() {
        let mut reactor = Reactor::<()>::new().unwrap();
        let mut start = || reactor.timer(Duration::from_secs(60), |_, _, _, _| {}).unwrap();
        let tokens = [start(), start(), start()];
        assert_eq!(tokens.map(place), [0, 1, 2]);
        assert!(reactor.remove(tokens[1]));
        let again = reactor.timer(Duration::from_secs(60), |_, _, _, _| {}).unwrap();
        assert!(again != tokens[1] && place(again) == 1);
    }
}
