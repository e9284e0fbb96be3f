"""A checkpoint after each epoch, from which a killed training goes on as if nothing had been."""

# import the necessary packages
import json
import os
import zlib

import keras
import numpy as np

from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import whole_file

NAMES = (".checkpoint.npz", ".checkpoint-before.npz")  # the newest, and the one before it


class Checkpoint(keras.callbacks.Callback):
    """Writes all that fit changes after each epoch, and puts it back when a run is resumed.

    That is: weights, optimizer, the states of the random generators, the epoch, the history,
    and the best weights so far. The order of the images needs none: it is a function of seed
    and epoch. Two files in turn: a torn one leaves the one before it.
    """

    def __init__(self, output, settings, resume=False):
        """settings: what must be the same to go on, a dict for JSON.

        Raises ValueError where the checkpoint in `output` is one of other settings.
        """
        super().__init__()
        self.paths = [os.path.join(output, name) for name in NAMES]
        self.settings = json.loads(json.dumps(settings))  # tuples become lists, as in the file
        self.epoch = 0  # how many epochs are done
        self.state = None
        if resume:
            self.state = self._read()
            if self.state is None:
                print("[INFO] no checkpoint to go on from: starting with the first epoch")
            else:
                self.epoch = self.state[0]["epoch"]
                print(f"[INFO] going on after epoch {self.epoch}")
        elif os.path.exists(self.paths[0]):
            print("[INFO] an unfinished training is here, which --resume would go on with;")
            print("[INFO] this one starts anew and replaces it after its first epoch")

    def follow(self, validating, history, stop):
        """The callbacks whose state is part of a checkpoint; stop says whether to write none."""
        self.validating, self.history, self.stop = validating, history, stop

    def on_train_begin(self, logs=None):
        self.model.optimizer.build(self.model.trainable_variables)
        if self.state is None:
            return
        (header, arrays) = self.state
        variables = self._variables()
        if [tuple(v.shape) for v in variables] != [a.shape for a in arrays["variables"]]:
            raise InputError(
                "Expected a checkpoint of this model. Received: other arrays, perhaps of another "
                "version of Keras. Without --resume the training starts anew."
            )
        for variable, value in zip(variables, arrays["variables"]):
            variable.assign(value)
        self.history.history.update(header["history"])
        self.validating.best_loss = header["best_loss"]
        self.validating.best_epoch = header["best_epoch"]
        self.validating.best_weights = arrays["best"] or None
        self.state = None

    def on_epoch_end(self, epoch, logs=None):
        if self.stop.cut:  # in the middle of this epoch
            return
        # out of patience: nothing is left to do
        self.epoch = self.params["epochs"] if self.validating.out_of_patience else epoch + 1
        header = {
            "settings": self.settings,
            "epoch": self.epoch,
            "history": self.history.history,
            "best_loss": self.validating.best_loss,
            "best_epoch": self.validating.best_epoch,
        }
        arrays = {
            f"variables_{i}": np.asarray(value) for i, value in enumerate(self._variables())
        } | {f"best_{i}": value for i, value in enumerate(self.validating.best_weights or [])}
        try:
            if os.path.exists(self.paths[0]):
                os.replace(*self.paths)
            with whole_file(self.paths[0]) as new:
                np.savez(new, header=json.dumps(header), **arrays)
        except OSError as error:  # a full disk: what is learned goes on, the one before stays
            print(
                f"\n[INFO] no checkpoint of epoch {epoch + 1} could be written ({error.strerror})"
            )

    def finish(self):
        """Take the checkpoints away, unless the training was stopped before its end."""
        if self.stop.stopped and self.epoch < self.params["epochs"]:
            print(f"[INFO] --resume goes on after epoch {self.epoch}")
            return
        for path in self.paths:
            if os.path.exists(path):
                os.remove(path)

    def _variables(self):
        return self.model.variables + self.model.optimizer.variables

    def _read(self):
        for path in self.paths:
            if not os.path.exists(path):
                continue
            try:
                with np.load(path, allow_pickle=False) as data:
                    content = {name: data[name] for name in data.files}
                header = json.loads(str(content.pop("header")))
                (settings, epoch) = (header["settings"], int(header["epoch"]))
            except Exception:  # torn, empty or foreign: whatever zip, NumPy or JSON say to it
                print(f"[INFO] {path} is damaged: looking for the one before it")
                continue
            self._compare(settings, path)
            arrays = {"variables": [], "best": []}
            for name in content:  # numbered, in the order in which they were written
                arrays[name.split("_")[0]].append(content[name])
            return header | {"epoch": epoch}, arrays
        return None

    def _compare(self, settings, path):
        for name in sorted(self.settings.keys() | settings.keys()):
            (wanted, found) = (self.settings.get(name), settings.get(name))
            if wanted != found:
                raise InputError(
                    f"Expected a checkpoint of the same settings. Received: {path} with {name} "
                    f"{found} instead of {wanted}. Without --resume the training starts anew."
                )


def fingerprint(images):
    """A number that changes with an ImageSet: its labels, its pairs and some of its pixels."""
    some = np.linspace(0, len(images.images) - 1, 64).astype(int)
    parts = [images.images[some]]
    if images.labels is not None:
        parts.append(np.unique(images.labels, return_inverse=True)[1])
    parts += images.pairs or []
    return zlib.crc32(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
