"""A folder -> image files, the class and part of each, what is left out and why."""

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from pyimagesearch import config
from pyimagesearch.data.images import ENDINGS
from pyimagesearch.data.splits import PART_NAMES, TEST, TRAIN, VALIDATION
from pyimagesearch.system.files import is_figure
from pyimagesearch.system.terminal import InputError, printable, say, warn

PAIR_FOLDERS = {"similar_all_images": 1, "dissimilar_all_images": 0}  # and their y
PARTS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing", "eval"), TEST),
}
# a word of these in a name, between what is no letter and no digit
PART_WORD = re.compile(rf"(?<![^\W_])({'|'.join(PARTS)})(?![^\W_])")
# what says that a folder is the output of a training
OUTPUTS = {"metrics.json", "contrastive_training_pairs.png", os.path.basename(config.MODEL_PATH)}


class File(NamedTuple):
    """An image file, before it is read."""

    name: str  # its path from the listing's folder on
    label: str = ""  # the name of its class; "" where classes are not known
    part: int = TRAIN  # or VALIDATION, TEST

    def __str__(self) -> str:
        return printable(self.name)


Place = tuple[str, ...]  # the folders around a file, in the one form that Unicode has for accents
ReadyPair = tuple[File, File, int]  # two files and y


@dataclass(frozen=True)
class Listing:
    """What a folder or a list holds, before anything is read."""

    base: str  # where the files' names begin
    files: list[File]  # sorted by class, then by part
    pairs: list[ReadyPair] | None = None  # None: the files have classes, or nothing is known
    groups: dict[str, list[File]] = field(default_factory=dict)  # what belongs together, by name
    skipped: Counter[str] = field(default_factory=Counter)  # what is left out, by ending or reason


def find(
    directory: str | os.PathLike, class_level: int | None = None, plain: bool = False
) -> Listing:
    """The image files of a folder, and what its subfolders say of them; logs what is left out.

    The classes are the subfolders. Where train/ stands beside test/ or val/ (or seg_train/ beside
    seg_test/, training_set/ beside test_set/), the classes are the subfolders of these. A single
    folder around all others does not count. class_level 2: the classes are the subfolders of the
    subfolders, named "alphabet/character"; 0: there are no classes. plain: nor in a folder without
    subfolders. The classes similar_all_images/ and dissimilar_all_images/ hold ready pairs,
    NAME_first beside NAME_second. Raises InputError where there are no images in subfolders and,
    without class_level, where the subfolders can be read in two ways.
    """
    directory = os.fspath(directory)
    (names_in, left_out) = _scan(directory)
    places = {place for place, names in names_in.items() if names}
    if class_level == 0 or (plain and not any(places)):
        known = dict.fromkeys(places, ("", TRAIN))
    else:
        known = _classes(places, {*names_in}, class_level, printable(directory))
    files = [File(name, *known[place]) for place in known for name in names_in[place]]
    files.sort(key=attrgetter("label", "part", "name"))
    pairs = _pairs(files) if {file.label for file in files} >= PAIR_FOLDERS.keys() else None
    beside = sorted(name for place in places - known.keys() for name in names_in[place])
    left_out["beside the class folders"] = beside
    return Listing(directory, files, pairs, skipped=say_left_out(left_out))


def _scan(directory: str) -> tuple[dict[Place, list[str]], dict[str, list[str]]]:
    """The images in each place below a folder, and what is left out, by its ending or the reason.

    Places begin in a single folder around all others. A folder is read once or left out as a whole.
    What begins with a dot is hidden, and so is __MACOSX, whose files are named as images.
    Raises InputError where the folder is missing or holds no images.
    """
    if not os.path.isdir(directory):
        there = "a file" if os.path.isfile(directory) else "no such folder"
        raise InputError("a folder with images", f"{printable(directory or 'none')}, {there}")
    (kinds, top, seen) = ({"", *ENDINGS}, Path(directory).resolve(), set[Path]())
    (names_in, left_out) = (defaultdict[Place, list[str]](list), defaultdict[str, list[str]](list))

    def not_opened(error):
        left_out["cannot be opened"].append(error.filename)

    for around, folders, files in os.walk(directory, onerror=not_opened, followlinks=True):
        (folder, real) = (Path(around).relative_to(directory), Path(around).resolve())
        # a link, to what is read by its own name, or to a folder around it all
        known = real != top / folder and (real.is_relative_to(top) or top.is_relative_to(real))
        why = "another name of a folder that is read" if known or real in seen else ""
        if why := why or "hidden" * folder.name.startswith((".", "__MACOSX")):
            left_out[why].append(str(folder))
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        if OUTPUTS & {*folders, *files}:  # photos may lie beside what a training has written
            left_out["output of a training"].append(str(folder) if folder.name else top.name)
            folders[:] = [name for name in folders if name != os.path.basename(config.MODEL_PATH)]
            images = {x for x in files if os.path.splitext(x)[1].lower() in ENDINGS}
            photos = {x for x in images if not is_figure(os.path.join(around, x))}
            if not photos:
                continue
            files = [x for x in files if x in photos or x not in images]
        names = names_in[Path(unicodedata.normalize("NFC", str(folder))).parts]
        for file in sorted(files):
            why = "hidden" if file.startswith(".") else os.path.splitext(file)[1].lower()
            (names if why in kinds else left_out[why]).append(os.path.join(*folder.parts, file))
    places = {place for place, names in names_in.items() if names}
    if not places:
        how = f"with none (left out: {few_of(say_left_out(left_out)) or 'nothing'})"
        raise InputError("a folder with images", f"{printable(directory)}, {how}")
    depth = _depth(places, 0, 1)
    around_all = max(places, key=len)[:depth]
    within = defaultdict[Place, list[str]](list)
    for place, names in names_in.items():
        if names or place[:depth] == around_all:
            within[place[depth:]] += names
    return within, left_out


def say_left_out(left_out: Mapping[str, list[str]], most: int = 3) -> Counter[str]:
    """How much is left out, of names by their ending or reason; logs it with `most` of them."""
    skipped = Counter({reason: len(names) for reason, names in left_out.items() if names})
    hint = dict.fromkeys((".heic", ".heif", ".hif"), " (pip install pi-heif, and they are read)")
    say(f"left out {count:,}, {printable(reason)}: {few_of(left_out[reason], most)}"
        + hint.get(reason, "") for reason, count in skipped.most_common())  # fmt: skip
    return skipped


def _depth(places: Collection[Place], depth: int, branches: int) -> int:
    """How many levels of folders to skip: a single one that holds all others does not count.

    branches: how many folders there are so deep, each of which must have such a single one.
    """
    while True:
        inside = {place[: depth + 1] for place in places if len(place) > depth}
        below = {place[: depth + 2] for place in places if len(place) > depth + 1}
        single = branches == len(inside) == len({place[:depth] for place in inside})
        if not (single and below) or (len(below) <= branches and inside & {*places}):
            return depth
        depth += 1


def _classes(
    places: set[Place], folders: set[Place], class_level: int | None, shown: str
) -> dict[Place, tuple[str, int]]:
    """The class and part of each place, but for those beside the classes. folders: empty, too."""
    parts = _parts(places, class_level)
    depth = _depth(places, 1, len(parts)) if parts else 0
    inside = defaultdict[Place, set[Place]](set)  # of each class folder
    for place in places:
        if len(place) > depth:
            inside[place[: depth + 1]].add(place[depth + 1 :])
    level = class_level or 1
    branched = 0  # classes whose images lie in several subfolders beside each other
    for below in inside.values():
        outer = min(below)
        branched += any(place[: len(outer)] != outer for place in below)
    if not class_level and branched and 2 * branched >= len(inside):
        first = {place[depth] for place in inside}
        second = {"/".join(place[depth : depth + 2]) for place in places if len(place) > depth + 1}
        received = f"{shown}, where the classes can be {few_of(sorted(first))} or "
        received += f"{few_of(sorted(second))}. Say --class-level 1 or 2."
        raise InputError("one level of class folders", received)
    warn(f"left out class {printable('/'.join(folder))}: it holds no images"
        for folder in sorted(folders - inside.keys()) if len(folder) == depth + 1)  # fmt: skip
    classes = {place: ("/".join(place[depth : depth + level]), parts.get(place[0], TRAIN))
               for place in places if len(place) >= depth + level}  # fmt: skip
    if not classes:
        wanted = f"a folder with class folders, at level {level} below it, and images in these"
        raise InputError(wanted, f"{shown} without class folders")
    return classes


def _parts(places: set[Place], class_level: int | None) -> dict[str, int]:
    """The part that each folder is named for, training first; {} where they are named for none."""
    named = defaultdict[str, dict[str, int]](dict)  # by the rest of the name: "seg_" of seg_train
    for name in (names := sorted({place[0] for place in places if place})):
        if len(words := PART_WORD.findall(name.casefold())) == 1:
            named[PART_WORD.sub("", name.casefold())][name] = PARTS[words[0]]
    parts = next((some for some in named.values() if len(set(some.values())) > 1), {})
    parts = dict(sorted(parts.items(), key=lambda item: (item[1], item[0])))
    others = [name for name in names if name not in parts]
    with_folders = {parts.get(place[0]) for place in places if len(place) > 1}
    in_doubt = others or min(parts.values(), default=TRAIN) not in with_folders
    if not parts or (in_doubt and class_level):
        return {}
    if in_doubt:
        what = few_of(list(parts)) + (f" beside {few_of(others)}; move that" if others else "")
        wanted = "either classes, or parts of a data set (train, val, test) with class folders"
        raise InputError(wanted, f"{what}. If all are classes, say --class-level 1")
    say("parts: " + ", ".join(f"{printable(x)} is {PART_NAMES[kind]}" for x, kind in parts.items()))
    return parts


def _pairs(files: list[File]) -> list[ReadyPair]:
    """The ready pairs among some files: NAME_first beside NAME_second, in one of PAIR_FOLDERS."""
    halves = defaultdict[str, dict[str, File]](dict)
    for file in files:
        (pair, _, half) = os.path.splitext(file.name)[0].rpartition("_")
        if file.label in PAIR_FOLDERS:
            halves[pair].setdefault(half, file)
    return [(of["first"], of["second"], PAIR_FOLDERS[of["first"].label])
            for of in halves.values() if {"first", "second"} <= {*of}]  # fmt: skip


def few_of(names: Collection[str], count: int = 3) -> str:
    """The first of some names, with their sizes where these are known: "a (3), b (2), …"."""
    sizes = names if isinstance(names, Mapping) else {}
    shown = [printable(name) + (f" ({sizes[name]:,})" if sizes else "")
             for name in islice(names, count)]  # fmt: skip
    return ", ".join(shown + ["…"] * (len(names) > count))
