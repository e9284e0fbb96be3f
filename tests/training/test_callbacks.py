"""What ends a training, and what is kept of it then."""

import math
import signal
from unittest.mock import Mock

import keras
import numpy as np
import pytest

from pyimagesearch import config
from pyimagesearch.data import batches
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.system.terminal import InputError
from pyimagesearch.training import build, checkpoints, devices, run


@pytest.fixture(scope="module")
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
    """A training as run.train does it: (its encoder, its Checkpoint)."""
    keras.utils.set_random_seed(0)
    (model, encoder, comparison) = build.networks(recipe, images)
    checkpoint = checkpoints.Checkpoint(str(output), {}, recipe)
    (dataset, steps) = batches.batches(images, recipe, 0)
    model.compile(**build.compiling(recipe, steps))
    callbacks = checkpoint.callbacks(encoder, comparison, images)
    devices.fit(model, dataset, steps, checkpoint, [*more, *callbacks])
    return encoder, checkpoint


class Explode(keras.callbacks.Callback):
    """Sets a rate at the begin of the third epoch that no loss survives; notes the weights."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.weights = self.model.get_weights()
            self.model.optimizer.learning_rate = 1e30


@pytest.mark.slow
def test_a_rate_that_explodes_at_once_is_an_error_of_one_line(images, tmp_path):
    with pytest.raises(InputError, match=r"first epoch, at a rate of 1e\+30.*Lower"):
        fit(a_recipe(epochs=3, learning_rate=1e30), images, tmp_path)
    assert not list(tmp_path.glob(".checkpoint*"))


@pytest.mark.slow
@pytest.mark.parametrize("keep_best", [False, True])
def test_a_loss_that_explodes_later_keeps_what_was_learned(images, tmp_path, said, keep_best):
    explode = Explode()
    recipe = a_recipe(epochs=5, keep_best=keep_best)
    (encoder, checkpoint) = fit(recipe, images, tmp_path, explode)
    # the figures of two whole epochs, and the weights after the second, or the better ones
    history = checkpoint.history
    assert {len(values) for values in history.values()} == {2}
    assert all(map(math.isfinite, history["loss"] + history["val_loss"]))
    kept = checkpoint.best_weights if keep_best else explode.weights
    for a, b in zip(encoder.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(a, b)
    assert "what was learned by epoch 2 is kept" in said()


@pytest.mark.slow
def test_patience_and_history(images, tmp_path, said):
    recipe = a_recipe(epochs=30, learning_rate=1e-12, patience=2)
    (_, checkpoint) = fit(recipe, images, tmp_path)
    best = checkpoint.best_epoch
    assert len(checkpoint.history["val_loss"]) == best + 2 < 30
    assert f"no better validation loss since epoch {best}" in said()
    assert f"keeping epoch {best}, the best on held-out images" in said()
    assert said().count(" left") == 1 and "training took" in said()
    # going on from there would train nothing
    again = checkpoints.Checkpoint(str(tmp_path), {}, recipe, resume=True)
    assert again.first_epoch == 30 and again.best_epoch == best


class Send(keras.callbacks.Callback):
    """Sends this process a signal after the first batch of an epoch."""

    def on_train_batch_end(self, batch, logs=None):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_one_signal_ends_the_training_and_a_second_one_the_program(images, tmp_path, request):
    # as a terminal's, also where these tests run in the background, which Ctrl-C does not end
    found = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, found))
    before = [signal.getsignal(s) for s in checkpoints.SIGNALS]
    with run.alone(tmp_path):
        for _ in range(2):  # other fits before it, as the heads of `photos`
            (head := checkpoints.Progress(3)).set_model(Mock())
            head.on_train_begin()
        (_, checkpoint) = fit(a_recipe(epochs=5), images, tmp_path, Send())
        assert len(checkpoint.history["loss"]) < 5
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(s) for s in checkpoints.SIGNALS] == before
