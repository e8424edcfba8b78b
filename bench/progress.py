"""How far a long run has got, on standard error."""

import sys
import time

WIDTH = 24


class Progress:
    """A bar on a terminal; elsewhere a line now and then."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.done = 0
        self.started = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.told = -1

    def step(self, next_: str) -> None:
        """This comes next."""
        tenth = 10 * self.done // max(self.steps, 1)
        if self.terminal:
            full = WIDTH * self.done // max(self.steps, 1)
            bar = "#" * full + "-" * (WIDTH - full)
            print(f"\r  [{bar}] {self.left():>10}  {next_:<44.44}", end="", file=sys.stderr, flush=True)
        elif tenth != self.told:
            print(f"  {self.done} of {self.steps}, {self.left()}: {next_}", file=sys.stderr, flush=True)
        self.told = tenth
        self.done += 1

    def left(self) -> str:
        """What remains, if the rest takes as long as what is done."""
        if not self.done:
            return "-:-- left"
        seconds = (time.monotonic() - self.started) / self.done * (self.steps - self.done)
        return f"{int(seconds) // 60}:{int(seconds) % 60:02} left"

    def say(self, sentence: str) -> None:
        """A line of its own."""
        print(f"\r{sentence:<86}" if self.terminal else sentence, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Takes the bar away."""
        if self.terminal:
            print("\r" + " " * 86 + "\r", end="", file=sys.stderr, flush=True)
