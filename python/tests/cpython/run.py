#!/usr/bin/env python3
"""Runs CPython's own tests with fastsock in the place of ``socketserver`` and of ``socket.socket``.

    run.py --wheel target/wheels/fastsock-*.whl --into target/cpython      every CPython from 3.11 on that is installed
    run.py --here test_socketserver                                        this one, which has fastsock, as it is

Each test module must pass, but for what exclusions.toml names, and must have used servers (or sockets) of ours. The
exit status is 0 when all did, 1 when one did not, 2 when there was nothing to run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

#: The modules whose servers come from socketserver; and that of the sockets. The longest first.
STAGES = [
    ("socket", "test_socket"),
    ("loop", "test_ssl"),
    ("loop", "test_logging"),
    ("loop", "test_imaplib"),
    ("loop", "test_xmlrpc"),
    ("loop", "test_docxmlrpc"),
    ("loop", "test_httpservers"),
    ("loop", "test_wsgiref"),
    ("loop", "test_urllib2_localnet"),
    ("drop-in", "test_socketserver"),
    ("loop", "test_socketserver"),
]
VERSIONS = ("3.11", "3.12", "3.13")
GREENLET = "greenlet==3.5.6"
#: Seconds for one module. A test that hangs is named, with its stack, after half of it.
PATIENCE = 300


@dataclass(frozen=True)
class Stage:
    python: Path
    version: str
    mode: str
    module: str
    #: Whether a ``.pth`` in the environment does the swap; else the command line does, for the first process only.
    pth: bool


def ask(python: str | Path, code: str) -> str | None:
    """What an interpreter prints, or None when it cannot."""
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def interpreters() -> Iterable[tuple[str, Path]]:
    """Each version that is installed, once: by name on PATH, else among pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for version in VERSIONS:
        candidates = [
            shutil.which(f"python{version}"),
            *sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")),
        ]
        usable = [python for python in candidates if python and ask(python, "import sys") is not None]
        complete = [python for python in usable if has_tests(python)]
        if complete:
            yield version, Path(complete[0])
        elif usable:
            print(f"SKIPPING CPython {version}: {usable[0]} has no test package", flush=True)
            print(f"         (Debian has it in libpython{version}-testsuite)", flush=True)
        else:
            print(f"SKIPPING CPython {version}: not installed", flush=True)


def has_tests(python: str | Path) -> bool:
    return ask(python, "import test.libregrtest.main, test.test_socketserver") is not None


def prepare(python: Path, version: str, wheel: Path, into: Path) -> Path:
    """An environment with the wheel and the swap; its interpreter."""
    home = into / version
    inner = home / "bin" / "python"
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([python, "-m", "venv", home], check=True)
    pip = [inner, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, GREENLET, wheel], check=True)
    site = ask(inner, "import sysconfig; print(sysconfig.get_path('purelib'))")
    assert site
    shutil.copy(HERE / "fastsock_swap.py", site)
    Path(site, "fastsock_swap.pth").write_text(
        "import os; os.environ.get('FASTSOCK_SWAP') and __import__('fastsock_swap')\n"
    )
    return inner


def exclusions(stage: Stage) -> list[str]:
    with open(HERE / "exclusions.toml", "rb") as file:
        every = tomllib.load(file)["exclusion"]
    return [one["test"] for one in every if stage.mode in one["modes"] and one["module"] == stage.module]


def run(stage: Stage) -> bool:
    """One test module; prints a line, and all of its output when it fails."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        swap = {"FASTSOCK_SWAP": stage.mode, "FASTSOCK_SWAP_LOG": str(log)}
        how = ["-m", "test"]
        if not stage.pth:
            swap["PYTHONPATH"] = str(HERE)
            how = ["-c", "import fastsock_swap; from test.libregrtest.main import main; main()"]
        ignore = [word for test in exclusions(stage) for word in ("-i", test)]
        process = subprocess.Popen(
            [stage.python, *how, "-u", "network", "--timeout", str(PATIENCE // 2), *ignore, stage.module],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=folder,
            env={key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | swap,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            output += f"\nended after {PATIENCE} seconds"
        lines = log.read_text().splitlines() if log.exists() else []
    servers = sum(line.startswith("server ") for line in lines)
    sockets = sum(int(line.split()[1]) for line in lines if line.startswith("sockets "))
    used = sockets if stage.mode == "socket" else servers
    what = "sockets" if stage.mode == "socket" else "servers"
    found = re.search(r"run=([\d,]+)", output)
    count = int(found[1].replace(",", "")) if found else -1
    passed = process.returncode == 0 and used > 0 and count != 0
    label = f"{stage.version:5} {stage.mode:8} {stage.module:22}"
    tests = f"{count} tests, " if count >= 0 else ""
    verdict = "ok" if passed else "FAILED" if used else "FAILED: nothing of ours was used"
    seconds = time.monotonic() - start
    report = f"{label} {verdict}: {tests}{used} {what} of ours, {seconds:.0f} s"
    print(report if passed else f"{report}\n{output}", flush=True)
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--here", action="store_true", help="with this interpreter, in which fastsock is installed")
    parser.add_argument("--wheel", type=Path, help="what to install into an environment for each interpreter")
    parser.add_argument("--into", type=Path, help="where those environments are made")
    parser.add_argument("modules", nargs="*", help="only these test modules")
    args = parser.parse_args()

    pythons: list[tuple[str, Path]] = []
    if args.here:
        if not has_tests(sys.executable):
            print("SKIPPING CPython's tests: this interpreter has no test package")
            return 2
        pythons.append(("{}.{}".format(*sys.version_info), Path(sys.executable)))
    elif args.wheel is None or args.into is None:
        parser.error("--wheel and --into, or --here")
    else:
        for version, python in interpreters():
            print(f"{version:5} {python}", flush=True)
            pythons.append((version, prepare(python, version, args.wheel.resolve(), args.into.resolve())))
    stages = [
        Stage(python, version, mode, module, not args.here)
        for mode, module in STAGES
        for version, python in pythons
        if not args.modules or module in args.modules
    ]
    if not stages:
        print("nothing to run: no CPython from 3.11 on has its test package")
        return 2
    # Most of the time they wait; more at once would make tests that measure time fail.
    with ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(run, stages))
    print(f"{sum(passed)} of {len(passed)} test modules passed")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
