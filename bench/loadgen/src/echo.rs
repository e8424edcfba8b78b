//! Mode `echo`: messages over connections that stay open.

use crate::args::Args;
use crate::clock;
use crate::conn::{Conn, Fault};
use crate::failure::Failure;
use crate::faults::Faults;
use crate::histogram::Histogram;
use crate::interrupt;
use crate::open;
use crate::pattern::Pattern;
use crate::poller::{Poller, Ready};
use crate::progress::Progress;
use crate::report::Report;
use crate::server::Server;
use crate::window::Window;

#[derive(PartialEq, Eq)]
enum Phase {
    Warm,
    Measured,
    /// Nothing more is sent; what is under way is waited for.
    Drain,
}

/// The messages of one connection.
#[derive(Clone, Default)]
struct Lane {
    /// Bytes back of the message that is next to be whole.
    partial: usize,
    /// Which of its time stamps is the oldest.
    oldest: usize,
    /// Messages given and not yet back.
    flight: usize,
}

struct Load<'a> {
    args: &'a Args,
    pattern: &'a Pattern,
    poller: Poller,
    conns: Vec<Conn>,
    lanes: Vec<Lane>,
    /// When each message under way was given, `depth` for each connection.
    stamps: Vec<u64>,
    buffer: Vec<u8>,
    histogram: Histogram,
    faults: Faults,
    messages: u64,
    /// Messages under way on all connections.
    flight: usize,
    /// Something came back since this was last looked at.
    moved: bool,
    sending: bool,
}

pub(crate) fn run(args: &Args, server: Server, progress: &mut Progress) -> Result<Report, Failure> {
    let pattern = Pattern::new(args);
    let mut poller = Poller::new()?;
    let conns = open::all(args, &pattern, &mut poller, progress)?;
    let mut load = Load {
        lanes: vec![Lane::default(); conns.len()],
        stamps: vec![0; conns.len() * args.depth],
        buffer: vec![0; args.size * args.depth],
        histogram: Histogram::new(),
        faults: Faults::default(),
        messages: 0,
        flight: 0,
        moved: false,
        sending: true,
        args,
        pattern: &pattern,
        poller,
        conns,
    };
    load.begin()?;
    load.go(server, progress)
}

impl Load<'_> {
    /// Fills every connection with its `depth` messages.
    fn begin(&mut self) -> Result<(), Failure> {
        let depth = self.args.depth;
        for index in 0..self.conns.len() {
            self.stamps[index * depth..][..depth].fill(clock::now());
            self.lanes[index].flight = depth;
            self.flight += depth;
            self.conns[index].give(self.args.size * depth);
            let pushed = self.conns[index].push(self.pattern);
            self.settle(index, pushed)?;
        }
        Ok(())
    }

    fn go(mut self, server: Server, progress: &mut Progress) -> Result<Report, Failure> {
        let patience = clock::nanoseconds(self.args.stall);
        let start = clock::now();
        let measure_at = start + clock::nanoseconds(self.args.warm);
        let stop_at = measure_at + clock::nanoseconds(self.args.dur);
        let mut phase = Phase::Warm;
        let mut window = Window::new(server);
        let mut last = start;
        let mut given_up = u64::MAX;
        let mut measured = None;
        let mut before = 0;
        loop {
            let count = self.poller.wait(50)?;
            let now = clock::now();
            if phase == Phase::Warm && now >= measure_at {
                phase = Phase::Measured;
                before = self.messages;
                self.messages = 0;
                self.histogram = Histogram::new();
                window = Window::new(server);
            }
            let gone = self.conns.iter().all(|conn| conn.dead);
            let stop = now >= stop_at || interrupt::asked() || gone;
            if phase != Phase::Drain && stop {
                phase = Phase::Drain;
                measured = Some((window.close(), self.messages));
                self.sending = false;
                given_up = now + patience.max(10 * clock::SECOND);
            }
            if phase == Phase::Drain && self.flight == 0 {
                break;
            }
            for nth in 0..count {
                let ready = self.poller.ready(nth);
                if !self.conns[ready.index].dead {
                    let exchanged = self.exchange(ready);
                    self.settle(ready.index, exchanged)?;
                }
            }
            if std::mem::take(&mut self.moved) {
                last = now;
            }
            if now - last > patience || now > given_up {
                self.faults.add_unreturned(self.flight, self.args.stall);
                break;
            }
            progress.load(now - start, stop_at - start, self.messages + before);
        }
        let (spent, messages) = measured.unwrap_or_else(|| (window.close(), self.messages));
        self.look_for_surplus()?;
        let held = self.conns.iter().filter(|conn| !conn.dead).count();
        let mut report = Report::new(self.args, held, self.faults);
        report.measured(spent, messages, &self.histogram);
        report.whole_run(self.conns.len() as u64 + before + self.messages);
        Ok(report)
    }

    /// Does what can be done on one connection that is ready.
    #[inline]
    fn exchange(&mut self, ready: Ready) -> Result<(), Fault> {
        let conn = &mut self.conns[ready.index];
        if ready.writable {
            conn.push(self.pattern)?;
        }
        if !ready.readable {
            return Ok(());
        }
        let count = conn.pull(self.pattern, &mut self.buffer)?;
        self.moved |= count > 0;
        let lane = &mut self.lanes[ready.index];
        lane.partial += count;
        if lane.partial < self.args.size {
            return Ok(());
        }
        let whole = lane.partial / self.args.size;
        lane.partial -= whole * self.args.size;
        let now = clock::now();
        let stamps = &mut self.stamps[ready.index * self.args.depth..][..self.args.depth];
        for _ in 0..whole {
            let stamp = &mut stamps[lane.oldest];
            self.histogram.add(now - *stamp);
            *stamp = now;
            lane.oldest += 1;
            if lane.oldest == stamps.len() {
                lane.oldest = 0;
            }
        }
        self.messages += whole as u64;
        if self.sending {
            conn.give(whole * self.args.size);
            return conn.push(self.pattern);
        }
        lane.flight -= whole;
        self.flight -= whole;
        Ok(())
    }

    /// After each step: a connection that went wrong is counted and left alone.
    #[inline]
    fn settle(&mut self, index: usize, result: Result<(), Fault>) -> Result<(), Failure> {
        match result {
            Ok(()) => self.conns[index].rewatch(&self.poller),
            Err(fault) => {
                self.faults.add(index, &fault);
                self.flight -= std::mem::take(&mut self.lanes[index].flight);
                self.conns[index].kill(&self.poller)
            }
        }
    }

    /// When all is back, nothing more may come: a byte, or an end, would be a fault.
    fn look_for_surplus(&mut self) -> Result<(), Failure> {
        if self.flight > 0 {
            return Ok(());
        }
        let count = self.poller.wait(20)?;
        for nth in 0..count {
            let index = self.poller.ready(nth).index;
            if !self.conns[index].dead {
                let pulled = self.conns[index].pull(self.pattern, &mut self.buffer);
                self.settle(index, pulled.map(|_| ()))?;
            }
        }
        Ok(())
    }
}
