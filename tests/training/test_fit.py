"""fit from Python: what the train script does; the threshold that a training chooses."""

import gc
import os
import random
import signal

import keras
import matplotlib
import numpy as np
import pytest

import pyimagesearch
from pyimagesearch.config import RECIPES
from pyimagesearch.data.datasets import load_mnist
from pyimagesearch.data.sets import DataSet, ImageSet
from pyimagesearch.evaluation import distances
from pyimagesearch.siamese_network import build_comparison
from pyimagesearch.system.terminal import InputError
from pyimagesearch.training import arguments, run


def state_of_process():
    signals = [signal.getsignal(x) for x in (signal.SIGINT, signal.SIGTERM)]
    numbers = (random.getstate(), np.random.get_state()[1].tolist())
    return signals, numbers, dict(matplotlib.rcParams)


@pytest.mark.slow
def test_fit_leaves_a_model_and_the_process_as_it_was(tmp_path, monkeypatch, capfd):
    ((images, numbers), (others, of_others)) = load_mnist()
    before = state_of_process()
    names = [f"digit {number}" for number in numbers[:600]]
    (tmp_path / "contrastive_pairs.png").touch()  # of the model before
    model = pyimagesearch.fit(images[:600, :, :, 0], names, tmp_path, epochs=2)
    assert "[INFO] 431 to train on, 48 to choose by, 121 to test" in capfd.readouterr().out
    assert not (tmp_path / "contrastive_pairs.png").exists()
    assert state_of_process() == before
    left = {"contrastive_siamese_model", "encoder.keras", "metrics.json", "contrastive_plot.png"}
    assert left <= {*os.listdir(tmp_path)}
    assert model.settings["class_names"] == sorted(set(names))
    assert model.settings["training"]["epochs"] == 2 and model.settings["recipe"] == "fast"
    found = model.evaluate(others[:300], of_others[:300])
    assert found["images"] == 300 and found["accuracy"]["low"] > 0.5 and not found["trained_on"]
    of_training = model.evaluate(images[:600], numbers[:600])
    assert (of_training["trained_on"], of_training["images"]) == (431 + 48, 600)

    monkeypatch.setattr(arguments, "find_spec", lambda name: name)  # it need not be there
    shown: dict = {}
    board = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: shown.update(logs))
    monkeypatch.setattr(keras.callbacks, "TensorBoard", lambda folder, **how: board)
    test = (others[:100], [f"digit {number}" for number in of_others[:100]])
    how = {"epochs": 1, "learning_rate": 0.0005, "tensorboard": tmp_path, "verbose": False}
    capfd.readouterr()
    in_memory = pyimagesearch.fit(images[:600], names, test=test, **how)
    assert capfd.readouterr() == ("", "")
    assert in_memory.settings["training"]["learning_rate"] == 0.0005
    parts = in_memory.settings["parts"]
    assert (parts["train"], parts["test"]) == (540, 100)
    assert {"loss", "val_loss"} <= shown.keys()
    again = in_memory.evaluate(others[:300], of_others[:300], calibrate=True)
    assert in_memory.threshold == again.threshold
    temporary = in_memory.path
    in_memory.save(tmp_path / "saved")
    loaded = pyimagesearch.SiameseModel(tmp_path / "saved")
    assert loaded.threshold == again.threshold and loaded.digest == in_memory.digest
    assert loaded.evaluate(images[:600], numbers[:600]).trained_on == 600
    del in_memory
    gc.collect()
    assert not temporary.parent.exists()


BLACK, TWO = np.zeros((4, 28, 28), np.uint8), [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("images", "labels", "flags", "what"),
    [
        (BLACK / 255, TWO, {}, r"uint8 \(N, H, W, C\).*images \* 255\)"),
        (BLACK, [0, 0, 1], {}, "a label for each image"),
        (BLACK, [0.5, 0, 1, 1], {}, "whole numbers or strings"),
        (BLACK, TWO, {"class_level": 1}, "a folder alone"),
        (BLACK, TWO, {"epoch": BLACK}, r"arguments: epoch=, perhaps epochs= is meant; help\(fit\)"),
        (BLACK, TWO, {"test": (BLACK[1:], TWO)}, "4 for 3 images"),
        (BLACK, TWO, {"test": (BLACK[1:, 1:], [0])}, r"of shape \(28, 28\)\. .*\(27, 28\)"),
        ("nowhere", None, {}, "not there"),
        ("photos", None, {"test": (BLACK, TWO)}, "a path alone"),
    ],
)
def test_what_fit_refuses(images, labels, flags, what, tmp_path):
    with pytest.raises(InputError, match=what):
        pyimagesearch.fit(images, labels, tmp_path / "run", **flags)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(("new", "threshold"), [(False, 50), (True, 5)])
def test_new_classes_are_told_from_those_of_training_too(new, threshold, monkeypatch):
    """By hand: same pairs are at distance 2, classes to choose by at 98, one of training at 8."""

    def images(*values):
        return np.array(values, np.uint8).reshape(-1, 1, 1, 1)

    choices = ImageSet(images(0, 2, 100, 102), np.array([0, 0, 1, 1]), None, ("a", "b", "c"))
    train = ImageSet(images(10, 12), np.array([2, 2]), None, ("a", "b", "c"))
    data = DataSet(train, choices, choices, choices, new_choices=new)
    monkeypatch.setattr(distances, "BLUR", 0.0001)  # what four images say, and no more
    inputs = keras.Input((1, 1, 1), dtype="uint8")
    encoder = keras.Model(inputs, keras.layers.Flatten()(keras.layers.Rescaling(1.0)(inputs)))
    recipe = RECIPES["photos"]
    found = run.calibrated(encoder, build_comparison(recipe), recipe, data, {"head": "none"})[2]
    assert found["threshold"] == pytest.approx(threshold, abs=0.01)
    assert found["operating_images"] == 4
