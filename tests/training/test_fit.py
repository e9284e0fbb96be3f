"""fit from Python: what the train script does, in a process that is left as it was found."""

import os
import random
import signal

import matplotlib
import numpy as np
import pytest

from pyimagesearch import fit
from pyimagesearch.data.datasets import load_mnist
from pyimagesearch.system.errors import InputError


def state_of_process():
    return (
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
        random.getstate(),
        np.random.get_state()[1].tolist(),
        dict(matplotlib.rcParams),
    )


@pytest.mark.slow
def test_fit_leaves_a_model_and_the_process_as_it_was(tmp_path):
    ((images, numbers), (others, of_others)) = load_mnist()
    before = state_of_process()
    names = [f"digit {number}" for number in numbers[:600]]
    model = fit(images[:600, :, :, 0], names, tmp_path, epochs=2)
    assert state_of_process() == before
    left = {"contrastive_siamese_model", "encoder.keras", "metrics.json", "contrastive_plot.png"}
    assert left <= {*os.listdir(tmp_path)}
    assert model.settings["class_names"] == sorted(set(names))
    assert model.settings["training"]["epochs"] == 2 and model.settings["recipe"] == "fast"
    # a digit is nearer to its like than to others, already after two epochs
    feats = model.embed(others[:200])
    distances = model.distance([feats[:1], feats[1:]])
    same = of_others[1:200] == of_others[0]
    assert distances[same].mean() < distances[~same].mean()

    in_memory = fit(images[:600], names, epochs=1)
    assert in_memory.embed(others[:2]).shape == (2, 48) and not in_memory.path.exists()


@pytest.mark.parametrize(
    ("images", "labels", "flags", "what"),
    [
        (np.zeros((4, 28, 28), np.float32), [0, 0, 1, 1], {}, r"uint8 \(N, H, W, C\).* \(images"),
        (np.zeros((4, 28, 28, 2), np.uint8), [0, 0, 1, 1], {}, "C 1 or 3"),
        (np.zeros((4, 28, 28), np.uint8), [0, 0, 1], {}, "a label for each image"),
        (np.zeros((4, 28, 28), np.uint8), [0.5, 0, 1, 1], {}, "whole numbers or strings"),
        (np.zeros((4, 28, 28), np.uint8), [0, 0, 1, 1], {"class_level": 1}, "a folder alone"),
        (np.zeros((4, 28, 28), np.uint8), [0, 0, 1, 1], {"epoch_s": 1}, "arguments: --epoch-s"),
        (np.zeros((4, 28, 28), np.uint8), [0, 0, 1, 1], {"seed": -1}, "a whole number from 0"),
        (np.zeros((4, 28, 28), np.uint8), [0, 1, 2, 3], {}, "two classes"),
        ("nowhere", None, {}, "not there"),
    ],
)
def test_what_fit_refuses(images, labels, flags, what, tmp_path):
    with pytest.raises(InputError, match=what):
        fit(images, labels, tmp_path, **flags)
    assert not os.listdir(tmp_path)
