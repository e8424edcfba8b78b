"""Starting servers, loading them, and ending them whatever happens."""

import json
import os
import re
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from resource import RLIMIT_NOFILE, RUSAGE_CHILDREN, getrlimit, getrusage, setrlimit
from typing import IO, cast

from records import Result

READY_WITHIN = 15.0
TICKS = os.sysconf("SC_CLK_TCK")

NOTHING: Mapping[str, str] = {}

Pin = Callable[[], None]


class Unusable(Exception):
    """A server did not start, in words for the person who wanted it."""


@dataclass(frozen=True)
class Running:
    """A server that accepts connections."""

    pid: int
    port: int
    process: subprocess.Popen[bytes]
    complaints: IO[str]

    def how_it_ended(self) -> str:
        """The last words of a server that is not there any more; empty while it is."""
        if self.process.poll() is None:
            return ""
        return f"the server ended by itself: {last_line(self.complaints, 'it said nothing')}"


def last_line(file: IO[str], otherwise: str) -> str:
    """The last line of what was written to a file so far."""
    file.seek(0)
    return (file.read().strip().splitlines() or [otherwise])[-1]


def anywhere() -> None:
    """No pinning."""


def pins(way: str) -> tuple[Pin, Pin]:
    """Where the server and the load run, to be called in each process before it starts.

    split: a CPU each. same: both on one CPU under SCHED_BATCH, so that a wake-up does not preempt and each side in
    turn works off all that waits: full batches, which other work on the machine moves little.
    """
    cpus = sorted(os.sched_getaffinity(0))

    def on(cpu: int) -> Pin:
        return lambda: os.sched_setaffinity(0, {cpu})

    def together() -> None:
        os.sched_setaffinity(0, {cpus[0]})
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

    if way == "same":
        return together, together
    if way == "split" and len(cpus) > 1:
        return on(cpus[0]), on(cpus[1])
    return anywhere, anywhere


@contextmanager
def running(argv: Sequence[str], pin: Pin = anywhere, more: Mapping[str, str] = NOTHING) -> Iterator[Running]:
    """The server while it runs, with more in its environment; it is ended when the block is left, by whichever way."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **more}
    with tempfile.TemporaryFile("w+") as complaints:
        try:
            # The pinning must be in force before the server's first instruction; this program has no threads.
            server = subprocess.Popen(
                argv,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=environment,
                preexec_fn=pin,
            )
        except OSError as error:
            raise Unusable(f"{argv[0]} cannot be started: {error.strerror}") from error
        try:
            assert server.stdout is not None
            yield Running(server.pid, wait_ready(server.stdout, complaints), server, complaints)
        finally:
            end(server)


def wait_ready(out: IO[bytes], complaints: IO[str]) -> int:
    """The port, from the line that says it: the last number on it."""
    said = b""
    until = time.monotonic() + READY_WITHIN
    with selectors.DefaultSelector() as ready:
        ready.register(out, selectors.EVENT_READ)
        while (left := until - time.monotonic()) > 0:
            if not ready.select(left):
                break
            chunk = os.read(out.fileno(), 4096)
            said += chunk
            for line in said.decode(errors="replace").splitlines(keepends=True):
                found = re.search(r"(?:READY|listening).*?(\d+)\D*\n$", line, re.IGNORECASE)
                if found:
                    return int(found[1])
            if not chunk:
                break
    raise Unusable(f"the server did not get ready: {last_line(complaints, 'it said nothing')}")


def end(server: subprocess.Popen[bytes]) -> None:
    """End a server, kindly first."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(3)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    if server.stdout:
        server.stdout.close()


def load(loadgen: Path, mode: str, server: Running, options: Sequence[str], pin: Pin) -> Result:
    """One run of the load generator; its line of JSON, or why there is none."""
    argv = [str(loadgen), mode, "--port", str(server.port), "--pid", str(server.pid), "--json", *options]
    before, start = others_cpu(server), time.monotonic()
    try:
        ran = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=300, preexec_fn=pin)
    except subprocess.TimeoutExpired:
        return {"fatal": "the load generator did not end", "errors": 1}
    except OSError as error:
        return {"fatal": f"{loadgen} cannot be run ({error.strerror}): bench/run.py --setup", "errors": 1}
    result = explained(parse(ran.stdout, ran.stderr), server)
    result["others"] = round((others_cpu(server) - before) / (time.monotonic() - start), 3)
    return result


def parse(out: str, complaints: str) -> Result:
    """The load generator's line of JSON."""
    line = (out.strip().splitlines() or [""])[-1]
    try:
        return cast(Result, json.loads(line))
    except ValueError:
        last = (complaints.strip().splitlines() or ["no output"])[-1]
        return {"fatal": f"load generator: {last}", "errors": 1}


def explained(result: Result, server: Running) -> Result:
    """The same, and what the server itself had to say if it is gone."""
    if ended := server.how_it_ended():
        return {**result, "fatal": ended, "errors": max(1, result.get("errors", 0))}
    return result


def others_cpu(server: Running) -> float:
    """CPU seconds that this machine has spent on all but the server and the load generator."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, _idle, _iowait, irq, softirq, stolen = map(int, stat.readline().split()[1:9])
    children = getrusage(RUSAGE_CHILDREN)
    busy = (user + nice + system + irq + softirq + stolen) / TICKS
    try:
        server_cpu = time.clock_gettime((~server.pid << 3) | 2)  # its process-wide CPU clock
    except OSError:
        server_cpu = 0.0
    return busy - server_cpu - children.ru_utime - children.ru_stime


def raise_file_limit() -> None:
    """As many open files as this process, and those that it starts, may have."""
    hard = getrlimit(RLIMIT_NOFILE)[1]
    setrlimit(RLIMIT_NOFILE, (hard, hard))


def end_on_sigterm() -> None:
    """SIGTERM ends this program the way Ctrl-C does, and with it the servers it started."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
