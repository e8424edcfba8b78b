"""What fastsock must reach, and whether it did."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from records import Rounds, cpu_of, ratios, whole
from registry import BASE, GEVENT, LINE, PYTHON, RUST, STREAMS, C


@dataclass(frozen=True)
class Target:
    """`server` must be at least `bound` times as good as `against` in `scenario`; without `against`, `bound` is the
    most that the figure may be."""

    scenario: str
    server: str
    bound: float
    against: str = BASE

    def figure(self, runs: Mapping[str, Mapping[str, Rounds]]) -> float | None:
        """The measured figure; None when a side was not measured or had errors."""
        here = runs.get(self.scenario, {})
        ours = here.get(self.server, [])
        if not ours or not all(map(whole, ours)):
            return None
        if not self.against:
            values = [bytes_ for r in ours if (bytes_ := r["split"].get("bytes_per_conn")) is not None]
        else:
            values = ratios(ours, here.get(self.against, []), cpu_of)
        return statistics.median(values) if values else None

    def line(self, figure: float | None) -> str:
        """One row for the table of targets."""
        what = f"{self.against} / {self.server}, CPU" if self.against else f"{self.server}, bytes per connection"
        wanted, shown = self._amounts(figure)
        verdict = "not measured, or errors" if figure is None else "met" if self.met(figure) else "**missed**"
        return f"| {self.scenario} | {what} | {wanted} | {shown} | {verdict} |"

    def met(self, figure: float | None) -> bool:
        """Whether the figure is good enough; one that was not measured is not."""
        if figure is None:
            return False
        return figure >= self.bound if self.against else figure <= self.bound

    def _amounts(self, figure: float | None) -> tuple[str, str]:
        if self.against:
            return f"at least {self.bound:.2f}", "" if figure is None else f"{figure:.2f}"
        return f"at most {self.bound:,.0f}", "" if figure is None else f"{figure:,.0f}"


TARGETS = (
    Target("echo-1k-100", RUST, 0.98),
    Target("echo-64-1000", RUST, 0.98),
    Target("echo-1k-100", C, 0.98),
    Target("echo-64-1000", C, 0.98),
    Target("echo-1k-100", PYTHON, 0.82),
    Target("echo-1k-100", PYTHON, 1.8, against=GEVENT),
    Target("echo-1k-100", PYTHON, 1.4, against=STREAMS),
    Target("line-64-100", LINE, 0.75),
    Target("churn-50", PYTHON, 0.75),
    Target("idle-5000", PYTHON, 10_000, against=""),
)

# System calls for each message, under strace, echo of 1 KiB over 100 connections.
SYSCALLS_AT_MOST = 2.1
SYSCALLS_SERVERS = (RUST, C, PYTHON)
