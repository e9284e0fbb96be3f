"""A recipe by its name or from a file of one's own, and whether what it asks for fits together."""

import re
import tomllib
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import Any

from pyimagesearch.config import RECIPES, Recipe
from pyimagesearch.data.images import FITS
from pyimagesearch.data.pairs import SAMPLERS
from pyimagesearch.metrics import BATCH_LOSSES, LOSSES
from pyimagesearch.networks.acceleration import PRECISIONS
from pyimagesearch.siamese_network import HEADS, NETWORKS
from pyimagesearch.system.errors import InputError
from pyimagesearch.training.build import OPTIMIZERS
from pyimagesearch.training.photos import WAYS
from pyimagesearch.utils import DISTANCES

GROUPS = ("network", "training", "reading")
NAMES: dict[str, Collection[str]] = {  # of a field: what it may be
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
    "side": (1, 4096),
    "shift": (0, 4096),
    "turn": (0, 180),
    "tested": (TINY, 0.99),
    **dict.fromkeys(("zoom", "crop", "light", "colour", "blur", "held_out"), (0, 0.99)),
}
# they go further than anybody needs: beyond them a training would end in a traceback, or not at all
OTHERS = {int: (1, 10**6), float: (TINY, 1e30)}


def find(name: str) -> tuple[str, Recipe]:
    """A recipe and its name: a key of RECIPES, or a file that ends in .toml, see read.

    Raises InputError where there is none.
    """
    if name.endswith(".toml"):
        return Path(name).stem, read(name)
    if name not in RECIPES:
        raise InputError(
            f"Expected a recipe: {', '.join(RECIPES)}, or a file that ends in .toml. "
            f"Received: {name!r}."
        )
    return name, RECIPES[name]


def read(path: str) -> Recipe:
    """A recipe from a TOML file: one to start from, and what is to be different.

    base: the name of that recipe (article). source: a text. Tables [network], [training] and
    [reading] with fields of a Recipe. Raises InputError for anything else, and what check refuses.

        base = "fast"
        source = "fast, longer"

        [training]
        epochs = 20
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"Expected a recipe in TOML. Received: {path} ({error}).") from None
    base = content.pop("base", "article")
    if base not in list(RECIPES):
        raise InputError(
            f"Expected base, one of {', '.join(RECIPES)}. Received: {base!r}, in {path}."
        )
    values: dict[str, Any] = {"source": str(content.pop("source", f"{path}, from {base}"))}
    for table, given in content.items():
        if table not in GROUPS or not isinstance(given, dict):
            raise InputError(
                "Expected base, source, and the tables [network], [training], [reading]. "
                f"Received: {table} = {given!r}, in {path}."
            )
        # the images' shape is the data's to say
        known = [name for name in vars(getattr(RECIPES[base], table)) if name != "image_shape"]
        for field, value in given.items():
            if field not in known:
                raise InputError(
                    f"Expected {', '.join(known)}. Received: {field}, in [{table}] of {path}."
                )
            values[field] = tuple(value) if isinstance(value, list) else value
    recipe = RECIPES[base].changed(**values)
    check(recipe)
    return recipe


def check(recipe: Recipe) -> None:
    """Raise InputError, naming the fields, where a recipe's values cannot be, or not together."""
    values = {f"{name}.{k}": v for name in GROUPS for k, v in vars(getattr(recipe, name)).items()}
    for group in GROUPS:
        for field in fields(getattr(recipe, group)):
            name = f"{group}.{field.name}"
            (wanted, fits) = _limit(field.name, field.type, values[name])
            if not (fits or (values[name] is None and type(None) in _kinds(field.type))):
                raise InputError(f"Expected {name}, {wanted}. Received: {values[name]!r}.")

    (network, training, held_out) = (recipe.network, recipe.training, recipe.reading.held_out)
    in_batch = training.pairing == "batch"  # then the loss sees embeddings, not distances
    (loss, ways) = (training.loss, training.ways)
    rules = {
        f'training.pairing "batch" with training.loss {" or ".join(BATCH_LOSSES)}, and any other '
        "pairing with another loss": in_batch == (loss in BATCH_LOSSES),
        'network.head "none" and network.distance "euclidean" with training.pairing "batch"': (
            not in_batch or (network.head, network.distance) == ("none", "euclidean")
        ),
        "network.head sigmoid or normalized_sigmoid with training.loss binary_cross_entropy": (
            loss != "binary_cross_entropy" or network.head != "none"
        ),
        'training.pairing "triplets" with training.loss triplet': (
            loss != "triplet" or training.pairing == "triplets"
        ),
        "network.name best, three networks, with training.loss members_contrastive": (
            loss != "members_contrastive" or network.name == "best"
        ),
        "training.keep_best with training.patience, which counts epochs since the best": (
            training.patience is None or training.keep_best
        ),
        "reading.held_out above 0 with training.keep_best or training.ways, which choose by it": (
            held_out > 0 or not (training.keep_best or ways)
        ),
        'network.name features and training.pairing "batch" with training.ways': (
            not ways or (in_batch and network.name == "features")
        ),
        # the recipe that starts from what ships
        "--weights with another recipe, as photos-small: network.weights none with training.ways": (
            not ways or network.weights == "none"
        ),
        'training.ways that begin with "whitened", and neither training.keep_best nor '
        "network.test_shift with them": (
            not ways or (ways[0], training.keep_best, network.test_shift) == ("whitened", False, 0)
        ),
    }
    for wanted, fits in rules.items():
        if not fits:
            named = dict.fromkeys(re.findall(r"\w+\.\w+", wanted))
            received = ", ".join(f"{name} {values[name]!r}" for name in named)
            raise InputError(f"Expected {wanted}. Received: {received}.")


def _kinds(kind: Any) -> tuple:
    return getattr(kind, "__args__", (kind,))


def _limit(name: str, kind: Any, value: Any) -> tuple[str, bool]:
    # what a value of a field may be, in words, and whether this one is
    if name in NAMES:
        return f"one of {', '.join(NAMES[name])}", value in list(NAMES[name])
    if name == "ways":
        is_some = type(value) is tuple and all(way in WAYS for way in value)
        return f"a list of some of {', '.join(WAYS)}", is_some
    if name in ("image_shape", "least_shape"):
        sides = value if type(value) is tuple and len(value) == 3 else (0, 0, 0)
        fits = all(type(x) is int and 1 <= x <= 4096 for x in sides) and sides[2] in (1, 3)
        return "[height, width, 1 or 3], whole numbers", fits
    (kind, *_) = _kinds(kind)
    if kind in (str, bool):
        return "a text" if kind is str else "true or false", type(value) is kind
    (low, high) = LIMITS.get(name, OTHERS[kind])
    words = f"a {'whole ' * (kind is int)}number from {low} to {high}"
    return words, type(value) in (int, kind) and low <= value <= high
