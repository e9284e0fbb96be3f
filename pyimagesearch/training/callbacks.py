"""What fit calls after each batch and epoch. The callbacks share a Progress and nothing else."""

import logging
import math
import signal
import threading
import time
from typing import Any

import keras
import numpy as np

from pyimagesearch import metrics
from pyimagesearch.config import Recipe
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation.embeddings import Comparison, embed, pair_distances
from pyimagesearch.evaluation.verification import curve_of
from pyimagesearch.system.errors import InputError
from pyimagesearch.training.checkpoints import Checkpoint, Logs, Progress

log = logging.getLogger(__name__)
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def make_callbacks(
    encoder: keras.Model,
    comparison: Comparison,
    validation: ImageSet,
    recipe: Recipe,
    checkpoint: Checkpoint,
) -> list[keras.callbacks.Callback]:
    """The callbacks of a training: first who adds to an epoch's figures, then who keeps them."""
    progress = checkpoint.progress
    return [
        Validation(progress, encoder, comparison, validation, recipe),
        StopOnSignal(progress),
        Record(progress),
        keras.callbacks.ProgbarLogger(),  # so that what follows is said below its line
        checkpoint,
    ]


class Validation(keras.callbacks.Callback):
    """Adds val_loss, the loss of the validation pairs, to each epoch's figures.

    With keep_best, ends with the weights of the epoch whose val_loss was lowest, and with a
    patience perhaps before the last epoch. No reported figure comes from images that something
    was chosen on.
    """

    def __init__(self, progress, encoder, comparison, validation, recipe):
        super().__init__()
        self.progress, self.recipe, self.validation = progress, recipe, validation
        self.encoder, self.comparison = encoder, comparison

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        progress, training = self.progress, self.recipe.training
        if progress.diverged:
            return
        embeddings = embed(self.encoder, self.validation.images)
        (distances, y) = pair_distances(embeddings, self.validation.drawn, self.comparison)
        loss = float(metrics.pair_loss(self.recipe, y, distances))
        # the last step's weights may be infinite where the loss before it was not
        if not (np.isfinite(embeddings).all() and math.isfinite(loss)):
            progress.diverged = self.model.stop_training = True
            return
        logs["val_loss"] = loss
        if self.recipe.network.head != "none":
            logs["val_accuracy"] = float(metrics.pair_accuracy(y, distances))
        progress.collapsed = curve_of(distances, y).collapsed
        if not training.keep_best or (progress.collapsed and not progress.best_weights):
            return  # what has not begun to learn is not to be kept, nor is its patience counted
        if loss < progress.best_loss:
            progress.best_loss, progress.best_epoch = loss, epoch + 1
            progress.best_weights = self.model.get_weights()
        elif training.patience and epoch + 1 - progress.best_epoch >= training.patience:
            self.model.stop_training = progress.out_of_patience = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.progress.best_weights:
            self.model.set_weights(self.progress.best_weights)


class StopOnSignal(keras.callbacks.Callback):
    """Ctrl-C or SIGTERM ends the training after the running step; a second one ends the program.

    From the first fit on that it is given to, until run.alone puts the handlers back. In another
    thread than the main one, which gets no signals, nothing is set.
    """

    def __init__(self, progress: Progress):
        super().__init__()
        self.progress = progress
        self.before: dict[signal.Signals, Any] = {}  # what the signals did

    def on_train_begin(self, logs: Logs = None) -> None:
        if not self.before and threading.current_thread() is threading.main_thread():
            self.before = {s: signal.signal(s, self._stop) for s in SIGNALS}

    def _stop(self, signum: int, frame: Any) -> None:
        self.progress.stopped = True
        for s, handler in self.before.items():
            signal.signal(s, handler)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.progress.stopped:  # said here: the signal may have come while something is printed
            log.info("\nstopping; press Ctrl-C again to quit at once and lose what was learned")
            self.progress.cut = batch + 1 < self.params["steps"]
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.model.stop_training |= self.progress.stopped


class Record(keras.callbacks.History):
    """The History that fit returns, the epochs before a --resume included; counts those done.

    Where a loss is no finite number it ends the training, goes back to the weights of the last
    good epoch, and keeps no figures of the one that diverged. Raises InputError where that happens
    before an epoch is done: nothing was learned.
    """

    def __init__(self, progress: Progress):
        super().__init__()
        self.progress, self.history = progress, progress.history

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.begin, self.before = time.monotonic(), self.model.get_weights()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if not math.isfinite(logs["loss"]):
            self.progress.diverged = self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.progress.diverged:
            return
        super().on_epoch_end(epoch, (logs or {}) | {"seconds": time.monotonic() - self.begin})
        if not self.progress.cut:
            self.progress.epoch = epoch + 1

    def on_train_end(self, logs: Logs = None) -> None:
        if not self.progress.diverged:
            return
        if not self.progress.epoch:
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            raise InputError(
                "Expected a loss that stays finite. Received: one that became infinite or not a "
                f"number in the first epoch, at a learning rate of {rate:.2g}: nothing was "
                "learned. Lower training.learning_rate in a recipe of your own."
            )
        if not self.progress.best_weights:  # else Validation has put them back
            self.model.set_weights(self.before)
