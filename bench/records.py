"""What the runs are kept as, and the arithmetic on them."""

import statistics
from collections.abc import Callable, Iterable
from typing import NotRequired, TypedDict


class Result(TypedDict, total=False):
    """One line of the load generator (or why there is none), and how busy the machine was otherwise."""

    fatal: str
    errors: int
    rate: float | None
    p50_us: float | None
    p99_us: float | None
    server_us_per_msg: float | None
    server_busy: float | None
    load_busy: float | None
    server_threads: float | None
    rss_kib: float | None
    rss_before_kib: float | None
    bytes_per_conn: float | None
    heap_per_conn: float
    blocks_per_conn: float
    open_us_per_conn: float | None
    held: int
    conns: int
    total_msgs: int
    interrupted: bool
    others: float


class Round(TypedDict):
    """One server's runs in one round."""

    id: str  # the same for all servers of the round
    split: Result
    same: NotRequired[Result]


Rounds = list[Round]


def results(record: Round) -> list[Result]:
    """All runs of a round."""
    return [record["split"], record["same"]] if "same" in record else [record["split"]]


def whole(record: Round) -> bool:
    """Whether nothing at all went wrong."""
    return all(not r.get("fatal") and not r.get("errors") for r in results(record))


def cpu_of(record: Round) -> float | None:
    """Server CPU for each message: from the run on one CPU if there was one."""
    result = record.get("same") or record["split"]
    return result.get("server_us_per_msg")


def rate_of(record: Round) -> float | None:
    """Messages per second."""
    return record["split"].get("rate")


def ratios(ours: Rounds, theirs: Rounds, value: Callable[[Round], float | None]) -> list[float]:
    """Their value over ours, round by round: only what ran side by side is compared."""
    by_id = {record["id"]: value(record) for record in theirs}
    pairs = ((by_id.get(record["id"]), value(record)) for record in ours)
    return [their / our for their, our in pairs if their and our]


def median(values: Iterable[float | None]) -> float | None:
    """The median of those that are there."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def spread(values: list[float]) -> float | None:
    """Half of the range, as a share of the median."""
    if len(values) < 2:
        return None
    return (max(values) - min(values)) / 2 / statistics.median(values)
