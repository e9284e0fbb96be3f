"""The answers to the questions of commands.py, printed as text or as JSON."""

import argparse
import csv
import json
import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch import config
from pyimagesearch.data import cache as kept
from pyimagesearch.data import images, listing, lists
from pyimagesearch.evaluation.distances import MATRICES
from pyimagesearch.evaluation.intervals import of_pairs
from pyimagesearch.inference import gallery as galleries
from pyimagesearch.inference.gallery import Gallery
from pyimagesearch.inference.identify import identify as nearest_classes
from pyimagesearch.inference.lite_model import ENCODER
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.system import terminal
from pyimagesearch.system.errors import InputError, first_line, printable
from pyimagesearch.system.files import check_writable, whole_file

log = logging.getLogger(__name__)

VERDICT = {True: "same", False: "different"}
CHECKED = 64  # images of each kind that an exported file is tried on


def load(args: argparse.Namespace, lite: bool = True) -> tuple[SiameseModel, float]:
    """The model, and the threshold for --fmr where the command has that flag.

    lite: without TensorFlow where encoder.tflite lies beside the model and ai-edge-litert is
    installed. Where the file cannot be used that is said, and TensorFlow is used.
    """
    model = None
    file = Path(os.path.realpath(args.model)).parent / ENCODER
    if lite and file.is_file() and find_spec("ai_edge_litert"):
        try:
            model = SiameseModel(args.model, lite=True)
        except InputError:  # of the model itself
            raise
        except (ValueError, LookupError, OSError, RuntimeError, TypeError, AttributeError,
                ImportError) as error:  # fmt: skip
            why = printable(first_line(error))
            log.info("%s is not used (%s): TensorFlow is; export it again", printable(file), why)
    if model is None:
        terminal.setup(args.json)
        model = SiameseModel(args.model)
    fmr = getattr(args, "fmr", None)
    threshold = model.threshold if fmr is None else model.threshold_for(fmr)
    log.info("images are read %s, as the model wants", images.described(model.image_shape))
    return model, threshold


def picture(args: argparse.Namespace) -> str | None:
    """The figure's file; None where a program asks, which names one if it wants it."""
    if args.json and not args.output:
        return None
    from pyimagesearch.evaluation import pictures  # matplotlib takes its time

    path = args.output or args.picture
    pictures.check_output(path)
    return path


def say(args: argparse.Namespace, answer: dict[str, Any], text: str) -> None:
    """Print the answer: with --json the dict, on one line, else the text."""
    print(json.dumps(answer) if args.json else text, flush=True)


def row(found: dict[str, Any]) -> str:
    """A distance, its similarity and, where it is known, the verdict, as columns of a table."""
    verdict = f"  {VERDICT[found['same']]:9}" if "same" in found else ""
    return f"{found['distance']:.4f}  {found['similarity']:.3f}{verdict}"


def compare(args: argparse.Namespace) -> None:
    """Distance and verdict of two images. Ends with code 0 for same, 1 for different.

    With --pairs those of many: see compare_pairs.
    """
    count = 2 - (args.a, args.b).count(None)
    if count != (0 if args.pairs else 2):
        received = f"{count} images{' and --pairs' if args.pairs else ''}"
        raise InputError(f"Expected two images, or --pairs LIST.csv. Received: {received}.")
    if args.pairs:
        return compare_pairs(args)
    (model, threshold) = load(args)
    feats = model.embed(model.read([args.a, args.b]))
    answer = model.judge(model.distance([feats[:1], feats[1:]])[0], threshold)
    text = "distance {distance:.4f}, similarity {similarity:.3f}: ".format(**answer)
    text += VERDICT[answer["same"]]
    print(json.dumps(answer | {"threshold": threshold}) if args.json else text, flush=True)
    sys.exit(0 if answer["same"] else 1)


def compare_pairs(args: argparse.Namespace) -> None:
    """Distance and verdict of each pair of a list, a CSV file with the columns a, b and same.

    Paths begin at the file's folder; same may be missing or empty.
    Raises InputError, after the answer is printed, where some lines are no pair of images.
    """
    pairs: list[dict[str, Any]] = []
    faults: dict[int, str] = {}  # what is wrong, by the numbers of the lines
    for line in lists.rows_of(args.pairs, lists.PAIRS[:2])[1]:
        try:
            (a, b) = line.named("a", "b")
            expected = bool(line.same()) if line.cells.get("same", "").strip() else None
            pairs.append({"line": line.number, "a": a, "b": b, "expected": expected})
        except InputError as fault:
            faults[line.number] = str(fault)
    shown = printable(args.pairs)
    (model, threshold) = load(args)
    folder = os.path.dirname(args.pairs)
    for pair in pairs:
        pair["paths"] = [os.path.join(folder, pair[end]) for end in "ab"]
    paths = list(dict.fromkeys(path for pair in pairs for path in pair["paths"]))
    (good, embeddings, _, messages, _) = kept.read_files(
        f"embeddings {model.digest}", paths, model.image_shape, model.embed, np.float32
    )
    place = {paths[k]: row for row, k in enumerate(good)}
    unread = {paths[k]: message for k, message in messages.items()}
    (lines, compared, ends) = ({}, [], [])
    for pair in pairs:
        both = pair.pop("paths")
        if bad := [unread[path] for path in dict.fromkeys(both) if path in unread]:
            faults[pair["line"]] = "; ".join(bad)
            continue
        ends.append([place[path] for path in both])
        (distance,) = model.distance([embeddings[[k]] for k in ends[-1]])
        pair |= model.judge(distance, threshold) | {end: printable(pair[end]) for end in "ab"}
        wrong = "  wrong" if pair["expected"] not in (None, pair["same"]) else ""
        lines[pair["line"]] = f"{row(pair)}  {pair['a']}  {pair['b']}{wrong}"
        compared.append(pair)
    lines |= {number: f"line {number} not compared: {fault}" for number, fault in faults.items()}
    same = sum(pair["same"] for pair in compared)
    summary = {"compared": len(compared), "same": same, "different": len(compared) - same}
    sentence = f"{len(compared)} pairs compared: {same} the same, {len(compared) - same} different"
    if known := [k for k, pair in enumerate(compared) if pair["expected"] is not None]:
        right = np.array([compared[k]["same"] == compared[k]["expected"] for k in known])
        figure = of_pairs(right, np.array(ends)[known])  # its interval counts images
        summary |= {"known": len(known), "right": figure.as_dict()}
        sentence += f"; of {len(known)} whose answer is given {figure.percent()} right"
    bad_lines = [{"line": number, "fault": faults[number]} for number in sorted(faults)]
    answer = {"threshold": threshold, "pairs": compared, "faults": bad_lines, "summary": summary}
    say(args, answer, "\n".join([*(lines[number] for number in sorted(lines)), sentence]))
    if faults:
        first = min(faults)
        raise InputError(
            f"Expected a pair of images on each line of {shown}. Received: {len(faults)} of "
            f"{len(lines)} that are none, the first on line {first}: {faults[first]}."
        )


def identified(
    model: SiameseModel, gallery: Gallery, feats: np.ndarray, fpir: float, top: int
) -> dict[str, Any]:
    """Which class of a gallery an image is of, for JSON. feats: (1, D).

    "sentence" says it; a candidate's "image" is a row of the gallery.
    """
    (names, labels) = np.unique(np.array(gallery.classes), return_inverse=True)
    shown = [printable(name) for name in names]
    answer = nearest_classes(model, feats[0], gallery.embeddings, labels, shown, fpir, top)
    calibration = model.settings.get("identification")
    new = calibration.get("new_classes") if isinstance(calibration, dict) else None
    if answer["fpir"] is not None and new is False:
        log.info("the FPIR is of classes that were trained on; of new ones it may be higher")
    answer |= {"classes": len(shown), "images": len(labels), "new_classes": new}
    threshold = answer["threshold"]
    for candidate in answer["candidates"]:
        candidate["similarity"] = model.judge(candidate["distance"], threshold)["similarity"]
    rate = "FPIR unknown" if answer["fpir"] is None else f"FPIR {100 * answer['fpir']:g} %"
    distance = f"distance {answer['candidates'][0]['distance']:.4f}"
    limit = f"{'<' if answer['known'] else '>='} threshold {threshold:.4f}"
    of = f"gallery of {answer['gallery_size']}"
    return answer | {"sentence": f"{answer['name'] or 'unknown'}: {distance} {limit}, {rate}, {of}"}


def identify(args: argparse.Namespace) -> None:
    """Who or what a query is. Ends with code 0 where it is known, 1 where not."""
    (model, _) = load(args)
    query = model.embed(model.read([args.query]))  # before a large gallery is read
    gallery = galleries.embed_folder(model, args.gallery, args.class_level, [args.query])
    if gallery.classes is None:
        raise InputError(
            "Expected a gallery with a subfolder for each person or thing. Received: "
            f"{printable(args.gallery)}, whose {len(gallery.names)} images lie in none."
        )
    answer = identified(model, gallery, query, args.fpir, args.top)
    lines = [answer.pop("sentence")]
    for rank, c in enumerate(answer["candidates"], 1):
        c["file"] = printable(os.path.join(args.gallery, gallery.names[c.pop("image")]))
        lines.append(f"{rank:3}  {row(c)}  {c['name']}  {c['file']}")
    say(args, answer, "\n".join(lines))
    sys.exit(0 if answer["known"] else 1)


def search(args: argparse.Namespace) -> None:
    """The images of a folder most like a query."""
    figure = picture(args)
    (model, threshold) = load(args)
    query = model.read([args.query])
    without = [args.query, figure]
    gallery = galleries.embed_folder(model, args.directory, without=without, classes=False)
    feats = model.embed(query)[0]
    (found, distances) = galleries.most_like(model, feats, gallery.embeddings, args.top)
    files = [os.path.join(args.directory, gallery.names[k]) for k in found]
    results = [
        {"file": printable(file)} | model.judge(distance, threshold)
        for file, distance in zip(files, distances)
    ]
    lines = [f"{rank:3}  {row(r)}  {r['file']}" for rank, r in enumerate(results, 1)]
    say(args, {"threshold": threshold, "results": results}, "\n".join(lines))
    if figure:
        from pyimagesearch.evaluation import pictures

        queries = query.repeat(len(files), axis=0)
        pictures.plot_verdicts(queries, model.read(files), distances, threshold, figure)
        log.info("figure: %s", printable(figure))


def embed(args: argparse.Namespace) -> None:
    """The embeddings of a folder, in a file; where a program asks without naming one, as JSON.

    With --shard those of a part of the folder; with --merge the parts made one, without a model.
    """
    output = args.output
    shard = None if args.shard is None else galleries.parse_shard(args.shard)
    if (args.directory is None) != bool(args.merge) or (args.merge and shard):
        received = "more than one" if args.merge else "none"
        wanted = "Expected a folder, perhaps with --shard K/N, or --merge PART.npz …."
        raise InputError(f"{wanted} Received: {received} of these.")
    if shard and not str(output).lower().endswith(".npz"):
        wanted = "Expected --output PART.npz with --shard, a file for each part."
        raise InputError(f"{wanted} Received: {printable(output) if output else 'none'}.")
    if output is None and not args.json:
        output = os.path.join(config.BASE_OUTPUT, "vectors.npz")
    if output is not None:
        galleries.check(output, args.merge or ())
    if args.merge:
        found = galleries.merge(args.merge)
    else:
        (model, _) = load(args)
        found = galleries.embed_folder(model, args.directory, args.class_level, shard=shard)
    (count, size) = found.embeddings.shape
    answer = {"images": count, "embedding_dim": size, "model": found.model}
    if output is None:
        names = [printable(name) for name in found.names]
        classes = None if found.classes is None else [printable(name) for name in found.classes]
        answer |= {"names": names, "classes": classes, "embeddings": found.embeddings.tolist()}
    else:
        galleries.write(output, found)
        answer["file"] = printable(output)
    kinds = "" if found.classes is None else f" of {len(set(found.classes))} classes"
    say(args, answer, f"{count} images{kinds}, {size} numbers each: {answer.get('file')}")


def matrix(args: argparse.Namespace) -> None:
    """All distances of a folder: a table beside the figure, or JSON."""
    figure = picture(args)
    (model, threshold) = load(args)
    gallery = galleries.embed_folder(model, args.directory, without=[figure], classes=False)
    feats = gallery.embeddings
    if len(feats) > 5000:
        raise InputError(f"Expected at most 5,000 images for a matrix. Received: {len(feats)}.")
    distance = MATRICES.get(str(model.settings.get("distance")))
    if distance is None or model.settings.get("head", "none") != "none":
        distances = np.stack([model.distance_to_all(one, feats) for one in feats])
    else:  # in one product of matrices
        distances = distance(feats, feats)
    names = [printable(name) for name in gallery.names]
    answer = {"files": names, "threshold": threshold}
    if args.json:
        found = model.judge(distances, threshold)
        answer |= {"distances": found["distance"], "similarities": found["similarity"]}
    text = f"{len(names)} x {len(names)} distances"
    if figure:
        from pyimagesearch.evaluation import pictures

        table = os.path.splitext(figure)[0] + ".csv"
        cells = [galleries.cell(name) for name in names]
        with whole_file(table) as new, open(new, "w", newline="", encoding="utf-8") as f:
            rows = csv.writer(f)
            rows.writerow(["", *cells])
            rows.writerows([name, *(f"{d:.6f}" for d in r)] for name, r in zip(cells, distances))
        pictures.plot_matrix(distances, names, threshold, figure)
        text += f": {printable(table)}, figure: {printable(figure)}"
    say(args, answer, text)


def export_encoder(args: argparse.Namespace) -> None:
    """Write the encoder of a model as .tflite or .onnx, with its settings beside it."""
    (model, _) = load(args, lite=False)
    from pyimagesearch.inference.export import export

    output = args.output or os.fspath(model.path.parent / f"encoder.{args.format}")
    if not output.endswith(f".{args.format}"):
        received = f"Received: {printable(output)}."
        raise InputError(f"Expected a file that ends with .{args.format}. {received}")
    check_writable(os.path.dirname(output) or ".")
    shape = model.image_shape
    tried = np.random.default_rng(0).integers(0, 256, (CHECKED, *shape), np.uint8)
    if args.images is None:
        log.info("the file is tried on noise; --images DIR tries it on your images, too")
    else:
        (_, pixels, bad) = images.read_images(listing.list_images(args.images)[:CHECKED], shape)
        listing.say(f"skipped {message}" for message in bad)
        tried = np.concatenate([tried, pixels])
    done = export(model, output, tried)
    answer = {"file": printable(output), "settings": printable(f"{output}.json")}
    answer |= {name: done[name] for name in ("difference", "images_checked")}
    say(args, answer, f"{answer['file']}, settings: {answer['settings']}")


def evaluate(args: argparse.Namespace) -> None:
    """Figures on a folder, whether the threshold suits it, or a new one."""
    terminal.setup(args.json)
    from pyimagesearch.inference.evaluate import evaluate

    evaluate(args)


def page(args: argparse.Namespace) -> None:
    """A page in the browser."""
    from pyimagesearch.inference.page import serve

    serve(args)


def cache(args: argparse.Namespace) -> None:
    """Where the cache of pixels and embeddings lies, and how large it is."""
    (place, size) = (printable(kept.place()), kept.size())
    text = f"{place}: {size / 1e6:,.1f} MB"
    if args.clear:
        kept.clear()
        text += ", now empty"
    say(args, {"directory": place, "bytes": size, "cleared": args.clear}, text)
