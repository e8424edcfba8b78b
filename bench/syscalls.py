"""System calls for each message, counted by strace."""

import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from harness import Running, Unusable, load, pins, running
from registry import LOADGEN, Server

LOAD = ("--size", "1024", "--conns", "100", "--warm", "0", "--dur", "3")
MISSING = "strace is not installed: apt-get install strace, or dnf install strace"
ATTACH_WITHIN = 10.0


def count(server: Server, python: Path) -> dict[str, float]:
    """Calls per message by name. Accepting the connections is in it, which is little."""
    if not shutil.which("strace"):
        raise Unusable(MISSING)
    server_pin, load_pin = pins("split")
    line = ("--line",) if "stream" not in server.serves else ()
    with running(server.argv(python), server_pin) as running_server, tempfile.NamedTemporaryFile("r") as table:
        tracer = attach(running_server, table.name)
        try:
            result = load(LOADGEN, "echo", running_server, (*LOAD, *line), load_pin)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=30)
        messages = result.get("total_msgs") or 0
        if result.get("fatal") or result.get("errors") or not messages:
            raise Unusable(f"{server.name}: {result.get('fatal') or 'errors under strace'}")
        return {name: calls / messages for name, calls in parse(table.read()).items()}


def attach(server: Running, table: str) -> subprocess.Popen[str]:
    """strace, once it really traces the server."""
    argv = ["strace", "-c", "-f", "-p", str(server.pid), "-o", table]
    tracer = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + ATTACH_WITHIN
    while time.monotonic() < until and tracer.poll() is None:
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii", errors="replace")
        if f"TracerPid:\t{tracer.pid}\n" in status:
            return tracer
        time.sleep(0.01)
    tracer.kill()
    said = tracer.communicate()[1].strip().splitlines() or ["it did not attach"]
    raise Unusable(f"strace: {said[-1]}")


def parse(table: str) -> dict[str, int]:
    """The counts from the table that `strace -c` prints."""
    row = re.compile(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)\s*$")
    found = filter(None, map(row.match, table.splitlines()))
    return {match[2]: int(match[1]) for match in found if match[2] != "total"}


def table(counts: dict[str, dict[str, float]]) -> str:
    """Markdown."""
    lines = ["### System calls per message (strace, 1 KiB on 100 connections)", ""]
    lines += ["| server | per message | which |", "|---|--:|---|"]
    lines += [f"| {name} | {sum(calls.values()):.2f} | {which(calls.items())} |" for name, calls in counts.items()]
    return "\n".join([*lines, ""])


def which(calls: Iterable[tuple[str, float]]) -> str:
    """The calls that matter, the most frequent first."""
    often = sorted((c for c in calls if c[1] >= 0.005), key=lambda c: -c[1])
    return ", ".join(f"{name} {number:.2f}" for name, number in often)
