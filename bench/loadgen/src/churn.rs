//! Mode `churn`: connect, one message there and back, close; again and again.

use crate::args::Args;
use crate::clock;
use crate::conn::{Conn, Fault};
use crate::connect;
use crate::failure::Failure;
use crate::faults::Faults;
use crate::histogram::Histogram;
use crate::interrupt;
use crate::open;
use crate::pattern::Pattern;
use crate::poller::Poller;
use crate::progress::Progress;
use crate::report::Report;
use crate::server::Server;
use crate::window::Window;

/// A run with more faults than this ends.
const TOO_MANY: u64 = 100;

/// A connection and when it was begun.
struct Visit {
    conn: Conn,
    begun: u64,
}

struct Churn<'a> {
    args: &'a Args,
    pattern: &'a Pattern,
    poller: Poller,
    visits: Vec<Option<Visit>>,
    buffer: Vec<u8>,
    histogram: Histogram,
    faults: Faults,
    /// Connections begun, whole and broken.
    begun: usize,
    /// Connections whose message came back.
    done: u64,
    under_way: usize,
}

pub(crate) fn run(args: &Args, server: Server, progress: &mut Progress) -> Result<Report, Failure> {
    let pattern = Pattern::new(args);
    let churn = Churn {
        args,
        pattern: &pattern,
        poller: Poller::new()?,
        visits: (0..args.conns).map(|_| None).collect(),
        // One byte more than is due, to see what was not sent.
        buffer: vec![0; args.size + 1],
        histogram: Histogram::new(),
        faults: Faults::default(),
        begun: 0,
        done: 0,
        under_way: 0,
    };
    churn.go(server, progress)
}

impl Churn<'_> {
    fn go(mut self, server: Server, progress: &mut Progress) -> Result<Report, Failure> {
        let patience = clock::nanoseconds(self.args.stall);
        let start = clock::now();
        let measure_at = start + clock::nanoseconds(self.args.warm);
        let stop_at = measure_at + clock::nanoseconds(self.args.dur);
        let mut window = Window::new(server);
        let mut warm = true;
        let mut before = 0;
        let mut last = start;
        let mut measured = None;
        for slot in 0..self.visits.len() {
            self.begin(slot)?;
        }
        loop {
            let count = self.poller.wait(50)?;
            let now = clock::now();
            if warm && now >= measure_at {
                warm = false;
                before = self.done;
                self.done = 0;
                self.histogram = Histogram::new();
                window = Window::new(server);
            }
            let stop = now >= stop_at || interrupt::asked() || self.faults.total() > TOO_MANY;
            if measured.is_none() && stop {
                measured = Some((window.close(), self.done));
            }
            if measured.is_some() && self.under_way == 0 {
                break;
            }
            for nth in 0..count {
                let slot = self.poller.ready(nth).index;
                if self.step(slot)? && measured.is_none() {
                    self.begin(slot)?;
                }
            }
            if count > 0 {
                last = now;
            } else if now - last > patience {
                let waiting = self.under_way;
                self.faults.add_unreturned(waiting, self.args.stall);
                break;
            }
            progress.load(now - start, stop_at - start, self.done + before);
        }
        let (spent, done) = measured.unwrap_or_else(|| (window.close(), self.done));
        let mut report = Report::new(self.args, self.args.conns, self.faults);
        report.measured(spent, done, &self.histogram);
        report.whole_run(before + self.done);
        Ok(report)
    }

    /// Begins the next connection in this slot.
    fn begin(&mut self, slot: usize) -> Result<(), Failure> {
        let number = self.begun;
        self.begun += 1;
        let begun = clock::now();
        match connect::begin(Some(connect::source(number)), self.args.server) {
            Ok(stream) => {
                let conn = Conn::new(stream, slot, self.pattern.origin(number));
                conn.watch(&self.poller)?;
                self.visits[slot] = Some(Visit { conn, begun });
                self.under_way += 1;
                Ok(())
            }
            // In the middle of a run this is no more to be expected than at its beginning.
            Err(error) => Err(open::refused(self.args, number, &Fault::Io(error))),
        }
    }

    /// Does what can be done in this slot; true once its connection is over and closed.
    fn step(&mut self, slot: usize) -> Result<bool, Failure> {
        let Some(visit) = &mut self.visits[slot] else {
            return Ok(false);
        };
        match open::step(&mut visit.conn, self.args, self.pattern, &mut self.buffer) {
            Ok(false) => {
                visit.conn.rewatch(&self.poller)?;
                return Ok(false);
            }
            Ok(true) => {
                self.histogram.add(clock::now() - visit.begun);
                self.done += 1;
            }
            Err(fault) if self.histogram.longest() == 0 && self.faults.total() == 0 => {
                return Err(open::refused(self.args, self.begun - 1, &fault));
            }
            Err(fault) => self.faults.add(slot, &fault),
        }
        self.visits[slot] = None;
        self.under_way -= 1;
        Ok(true)
    }
}
