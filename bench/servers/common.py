"""What every Python server here needs: its address, room for connections, and to say that it is ready."""

import resource
import sys

BACKLOG = 4096


def address() -> tuple[str, int]:
    """HOST and PORT from the command line; the limit on open files is raised on the way."""
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} HOST PORT")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return sys.argv[1], int(sys.argv[2])


def ready(port: int) -> None:
    """Say that connections are accepted from now on."""
    print("READY", port, flush=True)
