"""fit for several machines: Keras' own fails there (its issue 20585), TensorFlow's strategy works.

The same callbacks are called in the same order, so checkpoints, messages and Ctrl-C are those of
any training. Whatever one machine wants to stop for stops all of them, after the same step.
"""

import json
import logging
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch import metrics
from pyimagesearch.config import Recipe
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.machines import LOST, gone, is_chief
from pyimagesearch.system.versions import versions
from pyimagesearch.training.checkpoints import Checkpoint
from pyimagesearch.training.progress import Progress

log = logging.getLogger(__name__)
T = TypeVar("T")


def fit(
    model: keras.Model,
    recipe: Recipe,
    checkpoint: Checkpoint,
    batches: Any,
    steps_per_epoch: int,
    epochs: int,
    initial_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback],
    verbose: str | int = 2,
    shuffle: bool = False,  # as Model.fit has it
) -> keras.callbacks.History:
    """Train a compiled model, to be called in the strategy's scope. Keywords as of Model.fit.

    batches: of devices.shared_out, in their own order. callbacks: a History among them.
    checkpoint: its settings and its epoch are to be the same everywhere. Where a machine goes,
    its progress says `lost`, and what was learned until then is kept, as after Ctrl-C.
    Returns the history. Raises InputError where the machines would not train the same, or where
    one goes and there is nothing to keep, or nothing for this machine to write.
    """
    progress = checkpoint.progress
    machines = Machines(model, recipe, progress)
    machines.check_same(checkpoint, initial_epoch)
    history = next(c for c in callbacks if isinstance(c, keras.callbacks.History))
    calls = keras.callbacks.CallbackList(
        callbacks, model=model, verbose=verbose, epochs=epochs, steps=steps_per_epoch
    )
    model.stop_training = False
    calls.on_train_begin()
    iterator = iter(batches)
    means: list[np.ndarray] = []
    logs: dict[str, float] = {}
    for epoch in range(initial_epoch, epochs):
        calls.on_epoch_begin(epoch)
        means = []
        for step in range(steps_per_epoch):
            calls.on_train_batch_begin(step)
            figures = machines.step(iterator)
            if progress.lost:
                break
            means.append(figures)
            logs = dict(zip(machines.names, map(float, np.mean(means, axis=0))))
            calls.on_train_batch_end(step, logs)
            if machines.any(model.stop_training):
                progress.stopped |= not progress.diverged
                progress.cut = progress.stopped and step + 1 < steps_per_epoch
                break
        model.stop_training |= progress.stopped
        if means:
            calls.on_epoch_end(epoch, logs)
        if epoch + 1 == epochs:
            break
        # whether there is patience for another is the chief's to say, whose figures are kept
        own = model.stop_training if is_chief() else progress.stopped or progress.diverged
        if machines.any(own):
            break
        model.stop_training = progress.out_of_patience = False
    if progress.lost and not progress.epoch and not means:
        raise InputError(LOST)
    calls.on_train_end(logs)
    if progress.lost and not is_chief():
        raise InputError(LOST)
    return history


class Machines:
    """What the machines do together: steps of a training, and to agree on something.

    After one of them has gone nothing more is done together: progress.lost is true.
    """

    def __init__(self, model: keras.Model, recipe: Recipe, progress: Progress):
        self.progress = progress
        strategy = tf.distribute.get_strategy()
        figures = {"accuracy": metrics.pair_accuracy} if recipe.network.head != "none" else {}
        self.names = ["loss", *figures]
        count = strategy.num_replicas_in_sync

        def part(batch):
            (x, y) = batch
            with tf.GradientTape() as tape:
                preds = model(x, training=True)
                loss = model.compute_loss(x, y, preds)  # this device's part of the mean
            variables = model.trainable_variables
            model.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
            return tf.stack([loss * count, *(figure(y, preds) for figure in figures.values())])

        @tf.function
        def step(iterator):
            return strategy.reduce("MEAN", strategy.run(part, args=(next(iterator),)), axis=None)

        @tf.function
        def add_up(values):  # of all devices
            return strategy.reduce("SUM", strategy.run(lambda x: x, args=(values,)), axis=None)

        self._step, self._add_up = step, add_up

    def step(self, iterator: Iterator) -> np.ndarray:
        """A step of the training: its loss, and the accuracy where there is one, see names."""
        return self._together(lambda: self._step(iterator).numpy(), np.zeros(len(self.names)))

    def any(self, stops: bool) -> bool:
        """Whether one of the machines wants to stop, or is gone."""
        return self._sum([float(stops)], otherwise=[1.0])[0] > 0

    def check_same(self, checkpoint: Checkpoint, epoch: int) -> None:
        """Raise InputError where the machines' settings differ, or the epoch they begin with."""
        # each may have the data somewhere else
        known = checkpoint.settings | {"dataset": None} | versions() | {"python": None}
        digest = zlib.crc32(json.dumps(known, sort_keys=True).encode()) % 2**20  # exact, squared
        for number, wanted in (
            (digest, "the same command, images and versions on every machine"),
            (epoch, "an --output that every machine can read, to --resume from"),
        ):
            (devices, total, squares) = self._sum([1, number, number**2], otherwise=[1, 0, 0])
            if devices * squares != total**2:  # equal numbers alone have no variance
                raise InputError(f"Expected {wanted}. Received: machines that differ in it.")

    def _sum(self, values, otherwise):
        # over all devices of all machines
        return self._together(
            lambda: self._add_up(tf.constant(values, tf.float64)).numpy().tolist(), otherwise
        )

    def _together(self, work: Callable[[], T], otherwise: T) -> T:
        if self.progress.lost:
            return otherwise
        try:
            return work()
        except gone(tf) as error:
            log.debug("%s", error)
            log.info("another machine of this training is gone: stopping")
            self.progress.lost = self.progress.stopped = self.progress.cut = True
            return otherwise
