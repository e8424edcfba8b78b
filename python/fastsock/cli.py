"""The command line: ``python -m fastsock``, or the script ``fastsock``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fastsock import __version__

_EPILOG = """\
examples:
  python -m fastsock run server.py 8080        a program that uses socketserver, as it is
  python -m fastsock run -m package.server     a module, as with python -m

In the program and its libraries, `import socketserver` gives fastsock.socketserver: servers with ThreadingMixIn handle
each request in a coroutine of one thread. Servers without it stay serial, ForkingMixIn still forks.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fastsock",
        description="Run socketserver programs on one thread and an epoll loop, without changing them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fastsock {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    commands.add_parser(
        "run",
        help="run a script or module whose socketserver is fastsock's",
        usage="python -m fastsock run [-h] (script.py | -m module) [args ...]",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; the result is the exit status, unless the program sets its own."""
    from fastsock.program import run_module, run_script

    args = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    if args[:1] != ["run"] or args[1:2] in (["-h"], ["--help"]):
        parser.parse_args(args)
    # What follows `run` is the program's, options too: argparse would take them for ours.
    program = args[1:]
    if not program:
        parser.error("run what? python -m fastsock run script.py [args ...]")
    if program[0] == "-m":
        if len(program) < 2:
            parser.error("-m needs the name of a module")
        run_module(program[1], program[2:])
    elif program[0].startswith("-"):
        parser.error(f"unknown option {program[0]}: give the script first, then its own options")
    else:
        run_script(program[0], program[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
