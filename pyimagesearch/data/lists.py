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
import re
import unicodedata
from dataclasses import dataclass

from pyimagesearch.data.listing import PARTS, File, Listing
from pyimagesearch.data.splits import PART_NAMES
from pyimagesearch.system.errors import InputError, printable

log = logging.getLogger(__name__)

SAME = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "same"), True),
    **dict.fromkeys(("0", "0.0", "false", "no", "different"), False),
}
CLASSES, PAIRS = ("path", "label"), ("a", "b", "same")  # the columns that a list must have
OPTIONAL = ("split", "group")


@dataclass(frozen=True)
class Row:
    """A line of a list that is not empty."""

    number: int  # of its line in the file, from 1
    cells: dict[str, str]  # by the names of the columns; "" where the line lacks one
    too_many: bool  # whether it has more cells than the header

    def named(self, *names: str) -> list[str]:
        """Some of the cells. Raises InputError where one is empty, or there are too many."""
        empty = [name for name in names if not self.cells[name].strip()]
        if self.too_many or empty:
            received = f"{' and '.join(empty)} missing" if empty else "more cells than that"
            raise InputError(f"Expected a cell for each column. Received: {received}.")
        return [self.cells[name] for name in names]

    def same(self) -> bool:
        """What the column same says. Raises InputError where that is neither yes nor no."""
        text = self.cells["same"].strip().casefold()
        if text not in SAME:
            raise InputError(f"Expected same 1 or 0. Received: {printable(text or 'nothing')}.")
        return SAME[text]

    def group(self) -> str:
        """What the column group says; "" where it says nothing."""
        return self.cells.get("group", "").strip()


def is_list(path: str | os.PathLike) -> bool:
    """Whether a path is that of a file that ends in .csv."""
    return os.fspath(path).casefold().endswith(".csv") and os.path.isfile(path)


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
        with open(path, "rb") as f:
            content = f.read()
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise InputError(
                f"Expected a CSV file in UTF-8. Received: {shown} in UTF-16. Save it as CSV UTF-8."
            )
        text = content.decode("utf-8-sig", "surrogateescape")
        first = text.split("\n", 1)[0]
        delimiter = max(",;\t", key=first.count)
        table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter,
            skipinitialspace=True)  # fmt: skip
        header = [name.strip().casefold() for name in next(table, [])]
        known = [name for name in header if name in (*wanted, *CLASSES, *PAIRS, *OPTIONAL)]
        if not set(wanted) <= set(known) or len(known) > len(set(known)):
            raise InputError(
                f"Expected a header with the columns {' and '.join(wanted)}, none of them twice. "
                f"Received: {shown} with {printable(first.strip()[:80] or 'none')}."
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


def find(path: str | os.PathLike) -> Listing:
    """What a list says of its files, as listing.find says it of a folder's.

    Raises InputError with the first line that is at fault, and how many more are: a cell is empty,
    or is none of those that are known in its column; a file is not there, or there twice with two
    labels; a pair is there twice; an image is in pairs of two parts.
    """
    if not is_list(path):
        how = "a file that does not end in .csv" if os.path.isfile(path) else "not there"
        raise InputError(
            "Expected a folder, or a list of images that ends in .csv. Received: "
            f"{printable(path)}, {how}."
        )
    (header, rows) = rows_of(path, ())
    wanted = PAIRS if _is_of_pairs(header) else CLASSES
    if missing := [name for name in wanted if name not in header]:
        raise InputError(
            f"Expected a list with the columns {','.join(CLASSES)} or {','.join(PAIRS)}, and "
            f"{' and '.join(OPTIONAL)} where they are known. Received: {printable(path)} line 1 "
            f"without {' and '.join(missing)}, with {', '.join(map(printable, header))}."
        )
    if not rows:
        raise InputError(f"Expected lines below the header. Received: {printable(path)} without.")
    # a column without a name is the index that pandas writes
    if unused := {*header} - {*wanted, *OPTIONAL, "", "unnamed: 0"}:
        log.info(f"columns that are not used: {', '.join(map(printable, sorted(unused)))}")
    parted = any(row.cells.get("split", "").strip() for row in rows)
    base = os.path.dirname(os.fspath(path))
    files: dict[str, File] = {}  # by their names
    pairs: dict[frozenset[str], tuple[Row, str, str]] = {}  # by the names of both files
    faults: list[str] = []
    for row in rows:
        try:
            if wanted == PAIRS:
                _take_pair(row, base, parted, files, pairs)
            else:
                _take_file(row, base, parted, files)
        except InputError as fault:
            faults.append(f"{printable(path)} line {row.number} is at fault: {fault}")
    if faults:
        more = f" More lines at fault: {len(faults) - 1:,}." if len(faults) > 1 else ""
        raise InputError(faults[0] + more)
    in_order = sorted(files.values(), key=lambda file: (file.part, file.name))
    place = {file.name: k for k, file in enumerate(in_order)}
    ready = [(place[a], place[b], int(row.same()), row.group()) for row, a, b in pairs.values()]
    log.info(f"{printable(path)} is read as a list of {', '.join(wanted)}")
    return Listing(base, in_order, ready if wanted == PAIRS else None, parted)


def _is_of_pairs(header):
    return not set(header) >= set(CLASSES) and set(header) >= {"a", "b"}


def _file(row, name, base, parted):
    """A file of a line, with its part. Raises InputError where it is not there."""
    part = row.cells["split"].strip() if parted else "train"
    if part.casefold() not in PARTS:
        received = printable(part) if part else "nothing, which other lines have"
        raise InputError(f"Expected split train, val or test. Received: {received}.")
    path = os.path.join(base, name)
    if not os.path.isfile(path):
        there = "no file" if os.path.exists(path) else "not there"
        raise InputError(f"Expected an image file. Received: {printable(path)}, {there}.")
    return File(os.path.normpath(name), part=PARTS[part.casefold()], line=row.number)


def _take_file(row, base, parted, files):
    """Add the file of a line path,label."""
    (name, label) = row.named(*CLASSES)
    label = unicodedata.normalize("NFC", label.strip())
    label = re.sub(r"^(-?\d+)\.0+$", r"\1", label)  # 1.0 is what pandas makes of 1 beside a gap
    file = _file(row, name, base, parted)._replace(label=label, group=row.group())
    before = files.setdefault(file.name, file)
    if before is not file:
        received = f"{printable(file.name)}, which line {before.line} has"
        if before.label != label:
            received += f" as {printable(before.label)}; here it is {printable(label)}"
        raise InputError(f"Expected each file once. Received: {received}.")


def _take_pair(row, base, parted, files, pairs):
    """Add the pair of a line a,b,same, and its files where they are new."""
    (a, b) = (_file(row, name, base, parted) for name in row.named("a", "b"))
    if a.name == b.name:
        raise InputError(f"Expected two files. Received: {printable(a.name)} twice.")
    same = row.same()
    (first, *_) = pairs.setdefault(frozenset((a.name, b.name)), (row, a.name, b.name))
    if first is not row:
        how = "" if first.same() == same else " with another answer"
        raise InputError(f"Expected each pair once. Received: that of line {first.number}{how}.")
    for file in (a, b):
        before = files.setdefault(file.name, file)
        if before.part != file.part:
            raise InputError(
                f"Expected each image in pairs of one part. Received: {printable(file.name)}, "
                f"{PART_NAMES[before.part]} on line {before.line}, here {PART_NAMES[file.part]}."
            )
