#!/usr/bin/env python3
"""fastsock measured beside a hand-written C epoll loop and its Python peers. See bench/README.md.

bench/run.py --setup                       build and install what is measured (once)
bench/run.py                               every server in every scenario, as Markdown tables
bench/run.py --check                       only what has a target; exit code 1 if one is missed
bench/run.py --server fastsock-py --scenario echo-1k --rounds 5
bench/run.py --syscalls                    system calls per message, by strace
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import syscalls
import tables
from harness import Unusable, end_on_sigterm, load, pins, running
from records import Result, Round, Rounds, cpu_of
from registry import BASE, LOADGEN, SCENARIOS, SERVERS, Scenario, Server, project_python
from setup_peers import setup
from targets import SYSCALLS_AT_MOST, SYSCALLS_SERVERS, TARGETS

Counts = dict[str, dict[str, float]]
Runs = dict[str, dict[str, Rounds]]
SAME_SECONDS = 0.8
IDLE_SECONDS = 1.0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--setup", action="store_true", help="build the servers and the load generator, install the peers, and stop")
    add("--list", action="store_true", help="list servers and scenarios, and stop")
    add(
        "--server",
        action="append",
        default=[],
        metavar="NAME",
        help="only this one (may be repeated); " + BASE + " is added",
    )
    add(
        "--scenario",
        action="append",
        default=[],
        metavar="NAME",
        help="only this one, or those that begin so (may be repeated)",
    )
    add("--rounds", type=int, default=3, metavar="N", help="rounds, in each of which every server runs once [3]")
    add("--dur", type=float, default=1.5, metavar="S", help="seconds measured in a run on two CPUs [1.5]")
    add(
        "--pin",
        choices=("both", "split", "none"),
        default="both",
        help="both: a run on two CPUs (speed) and one on a single CPU (CPU per message); split: the first only; "
        "none: no pinning [both]",
    )
    add("--check", action="store_true", help="compare with the targets; exit code 1 if one is missed")
    add("--syscalls", action="store_true", help="count system calls per message instead of measuring")
    add("--json", type=Path, metavar="FILE", help="write every run here")
    add(
        "--report",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="no runs: the tables of earlier --json files, rounds joined",
    )
    add(
        "--python",
        type=Path,
        default=project_python(),
        metavar="PATH",
        help="interpreter with fastsock [.venv/bin/python]",
    )
    return parser.parse_args()  # fmt: skip


def chosen(options: argparse.Namespace) -> tuple[list[Server], list[Scenario]]:
    """The servers and scenarios asked for."""
    names, prefixes = set(options.server), tuple(options.scenario)
    if options.check and not names:
        names = {t.server for t in TARGETS} | {t.against for t in TARGETS if t.against}
    if options.check and not prefixes:
        prefixes = tuple({t.scenario for t in TARGETS})
    unknown = names - {server.name for server in SERVERS}
    if unknown:
        sys.exit(f"no server named {', '.join(sorted(unknown))}: see --list")
    servers = [server for server in SERVERS if not names or server.name in names or server.name == BASE]
    scenarios = [scenario for scenario in SCENARIOS if not prefixes or scenario.name.startswith(prefixes)]
    if not scenarios:
        sys.exit(f"no scenario begins with {' or '.join(prefixes)}: see --list")
    return servers, scenarios


def available(servers: Sequence[Server], python: Path) -> list[Server]:
    """Those that can be run here; the others are named, with what to do."""
    usable = []
    for server in servers:
        program = server.argv(python)[0]
        lack = "" if shutil.which(program) else f"there is no {program}"
        if not lack and server.module:
            found = subprocess.run([program, "-c", f"import {server.module}"], check=False, capture_output=True)
            lack = f"{program} has no module {server.module}" if found.returncode else ""
        if lack:
            say(f"left out: {server.name} ({lack}; {server.lacking})")
        else:
            usable.append(server)
    return usable


def one(server: Server, scenario: Scenario, options: argparse.Namespace, way: str) -> Result:
    """One run against a fresh server."""
    seconds = IDLE_SECONDS if scenario.is_idle else SAME_SECONDS if way == "same" else options.dur
    server_pin, load_pin = pins(way)
    arguments = [*scenario.options.split(), "--dur", str(seconds), "--warm", "0.3", "--stall", "20"]
    try:
        with running(server.argv(options.python), server_pin) as running_server:
            return load(LOADGEN, scenario.mode, running_server, arguments, load_pin)
    except Unusable as error:
        return {"fatal": str(error), "errors": 1}


def measure(scenario: Scenario, servers: Sequence[Server], options: argparse.Namespace) -> dict[str, Rounds]:
    """All rounds of a scenario. Every other round goes backwards, so that no server is always first."""
    here = [server for server in servers if scenario.kind in server.serves]
    runs: dict[str, Rounds] = {server.name: [] for server in here}
    started = f"{time.time():.0f}"
    count = 1 if scenario.is_idle else options.rounds
    for number in range(count):
        for server in here if number % 2 == 0 else here[::-1]:
            way = "none" if options.pin == "none" else "split"
            record: Round = {"id": f"{started}/{number}", "split": one(server, scenario, options, way)}
            if options.pin == "both" and not scenario.is_idle:
                record["same"] = one(server, scenario, options, "same")
            runs[server.name].append(record)
            say(f"{scenario.name} {number + 1}/{count} {server.name}: {outcome(record)}")
    return runs


def outcome(record: Round) -> str:
    """A round in a few words."""
    result = record["split"]
    if "fatal" in result:
        return result["fatal"]
    if result.get("bytes_per_conn") is not None:
        return f"{result['bytes_per_conn']:,.0f} bytes per connection, {result.get('errors')} errors"
    cpu = cpu_of(record)
    shown = "?" if cpu is None else f"{cpu:.2f}"
    return f"{result.get('rate') or 0:,.0f} per s, {shown} us CPU per message, {result.get('errors')} errors"


def joined(files: Sequence[Path]) -> tuple[Runs, Counts]:
    """The runs and the counted system calls of earlier --json files."""
    runs: Runs = {}
    counts: Counts = {}
    for file in files:
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            earlier = kept["runs"]
        except (OSError, ValueError, KeyError) as error:
            sys.exit(f"{file} is not a file that --json wrote: {error}")
        counts.update(kept.get("syscalls", {}))
        for scenario, servers in earlier.items():
            for server, rounds in servers.items():
                runs.setdefault(scenario, {}).setdefault(server, []).extend(rounds)
    return runs, counts


def keep(file: Path | None, runs: Runs, counts: Counts) -> None:
    """What was measured so far, for --report."""
    if file:
        file.write_text(json.dumps({"runs": runs, "syscalls": counts}, indent=1), encoding="utf-8")


def check(runs: Runs, counts: Counts) -> bool:
    """The table of targets; whether all were met."""
    print("### Targets\n\n| scenario | figure | target | measured | |\n|---|---|--:|--:|---|")
    met = True
    for target in TARGETS:
        figure = target.figure(runs)
        met &= target.met(figure)
        print(target.line(figure))
    for name in SYSCALLS_SERVERS:
        calls = sum(counts[name].values()) if name in counts else None
        good = calls is not None and calls <= SYSCALLS_AT_MOST
        met &= good
        shown = "" if calls is None else f"{calls:.2f}"
        verdict = "met" if good else "not measured" if calls is None else "**missed**"
        print(f"| system calls | {name}, per message | at most {SYSCALLS_AT_MOST} | {shown} | {verdict} |")
    print(flush=True)
    return met


def count_syscalls(servers: Sequence[Server], options: argparse.Namespace) -> Counts:
    """System calls per message of each server that strace could follow."""
    counts = {}
    for server in servers:
        say(f"system calls: {server.name}")
        try:
            counts[server.name] = syscalls.count(server, options.python)
        except Unusable as error:
            say(str(error))
            if str(error) == syscalls.MISSING:
                break
    return counts


def say(sentence: str) -> None:
    """A line of progress."""
    print(sentence, file=sys.stderr, flush=True)


def main(options: argparse.Namespace) -> int:
    """Everything but the handling of Ctrl-C."""
    if options.setup:
        return 0 if setup() else 1
    if options.list:
        print("\n".join(f"{s.name:16} {' '.join(s.serves):12} {s.what}" for s in SERVERS))
        print("\n".join(f"{s.name:16} {s.kind:12} {s.what}" for s in SCENARIOS))
        return 0
    if options.report:
        runs, counts = joined(options.report)
    else:
        runs, counts = {}, {}
        if not LOADGEN.exists():
            say(f"there is no {LOADGEN}; run: bench/run.py --setup")
            return 2
        servers, scenarios = chosen(options)
        servers = available(servers, options.python)
        if BASE not in (server.name for server in servers):
            return 2
        print(f"{platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release()}\n", flush=True)
        for scenario in scenarios if not options.syscalls else ():
            runs[scenario.name] = measure(scenario, servers, options)
            print(tables.table(scenario, runs[scenario.name]), flush=True)
            keep(options.json, runs, counts)
        if options.syscalls or options.check:
            wanted = [server for server in servers if options.syscalls or server.name in (BASE, *SYSCALLS_SERVERS)]
            counts = count_syscalls(wanted, options)
            keep(options.json, runs, counts)
    if options.report:
        for scenario in SCENARIOS:
            if scenario.name in runs:
                print(tables.table(scenario, runs[scenario.name]), flush=True)
    if counts:
        print(syscalls.table(counts), flush=True)
    failed = any(r.get("errors") for servers_ in runs.values() for rounds in servers_.values()
                 for record in rounds for r in (record["split"], record.get("same", {})))  # fmt: skip
    missed = options.check and not check(runs, counts)
    return 1 if missed or failed or (options.syscalls and not counts) else 0


if __name__ == "__main__":
    end_on_sigterm()
    try:
        sys.exit(main(arguments()))
    except KeyboardInterrupt:
        sys.exit("interrupted: the servers were ended")
