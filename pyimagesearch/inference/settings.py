"""What lies beside the graph in a SavedModel directory, read and written without TensorFlow."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.config import MODEL_PATH
from pyimagesearch.data import sets
from pyimagesearch.data.images import FITS
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import find_directory, locked, whole_file
from pyimagesearch.system.errors import printable

FORMAT_VERSION = 1
SETTINGS = Path("assets.extra", "siamese.json")  # TensorFlow's loader ignores this folder
ADVICE = "Train one with train_contrastive_siamese_network.py, or name another with --model."


def read_settings(path: str | Path) -> dict[str, Any]:
    """The settings of a SavedModel directory, read as untrusted text.

    Raises InputError where there are none, or they are damaged or of a newer format.
    """
    path = Path(path)
    shown = printable(path)
    if not path.is_dir():
        raise InputError(f"Expected a model directory. Received: {shown}, not there. {ADVICE}")
    if not (path / "saved_model.pb").is_file() or not (path / SETTINGS).is_file():
        inside = path / Path(MODEL_PATH).name
        advice = f"Its model is --model {printable(inside)}." if inside.is_dir() else ADVICE
        raise InputError(
            f"Expected a model directory with saved_model.pb and {SETTINGS}. "
            f"Received: {shown} without. {advice}"
        )
    try:
        settings = json.loads((path / SETTINGS).read_text(encoding="utf-8"))
        version = settings["format_version"]
        if type(version) is int and version > FORMAT_VERSION:
            raise InputError(
                f"Expected settings of format {FORMAT_VERSION} or older. Received: {version} "
                f"in {shown}. Take a newer version of this project."
            )
        shape, threshold = settings["image_shape"], settings["threshold"]
        whole = all(type(n) is int and 0 < n < 2**16 for n in shape)
        number = type(threshold) in (int, float) and np.isfinite(threshold)
        if len(shape) != 3 or not whole or not number:
            raise TypeError("image_shape or threshold")
    except (TypeError, KeyError, RecursionError, json.JSONDecodeError, UnicodeError):
        raise InputError(
            f"Expected whole settings in {printable(path / SETTINGS)}. Received: damaged ones. "
            f"{ADVICE}"
        ) from None
    return settings


def shape_of(settings: dict[str, Any]) -> tuple[int, int, int]:
    """The shape (H, W, C) that a model's images are read in, a WholeShape where it was."""
    reading = settings.get("reading")
    fit = reading.get("fit") if isinstance(reading, dict) else None
    return FITS.get(str(fit), tuple)(settings["image_shape"])


def write_settings(model: Any, settings: dict[str, Any]) -> None:
    """Rewrite the settings of a loaded model alone, whole or not at all.

    model: a SiameseModel. Raises InputError where its directory now holds another model than
    the one that was loaded: the settings belong to that one.
    """
    with locked(model.path):
        directory = find_directory(model.path)
        if digest(directory) != model.digest:
            raise InputError(
                f"Expected the model that was loaded from {printable(model.path)}. Received: "
                "another; the model was replaced while it was measured: run again."
            )
        write(directory / SETTINGS, settings)


def write(file: Path, settings: dict[str, Any]) -> None:
    """Settings as a JSON file, whole or not at all."""
    with whole_file(file) as new:
        Path(new).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def read_trained_on(path: str | Path) -> np.ndarray:
    """Digests of the pixels that a model was trained on: uint64 (N,), none where unknown.

    See data.sets.pixel_digests. Raises InputError where the file is damaged.
    """
    try:
        return sets.read_trained_on(path)
    except FileNotFoundError:
        return np.zeros(0, np.uint64)
    except ValueError:
        raise InputError(
            f"Expected uint64 numbers in {printable(Path(path, sets.TRAINED_ON))}. Received: a "
            "damaged file. Remove it, and no command says any more what the model was trained on."
        ) from None


def digest(path: str | Path) -> str:
    """A digest of a model's weights and graph; its settings have no part in it.

    Two directories of one digest give the same embeddings. "": there is no model.
    """
    found = hashlib.sha256()
    files = [Path(path, "saved_model.pb"), *sorted(Path(path, "variables").glob("*"))]
    try:
        for file in files:
            content = file.read_bytes()
            found.update(f"{file.name} {len(content)} ".encode("utf-8", "surrogateescape"))
            found.update(content)
    except OSError:  # not there, or a training takes it away at this moment
        return ""
    return found.hexdigest()
