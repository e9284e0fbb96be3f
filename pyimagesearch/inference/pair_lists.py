"""A list of pairs of image files for compare --pairs, read line by line; every fault is named."""

import os
from dataclasses import dataclass
from pathlib import Path

from pyimagesearch.data import lists
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.errors import printable


@dataclass(frozen=True)
class Line:
    """A pair of the list."""

    number: int  # of its line in the file, from 1
    a: str  # as the list has it
    b: str
    same: bool | None  # None: the list does not say


@dataclass(frozen=True)
class PairList:
    """What a list holds."""

    lines: list[Line]
    faults: list[tuple[int, str]]  # number and text of each line that is no pair
    folder: str  # which its paths begin at

    def files(self) -> list[str]:
        """The files that stand in it, each once, as the list has them."""
        return list(dict.fromkeys(name for line in self.lines for name in (line.a, line.b)))


def read(path: str | Path) -> PairList:
    """Read a CSV file with a header: columns a and b, paths from the file's folder on, and same.

    As lists.rows_of; same may be missing or empty, too.
    Raises InputError where the file cannot be read, has no such header or no line.
    """
    lines: list[Line] = []
    faults: list[tuple[int, str]] = []
    for row in lists.rows_of(path, ("a", "b"))[1]:
        try:
            (a, b) = row.named("a", "b")
            known = bool(row.cells.get("same", "").strip())
            lines.append(Line(row.number, a, b, row.same() if known else None))
        except InputError as fault:
            faults.append((row.number, str(fault)))
    if not lines and not faults:
        raise InputError(f"Expected pairs below the header. Received: {printable(path)} without.")
    return PairList(lines, faults, os.path.dirname(path))
