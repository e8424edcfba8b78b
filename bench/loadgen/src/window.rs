//! The measured part of a run: clocks read at its beginning and at its end.

use crate::clock;
use crate::server::Server;

#[derive(Clone, Copy)]
struct Reading {
    at: u64,
    own_cpu: u64,
    server_cpu: Option<u64>,
}

impl Reading {
    fn take(server: Server) -> Reading {
        Reading { at: clock::now(), own_cpu: clock::own_cpu(), server_cpu: server.cpu() }
    }
}

/// Open from `new` until `close`.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    server: Server,
    first: Reading,
}

/// What a window showed.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) seconds: f64,
    /// CPU seconds of the load generator itself.
    pub(crate) own_cpu: f64,
    /// CPU seconds of the server.
    pub(crate) server_cpu: Option<f64>,
    pub(crate) server_threads: Option<u64>,
    pub(crate) server_rss_kib: Option<u64>,
}

impl Window {
    pub(crate) fn new(server: Server) -> Window {
        Window { server, first: Reading::take(server) }
    }

    pub(crate) fn close(self) -> Spent {
        let last = Reading::take(self.server);
        let server_cpu = last.server_cpu.zip(self.first.server_cpu);
        Spent {
            seconds: clock::seconds(last.at - self.first.at),
            own_cpu: clock::seconds(last.own_cpu - self.first.own_cpu),
            server_cpu: server_cpu.map(|(end, start)| clock::seconds(end.saturating_sub(start))),
            server_threads: self.server.threads(),
            server_rss_kib: self.server.rss_kib(),
        }
    }
}
