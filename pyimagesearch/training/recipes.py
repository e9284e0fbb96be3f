"""A recipe by its name or from a file of one's own, and whether what it asks for fits together."""

import tomllib
from collections.abc import Callable, Collection
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

Limit = tuple[str, Callable[[Any], bool]]  # what a value may be in words, and whether one is that


def one_of(names: Collection[str]) -> Limit:
    return f"one of {', '.join(names)}", lambda x: x in list(names)


def whole(low: int, high: int) -> Limit:
    return f"a whole number from {low} to {high}", lambda x: type(x) is int and low <= x <= high


def number(low: float, high: float) -> Limit:
    return f"a number from {low} to {high}", lambda x: type(x) in (int, float) and low <= x <= high


TEXT: Limit = ("a text", lambda x: type(x) is str)
SWITCH: Limit = ("true or false", lambda x: type(x) is bool)
SHARE = number(0, 0.99)
SIDE = whole(1, 4096)
TINY = 1e-30  # above 0

# every field that a recipe's file may have. The numbers go further than anybody needs: beyond
# them a training would end in a traceback, or not at all
LIMITS: dict[str, Limit] = {
    "source": TEXT,
    "network.name": one_of(NETWORKS),
    "network.embedding_dim": whole(1, 100_000),
    "network.pixel_scale": number(TINY, 1e6),
    "network.distance": one_of(DISTANCES),
    "network.head": one_of(HEADS),
    "network.weights": TEXT,
    "network.test_shift": whole(0, 4),
    "training.pairing": one_of(SAMPLERS),
    "training.loss": one_of(LOSSES),
    "training.batch_size": whole(1, 2**31 - 1),
    "training.epochs": whole(1, 10**6),
    "training.margin": number(TINY, 1e6),
    "training.optimizer": one_of(OPTIMIZERS),
    "training.learning_rate": number(TINY, 1e30),
    "training.precision": one_of(PRECISIONS),
    "training.warmup_steps": whole(0, 10**9),
    "training.shift": number(0, 4096),
    "training.turn": number(0, 180),
    **{f"training.{move}": SHARE for move in ("zoom", "crop", "light", "colour", "blur")},
    "training.mirror": SWITCH,
    "training.least_steps": whole(0, 10**6),
    "training.ways": (
        f"a list of some of {', '.join(WAYS)}",
        lambda x: type(x) is tuple and all(way in WAYS for way in x),
    ),
    "training.keep_best": SWITCH,
    "training.patience": whole(1, 10**6),
    "reading.least_shape": (
        "[height, width, 1 or 3], whole numbers",
        lambda x: type(x) is tuple and len(x) == 3 and all(map(SIDE[1], x)) and x[2] in (1, 3),
    ),
    "reading.side": SIDE,
    "reading.fit": one_of(FITS),
    "reading.tested": number(TINY, 0.99),
    "reading.held_out": SHARE,
}


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
    [reading] with fields of a Recipe. Raises InputError that names a field that is not in LIMITS,
    and what check refuses.

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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"Expected a recipe in TOML. Received: {path} ({error}).") from None
    base = content.pop("base", "article")
    if base not in list(RECIPES):
        raise InputError(
            f"Expected base, one of {', '.join(RECIPES)}. Received: {base!r}, in {path}."
        )
    values = {"source": content.pop("source", f"{path}, from {base}")}
    for table, fields in content.items():
        known = [x.partition(".")[2] for x in LIMITS if x.startswith(f"{table}.")]
        if not known or not isinstance(fields, dict):
            raise InputError(
                "Expected base, source, and the tables [network], [training], [reading]. "
                f"Received: {table} = {fields!r}, in {path}."
            )
        for field, value in fields.items():
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
    for field, (wanted, fits) in LIMITS.items():
        (group, _, name) = field.rpartition(".")
        value = getattr(getattr(recipe, group) if group else recipe, name)
        if value is not None and not fits(value):  # None, which no file can say: without
            raise InputError(f"Expected {field}, {wanted}. Received: {value!r}.")

    (network, training, held_out) = (recipe.network, recipe.training, recipe.reading.held_out)
    in_batch = training.pairing == "batch"  # then the loss sees embeddings, not distances
    pairing, loss, ways = training.pairing, training.loss, training.ways

    def need(fits_together: bool, wanted: str, received: object) -> None:
        if not fits_together:
            raise InputError(f"Expected {wanted}. Received: {received}.")

    need(
        in_batch == (loss in BATCH_LOSSES),
        f'training.pairing "batch" with training.loss {" or ".join(BATCH_LOSSES)}, and any other '
        "pairing with another loss",
        f"{pairing} with {loss}",
    )
    need(
        not in_batch or (network.head, network.distance) == ("none", "euclidean"),
        'network.head "none" and network.distance "euclidean" with training.pairing "batch"',
        f"{network.head} and {network.distance}",
    )
    need(
        loss != "binary_cross_entropy" or network.head != "none",
        "network.head sigmoid or normalized_sigmoid with training.loss binary_cross_entropy",
        network.head,
    )
    is_triplets = loss != "triplet" or pairing == "triplets"
    need(is_triplets, 'training.pairing "triplets" with training.loss triplet', pairing)
    need(
        loss != "members_contrastive" or network.name == "best",
        "network.name best, three networks, with training.loss members_contrastive",
        network.name,
    )
    need(
        training.patience is None or training.keep_best,
        "training.keep_best with training.patience, which counts epochs since the best",
        "patience without keep_best",
    )
    need(
        held_out > 0 or not (training.keep_best or ways),
        "reading.held_out above 0 with training.keep_best or training.ways, which choose by it",
        held_out,
    )
    if not ways:
        return
    need(
        in_batch and network.name == "features",
        'network.name features and training.pairing "batch" with training.ways',
        f"{network.name} and {pairing}",
    )
    need(
        network.weights == "none",
        "--weights with another recipe, since one with training.ways always starts from the "
        "network that ships",
        f"{network.weights}. Leave --weights out, or add --recipe photos-small",
    )
    need(
        (ways[0], training.keep_best, network.test_shift) == ("whitened", False, 0),
        'training.ways that begin with "whitened", and neither training.keep_best nor '
        "network.test_shift with them",
        f"{ways[0]}, {training.keep_best}, {network.test_shift}",
    )
