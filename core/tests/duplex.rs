//! Both directions of a connection at once, with interests that come and go: only what is asked for is reported, and every
//! byte arrives.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use common::{LONG, Random, for_each_backend, tcp_streams};
use fastsock::{Backend, Event, Interest, Poller, Token, Trigger};

const BYTES: usize = 1 << 20;

/// The byte at this place of what is sent.
fn pattern(place: usize) -> u8 {
    (place % 251) as u8
}

/// One end of the connection.
struct End<'s> {
    stream: &'s TcpStream,
    token: Token,
    interest: Interest,
    left_to_send: usize,
    sent: usize,
    received: usize,
    /// It has read to the end of the stream.
    ended: bool,
}

impl End<'_> {
    fn wanted(&self) -> Interest {
        let read = if self.ended { Interest::NONE } else { Interest::READABLE };
        let write = if self.left_to_send > 0 { Interest::WRITABLE } else { Interest::NONE };
        read | write
    }

    fn is_done(&self) -> bool {
        self.wanted().is_none()
    }

    /// Reads and writes a piece of some length, as the event allows.
    fn go_on(&mut self, backend: Backend, event: Event, random: &mut Random) {
        let mut buffer = [0; 40_000];
        if backend != Backend::Select {
            // Select folds what nobody asked for (HUP, ERR) into READ and WRITE.
            assert!(self.interest.is_readable() || !event.ready().contains(fastsock::Ready::READ), "{event:?}");
            assert!(self.interest.is_writable() || !event.ready().contains(fastsock::Ready::WRITE), "{event:?}");
        }
        if self.interest.is_readable() && event.is_readable() && !self.ended {
            let most = 1 + random.below(buffer.len());
            match self.stream.read(&mut buffer[..most]) {
                Ok(0) => self.ended = true,
                Ok(n) => {
                    let whole = buffer[..n].iter().enumerate().all(|(i, &byte)| byte == pattern(self.received + i));
                    assert!(whole, "bytes {} to {} are not those sent", self.received, self.received + n);
                    self.received += n;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        if self.interest.is_writable() && event.is_writable() && self.left_to_send > 0 {
            let most = 1 + random.below(buffer.len().min(self.left_to_send));
            buffer[..most].iter_mut().enumerate().for_each(|(i, byte)| *byte = pattern(self.sent + i));
            match self.stream.write(&buffer[..most]) {
                Ok(n) => (self.sent, self.left_to_send) = (self.sent + n, self.left_to_send - n),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            if self.left_to_send == 0 {
                self.stream.shutdown(Shutdown::Write).unwrap();
            }
        }
    }
}

/// Sends so many bytes each way, changing the interests at random; also after an edge or a one-shot, which a change arms again.
fn transfer(backend: Backend, trigger: Trigger, sizes: [usize; 2], random: &mut Random) {
    let (a, b) = tcp_streams();
    let mut poller = Poller::with_backend(backend).unwrap();
    let mut ends = [&a, &b].map(|stream| {
        let token = poller.add(stream.as_fd(), Interest::NONE, trigger).unwrap();
        End { stream, token, interest: Interest::NONE, left_to_send: 0, sent: 0, received: 0, ended: false }
    });
    for (end, size) in ends.iter_mut().zip(sizes) {
        end.left_to_send = size;
        if size == 0 {
            end.stream.shutdown(Shutdown::Write).unwrap();
        }
    }
    let mut events = Vec::new();
    while !ends.iter().all(End::is_done) {
        if poller.wait(&mut events, Some(Duration::ZERO)).unwrap() == 0 {
            // Nobody asks for what could be done: now all do.
            for end in &mut ends {
                end.interest = end.wanted();
                poller.modify(end.token, end.interest, trigger).unwrap();
            }
            assert!(poller.wait(&mut events, Some(LONG)).unwrap() > 0, "nothing in {LONG:?}");
        }
        for &event in &events {
            let end = ends.iter_mut().find(|end| end.token == event.token()).unwrap();
            end.go_on(backend, event, random);
            let wanted = end.wanted();
            end.interest = match random.below(4) {
                0 if wanted.is_readable() => Interest::READABLE,
                1 if wanted.is_writable() => Interest::WRITABLE,
                2 => Interest::NONE,
                _ => wanted,
            };
            poller.modify(end.token, end.interest, trigger).unwrap();
        }
    }
    assert_eq!([ends[1].received, ends[0].received], sizes);
}

fn triggers(backend: Backend) -> Vec<Trigger> {
    let mut triggers = vec![Trigger::Level, Trigger::OneShot];
    if backend.has_edge() {
        triggers.push(Trigger::Edge);
    }
    triggers
}

#[test]
fn both_directions_at_once_lose_nothing_while_interests_come_and_go() {
    let mut random = Random::new();
    let random = std::cell::RefCell::new(&mut random);
    for_each_backend(|backend| {
        for trigger in triggers(backend) {
            transfer(backend, trigger, [BYTES, BYTES], &mut random.borrow_mut());
        }
    });
}

#[test]
fn one_direction_loses_nothing_while_the_other_has_ended() {
    let mut random = Random::new();
    let random = std::cell::RefCell::new(&mut random);
    for_each_backend(|backend| {
        for trigger in triggers(backend) {
            transfer(backend, trigger, [BYTES, 0], &mut random.borrow_mut());
            transfer(backend, trigger, [0, BYTES], &mut random.borrow_mut());
        }
    });
}
