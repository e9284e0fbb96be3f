"""A folder -> its image files, with the class and part of each, and what is left out and why."""

import logging
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from pyimagesearch import config
from pyimagesearch.data.images import endings, formats
from pyimagesearch.data.splits import TEST, TRAIN, VALIDATION
from pyimagesearch.system.errors import InputError, printable

log = logging.getLogger(__name__)

PAIR_FOLDERS = {"similar_all_images": 1, "dissimilar_all_images": 0}  # and their y
PARTS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing", "eval"), TEST),
}
# what says that a folder is the output of a training
OUTPUTS = {"metrics.json", "contrastive_training_pairs.png", os.path.basename(config.MODEL_PATH)}
MOST_LINES = 20  # of one kind
UNPAIRED = "in no pair that is used"

# (its name's parts from the listing's folder on, how many images lie directly in it)
Folders = Mapping[tuple[str, ...], int]


class File(NamedTuple):
    """An image file, before it is read."""

    name: str  # its path from the listing's folder on
    label: str = ""  # the name of its class; "" where classes are not known
    part: int = TRAIN  # or VALIDATION, TEST
    group: str = ""  # which a list says that it belongs to
    line: int = 0  # of the list, which names it first

    def shown(self) -> str:
        """Its name for a message, with its line where a list names it."""
        return printable(self.name) + (f" (line {self.line})" if self.line else "")


@dataclass(frozen=True)
class Listing:
    """What a folder or a list holds, before anything is read."""

    base: str  # the folder that the files' names begin at
    files: list[File]  # sorted: training first
    pairs: list[tuple[int, int, int, str]] | None = None  # two files, y, their group or ""
    parted: bool = False  # whether folders or a list say what is trained and tested on
    skipped: Counter[str] = field(default_factory=Counter)  # what is left out, by ending or reason


def find(
    directory: str | os.PathLike, class_level: int | None = None, plain: bool = False
) -> Listing:
    """The image files of a folder, and what its subfolders say of them.

    The classes are the subfolders. Where train/ stands beside test/ or val/ (or seg_train/ beside
    seg_test/, training_set/ beside test_set/), the classes are the subfolders of these. A single
    folder around all others does not count. class_level 2: the classes are the subfolders of the
    subfolders, named "alphabet/character". similar_all_images/ and dissimilar_all_images/ hold
    ready pairs, NAME_first beside NAME_second.
    plain: ready pairs, and images in no subfolder, are taken as images without classes.
    Logs what is left out. Raises InputError where there are no images in subfolders and, without
    class_level, where the subfolders can be read in two ways.
    """
    directory = os.fspath(directory)
    (names, cut, skipped) = _scan(directory)
    all_folders = Counter(cut[os.path.dirname(name)] for name in names)
    depth = _inner([all_folders], 0)  # of the folders that count
    folders = {folder: count for folder, count in all_folders.items() if len(folder) >= depth}
    if depth:
        around = os.sep.join(next(iter(folders))[:depth])
        log.info(f"everything lies in {printable(around)}: its subfolders are what counts")
    sizes = _sizes(folders, depth)
    paired = sizes.keys() >= PAIR_FOLDERS.keys()
    if plain and names and (paired or not sizes):
        return Listing(directory, [File(name) for name in names], skipped=skipped)
    pairs = None
    if paired:
        tops = [cut[os.path.dirname(name)][depth : depth + 1] for name in names]
        inside = [name for name, top in zip(names, tops) if PAIR_FOLDERS.keys() & top]
        (files, pairs) = _in_pairs(inside, depth, skipped)
    else:
        classes = _classes(folders, depth, class_level, printable(directory), cut.values(), skipped)
        found = [(name, classes.get(cut[os.path.dirname(name)])) for name in names]
        files = [File(name, *of) for name, of in found if of]
        files.sort(key=attrgetter("part", "name"))
    if beside := len(names) - len(files) - skipped[UNPAIRED]:
        log.info(f"left out {beside:,} images beside the class folders")
        skipped["beside the class folders"] = beside
    parted = len({file.part for file in files}) > 1
    return Listing(directory, files, pairs, parted, +skipped)


def list_images(directory: str | os.PathLike) -> list[str]:
    """The image files of a folder and its subfolders, sorted; logs what is left out.

    Raises InputError where the folder is missing or holds none.
    """
    names = _scan(os.fspath(directory))[0]
    if not names:
        raise InputError(
            f"Expected a folder with images ({' '.join(endings())}). "
            f"Received: {printable(directory)} with none."
        )
    return [os.path.join(directory, name) for name in names]


def _scan(directory: str) -> tuple[list[str], dict[str, tuple[str, ...]], Counter[str]]:
    """The image files, sorted, the folders with their names' parts, and how much else there is.

    Names begin at the directory; their parts have the one form that Unicode has for accents.
    A file without an ending is taken where it begins as an image does. A link to a folder is
    followed, but not to one around it, nor inside a linked folder. Hidden files and folders are
    left out, and __MACOSX, whose files are named as images and are none.
    """
    kinds = endings()
    (files, left_out, others) = (list[str](), list[tuple[str, str]](), Counter[str]())
    folders = {"": tuple[str, ...]()}
    stack = [("", False)]
    while stack:
        (folder, linked) = stack.pop()
        path = os.path.join(directory, folder)
        try:
            entries = list(os.scandir(path))
        except OSError as error:
            if not folder:
                how = f"which cannot be opened ({error.strerror})"
                how = how if os.path.isdir(path) else "no such folder"
                raise InputError(
                    f"Expected a folder of images. Received: {printable(directory)}, {how}."
                ) from None
            left_out.append((folder, "cannot be opened"))
            continue
        if folder and OUTPUTS & {entry.name for entry in entries}:
            left_out.append((folder, "output of a training"))
            continue
        if folder:
            folders[folder] = tuple(unicodedata.normalize("NFC", folder).split(os.sep))
        for entry in entries:
            name = os.path.join(folder, entry.name)
            # a link may lead to itself; of others the folder's own list says what they are
            is_link = entry.is_symlink()
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                inside = [file for _, _, found in os.walk(entry.path) for file in found]
                count = sum(file[0] != "." and file.lower().endswith(kinds) for file in inside)
                left_out += [(name, "in a folder that begins with a dot")] * count
            elif not (os.path.isdir(entry) if is_link else entry.is_dir()):
                ending = os.path.splitext(name)[1].lower()
                is_image = ending in kinds
                if not ending and os.path.isfile(entry):  # a pipe would be waited for
                    with suppress(Exception):  # other files make Pillow raise nearly anything
                        Image.open(entry.path, formats=formats()).close()
                        is_image = True
                if is_image:
                    files.append(name)
                else:
                    others[ending or "no ending"] += 1
            elif is_link and (
                linked or Path(path).resolve().is_relative_to(os.path.realpath(entry))
            ):
                left_out.append((name, "link to a folder around it, or inside a linked one"))
            else:
                stack.append((name, linked or is_link))
    say(
        f"left out {printable(name)}: {reason}" + (f" ({count:,} images)" if count > 1 else "")
        for (name, reason), count in sorted(Counter(left_out).items())
    )
    for ending, count in others.most_common(MOST_LINES):
        how = "not read; pictures can be saved as PNG or JPEG"
        if ending in (".heic", ".heif", ".hif"):
            how = "pip install pi-heif, and they are read"
        log.info(f"skipped {count:,} files, {printable(ending)}: {how}")
    return sorted(files), folders, others + Counter(reason for _, reason in left_out)


def _sizes(folders: Folders, depth: int) -> Counter[str]:
    """How many images each folder at a depth holds, in itself and below."""
    sizes = Counter[str]()
    for folder, count in folders.items():
        if len(folder) > depth:
            sizes[folder[depth]] += count
    return sizes


def _inner(branches: Sequence[Folders], depth: int) -> int:
    """The depth of the folders that count: those below a single folder around all others."""
    while all(len(_sizes(folders, depth)) == 1 for folders in branches):
        inside = _sizes(branches[0], depth + 1)
        if not inside or (len(inside) == 1 and depth + 1 in map(len, branches[0])):
            break
        depth += 1
    return depth


def _classes(
    folders: Folders, depth: int, class_level: int | None, shown: str,
    scanned: Iterable[tuple[str, ...]], skipped: Counter[str],
) -> dict[tuple[str, ...], tuple[str, int]]:  # fmt: skip
    """The class and the part of the images in each folder.

    depth: of the folders of the classes, or of the parts. scanned: folders without images, too.
    """
    part_depth = depth
    parts = _parts(folders, depth, class_level)
    if parts:
        log.info(f"{' and '.join(map(printable, parts))} are used as what they are named for")
        inside = [
            {folder: count for folder, count in folders.items() if (top,) == folder[depth:][:1]}
            for top in sorted(parts, key=lambda top: parts[top])
        ]
        depth = _inner(inside, depth + 1)
        for some in inside:
            if not _sizes(some, depth):
                (top, count) = (next(iter(some))[part_depth], sum(some.values()))
                log.info(f"left out {printable(top)}: its {count:,} images are in no class folders")
        if _sizes(folders, depth).keys() >= PAIR_FOLDERS.keys():
            raise InputError(
                f"Expected {' and '.join(PAIR_FOLDERS)} in one folder, which the program splits. "
                f"Received: such in {few_of(parts)}."
            )
    around = {folder[:depth] for folder in folders}
    full = {folder[: depth + 1] for folder in folders}
    empty = {folder for folder in scanned if len(folder) == depth + 1 and folder[:depth] in around}
    say(
        f"left out class {printable(folder[-1])}: it holds no images that can be read"
        for folder in sorted(empty - full)
    )
    folders = {folder: count for folder, count in folders.items() if len(folder) > depth}
    level = class_level or _level(folders, depth, shown)
    classes = {
        folder: ("/".join(folder[depth : depth + level]), parts.get(folder[part_depth], TRAIN))
        for folder in folders
        if len(folder) >= depth + level
    }
    if not classes:
        left_out = f" (left out: {few_of(skipped)})" if skipped else ""
        raise InputError(
            "Expected a folder with a subfolder for each class, and images in these"
            f"{f', {level} levels below it' if class_level else ''}. Received: {shown} "
            f"without{left_out}."
        )
    return classes


def _parts(folders, depth, class_level):
    """The part that each folder at a depth is named for; {} where they are named for none."""
    sizes = _sizes(folders, depth)
    named: dict[str, dict[str, int]] = {}  # by the rest of the name: "seg_" of seg_train
    for top in sizes:
        words = re.split(r"([^\W_]+)", top.casefold())
        of_parts = [word for word in words if word in PARTS]
        if len(of_parts) == 1:
            words.remove(of_parts[0])
            named.setdefault("".join(words), {})[top] = PARTS[of_parts[0]]
    parts = next((some for some in named.values() if len(set(some.values())) > 1), {})
    if not parts:
        return {}
    deep = {folder[depth] for folder in folders if len(folder) > depth + 1}
    others = [top for top in sizes if top not in parts]
    if not others and any(parts[top] == min(parts.values()) for top in deep):
        return parts
    if class_level:
        return {}
    what = few_of({top: sizes[top] for top in parts}, 9)
    what += f" and beside them {few_of(others)}" if others else ", without folders for classes"
    raise InputError(
        "Expected either classes, or parts of a data set (train, val, test) with a folder for each "
        f"class in them. Received: {what}. If all are classes, say --class-level 1."
    )


def _level(folders, depth, shown):
    """1, the level of the classes, where there is no doubt."""
    inner: dict[str, set] = {}  # of each first folder those below that hold images
    for folder in folders:
        inner.setdefault(folder[depth], set()).add(folder[depth + 1 :])
    branched = sum(len(places) > 1 and () not in places for places in inner.values())
    if not branched or 2 * branched < len(inner):
        return 1
    second = sorted({"/".join(folder[depth : depth + 2]) for folder in folders})
    raise InputError(
        f"Expected one level of class folders. Received: {shown}, where the classes can be "
        f"{few_of(_sizes(folders, depth))} or {few_of(second)}. Choose with --class-level 1 or "
        "--class-level 2, or name the folder that holds the classes."
    )


def _in_pairs(names, depth, skipped):
    """The files of ready pairs, sorted, and these: NAME_first beside NAME_second."""
    halves: dict[str, dict[str, str]] = {}
    for name in names:
        stem = "/".join(os.path.splitext(name)[0].split(os.sep)[depth:])
        if match := re.fullmatch(r"(.*)_(first|second)", stem, re.DOTALL):
            halves.setdefault(match[1], {}).setdefault(match[2], name)
    whole = {stem: pair for stem, pair in halves.items() if len(pair) == 2}
    files = sorted(name for pair in whole.values() for name in pair.values())
    alone = sorted({*names} - {*files})
    say(f"left out {printable(name)}: not one of a NAME_first and a NAME_second" for name in alone)
    skipped[UNPAIRED] += len(alone)
    if not files:
        raise InputError("Expected pairs of files NAME_first and NAME_second. Received: none.")
    place = {name: k for k, name in enumerate(files)}
    pairs = [
        (place[pair["first"]], place[pair["second"]], PAIR_FOLDERS[stem.split("/")[0]], "")
        for stem, pair in whole.items()
    ]
    return [File(name) for name in files], pairs


def say(messages: Iterable[str]) -> None:
    """Log some lines of one kind, twenty of them at most."""
    messages = list(messages)
    for message in messages[:MOST_LINES]:
        log.info(message)
    if len(messages) > MOST_LINES:
        log.info(f"and {len(messages) - MOST_LINES:,} more like this")


def few_of(names: Iterable[str] | Mapping[str, int], count: int = 3) -> str:
    """The first of some names, with their sizes where these are known: "a (3), b (2), …"."""
    sizes = names if isinstance(names, Mapping) else {}
    names = list(names)
    shown = [
        printable(name) + (f" ({sizes[name]:,})" if name in sizes else "") for name in names[:count]
    ]
    return ", ".join(shown + ["…"] * (len(names) > count))
