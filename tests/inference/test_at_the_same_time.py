"""A model that is read while a training replaces it."""

import contextlib
import multiprocessing
import os

import numpy as np
import pytest
import small_model

from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.inference.saving import write_settings
from pyimagesearch.system.errors import InputError


def save_models(path, scales):
    """A training as its readers see it: one model after the other takes the same place."""
    for scale in scales:
        small_model.save(path, np.array([scale], np.uint64), scale=scale, scale_of_it=scale)


@pytest.mark.slow
def test_no_reader_gets_a_mix_of_two_models(tmp_path):
    # a process of its own, in which TensorFlow is imported already
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    context.set_forkserver_preload(["small_model", "pyimagesearch.inference.saving"])
    path = small_model.save(tmp_path / "model", np.array([1], np.uint64), scale_of_it=1)
    training = context.Process(target=save_models, args=(path, [2, 3, 1, 2, 3]))
    training.start()
    white = np.full((1, *small_model.SHAPE), 255, np.uint8)
    loaded = 0
    while training.is_alive():
        model = SiameseModel(path)
        scale = model.settings["scale_of_it"]
        assert model.embed(white)[0, 0] == pytest.approx(scale)
        loaded += 1
        with contextlib.suppress(InputError):  # it was replaced meanwhile
            assert model.trained_on.tolist() == [scale]
        # settings are written into the model that was loaded, or not at all
        with contextlib.suppress(InputError, OSError):
            write_settings(model, model.settings | {"threshold": 7.0})
    training.join()
    assert training.exitcode == 0 and loaded > 2
    assert SiameseModel(path).settings["scale_of_it"] == 3
    assert os.listdir(tmp_path).count("model") == 1 and len(os.listdir(tmp_path)) == 2
