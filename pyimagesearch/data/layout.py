"""A folder of images -> what its subfolders mean: classes, parts of a data set, or ready pairs."""

import logging
import os
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from pyimagesearch.data.leftovers import BESIDE, few_of, say, say_skipped
from pyimagesearch.data.scan import Scan
from pyimagesearch.data.splits import TEST, TRAIN, VALIDATION
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.errors import printable

log = logging.getLogger(__name__)

PAIR_FOLDERS = {"similar_all_images": 1, "dissimilar_all_images": 0}  # and their y
PARTS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing", "eval"), TEST),
}


@dataclass(frozen=True, slots=True)  # there may be a million
class Found:
    """An image file, by what its place says of it."""

    name: str  # its path from the folder on that was asked for
    below: tuple[str, ...]  # its path from the class folders on: class, …, file
    part: int  # TRAIN, VALIDATION or TEST
    line: int = 0  # of a list, which names it first
    group: str = ""  # which a list says that it belongs to

    def shown(self) -> str:
        """Its name for a message, with its line where a list names it."""
        return printable(self.name) + (f" (line {self.line})" if self.line else "")

    def class_at(self, level: int) -> str:
        """The class's name where the classes are the first or second folders; "" above them."""
        return "/".join(self.below[:level]) if len(self.below) > level else ""


class Ready(NamedTuple):
    """A pair of a list."""

    line: int
    a: int  # which of the files
    b: int
    y: int  # 1 same, 0 different
    part: int
    group: str


@dataclass(frozen=True)
class Layout:
    """What a folder or a list holds."""

    files: list[Found]  # sorted: training first
    level: int = 1  # of the folders that are the classes
    pairs: bool = False  # ready pairs instead: the two folders of them, or a list's
    parted: bool = False  # whether folders or a list say what is trained and tested on
    skipped: Counter = field(default_factory=Counter)  # files left out, by ending or reason
    base: str = ""  # the folder that the files' names begin at
    ready: list[Ready] = field(default_factory=list)  # a list's pairs


def find(directory: str | os.PathLike, class_level: int | None = None) -> Layout:
    """Find out what the subfolders of a folder mean, and say it where it is not plain.

    The classes are the subfolders; of a train/ beside a test/ or val/ the subfolders of these,
    and of a single folder around everything its own. class_level 2: the subfolders of the
    subfolders, named "alphabet/character".
    Raises InputError where there are no images in subfolders, and, without class_level, where
    two readings are possible.
    """
    directory = os.fspath(directory)
    if not os.path.isdir(directory):
        raise InputError(
            f"Expected a folder of classes. Received: {printable(directory)}, no such folder."
        )
    if class_level not in (None, 1, 2):
        raise InputError(f"Expected a class level of 1 or 2. Received: {class_level}.")
    skipped: Counter = Counter()
    scan = _unwrapped(Scan.of(directory, directory), skipped)
    pairs = scan.tops.keys() >= PAIR_FOLDERS.keys()
    parts = {} if pairs else _parts(scan, class_level)
    scans = _of_parts(scan, parts, skipped) if parts else [(scan, TRAIN)]
    files = [file for scan, part in scans for file in _files(scan, part)]
    for scan, _ in scans:
        skipped[BESIDE] += len(scan.loose)
        skipped += scan.beside + scan.inside
    if pairs:
        kept = [file for file in files if file.below[0] in PAIR_FOLDERS]
        skipped[BESIDE] += len(files) - len(kept)
        return Layout(kept, pairs=True, skipped=+skipped, base=directory)
    empty = [top for scan, _ in scans for top, names in scan.tops.items() if not names]
    say(f"left out class {printable(top)}: it holds no images that can be read" for top in empty)
    if not files:
        say_skipped(skipped)
        raise InputError(
            "Expected a folder with a subfolder for each class, and images in these. "
            f"Received: {printable(directory)} without"
            + (f" (left out: {few_of(+skipped)})." if +skipped else ".")
        )
    files.sort(key=lambda f: (f.part, f.name))
    level = class_level or _level(files, directory)
    kept = [f for f in files if f.class_at(level)]
    skipped[BESIDE] += len(files) - len(kept)
    if not kept:
        raise InputError(
            f"Expected images in the {['first', 'second'][level - 1]} folders below "
            f"{printable(directory)}. Received: --class-level {level}, and none there."
        )
    parted = len({f.part for f in kept}) > 1
    return Layout(kept, level, parted=parted, skipped=+skipped, base=directory)


def _files(scan, part):
    files = []
    same: dict[str, str] = {}  # a folder's name once, however many files are in it
    for name in chain(*scan.tops.values()):
        (*folders, file) = (unicodedata.normalize("NFC", p) for p in scan.below(name))
        files.append(Found(name, (*(same.setdefault(f, f) for f in folders), file), part))
    return files


def _unwrapped(scan, skipped):
    # a single folder around all class folders is none itself
    while len(full := scan.full()) == 1:
        below = [scan.below(name) for name in scan.tops[full[0]]]
        inner = {names[1] for names in below if len(names) > 2}
        direct = sum(len(names) == 2 for names in below)
        if len(inner) < 2 and (direct or not inner):
            break
        log.info("everything lies in %s: its subfolders are what counts", printable(full[0]))
        skipped[BESIDE] += len(scan.loose)
        skipped += scan.beside
        scan = scan.into(full[0])
    return scan


def _parts(scan, class_level):
    """{subfolder: its part} where subfolders say what is trained and tested on; else {}."""
    full = scan.full()
    parts = {top: PARTS[top.casefold()] for top in full if top.casefold() in PARTS}
    if len(set(parts.values())) < 2:
        return {}
    deep = [top for top in parts if any(len(scan.below(n)) > 2 for n in scan.tops[top])]
    trains = [top for top, part in parts.items() if part == min(parts.values())]
    others = [top for top in full if top not in parts]
    if not others and set(deep) & set(trains):
        return parts
    if class_level:
        return {}
    sizes = {top: len(scan.tops[top]) for top in parts}
    if others:
        what = f"{few_of(sizes, 9)} and beside them {few_of(others)}"
        how = "If all are classes"
    else:
        what = f"{few_of(sizes, 9)}, whose images are in no class folders"
        how = "If they are parts, put a folder for each class into them; if they are classes"
    raise InputError(
        "Expected either classes, or parts of a data set (train, val, test) with a folder for each "
        f"class in them. Received: {what}. {how}, say --class-level 1."
    )


def _of_parts(scan, parts, skipped):
    # the scan of each part, from its class folders on, with the part's number
    skipped[BESIDE] += len(scan.loose)
    skipped += scan.beside
    for top in scan.tops.keys() - parts.keys():  # which hold no images
        skipped += scan.into(top).beside + scan.into(top).inside
    inners = {top: scan.into(top) for top in parts}
    if all(len(inner.full()) == 1 for inner in inners.values()):
        inners = {top: _unwrapped(inner, skipped) for top, inner in inners.items()}
    for top, inner in inners.items():
        if inner.tops.keys() >= PAIR_FOLDERS.keys():
            raise InputError(
                f"Expected {' and '.join(PAIR_FOLDERS)} in one folder, which the program splits. "
                f"Received: several such, one in {printable(inner.path)}."
            )
        if not inner.full():
            count = f"{len(inner.loose):,}"
            log.info("left out %s: its %s images are in no class folders", printable(top), count)
    log.info("%s are used as what they are named for", " and ".join(map(printable, parts)))
    return [(inner, parts[top]) for top, inner in inners.items()]


def _level(files, directory):
    """1, the level of the classes, where there is no doubt."""
    (first, second, direct) = (Counter[str](), Counter[str](), set[str]())
    places: dict[str, set] = {}  # of each first folder, the folders in it that hold images
    for file in files:
        (top, *deeper) = file.below[:-1]
        first[top] += 1
        places.setdefault(top, set()).add(tuple(deeper))
        if deeper:
            second[f"{top}/{deeper[0]}"] += 1
        else:
            direct.add(top)
    branched = sum(len(places[top]) > 1 for top in places.keys() - direct)
    if 2 * branched <= len(first):
        return 1
    raise InputError(
        f"Expected one level of class folders. Received: {printable(directory)}, which can be read "
        f"as {len(first):,} classes ({few_of(first)}) or as {len(second):,} ({few_of(second)}). "
        "Choose with --class-level 1 or --class-level 2, or name the folder that holds the classes."
    )
