"""A list in a CSV file -> what it says of image files: their classes, or which are pairs.

    path,label[,split][,group]      an image a line
    a,b,same[,split][,group]        a pair a line

Paths begin at the file's folder. The order of the columns is free, and others are ignored. A
semicolon or tab may stand for the comma. Every fault is named with its line.
"""

import csv
import io
import logging
import os
import unicodedata
from dataclasses import dataclass

from pyimagesearch.data.layout import PARTS, Found, Layout, Ready
from pyimagesearch.data.splits import TRAIN
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.errors import printable

log = logging.getLogger(__name__)

SAME: dict[str, bool] = {**dict.fromkeys(("1", "true", "yes", "same"), True)}
SAME |= dict.fromkeys(("0", "false", "no", "different"), False)
CLASSES, PAIRS = ("path", "label"), ("a", "b", "same")  # the columns that a list must have
OPTIONAL = ("split", "group")

Faults = list[tuple[int, str]]  # the number of a line, and what is wrong with it


@dataclass(frozen=True)
class Row:
    """A line of a list that is not empty."""

    number: int  # of its line in the file, from 1
    cells: dict[str, str]  # by the names of the columns; a column that the line lacks is ""
    too_many: bool  # whether it has more cells than the header

    def named(self, *names: str) -> list[str]:
        """Some of the cells. Raises InputError where one is empty, or there are too many."""
        empty = [name for name in names if not self.cells[name].strip()]
        if self.too_many or empty:
            received = "more cells than that" if self.too_many else f"{' and '.join(empty)} missing"
            raise InputError(f"Expected a cell for each column. Received: {received}.")
        return [self.cells[name] for name in names]

    def same(self) -> bool:
        """What the column same says. Raises InputError where that is neither yes nor no."""
        text = self.cells["same"].strip().casefold()
        if text not in SAME:
            raise InputError(f"Expected same 1 or 0. Received: {_shown(text)}.")
        return SAME[text]


def is_list(path: str | os.PathLike) -> bool:
    """Whether a path is that of a file that ends in .csv."""
    return os.fspath(path).casefold().endswith(".csv") and os.path.isfile(path)


def no_list(path: str | os.PathLike) -> str:
    """Why a path is none, in words."""
    return "a file that does not end in .csv" if os.path.isfile(path) else "not there"


def holds_pairs(path: str | os.PathLike) -> bool:
    """Whether the header of a list is that of pairs; False where it cannot be read."""
    try:
        return _is_of_pairs(rows_of(path, ())[0])
    except InputError:
        return False


def rows_of(path: str | os.PathLike, wanted: tuple[str, ...]) -> tuple[list[str], list[Row]]:
    """The names of a CSV file's columns, in small letters, and its lines but empty ones.

    wanted: columns that must be there. Raises InputError where the file cannot be read, one of
    them is missing, or a column is there twice.
    """
    shown = printable(path)
    try:
        with open(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as f:
            text = f.read()
        first = text.split("\n", 1)[0]
        delimiter = max(",;\t", key=first.count)
        table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter,
            skipinitialspace=True)  # fmt: skip
        header = [name.strip().casefold() for name in next(table, [])]
        known = [name for name in header if name in (*wanted, *CLASSES, *PAIRS, *OPTIONAL)]
        if not set(wanted) <= set(known) or len(known) > len(set(known)):
            received = printable(first.strip()[:80]) if first.strip() else "none"
            raise InputError(
                f"Expected a header with the columns {' and '.join(wanted)}, none of them twice. "
                f"Received: {shown} with {received}."
            )
        rows = []
        number = table.line_num + 1
        for row in table:
            if any(cell.strip() for cell in row):
                cells = dict.fromkeys(header, "") | dict(zip(header, row))
                rows.append(Row(number, cells, len(row) > len(header)))
            number = table.line_num + 1  # a quoted name may hold a line break
    except OSError as error:
        raise InputError(
            f"Expected a list in a CSV file. Received: {shown}, which cannot be opened "
            f"({error.strerror})."
        ) from None
    except csv.Error as error:
        raise InputError(f"Expected a CSV file. Received: {shown} ({error}).") from None
    return header, rows


def find(path: str | os.PathLike) -> Layout:
    """What a list says of its files, as layout.find says it of a folder's.

    Raises InputError, naming the first line that is at fault and how many more are: a cell that
    is empty or too many, a file that is not there, another word than train, val or test in
    split, one that is empty where others are not, another than 1 or 0 in same; a file or a
    pair that is listed twice, or with two labels.
    """
    (header, rows) = rows_of(path, ())
    pairs = _is_of_pairs(header)
    wanted = PAIRS if pairs else CLASSES
    if missing := [name for name in wanted if name not in header]:
        raise InputError(
            f"Expected a list with the columns {','.join(CLASSES)} or {','.join(PAIRS)}, and "
            f"{' and '.join(OPTIONAL)} where they are known. Received: {printable(path)} line 1 "
            f"without {' and '.join(missing)}, with {', '.join(map(printable, header))}."
        )
    if not rows:
        raise InputError(f"Expected lines below the header. Received: {printable(path)} without.")
    if unused := [name for name in header if name not in (*wanted, *OPTIONAL)]:
        log.info("columns that are not used: %s", ", ".join(map(printable, unused)))
    split = any(row.cells.get("split", "").strip() for row in rows)
    folder = os.path.dirname(os.fspath(path))
    reader = _Pairs(folder, split) if pairs else _Classes(folder, split)
    faults: Faults = []
    for row in rows:
        try:
            reader.take(row)
        except InputError as fault:
            faults.append((row.number, str(fault)))
    refuse(path, faults)
    files = sorted(reader.files.values(), key=lambda f: (f.part, f.name))
    place = {found.name: k for k, found in enumerate(files)}
    ready = [
        Ready(line, place[a], place[b], y, part, group)
        for line, a, b, y, part, group in reader.pairs
    ]
    log.info("%s is read as a list of %s", printable(path), "pairs" if pairs else "classes")
    return Layout(files, pairs=pairs, parted=split, base=folder, ready=ready)


def refuse(path: str | os.PathLike, faults: Faults) -> None:
    """Raise InputError with the first of some faults, and how many more there are; if any."""
    if faults:
        (number, text) = min(faults)
        more = f" More lines at fault: {len(faults) - 1:,}." if len(faults) > 1 else ""
        raise InputError(f"{printable(path)} line {number} is at fault: {text}{more}")


def _shown(text: str) -> str:
    return printable(text) if text else "nothing"


def _is_of_pairs(header: list[str]) -> bool:
    return not set(header) >= set(CLASSES) and set(header) >= {"a", "b"}


class _Reader:
    """What the lines of a list say, taken one by one."""

    def __init__(self, folder: str, split: bool):
        self.folder, self.split = folder, split
        self.files: dict[str, Found] = {}  # by their normal paths
        self.pairs: list[tuple[int, str, str, int, int, str]] = []  # as Ready, with names

    def part(self, row: Row) -> int:
        """The part that the column split says; TRAIN where it says nothing in any line."""
        if not self.split:
            return TRAIN
        text = row.cells["split"].strip()
        if text.casefold() not in PARTS:
            how = "" if text else ", which other lines have"
            raise InputError(f"Expected split train, val or test. Received: {_shown(text)}{how}.")
        return PARTS[text.casefold()]

    def file(self, row: Row, name: str, label: str, part: int) -> Found:
        """A file of a line. Raises InputError where it is not there."""
        name = os.path.normpath(name)
        path = os.path.join(self.folder, name)
        if not os.path.isfile(path):
            there = "no file" if os.path.exists(path) else "not there"
            raise InputError(f"Expected an image file. Received: {printable(path)}, {there}.")
        below = (unicodedata.normalize("NFC", label), os.path.basename(name))
        return Found(name, below, part, row.number, row.cells.get("group", "").strip())


class _Classes(_Reader):
    def take(self, row: Row) -> None:
        (name, label) = row.named(*CLASSES)
        found = self.file(row, name, label.strip(), self.part(row))
        before = self.files.setdefault(found.name, found)
        if before is not found:
            received = f"{printable(found.name)}, which line {before.line} has"
            if before.below != found.below:
                (first, second) = (printable(file.below[0]) for file in (before, found))
                received += f" as {first}; here it is {second}"
            raise InputError(f"Expected each file once. Received: {received}.")


class _Pairs(_Reader):
    def __init__(self, folder: str, split: bool):
        super().__init__(folder, split)
        self.lines: dict[frozenset, tuple[int, bool]] = {}  # of each pair

    def take(self, row: Row) -> None:
        names = row.named("a", "b")
        (same, part) = (row.same(), self.part(row))
        (a, b) = (self.file(row, name, "", part) for name in names)
        if a.name == b.name:
            raise InputError(f"Expected two files. Received: {printable(a.name)} twice.")
        key = frozenset((a.name, b.name))
        if key in self.lines:
            (line, before) = self.lines[key]
            how = "" if before == same else " with another answer"
            raise InputError(f"Expected each pair once. Received: that of line {line}{how}.")
        self.lines[key] = (row.number, same)
        for found in (a, b):
            self.files.setdefault(found.name, found)
        self.pairs.append((row.number, a.name, b.name, int(same), part, a.group))
