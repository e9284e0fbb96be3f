"""A list of pairs of image files in a CSV file, read line by line; every fault is named."""

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

from pyimagesearch.system.errors import InputError
from pyimagesearch.system.names import printable

SAME: dict[str, bool | None] = {"1": True, "true": True, "yes": True, "same": True}
SAME |= {"0": False, "false": False, "no": False, "different": False, "": None}


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

    same may be missing or empty; else 1, true, yes or same, or 0, false, no or different. Other
    columns are ignored, as are empty lines. A semicolon or tab may stand for the comma.
    Raises InputError where the file cannot be read, has no such header or no line.
    """
    shown = printable(path)
    try:
        with open(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as f:
            (lines, faults) = _parse(f.read(), shown)
    except OSError as error:
        raise InputError(
            f"Expected a list of pairs. Received: {shown}, which cannot be opened "
            f"({error.strerror})."
        ) from None
    except csv.Error as error:
        raise InputError(f"Expected a CSV file. Received: {shown} ({error}).") from None
    if not lines and not faults:
        raise InputError(f"Expected pairs below the header. Received: {shown} without.")
    return PairList(lines, faults, os.path.dirname(path))


def _parse(text: str, shown: str) -> tuple[list[Line], list[tuple[int, str]]]:
    (first, *_) = text.split("\n", 1)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    header = [name.strip().casefold() for name in next(rows, [])]
    if header.count("a") != 1 or header.count("b") != 1 or header.count("same") > 1:
        raise InputError(
            "Expected a header with the columns a and b, and same where it is known. "
            f"Received: {shown} with {printable(first.strip()[:80]) if first.strip() else 'none'}."
        )
    lines: list[Line] = []
    faults: list[tuple[int, str]] = []
    number = rows.line_num + 1
    for row in rows:
        if any(cell.strip() for cell in row):
            try:
                lines.append(_line(number, dict(zip(header, row)), len(row) > len(header)))
            except InputError as fault:
                faults.append((number, str(fault)))
        number = rows.line_num + 1  # a quoted name may hold a line break
    return lines, faults


def _line(number: int, cells: dict[str, str], too_many: bool) -> Line:
    (a, b) = (cells.get(name, "") for name in "ab")
    if not a.strip() or not b.strip() or too_many:
        kind = "more cells than the header" if too_many else "a or b missing"
        raise InputError(f"Expected two paths. Received: {kind}.")
    same = cells.get("same", "").strip().casefold()
    if same not in SAME:
        raise InputError(f"Expected same 1 or 0. Received: {printable(same)}.")
    return Line(number, a, b, SAME[same])
