"""What a model's directory says of it: its settings and its digest; those of exported files."""

import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile, is_zipfile

from pyimagesearch.data.images import FITS
from pyimagesearch.system.terminal import InputError, printable

FORMAT = 1
SETTINGS = Path("assets.extra", "siamese.json")  # TensorFlow's loader ignores this folder
ADVICE = "Train one with train_contrastive_siamese_network.py, or name another folder (--model)."


def _are_rates(rates: dict[str, Any]) -> bool:
    # thresholds by false match rates, "0.01" and the like; None: too few pairs for it
    return all(0 < float(r) < 1 and (t is None or math.isfinite(t)) for r, t in rates.items())


CHECKS: dict[str, Callable[[Any], bool]] = {  # of a setting: whether a value is of its kind
    "format_version": lambda x: x == FORMAT,
    "image_shape": lambda x: len(x) == 3 and 0 < min(x) <= max(x) < 2**16,
    "threshold": math.isfinite, "operating_images": lambda x: math.isfinite(x) and x >= 0,
    "reading": lambda x: x.get("fit", "stretch") in FITS,
    "class_names": lambda x: {*map(type, x)} <= {str},
    "distance": lambda x: x in ("euclidean", "cosine"),
    "operating_points": _are_rates, "operating_bounds": _are_rates,
    "identification": lambda x: _are_rates(x.get("rates") or {}),
    "head_parameters": lambda x: math.isfinite(x["weight"] + x["bias"]),
    "probability": lambda x: math.isfinite(x["middle"] + x["slope"]),
}  # fmt: skip


def folder_of(path: str) -> str:
    """The folder that a model's directory lies in; a folder that a training wrote to is its own."""
    is_model = os.path.isfile(os.path.join(path, "saved_model.pb"))
    return os.path.normpath(os.path.join(path, "..")) if is_model else path


def read_settings(model: Path) -> dict[str, Any]:
    """What siamese.json in a model's directory holds, untrusted text; each setting of its kind.

    Raises InputError where that is no model's directory, or a setting is damaged.
    """
    file = model / SETTINGS
    if not (model / "saved_model.pb").is_file() or not file.is_file():
        there = "without them" if model.is_dir() else "a file" if model.exists() else "not there"
        received = f"{printable(model)}, {there}. {ADVICE}"
        raise InputError(f"a model directory with saved_model.pb and {SETTINGS}", received)
    name = "no JSON object"
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        for name, is_right in CHECKS.items():
            is_there = settings.get(name) is not None or name in ("image_shape", "threshold")
            if is_there and not is_right(settings[name]):
                raise ValueError
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
        wanted = f"settings in {printable(file)} as this version writes them"
        raise InputError(wanted, f"damaged or newer ones ({name}). {ADVICE}") from None
    return settings


def read_exported(file: Path) -> tuple[bytes, dict[str, Any]]:
    """The network in an exported file, and its settings: those inside, else those beside it."""
    if not is_zipfile(file):  # ONNX, or of an older version
        return file.read_bytes(), json.loads(Path(f"{file}.json").read_text(encoding="utf-8"))
    with ZipFile(file) as archive:
        network = file.read_bytes()[: archive.infolist()[0].header_offset]
        return network, json.loads(archive.read(SETTINGS.name))


def digest(model: str | Path) -> str:
    """A digest of a model's weights and graph; its settings have no part in it.

    Two directories of one digest give the same embeddings. "": there is no model.
    """
    found = hashlib.sha256()
    try:
        for file in [Path(model, "saved_model.pb"), *sorted(Path(model, "variables").glob("*"))]:
            content = file.read_bytes()
            found.update(os.fsencode(f"{file.name} {len(content)} "))
            found.update(content)
    except OSError:  # not there, or a training takes it away at this moment
        return ""
    return found.hexdigest()
