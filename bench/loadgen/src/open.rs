//! Opening many connections, a few at a time.

use crate::args::Args;
use crate::clock;
use crate::conn::{Conn, Fault};
use crate::connect;
use crate::failure::Failure;
use crate::interrupt;
use crate::pattern::Pattern;
use crate::poller::Poller;
use crate::progress::Progress;
use std::io;

/// Opens `args.conns` connections, each of which has one message echoed before it counts as open:
/// so the server has accepted it, and its listen backlog never holds more than `args.opening`.
/// Fewer are returned only if the run is interrupted. Any fault is a failure: without all its
/// connections the run is not the one that was asked for.
pub(crate) fn all(
    args: &Args,
    pattern: &Pattern,
    poller: &mut Poller,
    progress: &mut Progress,
) -> Result<Vec<Conn>, Failure> {
    let mut conns: Vec<Conn> = Vec::with_capacity(args.conns);
    // One byte more than is due, to see what was not sent.
    let mut buffer = vec![0; args.size + 1];
    let mut open = 0;
    let mut last = clock::now();
    let patience = clock::nanoseconds(args.stall);
    while open < args.conns && !interrupt::asked() {
        while conns.len() < args.conns && conns.len() - open < args.opening {
            let conn = begin(args, pattern, conns.len())?;
            conn.watch(poller)?;
            conns.push(conn);
        }
        let count = poller.wait(50)?;
        for nth in 0..count {
            let ready = poller.ready(nth);
            let conn = &mut conns[ready.index];
            let was_open = conn.settled();
            let stepped = step(conn, args, pattern, &mut buffer);
            let done = stepped.map_err(|fault| refused(args, ready.index, &fault))?;
            conn.rewatch(poller)?;
            open += usize::from(done && !was_open);
        }
        let now = clock::now();
        if count > 0 {
            last = now;
        } else if now - last > patience {
            return Err(Failure::new(format!(
                "the server at {} stopped answering: {open} of {} connections are open, and \
                 nothing came for {} s",
                args.server, args.conns, args.stall
            )));
        }
        progress.opening(now, open);
    }
    conns.retain(Conn::settled);
    Ok(conns)
}

/// Begins connection number `index`.
pub(crate) fn begin(args: &Args, pattern: &Pattern, index: usize) -> Result<Conn, Failure> {
    let from = (args.conns > connect::PER_ADDRESS).then(|| connect::source(index / connect::PER_ADDRESS));
    let stream = connect::begin(from, args.server).map_err(|error| refused(args, index, &Fault::Io(error)))?;
    Ok(Conn::new(stream, index, pattern.origin(index)))
}

/// Does what can be done on a connection whose first message is not back; true once it is.
pub(crate) fn step(conn: &mut Conn, args: &Args, pattern: &Pattern, buffer: &mut [u8]) -> Result<bool, Fault> {
    if conn.due() == 0 && !conn.settled() {
        conn.connected()?;
        conn.give(args.size);
    }
    conn.push(pattern)?;
    conn.pull(pattern, buffer)?;
    Ok(conn.settled())
}

/// Why a connection could not be opened, and what to do about it.
pub(crate) fn refused(args: &Args, index: usize, fault: &Fault) -> Failure {
    let server = args.server;
    Failure::new(match fault {
        Fault::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => format!(
            "nothing listens on {server} (connection refused): start the server first, or name \
             its port with --port"
        ),
        Fault::Io(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            format!("no free port left to connect to {server} from: wait a minute, or use fewer --conns")
        }
        fault => format!("connection {index} to {server} failed while it was opened: {fault}"),
    })
}
