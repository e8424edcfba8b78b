"""The arithmetic of the benchmark: ratios, tables, targets, strace's table."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import syscalls
import tables
from harness import Unusable, explained, parse, running
from records import Result, Round, Rounds, cpu_of, ratios, spread, whole
from registry import BASE, PYTHON, SCENARIOS, SERVERS
from targets import TARGETS, Target


def rounds(*cpus: float, errors: int = 0) -> Rounds:
    """Rounds in which a message cost so much, on two CPUs twice that."""
    return [
        {"id": f"1/{number}", "split": split(cpu * 2, errors), "same": {"server_us_per_msg": cpu, "errors": 0}}
        for number, cpu in enumerate(cpus)
    ]


def split(cpu: float, errors: int) -> Result:
    return {"server_us_per_msg": cpu, "rate": 1e6 / cpu, "p50_us": 10.0, "p99_us": 20.0, "errors": errors}


def test_only_runs_of_the_same_round_are_compared() -> None:
    ours, theirs = rounds(10.0, 20.0, 40.0), rounds(5.0, 10.0)
    assert ratios(ours, theirs, cpu_of) == [0.5, 0.5]
    assert spread([1.0, 1.1, 0.9]) == pytest.approx(0.1)
    assert spread([1.0]) is None


def test_cpu_is_taken_from_the_run_on_one_cpu() -> None:
    assert cpu_of(rounds(3.0)[0]) == 3.0
    alone: Round = {"id": "1/0", "split": {"server_us_per_msg": 7.0}}
    assert cpu_of(alone) == 7.0


def test_a_target_is_met_missed_or_not_measured() -> None:
    target = Target("echo-1k-100", PYTHON, 0.82)
    figures = [target.figure({"echo-1k-100": {BASE: rounds(9.0), PYTHON: rounds(cpu)}}) for cpu in (10.0, 12.0)]
    assert figures == [0.9, 0.75]
    assert [target.met(figure) for figure in figures] == [True, False]
    assert target.figure({}) is None and not target.met(None)
    assert "missed" in target.line(0.75) and "not measured" in target.line(None)


def test_a_run_with_errors_meets_no_target() -> None:
    target = Target("echo-1k-100", PYTHON, 0.82)
    wrong = rounds(1.0, errors=1)
    assert not whole(wrong[0])
    assert target.figure({"echo-1k-100": {BASE: rounds(9.0), PYTHON: wrong}}) is None


def test_a_limit_is_the_most_that_may_be() -> None:
    target = Target("idle-5000", PYTHON, 10_000, against="")
    record: Round = {"id": "1/0", "split": {"bytes_per_conn": 9_000.0, "errors": 0}}
    assert target.met(target.figure({"idle-5000": {PYTHON: [record]}}))
    assert not target.met(10_001.0)


def test_every_target_names_what_there_is() -> None:
    servers = {server.name: server for server in SERVERS}
    scenarios = {scenario.name: scenario for scenario in SCENARIOS}
    for target in TARGETS:
        for name in filter(None, (target.server, target.against)):
            assert scenarios[target.scenario].kind in servers[name].serves


def test_the_table_has_a_row_for_each_server_the_best_first() -> None:
    text = tables.table(SCENARIOS[0], {PYTHON: rounds(10.0, 10.0), BASE: rounds(5.0, 5.0)})
    rows = [line for line in text.splitlines() if line.startswith(("| c-", "| fast"))]
    assert rows[0].startswith("| c-epoll | 5.00 | 1.00 |")
    assert rows[1].startswith("| fastsock-py | 10.00 | 0.50 | 0% | 50,000 | 10 | 20 | 0 |")


def test_the_table_of_strace_is_read() -> None:
    text = (
        "% time     seconds  usecs/call     calls    errors syscall\n"
        "------ ----------- ----------- --------- --------- ----------------\n"
        " 60.00    0.100000          10       100         3 recvfrom\n"
        " 40.00    0.060000          10        50           sendto\n"
        "------ ----------- ----------- --------- --------- ----------------\n"
        "100.00    0.160000          10       150         3 total\n"
    )
    assert syscalls.parse(text) == {"recvfrom": 100, "sendto": 50}


def test_what_the_load_generator_says_without_a_result() -> None:
    assert parse("", "noise\nno such thing\n")["fatal"] == "load generator: no such thing"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["/nonexistent/server"], "cannot be started"),
        ([sys.executable, "-c", "raise SystemExit('no room')"], "no room"),
    ],
)
def test_a_server_that_does_not_start(argv: list[str], said: str) -> None:
    with pytest.raises(Unusable, match=said), running(argv):
        pass


def test_the_port_is_the_last_number_of_the_line() -> None:
    script = "import time; print('hello 7', 'listening on 127.0.0.1:40123', sep=chr(10), flush=True); time.sleep(60)"
    with running([sys.executable, "-c", script]) as server:
        assert server.port == 40123


def test_a_server_that_ends_by_itself_is_quoted() -> None:
    script = "import sys; print('READY 1', flush=True); sys.exit('greenlets are missing')"
    with running([sys.executable, "-c", script]) as server:
        server.process.wait(10)
        result = explained({"fatal": "connection refused", "errors": 1}, server)
    assert result["fatal"] == "the server ended by itself: greenlets are missing"
