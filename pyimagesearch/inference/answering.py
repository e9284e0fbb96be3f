"""What the answers to commands share: the model that is asked, where they go, their words."""

import argparse
import json
import logging
import os
from collections.abc import Iterable
from typing import Any

from pyimagesearch import config
from pyimagesearch.data import images
from pyimagesearch.inference.lite_model import open_lite
from pyimagesearch.inference.model import TrainedModel
from pyimagesearch.system import terminal

log = logging.getLogger(__name__)


# commands that need no more of a model than embeddings and distances
LITE = ("compare", "identify", "search", "embed")


def asked(args: argparse.Namespace) -> tuple[TrainedModel, float]:
    """The model, and the threshold for --fmr where the command has that flag.

    Without TensorFlow where that serves, see lite_model.open_lite.
    """
    model: TrainedModel | None = open_lite(args.model) if args.answer in LITE else None
    model = model or _saved_model(args.model)
    threshold = model.threshold_for(getattr(args, "fmr", None))
    note([f"images are read {images.described(model.image_shape)}, as the model wants"])
    return model, threshold


def _saved_model(path: str) -> TrainedModel:
    terminal.setup_keras()
    from pyimagesearch.inference.saved_model import SiameseModel

    return SiameseModel(path)


def picture(args: argparse.Namespace) -> str | None:
    """The figure's file; None where a program asks, which names one if it wants it."""
    if args.json and not args.output:
        return None
    from pyimagesearch.evaluation import pictures  # matplotlib takes its time

    path = args.output or os.path.join(config.BASE_OUTPUT, args.picture)
    pictures.check_output(path)
    return path


def note(lines: Iterable[str]) -> None:
    """Say what is no answer: on standard error while a program reads the answer."""
    for line in lines:
        log.info(line)


def say(args: argparse.Namespace, answer: dict[str, Any], text: str) -> None:
    """Print the answer: with --json the dict, on one line, else the text."""
    print(json.dumps(answer) if args.json else text, flush=True)


def verdict(same: bool) -> str:
    """The word for it."""
    return "same" if same else "different"
