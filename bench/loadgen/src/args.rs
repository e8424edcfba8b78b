//! The command line.

use crate::failure::Failure;
use lexopt::prelude::*;
use std::net::{Ipv4Addr, SocketAddrV4};

pub(crate) const HELP: &str = "\
fastsock-loadgen: load for an echo server on this machine, with every echoed byte compared

usage: fastsock-loadgen MODE --port PORT [options]

modes
  echo    hold --conns connections and send messages over all of them for --dur seconds
  churn   connect, send one message, get it back, close; --conns of them at once
  idle    open --conns connections, echo one message on each, leave them alone for --dur
          seconds, then echo one more: what one connection costs in memory (needs --pid)

where
  --host ADDRESS   the server's address, loopback only            [127.0.0.1]
  --port PORT      the server's port
  --pid PID        the server's process: its CPU time, memory and threads are reported

what
  --conns N        connections at once                            [100]
  --size BYTES     length of a message                            [1024]
  --depth N        messages under way on each connection (echo)   [1]
  --line           every message is one line, '\\n' at its end only
  --dur SECONDS    how long to measure, up to 600                 [2]
  --warm SECONDS   load before measuring, up to 60                [0.5]
  --opening N      connections being opened at a time             [5]
                   (5 is what a listen backlog of 5 can take without losing any)
  --stall SECONDS  give up when nothing at all comes back for so long   [10]

output
  --json           one line of JSON on standard output, not the summary
  --progress       show on standard error how far the run has got
  -h, --help       this text
  -V, --version    the version

Each connection carries one endless stream of bytes cut from a fixed pattern, from a place of
its own on. A reply is right only if it goes on exactly where the last one ended, so bytes lost,
doubled, reordered or sent to the wrong connection are all seen. A connection that has
gone wrong once is left alone and counted as one error.

More than 10,000 connections (and all of churn's) come from 127.0.0.2, 127.0.0.3, ..., so that
ports do not run out. The limit on open files is raised for this process where need be.

exit code: 0 no errors; 1 errors, or the run could not be made; 2 bad usage; 130 interrupted
(the summary so far is printed all the same)

example: fastsock-loadgen echo --port 8000 --conns 1000 --size 64 --pid $(pgrep -n server)
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Echo,
    Churn,
    Idle,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Echo => "echo",
            Mode::Churn => "churn",
            Mode::Idle => "idle",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) mode: Mode,
    pub(crate) server: SocketAddrV4,
    pub(crate) pid: Option<i32>,
    pub(crate) conns: usize,
    pub(crate) size: usize,
    pub(crate) depth: usize,
    pub(crate) line: bool,
    pub(crate) dur: f64,
    pub(crate) warm: f64,
    pub(crate) opening: usize,
    pub(crate) stall: f64,
    pub(crate) json: bool,
    pub(crate) progress: bool,
}

impl Default for Args {
    fn default() -> Args {
        Args {
            mode: Mode::Echo,
            server: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0),
            pid: None,
            conns: 100,
            size: 1024,
            depth: 1,
            line: false,
            dur: 2.0,
            warm: 0.5,
            opening: 5,
            stall: 10.0,
            json: false,
            progress: false,
        }
    }
}

/// What the command line asks for.
pub(crate) enum Command {
    Run(Args),
    Help,
    Version,
}

pub(crate) fn parse() -> Result<Command, Failure> {
    parse_from(lexopt::Parser::from_env()).map_err(|error| Failure::new(error.to_string()))
}

fn parse_from(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut args = Args::default();
    let mut mode = None;
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Long("host") => args.server.set_ip(loopback(&parser.value()?.string()?)?),
            Long("port") => args.server.set_port(parser.value()?.parse()?),
            Long("pid") => args.pid = Some(number(&mut parser, "--pid", 1, i32::MAX)?),
            Long("conns") => args.conns = number(&mut parser, "--conns", 1, 1_000_000)?,
            Long("size") => args.size = number(&mut parser, "--size", 1, 16 << 20)?,
            Long("depth") => args.depth = number(&mut parser, "--depth", 1, 10_000)?,
            Long("dur") => args.dur = number(&mut parser, "--dur", 0.0, 600.0)?,
            Long("warm") => args.warm = number(&mut parser, "--warm", 0.0, 60.0)?,
            Long("opening") => args.opening = number(&mut parser, "--opening", 1, 10_000)?,
            Long("stall") => args.stall = number(&mut parser, "--stall", 0.1, 600.0)?,
            Long("line") => args.line = true,
            Long("json") => args.json = true,
            Long("progress") => args.progress = true,
            Value(name) if mode.is_none() => mode = Some(mode_named(&name.string()?)?),
            _ => return Err(arg.unexpected()),
        }
    }
    args.mode = mode.ok_or("which mode? One of echo, churn, idle (see --help)")?;
    if args.server.port() == 0 {
        return Err("--port is needed: the port the server listens on (see --help)".into());
    }
    if args.size * args.depth > 64 << 20 {
        return Err("--size times --depth may be 64 MiB at most".into());
    }
    if args.mode == Mode::Idle && args.pid.is_none() {
        return Err("idle reads the server's memory: give its process with --pid".into());
    }
    if args.mode != Mode::Echo {
        args.depth = 1;
    }
    Ok(Command::Run(args))
}

fn mode_named(name: &str) -> Result<Mode, lexopt::Error> {
    [Mode::Echo, Mode::Churn, Mode::Idle]
        .into_iter()
        .find(|mode| mode.name() == name)
        .ok_or_else(|| format!("no mode '{name}': it is echo, churn or idle").into())
}

fn loopback(text: &str) -> Result<Ipv4Addr, lexopt::Error> {
    match text.parse::<Ipv4Addr>() {
        Ok(ip) if ip.is_loopback() => Ok(ip),
        _ => Err(format!("--host {text}: only loopback addresses (127.x.x.x) are loaded").into()),
    }
}

fn number<T>(parser: &mut lexopt::Parser, name: &str, least: T, most: T) -> Result<T, lexopt::Error>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static> + PartialOrd + std::fmt::Display,
{
    let value: T = parser.value()?.parse()?;
    if value >= least && value <= most {
        Ok(value)
    } else {
        Err(format!("{name} {value}: it must be from {least} to {most}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, lexopt::Error> {
        parse_from(lexopt::Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn a_whole_command_line() {
        let line = "echo --port 80 --conns 7 --size=64 --depth 2 --line --pid 1 --dur .5 --json";
        let Ok(Command::Run(args)) = parse(line) else { panic!("refused") };
        assert_eq!(args.mode, Mode::Echo);
        assert_eq!(args.server.to_string(), "127.0.0.1:80");
        assert_eq!((args.conns, args.size, args.depth), (7, 64, 2));
        assert!(args.line && args.json && !args.progress);
        assert_eq!((args.pid, args.dur), (Some(1), 0.5));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "--port 80",
            "echo",
            "flood --port 80",
            "echo --port 80 --host 10.0.0.1",
            "echo --port 80 --conns 0",
            "echo --port 80 --dur nan",
            "echo --port 80 --dur 1e9",
            "idle --port 80",
            "echo --port 99999",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
