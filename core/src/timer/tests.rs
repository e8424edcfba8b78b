use super::*;

/// What must hold after every step.
fn verify<T>(queue: &mut TimerQueue<T>) {
    let (mut standing, mut put_off) = (0, 0);
    for node in queue.heap.nodes() {
        if let Some(entry) = queue.entries.at_mut(node.slot()) {
            if entry.has(*node) {
                standing += 1;
                put_off += usize::from(entry.was_put_off());
                assert!(node.deadline() <= entry.deadline, "a node would come up too late");
            }
        }
    }
    let waiting = queue.entries.iter_mut().filter(|(_, entry)| entry.node.is_some()).count();
    assert_eq!(standing, waiting, "a timer without a node");
    assert_eq!((queue.outdated, queue.put_off), (queue.heap.len() - standing, put_off));
    if let Some(first) = queue.heap.first() {
        let entry = queue.entries.at_mut(first.slot()).unwrap();
        assert!(entry.has(first) && entry.deadline == first.deadline(), "the first is not right");
    }
    bounded(queue);
}

/// At most two nodes for each timer, or a few.
fn bounded<T>(queue: &TimerQueue<T>) {
    let (nodes, timers) = (queue.heap.len(), queue.len());
    assert!(nodes <= (2 * timers).max(timers + FEW), "{nodes} nodes for {timers} timers");
}

fn at(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

#[test]
fn the_order_of_equal_deadlines_outlives_the_counter() {
    let mut queue = TimerQueue::new();
    queue.order = NonZeroU32::new(u32::MAX - 3).unwrap();
    let tokens: Vec<Token> = (0..8).map(|i| queue.insert(at(7), i).unwrap()).collect();
    queue.rearm(tokens[1], at(7)).unwrap();
    queue.cancel(tokens[3]);
    let mut due = Vec::new();
    queue.take_due(at(7), &mut due);
    let values: Vec<i32> = due.iter().map(|token| *queue.get_mut(*token).unwrap()).collect();
    assert_eq!(values, [0, 2, 4, 5, 6, 7, 1]);
}

#[test]
fn what_was_put_off_keeps_its_turn_when_the_count_begins_anew() {
    for left in 0..20 {
        let mut queue = TimerQueue::new();
        queue.order = NonZeroU32::new(u32::MAX - left).unwrap();
        let tokens: Vec<Token> = (0..6).map(|i| queue.insert(at(10 + i), i).unwrap()).collect();
        for i in [4, 0, 5, 2] {
            queue.rearm(tokens[i], at(20)).unwrap();
            verify(&mut queue);
        }
        queue.rearm(tokens[5], at(1)).unwrap();
        queue.rearm(tokens[3], at(20)).unwrap();
        verify(&mut queue);
        let mut due = Vec::new();
        queue.take_due(at(20), &mut due);
        assert_eq!(due, [5, 1, 4, 0, 2, 3].map(|i: usize| tokens[i]), "{left}");
    }
}

#[test]
fn timeouts_that_are_always_put_off_or_cancelled_do_not_pile_up() {
    let mut queue = TimerQueue::new();
    let kept = queue.insert(at(1 << 40), 0).unwrap();
    for i in 0..100_000 {
        queue.rearm(kept, at((1 << 40) + i)).unwrap();
        let brief = queue.insert(at((1 << 41) - i), 1).unwrap();
        queue.rearm(brief, at((1 << 41) - 2 * i)).unwrap();
        queue.cancel(brief);
        bounded(&queue);
    }
    verify(&mut queue);
    assert_eq!((queue.len(), queue.next_deadline()), (1, Some(at((1 << 40) + 99_999))));
}

#[test]
fn timeouts_that_are_always_brought_forward_do_not_pile_up() {
    let mut queue = TimerQueue::new();
    let kept = queue.insert(at(1 << 40), 0).unwrap();
    for i in 0..10_000 {
        queue.rearm(kept, at((1 << 40) - i)).unwrap();
        let brief = queue.insert(at(1 << 41), 1).unwrap();
        queue.rearm(brief, at(1)).unwrap();
        queue.cancel(brief);
        verify(&mut queue);
    }
    assert_eq!(queue.next_deadline(), Some(at((1 << 40) - 9_999)));
}

/// Re-arms every one of a thousand timers, again and again; the deadlines are these of the round and the timer.
fn rounds(deadline: impl Fn(u64, u64) -> u64) {
    let mut queue = TimerQueue::new();
    let tokens: Vec<Token> = (0..1000).map(|i| queue.insert(at(deadline(0, i)), i).unwrap()).collect();
    for round in 1..50 {
        for (i, &token) in (0..).zip(&tokens) {
            queue.rearm(token, at(deadline(round, i))).unwrap();
            bounded(&queue);
        }
        verify(&mut queue);
        assert_eq!(queue.next_deadline(), (0..1000).map(|i| at(deadline(round, i))).min());
    }
    for &token in &tokens {
        queue.cancel(token);
        bounded(&queue);
    }
    verify(&mut queue);
    assert!(queue.is_empty() && queue.next_deadline().is_none());
}

#[test]
fn the_worst_orders_of_setting_anew_leave_few_outdated_nodes() {
    const FAR: u64 = 1 << 40;
    // All earlier than before: the first of a round becomes the first of all, or each does.
    rounds(|round, i| FAR - round * 1000 + i);
    rounds(|round, i| FAR - round * 1000 - i);
    // Always the first is put off, to the end: idle timeouts of one length.
    rounds(|round, i| round * 1000 + i);
    // To and fro.
    rounds(|round, i| if round % 2 == 0 { FAR + i } else { 1000 - i });
    rounds(|round, i| if (round + i) % 2 == 0 { FAR - i } else { i });
    // All alike.
    rounds(|_, _| 7);
}

#[test]
fn the_counts_are_right_after_every_step() {
    let mut queue = TimerQueue::new();
    let mut tokens = Vec::new();
    let (mut due, mut state) = (Vec::new(), 7_u64);
    let mut below = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    for step in 0..20_000 {
        let token = tokens.get(below(200) as usize).copied();
        match (below(8), token) {
            (0, Some(token)) => drop(queue.cancel(token)),
            // Now earlier, now later; often twice before the heap learns of it.
            (1..=5, Some(token)) => drop(queue.rearm(token, at(step + below(5000)))),
            (6, Some(_)) => queue.take_due(at(step), &mut due),
            _ => {
                let token = queue.insert(at(step + below(2000)), ()).unwrap();
                match tokens.iter_mut().find(|token| !queue.contains(**token)) {
                    Some(stale) => *stale = token,
                    None => tokens.push(token),
                }
            }
        }
        verify(&mut queue);
    }
    assert!(!due.is_empty() && queue.len() > 100);
}

/// Puts each of ten thousand timers off, in an order that a step gives, and counts the nodes that are moved one by one.
fn moves(step: usize) -> usize {
    const COUNT: usize = 10_000;
    let mut queue = TimerQueue::new();
    let tokens: Vec<Token> = (0..COUNT).map(|i| queue.insert(at(i as u64), ()).unwrap()).collect();
    let mut moves = 0;
    for i in 0..COUNT {
        let before = queue.moved;
        let i = i * step % COUNT;
        queue.rearm(tokens[i], at((COUNT + i) as u64)).unwrap();
        // After a sweep the count begins anew.
        moves += queue.moved.checked_sub(before).unwrap_or(COUNT / MOVE + queue.moved);
    }
    verify(&mut queue);
    assert_eq!(queue.next_deadline(), Some(at(COUNT as u64)));
    moves
}

#[test]
fn when_all_are_put_off_they_are_put_right_in_one_go() {
    for step in [7919, 6_007, 4_421] {
        let moves = moves(step);
        assert!(moves <= 10_000 / 4, "{moves}");
    }
    assert_eq!(moves(1), 10_000, "always the first, and nothing else is to be put right");
}

#[test]
fn ever_nearer_deadlines_and_cancelling_in_either_direction_leave_few_outdated_nodes() {
    for backwards in [false, true] {
        let mut queue = TimerQueue::new();
        let mut tokens: Vec<Token> = (0..5000).map(|i| queue.insert(at((1 << 40) - i), ()).unwrap()).collect();
        if backwards {
            tokens.reverse();
        }
        for (i, token) in tokens.into_iter().enumerate() {
            queue.cancel(token);
            bounded(&queue);
            if i % 100 == 0 {
                verify(&mut queue);
            }
        }
        verify(&mut queue);
    }
}

#[test]
fn what_is_due_has_no_node_whatever_happens_to_it_then() {
    let mut queue = TimerQueue::new();
    let tokens: Vec<Token> = (0..1000).map(|i| queue.insert(at(i), i).unwrap()).collect();
    let mut due = Vec::new();
    queue.take_due(at(499), &mut due);
    assert!(due.iter().eq(&tokens[..500]));
    verify(&mut queue);
    for (i, &token) in due.iter().enumerate() {
        match i % 3 {
            0 => drop(queue.cancel(token)),
            1 => queue.rearm(token, at(i as u64)).unwrap(),
            _ => assert_eq!(queue.deadline(token), Some(at(i as u64))),
        }
        verify(&mut queue);
    }
    assert_eq!(queue.heap.len(), 500 + 167);
}

#[test]
fn a_timer_with_a_value_of_eight_bytes_is_half_a_cache_line() {
    assert_eq!(size_of::<Entry<u64>>(), 24);
    assert_eq!(size_of::<Option<Entry<u64>>>(), 24, "an empty slot costs nothing more");
    assert_eq!(size_of::<Node>(), 16);
}
