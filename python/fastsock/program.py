"""Running an unchanged program whose ``socketserver`` is ours."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence

__all__ = ["install", "run_module", "run_script"]


def install() -> None:
    """From now on, ``import socketserver`` gives ``fastsock.socketserver`` in this process.

    Modules that have imported the stdlib's before keep it.
    """
    from fastsock import socketserver

    sys.modules["socketserver"] = socketserver


def run_script(path: str, args: Sequence[str]) -> None:
    """As ``python path args``: the same ``sys.argv``, ``sys.path[0]`` and ``__main__``."""
    if not os.path.exists(path):
        sys.exit(f"python -m fastsock: can't open file {path!r}: no such file")
    install()
    sys.argv = [path, *args]
    # Python has put the current folder there for -m; a script has its own.
    sys.path[0] = os.path.dirname(os.path.realpath(path))
    runpy.run_path(path, run_name="__main__")


def run_module(name: str, args: Sequence[str]) -> None:
    """As ``python -m name args``."""
    install()
    sys.argv = [name, *args]
    sys.path[0] = os.getcwd()
    runpy.run_module(name, run_name="__main__", alter_sys=True)
