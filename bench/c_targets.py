"""What the C library must reach beside raw epoll and its peers, and whether it did."""

from collections.abc import Callable
from dataclasses import dataclass

from c_records import PHASES, Figures, interval, middle
from registry import BASE, BUFFEREVENT, C_STREAM, C_STREAM_TIMED, EV, EVENT, UV, C

SPEED = ("echo-64-1000", "echo-1k-100", "echo-16k-50", "pipe-64-50", "churn-50")
STREAMS = (C_STREAM, C_STREAM_TIMED)
LEVEL = 1.05


@dataclass(frozen=True)
class Target:
    """A figure that may be so much at most."""

    where: str
    what: str
    bound: float
    values: Callable[[Figures], list[float]]
    decimals: int = 2

    def met(self, figures: Figures) -> bool:
        """Whether the median is good enough; what was not measured is not."""
        value = middle(self.values(figures))
        return value is not None and value <= self.bound

    def line(self, figures: Figures) -> str:
        """One row of the table."""
        values = self.values(figures)
        value, within = middle(values), interval(values)
        # A digit more than the bound has, or a figure just above it would look as if it were met.
        digits = self.decimals + 1
        shown = "" if value is None else f"{value:,.{digits}f}"
        if within:
            shown += f" ({within[0]:.{digits}f}-{within[1]:.{digits}f})"
        verdict = "not measured, or errors" if value is None else "met" if self.met(figures) else "**missed**"
        return f"| {self.where} | {self.what} | {self.bound:,.{self.decimals}f} | {shown} | {verdict} |"


def speed(scenario: str, server: str, against: str, bound: float) -> Target:
    """CPU per message as a multiple of another server's."""
    return Target(scenario, f"{server} / {against}", bound, lambda figures: figures.cost(scenario, server, against))


def timers(phase: str, against: str, bound: float) -> Target:
    """Nanoseconds per timer as a multiple of another library's."""
    return Target(f"timers, {phase}", f"{C} / {against}", bound, lambda figures: figures.timer_cost(phase, C, against))


def memory(server: str, bound: float) -> Target:
    """Bytes on the heap for each idle connection."""

    def values(figures: Figures) -> list[float]:
        result = figures.memory.get(server, {"errors": 1})
        return [] if result.get("errors") else [result["heap_per_conn"]]

    return Target("idle-5000", f"{server}, bytes per connection", bound, values, 0)


TARGETS = (
    *(speed(scenario, C, BASE, 1.02) for scenario in SPEED),
    *(speed(scenario, C, UV, 1.00) for scenario in SPEED),
    *(speed(scenario, server, BASE, 1.08) for server in STREAMS for scenario in SPEED),
    *(speed(scenario, server, BUFFEREVENT, 0.90) for server in STREAMS for scenario in SPEED),
    *(memory(server, 300) for server in STREAMS),
    *(timers(phase, against, 1.00) for against in (UV, EVENT) for phase in PHASES),
    *(timers(phase, EV, LEVEL) for phase in PHASES),
)


def table(figures: Figures) -> str:
    """Every target, in Markdown."""
    head = ("| scenario | figure | at most | measured | |", "|---|---|--:|--:|---|")
    return "\n".join([*head, *(target.line(figures) for target in TARGETS)])
