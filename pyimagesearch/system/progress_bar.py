"""How far a long reading is, on a terminal."""

import sys
import time


class ProgressBar:
    """A count and the time left, on standard error, for a program that wants it on a terminal.

    total: how many there are; what: what is counted, "images read".
    """

    wanted = False  # a program says so, see terminal.setup

    def __init__(self, total: int, what: str):
        self.total, self.what = total, what
        self.done, self.start, self.shown = 0, time.monotonic(), 0.0

    def __enter__(self) -> "ProgressBar":
        return self

    def add(self, count: int) -> None:
        """So many more are done."""
        self.done += count
        now = time.monotonic()
        # nothing for what is over in a second
        if self.wanted and sys.stderr.isatty() and now - max(self.shown, self.start) > 1:
            self.shown = now
            left = (now - self.start) * (self.total - self.done) / self.done
            line = f"{self.done:,} of {self.total:,} {self.what}, {left:,.0f} s left"
            print(f"\r{line:60}", end="", file=sys.stderr, flush=True)

    def __exit__(self, *error: object) -> None:
        if self.shown:
            print("\r" + " " * 60 + "\r", end="", file=sys.stderr, flush=True)
