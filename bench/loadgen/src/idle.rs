//! Mode `idle`: what connections that say nothing cost.

use crate::args::Args;
use crate::clock;
use crate::conn::Conn;
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

struct Idle<'a> {
    args: &'a Args,
    pattern: &'a Pattern,
    poller: Poller,
    conns: Vec<Conn>,
    buffer: Vec<u8>,
    faults: Faults,
}

pub(crate) fn run(args: &Args, server: Server, progress: &mut Progress) -> Result<Report, Failure> {
    let pattern = Pattern::new(args);
    let mut poller = Poller::new()?;
    let rss_before = server.rss_kib();
    let cpu_before = server.cpu();
    let conns = open::all(args, &pattern, &mut poller, progress)?;
    let opening_cpu = server.cpu().zip(cpu_before).map(|(end, start)| end - start);
    let mut idle =
        Idle { args, pattern: &pattern, poller, conns, buffer: vec![0; args.size + 1], faults: Faults::default() };
    let window = Window::new(server);
    idle.rest(progress)?;
    let spent = window.close();
    let opened = idle.conns.len();
    if !interrupt::asked() {
        idle.echo_once_more()?;
    }
    let held = idle.conns.iter().filter(|conn| !conn.dead).count();
    let mut report = Report::new(args, held, idle.faults);
    report.measured(spent, 0, &Histogram::new());
    report.whole_run((opened + held) as u64);
    report.idle(opened, rss_before, opening_cpu);
    Ok(report)
}

impl Idle<'_> {
    /// Leaves the connections alone; whatever the server does with one meanwhile is a fault.
    fn rest(&mut self, progress: &mut Progress) -> Result<(), Failure> {
        let start = clock::now();
        let length = clock::nanoseconds(self.args.dur);
        loop {
            let now = clock::now();
            if now - start >= length || interrupt::asked() {
                return Ok(());
            }
            let count = self.poller.wait(20)?;
            self.pull(count)?;
            progress.load(now - start, length, 0);
        }
    }

    /// Shows that every connection is still there.
    fn echo_once_more(&mut self) -> Result<(), Failure> {
        for index in 0..self.conns.len() {
            if self.conns[index].dead {
                continue;
            }
            self.conns[index].give(self.args.size);
            match self.conns[index].push(self.pattern) {
                Ok(()) => self.conns[index].rewatch(&self.poller)?,
                Err(fault) => {
                    self.faults.add(index, &fault);
                    self.conns[index].kill(&self.poller)?;
                }
            }
        }
        let patience = clock::nanoseconds(self.args.stall);
        let mut last = clock::now();
        loop {
            let waiting = self.conns.iter().filter(|conn| conn.due() > 0).count();
            if waiting == 0 || interrupt::asked() {
                return Ok(());
            }
            let count = self.poller.wait(50)?;
            self.pull(count)?;
            let now = clock::now();
            if count > 0 {
                last = now;
            } else if now - last > patience {
                self.faults.add_unreturned(waiting, self.args.stall);
                return Ok(());
            }
        }
    }

    /// Sends and receives on the connections that the last wait found ready.
    fn pull(&mut self, count: usize) -> Result<(), Failure> {
        for nth in 0..count {
            let index = self.poller.ready(nth).index;
            let conn = &mut self.conns[index];
            if conn.dead {
                continue;
            }
            let pushed = conn.push(self.pattern);
            let pulled = pushed.and_then(|()| conn.pull(self.pattern, &mut self.buffer));
            match pulled {
                Ok(_) => conn.rewatch(&self.poller)?,
                Err(fault) => {
                    self.faults.add(index, &fault);
                    conn.kill(&self.poller)?;
                }
            }
        }
        Ok(())
    }
}
