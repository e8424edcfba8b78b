"""What `make bench-c` measures is kept as, and the arithmetic on it."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from records import Result

# What the programs in timers/ measure.
PHASES = ("insert", "cancel", "re-arm", "insert again", "fire")


@dataclass
class Figures:
    """Everything that was measured. The runs of one round have the same place in their lists."""

    speed: dict[str, dict[str, list[Result]]] = field(default_factory=dict)  # by scenario and server
    memory: dict[str, Result] = field(default_factory=dict)  # by server
    timers: dict[str, list[dict[str, float]]] = field(default_factory=dict)  # by server: by phase, nanoseconds
    versions: dict[str, str] = field(default_factory=dict)  # by server, of its library

    def cpu(self, scenario: str, server: str) -> list[float | None]:
        """Microseconds of CPU per message, round by round; None where a run had errors."""
        return [clean(run) for run in self.speed.get(scenario, {}).get(server, [])]

    def cost(self, scenario: str, server: str, against: str) -> list[float]:
        """What a message costs a server, as a multiple of what it costs another in the same round."""
        return quotients(self.cpu(scenario, server), self.cpu(scenario, against))

    def timer_cost(self, phase: str, server: str, against: str) -> list[float]:
        """The same for timers."""
        ours, theirs = ([run[phase] for run in self.timers.get(name, [])] for name in (server, against))
        return quotients(ours, theirs)

    def troubles(self) -> list[str]:
        """What went wrong, in words."""
        runs = [(f"{scenario}, {name}", run) for scenario, servers in self.speed.items()
                for name, list_ in servers.items() for run in list_]  # fmt: skip
        runs += [(f"idle, {name}", run) for name, run in self.memory.items()]
        return [
            f"{what}: {run.get('fatal') or str(run['errors']) + ' errors'}" for what, run in runs if run.get("errors")
        ]


def clean(run: Result) -> float | None:
    """CPU per message of a run in which nothing went wrong."""
    return None if run.get("errors") else run.get("server_us_per_msg")


def quotients(ours: Sequence[float | None], theirs: Sequence[float | None]) -> list[float]:
    """Ours over theirs, of the rounds that both took part in."""
    return [our / their for our, their in zip(ours, theirs, strict=False) if our and their]


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """An interval that has the true median in it with a probability of 95 % or more, whatever the distribution: from
    one order statistic to its counterpart (the sign test's). Too few values for that give their whole range."""
    ranked = sorted(values)
    if len(ranked) < 2:
        return None
    cut = 0
    while 2 * sum(math.comb(len(ranked), k) for k in range(cut + 2)) / 2 ** len(ranked) <= 0.05:
        cut += 1
    return ranked[cut], ranked[-1 - cut]


def middle(values: Sequence[float]) -> float | None:
    """The median, if there is any value."""
    return statistics.median(values) if values else None
