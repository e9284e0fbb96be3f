"""What fit calls: how far a training has come, its validation, and a file to go on from."""

import json
import math
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pyimagesearch import config, metrics
from pyimagesearch.config import Recipe
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation.distances import curve_of
from pyimagesearch.evaluation.measure import embed
from pyimagesearch.inference.settings import read_settings
from pyimagesearch.system.files import whole_file
from pyimagesearch.system.terminal import InputError, say, warn
from pyimagesearch.training import devices

NAME = ".checkpoint.npz"
KEPT = ("settings", "done", "history", "best_loss", "best_epoch")  # of a Checkpoint, as JSON
SIGNALS = (signal.SIGINT, signal.SIGTERM)  # what ends a training


class Progress(keras.callbacks.History):
    """The History that fit returns, the epochs before a --resume included; and what ends a fit.

    Ctrl-C or SIGTERM ends it after the running step, and a second one the program, until run.alone
    puts the handlers back. A loss that is no finite number ends it with the weights of the last
    good epoch, or with an InputError where there is none: nothing was learned.

    epochs: of the whole training. stopped: set by a signal; the fits of one run share it.
    """

    def __init__(self, epochs: int, stopped: threading.Event | None = None):
        super().__init__()
        (self.epochs, self.done) = (epochs, 0)  # of the whole training, and how many are done
        self.stopped = stopped or threading.Event()
        self.beside: list[keras.callbacks.Callback] = []  # what else fit is to call
        self.cut = False  # whether it was stopped in the middle of an epoch
        self.diverged = False  # whether a loss was no finite number

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        self.model.optimizer.build(self.model.trainable_variables)  # else fit traces its step twice
        if threading.current_thread() is threading.main_thread():  # no other gets signals
            for s in (s for s in SIGNALS if signal.getsignal(s) is not None):  # see run.alone
                signal.signal(s, self._stop)

    def _stop(self, signum: int, frame: Any) -> None:
        if self.stopped.is_set():
            raise KeyboardInterrupt
        self.stopped.set()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.begin, self.before = time.monotonic(), self.model.get_weights()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.diverged |= not math.isfinite(logs["loss"])
        if self.stopped.is_set():  # said here: the signal may have come while something is printed
            print()  # the progress bar's line ends
            say("stopping; press Ctrl-C again to quit at once and lose what was learned")
            self.cut = batch + 1 < self.params["steps"]
        self.model.stop_training |= self.diverged or self.stopped.is_set()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training |= self.diverged or self.stopped.is_set()
        if not self.diverged:
            super().on_epoch_end(epoch, (logs or {}) | {"seconds": time.monotonic() - self.begin})
            self.done = epoch + (not self.cut)

    def on_train_end(self, logs: Any = None) -> None:
        if self.diverged and not self.done:
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            received = f"none in the first epoch, at a rate of {rate:.2g}. Lower it with --lr"
            raise InputError("a loss that stays finite", received)
        if self.diverged:
            self.model.set_weights(self.before)


class Checkpoint(Progress):
    """The Progress of a training with its validation, and a file that --resume goes on from.

    Each epoch's figures get val_loss, the loss of the validation pairs. With keep_best, ends with
    the weights of the epoch whose val_loss was lowest, and with a patience perhaps before the last
    epoch. No reported figure comes from images that something was chosen on.

    After each epoch the file holds all that fit changes: weights, optimizer, random states, counts.

    settings: what must be the same to go on, a dict for JSON. Raises InputError where the folder's
    checkpoint, or the finished model that lies there instead of one, is of others.
    is_finished: whether a --resume has found the finished model of these very settings.
    """

    def __init__(self, output: str, settings: dict[str, Any], recipe: Recipe, resume: bool = False):
        super().__init__(recipe.training.epochs)
        self.path, self.settings = os.path.join(output, NAME), _flat(settings)
        self.recipe = recipe
        self.best_loss, self.best_epoch = math.inf, 0  # of the validation pairs
        self.best_weights: list[np.ndarray] = []
        self.collapsed = False  # whether all distances are alike
        self.resumed: list[np.ndarray] = []  # values of the variables
        self.is_finished = False
        model = Path(output, os.path.basename(config.MODEL_PATH))
        size = os.path.getsize(self.path) if os.path.exists(self.path) else -1  # 0: see finish
        if not resume:
            if size > 0:
                say("this replaces the unfinished training here, which --resume goes on with")
        elif size > 0 and self._read():
            say(f"going on after epoch {self.done}")
        elif size < 0 and model.is_dir():
            self._check_same(_flat(read_settings(model)), f"finished model in {output}")
            self.is_finished = True
            say(f"nothing left to do: {output} holds the finished model of this run")
        else:
            say("no checkpoint to go on from: starting with the first epoch")

    def _read(self) -> bool:
        # whether it is a whole one; then it is taken over
        try:
            with open(self.path, "rb") as f, np.load(f, allow_pickle=False) as data:
                arrays = dict(data)  # in the order in which they were written
            header = json.loads(str(arrays.pop("header")))
            kept = {name: header[name] for name in KEPT}
        except Exception:  # torn, empty or foreign: whatever zip, NumPy or JSON say to it
            warn(f"{self.path} is damaged, or of another version of this project")
            return False
        self._check_same(kept["settings"], f"checkpoint {self.path}")
        self.__dict__ |= kept
        self.best_weights = [x for name, x in arrays.items() if name.startswith("best")]
        self.resumed = [x for name, x in arrays.items() if name.startswith("variable")]
        return True

    @property
    def out_of_patience(self) -> bool:
        """Whether so many epochs were no better that nothing is left to train."""
        patience = self.recipe.training.patience
        return bool(patience and self.best_epoch and self.done - self.best_epoch >= patience)

    @property
    def first_epoch(self) -> int:
        """The epoch to go on with, counted from 0; all of them where nothing is left to train."""
        return self.epochs if self.out_of_patience else self.done

    def callbacks(
        self, encoder: keras.Model, comparison: keras.Model, validation: ImageSet
    ) -> list[keras.callbacks.Callback]:
        """What fit calls: first what adds val_loss to an epoch, then what shows and keeps it."""

        def validate(epoch, logs):
            (embeddings, y) = (embed(encoder, validation.images), validation.pairs.labels())
            distances = comparison([embeddings[ends] for ends in validation.pairs.indices().T])
            loss = float(metrics.pair_loss(self.recipe, y, distances))
            # the last step's weights may be infinite where the loss before it was not
            self.diverged |= not (np.isfinite(embeddings).all() and math.isfinite(loss))
            if self.diverged:
                return
            logs["val_loss"] = loss
            if self.recipe.network.head != "none":
                logs["val_accuracy"] = float(metrics.pair_accuracy(y, distances))
            self.collapsed = curve_of(distances, y).collapsed
            # what has not begun to learn is not to be kept, nor is its patience counted
            may_keep = self.best_weights or not self.collapsed
            if self.recipe.training.keep_best and may_keep and loss < self.best_loss:
                self.best_loss, self.best_epoch = loss, self.done + 1
                self.best_weights = self.model.get_weights()

        validated = keras.callbacks.LambdaCallback(on_epoch_end=validate)
        # after the bar, below which it speaks
        return [validated, keras.callbacks.ProgbarLogger(), self, *self.beside]

    def _check_same(self, settings: dict[str, Any], what: str) -> None:
        for name in sorted(self.settings, key=lambda x: (x != "dataset", "." in x)):
            if (had := settings.get(name)) != (value := self.settings[name]):
                values = "(or model) of others" if name == "images" else f"{had} instead of {value}"
                received = f"{name} {values}. Without --resume the training starts anew"
                raise InputError(f"the settings of the {what} to --resume", received)

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        say("training on {device}, in {precision}".format(**devices.describe(self.model)))
        if not self.resumed:
            return
        if [x.shape for x in self.resumed] != [tuple(x.shape) for x in self._variables()]:
            received = f"{self.path}, of another: start without --resume"
            raise InputError("a checkpoint of this network", received)
        for variable, value in zip(self._variables(), self.resumed):
            variable.assign(value)
        self.resumed = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        self.model.stop_training |= self.out_of_patience
        if self.collapsed:
            warn("the network has collapsed: all distances are alike")
        left = 0 if self.diverged or self.stopped.is_set() else self.epochs - epoch - 1
        if len(self.epoch) == 2 and left:  # the first builds the graph, too
            say(f"about {duration(self.history['seconds'][-1] * left)} left")
        if not devices.machines()[1] or self.cut or self.diverged:
            return
        header = {name: getattr(self, name) for name in KEPT}
        lists = {"variable": self._variables(), "best": self.best_weights}
        arrays: Any = {f"{k}_{i}": np.asarray(x) for k, v in lists.items() for i, x in enumerate(v)}
        try:
            with whole_file(self.path) as new, open(new, "wb") as f:
                np.savez(f, header=json.dumps(header), **arrays)
        except OSError as error:  # a full disk: what is learned goes on, the one before stays
            warn(f"no checkpoint of epoch {epoch + 1} could be written ({error.strerror})")

    def on_train_end(self, logs: Any = None) -> None:
        super().on_train_end(logs)
        if self.diverged:
            warn(f"no finite loss, try a lower --lr: what was learned by epoch {self.done} is kept")
        if self.out_of_patience:
            say(f"no better validation loss since epoch {self.best_epoch}")
        if self.best_weights:
            say(f"keeping epoch {self.best_epoch}, the best on held-out images")
            self.model.set_weights(self.best_weights)
        if self.stopped.is_set():
            say("stopped on request, what was learned is kept")
        say(f"training took {duration(sum(self.history.get('seconds', [])))}")

    def _variables(self) -> list[keras.Variable]:
        return self.model.variables + self.model.optimizer.variables

    def begin_saving(self) -> None:
        """Leave a file, an empty one where there is no checkpoint: no report yet, not finished."""
        open(self.path, "ab" if self.done else "wb").close()

    def finish(self) -> None:
        """Take away the checkpoint, where the training has ended."""
        if not self.stopped.is_set() or self.first_epoch >= self.epochs:
            Path(self.path).unlink(missing_ok=True)
        elif os.path.getsize(self.path):  # else the model that lies here is not finished
            say(f"--resume goes on after epoch {self.done}")


def duration(seconds: float) -> str:
    """Seconds in words: 42 s, 7 min."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    # as a file has them, where tuples are lists; those of a group as "training.epochs"
    flat: dict[str, Any] = {}
    for name, value in json.loads(json.dumps(settings)).items():
        if name == "parts":  # follows from the rest, and from what a cache remembers
            continue
        is_group = isinstance(value, dict)
        flat |= {f"{name}.{k}": v for k, v in value.items()} if is_group else {name: value}
    return flat
