"""Questions to a trained model.

Smaller distance = more alike; the similarity runs from 1 (distance 0) over 0.5 (at the
threshold) towards 0; of a cosine distance it is 1 - angle / 180 degrees.
A SavedModel is a program: load none that you would not run.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial

from pyimagesearch import config
from pyimagesearch.inference import answers
from pyimagesearch.system import flags, terminal

COMMANDS = {  # the answer, and what is asked
    "compare": (
        answers.compare,
        "Are images A and B the same? Exit code 0 same, 1 different, 2 any failure. With --pairs "
        "the same of many pairs, a line each",
    ),
    "identify": (
        answers.identify,
        "Who or what is this, or nobody known? A gallery has a subfolder for each person or "
        "thing. Exit code 0 known, 1 unknown, 2 any failure",
    ),
    "search": (answers.search, "Which images of a folder are most like this one?"),
    "embed": (answers.embed, "The embeddings of a folder, for other programs"),
    "evaluate": (
        answers.evaluate,
        "How good is the model on a folder of classes or of ready pairs, or on a list, LIST.csv "
        "with the columns path,label or a,b,same?",
    ),
    "matrix": (answers.matrix, "All distances of a folder, as CSV and figure"),
    "export": (answers.export_encoder, "The encoder as a file for programs without TensorFlow"),
    "page": (answers.page, "A page in the browser: compare two images, say who or what it is"),
    "cache": (answers.cache, "Where the cache of pixels and embeddings lies, and how large it is"),
}
PICTURES = {"search": "search.png", "evaluate": "evaluate_worst.png", "matrix": "matrix.png"}


def main(argv: Sequence[str] | None = None) -> None:
    """Answer one question and end the program; argv: its words, by default the program's own."""
    parser = _parser()
    args = parser.parse_args(argv)
    # TensorFlow, which takes seconds, is imported where an answer needs it
    terminal.setup(program_output=args.json, keras=False)
    terminal.run(partial(args.run, args), parser.prog)


def _parser() -> argparse.ArgumentParser:
    name = os.path.basename(sys.argv[0])
    ap = flags.Parser(
        prog="python -m pyimagesearch" if name == "__main__.py" else name,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = ap.add_subparsers(required=True, metavar="COMMAND")
    subs = {}
    for name, (answer, text) in COMMANDS.items():
        sub = subs[name] = commands.add_parser(name, description=text, help=text)
        sub.set_defaults(run=answer)
        sub.add_argument("--json", action="store_true", help="print JSON for programs")
        if name != "cache":
            sub.add_argument("--model", default=config.MODEL_PATH, help=f"({config.MODEL_PATH})")
        if name in ("compare", "search", "evaluate", "matrix", "page"):
            sub.add_argument("--fmr", type=float, help="use the threshold stored for this rate")
        if name in PICTURES:
            default = os.path.join(config.BASE_OUTPUT, PICTURES[name])
            sub.add_argument("--output", help=f"the figure's file ({default}; with --json none)")
            sub.set_defaults(picture=default)
        if name in ("identify", "page"):
            text = "the false positive identification rate that the threshold holds (0.01)"
            sub.add_argument("--fpir", type=_share, default=0.01, help=text)
        if name in ("identify", "embed", "evaluate", "page"):
            flags.of_folders(sub, groups=name == "evaluate")

    subs["compare"].add_argument("a", nargs="?")
    subs["compare"].add_argument("b", nargs="?")
    text = "a CSV file with the columns a and b, paths from its folder on, and same (1 or 0)"
    subs["compare"].add_argument("--pairs", metavar="LIST.csv", help=text)
    for name, folder in (("identify", "gallery"), ("search", "directory")):
        subs[name].add_argument("query")
        subs[name].add_argument(folder)
        subs[name].add_argument("--top", type=flags.positive_int, default=5, help="how many (5)")
    subs["embed"].add_argument("directory", nargs="?")
    text = "the Kth of N parts of the folder alone, into a file that --merge reads"
    subs["embed"].add_argument("--shard", metavar="K/N", help=text)
    text = "no folder, but all parts that --shard has written, made one"
    subs["embed"].add_argument("--merge", nargs="+", metavar="PART.npz", help=text)
    default = os.path.join(config.BASE_OUTPUT, "vectors.npz")
    text = f"ends with .npz, .csv or .parquet ({default}; with --json none)"
    subs["embed"].add_argument("--output", help=text)
    subs["evaluate"].add_argument("directory")
    text = "choose and store new thresholds"
    subs["evaluate"].add_argument("--calibrate", action="store_true", help=text)
    text = "--calibrate even by fewer images than the model's thresholds rest on"
    subs["evaluate"].add_argument("--force", action="store_true", help=text)
    subs["matrix"].add_argument("directory")
    subs["export"].add_argument("--format", choices=("tflite", "onnx"), required=True)
    text = "the file (encoder.tflite or .onnx beside the model, where compare finds the first)"
    subs["export"].add_argument("--output", help=text)
    subs["export"].add_argument("--images", metavar="DIR", help="images that the file is tried on")
    text = "a folder that images are looked for in, with a subfolder for each person or thing"
    subs["page"].add_argument("--gallery", metavar="DIR", help=text)
    subs["page"].add_argument("--host", default="127.0.0.1", help="(127.0.0.1: this machine alone)")
    subs["page"].add_argument("--port", type=int, default=7860, help="(7860; 0: any free one)")
    subs["cache"].add_argument("--clear", action="store_true", help="empty it")
    return ap


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, received {text!r}")
    return value
