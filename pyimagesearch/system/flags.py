"""Flags that several scripts share, and what argparse makes of their values."""

import argparse
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from pyimagesearch import __version__
from pyimagesearch.system.errors import InputError


class Parser(argparse.ArgumentParser):
    """argparse's, whose errors are InputErrors: one line, without the usage above it."""

    def __init__(self, **how: Any):
        super().__init__(**how)
        self.add_argument("--version", action="version", version=__version__)

    def error(self, message: str) -> NoReturn:
        flags = [word.split("=")[0] for word in sys.argv[1:] if word.startswith("--")]
        known = self._option_string_actions
        unknown = [flag for flag in flags if not any(name.startswith(flag) for name in known)]
        if "are required" in message and unknown:  # a flag that is missing may be misspelt
            message = f"unrecognized arguments: {' '.join(unknown)}"
        raise InputError(f"{message}; --help lists the flags")


# how a folder of classes is read: name, what add_argument takes, help
CLASS_LEVEL = ("--class-level", {"type": int, "choices": (1, 2)},
    "which level of subfolders are the classes (what the folder looks like)")  # fmt: skip
GROUP_BY = ("--group-by", {"metavar": "REGEX"},
    "a pattern for file names: images whose names give the same text stay together")  # fmt: skip


def whole_number(low: int, high: int = sys.maxsize) -> Callable[[str], int]:
    """For argparse: takes a whole number from low to high."""

    def parse(text: str) -> int:
        with suppress(ValueError):
            if low <= (value := int(text)) <= high:
                return value
        wanted = f"from {low} " + ("up" if high == sys.maxsize else f"to {high}")
        raise argparse.ArgumentTypeError(f"expected a whole number {wanted}, received {text!r}")

    return parse


positive_int = whole_number(1)
seed = whole_number(0, 2**31 - 1)  # what every generator takes


def image_size(text: str) -> tuple[int, int]:
    """For argparse: "64", or "WIDTHxHEIGHT", as (height, width)."""
    sides = [whole_number(1, 4096)(side) for side in text.split("x")]
    if len(sides) > 2:
        raise argparse.ArgumentTypeError(f"expected 64 or WIDTHxHEIGHT, received {text!r}")
    return (sides[-1], sides[0])


def share(text: str) -> float:
    """For argparse: a number between 0 and 1."""
    with suppress(ValueError):
        if 0 < (value := float(text)) < 1:
            return value
    raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, received {text!r}")
