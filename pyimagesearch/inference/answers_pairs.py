"""The answer to compare --pairs: a line for each pair of a list, and how many are right."""

import argparse
import os
from typing import Any

import numpy as np

from pyimagesearch.data.images import read_images
from pyimagesearch.data.sets import BLOCK_BYTES
from pyimagesearch.evaluation.intervals import of_pairs
from pyimagesearch.inference import pair_lists
from pyimagesearch.inference.answering import asked, say, verdict
from pyimagesearch.inference.model import TrainedModel
from pyimagesearch.inference.pair_lists import Line, PairList
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.names import printable


def compare_pairs(args: argparse.Namespace) -> int:
    """Distance and verdict of each pair of a list. Returns 0 where all could be compared.

    Raises InputError, after the answer is printed, where some could not.
    """
    pairs = pair_lists.read(args.pairs)
    (model, threshold) = asked(args)
    (embeddings, row_of, unreadable) = _embed(model, pairs)

    faults = dict(pairs.faults)
    (good, rows) = ([], [])
    for line in pairs.lines:
        bad = [unreadable[name] for name in dict.fromkeys((line.a, line.b)) if name in unreadable]
        if bad:
            faults[line.number] = "; ".join(bad)
        else:
            good.append(line)
            rows.append((row_of[line.a], row_of[line.b]))
    ends = np.array(rows, int).reshape(-1, 2)
    distances = model.distance([embeddings[ends[:, 0]], embeddings[ends[:, 1]]])
    answered: list[dict[str, Any]] = [
        {
            "line": line.number,
            "a": printable(line.a),
            "b": printable(line.b),
            "distance": float(distance),
            "similarity": float(model.similarity(distance, threshold)),
            "same": bool(model.is_same(distance, threshold)),
            "expected": line.same,
        }
        for line, distance in zip(good, distances)
    ]
    (summary, sentence) = _summary(good, ends, model.is_same(distances, threshold))
    answer = {
        "threshold": threshold,
        "pairs": answered,
        "faults": [{"line": k, "fault": fault} for k, fault in sorted(faults.items())],
        "summary": summary,
    }
    lines = {pair["line"]: _text(pair) for pair in answered}
    lines |= {k: f"line {k} not compared: {fault}" for k, fault in faults.items()}
    say(args, answer, "\n".join([*(lines[k] for k in sorted(lines)), sentence]))
    if faults:
        named = "; ".join(f"line {k}: {fault}" for k, fault in sorted(faults.items())[:3])
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise InputError(
            f"Expected a pair of images on each line of {printable(args.pairs)}. "
            f"Received: {len(faults)} of {len(lines)} that are none: {named}{more}."
        )
    return 0


def _embed(
    model: TrainedModel, pairs: PairList
) -> tuple[np.ndarray, dict[str, int], dict[str, str]]:
    """Embeddings (N, D) of the files that can be read, the row of each, what the others lack."""
    parts = [np.zeros((0, model.embedding_dim), np.float32)]
    row_of: dict[str, int] = {}
    unreadable: dict[str, str] = {}
    names = pairs.files()
    size = max(BLOCK_BYTES // int(np.prod(model.image_shape)), 1)
    for start in range(0, len(names), size):
        path_of = {name: os.path.join(pairs.folder, name) for name in names[start : start + size]}
        (good, pixels, messages) = read_images(path_of.values(), model.image_shape)
        (read, unread) = (set(good), [])
        for name, path in path_of.items():  # both lists are in this order
            if path in read:
                row_of[name] = len(row_of)
            else:
                unread.append(name)
        unreadable |= dict(zip(unread, messages))
        parts.append(model.embed(pixels))
    return np.concatenate(parts), row_of, unreadable


def _summary(lines: list[Line], ends: np.ndarray, same: np.ndarray) -> tuple[dict[str, Any], str]:
    """How many are the same, and how many right where that is known: for JSON, and in words.

    ends: int (B, 2), which files; the interval counts these. same: bool (B,), the verdicts.
    """
    (found, total) = (int(same.sum()), len(lines))
    summary: dict[str, Any] = {"compared": total, "same": found, "different": total - found}
    sentence = f"{total} pairs compared: {found} the same, {total - found} different"
    known = np.array([line.same is not None for line in lines], bool)
    if known.any():
        expected = np.array([line.same for line in lines])[known].astype(bool)
        right = of_pairs(same[known] == expected, ends[known])
        summary |= {"known": int(known.sum()), "right": right.as_dict()}
        sentence += f"; of {known.sum()} whose answer is given {right.percent()} right"
    return summary, sentence


def _text(pair: dict[str, Any]) -> str:
    text = f"{pair['distance']:.4f}  {pair['similarity']:.3f}  {verdict(pair['same']):9}"
    wrong = pair["expected"] not in (None, pair["same"])
    return f"{text}  {pair['a']}  {pair['b']}{'  wrong' if wrong else ''}"
