"""The train script's flags, and the settings that a run is known by."""

# import the necessary packages
import argparse
import os
from dataclasses import asdict

import numpy as np

from pyimagesearch import config
from pyimagesearch.data.datasets import DATASETS
from pyimagesearch.siamese_network import network_shape
from pyimagesearch.system import terminal
from pyimagesearch.system.files import check_writable, state
from pyimagesearch.system.names import printable
from pyimagesearch.training import checkpoints


def parse(description):
    """The flags, with the paths of model and plot, and the recipe that they ask for.

    Raises ValueError where the output folder cannot be written to.
    """
    ap = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "--recipe",
        choices=config.RECIPES,
        help="one of pyimagesearch/config.py (article; photos for a folder)",
    )
    ap.add_argument(
        "--dataset",
        default="mnist",
        help=f"{', '.join(DATASETS)}, or a folder with one subfolder per class (mnist)",
    )
    ap.add_argument(
        "--split",
        choices=("images", "classes"),
        default="images",
        help="a folder's test images: some of every class, or classes of their own (images)",
    )
    ap.add_argument(
        "--image-size",
        type=terminal.image_size,
        help="64, or WIDTHxHEIGHT, to read a folder's images at (their own, up to 64)",
    )
    ap.add_argument(
        "--channels", type=int, choices=(1, 3), help="1 grey, 3 colour (what a folder's images are)"
    )
    ap.add_argument("--epochs", type=terminal.positive_int, help="instead of the recipe's")
    ap.add_argument("--batch-size", type=terminal.positive_int, help="instead of the recipe's")
    ap.add_argument(
        "--weights",
        help="to start from: none, imagenet (recipe triplet), or a file encoder.keras, which is a "
        "program like any model: take none that you would not run",
    )
    ap.add_argument("--seed", type=terminal.seed, default=42, help="of all that is random (42)")
    ap.add_argument(
        "--deterministic", action="store_true", help="the same run bit for bit each time, slower"
    )
    ap.add_argument(
        "--resume", action="store_true", help="go on after the last epoch of a run that was ended"
    )
    ap.add_argument("--output", default=config.BASE_OUTPUT, help="folder to write to (output)")
    args = ap.parse_args()

    args.recipe = args.recipe or ("article" if args.dataset in DATASETS else "photos")
    args.model = os.path.join(args.output, os.path.basename(config.MODEL_PATH))
    args.plot = os.path.join(args.output, os.path.basename(config.PLOT_PATH))
    check_writable(args.output, args.model)
    names = ("epochs", "batch_size", "weights")
    flags = {name: getattr(args, name) for name in names if getattr(args, name)}
    return args, config.RECIPES[args.recipe].changed(**flags)


def settings(args, recipe, train, test):
    """What a run is known by, as a dict for JSON: it travels with the model and its checkpoints.

    Says where images are enlarged.
    """
    (had, wanted) = (recipe.reading.image_shape, network_shape(recipe))
    if had != wanted:
        shapes = ["x".join(map(str, shape)) for shape in (had, wanted)]
        print(f"[INFO] images of {shapes[0]} are enlarged to {shapes[1]} inside the model")
    labels = [] if train.labels is None else np.unique(train.labels)
    return {
        "recipe": args.recipe,
        **asdict(recipe),
        "image_shape": recipe.reading.image_shape,
        "distance": recipe.network.distance,
        "dataset": printable(args.dataset),
        "split": args.split,
        "seed": args.seed,
        "deterministic": args.deterministic,
        "weights_file": state(recipe.network.weights),
        "class_names": [printable(str(name)) for name in labels],
        "images": [checkpoints.fingerprint(part) for part in (train, test)],
    }
