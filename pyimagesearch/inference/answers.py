"""The answers to the questions of commands.py, printed as text or as JSON."""

import argparse
import csv
import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from pyimagesearch.data import cache as kept
from pyimagesearch.data import images
from pyimagesearch.inference import search
from pyimagesearch.inference.answering import asked, note, picture, say, verdict
from pyimagesearch.inference.answers_pairs import compare_pairs
from pyimagesearch.inference.galleries import same_file
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.names import printable


def compare(args: argparse.Namespace) -> int:
    """Distance and verdict of two images. Returns 0 for same, 1 for different.

    With --pairs those of many: see compare_pairs.
    """
    given = [path for path in (args.a, args.b) if path is not None]
    if len(given) != (0 if args.pairs else 2):
        raise InputError(
            "Expected two images, or --pairs LIST.csv. "
            f"Received: {len(given)} images{' and --pairs' if args.pairs else ''}."
        )
    if args.pairs:
        return compare_pairs(args)
    (model, threshold) = asked(args)
    feats = model.embed_files([args.a, args.b])
    distance = float(model.distance([feats[:1], feats[1:]])[0])
    same = bool(model.is_same(distance, threshold))
    similarity = float(model.similarity(distance, threshold))
    answer = {
        "distance": distance,
        "similarity": similarity,
        "threshold": threshold,
        "same": same,
    }
    say(args, answer, f"distance {distance:.4f}, similarity {similarity:.3f}: {verdict(same)}")
    return 0 if same else 1


def find(args: argparse.Namespace) -> None:
    """The images of a folder most like a query."""
    figure = picture(args)
    (model, threshold) = asked(args)
    query = model.read([args.query])
    paths = [p for p in images.list_images(args.directory) if not same_file(p, args.query)]
    (paths, gallery, messages, reused) = search.embed_folder(model, paths, args.directory)
    note(f"skipped {message}" for message in messages)
    note([f"{len(paths)} images, {reused} of them embedded by an earlier run"])
    feats = model.embed(query)[0]
    (found, distances) = search.most_like(model, feats, gallery, args.top)
    ranked: list[dict[str, Any]] = [
        {
            "file": printable(paths[k]),
            "distance": float(d),
            "similarity": float(model.similarity(d, threshold)),
            "same": bool(model.is_same(d, threshold)),
        }
        for k, d in zip(found, distances)
    ]
    lines = [
        f"{rank:3}  {r['distance']:.4f}  {r['similarity']:.3f}  {verdict(r['same']):9}  {r['file']}"
        for rank, r in enumerate(ranked, 1)
    ]
    say(args, {"threshold": threshold, "results": ranked}, "\n".join(lines))
    if figure:
        from pyimagesearch.evaluation import pictures

        pixels = model.read([paths[k] for k in found])
        pictures.plot_ranked(query[0], pixels, distances, threshold, figure)
        note([f"figure: {figure}"])


def matrix(args: argparse.Namespace) -> None:
    """All distances of a folder: a table beside the figure, or JSON."""
    figure = picture(args)
    (model, threshold) = asked(args)
    paths = images.list_images(args.directory)
    if len(paths) > 5000:
        raise InputError(f"Expected at most 5,000 images for a matrix. Received: {len(paths)}.")
    (paths, gallery, messages, _) = search.embed_folder(model, paths, args.directory)
    note(f"skipped {message}" for message in messages)
    distances = np.stack([model.distance_to_all(row, gallery) for row in gallery])
    names = [printable(os.path.relpath(path, args.directory)) for path in paths]
    answer = {"files": names, "threshold": threshold}
    if args.json:
        answer["distances"] = distances.tolist()
        answer["similarities"] = model.similarity(distances, threshold).tolist()
    text = f"{len(names)} x {len(names)} distances"
    if figure:
        from pyimagesearch.evaluation import pictures

        table = os.path.splitext(figure)[0] + ".csv"
        with whole_file(table) as new, open(new, "w", newline="", encoding="utf-8") as f:
            rows = csv.writer(f)
            rows.writerow(["", *names])
            rows.writerows([name, *(f"{d:.6f}" for d in r)] for name, r in zip(names, distances))
        pictures.plot_matrix(distances, names, threshold, figure)
        text += f": {table}, figure: {figure}"
    say(args, answer, text)


def cache(args: argparse.Namespace) -> None:
    """Where the cache of pixels and embeddings lies, and how large it is."""
    (place, size) = (printable(kept.place()), kept.size())
    text = f"{place}: {size / 1e6:,.1f} MB"
    if args.clear:
        kept.clear()
        text += ", now empty"
    say(args, {"directory": place, "bytes": size, "cleared": args.clear}, text)


def _later(module: str, answer: str) -> Callable[[argparse.Namespace], int | None]:
    """An answer of another module, which is imported when it is asked for."""
    return lambda args: getattr(import_module(f"pyimagesearch.inference.{module}"), answer)(args)


ANSWERS = {
    "compare": compare,
    "identify": _later("answers_gallery", "identify"),
    "search": find,
    "embed": _later("answers_gallery", "embed"),
    "evaluate": _later("evaluate", "evaluate"),
    "matrix": matrix,
    "export": _later("answers_export", "export"),
    "page": _later("page", "serve"),
    "cache": cache,
}
