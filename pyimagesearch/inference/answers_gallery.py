"""The answers to identify and embed, which read a folder as a gallery."""

import argparse
import os

import numpy as np

from pyimagesearch import config
from pyimagesearch.inference import shards, vectors
from pyimagesearch.inference.answering import asked, note, say
from pyimagesearch.inference.galleries import embed_folder, same_file
from pyimagesearch.inference.identify import Identification
from pyimagesearch.inference.identify import identify as nearest_classes
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import check_writable
from pyimagesearch.system.errors import printable


def identify(args: argparse.Namespace) -> int:
    """Who or what a query is. Returns 0 where it is known, 1 where not."""
    (model, _) = asked(args)
    query = model.embed(model.read([args.query]))  # before a large gallery is read
    gallery = embed_folder(model, args.gallery, args.class_level, without=[args.query])
    if gallery.classes is None:
        raise InputError(
            "Expected a gallery with a subfolder for each person or thing. Received: "
            f"{printable(args.gallery)}, whose {len(gallery.names)} images lie in none."
        )
    (class_names, labels) = np.unique(gallery.classes, return_inverse=True)
    shown = [printable(name) for name in class_names]
    (found,) = nearest_classes(model, query, gallery.embeddings, labels, shown, args.fpir, args.top)
    calibration = model.settings.get("identification")
    new = calibration.get("new_classes") if isinstance(calibration, dict) else None
    if found.limit.fpir is not None and new is False:
        note(
            [
                "the FPIR is that of classes which were trained on; those which are new to the "
                "model may be taken for known ones more often"
            ]
        )
    answer = found.as_dict() | {"classes": len(shown), "images": len(labels), "new_classes": new}
    for candidate in answer["candidates"]:
        candidate["file"] = printable(os.path.join(args.gallery, gallery.names[candidate["image"]]))
        candidate["similarity"] = float(
            model.similarity(candidate["distance"], found.limit.threshold)
        )
        del candidate["image"]
    lines = [_sentence(found)]
    lines += [
        f"{rank:3}  {c['distance']:.4f}  {c['similarity']:.3f}  {c['name']}  {c['file']}"
        for rank, c in enumerate(answer["candidates"], 1)
    ]
    say(args, answer, "\n".join(lines))
    return 0 if found.known else 1


def embed(args: argparse.Namespace) -> None:
    """The embeddings of a folder, in a file; where a program asks without naming one, as JSON.

    With --shard those of a part of the folder; with --merge the parts made one, without a model.
    """
    output = args.output
    shard = None if args.shard is None else shards.parse(args.shard)
    if (args.directory is None) != bool(args.merge) or (args.merge and shard):
        raise InputError(
            "Expected a folder, perhaps with --shard K/N, or --merge PART.npz …. "
            f"Received: {'more than one' if args.merge else 'none'} of these."
        )
    if shard and not str(output).lower().endswith(".npz"):
        raise InputError(
            "Expected --output PART.npz with --shard, a file for each part, which --merge reads. "
            f"Received: {printable(output) if output else 'none'}."
        )
    if output is None and not args.json:
        output = os.path.join(config.BASE_OUTPUT, "vectors.npz")
    if output is not None:
        vectors.check(output)
        check_writable(os.path.dirname(output) or ".")
        if any(same_file(output, part) for part in args.merge or ()):
            raise InputError(
                "Expected --output beside the parts, which stay. "
                f"Received: {printable(output)}, one of them."
            )
    if args.merge:
        found = shards.merge(args.merge)
    else:
        found = embed_folder(asked(args)[0], args.directory, args.class_level, shard=shard)
    (count, size) = found.embeddings.shape
    answer = {"images": count, "embedding_dim": size, "model": found.model}
    if output is None:
        names = [printable(name) for name in found.names]
        classes = None if found.classes is None else [printable(name) for name in found.classes]
        answer |= {"names": names, "classes": classes, "embeddings": found.embeddings.tolist()}
    else:
        vectors.write(
            output, found.embeddings, found.names, found.classes, found.model, found.shard
        )
        answer["file"] = printable(output)
    kinds = "" if found.classes is None else f" of {len(set(found.classes))} classes"
    say(args, answer, f"{count} images{kinds}, {size} numbers each: {answer.get('file')}")


def _sentence(found: Identification) -> str:
    (nearest, limit) = (found.candidates[0], found.limit)
    rate = "FPIR unknown" if limit.fpir is None else f"FPIR {100 * limit.fpir:g} %"
    sign = "<" if found.known else ">="
    known = f"threshold {limit.threshold:.4f}, {rate}, gallery of {limit.gallery_size}"
    return f"{found.name or 'unknown'}: distance {nearest.distance:.4f} {sign} {known}"
