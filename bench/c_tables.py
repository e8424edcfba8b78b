"""The tables of `make bench-c`, in Markdown, and where they are written."""

import os
import platform
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import c_targets
from c_records import PHASES, Figures, interval, middle
from records import Result, median
from registry import BASE, C_SERVERS, SCENARIOS, C, Scenario
from tables import NOISY, number

BEGIN, END = "<!-- bench-c:begin -->", "<!-- bench-c:end -->"


def header(figures: Figures, command: str, load: float) -> str:
    """On what, with what and how it was measured."""
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    where = f"{model} ({os.cpu_count()} CPUs), Linux {platform.release()}, {time.strftime('%B %Y')}"
    libraries = "; ".join(figures.versions.values())
    rounds = max((len(runs) for servers in figures.speed.values() for runs in servers.values()), default=0)
    return (
        f"`{command}` on {where}: {libraries}. Medians of {rounds} interleaved rounds; behind a ratio is the interval "
        "that has its true median in it with a probability of 95 % (with fewer than 6 rounds: all that was measured). "
        f"The load average was {load:.1f} at the end{others(figures)}."
    )


def others(figures: Figures) -> str:
    """How busy the machine was otherwise."""
    shares = [run["others"] for servers in figures.speed.values() for runs in servers.values()
              for run in runs if "others" in run]  # fmt: skip
    loud = sum(share > NOISY for share in shares)
    return f"; in {loud} of {len(shares)} runs others used more than {NOISY:.0%} of a CPU" if shares else ""


def ratio(values: Sequence[float]) -> str:
    """A median and its interval."""
    value, within = middle(values), interval(values)
    return "" if value is None else f"{value:.2f}" + (f" ({within[0]:.2f}-{within[1]:.2f})" if within else "")


def ordered() -> list[Scenario]:
    """The scenarios of speed, in the order of the tables."""
    named = {scenario.name: scenario for scenario in SCENARIOS}
    return [named[name] for name in c_targets.SPEED]


def speed(figures: Figures) -> str:
    """CPU per message: a row for each server, a column for each scenario."""
    scenarios = [scenario for scenario in ordered() if scenario.name in figures.speed]
    lines = ["#### CPU time of the server for each message: microseconds, times raw epoll", ""]
    lines += ["| server | " + " | ".join(s.name for s in scenarios) + " |", "|---|" + "--:|" * len(scenarios)]
    for server in (server.name for server in C_SERVERS):
        cells = []
        for scenario in (scenario.name for scenario in scenarios):
            cpu = median(figures.cpu(scenario, server))
            beside = "" if server == BASE else f", {ratio(figures.cost(scenario, server, BASE))}"
            cells.append("" if cpu is None else number(cpu, 3 if cpu < 1 else 2) + beside)
        if any(cells):
            lines.append("| " + " | ".join([server, *cells]) + " |")
    return "\n".join([*lines, "", *(f"* {s.name}: {s.what}: `{s.mode} {s.options}`" for s in scenarios)])


def memory(figures: Figures) -> str:
    """Bytes for each idle connection."""

    def cells(result: Result) -> list[str]:
        if fatal := result.get("fatal"):
            return [fatal, "", ""]
        values = (result.get("heap_per_conn"), result.get("blocks_per_conn"), result.get("bytes_per_conn"))
        return [number(value, decimals) for value, decimals in zip(values, (0, 1, 0), strict=True)]

    lines = ["#### Memory of each of 5,000 idle connections", ""]
    lines += ["| server | bytes on the heap | blocks | resident bytes |", "|---|--:|--:|--:|"]
    lines += ["| " + " | ".join([name, *cells(result)]) + " |" for name, result in figures.memory.items()]
    return "\n".join(lines)


def timers(figures: Figures) -> str:
    """Nanoseconds for each timer: a row for each library."""
    lines = ["#### Timers: nanoseconds of CPU time for each, times fastsock", ""]
    lines += ["| library | " + " | ".join(PHASES) + " |", "|---|" + "--:|" * len(PHASES)]
    for name, runs in figures.timers.items():
        cells = []
        for phase in PHASES:
            beside = "" if name == C else f", {ratio(figures.timer_cost(phase, name, C))}"
            cells.append(number(median(run[phase] for run in runs), 0) + beside)
        lines.append("| " + " | ".join([figures.versions.get(name, name), *cells]) + " |")
    return "\n".join(lines)


def everything(figures: Figures) -> str:
    """All tables for which there are figures."""
    parts = [speed(figures)] if figures.speed else []
    parts += [memory(figures)] if figures.memory else []
    parts += [timers(figures)] if figures.timers else []
    return "\n\n".join(parts)


def whole(figures: Figures, argv: Sequence[str], load: float) -> str:
    """What is written into a README."""
    command = "make bench-c" + (f" ARGS={shlex.quote(shlex.join(argv))}" if argv else "")
    targets = "\n".join(["#### Against the targets", "", c_targets.table(figures)])
    return "\n\n".join([header(figures, command, load), everything(figures), targets])


def splice(text: str, new: str) -> str | None:
    """A text with what is between its markers replaced; None if it has none."""
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        return None
    return f"{text[: begin + len(BEGIN)]}\n{new.strip()}\n{text[end:]}"


def write(file: Path, new: str) -> None:
    """Replaces what is between the markers of a file."""
    text = splice(file.read_text(encoding="utf-8"), new)
    if text is None:
        raise SystemExit(f"{file} has no {BEGIN} with {END} behind it")
    file.write_text(text, encoding="utf-8")
