//! An echo service on the callback reactor: `cargo run --release --example echo -- HOST PORT` (port 0: the kernel's choice).

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use fastsock::net::Listener;
use fastsock::{Interest, Reactor, Token, Trigger};

/// Shared by all connections: what was received is sent, or in its connection's backlog, before the next callback.
type Buffer = Vec<u8>;

/// One receive and one send. The backlog is what a slow reader has still to get: while there is one, nothing more is
/// received, so that memory stays bounded.
fn echo(
    reactor: &mut Reactor<'_, Buffer>,
    buffer: &mut Buffer,
    stream: &mut TcpStream,
    backlog: &mut Vec<u8>,
    token: Token,
) -> io::Result<()> {
    if !backlog.is_empty() {
        backlog.drain(..send(stream, backlog)?);
        return if backlog.is_empty() { reactor.modify(token, Interest::READABLE, Trigger::Level) } else { Ok(()) };
    }
    let received = match stream.read(buffer)? {
        0 => return Err(ErrorKind::UnexpectedEof.into()),
        n => &buffer[..n],
    };
    let sent = send(stream, received)?;
    if sent < received.len() {
        backlog.extend_from_slice(&received[sent..]);
        reactor.modify(token, Interest::WRITABLE, Trigger::Level)?;
    }
    Ok(())
}

fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    stream.write(bytes).or_else(|error| if error.kind() == ErrorKind::WouldBlock { Ok(0) } else { Err(error) })
}

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let (host, port) = (args.next().unwrap_or("127.0.0.1".into()), args.next().unwrap_or("7777".into()));
    let listener = Listener::bind(format!("{host}:{port}").parse().map_err(io::Error::other)?)?;
    println!("READY {:?}", listener.local_addr()?);
    let mut reactor = Reactor::new()?;
    reactor.listen(listener, |reactor: &mut Reactor<'_, Buffer>, _, connection| {
        let (stream, mut backlog) = (TcpStream::from(connection?.into_fd()), Vec::new());
        stream.set_nodelay(true)?;
        reactor.add(stream, Interest::READABLE, Trigger::Level, move |reactor, buffer, stream, event| {
            match echo(reactor, buffer, stream, &mut backlog, event.token()) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => drop(reactor.remove(event.token())),
                _ => {}
            }
        })?;
        Ok(())
    })?;
    reactor.run(&mut vec![0; 65536])
}
