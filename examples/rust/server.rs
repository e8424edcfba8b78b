//! An echo service on buffered streams, with limits and an orderly end:
//! `cargo run --release --example server -- HOST PORT` (port 0: the kernel's choice). SIGINT and SIGTERM drain it.

use std::io;
use std::time::Duration;

use fastsock::Reactor;
use fastsock::net::Listener;
use fastsock::server::ServerOptions;
use fastsock::stream::{StreamEvent, StreamOptions};

/// At most so many connections; the others wait in the listener's queue.
const CONNECTIONS: u32 = 10_000;
/// A connection on which so long nothing happens is closed.
const IDLE: Duration = Duration::from_secs(300);
/// The time that those connected have, when the service ends, to take what is queued for them and to close as well.
const DRAIN: Duration = Duration::from_secs(5);

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let (host, port) = (args.next().unwrap_or("127.0.0.1".into()), args.next().unwrap_or("7777".into()));
    let Ok(address) = format!("{host}:{port}").parse() else {
        eprintln!("usage: server [ADDRESS [PORT]], as in: server 127.0.0.1 7777 (not {host} {port})");
        std::process::exit(2);
    };
    let mut reactor = Reactor::<()>::new()?;
    let options = ServerOptions::new().connection_limit(CONNECTIONS).streams(StreamOptions::new().idle_timeout(IDLE));
    let listener = Listener::bind(address)?;
    println!("READY {:?}", listener.local_addr()?);
    let server = reactor.serve(listener, &options, |_, _, _| {
        // One for each connection. What it does not look at (the end, a time-out) closes the connection.
        Ok(|reactor: &mut Reactor<'_, ()>, _: &mut (), token, event: StreamEvent<'_>| match event {
            StreamEvent::Data(bytes) => reactor.stream(token)?.write(bytes),
            _ => Ok(()),
        })
    })?;
    for signal in [libc::SIGINT, libc::SIGTERM] {
        reactor.signal(signal, move |reactor, _, _, _| {
            // Asked twice, it ends at once.
            let drains =
                reactor.server(server).and_then(|mut server| server.drain(DRAIN, |reactor, _, _| reactor.stop()));
            if drains.is_err() {
                reactor.stop();
            }
        })?;
    }
    reactor.run(&mut ())
}
