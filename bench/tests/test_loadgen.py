"""The load generator itself: a right server passes, every kind of wrong one is found out."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LOADGEN = os.environ.get("FASTSOCK_LOADGEN") or str(ROOT / "target/release/fastsock-loadgen")
assert Path(LOADGEN).exists(), f"no {LOADGEN}: cargo build --release -p fastsock-loadgen"
SHORT = ("--warm", "0.05", "--dur", "0.2")


@contextmanager
def serving(*argv: str) -> Iterator[tuple[int, int]]:
    """A server that is started, and ended at the end: its port and its pid."""
    with subprocess.Popen([sys.executable, *argv], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline().split()[-1]), server.pid
        finally:
            server.kill()


def broken(how: str) -> Any:
    return serving(str(HERE / "broken_server.py"), how)


def load(mode: str, port: int, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [LOADGEN, mode, "--port", str(port), *SHORT, *options]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "options",
    [
        ("--conns", "50"),
        ("--conns", "20", "--size", "64", "--depth", "8"),
        ("--conns", "20", "--size", "1"),
        ("--conns", "20", "--size", "64", "--line", "--depth", "3"),
        ("--conns", "3", "--size", "300000"),
        ("--host", "127.0.0.1", "--conns", "300", "--opening", "50"),
    ],
)
def test_a_right_server_has_no_errors(options: tuple[str, ...]) -> None:
    with serving(str(HERE.parent / "servers/threads_echo.py"), "127.0.0.1", "0") as (port, pid):
        ran = load("echo", port, "--pid", str(pid), "--json", *options)
    result = json.loads(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    assert result["errors"] == 0
    assert result["held"] == result["conns"] == int(options[options.index("--conns") + 1])
    assert result["rate"] > 0 and result["p50_us"] <= result["p99_us"] <= result["p999_us"]
    assert result["server_us_per_msg"] > 0 and result["rss_kib"] > 1000
    assert result["server_threads"] == result["conns"] + 1


def test_churn() -> None:
    with broken("right") as (port, pid):
        ran = load("churn", port, "--conns", "8", "--pid", str(pid), "--json")
    result = json.loads(ran.stdout)
    assert (ran.returncode, result["errors"]) == (0, 0)
    assert result["msgs"] > 20


def test_idle() -> None:
    with serving(str(HERE.parent / "servers/threads_echo.py"), "127.0.0.1", "0") as (port, pid):
        ran = load("idle", port, "--conns", "200", "--pid", str(pid), "--json")
    result = json.loads(ran.stdout)
    assert (ran.returncode, result["errors"], result["held"]) == (0, 0, 200)
    assert result["bytes_per_conn"] > 1000


def test_sources_are_spread_over_addresses() -> None:
    """With 10,000 connections behind one address the next ones come from another."""
    conns = 10_050
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < conns + 100:
        conns = 0  # this machine allows too few files: the refusal is what can be seen here
    script = (
        "import resource as r, runpy, sys; h = r.getrlimit(r.RLIMIT_NOFILE)[1];"
        "r.setrlimit(r.RLIMIT_NOFILE, (h, h)); sys.argv = ['broken_server.py', 'right'];"
        f"runpy.run_path({str(HERE / 'broken_server.py')!r})"
    )
    with serving("-c", script) as (port, pid):
        ran = load("echo", port, "--conns", str(conns or 1_000_000), "--size", "16", "--opening", "100")
        if not conns:
            assert ran.returncode == 1 and "--conns" in ran.stderr
            return
        assert ran.returncode == 0, ran.stderr
    assert "10,050 of 10,050 connections" in ran.stdout and "errors     0" in ran.stdout
    assert pid > 0


@pytest.mark.parametrize(
    ("how", "said", "counted"),
    [
        ("flips", "came back as", "wrong"),
        ("drops", "came back as", "wrong"),
        ("doubles", "byte", "wrong"),
        ("swaps", "came back as", "wrong"),
        ("crosses", "byte", "wrong"),
        ("closes", "closed", "closed"),
        ("stalls", "stopped answering", "unreturned"),
    ],
)
@pytest.mark.parametrize("line", [False, True])
def test_a_wrong_server_is_found_out(how: str, said: str, counted: str, line: bool) -> None:
    options = ["--conns", "5", "--size", "100", "--stall", "0.5", "--json"] + ["--line"] * line
    with broken(how) as (port, _pid):
        ran = load("echo", port, *options)
    result = json.loads(ran.stdout)
    assert ran.returncode == 1
    assert result["errors"] > 0 and result[counted] > 0
    assert said in ran.stderr


def test_a_doubled_reply_is_seen_at_depth() -> None:
    with broken("doubles") as (port, _pid):
        ran = load("echo", port, "--conns", "2", "--depth", "4", "--size", "500", "--stall", "0.5")
    assert ran.returncode == 1


@pytest.mark.parametrize("mode", ["echo", "churn", "idle"])
def test_a_wrong_first_byte_is_a_failure(mode: str) -> None:
    with broken("flips_at_once") as (port, pid):
        ran = load(mode, port, "--conns", "5", "--pid", str(pid), "--json")
    assert ran.returncode == 1
    assert "byte 7 of its stream" in json.loads(ran.stdout)["fatal"]


@pytest.mark.parametrize("mode", ["echo", "churn", "idle"])
def test_a_server_that_never_answers_ends_the_run(mode: str) -> None:
    with broken("never") as (port, pid):
        ran = load(mode, port, "--conns", "5", "--pid", str(pid), "--stall", "0.3")
    assert ran.returncode == 1
    assert "stopped answering" in ran.stderr


@pytest.mark.parametrize("mode", ["echo", "churn", "idle"])
def test_nobody_listening(mode: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ran = load(mode, port, "--pid", str(os.getpid()))
    assert ran.returncode == 1
    assert "nothing listens on" in ran.stderr and "start the server first" in ran.stderr


def test_a_server_that_is_killed_ends_the_run() -> None:
    with broken("right") as (port, pid):
        argv = [LOADGEN, "echo", "--port", str(port), "--dur", "30", "--conns", "5", "--progress"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            wait_for_load(run)
            os.kill(pid, signal.SIGKILL)
            out, _err = run.communicate(timeout=20)
    assert run.returncode == 1
    assert "errors     5" in out


def test_an_interrupt_still_gives_the_summary() -> None:
    with broken("right") as (port, _pid):
        argv = [LOADGEN, "echo", "--port", str(port), "--dur", "30", "--conns", "5", "--progress"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            wait_for_load(run)
            run.send_signal(signal.SIGINT)
            out, _err = run.communicate(timeout=20)
    assert run.returncode == 130
    assert "interrupted" in out and "errors     0" in out and "per second" in out


def wait_for_load(run: subprocess.Popen[str]) -> None:
    """Until the connections are open and messages go to and fro."""
    assert run.stderr is not None
    while "echoing" not in (line := run.stderr.readline()):
        assert line, "the load generator ended"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "which mode"),
        (["flood", "--port", "1"], "echo, churn or idle"),
        (["echo"], "--port is needed"),
        (["echo", "--port", "1", "--host", "192.0.2.1"], "loopback"),
        (["echo", "--port", "1", "--conns", "0"], "from 1"),
        (["idle", "--port", "1"], "--pid"),
    ],
)
def test_bad_usage(argv: list[str], said: str) -> None:
    ran = subprocess.run([LOADGEN, *argv], check=False, capture_output=True, text=True, timeout=10)
    assert ran.returncode == 2
    assert said in ran.stderr


def test_the_limit_on_open_files_is_raised_and_said() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with broken("right") as (port, _pid):
        argv = [LOADGEN, "echo", "--port", str(port), *SHORT, "--conns", "60"]
        low = f"ulimit -Sn 64; exec {' '.join(argv)}"
        ran = subprocess.run(["sh", "-c", low], check=False, capture_output=True, text=True, timeout=30)
    assert ran.returncode == 0, ran.stderr
    assert f"raised from 64 to {hard}" in ran.stderr
    assert soft <= hard
