"""fit over the batches: every epoch takes just its own steps."""

import keras
import numpy as np
import pytest

from pyimagesearch.config import RECIPES
from pyimagesearch.data import batches
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.training import optimizers


@pytest.mark.parametrize("steps, expected", [(1875, 25), (400, 25), (30, 15), (4, 4), (31, 1)])
def test_steps_per_execution_divides(steps, expected):
    assert optimizers.steps_per_execution(steps) == expected


@pytest.mark.parametrize("images, steps", [(16, 4), (120, 30), (124, 31)])
def test_epochs_do_not_run_into_each_other(images, steps):
    pixels = np.arange(images, dtype=np.uint8).reshape(-1, 1, 1, 1)
    pairs = sample_pairs(np.arange(images) % 2, 0)
    dataset, got = batches.pair_batches(pixels, pairs, 8, epochs=range(3), seed=0)
    assert got == steps
    image = keras.Input((1, 1, 1), dtype="uint8"), keras.Input((1, 1, 1), dtype="uint8")
    flat = [keras.layers.Flatten()(keras.ops.cast(x, "float32")) for x in image]
    output = keras.layers.Dense(1)(keras.ops.repeat(flat[0], 2, axis=0) - flat[1])
    model = keras.Model(image, output)
    k = optimizers.steps_per_execution(steps)
    model.compile(loss="mse", optimizer="sgd", steps_per_execution=k)
    counts = []
    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: counts.append(int(model.optimizer.iterations))
    )
    model.fit(dataset, steps_per_epoch=steps, epochs=3, verbose=0, callbacks=[count], shuffle=False)
    assert counts == [steps, 2 * steps, 3 * steps]


def test_optimizer_follows_the_recipe():
    article = optimizers.make_optimizer(RECIPES["article"], 1875)
    assert float(article.learning_rate) == pytest.approx(0.001)
    schedule = optimizers.make_optimizer(RECIPES["fast"], 400)._learning_rate
    assert float(schedule(100)) == pytest.approx(0.002)  # after the warm-up
    assert float(schedule(7 * 400)) == pytest.approx(0, abs=1e-8)
