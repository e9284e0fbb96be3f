"""A trained model on disk, a program like any SavedModel, and the questions that it answers."""

import hashlib
import math
import os
import shutil
import threading
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.config import MODEL_PATH
from pyimagesearch.data import listing
from pyimagesearch.data.cache import Found, read_files
from pyimagesearch.data.images import FITS, fit, read_picture
from pyimagesearch.data.sets import Rows, array_of, class_numbers, in_batches, read_trained_on
from pyimagesearch.evaluation.distances import distance_of, probability_of
from pyimagesearch.inference.gallery import Gallery
from pyimagesearch.inference.settings import ADVICE, digest, read_exported, read_settings
from pyimagesearch.system import terminal
from pyimagesearch.system.files import REPORTS, check_writable, plain_path, restore, whole_directory
from pyimagesearch.system.terminal import InputError, printable, quiet, say, warn

BESIDE = ("contrastive_*.png", *REPORTS, "encoder.keras")
ENCODER = "encoder.tflite"  # beside the SavedModel's directory
MEND = "grey ones are x[..., None], values from 0 to 1 (x * 255).round().astype('uint8'), others "
MEND += "x.round().astype('uint8'); files alone are resized: give paths, embed_files(paths)"
FPIR = 0.01  # the false positive identification rate that is held where none is named

File = str | os.PathLike
Image = File | np.ndarray  # or its pixels as they are read: uint8 (H, W, C)
Folder = File | np.ndarray | Gallery  # or its images in memory, uint8 (N, H, W, C)


class Answer(dict):
    """What a question gives, by the names that `--json` prints: answer["same"] or answer.same."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(f"this answer has {', '.join(self)}; not {name}")
        return self[name]

    def __repr__(self) -> str:
        return self.get("report") or super().__repr__()  # of evaluate: what its command prints


class SiameseModel:
    """A SavedModel directory that saving.save wrote.

    settings: what siamese.json holds. image_shape: (H, W, C) of the images it takes; of three
    channels, red comes first. threshold: two images are the same where their distance is below
    it. operating_points: the threshold for each false match rate, "0.01" and the like; None: too
    few pairs. digest: of weights and graph. embedding_dim: D. measure: the distance of embeddings.

        model = SiameseModel("output")
        model.compare("examples/image_01.png", "examples/image_09.png").same
    """

    warned_of_colour = warned_of_fpir = False  # each warning comes once

    def __init__(self, path: File, lite: bool = False):
        """Load the model in a directory, or in a folder that a training wrote it into.

        lite: run the encoder.tflite that `export` has written beside it, without TensorFlow.
        Raises InputError where path is no SavedModel of save's, or a training replaces it now;
        lite: ImportError where LiteRT or the file is missing, others where it is damaged.
        """
        path = Path(os.path.realpath(path))
        inside = path / Path(MODEL_PATH).name
        is_there = any((x / "saved_model.pb").exists() for x in (path, inside))
        for folder in () if is_there else (path.parent, path):  # a killed training left it aside
            restore(folder)
        self.path = inside if inside.is_dir() else path
        if lite and not ((self.path.parent / ENCODER).is_file() and find_spec("ai_edge_litert")):
            raise ImportError(f"no LiteRT, or no {ENCODER} beside the model")
        (self.digest, self.settings) = (digest(self.path), read_settings(self.path))
        how = (self.settings.get("reading") or {}).get("fit", "stretch")
        self.image_shape: tuple[int, int, int] = FITS[how](self.settings["image_shape"])
        self.threshold: float = self.settings["threshold"]
        self.operating_points: dict = self.settings.get("operating_points") or {}
        self.batch_size = max(200_000 // math.prod(self.image_shape[:2]), 4)  # for memory
        try:
            if lite:
                self.network = self._exported()
            else:
                with quiet(), plain_path(self.path) as plain:
                    import tensorflow as tf

                    tf.zeros(())  # starts the devices: what TensorFlow says of them is hidden
                    self._archive: Any = tf.saved_model.load(plain)  # its endpoints do not keep it
                self.network = self._archive.signatures["embed"]
            # one black image: do the graph and the settings speak of the same shape?
            black = self.embed(np.zeros((1, *self.image_shape), np.uint8))
            self.embedding_dim: int = black.shape[1]
            self.measure = distance_of(self.settings)
        except Exception as error:  # a damaged file makes TensorFlow raise nearly anything
            if lite or isinstance(error, InputError):
                raise
            received = f"{printable(self.path)} ({terminal.first_line(error)}). {ADVICE}"
            raise InputError("a SavedModel that loads", received) from None
        self.check_unchanged(self.path)

    def save(self, folder: File) -> None:
        """Write it into a folder, with what its training left beside it: model.save("run")"""
        if os.path.isfile(folder) or Path(folder).suffix in (".keras", ".h5"):
            raise InputError("a folder", f"{printable(folder)}, a file or the name of a Keras file")
        path = Path(os.path.realpath(folder), Path(MODEL_PATH).name)
        replaces = path.exists()
        check_writable(path.parent, path)
        with whole_directory(path) as new:
            shutil.copytree(self.path, new, copy_function=shutil.copyfile)
            self.check_unchanged(new)
        for name in BESIDE if path.parent != self.path.parent else ():
            for old in path.parent.glob(name) if replaces else ():
                old.unlink()
            for file in self.path.parent.glob(name):
                shutil.copy(file, path.parent)
        self.path = path

    def _exported(self) -> Callable:
        """The network without TensorFlow, which takes seconds.

        The embeddings are the SavedModel's to within 4e-7: the cache keeps both under one digest.
        """
        from ai_edge_litert.interpreter import Interpreter

        (content, settings) = read_exported(self.path.parent / ENCODER)
        known = {"model": self.digest, "sha256": hashlib.sha256(content).hexdigest()}
        if settings["export"] | known != settings["export"]:
            raise ValueError("it is damaged, of another model, or of an older version")
        with quiet():  # its C++ says that it has made a delegate
            interpreter = Interpreter(model_content=content, num_threads=terminal.AT_ONCE)
            interpreter.allocate_tensors()
        runner = interpreter.get_signature_runner("embed")
        turn = threading.Lock()  # an interpreter for each thread is no faster

        def network(images):
            with turn:
                return runner(images=images)

        return network

    def __repr__(self) -> str:
        """Its recipe, the shape of its images, how many classes it knows, its threshold."""
        (known, shape) = (self.settings.get, "x".join(map(str, self.image_shape)))
        about = f"recipe {known('recipe')}, images {shape}, {len(known('class_names') or ())}"
        return f"<SiameseModel: {about} classes, threshold {self.threshold:.3f}>"

    @cached_property
    def trained_on(self) -> np.ndarray:
        """uint64 (N,), data.sets.ImageSet.digests of what it was trained on; (0,) where unknown."""
        known = read_trained_on(self.path)
        if known is not None:
            self.check_unchanged(self.path)
        return np.zeros(0, np.uint64) if known is None else known

    def check_unchanged(self, path: str | Path) -> None:
        """Raise InputError where a directory holds another model than the one that was loaded."""
        if digest(path) != self.digest:
            received = "another or none, it was replaced or removed meanwhile: load it again"
            raise InputError(f"in {printable(self.path)} the model that was loaded", received)

    def compare(self, a: Image, b: Image, fmr: float | None = None) -> Answer:
        """What judge says of two images, and the threshold: model.compare("a.png", "b.png").same"""
        threshold = self.threshold_for(fmr)
        (distance,) = self.distance(self.embed(self.read([a, b])))
        return Answer(self.judge(distance, threshold), threshold=threshold)

    def evaluate(self, folder: File | np.ndarray, labels: Any = None, **flags: Any) -> Answer:
        """How good is the model on a folder or a list, or on images and their labels?

        images: uint8 (N, H, W, C), labels (N,). Of a folder with train/ and test/ the test's images
        are evaluated, else val's. flags: fmr, class_level, group_by, calibrate, force and figure,
        see inference.evaluate. model.evaluate("photos", fmr=0.01).report
        """
        from pyimagesearch.inference.evaluate import evaluate

        return Answer(evaluate(self, folder, labels, **flags))

    def search(
        self, query: Image, folder: Folder, top: int = 5, fmr: float | None = None
    ) -> Answer:
        """Which images of a folder, or of what embed_folder made of it, are most like this one?

        results: the nearest first, each with its file, in an array its number, and judge's answer:
        model.search("a.png", "photos", top=3).results[0].file
        """
        threshold = self.threshold_for(fmr)
        (feats, gallery) = self._asked(query, folder, 0, top)
        # so many as fit into the processor's cache at a time; equal ones stay in their order
        far = in_batches(partial(self.measure.rows, feats[np.newaxis]), gallery.embeddings, 4_000)
        rows = np.argsort(far, kind="stable")[:top]
        distances = self.distance([feats, gallery.embeddings[rows]])
        results = [Answer(file=gallery.path(row), **self.judge(distance, threshold))
                   for row, distance in zip(rows, distances)]  # fmt: skip
        return Answer(threshold=threshold, results=results)

    def identify(
        self, query: Image, folder: Folder, fpir: float = FPIR, top: int = 5, labels: Any = None
    ) -> Answer:
        """Who or what is this, or nobody known? A folder has a subfolder for each person or thing.

        folder: or what embed_folder made of it; or images in memory, and labels, one for each.
        fpir: the false positive identification rate, the share of strangers who are given a name
        (ISO/IEC 19795-1:2021). A stranger is compared with all N images: FPIR <= N FMR, so the
        threshold is that for a false match rate of fpir / N.
        known: whether the nearest class is nearer than threshold; name: then its name. fpir: None
        where no threshold is known to hold it. gallery_size: N. candidates: the `top` nearest
        classes, each with the distance and the probability of its nearest image.
        model.identify("a.png", "people").name is None for a stranger.
        """
        if np.ndim(fpir) or not 0 < fpir < 1:
            raise InputError("fpir, a number between 0 and 1; labels are named, labels=y", fpir)
        (feats, gallery) = self._asked(query, folder, None, top, labels)
        size = len(gallery.names)
        if {*gallery.classes} <= {""}:
            wanted = "a subfolder for each person or thing" if gallery.directory else "labels=y"
            raise InputError(wanted, f"{printable(gallery.directory or 'images')} without them")
        calibration = self.settings.get("identification") or {}
        rates = self.operating_points | (calibration.get("rates") or {})
        limits = {float(rate): limit for rate, limit in rates.items() if limit is not None}
        held = [limits[rate] for rate in limits if rate * size <= fpir * (1 + 1e-9)]  # 0.001 * 10
        threshold = max(held) if held else min([self.threshold, *limits.values()])
        if not self.warned_of_fpir and (not held or calibration.get("new_classes") is False):
            self.warned_of_fpir = True
            chose = "classes that were trained on" if held else "too few images"
            warn(f"strangers may get a name more often than --fpir says, since {chose} chose the "
                 "thresholds: evaluate --calibrate with others mends it")  # fmt: skip
        distances = self.distance([feats, gallery.embeddings]).tolist()
        nearest_of: dict[str, tuple[float, int]] = {}  # of each class, the nearest one first
        for distance, name, row in sorted(zip(distances, gallery.classes, range(size))):
            nearest_of.setdefault(name, (distance, row))
        candidates = [Answer(name=name, **self.judge(distance, threshold), file=gallery.path(row))
                      for name, (distance, row) in [*nearest_of.items()][:top]]  # fmt: skip
        (known, *_) = [candidate.pop("same") for candidate in candidates]
        who = candidates[0].name if known else None
        answer = Answer(known=known, name=who, threshold=threshold, fpir=fpir if held else None)
        return Answer(answer, gallery_size=size, candidates=candidates)

    def _asked(
        self, query: Image, folder: Folder, level: int | None, top: int, labels: Any = None
    ) -> tuple[np.ndarray, Gallery]:
        # the query's embedding (D,), and the gallery that it is looked for in
        if not isinstance(top, (int, np.integer)) or top < 1:
            raise InputError("top, a whole number from 1 up", repr(top))
        (feats,) = self.embed(self.read([query]))
        if not isinstance(folder, Gallery):
            folder = self.embed_folder(folder, level, labels=labels)
        elif labels is not None:
            raise InputError("labels of images in memory", "of a gallery, which has its own")
        if folder.model != self.digest:
            raise InputError("a gallery that this model embedded", "one of another model")
        return feats, folder.without(query)

    def read(self, images: Sequence[Image]) -> np.ndarray:
        """Image files as training reads them: uint8 (N, H, W, C), in the order that is given.

        Says, once, that a model of small grey images is asked about a large photo in colour.
        Raises InputError, naming the first one that cannot be read.
        """
        if isinstance(images, str | bytes | Path):
            raise InputError("a list of paths", "one path. Write [path]")
        (height, width, channels) = self.image_shape
        side = max(height, width)
        pixels = np.empty((len(images), *self.image_shape), np.uint8)
        try:
            for k, image in enumerate(images):
                if not isinstance(image, File):
                    x = array_of(image)
                    if (x.dtype, x.shape) != (np.uint8, self.image_shape):
                        raise InputError(f"{x.dtype} of shape {x.shape}: x[0] of a batch, {MEND}")
                    pixels[k] = x
                    continue
                (picture, _) = read_picture(image, side)
                pixels[k] = fit(picture, self.image_shape)
                large = min(picture.shape[:2]) >= 2 * side and picture.shape[2] > channels
                if large and not self.warned_of_colour:
                    self.warned_of_colour = True
                    known = f"grey images of {width}x{height}: what it says of {printable(image)}"
                    warn(f"the model was trained on {known}, large and in colour, may mean little")
        except InputError as error:
            arrays = f", or uint8 of shape {tuple(self.image_shape)}" * InputError.in_python
            raise InputError(f"readable images{arrays}", error) from None
        return pixels

    def embed_files(self, paths: Sequence[Image]) -> np.ndarray:
        """Files -> float32 (N, D), in their order: model.embed_files(["a.png", "b.png"])"""
        if isinstance(paths, str | bytes | Path) or not (paths := list(paths)):
            return self.embed(self.read(paths))
        return in_batches(lambda some: self.embed(self.read(some)), paths, self.batch_size)  # type: ignore

    def embed_kept(self, paths: Sequence[str]) -> Found:
        """The embeddings of what can be read of some files, from the cache where it has them."""
        if self.image_shape[2] == 1 and not self.warned_of_colour:
            with suppress(InputError):  # for what it says of a photo in colour
                self.read(paths[:1])
        store = f"embeddings {self.digest}"
        return read_files(store, paths, self.image_shape, self.embed, np.float32)

    def embed_folder(
        self,
        directory: File | np.ndarray,
        class_level: int | None = None,
        shard: tuple[int, int] = (1, 1),
        labels: Any = None,
    ) -> Gallery:
        """The embeddings of all images of a folder, from the cache where it has them.

        directory: or images in memory, uint8 (N, H, W, C), with labels (N,) where they have some.
        Subfolders are classes, as in training, but a class may have a single image; class_level:
        see listing.find, 0 for no classes. shard: (k, n), a part.
        Raises InputError where the folder is missing or ambiguous, or no image can be read.
        """
        if not isinstance(directory, File):
            directory = array_of(directory)
            names = tuple(map(str, range(len(directory))))
            classes: tuple = ("",) * len(names)
            if labels is not None:
                class_numbers(labels)  # which refuses what are no classes
                classes = tuple(np.ravel(labels).tolist())
            if not 0 < len(names) == len(classes):
                received = f"{len(classes)} for {len(names)} images"
                raise InputError("images, and a label for each", received)
            part = (1, 1, len(names))
            return Gallery(self.embed(directory), names, classes, self.digest, part, None)
        if labels is not None:
            raise InputError("labels of images in memory", "of a folder, whose subfolders are")
        plan = listing.find(directory, class_level, plain=True)
        files = sorted(plan.files)
        crc = zlib.crc32(os.fsencode("\0".join(file.name for file in files)))
        (first, last) = (len(files) * k // shard[1] for k in (shard[0] - 1, shard[0]))
        files = files[first:last]
        found = self.embed_kept([os.path.join(directory, file.name) for file in files])
        messages = list(found.messages.values())
        if not found.good and shard == (1, 1):
            received = f"{printable(directory)} with none. {'; '.join(messages[:3])}".strip()
            raise InputError("readable images", received)
        warn(f"skipped {message}" for message in messages)
        say(f"images embedded: {len(found.good)}, {found.reused} of them by an earlier run")
        good = [files[k] for k in found.good]
        embeddings = np.asarray(found.values).reshape(len(good), self.embedding_dim)
        names = tuple(file.name for file in good)
        classes = tuple(file.label if plan.pairs is None else "" for file in good)
        return Gallery(embeddings, names, classes, self.digest, (*shard, crc), os.fspath(directory))

    def embed(self, images: np.ndarray | Rows) -> np.ndarray:
        """uint8 (N, H, W, C) -> float32 (N, D): model.embed(model.read(["a.png", "b.png"]))

        images: of the model's image_shape, values from 0 to 255; three channels are red, green,
        blue in this order (OpenCV reads them the other way round: images[..., ::-1]).
        Raises InputError for anything else: of floats from 0 to 1, made uint8, all would be black.
        """
        images = images if isinstance(images, Rows) else array_of(images)
        if images.dtype != np.uint8 or images.shape[1:] != self.image_shape:
            received = f"{images.dtype} of shape {images.shape}. One image is x[None], {MEND}"
            raise InputError(f"uint8 images (N, {', '.join(map(str, self.image_shape))})", received)
        if not len(images):
            return np.zeros((0, self.embedding_dim), np.float32)
        if len(images) > self.batch_size:
            return in_batches(self.embed, images, self.batch_size)
        feats = np.asarray(self.network(images=images[:])["embedding"])
        if not np.isfinite(feats).all():
            raise InputError("finite embeddings", "NaN or infinity. Train again")
        return feats

    def distance(self, vectors: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """(feats_a, feats_b), each float (B, D) or (D,) -> float32 (B,); smaller = more alike.

        With a head how different two images are, from 0 to 1. A single one is compared with all.
        """
        if any(np.shape(feats)[-1:] != (self.embedding_dim,) for feats in vectors):
            raise InputError("embeddings, as model.embed gives them", "other arrays")
        (a, b) = (np.reshape(x, (-1, self.embedding_dim)).astype(np.float32) for x in vectors)
        return self.measure.output(self.measure.rows(a, b)).astype(np.float32)

    def judge(self, distance: float, threshold: float | None = None) -> Answer:
        """What a distance says of two images: distance, similarity, same and probability.

        The similarity is 2^(-distance / threshold): 1 at distance 0, 0.5 at the threshold; of a
        cosine distance the angular similarity, 1 - arccos(1 - distance) / pi. The probability that
        they are the same, where half of all pairs are, is left out where the model knows none.
        """
        (far, limit) = (float(distance), self.threshold if threshold is None else threshold)
        alike = 2 ** min(-far / max(limit, 1e-12), 0)  # rounding makes a cosine's below 0
        if self.measure.name == "cosine" and self.measure.head is None:
            alike = 1 - math.acos(min(max(1 - far, -1), 1)) / math.pi
        found = Answer(distance=far, similarity=alike, same=far < limit)
        if (probability := probability_of(far, self.settings)) is not None:
            found["probability"] = float(probability)
        return found

    def threshold_for(self, fmr: float | None) -> float:
        """The threshold stored for a false match rate such as 0.001; None: the model's own.

        Raises InputError where the calibration had not enough pairs for that rate.
        """
        known = {float(rate): t for rate, t in self.operating_points.items() if t is not None}
        if fmr is None:
            return self.threshold
        if fmr not in known:
            rates = ", ".join(f"{rate:g}" for rate in known) or "none, since too few images chose"
            received = f"{fmr}. evaluate --calibrate stores 0.01 from 600 to 2,000 images"
            raise InputError(f"an FMR that the model has a threshold for: {rates}", received)
        return known[fmr]
