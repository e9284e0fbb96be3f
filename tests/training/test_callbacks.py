"""What ends a training, and what is kept of it then."""

import math
import os
import signal
import threading
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from pyimagesearch import config
from pyimagesearch.data import batches
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.system.errors import InputError
from pyimagesearch.training import assemble, callbacks, checkpoints, signals
from pyimagesearch.training.progress import Progress

pytestmark = pytest.mark.slow


@pytest.fixture
def images():
    """Two classes of 16 images of 8x8: dark ones and light ones."""
    labels = np.arange(32, dtype=np.int32) % 2
    noise = np.random.default_rng(0).integers(0, 60, (32, 8, 8, 1))
    pixels = (noise + 150 * labels[:, np.newaxis, np.newaxis, np.newaxis]).astype(np.uint8)
    return ImageSet(pixels, labels, sample_pairs(labels, 0), ("dark", "light"))


def a_recipe(**changes):
    recipe = config.RECIPES["fast"].changed(image_shape=(8, 8, 1), batch_size=8, shift=0)
    return recipe.changed(warmup_steps=None, **changes)


def fit(recipe, images, output, *more):
    """A training as the script does it: (its networks, its Progress, what fit returned)."""
    keras.utils.set_random_seed(0)
    parts = assemble.networks(recipe, images)
    checkpoint = checkpoints.Checkpoint(str(output), {}, recipe)
    (dataset, steps) = batches.batches(images, recipe, 0)
    parts.encoder.compile(**assemble.compiling(recipe, steps))
    chain = callbacks.make_callbacks(parts, images, recipe, checkpoint)
    history = parts.encoder.fit(
        dataset,
        steps_per_epoch=steps,
        epochs=recipe.training.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[*more, *chain],
    )
    return parts, checkpoint.progress, history


class Explode(keras.callbacks.Callback):
    """Sets a rate at the begin of an epoch that no loss survives; notes the weights before."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.weights = self.model.get_weights()
            self.model.optimizer.learning_rate = 1e30


def test_a_rate_that_explodes_at_once_is_an_error_of_one_line(images, tmp_path):
    with pytest.raises(
        InputError, match=r"in the first epoch, at a learning rate of 1e\+30.*Lower"
    ):
        fit(a_recipe(epochs=3, learning_rate=1e30), images, tmp_path)
    assert not list(tmp_path.glob(".checkpoint*"))


@pytest.mark.parametrize("keep_best", [False, True])
def test_a_loss_that_explodes_later_keeps_what_was_learned(images, tmp_path, caplog, keep_best):
    explode = Explode(2)
    with caplog.at_level("INFO", logger="pyimagesearch"):
        recipe = a_recipe(epochs=5, keep_best=keep_best)
        (parts, progress, history) = fit(recipe, images, tmp_path, explode)
    assert progress.diverged and progress.epoch == 2
    # the figures of two whole epochs, and the weights after the second, or the better ones
    assert {len(values) for values in history.history.values()} == {2}
    assert all(map(math.isfinite, history.history["loss"] + history.history["val_loss"]))
    kept = progress.best_weights if keep_best else explode.weights
    for a, b in zip(parts.encoder.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(a, b)
    assert "what was learned by epoch 2 is kept" in caplog.text


def test_patience_and_history(images, tmp_path, caplog):
    with caplog.at_level("INFO", logger="pyimagesearch"):
        recipe = a_recipe(epochs=30, learning_rate=1e-9, patience=2)
        (_, progress, history) = fit(recipe, images, tmp_path)
    assert progress.out_of_patience and progress.epoch == progress.best_epoch + 2
    assert history.history is progress.history and list(history.history)[-1] == "seconds"
    assert len(history.history["val_loss"]) == progress.epoch
    assert "2 epochs without a better validation loss" in caplog.text
    assert f"keeping epoch {progress.best_epoch}, the best on held-out images" in caplog.text
    # going on from there would train nothing
    again = checkpoints.Checkpoint(str(tmp_path), {}, recipe, resume=True)
    assert again.first_epoch == 30 and again.progress.best_epoch == progress.best_epoch


class Send(keras.callbacks.Callback):
    """Sends this process a signal after the first batch of an epoch."""

    def on_train_batch_end(self, batch, logs=None):
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_ends_the_training_and_leaves_the_handlers_as_they_were(images, tmp_path):
    before = [signal.getsignal(s) for s in signals.SIGNALS]
    with signals.restored():
        (_, progress, _) = fit(a_recipe(epochs=5), images, tmp_path, Send())
    assert progress.stopped and [signal.getsignal(s) for s in signals.SIGNALS] == before


def test_two_trainings_in_a_thread(images, tmp_path):
    results = []

    def train():
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            with signals.restored():
                results.append(fit(a_recipe(epochs=1), images, tmp_path / name)[1].epoch)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert results == [1, 1]


def test_progress_is_kept_as_it_is():
    progress = Progress(9, epoch=3, history={"loss": [3.0, 2.0, 1.0]}, best_loss=1.5, best_epoch=2)
    weights = [np.ones(3)]
    other = Progress(9, stopped=True)
    other.restore(progress.as_dict() | {"stopped": True, "cut": True}, weights)
    assert other == Progress(9, 3, progress.history, 1.5, 2, weights)


@pytest.mark.parametrize(
    "seconds, words", [(42.4, "42 s"), (420, "7 min"), (3900, "65 min"), (7500, "2 h 05 min")]
)
def test_duration(seconds, words):
    assert callbacks.duration(seconds) == words


@pytest.mark.parametrize(
    ("steps", "seconds", "said"),
    [
        # the first of few steps is the start: 3.5 s a later one, so 3.5 * 48 left after the second
        (6, [20.0, 3.5, 3.5], ["", "3 min left, 48 of 50", ""]),
        (1875, [20.0, 3.5, 3.5], ["16 min left, 49 of 50", "", ""]),  # 20 * 49
        (6, [1.0, 1.0, 1.0], ["", "", ""]),  # too short to tell, until a tenth of it is done
        (6, [1.0] * 5, ["", "", "", "", "45 s left, 45 of 50"]),
    ],
)
def test_how_long_the_rest_takes(caplog, steps, seconds, said):
    caplog.set_level("INFO")
    progress = Progress(50, history={"seconds": []})
    messages = callbacks.Messages(progress)
    messages.set_params({"steps": steps})
    messages.set_model(SimpleNamespace(stop_training=False))
    for epoch, (took, expected) in enumerate(zip(seconds, said, strict=True)):
        caplog.clear()
        progress.history["seconds"].append(took)
        messages.on_epoch_end(epoch)
        assert (expected in caplog.text) if expected else not caplog.text
