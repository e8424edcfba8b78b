#!/usr/bin/env python3
"""fastsock's C library beside raw epoll, libuv, libev and libevent: CPU per message, memory of idle connections and
timers. See bench/README.md.

make bench-c                               all of it, as Markdown tables
make bench-c ARGS=--check                  exit code 1 if a target is missed
make bench-c ARGS='--only churn --only timers --rounds 3'
make bench-c ARGS='--check --write'        puts the tables into ffi/README.md
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import c_build
import c_tables
import c_targets
import heap
from c_records import Figures
from harness import Unusable, end_on_sigterm, load, pins, raise_file_limit, running
from progress import Progress
from records import Result
from registry import BASE, C_SERVERS, LOADGEN, ROOT, Scenario, Server

README = ROOT / "ffi/README.md"
IDLE, TIMERS = "idle", "timers"
CONNECTIONS = 5000
TIMER_ROUNDS = 5
# None of these servers has an interpreter.
NO_PYTHON = Path()


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    parts = ", ".join([*c_targets.SPEED, IDLE, TIMERS])
    add("--only", action="append", default=[], metavar="NAME",
        help=f"only what begins so (may be repeated): {parts}")  # fmt: skip
    add("--rounds", type=int, default=9, metavar="N", help="rounds, in each of which every server runs once [9]")
    add("--dur", type=float, default=0.5, metavar="S", help="seconds measured in a run [0.5]")
    add("--check", action="store_true", help="exit code 1 if a target is missed")
    add("--write", action="store_true", help="put the tables into ffi/README.md")
    options = parser.parse_args(argv)
    if options.rounds < 1 or not 0 < options.dur <= 60:
        parser.error("--rounds must be 1 or more, --dur above 0 and at most 60")
    if options.only and not (
        chosen(options.only) or any(part.startswith(tuple(options.only)) for part in (IDLE, TIMERS))
    ):
        parser.error(f"--only must be the beginning of one of {parts}")
    if options.write and options.only:
        parser.error("--write is for tables that are whole: leave out --only")
    return options


def chosen(only: list[str]) -> list[Scenario]:
    """The scenarios of speed that were asked for."""
    return [scenario for scenario in c_tables.ordered() if scenario.name.startswith(tuple(only) or ("",))]


def one(server: Server, scenario: Scenario, seconds: float) -> Result:
    """One run against a fresh server, both on one CPU."""
    server_pin, load_pin = pins("same")
    arguments = [*scenario.options.split(), "--dur", str(seconds), "--warm", "0.2", "--stall", "20"]
    try:
        with running(server.argv(NO_PYTHON), server_pin) as running_server:
            return load(LOADGEN, scenario.mode, running_server, arguments, load_pin)
    except Unusable as error:
        return {"fatal": str(error), "errors": 1}


def run_timers(program: Path, *arguments: str) -> dict[str, float | str]:
    """One run of a program of timers: what it says."""
    ran = subprocess.run([program, *arguments], check=False, capture_output=True, text=True, timeout=120,
                         preexec_fn=pins("same")[0])  # fmt: skip
    if ran.returncode:
        raise Unusable(f"{program.name}: {ran.stderr.strip() or f'exit code {ran.returncode}'}")
    said: dict[str, float | str] = json.loads(ran.stdout)
    return said


def measure(options: argparse.Namespace, built: c_build.Built) -> Figures:
    """Every part that was asked for. Every other round goes backwards, so that nobody is always first."""
    figures = Figures()
    servers = [server for server in C_SERVERS if server.name in built.servers]
    scenarios = chosen(options.only)
    wanted = {part for part in (IDLE, TIMERS) if not options.only or part.startswith(tuple(options.only))}
    timer_rounds = min(options.rounds, TIMER_ROUNDS) if TIMERS in wanted else 0
    steps = len(servers) * (len(scenarios) * options.rounds + (IDLE in wanted)) + len(built.timers) * timer_rounds
    progress = Progress(steps)
    try:
        for name, program in built.timers.items():
            figures.versions[name] = str(run_timers(program, "10")["library"])
        for number in range(options.rounds):
            for scenario in scenarios:
                here = figures.speed.setdefault(scenario.name, {server.name: [] for server in servers})
                for server in servers[:: -1 if number % 2 else 1]:
                    progress.step(f"{scenario.name}, {server.name}")
                    here[server.name].append(one(server, scenario, options.dur))
        for server in servers if IDLE in wanted else ():
            progress.step(f"{IDLE}, {server.name}")
            figures.memory[server.name] = heap.idle(server.argv(NO_PYTHON), CONNECTIONS)
        for number in range(timer_rounds):
            for name in [*built.timers][:: -1 if number % 2 else 1]:
                progress.step(f"{TIMERS}, {name}")
                said = run_timers(built.timers[name])
                run = {phase: value for phase, value in said.items() if not isinstance(value, str)}
                figures.timers.setdefault(name, []).append(run)
    finally:
        progress.end()
    figures.timers = {name: figures.timers[name] for name in built.timers if name in figures.timers}
    return figures


def main(options: argparse.Namespace) -> int:
    """Everything but the handling of Ctrl-C."""
    raise_file_limit()
    built = c_build.build()
    if BASE not in built.servers or not LOADGEN.exists():
        print("the yardstick or the load generator could not be built, see above", file=sys.stderr)
        return 2
    figures = measure(options, built)
    text = c_tables.whole(figures, sys.argv[1:], os.getloadavg()[0])
    print(text, flush=True)
    for trouble in figures.troubles():
        print(f"WENT WRONG: {trouble}", file=sys.stderr)
    if options.write:
        c_tables.write(README, text)
    missed = [target for target in c_targets.TARGETS if not target.met(figures)]
    return 1 if figures.troubles() or (options.check and missed) else 0


if __name__ == "__main__":
    end_on_sigterm()
    try:
        sys.exit(main(arguments()))
    except Unusable as problem:
        sys.exit(f"bench-c: {problem}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: the servers were ended")
