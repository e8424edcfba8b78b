use std::io;

use crate::chain::{ACTIVE, Chain, WRITES};
use crate::driver::{Calloop, Mio, Poller, Polling, Raw, Reactor};
use crate::harvest::Harvest;
use crate::registration::Registration;
use crate::timers::{self, Cycle};
use crate::wake::{RoundTrip, WakeAndTurn, WakePending};
use crate::{Case, Clock, Contender, Trigger};

/// Something that every contender is made to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// So many level-triggered sources are ready at each wait, and nothing is read.
    Level(usize),
    /// So many edge-triggered sources have become ready before each wait.
    Edge(usize),
    /// A source is registered and removed again.
    Register,
    /// A loop is woken that a wake-up is on its way to already.
    WakePending,
    /// A loop is woken and turns, on one thread.
    Wake,
    /// Two threads wake one another.
    RoundTrip,
    /// The chain of libevent's bench.c, over so many socket pairs.
    Chain(usize),
    /// So many timers are set, set anew, put off and cancelled.
    Timers(usize),
}

/// Builds a case over the driver that a contender stands for.
macro_rules! over_driver {
    ($contender:expr, $case:ident :: new($($argument:expr),*)) => {
        match $contender {
            Contender::Raw => Box::new($case::<Raw>::new($($argument),*)?) as Box<dyn Case>,
            Contender::Poller => Box::new($case::<Poller>::new($($argument),*)?),
            Contender::Reactor => Box::new($case::<Reactor<_>>::new($($argument),*)?),
            Contender::Mio => Box::new($case::<Mio>::new($($argument),*)?),
            Contender::Polling => Box::new($case::<Polling>::new($($argument),*)?),
            Contender::Calloop => Box::new($case::<Calloop<_>>::new($($argument),*)?),
            Contender::Queue | Contender::Libev => return Err(not_here($contender)),
        }
    };
}

fn not_here(contender: Contender) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("{contender} has no part in this workload, or in this build"))
}

impl Workload {
    /// All of them, in the order of the tables.
    pub const ALL: [Workload; 14] = [
        Workload::Level(1),
        Workload::Level(64),
        Workload::Level(1000),
        Workload::Edge(64),
        Workload::Edge(1000),
        Workload::Register,
        Workload::WakePending,
        Workload::Wake,
        Workload::RoundTrip,
        Workload::Chain(100),
        Workload::Chain(1000),
        Workload::Chain(8000),
        Workload::Timers(1000),
        Workload::Timers(1_000_000),
    ];

    /// The name on the command line.
    pub fn name(self) -> String {
        match self {
            Workload::Level(ready) => format!("level-{ready}"),
            Workload::Edge(ready) => format!("edge-{ready}"),
            Workload::Register => "register".into(),
            Workload::WakePending => "wake-pending".into(),
            Workload::Wake => "wake".into(),
            Workload::RoundTrip => "round-trip".into(),
            Workload::Chain(pairs) => format!("chain-{pairs}"),
            Workload::Timers(count) => format!("timers-{count}"),
        }
    }

    /// What it is, in a sentence.
    pub fn what(self) -> String {
        match self {
            Workload::Level(1) => "one level-triggered source is ready at each wait; harvest and dispatch".into(),
            Workload::Level(ready) => {
                format!("{ready} level-triggered sources are ready at each wait; harvest and dispatch")
            }
            Workload::Edge(ready) => {
                format!("{ready} edge-triggered sources become ready before each wait; harvest and dispatch")
            }
            Workload::Register => "register a source and remove it, 1,000 others being registered".into(),
            Workload::WakePending => "wake a loop once more, before it has seen the last wake-up".into(),
            Workload::Wake => "wake a loop and let it turn, on one thread".into(),
            Workload::RoundTrip => "two threads wake one another, there and back".into(),
            Workload::Chain(pairs) => {
                format!("chain over {pairs} socket pairs: {ACTIVE} active, {WRITES} writes, each read and passed on")
            }
            Workload::Timers(count) => format!("{count} timers, one to 60 seconds away, in random order"),
        }
    }

    /// What is not the same for all, or else worth knowing; `None`: nothing.
    pub fn note(self) -> Option<&'static str> {
        match self {
            Workload::Level(_) => Some("mio is edge-triggered only: see the edge workloads."),
            Workload::Edge(_) => Some("The writes that make the edges are not timed."),
            Workload::Register => Some("mio registers an edge, all others a level."),
            Workload::WakePending => Some(
                "epoll by hand writes to its eventfd each time, and so does mio; the others know that they need not.",
            ),
            Workload::Chain(_) => Some("mio is edge-triggered: its handler reads once more, until that would block."),
            Workload::Timers(count) if count > CALLOOP_TIMERS => {
                Some("calloop is left out: each timer that it sets or cancels costs O(n).")
            }
            _ => None,
        }
    }

    /// What one figure is about.
    pub fn unit(self) -> &'static str {
        match self {
            Workload::Level(_) | Workload::Edge(_) | Workload::Chain(_) => "event",
            Workload::Register => "pair",
            Workload::WakePending | Workload::Wake => "wake-up",
            Workload::RoundTrip => "round trip",
            Workload::Timers(_) => "timer",
        }
    }

    /// How many of these a turn has.
    pub fn units(self) -> u64 {
        match self {
            Workload::Level(ready) | Workload::Edge(ready) => ready as u64,
            Workload::Chain(_) => ACTIVE as u64 + WRITES,
            Workload::Timers(count) => count as u64,
            _ => 1,
        }
    }

    /// Its parts, each measured apart; one without a name where there is only one.
    pub fn parts(self) -> &'static [&'static str] {
        match self {
            Workload::Timers(_) => &timers::PARTS,
            _ => &[""],
        }
    }

    /// What it is timed with.
    pub fn clock(self) -> Clock {
        match self {
            Workload::RoundTrip => Clock::Wall,
            _ => Clock::Cpu,
        }
    }

    /// The workload in which instructions are counted for this one; `None` where they say nothing.
    pub fn counted(self) -> Option<Workload> {
        match self {
            // Scheduling is not theirs.
            Workload::RoundTrip => None,
            // The others differ in the kernel's part alone.
            Workload::Edge(1000) | Workload::Chain(1000) | Workload::Chain(8000) => None,
            // callgrind is slow; more timers only make the heap deeper.
            Workload::Timers(count) => Some(Workload::Timers(count.min(100_000))),
            other => Some(other),
        }
    }

    /// Who takes part; the first is what the others are compared with.
    pub fn contenders(self) -> Vec<Contender> {
        use Contender::*;
        match self {
            Workload::Level(_) => vec![Raw, Poller, Reactor, Polling, Calloop],
            Workload::Timers(count) => {
                let mut all = if cfg!(feature = "libev") { vec![Libev, Queue] } else { vec![Queue] };
                all.push(Reactor);
                if count <= CALLOOP_TIMERS {
                    all.push(Calloop);
                }
                all
            }
            _ => vec![Raw, Poller, Reactor, Mio, Polling, Calloop],
        }
    }

    /// Sets it up for one contender.
    ///
    /// # Errors
    /// Those of the system calls (`EMFILE`: see [`raise_open_file_limit`](crate::raise_open_file_limit)); `Unsupported`
    /// for a contender that has no part in it.
    pub fn build(self, contender: Contender) -> io::Result<Box<dyn Case>> {
        if !self.contenders().contains(&contender) {
            return Err(not_here(contender));
        }
        Ok(match self {
            Workload::Level(ready) => over_driver!(contender, Harvest::new(ready, Trigger::Level)),
            Workload::Edge(ready) => over_driver!(contender, Harvest::new(ready, Trigger::Edge)),
            Workload::Register => over_driver!(contender, Registration::new()),
            Workload::WakePending => over_driver!(contender, WakePending::new()),
            Workload::Wake => over_driver!(contender, WakeAndTurn::new()),
            Workload::RoundTrip => over_driver!(contender, RoundTrip::new()),
            Workload::Chain(pairs) => over_driver!(contender, Chain::new(pairs)),
            Workload::Timers(count) => match contender {
                #[cfg(feature = "libev")]
                Contender::Libev => Box::new(Cycle::<timers::Libev>::new(count)?),
                Contender::Queue => Box::new(Cycle::<timers::Queue>::new(count)?),
                Contender::Reactor => Box::new(Cycle::<timers::Reactor>::new(count)?),
                Contender::Calloop => Box::new(Cycle::<timers::Calloop>::new(count)?),
                other => return Err(not_here(other)),
            },
        })
    }

    /// How many open files it needs.
    pub fn open_files(self) -> u64 {
        let sources = match self {
            Workload::Level(ready) | Workload::Edge(ready) => ready,
            Workload::Register => 1001,
            Workload::Chain(pairs) => 2 * pairs,
            _ => 0,
        };
        // Those of the loops, and standard input, output and error; with some to spare.
        sources as u64 + 64
    }
}

/// No more timers than this for calloop.
const CALLOOP_TIMERS: usize = 1000;

/// The version of libev, if it is in this build.
pub fn libev_version() -> Option<String> {
    #[cfg(feature = "libev")]
    return Some(timers::libev_version());
    #[cfg(not(feature = "libev"))]
    None
}
