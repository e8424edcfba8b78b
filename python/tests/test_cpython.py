"""CPython's own test_socketserver, with the drop-in in its place. The whole of it: ``make test-cpython``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def test_cpythons_own_tests_of_socketserver_pass() -> None:
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "cpython" / "run.py", "--here", "test_socketserver"],
        capture_output=True,
        text=True,
        timeout=55,
    )
    if done.returncode == 2:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 test modules passed" in done.stdout
