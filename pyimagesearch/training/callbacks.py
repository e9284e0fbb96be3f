"""What fit needs beside model and data: optimizer and callbacks; and embeddings after it."""

# import the necessary packages
import signal
import time

import keras
import numpy as np

from pyimagesearch import metrics
from pyimagesearch.evaluation import verification
from pyimagesearch.evaluation.embeddings import embed, pair_distances


def make_callbacks(encoder, comparison, validation, recipe, checkpoint):
    """The validation figures first, since the others read them; then the rest."""
    hint = " (--recipe fast takes under a minute)" if recipe.network.name == "article" else ""
    validating = PairValidation(encoder, comparison, validation, recipe)
    history, stop = keras.callbacks.History(), StopOnSignal()
    checkpoint.follow(validating, history, stop)
    return [validating, history, stop, TimeLeft(recipe.training.epochs, history, hint), checkpoint]


class PairValidation(keras.callbacks.Callback):
    """Adds val_loss, the loss of the validation pairs, to each epoch's figures.

    With keep_best, ends with the weights of the epoch whose val_loss was lowest, and with a
    patience perhaps before the last epoch. No reported figure comes from images that something
    was chosen on.
    """

    def __init__(self, encoder, comparison, validation, recipe):
        """validation: an ImageSet with pairs."""
        super().__init__()
        self.encoder, self.comparison, self.recipe = encoder, comparison, recipe
        self.validation = validation
        self.best_loss, self.best_weights, self.best_epoch = np.inf, None, 0
        self.out_of_patience = False

    def on_epoch_end(self, epoch, logs=None):
        embeddings = embed(self.encoder, self.validation.images)
        (distances, y) = pair_distances(embeddings, self.validation.pairs, self.comparison)
        loss = metrics.PAIR_LOSSES[self.recipe.training.loss](
            y, distances, self.recipe.training.margin
        )
        logs["val_loss"] = float(loss)
        if self.recipe.network.head != "none":
            logs["val_accuracy"] = float(metrics.pair_accuracy(y, distances))
        patience = self.recipe.training.patience
        collapsed = verification.is_collapsed(distances)
        if collapsed:
            print("\n[INFO] the network has collapsed: all distances are alike")
        if not self.recipe.training.keep_best or (collapsed and self.best_weights is None):
            return  # what has not begun to learn is not to be kept, nor is its patience counted
        if logs["val_loss"] < self.best_loss:
            self.best_loss, self.best_epoch = logs["val_loss"], epoch + 1
            self.best_weights = self.model.get_weights()
        elif patience and epoch + 1 - self.best_epoch >= patience:
            self.model.stop_training = self.out_of_patience = True
            print(f"\n[INFO] {patience} epochs without a better validation loss")

    def on_train_end(self, logs=None):
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
            print(f"[INFO] keeping epoch {self.best_epoch}, the best on held-out images")


class StopOnSignal(keras.callbacks.Callback):
    """Ctrl-C or SIGTERM ends the training after the running step; a second one ends the program.

    The first is still only noted after the training, while the model is being saved.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)
    stopped = False
    cut = False  # whether an epoch was ended in its middle

    def on_train_begin(self, logs=None):
        self.handlers = {s: signal.signal(s, self._stop) for s in self.SIGNALS}

    def _stop(self, signum, frame):
        self.stopped = True
        for s, handler in self.handlers.items():
            signal.signal(s, handler)
        print("\n[INFO] stopping; press Ctrl-C again to quit at once and lose what was learned")

    def on_train_batch_end(self, batch, logs=None):
        if self.stopped:
            self.cut = batch + 1 < self.params["steps"]
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training |= self.stopped

    def on_train_end(self, logs=None):
        if self.stopped:
            print("\n[INFO] stopped on request, what was learned is kept")


class TimeLeft(keras.callbacks.Callback):
    """Says after the first seconds, and at every tenth of the training, how long the rest takes,
    and at the end how long all of it took, epochs before a --resume included.

    Each epoch's seconds, validation included, go into the history.
    """

    def __init__(self, epochs, history, hint=""):
        super().__init__()
        self.epochs, self.history, self.hint = epochs, history, hint
        self.mark, self.done, self.said = None, 0, False  # done: epochs of this run

    def on_train_begin(self, logs=None):
        self.mark = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.monotonic() - self.mark
        self.history.history.setdefault("seconds", []).append(seconds)
        self.mark, self.done = self.mark + seconds, self.done + 1

    def on_epoch_begin(self, epoch, logs=None):
        seconds = self.history.history.get("seconds", [])
        first = not self.said and sum(seconds) > 3  # after a first long epoch, or some short ones
        if self.done and (first or epoch % max(self.epochs // 10, 1) == 0):
            left = self.epochs - epoch
            # without the first, in which TensorFlow also builds its graph
            seconds = np.mean(seconds[1:][-10:] or seconds) * left
            (hint, self.said) = (self.hint if first else "", True)
            print(f"[INFO] about {duration(seconds)} left, {left} of {self.epochs} epochs{hint}")

    def on_train_end(self, logs=None):
        print(f"[INFO] training took {duration(sum(self.history.history.get('seconds', [])))}")


def duration(seconds):
    """Seconds in words: 42 s, 7 min, 1 h 05 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
