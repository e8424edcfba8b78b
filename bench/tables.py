"""The Markdown tables."""

import re
from collections.abc import Mapping

from records import Rounds, cpu_of, median, ratios, results, spread
from registry import BASE, Scenario

SPEED = (
    "| server | server CPU, us per message | of raw C epoll | +- | messages per s | p50, us | p99, us | errors |",
    "|---|--:|--:|--:|--:|--:|--:|--:|",
)
MEMORY = (
    "| server | bytes per connection | RSS before, KiB | RSS with all, KiB | threads | CPU to open one, us | errors |",
    "|---|--:|--:|--:|--:|--:|--:|",
)
NOISY = 0.10


def table(scenario: Scenario, runs: Mapping[str, Rounds]) -> str:
    """One scenario: a row for each server, the best first."""
    rows = [(cell_order(scenario, rounds), row(scenario, name, rounds, runs)) for name, rounds in runs.items()]
    head = MEMORY if scenario.is_idle else SPEED
    lines = [f"### {scenario.name}: {scenario.what}", "", *head, *(text for _, text in sorted(rows))]
    lines += ["", f"(load generator: `{scenario.mode} {scenario.options}`{noise(runs)})", ""]
    return "\n".join(lines)


def cell_order(scenario: Scenario, rounds: Rounds) -> float:
    """What the rows are sorted by."""
    if scenario.is_idle:
        value = median(record["split"].get("bytes_per_conn") for record in rounds)
    else:
        value = median(map(cpu_of, rounds))
    return float("inf") if value is None else value


def row(scenario: Scenario, name: str, rounds: Rounds, runs: Mapping[str, Rounds]) -> str:
    """One server of a scenario."""
    split = [record["split"] for record in rounds]
    if scenario.is_idle:
        cells = [
            number(median(r.get("bytes_per_conn") for r in split), 0),
            number(median(r.get("rss_before_kib") for r in split), 0),
            number(median(r.get("rss_kib") for r in split), 0),
            number(median(r.get("server_threads") for r in split), 0),
            number(median(r.get("open_us_per_conn") for r in split), 1),
        ]
    else:
        beside = ratios(rounds, runs.get(BASE, []), cpu_of)
        # The yardstick is 1 by definition; what it shows is how much it moved itself.
        own = [cpu for cpu in map(cpu_of, rounds) if cpu]
        wide = spread(own if name == BASE else beside)
        cells = [
            number(median(map(cpu_of, rounds)), 2),
            number(median(beside), 2),
            "" if wide is None else f"{wide:.0%}",
            number(median(r.get("rate") for r in split), 0),
            number(median(r.get("p50_us") for r in split), 0),
            number(median(r.get("p99_us") for r in split), 0),
        ]
    return "| " + " | ".join([name, *cells, errors(rounds)]) + " |"


def errors(rounds: Rounds) -> str:
    """How many there were, or why there was no run."""
    every = [result for record in rounds for result in results(record)]
    # Runs differ in the port only.
    fatal = {re.sub(r":\d+", "", result["fatal"]) for result in every if "fatal" in result}
    return "; ".join(sorted(fatal)).replace("|", "/") or str(sum(result.get("errors", 0) for result in every))


def noise(runs: Mapping[str, Rounds]) -> str:
    """A warning if something else kept the machine busy."""
    others = [record["split"].get("others", 0.0) for rounds in runs.values() for record in rounds]
    loud = sum(value > NOISY for value in others)
    if not loud:
        return ""
    return f"; **not quiet**: in {loud} of {len(others)} runs others used more than {NOISY:.0%} of a CPU"


def number(value: float | None, decimals: int) -> str:
    """A number, or nothing."""
    return "" if value is None else f"{value:,.{decimals}f}"
