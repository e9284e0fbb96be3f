"""Questions to a trained model.

  compare A B             are these two the same? Exit code 0 same, 1 different, 2 any failure
  compare --pairs LIST    the same of many pairs, a line each, from a CSV file
  identify QUERY GALLERY  who or what is this, or nobody known? A gallery has a subfolder for
                          each person or thing. Exit code 0 known, 1 unknown, 2 any failure
  search QUERY DIR        which images of the folder are most like this one?
  embed DIR               the embeddings of a folder, for other programs: .npz, .csv, .parquet
  embed DIR --shard 3/16  the third of 16 parts, on a machine of its own; --merge makes them one
  evaluate DIR            how good is the model on this folder, of classes or of ready pairs?
                          Or on a list, LIST.csv with the columns path,label or a,b,same
  matrix DIR              all distances of a folder, as CSV and figure
  export --format NAME    the encoder as a file for programs without TensorFlow: tflite, onnx
  page                    a page in the browser that compares images, and says who it is
  cache                   where the cache of pixels and embeddings lies, and how large it is

Smaller distance = more alike; the similarity runs from 1 (distance 0) over 0.5 (at the
threshold) towards 0; of a cosine distance it is 1 - angle / 180 degrees.
A SavedModel is a program: load none that you would not run.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from pyimagesearch import config
from pyimagesearch.system import flags, terminal

# those that ask for Keras themselves, where the model wants it: see answering.asked
WITHOUT_KERAS = ("compare", "identify", "search", "embed", "cache")


def main(argv: Sequence[str] | None = None) -> None:
    """Answer one question and end the program; argv: its words, by default the program's own."""
    args = _parser().parse_args(argv)

    def answer():
        # only now: importing TensorFlow takes seconds, and --help needs none of it
        terminal.setup(program_output=args.json, keras=args.answer not in WITHOUT_KERAS)
        from pyimagesearch.inference import answers

        raise SystemExit(answers.ANSWERS[args.answer](args))

    terminal.run(answer, _name())


def _name() -> str:
    name = os.path.basename(sys.argv[0])
    return "python -m pyimagesearch" if name == "__main__.py" else name


def _parser() -> argparse.ArgumentParser:
    ap = flags.Parser(
        prog=_name(),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = ap.add_subparsers(required=True, metavar="COMMAND")

    def command(name, text, arguments=(), picture=None, model=True, fmr=False):
        sub = commands.add_parser(name, description=text, help=text)
        for argument in arguments:
            sub.add_argument(argument)
        if model:
            sub.add_argument("--model", default=config.MODEL_PATH, help=f"({config.MODEL_PATH})")
        if fmr:
            sub.add_argument("--fmr", type=float, help="use the threshold stored for this rate")
        sub.add_argument("--json", action="store_true", help="print JSON for programs")
        if picture:
            default = os.path.join(config.BASE_OUTPUT, picture)
            text = f"the figure's file ({default}; with --json none)"
            sub.add_argument("--output", help=text)
        sub.set_defaults(answer=name, picture=picture)
        return sub

    def top(sub):
        sub.add_argument("--top", type=flags.positive_int, default=5, help="how many (5)")

    sub = command("compare", "Distance and verdict of two images, or of a list of pairs.", fmr=True)
    sub.add_argument("a", nargs="?")
    sub.add_argument("b", nargs="?")
    text = "a CSV file with the columns a and b, paths from its folder on, and same (1 or 0)"
    sub.add_argument("--pairs", metavar="LIST.csv", help=text)
    sub = command("identify", "The class of a gallery that a query is of.", ["query", "gallery"])
    text = "the false positive identification rate that the threshold holds (0.01)"
    sub.add_argument("--fpir", type=_share, default=0.01, help=text)
    top(sub)
    flags.of_folders(sub, groups=False)
    sub = command(
        "search", "The images of a folder most like a query.", ["query", "directory"], "search.png",
        fmr=True,
    )  # fmt: skip
    top(sub)
    sub = command("embed", "The embeddings of a folder, for other programs.")
    sub.add_argument("directory", nargs="?")
    text = "the Kth of N parts of the folder alone, into a file that --merge reads"
    sub.add_argument("--shard", metavar="K/N", help=text)
    text = "no folder, but all parts that --shard has written, made one"
    sub.add_argument("--merge", nargs="+", metavar="PART.npz", help=text)
    default = os.path.join(config.BASE_OUTPUT, "vectors.npz")
    text = f"ends with .npz, .csv or .parquet ({default}; with --json none)"
    sub.add_argument("--output", help=text)
    flags.of_folders(sub, groups=False)
    sub = command(
        "evaluate",
        "Figures on a folder of classes or of ready pairs, and whether the threshold suits it.",
        ["directory"],
        "evaluate_worst.png",
        fmr=True,
    )
    sub.add_argument("--calibrate", action="store_true", help="choose and store new thresholds")
    text = "--calibrate even by fewer images than the model's thresholds rest on"
    sub.add_argument("--force", action="store_true", help=text)
    flags.of_folders(sub)
    command("matrix", "All distances of a folder.", ["directory"], "matrix.png", fmr=True)
    sub = command("export", "The encoder as a file for programs without TensorFlow.")
    sub.add_argument("--format", choices=("tflite", "onnx"), required=True)
    text = "the file (encoder.tflite or .onnx beside the model, where compare finds the first)"
    sub.add_argument("--output", help=text)
    sub.add_argument("--images", metavar="DIR", help="images that the file is tried on")
    sub = command("page", "A page in the browser: compare images, say who or what it is.", fmr=True)
    text = "a folder that images are looked for in, with a subfolder for each person or thing"
    sub.add_argument("--gallery", metavar="DIR", help=text)
    sub.add_argument("--fpir", type=_share, default=0.01, help="as of identify (0.01)")
    flags.of_folders(sub, groups=False)
    sub.add_argument("--host", default="127.0.0.1", help="(127.0.0.1: for this machine alone)")
    sub.add_argument("--port", type=int, default=7860, help="(7860; 0: any free one)")
    sub = command("cache", "The cache of pixels and embeddings.", model=False)
    sub.add_argument("--clear", action="store_true", help="empty it")
    return ap


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, received {text!r}")
    return value
