#!/usr/bin/env python3
"""One file, run twice: as it is, and under fastsock. Not a line of it changes.

examples/python/echo_socketserver.py is an echo server in blocking style on the standard library's
ThreadingTCPServer. It is started with `python FILE` (a thread for each connection) and with
`python -m fastsock run FILE` (all connections on one thread). Against each, the load generator
holds many connections at once and compares every byte that comes back.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import Pin, Running, Unusable, end_on_sigterm, explained, parse, pins, running
from records import Result
from registry import LOADGEN, ROOT, project_python

EXAMPLE = "examples/python/echo_socketserver.py"
WAYS = (("python", ()), ("python -m fastsock run", ("-m", "fastsock", "run")))
SPARE_FILES = 64


@dataclass(frozen=True)
class Row:
    """One load on one server."""

    server: str
    connections: int
    result: Result

    def figure(self, key: str, scale: float = 1.0) -> float:
        """A figure of the result; 0 where there is none."""
        value = self.result.get(key)
        return float(value) / scale if isinstance(value, int | float) else 0.0

    def cells(self) -> list[str]:
        """The row of the table."""
        return [
            self.server,
            f"{self.figure('held'):,.0f}",
            f"{self.figure('rate'):,.0f}",
            f"{self.figure('p50_us', 1e3):,.1f}",
            f"{self.figure('p99_us', 1e3):,.1f}",
            f"{self.figure('server_us_per_msg'):,.1f}",
            f"{self.figure('server_threads'):,.0f}",
            f"{self.figure('rss_kib', 1024):,.0f}",
            f"{self.figure('errors'):,.0f}",
        ]


HEAD = ["server", "connections", "requests/s", "p50 ms", "p99 ms", "CPU us/request", "threads", "memory MB", "errors"]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add(
        "--python",
        type=Path,
        default=project_python(),
        metavar="PATH",
        help="interpreter with fastsock [.venv/bin/python]",
    )
    add(
        "--loadgen",
        type=Path,
        default=LOADGEN,
        metavar="PATH",
        help="the load generator [target/release/fastsock-loadgen]",
    )
    add("--seconds", type=float, default=5.0, metavar="S", help="how long each load is measured [5]")
    add(
        "--connections",
        type=int,
        nargs="+",
        default=[1000, 5000],
        metavar="N",
        help="connections held at once, one load each [1000 5000]",
    )
    add("--size", type=int, default=64, metavar="BYTES", help="length of a message [64]")
    add("--no-pin", action="store_true", help="let server and load run on any CPU (threads mostly do worse that way)")
    return parser.parse_args()  # fmt: skip


def affordable(wanted: Sequence[int]) -> list[int]:
    """As many connections as the open-file limit allows, which is raised for this process and its children."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = max(wanted) + SPARE_FILES
    if soft < min(needed, hard):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, hard), hard))
        say(f"Open-file limit raised from {soft:,} to {min(needed, hard):,}, for this demo and what it starts only.")
    most = max(hard - SPARE_FILES, 1)
    if most < max(wanted):
        say(f"This system allows a process {hard:,} open files, so no more than {most:,} connections are held.")
    return sorted({min(count, most) for count in wanted})


def check_tools(options: argparse.Namespace) -> None:
    """Say what is missing before anything is started."""
    if not options.loadgen.exists():
        raise Unusable(f"there is no {options.loadgen}: build it with: cargo build --release -p fastsock-loadgen")
    try:
        found = subprocess.run([options.python, "-c", "import fastsock"], check=False, capture_output=True)
    except OSError as error:
        raise Unusable(f"{options.python} cannot be run: {error.strerror}") from error
    if found.returncode:
        raise Unusable(f"{options.python} has no fastsock: install it there first (make), or use --python")


def one_load(options: argparse.Namespace, server: Running, connections: int, pin: Pin) -> Result:
    """One load, its progress bar on the terminal."""
    argv = [str(options.loadgen), "echo", "--port", str(server.port), "--pid", str(server.pid), "--json", "--progress"]
    argv += ["--conns", str(connections), "--size", str(options.size), "--dur", str(options.seconds), "--stall", "20"]
    # This program has no threads that a pin could disturb.
    ran = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True, preexec_fn=pin)
    return explained(parse(ran.stdout, ""), server)


def all_loads(options: argparse.Namespace, counts: Sequence[int]) -> list[Row]:
    """Both ways to run the file, every load on each."""
    server_pin, load_pin = pins("none" if options.no_pin else "split")
    rows = []
    for name, how in WAYS:
        say(f"\n$ {name} {EXAMPLE}")
        with running([str(options.python), *how, str(ROOT / EXAMPLE), "0"], server_pin) as server:
            for count in counts:
                result = one_load(options, server, count, load_pin)
                rows.append(Row(name, count, result))
                shown = f"{result.get('rate') or 0:,.0f} requests/s, {result.get('errors')} errors"
                say(f"  {count:,} connections: {result.get('fatal') or shown}")
    return rows


def table(rows: Sequence[Row]) -> str:
    """The figures, in columns."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines]
    return "\n".join([texts[0], "-" * len(texts[0]), *texts[1:]])


def meaning(rows: Sequence[Row]) -> str:
    """What the figures say about the largest load, in a sentence."""
    most = max(row.connections for row in rows)
    threads, ours = (next(row for row in rows if row.server == name and row.connections == most) for name, _ in WAYS)

    def both(key: str, decimals: int, scale: float = 1.0) -> str:
        return f"{ours.figure(key, scale):,.{decimals}f} instead of {threads.figure(key, scale):,.{decimals}f}"

    rate = ours.figure("rate") / max(threads.figure("rate"), 1e-9)
    return (
        f"At {most:,} connections the same file, unchanged, answers {rate:.1f} times as many requests per second under "
        f"fastsock as on threads ({both('rate', 0)}), with a p99 in ms of {both('p99_us', 1, 1e3)}, "
        f"{both('server_us_per_msg', 1)} us of CPU per request, {both('server_threads', 0)} threads and "
        f"{both('rss_kib', 0, 1024)} MB of memory."
    )


def say(sentence: str) -> None:
    """A line for the person at the terminal, in order with the load generator's."""
    print(sentence, file=sys.stderr, flush=True)


def main(options: argparse.Namespace) -> int:
    """Everything but the handling of Ctrl-C."""
    check_tools(options)
    if min(options.connections) < 1 or not 0 < options.seconds <= 600:
        raise Unusable("--connections must be at least 1, --seconds above 0 and at most 600")
    counts = affordable(options.connections)
    where = "wherever the system puts them" if options.no_pin else "on a CPU each (the way threads do best)"
    say(f"One file, run twice, unchanged. Server and load generator run {where}.")
    rows = all_loads(options, counts)
    print(f"\n{table(rows)}\n", flush=True)
    errors = sum(int(row.figure("errors")) for row in rows) + sum("fatal" in row.result for row in rows)
    if errors:
        print("Errors: there were some, so these figures mean nothing; see above.")
        return 1
    print(meaning(rows))
    print("Errors: 0. Every byte that came back was compared with the one that was sent.")
    return 0


if __name__ == "__main__":
    end_on_sigterm()
    try:
        sys.exit(main(arguments()))
    except Unusable as problem:
        sys.exit(f"demo: {problem}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: the servers were ended")
