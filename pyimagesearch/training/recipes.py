"""A recipe by its name or from a file of one's own, and whether what it asks for fits together."""

import tomllib
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import Any

from pyimagesearch.config import RECIPES, Reading, Recipe, Training
from pyimagesearch.data.images import FITS, SAMPLE
from pyimagesearch.data.pairs import SAMPLERS
from pyimagesearch.metrics import BATCH_LOSSES, LOSSES, MEMBERS, WITHOUT_MARGIN
from pyimagesearch.networks.acceleration import PRECISIONS
from pyimagesearch.networks.encoders import IN_FLOAT32, OWN_SIZES
from pyimagesearch.siamese_network import HEADS, NETWORKS
from pyimagesearch.system.errors import InputError
from pyimagesearch.training.build import OPTIMIZERS
from pyimagesearch.training.photos import WAYS
from pyimagesearch.utils import DISTANCES

GROUPS = ("network", "training", "reading")
ALLOWED: dict[str, Collection[str]] = {  # of a field: what it may be
    "name": NETWORKS,
    "distance": DISTANCES,
    "head": HEADS,
    "pairing": SAMPLERS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "precision": PRECISIONS,
    "fit": FITS,
}
TINY = 1e-30  # above 0
LIMITS: dict[str, tuple[float, float]] = {  # of a number: the least and the most; see OTHERS
    "test_shift": (0, 4),
    "warmup_steps": (0, 10**6),
    "least_steps": (0, 10**6),
    "side": (1, 2 * SAMPLE),
    "shift": (0, 4096),
    "turn": (0, 180),
    "tested": (TINY, 0.99),
    **dict.fromkeys(("zoom", "crop", "light", "colour", "blur", "held_out"), (0, 0.99)),
}
# they go further than anybody needs: beyond them a training would end in a traceback, or not at all
OTHERS = {int: (1, 10**6), float: (TINY, 1e30)}


def find(name: str) -> tuple[str, Recipe]:
    """A recipe and its name: a key of RECIPES, or a TOML file, whose name ends in .toml.

    The file has a recipe to start from, and what is to be different.
    base: the name of that recipe (article). source: a text. Tables [network], [training] and
    [reading] with fields of a Recipe. Raises InputError for anything else, and what check refuses.

        base = "fast"
        source = "fast, longer"

        [training]
        epochs = 20
    """
    known = ", ".join(RECIPES)
    if not name.endswith(".toml"):
        if name not in RECIPES:
            wanted = f"a recipe: {known}, or a file that ends in .toml"
            raise InputError(f"Expected {wanted}. Received: {name!r}.")
        return name, RECIPES[name]
    try:
        content = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"Expected a recipe in TOML. Received: {name} ({error}).") from None
    base = content.pop("base", "article")
    if base not in list(RECIPES):
        raise InputError(f"Expected base, one of {known}. Received: {base!r}, in {name}.")
    values: dict[str, Any] = {"source": str(content.pop("source", f"{name}, from {base}"))}
    for table, given in content.items():
        own = vars(getattr(RECIPES[base], table)) if table in GROUPS else {}
        for field, value in given.items() if isinstance(given, dict) else [(given, None)]:
            if field not in own or field == "image_shape":  # the images' shape is the data's
                wanted = ", ".join(own) or "base, source, and [network], [training], [reading]"
                received = f"{field}, in [{table}] of {name}"
                raise InputError(f"Expected {wanted}. Received: {received}.")
            values[field] = tuple(value) if isinstance(value, list) else value
    recipe = RECIPES[base].changed(**values)
    check(recipe)
    return Path(name).stem, recipe


def check(recipe: Recipe) -> None:
    """Raise InputError, naming fields, where a value cannot be, does nothing, or does not fit."""
    values = {f"{name}.{k}": v for name in GROUPS for k, v in vars(getattr(recipe, name)).items()}
    kinds = {f"{name}.{x.name}": x.type for name in GROUPS for x in fields(getattr(recipe, name))}
    for name, value in values.items():
        (wanted, fits) = _limit(name.split(".")[1], kinds[name], value)
        if not fits:
            raise InputError(f"Expected {name}, {wanted}. Received: {value!r}.")

    (network, training, reading) = (recipe.network, recipe.training, recipe.reading)
    (name, loss, ways) = (network.name, training.loss, training.ways)
    of_members = max(network.embedding_dim // MEMBERS, 1) * MEMBERS
    least = max(reading.least_shape[:2])
    (in_batch, none_held) = (training.pairing == "batch", reading.held_out == 0)
    pairings = [x for x in SAMPLERS if (x == "batch") == (loss in BATCH_LOSSES)]
    in_order = tuple(way for way in WAYS if way in (*WAYS[:2], *ways))
    trained = in_order if set(in_order) & set(WAYS[2:-1]) else WAYS  # one at least has a history
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
        (ways, "network.name", ["features"], "training.ways"),
        (ways, "network.weights", ["none"], "training.ways"),
        (ways, "network.test_shift", [0], "training.ways"),
        (ways, "training.pairing", ["batch"], "training.ways"),
        (ways, "training.keep_best", [False], "training.ways"),
        (ways, "training.ways", [trained], "network.name"),
    ]
    for holds, field, fitting, other in rules:
        if holds and values[field] not in fitting:
            raise InputError(
                f"Expected {field} {' or '.join(map(repr, fitting))} with {other} "
                f"{values[other]!r}. Received: {values[field]!r}."
            )


def _limit(name: str, kind: Any, value: Any) -> tuple[str, bool]:
    # what a value of a field may be, in words, and whether this one is
    if name in ALLOWED:
        return f"one of {', '.join(ALLOWED[name])}", value in list(ALLOWED[name])
    if name == "ways":
        return f"a list of some of {', '.join(WAYS)}", type(value) is tuple
    if name in ("image_shape", "least_shape"):
        sides = value if type(value) is tuple and len(value) == 3 else (0, 0, 0)
        fits = all(type(x) is int and 1 <= x <= 4096 for x in sides) and sides[2] in (1, 3)
        return "[height, width, 1 or 3], whole numbers", fits
    (kind, *none) = getattr(kind, "__args__", (kind,))  # of int | None both
    if kind in (str, bool):
        return "a text" if kind is str else "true or false", type(value) is kind
    (low, high) = LIMITS.get(name, OTHERS[kind])
    words = f"a {'whole ' * (kind is int)}number from {low} to {high}"
    is_number = type(value) in (int, kind) and low <= value <= high
    return words, is_number or (bool(none) and value is None)
