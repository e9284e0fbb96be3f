"""What a training is asked for: flags, a recipe, and the settings that a run is known by."""

import argparse
import os
import tomllib
import zlib
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pyimagesearch import config
from pyimagesearch.config import RECIPES, Reading, Recipe, Training
from pyimagesearch.data.datasets import DATASETS, classes_of
from pyimagesearch.data.images import FITS, SAMPLE
from pyimagesearch.data.lists import holds_pairs
from pyimagesearch.data.pairs import SAMPLERS
from pyimagesearch.data.sets import DataSet
from pyimagesearch.metrics import BATCH_LOSSES, LOSSES, MEMBERS, WITHOUT_MARGIN
from pyimagesearch.networks import encoders
from pyimagesearch.networks.acceleration import PRECISIONS
from pyimagesearch.networks.encoders import IN_FLOAT32, OWN_SIZES
from pyimagesearch.siamese_network import HEADS, NETWORKS
from pyimagesearch.system import terminal
from pyimagesearch.system.files import check_writable
from pyimagesearch.system.terminal import InputError, first_line, printable
from pyimagesearch.training.build import OPTIMIZERS
from pyimagesearch.training.photos import WAYS
from pyimagesearch.utils import DISTANCES

GROUPS = ("network", "training", "reading")
ALLOWED: dict[str, Collection[str]] = {  # of a field: what it may be
    "name": NETWORKS, "distance": DISTANCES, "head": HEADS,
    "pairing": SAMPLERS, "loss": LOSSES, "optimizer": OPTIMIZERS, "precision": PRECISIONS,
    "fit": FITS,
}  # fmt: skip
# of a number: the least and the most, beyond which a training would end in a traceback
TINY, MOST = 1e-30, 10**6
LIMITS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("warmup_steps", "more_steps", "shift", "turn"), (0, MOST)),
    **dict.fromkeys(("zoom", "crop", "light", "colour", "blur", "held_out"), (0, 0.99)),
    "tested": (TINY, 0.99), "test_views": (1, 9), "side": (1, 2 * SAMPLE - 1),
    "most_pixels": (0, 10**9),
}  # fmt: skip


def parse(
    description: str | None, words: Sequence[str] | None = None
) -> tuple[argparse.Namespace, Recipe]:
    """The flags, and the recipe that they ask for.

    words: what was typed, by default the program's own arguments. With the flags come the paths
    `model` and `plot`, and `reading`, the keywords for datasets.load.
    Raises InputError where output cannot be written to, or what is asked for does not fit together.
    """
    how: Any = {"parents": [terminal.VERSION], "allow_abbrev": False}
    how["formatter_class"] = argparse.RawDescriptionHelpFormatter
    how["epilog"] = "In brackets stands what is taken where a flag is not given."
    ap = terminal.Parser(description=description, **how)

    add = ap.add_argument_group("data").add_argument
    known = f"{', '.join(DATASETS)}; a folder with a subfolder for each class; or a CSV file with"
    columns = "columns path,label or a,b,same, and split and group where they are known (mnist)"
    add("--dataset", metavar="DATA", default="mnist", help=f"{known} {columns}")
    parts = "test on other images of the classes that are trained on, or on classes of their own"
    add("--split", choices=("images", "classes"), help=f"{parts} (images, where these are enough)")
    size = "read a folder's images at this size: 64, or WIDTHxHEIGHT (their own, within bounds)"
    add("--image-size", metavar="SIZE", type=terminal.image_size, help=size)
    fit = "images of another shape are stretched, or stay whole, with their edges filled (stretch)"
    add("--fit", choices=list(FITS), help=fit)
    add("--channels", type=int, choices=(1, 3), help="1: grey, 3: colour (as the images are)")
    for flag, level_or_group, text in (terminal.CLASS_LEVEL, terminal.GROUP_BY):
        add(flag, help=text, **level_or_group)

    add = ap.add_argument_group("training", "By default as the recipe says.").add_argument
    known = f"a network and how it is trained: {', '.join(RECIPES)}; or a TOML file of your own"
    known += " (article; for a folder photos, for ready pairs pairs)"
    add("--recipe", metavar="NAME", help=known)
    add("--epochs", type=terminal.positive_int, help="how often it sees the training images")
    size = "images, or pairs, in a step: after each step the weights change"
    add("--batch-size", type=terminal.positive_int, help=size)
    rate = "the learning rate: how far a step changes the weights, 0.001 for example"
    add("--learning-rate", "--lr", metavar="RATE", type=terminal.share, help=rate)
    quick = "recipe photos in a third of the time: only a head is trained, not its network"
    add("--quick", action="store_true", help=quick)
    mirror = "mirror every second training image: for things that look alike in a mirror "
    mirror += "(recipe photos: where that helps to know the held-out images)"
    add("--mirror", action="store_true", help=mirror)
    encoder = "recipe photos with the network of this file in place of its own: a Keras model from "
    add("--encoder", metavar="FILE.keras", help=f"{encoder}images (B, H, W, 3) to vectors or maps")
    pixels = "what it takes, where no layer of it scales pixels: tf is -1 to 1, others as in Keras"
    add("--encoder-pixels", choices=list(encoders.PIXELS), help=pixels)
    weights = "to start from: none, imagenet (recipe triplet), or a file encoder.keras, which is a "
    add("--weights", help=f"{weights}program like any model: take none that you would not run")

    add = ap.add_argument_group("run").add_argument
    folder = "folder for the model, the pictures and the report (output)"
    add("--output", metavar="DIR", default=config.BASE_OUTPUT, help=folder)
    add("--resume", action="store_true", help="go on after the last whole epoch of a training")
    add("--seed", type=terminal.seed, default=42, help="decides all that is random (42)")
    add("--deterministic", action="store_true", help="the same weights bit for bit, but slower")
    add("--tensorboard", metavar="DIR", help="folder for TensorBoard, which draws the losses")

    args = ap.parse_args(words)
    if not args.recipe:
        own = args.dataset in DATASETS
        args.recipe = "article" if own else "pairs" if holds_pairs(args.dataset) else "photos"
    (args.recipe, recipe) = find_recipe(args.recipe)
    ways = recipe.training.ways
    if (args.quick or args.encoder) and not ways:
        wanted = "--quick" if args.quick else "--encoder"
        raise InputError(f"{wanted} with recipe photos", f"recipe {args.recipe}, on {args.dataset}")
    if args.encoder_pixels and not args.encoder:
        raise InputError("--encoder-pixels with --encoder", "it alone")
    names = ("epochs", "batch_size", "learning_rate", "weights", "mirror", "fit")
    recipe = recipe.changed(
        **{name: getattr(args, name) for name in names if getattr(args, name)},
        **({"more_steps": 0} if args.epochs else {}),
        ways=tuple(way for way in ways if not (args.quick and way == "trained on")),
    )
    unused = args.learning_rate or args.batch_size or args.tensorboard
    if unused and ways and "trained on" not in recipe.training.ways:
        raise InputError("no --quick beside --lr, --batch-size or --tensorboard", unused)
    if args.encoder:
        recipe = with_encoder(recipe, args.encoder, args.encoder_pixels)
    check(recipe)
    args.model = os.path.join(args.output, os.path.basename(config.MODEL_PATH))
    args.plot = os.path.join(args.output, os.path.basename(config.PLOT_PATH))
    if not args.output:
        raise InputError("--output with the name of a folder", "an empty name")
    check_writable(args.output, args.model)
    if args.tensorboard:
        check_writable(args.tensorboard)
        if not find_spec("tensorboard"):
            raise InputError("the package tensorboard (pip install tensorboard)", "none")
    of_data = ("image_size", "channels", "split", "class_level", "group_by")
    args.reading = {name: getattr(args, name) for name in of_data}
    return args, recipe


def with_encoder(recipe: Recipe, path: str, pixels: str | None) -> Recipe:
    """The recipe with the Keras model of a file as its network, see encoders.build_from_file."""
    model = encoders.read_encoder(path)
    if not (pixels := pixels or encoders.pixels_of(model)):
        wanted = f"--encoder-pixels, one of {', '.join(encoders.PIXELS)}"
        raise InputError(wanted, f"{printable(path)}, whose first layers do not scale pixels")
    recipe = recipe.changed(name=path, pixels=pixels, embedding_dim=model.outputs[0].shape[-1])
    (_, height, width, _) = model.input_shape
    if not (height and width):
        return recipe
    return recipe.changed(least_shape=(height, width, 3), side=max(height, width))


def settings(args: argparse.Namespace, recipe: Recipe, data: DataSet) -> dict[str, Any]:
    """What a run is known by, as a dict for JSON: it travels with the model and its checkpoints."""
    known_by = []  # of each part, and of the models to start from, checksums
    for part in (data.train, data.validation, data.choices, data.test):
        arrays = (part.contents, part.labels, *(part.pairs or []))
        content = b"".join(np.ascontiguousarray(x).tobytes() for x in arrays if x is not None)
        known_by.append(zlib.crc32(content))
    for file in filter(os.path.isfile, (recipe.network.name, recipe.network.weights)):
        with suppress(Exception):  # said where it is loaded to be trained
            weights = keras.models.load_model(file, compile=False).get_weights()
            known_by.append(zlib.crc32(b"".join(x.tobytes() for x in weights)))
    class_names = data.train.class_names  # more than are trained on
    names = ("split", "class_level", "group_by", "seed", "deterministic")
    return {
        "recipe": args.recipe, **asdict(recipe),
        "network": asdict(recipe.network) | {"name": os.path.basename(recipe.network.name)},
        "image_shape": recipe.reading.image_shape,
        "distance": recipe.network.distance, "head": recipe.network.head,
        "dataset": printable(args.dataset.rstrip("/")), **{x: getattr(args, x) for x in names},
        "class_names": [printable(class_names[k]) for k in sorted(classes_of(data.train.labels))],
        "parts": data.parts,
        "images": known_by,  # which changes with the data
    }  # fmt: skip


def find_recipe(name: str) -> tuple[str, Recipe]:
    """A recipe and its name: a key of RECIPES, or a TOML file, see docs/recipes.md.

    The file has the name of a recipe to start from, base (article), a text, source, and in tables
    [network], [training] and [reading] the fields that differ. Raises InputError for anything else.
    """
    if name in RECIPES:
        return name, RECIPES[name]
    known = ", ".join(RECIPES)
    try:
        content = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        near = "".join(f", perhaps {x} is meant" for x in get_close_matches(name, RECIPES, 1))
        reason = getattr(error, "strerror", None) or first_line(error)
        received = f"{name!r} ({reason}{near})"
        raise InputError(f"a recipe: {known}, or a file in TOML", received) from None
    base = content.pop("base", "article")
    if base not in list(RECIPES):
        raise InputError(f"base, one of {known}", f"{base!r}, in {name}")
    values: dict[str, Any] = {"source": str(content.pop("source", f"{name}, from {base}"))}
    for table, given in content.items():
        group = fields(getattr(RECIPES[base], table)) if table in GROUPS else ()
        kinds = {x.name: x.type for x in group if x.name != "image_shape"}  # which the data sets
        for field, value in given.items() if isinstance(given, dict) else [(str(given), None)]:
            if field not in kinds:
                wanted = ", ".join(kinds) or "base, source, and [network], [training], [reading]"
                raise InputError(wanted, f"{field}, in [{table}] of {name}")
            values[field] = tuple(value) if isinstance(value, list) else value
            (wanted, fits) = _limit(field, kinds[field], values[field])
            if not fits:
                raise InputError(f"{table}.{field}, {wanted}", repr(value))
    return Path(name).stem, RECIPES[base].changed(**values)


def check(recipe: Recipe) -> None:
    """Raise InputError, naming fields, where a value does nothing, or does not fit another one."""
    values = {f"{name}.{k}": v for name in GROUPS for k, v in vars(getattr(recipe, name)).items()}
    (network, training, reading) = (recipe.network, recipe.training, recipe.reading)
    (name, loss, ways) = (network.name, training.loss, training.ways)
    of_members = max(network.embedding_dim // MEMBERS, 1) * MEMBERS
    least = max(reading.least_shape[:2])
    (in_batch, none_held) = (training.pairing == "batch", reading.held_out == 0)
    pairings = [x for x in SAMPLERS if (x == "batch") == (loss in BATCH_LOSSES)]
    in_order = tuple(way for way in WAYS if way in (WAYS[0], *ways))
    rules: list[tuple[Any, str, Collection, str]] = [
        # where this holds, a field has to be one of these, because of another
        (name in OWN_SIZES, "network.embedding_dim", [OWN_SIZES.get(name)], "network.name"),
        (name == "best", "network.embedding_dim", [of_members], "network.name"),
        (name in IN_FLOAT32, "training.precision", ["auto", "float32"], "network.name"),
        (loss == "members_contrastive", "network.name", ["best"], "training.loss"),
        (loss in WITHOUT_MARGIN, "training.margin", [Training.margin], "training.loss"),
        (loss == "triplet", "training.pairing", ["triplets"], "training.loss"),
        (True, "training.pairing", pairings, "training.loss"),
        (loss == "binary_cross_entropy", "network.head", [*HEADS][1:], "training.loss"),
        (in_batch, "network.head", ["none"], "training.pairing"),
        (in_batch, "network.distance", ["euclidean"], "training.pairing"),
        (none_held, "training.keep_best", [False], "reading.held_out"),
        (none_held, "training.ways", [()], "reading.held_out"),
        (not training.keep_best, "training.patience", [None], "training.keep_best"),
        (Reading.side != reading.side < least, "reading.side", [least], "reading.least_shape"),
        (network.weights == "imagenet", "network.name", ["mobilenet"], "network.weights"),
        (ways and name in NETWORKS, "network.name", ["features"], "training.ways"),
        (name not in NETWORKS, "training.ways", [ways or WAYS], "network.name"),
        (ways, "network.weights", ["none"], "training.ways"),
        (ways, "network.test_views", [1], "training.ways"),
        (network.test_views > 1, "network.name", [*encoders.BORDERS], "network.test_views"),
        (ways, "training.pairing", ["batch"], "training.ways"),
        (ways, "training.keep_best", [False], "training.ways"),
        (ways, "training.ways", [in_order], "network.name"),
    ]
    for holds, field, fitting, other in rules:
        if holds and values[field] not in fitting:
            wanted = f"{field} {' or '.join(map(repr, fitting))} with {other} {values[other]!r}"
            raise InputError(wanted, repr(values[field]))


def _limit(name: str, kind: Any, value: Any) -> tuple[str, bool]:
    # what a value of a field may be, in words, and whether this one is
    if name in ALLOWED:
        return f"one of {', '.join(ALLOWED[name])}", value in list(ALLOWED[name])
    if name == "ways":
        return f"a list of some of {', '.join(WAYS)}", type(value) is tuple
    if name == "least_shape":
        sides = value if type(value) is tuple and len(value) == 3 else (0, 0, 0)
        fits = all(type(x) is int and 1 <= x <= 4096 for x in sides) and sides[2] in (1, 3)
        return "[height, width, 1 or 3], whole numbers", fits
    if kind in (str, bool):
        return "a text" if kind is str else "true or false", type(value) is kind
    kind = float if kind is float else int  # which int | None is, too
    (low, high) = LIMITS.get(name, (1 if kind is int else TINY, MOST))
    words = f"a {'whole ' * (kind is int)}number from {low} to {high}"
    return words, type(value) in (int, kind) and low <= value <= high
