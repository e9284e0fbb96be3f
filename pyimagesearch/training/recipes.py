"""A recipe by its name or from a file of one's own, and whether what it asks for fits together."""

import tomllib
from collections.abc import Collection
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from pyimagesearch.config import RECIPES, Recipe
from pyimagesearch.data.images import FITS
from pyimagesearch.data.pairs import SAMPLERS
from pyimagesearch.metrics import BATCH_LOSSES, LOSSES
from pyimagesearch.networks.acceleration import PRECISIONS
from pyimagesearch.siamese_network import HEADS, NETWORKS
from pyimagesearch.system.errors import InputError
from pyimagesearch.training.optimizers import OPTIMIZERS
from pyimagesearch.training.ways import WAYS
from pyimagesearch.utils import DISTANCES

GROUPS = ("network", "training", "reading")  # the tables of a recipe's file


def find(name: str) -> tuple[str, Recipe]:
    """A recipe and its name: a key of RECIPES, or a file that ends in .toml, see read.

    Raises InputError where there is none, or what it asks for does not fit together.
    """
    if name.endswith(".toml"):
        recipe = read(name)
    elif name in RECIPES:
        recipe = RECIPES[name]
    else:
        raise InputError(
            f"Expected a recipe: {', '.join(RECIPES)}, or a file that ends in .toml. "
            f"Received: {name!r}."
        )
    check(recipe)
    return Path(name).stem if name.endswith(".toml") else name, recipe


def read(path: str) -> Recipe:
    """A recipe from a TOML file with tables [network], [training], [reading] of its fields.

    base: the name of a recipe whose other values are kept; without one, every field that has
    no value of its own (network.name, training.pairing, loss, batch_size, epochs) is needed.
    source: a text. Raises InputError that names an unknown table or field beside the known ones,
    and a value of another type.

        base = "fast"
        source = "fast, longer"

        [training]
        epochs = 20
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"Expected a recipe's file. Received: {path} ({error.strerror})."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"Expected a recipe in TOML. Received: {path} ({error}).") from None
    base = content.pop("base", None)
    source = content.pop("source", f"{path}, from {base}" if base else str(path))
    if base is not None and base not in RECIPES:
        raise InputError(
            f"Expected base, one of {', '.join(RECIPES)}. Received: {base!r}, in {path}."
        )
    if not isinstance(source, str):
        raise InputError(f"Expected source, a text. Received: {source!r}, in {path}.")
    _known(content, ("base", "source", *GROUPS), path)
    hints = get_type_hints(Recipe)
    groups = {}
    for name in GROUPS:
        table = content.get(name, {})
        if not isinstance(table, dict):
            raise InputError(f"Expected [{name}], a table. Received: {table!r}, in {path}.")
        values = vars(getattr(RECIPES[base], name)) if base else {}
        values = values | _values(table, hints[name], name, path)
        try:
            groups[name] = hints[name](**values)
        except TypeError as error:  # Python names the fields that are missing
            missing = str(error).rpartition(": ")[2]
            raise InputError(
                f"Expected in [{name}] also {missing}, or a base to take them from. "
                f"Received: {path} without."
            ) from None
    return Recipe(source, **groups)


def _known(given: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    unknown = [name for name in given if name not in known]
    if unknown:
        raise InputError(
            f"Expected {', '.join(known)}. Received: {', '.join(unknown)}, in {where}."
        )


def _values(table: dict[str, Any], group: type, name: str, path: str) -> dict[str, Any]:
    """The fields of a table, each as the type that the recipe's field has."""
    hints = get_type_hints(group)
    _known(table, tuple(hints), f"[{name}] of {path}")
    values = {}
    for field, value in table.items():
        hint = hints[field]
        shape = get_origin(hint) is tuple
        if shape and isinstance(value, list):
            value = tuple(value)
        names = shape and get_args(hint)[-1] is Ellipsis  # as many texts as one likes
        if float in (hint, *get_args(hint)) and type(value) is int:
            value = float(value)
        if names:
            fits = type(value) is tuple and all(type(x) is str for x in value)
            wanted = "texts in brackets"
        elif shape:
            fits = type(value) is tuple and [type(x) for x in value] == list(get_args(hint))
            wanted = "three whole numbers: height, width, channels"
        else:
            allowed = get_args(hint) if isinstance(hint, UnionType) else (hint,)
            fits, wanted = type(value) in allowed, TYPES[allowed[0]]
        if not fits:
            raise InputError(f"Expected {name}.{field}, {wanted}. Received: {value!r}, in {path}.")
        values[field] = value
    return values


TYPES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def check(recipe: Recipe) -> None:
    """Raise InputError, naming the fields, where a recipe's values do not fit together."""
    for field, known in NAMES.items():
        for name in _values_in(recipe, field):
            if name not in known:
                raise InputError(
                    f"Expected {field}, one of {', '.join(known)}. Received: {name!r}."
                )
    for field, least in LEAST.items():
        for value in _values_in(recipe, field):
            if value < least:
                raise InputError(f"Expected {field} from {least} up. Received: {value}.")
    for field in ABOVE_0:
        for value in _values_in(recipe, field):
            if not value > 0:
                raise InputError(f"Expected {field} above 0. Received: {value}.")
    for field in SHARES:
        for value in _values_in(recipe, field):
            if not 0 <= value < 1:
                raise InputError(f"Expected {field} from 0 to below 1. Received: {value}.")
    _check_together(recipe)


NAMES: dict[str, Collection[str]] = {
    "network.name": NETWORKS,
    "network.distance": DISTANCES,
    "network.head": HEADS,
    "training.pairing": SAMPLERS,
    "training.loss": LOSSES,
    "training.optimizer": OPTIMIZERS,
    "training.ways": WAYS,
    "training.precision": PRECISIONS,
    "reading.fit": FITS,
}
LEAST = {
    "network.embedding_dim": 1,
    "network.test_shift": 0,
    "training.batch_size": 1,
    "training.epochs": 1,
    "training.patience": 1,
    "training.warmup_steps": 0,
    "training.shift": 0,
    "training.turn": 0,
    "training.least_steps": 0,
    "reading.image_shape": 1,
    "reading.least_shape": 1,
    "reading.side": 1,
}
ABOVE_0 = ("network.pixel_scale", "training.margin", "training.learning_rate", "reading.tested")
SHARES = (
    *(f"training.{name}" for name in ("zoom", "crop", "light", "colour", "blur")),
    "reading.held_out",
    "reading.tested",
)


def _values_in(recipe: Recipe, field: str) -> tuple:
    # of a field as a recipe's file names it, "training.epochs": one, those of a tuple, or none
    (group, name) = field.split(".")
    value = getattr(getattr(recipe, group), name)
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _check_together(recipe: Recipe) -> None:
    network, training, reading = recipe.network, recipe.training, recipe.reading
    in_batch = training.pairing == "batch"  # then the loss sees embeddings, not distances
    rules = [
        (
            in_batch == (training.loss in BATCH_LOSSES),
            f'training.pairing "batch" with training.loss {" or ".join(BATCH_LOSSES)}, '
            "and any other pairing with another loss",
            f"{training.pairing} with {training.loss}",
        ),
        (
            not in_batch or network.head == "none",
            'network.head "none" with training.pairing "batch", which trains no head',
            network.head,
        ),
        (
            not in_batch or network.distance == "euclidean",
            'network.distance "euclidean" with training.pairing "batch", whose losses measure it',
            network.distance,
        ),
        (
            training.loss != "binary_cross_entropy" or network.head != "none",
            "network.head sigmoid or the like with training.loss binary_cross_entropy, which wants "
            "a number from 0 to 1",
            network.head,
        ),
        (
            training.loss != "triplet" or training.pairing == "triplets",
            'training.pairing "triplets" with training.loss triplet',
            training.pairing,
        ),
        (
            training.loss != "members_contrastive" or network.name == "best",
            "network.name best, three networks, with training.loss members_contrastive",
            network.name,
        ),
        (
            not training.ways or (in_batch and network.name == "features"),
            'network.name features and training.pairing "batch" with training.ways',
            f"{network.name} and {training.pairing}",
        ),
        (
            not training.ways or reading.held_out > 0,
            "reading.held_out above 0 with training.ways, of which it chooses",
            f"{reading.held_out}",
        ),
        (
            training.patience is None or training.keep_best,
            "training.keep_best with training.patience, which counts epochs since the best",
            "patience without keep_best",
        ),
        (
            not training.keep_best or reading.held_out > 0,
            "reading.held_out above 0 with training.keep_best, which chooses by what is held out",
            f"{reading.held_out}",
        ),
    ]
    for fits, wanted, received in rules:
        if not fits:
            raise InputError(f"Expected {wanted}. Received: {received}.")
