"""Questions to a trained model.

Smaller distance = more alike. Two images are the same where it is below the model's threshold.
"97 % likely the same" is the chance of it if half of the pairs that are asked about are the same.
A SavedModel is a program: load none that you would not run.
"""

import argparse
import csv
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from pyimagesearch import config
from pyimagesearch.data import cache as kept
from pyimagesearch.data import images, listing, lists
from pyimagesearch.data.copies import groups_of_copies
from pyimagesearch.inference import gallery as galleries
from pyimagesearch.inference.model import ENCODER, FPIR, Answer, SiameseModel
from pyimagesearch.inference.settings import folder_of
from pyimagesearch.system import terminal
from pyimagesearch.system.files import check_writable, whole_file
from pyimagesearch.system.terminal import InputError, counted, first_line, printable

VERDICT = {True: "same", False: "different"}
CHECKED = 64  # images of noise that an exported file is tried on
MOST_OF_MATRIX = 5_000  # images
COPIES = (64, 64, 3)  # the shape in which near copies are looked for


def load(args: argparse.Namespace, lite: bool = True) -> SiameseModel:
    """The model; lite: run by LiteRT where that and encoder.tflite beside the model are there."""
    model = None
    try:
        model = SiameseModel(args.model, lite=True) if lite else None
    except InputError:  # of the model itself
        raise
    except ImportError:  # no LiteRT, or no exported file: of that nothing is said
        pass
    except Exception as error:  # a damaged file makes LiteRT raise nearly anything
        why = printable(first_line(error))
        terminal.say(f"{ENCODER} is not used ({why}): TensorFlow is; export it again")
    if model is None:
        terminal.setup(args.json)
        model = SiameseModel(args.model)
    if getattr(args, "fmr", None) is not None:
        model.threshold = model.threshold_for(args.fmr)
    terminal.say(f"images are read {images.described(model.image_shape)}, as the model wants")
    return model


def output(args: argparse.Namespace, name: str, *endings: str) -> str | None:
    """The file that is written, --output or `name` beside the model; a program must ask for one.

    Raises InputError where it cannot be, or has another ending; without endings it is a picture.
    """
    path = args.output or (None if args.json else os.path.join(folder_of(args.model or ""), name))
    if path and not endings:
        from pyimagesearch.evaluation import pictures  # matplotlib takes its time

        pictures.check_output(path)
    elif path and not path.lower().endswith(endings):
        wanted = f"--output with a file that ends with {' or '.join(endings)}"
        raise InputError(wanted, printable(path))
    elif path:
        check_writable(os.path.dirname(path) or ".")
    return path


def say(args: argparse.Namespace, answer: dict[str, Any], *lines: str) -> None:
    """Print the answer: with --json the dict, on one line, else the lines, one for each name."""
    shown = [terminal.UNPRINTABLE.sub("?", line) for line in lines]
    print(json.dumps(answer) if args.json else "\n".join(shown), flush=True)


def in_words(found: Answer) -> tuple[str, str]:
    """What is known of two images: "97 %", of an older model the similarity; and at length."""
    distance = f"distance {found['distance']:.4f}"
    if "threshold" in found:
        distance += f" {'<' if found['same'] else '>='} threshold {found['threshold']:.4f}"
    if "probability" not in found:
        short = f"{found['similarity']:.3f}"
        return short, f"{distance}, similarity {short}"
    percent = 100 * found["probability"]
    short = ">99 %" if percent > 99 else "<1 %" if percent < 1 else f"{percent:.0f} %"
    return short, f"{distance}, {short} likely the same, where half of the pairs are"


def row(found: Answer) -> str:
    """A distance, how likely and, where it is known, the verdict, as columns of a table."""
    verdict = f"  {VERDICT[found.same]:9}" if "same" in found else ""
    return f"{found.distance:.4f}  {in_words(found)[0]:>5}{verdict}"


def compare(args: argparse.Namespace) -> None:
    """Are images A and B the same? Exit code 0 same, 1 different, 2 any failure.

    With --pairs the same of many pairs, a line each.
    """
    if len(args.images) != (0 if args.pairs else 2):
        raise InputError("two images, or --pairs alone", counted(len(args.images), "image"))
    model = load(args)
    if args.pairs:
        return _compare_pairs(args, model)
    answer = model.compare(*args.images)
    say(args, answer, f"{in_words(answer)[1]}: {VERDICT[answer['same']]}")
    sys.exit(0 if answer["same"] else 1)


def _compare_pairs(args: argparse.Namespace, model: SiameseModel) -> None:
    listed = lists.rows_of(args.pairs, lists.PAIRS[:2])[1]
    folder = os.path.dirname(args.pairs)  # where paths begin
    named = (os.path.join(folder, line.cells[end]) for line in listed for end in "ab")
    files = list(dict.fromkeys(named))  # each is read once
    found = model.embed_kept(files)
    feats_of = {files[k]: feats for k, feats in zip(found.good, found.values)}
    unread = {files[k]: message for k, message in found.messages.items()}
    (pairs, faults, lines) = ([], [], [])
    for line in listed:
        try:
            names = line.named("a", "b")
            expected = bool(line.same()) if line.cells.get("same", "").strip() else None
            both = [os.path.join(folder, name) for name in names]
            if missing := [unread[file] for file in both if file in unread]:
                raise InputError(missing[0])
        except InputError as fault:
            faults.append({"line": line.number, "fault": str(fault)})
            lines.append(f"line {line.number} not compared: {fault}")
            continue
        (distance,) = model.distance([feats_of[file] for file in both])
        pair = Answer(zip("ab", names), line=line.number, expected=expected)
        pair.update(model.judge(distance))
        pairs.append(pair)
        wrong = "" if expected in (None, pair.same) else "  wrong"
        lines.append(f"{row(pair)}  {'  '.join(names)}{wrong}")
    same = sum(pair["same"] for pair in pairs)
    text = f"{counted(len(pairs), 'pair')} compared: {same} the same, {len(pairs) - same} different"
    summary: dict[str, Any] = {"compared": len(pairs), "same": same}
    if known := [pair for pair in pairs if pair["expected"] is not None]:
        summary |= {"known": len(known), "right": sum(x["expected"] == x["same"] for x in known)}
        text += "; of {known} whose answer is given {right} right".format(**summary)
    answer = {"pairs": pairs, "faults": faults, "summary": summary}
    say(args, {"threshold": model.threshold} | answer, *lines, text)
    if faults:
        received = f"{len(faults)} of {counted(len(lines), 'line')} without one, the first line "
        received += "{line}: {fault}".format(**faults[0])
        raise InputError(f"image pairs in {printable(args.pairs)}", received)


def sentence(answer: Answer) -> str:
    """What identify answers, in a sentence."""
    unknown = "unknown (too few images chose the thresholds)"
    rate = f"{100 * answer.fpir:g} %" if answer.fpir else unknown
    distance = f"distance {answer.candidates[0].distance:.4f}"
    limit = f"{'<' if answer.known else '>='} threshold {answer.threshold:.4f}"
    of = f"gallery of {counted(answer.gallery_size, 'image')}"
    return f"{answer.name if answer.known else 'unknown'}: {distance} {limit}, FPIR {rate}, {of}"


def identify(args: argparse.Namespace) -> None:
    """Who or what is this, or nobody known? A gallery has a subfolder for each person or thing.

    Exit code 0 known, 1 unknown, 2 any failure.
    """
    model = load(args)
    gallery = model.embed_folder(args.gallery, args.class_level)
    answer = model.identify(args.query, gallery, args.fpir, args.top)
    ranked = enumerate(answer.candidates, 1)
    lines = [f"{rank:3}  {row(one)}  {one.name}  {one.file}" for rank, one in ranked]
    say(args, answer, sentence(answer), *lines)
    sys.exit(0 if answer.known else 1)


def search(args: argparse.Namespace) -> None:
    """Which images of a folder are most like this one?"""
    figure = output(args, "search.png")
    model = load(args)
    gallery = model.embed_folder(args.directory, 0).without(figure)
    answer = model.search(args.query, gallery, args.top)
    lines = [f"{rank:3}  {row(one)}  {one.file}" for rank, one in enumerate(answer.results, 1)]
    say(args, answer, *lines)
    if figure:
        from pyimagesearch.evaluation import pictures

        shown = model.read([args.query, *(one.file for one in answer.results)])
        texts = ["asked about", *(f"{one.distance:.2f}" for one in answer.results)]
        same = [None, *(one.same for one in answer.results)]
        title = f"distance; same where it is < {answer.threshold:.2f}"
        pictures.plot_pairs([shown], texts, same, figure, title)
        terminal.say(f"figure: {printable(figure)}")


def embed(args: argparse.Namespace) -> None:
    """The embeddings of a folder, for other programs."""
    (shard, parts) = args.shard
    name = f"vectors-{shard}-of-{parts}.npz" if parts > 1 else "vectors.npz"
    file = output(args, name, ".npz", ".csv" if parts == 1 else ".npz")
    of_folder = args.directory is not None or parts > 1 or args.class_level
    if (args.directory is None and not args.merge) or (args.merge and of_folder):
        wanted = "a folder, perhaps with --shard or --class-level, or --merge PART.npz … alone"
        raise InputError(wanted, "both" if args.merge else "neither")
    if file and os.path.exists(file):
        start = np.fromfile(file, np.uint8, 64).tobytes()
        if start and not any(own in start for own in (b"name,class,model,", b"embeddings.npy")):
            raise InputError("a new --output, or what an earlier embed wrote", printable(file))
    if args.merge:
        found = galleries.merge(args.merge)
    else:
        found = load(args).embed_folder(args.directory, args.class_level, shard=args.shard)
    (count, size) = found.embeddings.shape
    kinds = f" of {counted(len({*found.classes}), 'class', 'es')}" if any(found.classes) else ""
    answer: dict[str, Any] = {"images": count, "embedding_dim": size, "model": found.model}
    if file:
        galleries.write(file, found)
        answer["file"] = file
    else:
        answer |= {"names": found.names, "classes": found.classes if kinds else None}
        answer["embeddings"] = found.embeddings.tolist()
    say(args, answer, f"{counted(count, 'image')}{kinds}, {size} numbers each: {file}")


def matrix(args: argparse.Namespace) -> None:
    """All distances of a folder, as CSV and figure."""
    if (args.output or "").lower().endswith(".csv"):
        args.output = f"{args.output[:-4]}.png"
    figure = output(args, "matrix.png")
    table = os.path.splitext(figure or "")[0] + ".csv"
    if figure and os.path.exists(table) and not os.path.exists(figure):  # it is no earlier one
        raise InputError("another --output: a table is written beside it", printable(table))
    model = load(args)
    found = model.embed_folder(args.directory, 0).without(figure)
    (feats, names, count) = (found.embeddings, found.names, len(found.names))
    if count > MOST_OF_MATRIX:
        raise InputError(f"at most {MOST_OF_MATRIX} images", count)
    distances = model.measure.output(model.measure.matrix(feats, feats))
    text = f"{count} x {count} distances"
    if figure:
        from pyimagesearch.evaluation import pictures

        pictures.plot_matrix(distances, list(map(printable, names)), model.threshold, figure)
        cells = [galleries.cell(printable(name)) for name in names]
        with whole_file(table) as new, open(new, "w", newline="", encoding="utf-8") as f:
            rows = csv.writer(f)
            rows.writerow(["", *cells])
            numbers = "%.6f " * count  # a row at once: one by one takes longer
            for name, row in zip(cells, distances):
                rows.writerow([name, *(numbers % tuple(row)).split()])
        text += f": {table}, figure: {figure}"
    answer: dict[str, Any] = {"files": names, "threshold": model.threshold}
    say(args, answer | {"distances": distances.tolist() if args.json else None}, text)


def evaluate(args: argparse.Namespace) -> None:
    """How good is the model on a folder of classes or of ready pairs, or on a list?

    A list is a CSV file with the columns path,label or a,b,same.
    """
    figure = output(args, "evaluate_worst.png")
    how = {x: getattr(args, x) for x in ("fmr", "class_level", "group_by", "calibrate", "force")}
    answer = load(args, lite=False).evaluate(args.directory, figure=figure, **how)
    say(args, answer, *answer.pop("report").splitlines())


def duplicates(args: argparse.Namespace) -> None:
    """Which images of a folder or a list are near copies: saved again, shrunk, cropped?

    With --model, which are of the same thing: nearer than its threshold for --fmr, by default that
    for 0.01, 0.1 or 1 %, the first it has. A group hangs together, not each near each other one.
    """
    if args.fmr is not None and not args.model:
        raise InputError("--fmr with --model", "it alone; pixels have no FMR")
    figure = output(args, "") if args.output else None
    alike = "near copies"
    is_folder = os.path.isdir(args.directory)
    plan = listing.find(args.directory, 0) if is_folder else lists.find_listed(args.directory)
    each = dict.fromkeys(os.path.join(plan.base, file.name) for file in plan.files)
    paths = [x for x in each if not figure or os.path.realpath(x) != os.path.realpath(figure)]
    if args.model:
        model = load(args)
        strictest = min(filter(None, model.operating_points.values()), default=model.threshold)
        if not (args.fmr or any(model.operating_points.values())):
            terminal.warn("the model has no strict threshold: groups hold more than copies")
        found = model.embed_kept(paths)
        limit = model.threshold if args.fmr else strictest
        groups = galleries.groups(found.values, model.measure, limit)
        alike = f"linked by distances below {limit:.3f}"
    else:
        found = kept.read_files("pixels", paths, COPIES)
        groups = groups_of_copies(found.values.reshape(-1, *COPIES))
    terminal.warn(f"skipped {message}" for message in found.messages.values())
    if not found.good:
        raise InputError("readable images", f"{printable(args.directory)} with none")
    named = [[paths[found.good[row]] for row in group] for group in groups]
    in_groups = f"{sum(map(len, named))} in {counted(len(named), 'group')}"
    text = f"{counted(len(found.good), 'image')}, {in_groups}, {alike}"
    lines = [f"{len(files)}: {'  '.join(files)}" for files in named]
    say(args, {"images": len(found.good), "groups": named}, *lines, text)
    if figure and named:
        from pyimagesearch.evaluation import pictures

        pairs = [(k, files[0], other) for k, files in enumerate(named, 1) for other in files[1:]]
        (numbers, *both) = zip(*pairs[: pictures.MOST_SHOWN])
        read = (kept.read_files("pixels", files, COPIES).values for files in both)
        pixels = [values.reshape(-1, *COPIES) for values in read]
        texts = [f"group {k}" for k in numbers]
        alike += "; each beside the first of its group"
        pictures.plot_pairs(pixels, texts, [None] * len(texts), figure, alike)
        terminal.say(f"figure of {len(texts)} of {len(pairs)} pairs: {printable(figure)}")
    elif figure:
        terminal.say("no figure: there is no group")


def export(args: argparse.Namespace) -> None:
    """The encoder as one file for programs without TensorFlow, with its settings inside."""
    model = load(args, lite=False)
    from pyimagesearch.inference.saving import export

    file = args.output = args.output or os.fspath(model.path.parent / f"encoder.{args.format}")
    output(args, file, f".{args.format}")
    tried = np.random.default_rng(0).integers(0, 256, (CHECKED, *model.image_shape), np.uint8)
    answer = export(model, file, tried) | {"file": file, "settings": f"{file}.json"}
    say(args, answer, f"{file}, settings inside and in {file}.json")


def page(args: argparse.Namespace) -> None:
    """A page in the browser: compare two images, say who or what it is."""
    if not args.gallery and (args.class_level or args.fpir != FPIR):
        raise InputError("--fpir and --class-level with --gallery", "them alone")
    from pyimagesearch.inference.page import serve

    serve(args)


def cache(args: argparse.Namespace) -> None:
    """Where the cache of pixels and embeddings lies, and how large it is."""
    (place, own) = (kept.place(), kept.OWN_FILES.removesuffix("*"))  # the journal comes and goes
    size = sum(path.stat().st_size for path in place.glob(own))
    if args.clear:
        kept.clear()
    text = f"{place}: {size / 1e6:,.1f} MB{', now empty' if args.clear else ''}"
    say(args, {"directory": str(place), "bytes": size, "cleared": args.clear}, text)


COMMANDS: dict[Callable[[argparse.Namespace], None], str] = {  # and an example of each
    compare: "a.jpg b.jpg", identify: "a.jpg people --top 3", search: "a.jpg photos --top 3",
    embed: "photos --output vectors.csv", evaluate: "photos --fmr 0.01",
    matrix: "photos --output matrix.png", duplicates: "photos --output copies.png",
    export: "--format tflite", page: "--gallery people", cache: "--clear",
}  # fmt: skip
SWITCH: dict[str, Any] = {"action": "store_true"}
ARGUMENTS: list[tuple[str, str, dict[str, Any], str | None]] = [  # commands, name, how, help
    ("compare", "images", {"nargs": "*", "metavar": "IMAGE"}, "two files, or none with --pairs"),
    ("identify search", "query", {}, "the image file that is asked about"),
    ("identify", "gallery", {}, "a folder with a subfolder for each person or thing"),
    ("embed", "directory", {"nargs": "?"}, "a folder of images"),
    ("search matrix", "directory", {}, "a folder of images"),
    ("duplicates", "directory", {}, "a folder of images, or a list: a CSV file, as for evaluate"),
    ("evaluate", "directory", {}, "a folder with a subfolder per class, of ready pairs, or a list"),
    ("compare", "--pairs", {"metavar": "LIST.csv"}, "a table with the columns a and b, two images, "
        "and same, 1 or 0, where the answer is known"),
    ("compare identify search embed evaluate matrix export page", "--model",
        {"metavar": "DIR", "default": config.MODEL_PATH}, f"its folder ({config.MODEL_PATH})"),
    ("duplicates", "--model", {"metavar": "DIR"}, "group by this model's distances, not by pixels"),
    ("compare search evaluate matrix page duplicates", "--fmr", {"type": float}, "take the "
        "threshold that calls so many of different pairs the same: 0.01 is one in 100"),
    ("identify page", "--fpir", {"type": terminal.share, "default": FPIR}, "take the threshold at "
        f"which so many strangers get a name; smaller is stricter ({FPIR}: one in 100)"),
    ("identify search", "--top", {"type": terminal.positive_int, "default": 5}, "how many (5)"),
    ("identify embed evaluate page", *terminal.CLASS_LEVEL),
    ("evaluate", *terminal.GROUP_BY),
    ("embed", "--shard", {"metavar": "K/N", "type": galleries.shard, "default": (1, 1)},
        "the Kth of N parts alone, as on one of N machines"),
    ("embed", "--merge", {"nargs": "+", "metavar": "PART.npz"}, "join the files of all parts"),
    ("embed", "--output", {}, "a file that ends with .npz or .csv (vectors.npz beside the model)"),
    ("search evaluate", "--output", {}, "the figure's file (beside the model)"),
    ("matrix", "--output", {}, "FILE.png or FILE.csv: it writes both (beside the model)"),
    ("duplicates", "--output", {}, "the file of a figure (none)"),
    ("evaluate", "--calibrate", SWITCH, "choose and store new thresholds by half of the images"),
    ("evaluate", "--force", SWITCH, "let --calibrate store what few images, or a guess, say"),
    ("export", "--format", {"choices": ("tflite", "onnx"), "required": True}, "for LiteRT or ONNX"),
    ("export", "--output", {}, "the file (beside the model, where compare finds encoder.tflite)"),
    ("page", "--gallery", {"metavar": "DIR"}, "a folder in which the page looks for an image"),
    ("page", "--host", {"default": "127.0.0.1"}, "address to serve at (127.0.0.1: this machine)"),
    ("page", "--port", {"type": int, "default": 7860}, "port to serve at (7860; 0: any free one)"),
    ("cache", "--clear", SWITCH, "delete all that it holds"),
]  # fmt: skip


def main() -> None:
    """Answer the question that the program's words ask; terminal.run runs this."""
    parser = terminal.Parser(description=__doc__, parents=[terminal.VERSION])
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for answer, example in COMMANDS.items():
        (name, question) = (answer.__name__, answer.__doc__ or "")
        texts: Any = {"description": question, "help": question.splitlines()[0]}
        texts["epilog"] = f"example: python -m pyimagesearch {name} {example}"
        sub = subparsers.add_parser(name, parents=[terminal.VERSION], allow_abbrev=False, **texts)
        sub.set_defaults(run=answer)
        everywhere = sub.add_argument_group("of all commands")
        everywhere.add_argument("--json", action="store_true", help="print JSON for programs")
        for commands, flag, how, text in ARGUMENTS:
            if name in commands.split():
                (everywhere if flag == "--model" else sub).add_argument(flag, help=text, **how)
    args = parser.parse_args()
    # TensorFlow, which takes seconds, is imported where an answer needs it
    terminal.setup(program_output=args.json, keras=False)
    args.run(args)
