//! `TimerQueue` beside a plain sorted list, in thousands of random steps.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::Random;
use fastsock::{Time, TimerQueue, Token};

/// The obvious way: a list, sorted by deadline and then by when it was set.
#[derive(Default)]
struct Model {
    armed: Vec<(u64, u64, Token)>,
    due: Vec<Token>,
    order: u64,
}

impl Model {
    fn arm(&mut self, deadline: u64, token: Token) {
        self.forget(token);
        self.order += 1;
        self.armed.push((deadline, self.order, token));
        self.armed.sort();
    }

    fn forget(&mut self, token: Token) -> bool {
        let before = self.armed.len() + self.due.len();
        self.armed.retain(|timer| timer.2 != token);
        self.due.retain(|&due| due != token);
        self.armed.len() + self.due.len() < before
    }

    fn take_due(&mut self, now: u64) -> Vec<Token> {
        let split = self.armed.partition_point(|timer| timer.0 <= now);
        let due: Vec<Token> = self.armed.drain(..split).map(|timer| timer.2).collect();
        self.due.extend(&due);
        due
    }
}

#[test]
fn it_does_what_a_sorted_list_does() {
    let mut random = Random::new();
    for _ in 0..20 {
        let (mut queue, mut model) = (TimerQueue::new(), Model::default());
        let mut tokens: Vec<Token> = Vec::new();
        let mut now = 1000;
        // Few distinct deadlines in some rounds, so that many are equal.
        let spread = [3, 50, 100_000][random.below(3)];
        // Of ten steps: up to which one inserts, cancels, sets anew; the others let time pass. So that there are rounds
        // with much to sweep out, and rounds in which nothing is ever due.
        let [insert, cancel, rearm] = [[4, 6, 8], [3, 8, 9], [2, 3, 10], [5, 6, 7]][random.below(4)];
        for step in 0..1500_u64 {
            let deadline = match random.below(50) {
                0 => 0,
                1 => u64::MAX,
                2 => u64::MAX - 1,
                _ => now + random.below(spread) as u64,
            };
            let pick = random.below(tokens.len().max(1));
            match (random.below(10), tokens.get(pick).copied()) {
                (n, token) if n < insert || token.is_none() => {
                    let token = queue.insert(Time::from_nanos(deadline), step).unwrap();
                    assert!(!tokens.contains(&token), "a token came twice");
                    tokens.push(token);
                    model.arm(deadline, token);
                }
                (n, Some(token)) if n < cancel => {
                    let known = model.forget(token);
                    assert_eq!(queue.cancel(token).is_some(), known);
                }
                (n, Some(token)) if n < rearm => {
                    let result = queue.rearm(token, Time::from_nanos(deadline));
                    let known = model.forget(token);
                    assert_eq!(result.is_ok(), known);
                    if known {
                        model.arm(deadline, token);
                    }
                }
                _ => {
                    now += random.below(spread) as u64 / 2;
                    let mut due = Vec::new();
                    queue.take_due(Time::from_nanos(now), &mut due);
                    assert_eq!(due, model.take_due(now));
                }
            }
            assert_eq!(queue.len(), model.armed.len() + model.due.len());
            assert_eq!(queue.next_deadline().map(Time::as_nanos), model.armed.first().map(|timer| timer.0));
            if let Some(&token) = tokens.get(pick) {
                assert_eq!(queue.is_due(token), model.due.contains(&token));
                assert_eq!(queue.contains(token), queue.get_mut(token).is_some());
            }
        }
        let mut rest = Vec::new();
        queue.take_due(Time::NEVER, &mut rest);
        assert_eq!(rest, model.take_due(u64::MAX));
    }
}

#[test]
fn a_hundred_thousand_timers_come_out_sorted() {
    let mut random = Random::new();
    let mut queue = TimerQueue::new();
    let mut expected: Vec<(u64, usize)> = (0..100_000).map(|i| (random.next() % 50_000, i)).collect();
    let tokens: Vec<Token> =
        expected.iter().map(|&(deadline, i)| queue.insert(Time::from_nanos(deadline), i).unwrap()).collect();
    for i in (0..tokens.len()).step_by(3) {
        assert_eq!(queue.cancel(tokens[i]), Some(i));
    }
    expected.retain(|&(_, i)| i % 3 != 0);
    expected.sort();
    let mut due = Vec::new();
    queue.take_due(Time::from_nanos(50_000), &mut due);
    let values: Vec<usize> = due.iter().map(|&token| queue.cancel(token).unwrap()).collect();
    assert!(values.iter().copied().eq(expected.iter().map(|&(_, i)| i)));
    assert!(queue.is_empty() && queue.next_deadline().is_none());
}

#[test]
fn a_hundred_thousand_equal_deadlines_come_out_in_the_order_in_which_they_were_set() {
    let mut queue = TimerQueue::new();
    let at = Time::from_nanos(1 << 40);
    let tokens: Vec<Token> = (0..100_000).map(|_| queue.insert(at, ()).unwrap()).collect();
    // Put off and brought back, or only set again to the same: both go to the end of the line. The cancelled leave it.
    let mut expected: Vec<Token> = Vec::new();
    let mut last: Vec<Token> = Vec::new();
    for (i, &token) in tokens.iter().enumerate() {
        match i % 10 {
            1 => {
                queue.rearm(token, Time::NEVER).unwrap();
                queue.rearm(token, at).unwrap();
                last.push(token);
            }
            2 => {
                queue.rearm(token, at).unwrap();
                last.push(token);
            }
            3 => assert_eq!(queue.cancel(token), Some(())),
            _ => expected.push(token),
        }
    }
    expected.append(&mut last);
    let mut due = Vec::new();
    queue.take_due(Time::from_nanos((1 << 40) - 1), &mut due);
    assert!(due.is_empty(), "early");
    queue.take_due(at, &mut due);
    assert!(due == expected);
}

#[test]
fn a_due_value_stays_until_it_is_taken_out_or_set_again() {
    let mut queue = TimerQueue::new();
    let now = Time::now();
    let (a, b) = (queue.insert(now, 'a').unwrap(), queue.insert(now, 'b').unwrap());
    let mut due = Vec::new();
    queue.take_due(now, &mut due);
    assert_eq!(due, [a, b]);
    queue.take_due(now, &mut due);
    assert_eq!(due.len(), 2, "told once");
    assert!(queue.is_due(a) && queue.is_due(b) && queue.len() == 2);
    queue.rearm(a, now + Duration::from_secs(1)).unwrap();
    assert!(!queue.is_due(a) && queue.next_deadline() == Some(now + Duration::from_secs(1)));
    assert_eq!(queue.cancel(b), Some('b'));
    assert_eq!((queue.cancel(b), queue.is_due(b)), (None, false));
    assert_eq!(common::errno(queue.rearm(b, now)), libc::ENOENT);
    assert_eq!(queue.get_mut(a), Some(&mut 'a'));
}

#[test]
fn never_is_never_due_by_the_clock() {
    let mut queue = TimerQueue::new();
    let never = [Duration::MAX, Duration::from_nanos(u64::MAX), Duration::from_secs(u64::MAX)];
    let tokens = never.map(|after| queue.insert(Time::now() + after, ()).unwrap());
    assert_eq!(queue.next_deadline(), Some(Time::NEVER));
    let near = queue.insert(Time::now(), ()).unwrap();
    queue.rearm(near, Time::now() + Duration::MAX).unwrap();
    let mut due = Vec::new();
    queue.take_due(Time::now() + Duration::from_secs(1 << 32), &mut due);
    assert!(due.is_empty() && tokens.iter().all(|&token| queue.contains(token)));
    queue.take_due(Time::NEVER, &mut due);
    assert_eq!(due, [tokens[0], tokens[1], tokens[2], near], "the end of time, in order");
}
