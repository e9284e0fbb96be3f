"""The train script's flags, and the settings that a run is known by."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pyimagesearch import config
from pyimagesearch.config import Recipe
from pyimagesearch.data.datasets import DATASETS
from pyimagesearch.data.folders import holds_pairs
from pyimagesearch.data.images import FITS
from pyimagesearch.data.sets import DataSet
from pyimagesearch.system import flags
from pyimagesearch.system.errors import InputError, printable
from pyimagesearch.system.files import check_writable
from pyimagesearch.training import checkpoints, recipes


def parse(
    description: str | None, words: Sequence[str] | None = None
) -> tuple[argparse.Namespace, Recipe]:
    """The flags, with the paths of model and plot, and the recipe that they ask for.

    words: what was typed, by default the program's own arguments.
    Raises InputError where the output folder cannot be written to, or where what is asked for
    does not fit together.
    """
    ap = flags.Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = ap.add_argument
    known = f"{', '.join(config.RECIPES)}, or a file of your own that ends in .toml"
    add("--recipe", help=f"{known} (article; for a folder photos, for one of ready pairs pairs)")
    known = f"{', '.join(DATASETS)}, a folder with one subfolder per class, or LIST.csv with the"
    columns = "columns path,label or a,b,same, and split and group where they are known"
    add("--dataset", default="mnist", help=f"{known} {columns} (mnist)")
    parts = "a folder's test images: some of every class (where these are large enough), or classes"
    add("--split", choices=("images", "classes"), help=f"{parts} of their own")
    for flag, how, text in (flags.CLASS_LEVEL, flags.GROUP_BY):
        add(flag, help=text, **how)
    size = "64, or WIDTHxHEIGHT, to read a folder's images at (their own, up to 64 or 128)"
    add("--image-size", type=flags.image_size, help=size)
    fit = "images of another shape: stretched, or whole with the edges filled (stretch)"
    add("--fit", choices=list(FITS), help=fit)
    add("--channels", type=int, choices=(1, 3), help="1 grey, 3 colour (what the images are)")
    quick = "recipe photos without training its network on: about a third of the time"
    add("--quick", action="store_true", help=quick)
    mirror = "mirror every second training image: for things that look alike in a mirror"
    add("--mirror", action="store_true", help=mirror)
    add("--epochs", type=flags.positive_int, help="instead of the recipe's")
    add("--batch-size", type=flags.positive_int, help="instead of the recipe's")
    weights = "to start from: none, imagenet (recipe triplet), or a file encoder.keras, which is a "
    add("--weights", help=f"{weights}program like any model: take none that you would not run")
    add("--seed", type=flags.seed, default=42, help="of all that is random (42)")
    add("--deterministic", action="store_true", help="the same run bit for bit each time, slower")
    add("--resume", action="store_true", help="go on after the last epoch of a run that was ended")
    add("--output", default=config.BASE_OUTPUT, help="folder to write to (output)")
    args = ap.parse_args(words)

    (args.recipe, recipe) = recipes.find(args.recipe or default_recipe(args.dataset))
    ways = recipe.training.ways
    if args.quick and not ways:
        raise InputError(f"Expected --quick with recipe photos. Received: {args.recipe}.")
    names = ("epochs", "batch_size", "weights", "mirror", "fit")
    recipe = recipe.changed(
        **{name: getattr(args, name) for name in names if getattr(args, name)},
        **({"least_steps": 0} if args.epochs else {}),
        ways=tuple(way for way in ways if not (args.quick and way == "trained on")),
    )
    recipes.check(recipe)
    args.model = os.path.join(args.output, os.path.basename(config.MODEL_PATH))
    args.plot = os.path.join(args.output, os.path.basename(config.PLOT_PATH))
    check_writable(args.output, args.model)
    return args, recipe


def default_recipe(dataset: str) -> str:
    """The recipe for a data set where none is asked for."""
    if dataset in DATASETS:
        return "article"
    return "pairs" if holds_pairs(dataset) else "photos"


def reading(args: argparse.Namespace) -> dict[str, Any]:
    """The flags that say how a folder is read, as keywords for datasets.load."""
    names = ("image_size", "channels", "split", "class_level", "group_by")
    return {name: getattr(args, name) for name in names}


def settings(args: argparse.Namespace, recipe: Recipe, data: DataSet) -> dict[str, Any]:
    """What a run is known by, as a dict for JSON: it travels with the model and its checkpoints."""
    parts = (data.train, data.validation, data.choices, data.test)
    names = ("split", "class_level", "group_by", "seed", "deterministic")
    return {
        "recipe": args.recipe,
        **asdict(recipe),
        "image_shape": recipe.reading.image_shape,
        "distance": recipe.network.distance,
        "head": recipe.network.head,
        "dataset": printable(args.dataset),
        **{name: getattr(args, name) for name in names},
        "class_names": [printable(name) for name in data.train.class_names],
        "parts": data.parts,
        "images": [checkpoints.fingerprint(part) for part in parts],
    }
