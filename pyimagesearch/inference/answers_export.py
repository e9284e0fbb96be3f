"""The answer to export: the encoder beside a model as a file for other programs."""

import argparse
import os

import numpy as np

from pyimagesearch import config
from pyimagesearch.data.datasets import load_mnist
from pyimagesearch.data.images import read_images
from pyimagesearch.data.listing import list_images
from pyimagesearch.inference import export as exporting
from pyimagesearch.inference.answering import asked, note, say
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import check_writable
from pyimagesearch.system.names import printable

CHECKED = 64  # images of each kind that the file is tried on


def export(args: argparse.Namespace) -> None:
    """Write the encoder of a model as .tflite or .onnx, with its settings beside it."""
    (model, _) = asked(args)
    output = args.output or os.fspath(model.path.parent / f"encoder.{args.format}")
    check_writable(os.path.dirname(output) or ".")
    encoder = model.path.parent / "encoder.keras"
    if not encoder.is_file():
        raise InputError(
            f"Expected encoder.keras beside the model, which every training leaves there. "
            f"Received: {printable(model.path.parent)} without. Train the model again: "
            "python train_contrastive_siamese_network.py --recipe fast."
        )
    images = _images(model.image_shape, args.images)
    done = exporting.export(
        encoder,
        model.settings,
        output,
        images,
        args.format,
        model.embed,
        model.distance,
        model.digest,
    )
    answer = {
        "file": printable(done.path),
        "settings": printable(done.settings),
        "difference": done.difference,
        "images_checked": len(images),
    }
    say(args, answer, f"{answer['file']}, settings: {answer['settings']}")


def _images(shape: tuple[int, int, int], folder: str | None) -> np.ndarray:
    """What the file is tried on: images of the folder, MNIST's where it fits, or else noise."""
    if shape == config.IMG_SHAPE:
        (_, (images, _)) = load_mnist()
        kinds = [images[:CHECKED]]
    else:
        kinds = [np.random.default_rng(0).integers(0, 256, (CHECKED, *shape), np.uint8)]
        if folder is None:
            note(["the file is tried on noise; --images DIR tries it on your images, too"])
    if folder is not None:
        (_, images, bad) = read_images(list_images(folder)[:CHECKED], shape)
        note(f"skipped {message}" for message in bad)
        kinds.append(images)
    return np.concatenate(kinds)
