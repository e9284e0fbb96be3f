"""A trained model on disk, and the questions that it answers.

A SavedModel is a program: load none that you would not run.
"""

import hashlib
import json
import math
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.config import MODEL_PATH
from pyimagesearch.data import sets
from pyimagesearch.data.images import FITS, read_image
from pyimagesearch.data.sets import Rows, in_batches
from pyimagesearch.evaluation.distances import angular_similarity
from pyimagesearch.evaluation.verification import called_same
from pyimagesearch.system.errors import InputError, first_line, printable
from pyimagesearch.system.files import restore
from pyimagesearch.system.terminal import at_once

FORMAT_VERSION = 1
SETTINGS = Path("assets.extra", "siamese.json")  # TensorFlow's loader ignores this folder
ADVICE = "Train one with train_contrastive_siamese_network.py, or name another with --model."
BLOCK = 10_000  # embeddings that are compared at a time
FEW = 4  # images that are one batch of any model


class SiameseModel:
    """A SavedModel directory that saving.save wrote, loaded by TensorFlow.

    path: the directory. settings: what siamese.json holds. image_shape: (H, W, C) of the images
    it takes; of three channels, red comes first. threshold: two images are the same where their
    distance is below it. digest: of weights and graph. embedding_dim: D.
    lite: run the encoder.tflite that `export` has written beside it, without TensorFlow.
    """

    def __init__(self, path: str | Path, lite: bool = False):
        """Raises InputError where path is no SavedModel that save wrote; lite: others, too.

        A training may put a new model there at this moment: then all is read again, so that no
        file of the old model is taken together with one of the new.
        """
        self.path = Path(os.path.realpath(path))
        if not self.path.exists():
            restore(self.path.parent)  # a killed training may have left it aside
        for pause in (0.02, 0.05, 0.1, 0.2):
            self.digest = digest(self.path)
            fault = None
            try:
                self._load(lite)
            except (InputError, OSError) as error:
                fault = error
                time.sleep(pause)  # a model that is being replaced is missing for a moment
            if digest(self.path) == self.digest:
                if fault:
                    raise fault
                return
        received = f"{printable(self.path)}, replaced each time. Try again."
        raise InputError(f"Expected a model that stays while it is read. Received: {received}")

    def _load(self, lite: bool) -> None:
        file = self.path / SETTINGS
        if not (self.path / "saved_model.pb").is_file() or not file.is_file():
            there = "without" if self.path.is_dir() else "not there"
            inside = self.path / Path(MODEL_PATH).name
            advice = f"Its model is --model {printable(inside)}." if inside.is_dir() else ADVICE
            raise InputError(
                f"Expected a model directory with saved_model.pb and {SETTINGS}. "
                f"Received: {printable(self.path)}, {there}. {advice}"
            )
        try:  # the settings are untrusted text
            settings = json.loads(file.read_text(encoding="utf-8"))
            (version, shape) = (settings["format_version"], settings["image_shape"])
            if type(version) is int and version > FORMAT_VERSION:
                raise InputError(
                    f"Expected settings of format {FORMAT_VERSION} or older. Received: {version} "
                    f"in {printable(file)}. Take a newer version of this project."
                )
            whole = list(map(type, shape)) == [int] * 3 and 0 < min(shape) <= max(shape) < 2**16
            if not whole or not math.isfinite(settings["threshold"]):
                raise TypeError("image_shape or threshold")
            reading = settings.get("reading")
            fit = str(reading.get("fit")) if isinstance(reading, dict) else ""
        except (TypeError, KeyError, RecursionError, OverflowError, json.JSONDecodeError,
                UnicodeError):  # fmt: skip
            raise InputError(
                f"Expected whole settings in {printable(file)}. Received: damaged ones. {ADVICE}"
            ) from None
        self.settings: dict[str, Any] = settings
        self.image_shape: tuple[int, int, int] = FITS.get(fit, tuple)(shape)
        self.threshold: float = settings["threshold"]
        if lite:
            from pyimagesearch.inference.lite_model import Endpoints

            self._archive: Any = Endpoints(self.path, self.digest, settings)
            damaged: tuple = ()
        else:
            import tensorflow as tf

            # what the loader raises for a damaged file, found by damaging files in many ways
            damaged = (OSError, ValueError, LookupError, AttributeError, TypeError,
                tf.errors.OpError)  # fmt: skip
        try:
            if not lite:
                with plain_path(self.path) as plain:
                    self._archive = tf.saved_model.load(plain)
            # one black image: do the graph and the settings speak of the same shape?
            feats = self._archive.embed(np.zeros((1, *self.image_shape), np.uint8))["embedding"]
            self._archive.distance({"embedding_a": feats, "embedding_b": feats})["distance"]
            (_, self.embedding_dim) = feats.shape
        except damaged as error:
            raise InputError(
                f"Expected a SavedModel that loads. Received: {printable(self.path)} "
                f"({first_line(error)}). Train it again with train_contrastive_siamese_network.py."
            ) from None

    def read(self, paths: Sequence[str | Path]) -> np.ndarray:
        """Image files as training reads them: uint8 (N, H, W, C), in the order of the paths.

        Raises InputError, naming the files, where some cannot be read.
        """
        if isinstance(paths, str | bytes | Path):
            raise InputError("Expected a list of paths. Received: one path. Write [path].")
        (pixels, bad) = ([], [])
        for path in paths:
            try:
                pixels.append(read_image(path, self.image_shape))
            except InputError as error:
                bad.append(str(error))
        if bad:
            more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
            raise InputError(f"Expected readable images. Received: {'; '.join(bad[:3])}{more}.")
        return np.array(pixels, np.uint8).reshape(-1, *self.image_shape)

    def embed_files(self, paths: Sequence[str | Path]) -> np.ndarray:
        """embed(read(paths)), block by block: float32 (N, D), in the order of the paths."""
        if isinstance(paths, str | bytes | Path):
            self.read(paths)
        size = max(200_000 // math.prod(self.image_shape[:2]), FEW)  # as sets.in_batches
        blocks = [paths[k : k + size] for k in range(0, len(paths), size)]
        with ThreadPoolExecutor(at_once()) as pool:
            parts = list(pool.map(lambda block: self.embed(self.read(block)), blocks))
        return np.concatenate([np.zeros((0, self.embedding_dim), np.float32), *parts])

    def embed(self, images: np.ndarray | Rows) -> np.ndarray:
        """uint8 (N, H, W, C) -> float32 (N, D), batch by batch.

        images: of the model's image_shape, values from 0 to 255; three channels are red, green,
        blue in this order (OpenCV reads them the other way round: images[..., ::-1]).
        Raises InputError for anything else: of floats from 0 to 1, made uint8, all would be black.
        """
        if not isinstance(images, Rows):  # which are uint8
            images = np.asarray(images)
        array = images if isinstance(images, np.ndarray) else images[:1]
        if array.dtype != np.uint8 or array.shape[1:] != self.image_shape:
            raise InputError(
                f"Expected uint8 images of shape (N, {', '.join(map(str, self.image_shape))}). "
                f"Received: {array.dtype} of shape {array.shape}. One image is images[None], "
                "floats from 0 to 1 are (images * 255).round().astype('uint8'), and files are "
                "read by embed_files(paths)."
            )
        if not len(images):
            return np.zeros((0, self.embedding_dim), np.float32)
        if len(images) <= FEW:
            return np.asarray(self._archive.embed(images[:])["embedding"])
        return in_batches(lambda few: np.asarray(self._archive.embed(few)["embedding"]), images)

    def distance(self, vectors: Sequence[np.ndarray]) -> np.ndarray:
        """(feats_a, feats_b), each float (B, D) -> float32 (B,); smaller = more alike.

        What the model puts out: with a head how different two images are, from 0 to 1.
        Raises InputError for anything else.
        """
        (a, b) = map(np.asarray, vectors) if len(vectors) == 2 else (np.array(None),) * 2
        whole = a.shape == b.shape == (len(np.atleast_1d(a)), self.embedding_dim)
        if not whole or a.dtype.kind != "f" or b.dtype.kind != "f":
            raise InputError(
                f"Expected a pair (feats_a, feats_b), each floats (B, {self.embedding_dim}). "
                f"Received: {a.dtype} {a.shape} and {b.dtype} {b.shape}. A single one is "
                "feats[None]; for one against many take distance_to_all(feats, gallery)."
            )
        (a, b) = (a.astype(np.float32, copy=False), b.astype(np.float32, copy=False))
        found = self._archive.distance({"embedding_a": a, "embedding_b": b})
        return np.asarray(found["distance"])[:, 0]

    def distance_to_all(self, feats: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """One embedding (D,) and many, (N, D) -> float32 (N,)."""
        parts = [gallery[i : i + BLOCK] for i in range(0, len(gallery), BLOCK)]
        return np.concatenate([self.distance([np.tile(feats, (len(p), 1)), p]) for p in parts])

    def is_same(self, distances: np.ndarray | float, threshold: float | None = None) -> np.ndarray:
        """Whether distances call two images the same: where they are below the threshold."""
        return called_same(distances, self.threshold if threshold is None else threshold)

    def judge(self, distances: np.ndarray | float, threshold: float) -> dict[str, Any]:
        """What distances say of images, for JSON: numbers for one distance, lists for an array.

        "similarity" is 2^(-distance / threshold): 1 at distance 0, 0.5 at the threshold; of a
        cosine distance the angular similarity, 1 - arccos(1 - distance) / pi. "same": is_same.
        """
        values = np.asarray(distances, np.float64)
        if self.settings.get("distance") == "cosine":
            alike = angular_similarity(values)
        else:
            alike = np.exp2(-values / max(threshold, 1e-12))
        return {
            "distance": values.tolist(),
            "similarity": alike.tolist(),
            "same": (values < threshold).tolist(),
        }

    def trained_on(self) -> np.ndarray:
        """data.sets.pixel_digests of what it was trained on: uint64 (N,); none where unknown.

        Raises InputError where the file is damaged.
        """
        try:
            digests = sets.read_trained_on(self.path)
        except FileNotFoundError:
            return np.zeros(0, np.uint64)
        except ValueError:
            raise InputError(
                f"Expected uint64 numbers in {printable(self.path / sets.TRAINED_ON)}. Received: "
                "a damaged file. Remove it, and it is unknown what the model was trained on."
            ) from None
        return digests if digest(self.path) == self.digest else digests[:0]  # replaced meanwhile

    def operating_points(self) -> dict[str, float | None]:
        """The threshold for each false match rate, "0.01" and the like; None: not enough pairs."""
        points = self.settings.get("operating_points")
        return {
            rate: threshold if type(threshold) in (int, float) else None
            for rate, threshold in (points if isinstance(points, dict) else {}).items()
            if re.fullmatch(r"[0-9]*\.?[0-9]+", rate)  # settings are untrusted text
        }

    def threshold_for(self, fmr: float) -> float:
        """The threshold stored for a false match rate such as 0.001.

        Raises InputError where the calibration had not enough pairs for that rate.
        """
        points = self.operating_points()
        for rate, threshold in points.items():
            if float(rate) == fmr and threshold is not None:
                return threshold
        raise InputError(
            f"Expected a false match rate that this model is calibrated for: "
            f"{', '.join(rate for rate in points if points[rate] is not None) or 'none'}. "
            f"Received: {fmr:g}{', not enough pairs' if fmr in map(float, points) else ''}. "
            "evaluate DIR --calibrate stores more rates where DIR has images enough."
        )


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


@contextmanager
def plain_path(directory: str | Path) -> Iterator[str]:
    r"""A path to a directory that TensorFlow can read and write, a link where that is needed.

    TensorFlow takes []?*\ in a path for a pattern, and wants UTF-8.
    """
    path = os.path.abspath(directory)
    if path.isprintable() and not set("[]?*\\") - {os.sep} & set(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="contrastive-") as folder:
        link = os.path.join(folder, "model")
        os.symlink(path, link, target_is_directory=True)
        yield link
