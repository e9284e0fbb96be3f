"""A folder -> its image files, with the class and part of each, and what is left out and why."""

import logging
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
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
# a word of these in a name, between what is no letter and no digit
PART_WORD = re.compile(rf"(?<![^\W_])({'|'.join(PARTS)})(?![^\W_])")
# what says that a folder is the output of a training
OUTPUTS = {"metrics.json", "contrastive_training_pairs.png", os.path.basename(config.MODEL_PATH)}
MOST_LINES = 20  # of one kind
UNPAIRED = "in no pair that is used"


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


ReadyPair = tuple[File, File, int, str]  # two files, y, their group or ""


@dataclass(frozen=True)
class Listing:
    """What a folder or a list holds, before anything is read."""

    base: str  # the folder that the files' names begin at
    files: list[File]  # sorted: training first
    pairs: list[ReadyPair] | None = None
    skipped: Counter[str] = field(default_factory=Counter)  # what is left out, by ending or reason


def find(
    directory: str | os.PathLike, class_level: int | None = None, plain: bool = False
) -> Listing:
    """The image files of a folder, and what its subfolders say of them.

    The classes are the subfolders. Where train/ stands beside test/ or val/ (or seg_train/ beside
    seg_test/, training_set/ beside test_set/), the classes are the subfolders of these. A single
    folder around all others does not count. class_level 2: the classes are the subfolders of the
    subfolders, named "alphabet/character"; 0: there are no classes. similar_all_images/ and
    dissimilar_all_images/ hold ready pairs, NAME_first beside NAME_second.
    plain: ready pairs, and images in no subfolder, are taken as images without classes.
    Logs what is left out. Raises InputError where there are no images in subfolders and, without
    class_level, where the subfolders can be read in two ways.
    """
    directory = os.fspath(directory)
    (root, left_out) = _scan(directory)
    (top,) = _inner([root])
    paired = top.folders.keys() >= PAIR_FOLDERS.keys()
    pairs = None
    if class_level == 0 or (plain and (paired or not top.folders)):
        files = [File(name) for name in sorted(root.images())]
    elif paired:
        (files, pairs) = _pair_files(top, left_out)
    else:
        files = _class_files(top, class_level, printable(directory))
    others = {*root.images()} - {file.name for file in files} - {*left_out[UNPAIRED]}
    left_out["beside the class folders"] = sorted(others)
    return Listing(directory, files, pairs, counted(left_out))


def list_images(directory: str | os.PathLike) -> list[str]:
    """The image files of a folder and its subfolders, sorted; logs what is left out.

    Raises InputError where the folder is missing or holds none.
    """
    return [os.path.join(directory, file.name) for file in find(directory, class_level=0).files]


@dataclass
class Folder:
    """What a folder holds of images."""

    files: list[str] = field(default_factory=list)  # paths of the images directly in it
    # those in it with images, by name, in the one form that Unicode has for accents
    folders: dict[str, "Folder"] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)  # the names of the others

    def images(self) -> Iterator[str]:
        """All that it holds, in itself and below, in no order."""
        stack = [self]
        while stack:
            folder = stack.pop()
            yield from folder.files
            stack += folder.folders.values()


def _scan(directory: str) -> tuple[Folder, dict[str, list[str]]]:
    """What a folder holds, and the names of what is left out, by their ending or the reason.

    Links to folders are followed, and each folder is read once. What begins with a dot is hidden,
    and so is __MACOSX, whose files are named as images and are none. A file without an ending is
    taken where it begins as an image does.
    Raises InputError where the folder is missing or holds no images.
    """
    (kinds, top) = (endings(), Path(directory).resolve())
    (folders, seen, left_out) = (list[Folder](), set[Path](), defaultdict[str, list[str]](list))
    # a folder, what it lies in, why that is left out; recursion would end at a depth of a thousand
    stack = [("", Folder(), "")]
    while stack:
        (name, around, reason) = stack.pop()
        real = Path(top, name).resolve()
        # a link, to what is read by its own name, or to a folder around it all
        known = real != top / name and (real.is_relative_to(top) or top.is_relative_to(real))
        if known or real in seen:
            left_out["another name of a folder that is read"].append(name)
            continue
        seen.add(real)
        try:
            # a link may lead to itself; of others the folder's own list says what they are
            is_folder = {entry.name: os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()
                         for entry in os.scandir(top / name)}  # fmt: skip
        except OSError:
            left_out["cannot be opened"].append(name)
            continue
        label = unicodedata.normalize("NFC", os.path.basename(name))
        if label.startswith((".", "__MACOSX")):
            reason = "hidden"
        elif name and is_folder.keys() & OUTPUTS:
            reason = "output of a training"
        folder = Folder() if reason else around.folders.setdefault(label, Folder())
        folders.append(folder)
        inside = sorted(file for file in is_folder if is_folder[file])
        stack += [(os.path.join(name, inner), folder, reason) for inner in reversed(inside)]
        for file in sorted(is_folder.keys() - inside):
            (path, ending) = (os.path.join(name, file), os.path.splitext(file)[1].lower())
            why = "hidden" if file.startswith(".") else reason
            if not (why or ending in kinds or (not ending and _is_image(top / path))):
                why = ending or "no ending"
            (left_out[why] if why else folder.files).append(path)
    for folder in reversed(folders):  # from within
        folder.empty = [name for name, of in folder.folders.items() if not (of.files or of.folders)]
        for name in folder.empty:
            del folder.folders[name]
    root = folders[0] if folders else Folder()
    if not (root.files or root.folders):
        how = f"with none (left out: {few_of(counted(left_out)) or 'nothing'})"
        raise InputError(
            "Expected a folder with images. Received: "
            f"{printable(directory)}, {how if os.path.isdir(directory) else 'no such folder'}."
        )
    return root, left_out


def _is_image(path: Path) -> bool:
    """Whether a file begins as an image does."""
    with suppress(Exception):  # other files make Pillow raise nearly anything
        if os.path.isfile(path):  # a pipe would be waited for
            Image.open(path, formats=formats()).close()
            return True
    return False


def counted(left_out: Mapping[str, list[str]], most: int = 3) -> Counter[str]:
    """How much is left out, by its ending or the reason; logs it with some of the names.

    left_out: names by the reason. most: of the names in a line.
    """
    skipped = Counter({reason: len(names) for reason, names in left_out.items() if names})
    hint = dict.fromkeys((".heic", ".heif", ".hif"), " (pip install pi-heif, and they are read)")
    say(f"left out {count:,}, {printable(reason)}: {few_of(left_out[reason], most)}"
        + hint.get(reason, "") for reason, count in skipped.most_common())  # fmt: skip
    return skipped


def _inner(folders: list[Folder]) -> list[Folder]:
    """The folders that count: those below a single folder around all others in each."""
    while all(len(folder.folders) == 1 for folder in folders):
        inside = [inner for folder in folders for inner in folder.folders.values()]
        if not inside[0].folders or (len(inside[0].folders) == 1 and inside[0].files):
            break
        folders = inside
    return folders


def _class_files(top: Folder, class_level: int | None, shown: str) -> list[File]:
    """The files in class folders, or in those of parts, training first, by name."""
    (parts, branches) = (_parts(top, class_level), [top])
    if parts:
        log.info(f"{' and '.join(map(printable, parts))} are used as what they are named for")
        branches = _inner([top.folders[name] for name in parts])
        if any(branch.folders.keys() >= PAIR_FOLDERS.keys() for branch in branches):
            raise InputError(
                f"Expected {' and '.join(PAIR_FOLDERS)} in one folder, which the program splits. "
                f"Received: such in {few_of(parts)}."
            )
    level = class_level or _level(branches, shown)
    files = []
    for branch, (name, part) in zip(branches, parts.items() or [("", TRAIN)]):
        say(f"left out class {printable(os.path.join(name, label))}: it holds no images"
            for label in branch.empty)  # fmt: skip
        if parts and not branch.folders:
            count = len(branch.files)
            log.info(f"left out {printable(name)}: its {count:,} images are in no class folders")
        classes = list(branch.folders.items())
        for _ in range(level - 1):
            classes = [(f"{label}/{name}", inner) for label, folder in classes
                       for name, inner in folder.folders.items()]  # fmt: skip
        files += [File(name, label, part) for label, folder in classes for name in folder.images()]
    if not files:
        levels = f", {level} levels below it" if level > 1 else ""
        raise InputError(
            "Expected a folder with a subfolder for each class, and images in these"
            f"{levels}. Received: {shown} without."
        )
    return sorted(files, key=attrgetter("part", "name"))


def _parts(top: Folder, class_level: int | None) -> dict[str, int]:
    """The part that each folder is named for, training first; {} where they are named for none."""
    named = defaultdict[str, dict[str, int]](dict)  # by the rest of the name: "seg_" of seg_train
    for name in top.folders:
        if len(words := PART_WORD.findall(name.casefold())) == 1:
            named[PART_WORD.sub("", name.casefold())][name] = PARTS[words[0]]
    parts = next((some for some in named.values() if len(set(some.values())) > 1), {})
    parts = dict(sorted(parts.items(), key=lambda item: (item[1], item[0])))
    others = sorted(top.folders.keys() - parts)
    in_folders = [part for name, part in parts.items() if top.folders[name].folders]
    if not parts or (not others and min(parts.values()) in in_folders):
        return parts
    if class_level:
        return {}
    what = few_of(parts)
    what += f" and beside them {few_of(others)}" if others else ", without folders for classes"
    raise InputError(
        "Expected either classes, or parts of a data set (train, val, test) with a folder for each "
        f"class in them. Received: {what}. If all are classes, say --class-level 1."
    )


def _level(branches: list[Folder], shown: str) -> int:
    """1, the level of the classes, where there is no doubt."""
    classes = [item for branch in branches for item in branch.folders.items()]
    branched = sum(not inner.files and len(_inner([inner])[0].folders) > 1 for _, inner in classes)
    if not branched or 2 * branched < len(classes):
        return 1
    first = {name for name, _ in classes}
    second = {f"{name}/{below}" for name, inner in classes for below in inner.folders}
    raise InputError(
        f"Expected one level of class folders. Received: {shown}, where the classes can be "
        f"{few_of(sorted(first))} or {few_of(sorted(second))}. Choose with --class-level 1 or "
        "--class-level 2, or name the folder that holds the classes."
    )


def _pair_files(top: Folder, left_out: dict[str, list[str]]) -> tuple[list[File], list[ReadyPair]]:
    """The files of ready pairs, sorted, and these: NAME_first beside NAME_second."""
    same = {name: y for kind, y in PAIR_FOLDERS.items() for name in top.folders[kind].images()}
    halves: dict[str, dict[str, str]] = {}
    for name in sorted(same):
        (pair, _, half) = os.path.splitext(name)[0].rpartition("_")
        halves.setdefault(pair, {}).setdefault(half, name)
    pairs = [(File(of["first"]), File(of["second"]), same[of["first"]], "")
             for of in halves.values() if {"first", "second"} <= {*of}]  # fmt: skip
    files = sorted(file for pair in pairs for file in pair[:2])
    left_out[UNPAIRED] = sorted({*same} - {file.name for file in files})
    if not files:
        raise InputError("Expected pairs of files NAME_first and NAME_second. Received: none.")
    return files, pairs


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
    shown = [printable(name) + (f" ({sizes[name]:,})" if name in sizes else "")
             for name in names[:count]]  # fmt: skip
    return ", ".join(shown + ["…"] * (len(names) > count))
