"""Stand-ins for what other branches bring; delete with the merge (import from the real places)."""

# ---- branches B, C: data
import hashlib
import inspect
import logging
import os
import tempfile
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


def _dataclass_folder():
    @dataclass(frozen=True)
    class Folder:
        pixels: Any
        files: list
        labels: Any = None
        class_names: tuple = ()
        pairs: Any = None
        splits: Any = None
        groups: Any = None
        contents: Any = None
        counts: Any = None

    return Folder


try:
    from pyimagesearch.data.folders import Folder
except ImportError:
    Folder = _dataclass_folder()


def read_folder(directory, *, shape, class_level=None, group_by=None):
    from types import SimpleNamespace

    from pyimagesearch.data import folders, images

    if "shape" in inspect.signature(folders.read_folder).parameters:
        return folders.read_folder(
            directory, shape=shape, class_level=class_level, group_by=group_by
        )
    if os.path.isdir(directory) and folders._is_pairs(directory):
        recipe = SimpleNamespace(reading=SimpleNamespace(least_shape=(1, 1, 1)))
        with tempfile.TemporaryDirectory() as cache:
            (rows, _, pairs) = folders.read_folder(directory, recipe, cache, shape[:2], shape[2])
            return Folder(rows[:], [""] * len(rows), pairs=pairs)
    (pixels, labels, messages) = images.read_classes(directory, shape)
    for message in messages:
        logging.getLogger("pyimagesearch").info(message)
    (names, numbers) = np.unique(labels, return_inverse=True)
    logging.getLogger("pyimagesearch").info(f"{len(pixels)} images of {len(names)} classes")
    return Folder(pixels, [""] * len(pixels), numbers.astype(np.int32), tuple(map(str, names)))


try:
    from pyimagesearch.data.sets import pixel_digests
except ImportError:

    def pixel_digests(images):
        shape = np.array(images.shape[1:], "<u8").tobytes()
        digests = [
            hashlib.blake2b(
                shape + np.ascontiguousarray(images[k]).tobytes(), digest_size=8
            ).digest()
            for k in range(len(images))
        ]
        return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


try:
    from pyimagesearch.data.splits import connected
except ImportError:

    def connected(count, edges):
        number = np.arange(count)
        while True:
            low = np.minimum(number[edges[:, 0]], number[edges[:, 1]])
            new = number.copy()
            np.minimum.at(new, edges[:, 0], low)
            np.minimum.at(new, edges[:, 1], low)
            new = new[new]
            if (new == number).all():
                return number
            number = new


def part_of(images, rows):
    if hasattr(images, "part"):
        return images.part(rows)
    part = images.take(rows)
    if images.pairs is None:
        return part
    place = np.full(len(images), -1)
    place[rows] = np.arange(len(rows))
    (a, o, y) = (place[images.pairs.anchors], place[images.pairs.others], images.pairs.y)
    whole = (a >= 0) & (o >= 0).all(axis=1)
    return part.replace(pairs=type(images.pairs)(a[whole], o[whole], y[whole]))


try:
    from pyimagesearch.data import cache
except ImportError:

    class cache:
        clear = staticmethod(lambda: None)
        size = staticmethod(lambda: 0)
        place = staticmethod(lambda: "nowhere")


if hasattr(cache, "embeddings_of"):
    embeddings_of = cache.embeddings_of
else:

    def embeddings_of(paths, directory, model_digest, shape, embed):
        from pyimagesearch.data import images

        (good, pixels, messages) = images.read_images(paths, shape)
        return good, embed(pixels), messages, 0


# ---- branch D: evaluation
from pyimagesearch.evaluation import measuring

try:
    from pyimagesearch.evaluation.intervals import Figure
except ImportError:

    class Figure(NamedTuple):
        value: float
        low: float
        high: float


def calibrate(embeddings, images, comparison):
    return measuring.calibrate(embeddings, images, comparison)


def measure(embeddings, images, calibration, comparison):
    measured = measuring.measure(embeddings, images, calibration, comparison)
    if not isinstance(measured, dict):
        return measured

    class Old:
        accuracy = Figure(*measured["accuracy"])
        figures = measured

        def as_dict(self):
            return measured

    return Old()


def report(measured, title):
    return measuring.report(getattr(measured, "figures", measured), title)
