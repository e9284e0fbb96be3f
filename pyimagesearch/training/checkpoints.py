"""How far a training has come; after each epoch a file, from which a killed one goes on."""

import json
import logging
import math
import os
import zlib
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from pyimagesearch import config
from pyimagesearch.config import Recipe
from pyimagesearch.data.rows import evenly
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import whole_file
from pyimagesearch.training import devices

Logs = Any  # the figures that Keras hands its callbacks, a dict, or None where there are none

log = logging.getLogger(__name__)
NAMES = (".checkpoint.npz", ".checkpoint-before.npz")  # the newest, and the one before it
ANEW = "Without --resume the training starts anew."
NOT_COMPARED = "parts."  # follows from the rest, and from what a cache remembers


@dataclass
class Progress:
    """What the callbacks of a training write and read; a checkpoint keeps it as it is."""

    epochs: int  # of the whole training
    epoch: int = 0  # how many of them are done
    history: dict[str, list[float]] = field(default_factory=dict)  # the figures of each epoch
    best_loss: float = math.inf  # of the validation pairs
    best_epoch: int = 0
    best_weights: list[np.ndarray] = field(default_factory=list)
    collapsed: bool = False  # whether all distances are alike
    out_of_patience: bool = False
    diverged: bool = False  # whether a loss was no finite number
    stopped: bool = False  # by a signal,
    cut: bool = False  # in the middle of an epoch


class Checkpoint(keras.callbacks.Callback):
    """Writes all that fit changes after each epoch, and puts it back when a run is resumed.

    That is: weights, optimizer, the states of the random generators, and the Progress. The
    order of the images needs none: it is a function of seed and epoch. Two files in turn: a
    torn one leaves the one before it. Keras' BackupAndRestore keeps less: its resumed weights
    differ, and of the history it keeps the epochs after the resume.

    is_finished: whether a --resume has found the finished model of these very settings.
    """

    def __init__(self, output: str, settings: dict[str, Any], recipe: Recipe, resume: bool = False):
        """settings: what must be the same to go on, a dict for JSON.

        Raises InputError where the folder's checkpoint, or the finished model that lies there
        instead of one, is of other settings.
        """
        super().__init__()
        self.output = output
        self.paths = [os.path.join(output, name) for name in NAMES]
        self.settings = _flat(settings)
        self.progress = Progress(recipe.training.epochs)
        self.saved: dict[str, Any] = {}  # device and precision of the run that is resumed
        self.variables: list[np.ndarray] = []  # of the model and its optimizer, to be put back
        self.is_finished = False
        if resume:
            self._resume(can_start=not recipe.training.ways)
        elif os.path.exists(self.paths[0]):
            log.info("an unfinished training is here, which --resume would go on with;")
            log.info("this one starts anew and replaces it after its first epoch")

    @property
    def first_epoch(self) -> int:
        """The epoch to go on with, counted from 0; all of them where nothing is left to train."""
        return self.progress.epochs if self.progress.out_of_patience else self.progress.epoch

    def _resume(self, can_start: bool) -> None:
        # can_start: whether --weights can be what the recipe starts from
        if any(os.path.exists(path) and self._read(path) for path in self.paths):
            log.info("going on after epoch %d", self.progress.epoch)
            return
        if not os.path.isdir(os.path.join(self.output, os.path.basename(config.MODEL_PATH))):
            log.info("no checkpoint to go on from: starting with the first epoch")
            return
        try:
            with open(os.path.join(self.output, "metrics.json"), encoding="utf-8") as f:
                finished = _flat(json.load(f)["settings"])
            # of what was found only later, as the threshold, there is nothing here yet
            self.is_finished = self.settings.items() <= finished.items()
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            pass  # no such file, or none of ours
        if self.is_finished:
            log.info("nothing left to do: %s holds the finished model of this run", self.output)
            return
        weights = f"--weights {os.path.join(self.output, 'encoder.keras')} trains on from it"
        raise InputError(
            f"Expected an unfinished training to --resume. Received: {self.output} with a finished "
            "model of other settings. Without --resume the training starts anew and replaces it"
            + (f"; instead of it, {weights}." if can_start else ".")
        )

    def _read(self, path: str) -> bool:
        # whether a checkpoint is whole; then it is taken over
        try:
            with open(path, "rb") as f, np.load(f, allow_pickle=False) as data:
                content = {name: data[name] for name in data.files}
            header = json.loads(str(content.pop("header")))
            settings = _flat(header["settings"])
            # what stopped that run does not stop this one
            ended = {"stopped": False, "cut": False}
            progress = Progress(**header["progress"] | ended)
            arrays: dict[str, list[np.ndarray]] = {"variables": [], "best": []}
            for name in content:  # numbered, in the order in which they were written
                arrays[name.split("_")[0]].append(content[name])
        except Exception:  # torn, empty or foreign: whatever zip, NumPy or JSON say to it
            log.info("%s is damaged: looking for the one before it", path)
            return False
        for name in sorted(self.settings.keys() | settings.keys()):
            if self.settings.get(name) != settings.get(name):
                raise InputError(
                    f"Expected a checkpoint of the same settings. Received: {path} with "
                    f"{name} {settings.get(name)} instead of {self.settings.get(name)}. {ANEW}"
                )
        progress.best_weights = arrays["best"]
        (self.progress, self.saved, self.variables) = (progress, header, arrays["variables"])
        return True

    def on_train_begin(self, logs: Logs = None) -> None:
        self.model.optimizer.build(self.model.trainable_variables)
        if not self.saved:
            return
        here = devices.describe(self.model)
        if self.saved["devices"] != here:
            (found, now) = (", ".join(x.values()) for x in (self.saved["devices"], here))
            if self.settings.get("deterministic"):
                raise InputError(
                    "Expected the same device for a training that is --deterministic. Received: "
                    f"one that began on {found}; this is {now}. {ANEW}"
                )
            log.info("going on with %s what began on %s: not the same bit for bit", now, found)
        variables = self._variables()
        if [tuple(v.shape) for v in variables] != [a.shape for a in self.variables]:
            raise InputError(
                "Expected a checkpoint of this model. Received: other arrays, perhaps of another "
                f"version of Keras. {ANEW}"
            )
        for variable, value in zip(variables, self.variables):
            variable.assign(value)
        (self.saved, self.variables) = ({}, [])

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        progress = self.progress
        if not devices.is_chief() or progress.cut or progress.diverged:
            return
        header = {
            "settings": self.settings,
            "devices": devices.describe(self.model),
            "progress": {k: v for k, v in vars(progress).items() if k != "best_weights"},
        }
        variables = enumerate(self._variables())
        arrays: dict[str, Any] = {f"variables_{i}": np.asarray(v) for i, v in variables}
        arrays |= {f"best_{i}": value for i, value in enumerate(progress.best_weights)}
        try:
            if os.path.exists(self.paths[0]):
                os.replace(*self.paths)
            with whole_file(self.paths[0]) as new, open(new, "wb") as f:
                np.savez(f, header=json.dumps(header), **arrays)
        except OSError as error:  # a full disk: what is learned goes on, the one before stays
            log.info("no checkpoint of epoch %d could be written (%s)", epoch + 1, error.strerror)

    def _variables(self) -> list[keras.Variable]:
        return self.model.variables + self.model.optimizer.variables

    def finish(self) -> None:
        """Take the checkpoint away, unless the training was stopped before its end."""
        progress = self.progress
        if progress.stopped and not progress.diverged and self.first_epoch < progress.epochs:
            log.info("--resume goes on after epoch %d", progress.epoch)
            return
        for path in filter(os.path.exists, self.paths):
            os.remove(path)


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    # as a file has them, where tuples are lists; those of a group as "training.epochs"
    flat: dict[str, Any] = {}
    for name, value in json.loads(json.dumps(settings)).items():
        inner = _flat(value) if isinstance(value, dict) else None
        flat |= {name: value} if inner is None else {f"{name}.{k}": v for k, v in inner.items()}
    return {name: v for name, v in flat.items() if not name.startswith(NOT_COMPARED)}


def fingerprint(images: ImageSet) -> int:
    """A number that changes with an ImageSet: its labels, its pairs and some of its pixels."""
    parts = [images.images[evenly(len(images), 64)]]
    if images.labels is not None:
        parts.append(images.labels)
    parts += images.pairs or []
    return zlib.crc32(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
