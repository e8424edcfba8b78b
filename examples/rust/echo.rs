//! An echo service on the callback reactor: `cargo run --release --example echo -- [HOST] [PORT]` (port 0: the kernel's choice).

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use fastsock::net::Listener;
use fastsock::{Event, Interest, Reactor, Trigger};

/// Shared by all connections: what was received is gone again before the next callback.
type Buffer = Box<[u8]>;

/// What a peer that reads too slowly has still to get.
#[derive(Default)]
struct Backlog(Vec<u8>);

fn echo(
    reactor: &mut Reactor<Buffer>,
    buffer: &mut Buffer,
    stream: &mut TcpStream,
    backlog: &mut Backlog,
    event: Event,
) {
    let step = if backlog.0.is_empty() { receive(stream, buffer, backlog) } else { flush(stream, backlog) };
    let waiting = !backlog.0.is_empty();
    let done = match step {
        // While something waits to be sent, nothing more is received: memory stays bounded.
        Ok(true) if waiting => reactor.modify(event.token(), Interest::WRITABLE, Trigger::Level).is_err(),
        Ok(true) if !event.is_readable() => reactor.modify(event.token(), Interest::READABLE, Trigger::Level).is_err(),
        Ok(open) => !open,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    };
    if done {
        reactor.remove(event.token());
    }
}

fn receive(stream: &mut TcpStream, buffer: &mut [u8], backlog: &mut Backlog) -> io::Result<bool> {
    let n = stream.read(buffer)?;
    let sent = if n == 0 { return Ok(false) } else { or_zero(stream.write(&buffer[..n]))? };
    backlog.0.extend_from_slice(&buffer[sent..n]);
    Ok(true)
}

fn flush(stream: &mut TcpStream, backlog: &mut Backlog) -> io::Result<bool> {
    let sent = or_zero(stream.write(&backlog.0))?;
    backlog.0.drain(..sent);
    Ok(true)
}

fn or_zero(sent: io::Result<usize>) -> io::Result<usize> {
    sent.or_else(|error| if error.kind() == ErrorKind::WouldBlock { Ok(0) } else { Err(error) })
}

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let (host, port) = (args.next().unwrap_or("127.0.0.1".into()), args.next().unwrap_or("7777".into()));
    let address = format!("{host}:{port}").parse().map_err(|e| io::Error::new(ErrorKind::InvalidInput, e))?;
    let mut reactor = Reactor::new()?;
    let listener = Listener::bind(address)?;
    println!("READY {:?}", listener.local_addr()?);
    reactor.listen(listener, |reactor: &mut Reactor<Buffer>, _, connection| {
        let stream = TcpStream::from(connection?.into_fd());
        stream.set_nodelay(true)?;
        let mut backlog = Backlog::default();
        let callback =
            move |r: &mut Reactor<Buffer>, b: &mut Buffer, s: &mut TcpStream, e| echo(r, b, s, &mut backlog, e);
        reactor.add(stream, Interest::READABLE, Trigger::Level, callback)?;
        Ok(())
    })?;
    reactor.run(&mut vec![0; 65536].into())
}
