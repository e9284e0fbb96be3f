"""A folder of images -> one array on disk, decoded once; training maps it into memory.

The array is kept between runs beside what they write. The next run looks at every file's
size and time, and decodes only what has changed.
"""

# import the necessary packages
import hashlib
import json
import math
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pyimagesearch.data import images
from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.rows import Rows, take
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import find_directory, state, whole_directory
from pyimagesearch.system.names import printable

PAIR_FOLDERS = {"similar_all_images": 1, "dissimilar_all_images": 0}  # and their y
MOST_PIXELS = 64  # of a side, where nobody asks for more
MOST_NAMES = 20  # of files that a message is printed for
VERSION = 1  # of the array's index


def read_folder(directory, recipe, cache, image_size=None, channels=None):
    """A folder with one subfolder per class, or with ready pairs: (Rows, labels, Pairs).

    Classes: labels are the subfolders' names, pairs None. Ready pairs: labels None; the
    folder holds similar_all_images/NAME_first.jpg beside NAME_second.jpg, and the same in
    dissimilar_all_images.
    cache: the folder in which the array is kept. image_size (H, W) and channels (1 or 3) by
    default from about a hundred of the pictures: colour if any has it, and the files' own size
    up to 64 pixels, but at least recipe.least_shape.
    Prints what it leaves out: unreadable files, classes with fewer than two images, copies
    of the same file. Raises ValueError where too little is left.
    """
    names = _names(directory)
    if not names:
        raise InputError(
            "Expected a folder with a subfolder for each class, and images in these. "
            f"Received: {printable(directory)} without."
        )
    (pixels, files) = _decoded(directory, names, recipe, cache, image_size, channels)
    bad = [found["error"] for found in files.values() if "error" in found]
    _say(f"skipped {error}" for error in bad)
    files = {name: found for name, found in files.items() if "error" not in found}
    count = f"{len(files)} images read" + (f", {len(bad)} files skipped" if bad else "")
    color = "grey" if pixels.shape[3] == 1 else "colour"
    print(f"[INFO] {count}, in {color} at {pixels.shape[2]}x{pixels.shape[1]}")
    if _is_pairs(directory):
        return pixels, None, _pairs(files)
    (rows, labels) = _classes(files)
    return take(pixels, rows), labels, None


def _is_pairs(directory):
    return all(os.path.isdir(os.path.join(directory, name)) for name in PAIR_FOLDERS)


def _names(directory):
    # the image files of all subfolders, as paths from the folder on
    names = []
    here = os.path.realpath(directory)
    for folder in sorted(PAIR_FOLDERS if _is_pairs(directory) else os.listdir(directory)):
        path = os.path.join(directory, folder)
        if images.hidden(folder) or not os.path.isdir(path):
            continue
        if os.path.commonpath([here, os.path.realpath(path)]) == os.path.realpath(path):
            _say([f"left out {printable(folder)}: a link to a folder around it"])
            continue
        try:
            names += [os.path.relpath(file, directory) for file in images.list_images(path)]
        except ValueError:
            _say([f"left out class {printable(folder)}: it holds no images"])
    return names


def _classes(files):
    """Rows and labels of what can be used of a folder of classes."""
    copies = {}
    for name, found in files.items():
        copies.setdefault(found["digest"], []).append(name)
    (usable, messages, extra) = ({}, [], 0)
    for names in copies.values():
        classes = {name.split(os.sep)[0] for name in names}
        if len(classes) > 1:  # one of the two is wrong, and nobody knows which
            shown = " and ".join(printable(name) for name in names)
            messages.append(f"left out {shown}: the same file in {len(classes)} classes")
        else:
            usable.setdefault(classes.pop(), []).append(files[names[0]]["row"])
            extra += len(names) - 1
    _say(messages)
    if extra:
        print(f"[INFO] {extra} copies of other files left out: they are no images of their own")

    for folder in {name.split(os.sep)[0] for name in files} - set(usable):
        usable[folder] = []
    few = [name for name, rows in usable.items() if len(rows) < 2]
    _say(
        f"left out class {printable(name)}: {len(usable[name])} images, 2 needed"
        for name in sorted(few)
    )
    usable = {name: rows for name, rows in sorted(usable.items()) if name not in few}
    if len(usable) < 2:
        raise InputError(
            "Expected a folder with a subfolder for each of at least two classes, at least two "
            f"readable images in each. Received: {len(usable)} such."
        )
    labels = [name for name, rows in usable.items() for _ in rows]
    return np.concatenate(list(usable.values())), np.array(labels)


def _pairs(files):
    """The Pairs of a folder of ready pairs: NAME_first beside NAME_second."""
    first_row, halves = {}, {}
    for name, found in files.items():
        row = first_row.setdefault(found["digest"], found["row"])  # one row for all copies
        match = re.fullmatch(r"(.*)_(first|second)", os.path.splitext(name)[0], re.DOTALL)
        if match and name.split(os.sep)[0] in PAIR_FOLDERS:
            halves.setdefault(match[1], {})[match[2]] = row
    whole = {name: pair for name, pair in halves.items() if len(pair) == 2}
    _say(
        f"left out {printable(name)}: only one of its two images is there"
        for name in halves.keys() - whole.keys()
    )
    if not whole:
        raise InputError("Expected pairs of files NAME_first and NAME_second. Received: none.")
    y = [[PAIR_FOLDERS[name.split(os.sep)[0]]] for name in whole]
    (anchors, others) = np.array([(p["first"], p["second"]) for p in whole.values()]).T
    return Pairs(anchors, others[:, np.newaxis], np.array(y))


def _decoded(directory, names, recipe, cache, image_size, channels):
    """The array of a folder, from the last run as far as nothing has changed.

    Returns (Rows of all images, {name: {"state", and "row", "digest" or "error"}}).
    """
    asked = [list(image_size or ()), channels, list(recipe.reading.least_shape)]
    identity = json.dumps([os.path.realpath(directory), asked])
    place = Path(cache) / f".images-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    paths = {name: os.path.join(directory, name) for name in names}
    states = {name: state(path) for name, path in paths.items()}
    (old, known) = _load(place)
    if states == {name: found["state"] for name, found in known.items() if "row" in found}:
        return old, known

    shape = _shape(list(paths.values()), recipe, image_size, channels)
    reuse = old is not None and old.shape[1:] == shape

    def read(name):
        found = known.get(name, {})
        # what could not be read, for whatever reason, is tried again
        if reuse and "row" in found and found["state"] == states[name]:
            return old.array[found["row"]], found
        try:
            data = images.read_bytes(paths[name])
            image = images.fit(images.decode(data, paths[name]), shape)
        except ValueError as error:
            return None, {"error": str(error)}
        return image, {"digest": hashlib.blake2b(data, digest_size=16).hexdigest()}

    with whole_directory(place) as new:
        os.mkdir(new)
        files, row = {}, 0
        block = max(2**26 // math.prod(shape), 8)  # no more than so many wait in memory
        threads = min(os.cpu_count(), 4)  # each may hold a large photo
        with open(os.path.join(new, "pixels"), "wb") as f, ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(names), block):
                some = names[start : start + block]
                for name, (image, found) in zip(some, pool.map(read, some)):
                    files[name] = {"state": states[name]} | found
                    if image is not None:
                        f.write(np.ascontiguousarray(image))
                        files[name]["row"], row = row, row + 1
                if sys.stderr.isatty():
                    print(f"{start + len(some)} of {len(names)} files read", end="\r",
                        file=sys.stderr)  # fmt: skip
        if not row:
            raise InputError(
                "Expected readable images. Received: none. "
                + "; ".join([found["error"] for found in files.values()][:3])
            )
        index = {"version": VERSION, "shape": [row, *shape], "files": files}
        Path(new, "index.json").write_text(json.dumps(index))
    return _load(place)


def _load(place):
    # what an earlier run has left, (None, {}) where that is nothing whole
    place = find_directory(place)
    try:
        index = json.loads((place / "index.json").read_text())
        shape = tuple(index["shape"])
        whole = (place / "pixels").stat().st_size == np.prod(shape, dtype=np.int64)
        if index["version"] != VERSION or not whole:
            return None, {}
        array = np.memmap(place / "pixels", dtype=np.uint8, mode="r", shape=shape)
        return Rows(array, np.arange(len(array))), index["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return None, {}


def _shape(paths, recipe, image_size, channels):
    """The shape to read all images in, where it is not asked for from a hundred of them."""
    (sides, colored) = ([], False)
    if image_size is None or channels is None:
        for path in paths[:: max(len(paths) // 100, 1)]:
            try:
                image = images.decode(images.read_bytes(path), path)
            except ValueError:
                continue  # it is named when all are read
            sides.append(min(image.shape[:2]))
            colored |= bool(np.any(image != image[:, :, :1]))
    (height, width, least_channels) = recipe.reading.least_shape
    if image_size is None:
        side = int(min(np.median(sides or [MOST_PIXELS]), MOST_PIXELS))
        image_size = (max(side, height), max(side, width))
    return (*image_size, channels or max(3 if colored else 1, least_channels))


def _say(messages):
    messages = list(messages)
    for message in messages[:MOST_NAMES]:
        print(f"[INFO] {message}")
    if len(messages) > MOST_NAMES:
        print(f"[INFO] and {len(messages) - MOST_NAMES} more like this")
