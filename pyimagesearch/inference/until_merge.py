"""Stand-ins for what branches C and D bring; to be deleted with their merge."""

import hashlib
from typing import NamedTuple

import numpy as np

from pyimagesearch.data import sets
from pyimagesearch.evaluation import measuring


def pixel_digests(images):  # data.sets.pixel_digests
    if hasattr(sets, "pixel_digests"):
        return sets.pixel_digests(images)
    shape = np.array(images.shape[1:], "<u8").tobytes()
    contents = [shape + np.ascontiguousarray(images[k]).tobytes() for k in range(len(images))]
    digests = [hashlib.blake2b(content, digest_size=8).digest() for content in contents]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def part_of(images, rows):  # ImageSet.part
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


class Figure(NamedTuple):
    value: float
    low: float
    high: float


def measure(embeddings, images, calibration, comparison):  # measuring.measure -> Measurement
    measured = measuring.measure(embeddings, images, calibration, comparison)
    if not isinstance(measured, dict):
        return measured

    class Old:
        accuracy = Figure(*measured["accuracy"])
        figures = measured

        def as_dict(self):
            return measured

    return Old()


def report(measured, title):  # measuring.report
    return measuring.report(getattr(measured, "figures", measured), title)
