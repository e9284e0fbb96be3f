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
from typing import Any

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
VECTORS = os.path.join(config.BASE_OUTPUT, "vectors.npz")
SWITCH: dict[str, Any] = {"action": "store_true"}
ARGUMENTS: list[tuple[str, str, dict[str, Any], str | None]] = [  # commands, name, how, help
    ("compare", "a", {"nargs": "?"}, None),
    ("compare", "b", {"nargs": "?"}, None),
    ("identify search", "query", {}, None),
    ("identify", "gallery", {}, None),
    ("embed", "directory", {"nargs": "?"}, None),
    ("search evaluate matrix", "directory", {}, None),
    ("compare", "--pairs", {"metavar": "LIST.csv"},
        "a CSV file with the columns a and b, paths from its folder on, and same (1 or 0)"),
    ("compare search evaluate matrix page", "--fmr", {"type": float},
        "use the threshold stored for this rate"),
    ("identify page", "--fpir", {"type": flags.share, "default": 0.01},
        "the false positive identification rate that the threshold holds (0.01)"),
    ("identify search", "--top", {"type": flags.positive_int, "default": 5}, "how many (5)"),
    ("identify embed evaluate page", *flags.CLASS_LEVEL),
    ("evaluate", *flags.GROUP_BY),
    ("embed", "--shard", {"metavar": "K/N"},
        "the Kth of N parts of the folder alone, into a file that --merge reads"),
    ("embed", "--merge", {"nargs": "+", "metavar": "PART.npz"},
        "no folder, but all parts that --shard has written, made one"),
    ("embed", "--output", {},
        f"ends with .npz, .csv or .parquet ({VECTORS}; with --json none)"),
    ("evaluate", "--calibrate", SWITCH, "choose and store new thresholds"),
    ("evaluate", "--force", SWITCH,
        "--calibrate even by a few images where the model's thresholds rest on more"),
    ("export", "--format", {"choices": ("tflite", "onnx"), "required": True}, None),
    ("export", "--output", {},
        "the file (encoder.tflite or .onnx beside the model, where compare finds the first)"),
    ("export", "--images", {"metavar": "DIR"}, "images that the file is tried on"),
    ("page", "--gallery", {"metavar": "DIR"},
        "a folder that images are looked for in, with a subfolder for each person or thing"),
    ("page", "--host", {"default": "127.0.0.1"}, "(127.0.0.1: this machine alone)"),
    ("page", "--port", {"type": int, "default": 7860}, "(7860; 0: any free one)"),
    ("cache", "--clear", SWITCH, "empty it"),
]  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Answer one question and end the program; argv: its words, by default the program's own."""
    name = os.path.basename(sys.argv[0])
    parser = flags.Parser(
        prog="python -m pyimagesearch" if name == "__main__.py" else name,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (answer, question) in COMMANDS.items():
        sub = subparsers.add_parser(name, description=question, help=question)
        sub.set_defaults(run=answer)
        sub.add_argument("--json", action="store_true", help="print JSON for programs")
        if name != "cache":
            sub.add_argument("--model", default=config.MODEL_PATH, help=f"({config.MODEL_PATH})")
        if name in PICTURES:
            default = os.path.join(config.BASE_OUTPUT, PICTURES[name])
            sub.add_argument("--output", help=f"the figure's file ({default}; with --json none)")
            sub.set_defaults(picture=default)
        for commands, flag, how, text in ARGUMENTS:
            if name in commands.split():
                sub.add_argument(flag, help=text, **how)
    args = parser.parse_args(argv)
    # TensorFlow, which takes seconds, is imported where an answer needs it
    terminal.setup(program_output=args.json, keras=False)
    terminal.run(partial(args.run, args), parser.prog)
