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
from pyimagesearch.data.sets import ImageSet, evenly
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import whole_file
from pyimagesearch.training import devices

Logs = Any  # the figures that Keras hands its callbacks, a dict, or None where there are none

log = logging.getLogger(__name__)
NAME = ".checkpoint.npz"
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
    order of the images needs none: it is a function of seed and epoch. Keras' BackupAndRestore
    keeps less: its resumed weights differ. Says how the training goes, too.

    is_finished: whether a --resume has found the finished model of these very settings.
    """

    def __init__(self, output: str, settings: dict[str, Any], recipe: Recipe, resume: bool = False):
        """settings: what must be the same to go on, a dict for JSON.

        Raises InputError where the folder's checkpoint, or the finished model that lies there
        instead of one, is of other settings.
        """
        super().__init__()
        self.output, self.path = output, os.path.join(output, NAME)
        self.settings = _flat(settings)
        self.progress = Progress(recipe.training.epochs)
        self.resumed: dict[str, Any] = {}  # what is to be put back: devices, arrays
        self.is_finished = False
        if resume:
            self._resume()
        elif os.path.exists(self.path):
            log.info("an unfinished training is here, which --resume would go on with;")
            log.info("this one starts anew and replaces it after its first epoch")

    @property
    def first_epoch(self) -> int:
        """The epoch to go on with, counted from 0; all of them where nothing is left to train."""
        return self.progress.epochs if self.progress.out_of_patience else self.progress.epoch

    def _resume(self) -> None:
        if os.path.exists(self.path) and self._read():
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
        if not self.is_finished:
            weights = os.path.join(self.output, "encoder.keras")
            raise InputError(
                f"Expected an unfinished training to --resume. Received: {self.output} with a "
                "finished model of other settings. Without --resume the training starts anew and "
                f"replaces it; --weights {weights} starts from what it learned."
            )
        log.info("nothing left to do: %s holds the finished model of this run", self.output)

    def _read(self) -> bool:
        # whether the checkpoint is whole; then it is taken over
        try:
            with open(self.path, "rb") as f, np.load(f, allow_pickle=False) as data:
                arrays = dict(data)  # in the order in which they were written
            header = json.loads(str(arrays.pop("header")))
            settings = dict(header["settings"])
            # what stopped that run does not stop this one
            progress = Progress(**header["progress"] | {"stopped": False, "cut": False})
        except Exception:  # torn, empty or foreign: whatever zip, NumPy or JSON say to it
            log.info("%s is damaged", self.path)
            return False
        for name in sorted(self.settings.keys() | settings.keys()):
            if self.settings.get(name) != settings.get(name):
                raise InputError(
                    f"Expected a checkpoint of the same settings. Received: {self.path} with "
                    f"{name} {settings.get(name)} instead of {self.settings.get(name)}. Without "
                    "--resume the training starts anew."
                )
        progress.best_weights = [x for name, x in arrays.items() if name.startswith("best")]
        variables = [x for name, x in arrays.items() if name.startswith("variable")]
        self.progress, self.resumed = progress, header | {"variables": variables}
        return True

    def on_train_begin(self, logs: Logs = None) -> None:
        here = devices.describe(self.model)
        log.info("training on {device}, in {precision}".format(**here))
        self.model.optimizer.build(self.model.trainable_variables)
        if not self.resumed:
            return
        if self.resumed["devices"] != here:
            before = "{device}, in {precision}".format(**self.resumed["devices"])
            log.info("it began on %s: the result is not the same bit for bit", before)
        for variable, value in zip(self._variables(), self.resumed["variables"], strict=True):
            variable.assign(value)
        self.resumed = {}

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        progress = self.progress
        if progress.collapsed:
            log.info("the network has collapsed: all distances are alike")
        left = progress.epochs - epoch - 1
        if epoch == 1 and left:  # in the first, TensorFlow also builds its graph
            log.info("about %s left", duration(progress.history["seconds"][-1] * left))
        if not devices.is_chief() or progress.cut or progress.diverged:
            return
        header = {
            "settings": self.settings,
            "devices": devices.describe(self.model),
            "progress": {k: v for k, v in vars(progress).items() if k != "best_weights"},
        }
        lists = {"variable": self._variables(), "best": progress.best_weights}
        arrays: Any = {f"{k}_{i}": np.asarray(x) for k, v in lists.items() for i, x in enumerate(v)}
        try:
            with whole_file(self.path) as new, open(new, "wb") as f:
                np.savez(f, header=json.dumps(header), **arrays)
        except OSError as error:  # a full disk: what is learned goes on, the one before stays
            log.info("no checkpoint of epoch %d could be written (%s)", epoch + 1, error.strerror)

    def on_train_end(self, logs: Logs = None) -> None:
        progress = self.progress
        if progress.diverged:
            log.info(
                "the loss became infinite or not a number: stopped, and what was learned by "
                "epoch %d is kept; a lower learning rate may go further",
                progress.epoch,
            )
        if progress.out_of_patience:
            since = progress.epoch - progress.best_epoch
            log.info("%d epochs without a better validation loss", since)
        if progress.best_weights:
            log.info("keeping epoch %d, the best on held-out images", progress.best_epoch)
        if progress.stopped:
            log.info("stopped on request, what was learned is kept")
        log.info("training took %s", duration(sum(progress.history.get("seconds", []))))

    def _variables(self) -> list[keras.Variable]:
        return self.model.variables + self.model.optimizer.variables

    def finish(self) -> None:
        """Take the checkpoint away, unless the training was stopped before its end."""
        progress = self.progress
        if progress.stopped and not progress.diverged and self.first_epoch < progress.epochs:
            log.info("--resume goes on after epoch %d", progress.epoch)
        elif os.path.exists(self.path):
            os.remove(self.path)


def duration(seconds: float) -> str:
    """Seconds in words: 42 s, 7 min."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    # as a file has them, where tuples are lists; those of a group as "training.epochs"
    flat: dict[str, Any] = {}
    for name, value in json.loads(json.dumps(settings)).items():
        inner = _flat(value) if isinstance(value, dict) else None
        flat |= {name: value} if inner is None else {f"{name}.{k}": v for k, v in inner.items()}
    return {name: v for name, v in flat.items() if not name.startswith(NOT_COMPARED)}


def fingerprint(images: ImageSet) -> int:
    """A number that changes with an ImageSet: its labels, its pairs and some of its pixels."""
    labels = [] if images.labels is None else [images.labels]
    parts = [images.images[evenly(len(images), 64)], *labels, *(images.pairs or [])]
    return zlib.crc32(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
