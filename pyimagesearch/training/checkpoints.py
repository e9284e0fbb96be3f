"""A checkpoint after each epoch, from which a killed training goes on with the same result."""

import json
import logging
import os
import zlib
from typing import Any

import keras
import numpy as np

from pyimagesearch import config
from pyimagesearch.config import Recipe
from pyimagesearch.data.rows import evenly
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.machines import LOST, is_chief
from pyimagesearch.training import devices
from pyimagesearch.training.progress import Logs, Progress

log = logging.getLogger(__name__)
NAMES = (".checkpoint.npz", ".checkpoint-before.npz")  # the newest, and the one before it
ANEW = "Without --resume the training starts anew."
NOT_COMPARED = ("parts",)  # follows from the rest, and from what a cache remembers


class Checkpoint(keras.callbacks.Callback):
    """Writes all that fit changes after each epoch, and puts it back when a run is resumed.

    That is: weights, optimizer, the states of the random generators, and the Progress. The
    order of the images needs none: it is a function of seed and epoch. Two files in turn: a
    torn one leaves the one before it.
    """

    def __init__(self, output: str, settings: dict[str, Any], recipe: Recipe, resume: bool = False):
        """settings: what must be the same to go on, a dict for JSON.

        Raises InputError where that is one of other settings, or where the folder holds a model
        that is finished and nothing to go on from.
        """
        super().__init__()
        self.paths = [os.path.join(output, name) for name in NAMES]
        compared = {name: value for name, value in settings.items() if name not in NOT_COMPARED}
        self.settings = json.loads(json.dumps(compared))  # tuples become lists, as in the file
        self.progress = Progress(recipe.training.epochs)
        self.saved: dict[str, Any] = {}  # device and precision of the run that is resumed
        self.variables: list[np.ndarray] = []  # of the model and its optimizer, to be put back
        if resume:
            self._resume(output, can_start=not recipe.training.ways)
        elif os.path.exists(self.paths[0]):
            log.info("an unfinished training is here, which --resume would go on with;")
            log.info("this one starts anew and replaces it after its first epoch")

    @property
    def first_epoch(self) -> int:
        """The epoch to go on with, counted from 0; all of them where nothing is left to train."""
        return self.progress.epochs if self.progress.out_of_patience else self.progress.epoch

    def _resume(self, output: str, can_start: bool) -> None:
        # can_start: whether --weights can be what the recipe starts from
        found = self._read()
        if found is not None:
            (self.saved, self.variables, best) = found
            self.progress.restore(self.saved["progress"], best)
            log.info("going on after epoch %d", self.progress.epoch)
            return
        if os.path.isdir(os.path.join(output, os.path.basename(config.MODEL_PATH))):
            weights = f"--weights {os.path.join(output, 'encoder.keras')} trains on from it"
            anew = "the training starts anew and replaces it"
            raise InputError(
                f"Expected an unfinished training to --resume. Received: {output} with a finished "
                f"model. Without --resume {anew}"
                + (f"; instead of it, {weights}." if can_start else ".")
            )
        log.info("no checkpoint to go on from: starting with the first epoch")

    def on_train_begin(self, logs: Logs = None) -> None:
        self.model.optimizer.build(self.model.trainable_variables)
        if not self.saved:
            return
        self._compare_devices()
        variables = self._variables()
        if [tuple(v.shape) for v in variables] != [a.shape for a in self.variables]:
            raise InputError(
                "Expected a checkpoint of this model. Received: other arrays, perhaps of another "
                f"version of Keras. {ANEW}"
            )
        for variable, value in zip(variables, self.variables):
            variable.assign(value)
        self.saved, self.variables = {}, []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if not is_chief() or self.progress.cut or self.progress.diverged:
            return
        header = {
            "settings": self.settings,
            "devices": devices.describe(self.model),
            "progress": self.progress.as_dict(),
        }
        arrays: dict[str, Any] = {
            f"variables_{i}": np.asarray(v) for i, v in enumerate(self._variables())
        }
        arrays |= {f"best_{i}": value for i, value in enumerate(self.progress.best_weights)}
        try:
            if os.path.exists(self.paths[0]):
                os.replace(*self.paths)
            with whole_file(self.paths[0]) as new, open(new, "wb") as f:
                np.savez(f, header=json.dumps(header), **arrays)
        except OSError as error:  # a full disk: what is learned goes on, the one before stays
            log.info("no checkpoint of epoch %d could be written (%s)", epoch + 1, error.strerror)

    def finish(self) -> None:
        """Take the checkpoints away, unless the training was stopped before its end.

        Raises InputError where that was since another machine is gone.
        """
        progress = self.progress
        if progress.lost:
            raise InputError(LOST)
        if progress.stopped and not progress.diverged and self.first_epoch < progress.epochs:
            log.info("--resume goes on after epoch %d", progress.epoch)
            return
        for path in self.paths:
            if os.path.exists(path):
                os.remove(path)

    def _variables(self) -> list[keras.Variable]:
        return self.model.variables + self.model.optimizer.variables

    def _read(self) -> tuple[dict[str, Any], list[np.ndarray], list[np.ndarray]] | None:
        # the newest checkpoint that is whole: header, variables, best weights
        for path in self.paths:
            if not os.path.exists(path):
                continue
            try:
                with open(path, "rb") as f, np.load(f, allow_pickle=False) as data:
                    content = {name: data[name] for name in data.files}
                header = json.loads(str(content.pop("header")))
                settings = header["settings"]
                Progress(**header["progress"])
                arrays: dict[str, list[np.ndarray]] = {"variables": [], "best": []}
                for name in content:  # numbered, in the order in which they were written
                    arrays[name.split("_")[0]].append(content[name])
            except Exception:  # torn, empty or foreign: whatever zip, NumPy or JSON say to it
                log.info("%s is damaged: looking for the one before it", path)
                continue
            self._compare(settings, path)
            return header, arrays["variables"], arrays["best"]
        return None

    def _compare(self, settings: dict[str, Any], path: str) -> None:
        (ours, theirs) = (_flat(self.settings), _flat(settings))
        for name in sorted(ours.keys() | theirs.keys()):
            (wanted, found) = (ours.get(name), theirs.get(name))
            if wanted != found:
                raise InputError(
                    f"Expected a checkpoint of the same settings. Received: {path} with {name} "
                    f"{found} instead of {wanted}. {ANEW}"
                )

    def _compare_devices(self) -> None:
        here = devices.describe(self.model)
        if self.saved["devices"] == here:
            return
        (found, now) = (", ".join(x.values()) for x in (self.saved["devices"], here))
        if self.settings.get("deterministic"):
            raise InputError(
                f"Expected the same device for a training that is --deterministic. Received: one "
                f"that began on {found}; this is {now}. {ANEW}"
            )
        log.info("going on with %s what began on %s: not the same bit for bit", now, found)


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    # the settings, those of a group as "training.epochs"
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        inner = _flat(value) if isinstance(value, dict) else None
        flat |= {name: value} if inner is None else {f"{name}.{k}": v for k, v in inner.items()}
    return flat


def fingerprint(images: ImageSet) -> int:
    """A number that changes with an ImageSet: its labels, its pairs and some of its pixels."""
    some = evenly(len(images), 64)
    parts = [images.images[some]]
    if images.labels is not None:
        parts.append(images.labels)
    parts += images.pairs or []
    return zlib.crc32(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
