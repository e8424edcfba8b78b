//! The echo example, built as a user builds it and driven hard: level and edge, every byte compared.
#![allow(missing_docs, clippy::unwrap_used)]

mod toolchain;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use toolchain::{C, CPP, EXAMPLES, compile};

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(program: &Path, backend: &str, args: &[&str]) -> Server {
        let mut command = Command::new(program);
        command.args(["127.0.0.1", "0"]).args(args).env("FASTSOCK_BACKEND", backend);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port = line.strip_prefix("READY ").unwrap_or_else(|| panic!("{line:?}")).trim().parse().unwrap();
        Server { child, port }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        // So that a server that hangs fails the test instead of hanging it.
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes that differ with the connection and the place.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len).map(|i| (i.wrapping_mul(31) ^ (i >> 8) ^ seed.wrapping_mul(97)) as u8).collect()
}

fn exchange(stream: &mut TcpStream, message: &[u8]) {
    stream.write_all(message).unwrap();
    let mut answer = vec![0; message.len()];
    stream.read_exact(&mut answer).unwrap();
    assert!(answer == message, "other bytes came back than were sent");
}

fn messages_of_every_size(server: &Server) {
    let mut stream = server.connect();
    for len in [1, 2, 1000, 65535, 65536, 65537, 131_072, 200_000] {
        exchange(&mut stream, &pattern(len, len));
    }
}

fn many_connections(server: &Server) {
    let mut streams: Vec<TcpStream> = (0..200).map(|_| server.connect()).collect();
    for round in 0..20 {
        for (i, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&pattern(i + round, 1024)).unwrap();
        }
        for (i, stream) in streams.iter_mut().enumerate() {
            let mut answer = [0; 1024];
            stream.read_exact(&mut answer).unwrap();
            assert!(answer[..] == pattern(i + round, 1024), "connection {i}, round {round}");
        }
        // Some leave, others come.
        for stream in streams.iter_mut().step_by(20) {
            *stream = server.connect();
        }
    }
}

/// 32 MiB go in before the client reads anything: the server has to stop receiving, and lose nothing.
fn a_slow_reader(server: &Server) {
    let message = pattern(7, 32 << 20);
    let mut stream = server.connect();
    let mut writer = stream.try_clone().unwrap();
    let sent = message.clone();
    let mut other = server.connect();
    writer.set_nonblocking(true).unwrap();
    // Until the server takes no more, though it has had turn after turn, in which others were served: it has stopped.
    let (mut written, mut refused) = (0, 0);
    while written < sent.len() && refused < 50 {
        match writer.write(&sent[written..]) {
            Ok(n) => (written, refused) = (written + n, 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                exchange(&mut other, b"meanwhile");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(written < sent.len(), "the server took all of it, though nobody reads");
    writer.set_nonblocking(false).unwrap();
    let writing = thread::spawn(move || writer.write_all(&sent[written..]).unwrap());
    assert!(resident(server) < 16 << 20, "the server holds {} bytes", resident(server));
    let mut answer = vec![0; message.len()];
    stream.read_exact(&mut answer).unwrap();
    assert!(answer == message, "other bytes came back than were sent");
    writing.join().unwrap();
    // The line is as good as new.
    exchange(&mut stream, b"and on");
}

/// The end is seen with and without bytes before it, and what came before it is answered.
fn ends(server: &Server) {
    for len in [0, 10, 70_000] {
        let mut stream = server.connect();
        let message = pattern(3, len);
        stream.write_all(&message).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer == message, "{} of {len} bytes came back", answer.len());
    }
    // A peer that vanishes with bytes under way does the server no harm.
    for _ in 0..50 {
        let mut stream = server.connect();
        stream.write_all(&pattern(1, 100_000)).unwrap_or_else(|error| assert_ne!(error.kind(), ErrorKind::TimedOut));
    }
    exchange(&mut server.connect(), b"still there");
}

fn resident(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

fn drive(language: toolchain::Language, backend: &str, args: &[&str]) {
    let program = compile(&format!("{EXAMPLES}/echo.c"), &format!("echo-{}-{backend}", language.name), language, &[]);
    let server = Server::start(&program, backend, args);
    messages_of_every_size(&server);
    many_connections(&server);
    a_slow_reader(&server);
    ends(&server);
}

#[test]
fn level() {
    drive(C, "epoll", &[]);
}

#[test]
fn edge() {
    drive(CPP, "epoll", &["--edge"]);
}

#[test]
fn on_poll_and_select() {
    drive(C, "poll", &[]);
    drive(C, "select", &[]);
}

#[test]
fn it_fits_on_a_page() {
    let source = std::fs::read_to_string(format!("{EXAMPLES}/echo.c")).unwrap();
    assert!(source.lines().count() <= 60);
}
