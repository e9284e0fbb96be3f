"""What a reading of a folder found and left out, in lines that people can read."""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pyimagesearch.system.errors import printable

log = logging.getLogger(__name__)

BESIDE = "beside the class folders"
LINKED = "linked folders"
UNOPENED = "folders that cannot be opened"
UNREADABLE = "unreadable"
COPIES = "copies"
IN_TWO_CLASSES = "in two classes"
SMALL_CLASSES = "in classes of fewer than two"
UNPAIRED = "without the other half of the pair"

MOST_LINES = 20  # of one kind
MOST_LETTERS = 200  # of the line that names the classes
PICTURES = {  # of other kinds, by their endings
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".raw", ".rw2"),  # cameras' own
    *(".ai", ".eps", ".exr", ".hdr", ".ico", ".j2c", ".jpx", ".jxl", ".pdf", ".psd", ".svg"),
    *(".avif", ".j2k", ".jp2", ".tga", ".xcf"),
}


def ending_of(path: str) -> str:
    """What a file that is left out is counted by: the ending of its name, in small letters."""
    return os.path.splitext(path)[1].lower() or "no ending"


def say(messages: Iterable[str]) -> None:
    """Log some lines of one kind, twenty of them at most."""
    messages = list(messages)
    for message in messages[:MOST_LINES]:
        log.info("%s", message)
    if len(messages) > MOST_LINES:
        log.info("and %s more like this", f"{len(messages) - MOST_LINES:,}")


def say_skipped(skipped: Mapping[str, int]) -> None:
    """Log one line for each ending and reason for which the folder's scan left out files."""
    lines = []
    for reason, count in sorted(skipped.items(), key=lambda item: -item[1]):
        if reason == BESIDE:
            lines.append(f"left out {count:,} images beside the class folders")
        elif reason == LINKED:
            lines.append(f"left out {count:,} linked folders: put the folders themselves there")
        elif reason == UNOPENED:
            lines.append(f"left out {count:,} folders that cannot be opened")
        elif reason.startswith(".") or reason == "no ending":
            lines.append(f"skipped {count:,} files, {printable(reason)}{_remedy(reason)}")
    say(lines)


def _remedy(ending):
    if ending in (".heic", ".heif", ".hif"):
        return ": pip install pi-heif, and they are read"
    if ending in PICTURES:
        return ": save them as PNG or JPEG"
    return ": not of an image"


def few_of(names: Iterable[str] | Mapping[str, int], count: int = 3) -> str:
    """The first of some names, with their sizes where these are known: "a (3), b (2), …"."""
    sizes = names if isinstance(names, Mapping) else {}
    names = list(names)
    shown = [
        printable(name) + (f" ({sizes[name]:,})" if name in sizes else "") for name in names[:count]
    ]
    return ", ".join(shown + ["…"] * (len(names) > count))


def classes_line(class_names: Sequence[str], sizes: Sequence[int]) -> str:
    """ "3 classes: a (9), b (8), c (9)"; of many, the largest and the smallest.

    sizes: int (K,), the images of each.
    """
    count = f"{len(class_names):,} classes"
    line = f"{count}: " + ", ".join(
        f"{name} ({size:,})" for name, size in zip(class_names[:100], sizes)
    )
    if len(class_names) <= 100 and len(line) <= MOST_LETTERS:
        return line
    # of equal ones the first
    order = sorted(range(len(sizes)), key=lambda k: -sizes[k])

    def shown(numbers):
        return ", ".join(f"{_short(class_names[k])} ({sizes[k]:,})" for k in numbers)

    return f"{count}, from {shown(order[:2])} to {shown(order[-2:])}"


def _short(name):
    return name if len(name) <= 40 else name[:39] + "…"


def say_perhaps_pairs(names_of: Mapping[str, Iterable[str]]) -> None:
    """Log a line where class folders hold the same file names one for one, as pairs would.

    names_of: the files of each class, without folders and endings. Names that count, 1 2 3 or
    IMG_0001 IMG_0002, mean nothing; nor do fewer names than folders, front and back for one.
    """
    folders: dict[frozenset, list[str]] = {}
    for name, files in names_of.items():
        folders.setdefault(frozenset(files), []).append(name)
    for files, names in folders.items():
        if not len(files) > len(names) > 1:
            continue
        patterns = Counter(re.sub(r"\d+", "#", file) for file in files)
        (pattern, count) = patterns.most_common(1)[0]
        if not ("#" in pattern and 2 * count >= len(files)):
            log.info(
                "%s hold the same %s file names, %s: if these are pairs of one thing each, they "
                "are no classes; ready pairs are NAME_first and NAME_second in similar_all_images "
                "and dissimilar_all_images", few_of(names), f"{len(files):,}",
                few_of(sorted(files)),
            )  # fmt: skip
