"""A list of images or of pairs in a CSV file -> the same as a folder gives, see listing."""

import csv
import os
import re
import unicodedata
from collections import defaultdict
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from pyimagesearch.data.images import ENDINGS
from pyimagesearch.data.listing import PAIR_FOLDERS, PARTS, File, Listing, ReadyPair
from pyimagesearch.system.terminal import InputError, counted, printable, say

SAME, DIFFERENT = {"1", "1.0", "true", "yes", "same"}, {"0", "0.0", "false", "no", "different"}
CLASSES, PAIRS = ("path", "label"), ("a", "b", "same")  # the columns that a list must have
OPTIONAL = ("split", "group")


class Row(NamedTuple):
    """A line of a list that is not empty."""

    number: int  # of its line in the file, from 1
    cells: dict[str, Any]  # by the names of the columns; "" where the line lacks one

    def named(self, *names: str) -> list[str]:
        """Some of the cells. Raises InputError where one is empty, or there are too many."""
        empty = [name for name in names if not self.cells[name].strip()]
        if empty or None in self.cells:
            received = f"{' and '.join(empty)} missing" if empty else "more cells than that"
            raise InputError("a cell for each column", received)
        return [self.cells[name] for name in names]

    def same(self) -> int:
        """What the column same says, 1 or 0. Raises InputError where that is neither."""
        text = self.cells["same"].strip().casefold()
        if text not in SAME | DIFFERENT:
            raise InputError("same 1 or 0", printable(text or "nothing"))
        return int(text in SAME)


def rows_of(path: str | os.PathLike, *kinds: tuple[str, ...]) -> tuple[tuple[str, ...], list[Row]]:
    """The first of some kinds (names of columns) that a CSV file has, and its lines with content.

    Raises InputError where the file cannot be read, is of no such kind, or has no lines.
    """
    shown = printable(path)
    either = "a folder, or " if CLASSES in kinds else ""
    if os.path.isfile(path) and os.path.splitext(path)[1].lower() in ENDINGS:
        raise InputError(f"{either}a list in a CSV file", f"{shown}, an image")
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as f:
            mark = max(",;\t", key=f.readline().count)  # the one that the header has most often
            f.seek(0)
            table = csv.DictReader(f, None, None, "", delimiter=mark, skipinitialspace=True)
            header = table.fieldnames = [x.strip().casefold() for x in table.fieldnames or ()]
            rows = [Row(table.line_num, cells) for cells in table
                    if None in cells or any(map(str.strip, cells.values()))]  # fmt: skip
    except (OSError, csv.Error) as error:
        why = f"{shown} ({getattr(error, 'strerror', None) or error})"
        raise InputError(f"{either}a list in a CSV file", why) from None
    known = [name for name in header if name in (*CLASSES, *PAIRS, *OPTIONAL)]
    kind = next((kind for kind in kinds if set(kind) <= set(known)), None)
    if kind is None or not rows or len(known) > len(set(known)):
        columns = " or ".join(map(" and ".join, kinds))
        wanted = f"a header with the columns {columns}, none of them twice, and lines below it"
        below = printable(",".join(header)[:80] or "none")
        below += ", in UTF-16: save it as UTF-8" * any("\0" in name for name in header)
        raise InputError(wanted, f"{shown} with {counted(len(rows), 'line')} below {below}")
    for cells in (row.cells for row in rows):  # paths may be written with \, or between blanks
        cells |= {x: cells[x].strip().replace("\\", "/") for x in {*kind} & {"path", "a", "b"}
                  if not os.path.isfile(os.path.join(os.path.dirname(path), cells[x]))}  # fmt: skip
    return kind, rows


def find_listed(path: str | os.PathLike) -> Listing:
    """The image files of a list in a CSV file, and what it says of them.

        path,label[,split][,group]      an image a line
        a,b,same[,split][,group]        a pair a line

    Paths begin at the file's folder. The order of the columns is free, and others are ignored. A
    semicolon or tab may stand for the comma. Raises InputError with the first line at fault.
    """
    (kind, rows) = rows_of(path, CLASSES, PAIRS)
    # a column without a name is the index that pandas writes
    if unused := {*filter(None, rows[0].cells)} - {*kind, *OPTIONAL, "unnamed: 0"}:
        say(f"columns that are not used: {', '.join(map(printable, sorted(unused)))}")
    parted = any(row.cells.get("split", "").strip() for row in rows)
    base = os.path.dirname(os.fspath(path))
    (files, pairs, groups) = (set[File](), list[ReadyPair](), defaultdict[str, list[File]](list))
    for row in rows:
        try:
            names = row.named(*kind[:2])
            split = row.cells["split"].strip() if parted else "train"
            if (part := PARTS.get(split.casefold())) is None:
                raise InputError("split train, val or test", printable(split or "nothing"))
            # 1.0 is what pandas makes of 1 beside a gap
            text = re.sub(r"^(-?\d+)\.0+$", r"\1", names.pop().strip()) if kind == CLASSES else ""
            label = unicodedata.normalize("NFC", text)
            for where in (os.path.join(base, name) for name in names):
                if not os.path.isfile(where):
                    raise InputError("a file", f"{printable(where)}, not there")
            of_row = [File(os.path.normpath(name), label, part) for name in names]
            files.update(of_row)
            if kind == PAIRS:
                pairs.append((of_row[0], of_row[1], row.same()))
            if group := row.cells.get("group", "").strip():
                groups[group] += of_row
        except InputError as fault:
            raise InputError(f"{printable(path)} line {row.number} is at fault: {fault}") from None
    say(f"{printable(path)} is read as a list of {', '.join(kind)}")
    in_order = sorted(files, key=attrgetter("label", "part", "name"))
    return Listing(base, in_order, pairs if kind == PAIRS else None, groups)


def holds_pairs(path: str | os.PathLike) -> bool:
    """Whether a folder or a list holds ready pairs; False also where it cannot be read."""
    with suppress(OSError, InputError):
        if os.path.isdir(path):
            some = min(PAIR_FOLDERS)  # in it, or in a folder or two around them
            return any(any(Path(path).glob("*/" * depth + some)) for depth in range(3))
        return rows_of(path, CLASSES, PAIRS)[0] == PAIRS
    return False
