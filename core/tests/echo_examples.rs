//! The examples in examples/rust, as programs: every byte comes back, in order; the one with an orderly end has one.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use common::{LONG, Random};

/// A running server, ended with the test.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(example: &str, backend: fastsock::Backend) -> Server {
        // Cargo builds the examples before it runs the tests, into a folder beside theirs.
        let mut program = std::env::current_exe().unwrap();
        program.pop();
        program.pop();
        program.push(format!("examples/{example}"));
        assert!(program.exists(), "not built: `cargo build --examples`, or `cargo test` for all targets");
        let mut child = Command::new(program)
            .args(["127.0.0.1", "0"])
            .env("FASTSOCK_BACKEND", backend.name())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("READY ").unwrap().parse().unwrap();
        Server { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        stream
    }

    /// The most memory it ever had, in kilobytes.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a test on each example, on each backend.
fn for_each_server(test: impl Fn(Server)) {
    for example in ["echo", "server"] {
        eprintln!("example: {example}");
        common::for_each_backend(|backend| test(Server::start(example, backend)));
    }
}

fn bytes(random: &mut Random, count: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        bytes.extend(random.next().to_ne_bytes());
    }
    bytes.truncate(count);
    bytes
}

#[test]
fn two_hundred_connections_get_their_own_bytes_back_and_a_half_close_its_rest() {
    for_each_server(|server| {
        let mut random = Random::new();
        let mut clients: Vec<(TcpStream, Vec<u8>)> = (0..200).map(|_| (server.connect(), Vec::new())).collect();
        for round in 0..5 {
            for (stream, sent) in &mut clients {
                let size = 1 + random.below([10, 1000, 5000][round % 3]);
                let message = bytes(&mut random, size);
                stream.write_all(&message).unwrap();
                sent.extend(message);
            }
        }
        for (stream, sent) in &mut clients {
            stream.shutdown(Shutdown::Write).unwrap();
            let mut back = Vec::new();
            stream.read_to_end(&mut back).unwrap();
            assert!(back == *sent, "{} of {} bytes, or others", back.len(), sent.len());
        }
    });
}

#[test]
fn eight_megabytes_to_a_slow_reader_come_whole_and_are_not_kept_in_memory() {
    for_each_server(|server| {
        let sent = bytes(&mut Random::new(), 8 << 20);
        let mut stream = server.connect();
        let before = server.peak();
        let mut writer = stream.try_clone().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                writer.write_all(&sent).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            // Not a byte is read before the writer is stuck: this other client is served all the same.
            let mut other = server.connect();
            for _ in 0..200 {
                other.write_all(b"still there?").unwrap();
                let mut back = [0; 12];
                other.read_exact(&mut back).unwrap();
                assert_eq!(&back, b"still there?");
            }
            let mut back = Vec::new();
            stream.read_to_end(&mut back).unwrap();
            assert!(back == sent, "{} bytes, or others", back.len());
        });
        let grown = server.peak() - before;
        assert!(grown < 4096, "{grown} kB more, of 8192 sent");
    });
}

#[test]
fn a_client_that_resets_its_connection_disturbs_nobody() {
    for_each_server(|server| {
        let mut other = server.connect();
        for _ in 0..20 {
            let mut rude = server.connect();
            rude.write_all(&[1; 10_000]).unwrap();
            drop(rude); // With bytes unread: a reset.
            other.write_all(b"x").unwrap();
            other.read_exact(&mut [0; 1]).unwrap();
        }
    });
}

#[test]
fn asked_to_end_the_server_sends_what_is_queued_and_takes_no_more_clients() {
    common::for_each_backend(|backend| {
        let mut server = Server::start("server", backend);
        let sent = bytes(&mut Random::new(), 100_000);
        let (mut busy, mut idle) = (server.connect(), server.connect());
        busy.write_all(&sent).unwrap();
        idle.write_all(b"x").unwrap();
        idle.read_exact(&mut [0; 1]).unwrap();
        let mut back = vec![0; 1000];
        busy.read_exact(&mut back).unwrap();
        // SAFETY: our own child, not waited for yet.
        assert_eq!(unsafe { libc::kill(server.child.id() as libc::pid_t, libc::SIGTERM) }, 0);
        assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0, "told that nothing more comes");
        assert!(TcpStream::connect(server.address).is_err());
        drop(idle);
        busy.read_to_end(&mut back).unwrap();
        assert!(sent.starts_with(&back) && back.len() > 1000, "{} bytes, or others", back.len());
        drop(busy);
        assert!(server.child.wait().unwrap().success());
    });
}
