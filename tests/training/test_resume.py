"""A training that was killed goes on with the same result: the real script, kill -9, --resume."""

import csv
import json
import signal

import keras
import numpy as np
import pytest

from pyimagesearch.config import RECIPES
from pyimagesearch.system.terminal import InputError
from pyimagesearch.training import checkpoints, devices
from tests.scripts import python

KILLED = """
import os, signal
import train_contrastive_siamese_network as script
from pyimagesearch.system import terminal
from pyimagesearch.training.checkpoints import Progress
def killed(self, epoch, logs=None, begin=Progress.on_epoch_begin):
    if epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    begin(self, epoch, logs)
Progress.on_epoch_begin = killed
terminal.run(script.main)
"""
RESUMED = """
import sys
import train_contrastive_siamese_network as script
from pyimagesearch.system import terminal
flags = sys.argv[1:]
for more in (["--resume"], ["--resume"], ["--output", flags[-1] + "/uninterrupted"]):
    sys.argv[1:] = [*flags, *more]
    script.main()
sys.argv[1:] = [*flags, "--resume", "--epochs", "2"]
terminal.run(script.main)
"""


def weights(output):
    return keras.models.load_model(output / "encoder.keras", compile=False).get_weights()


@pytest.mark.slow
def test_killed_and_resumed_is_the_same_bit_for_bit(photos, tmp_path):
    common = ("--recipe", "article", "--epochs", 4, "--batch-size", 8, "--deterministic")
    flags = ("--dataset", photos, *common, "--output", tmp_path)
    uninterrupted = tmp_path / "uninterrupted"
    assert python(KILLED, *flags).returncode == -signal.SIGKILL
    assert (tmp_path / ".checkpoint.npz").is_file()
    done = python(RESUMED, *flags)
    assert "going on after epoch 2\n" in done.stdout and done.stdout.count("Epoch 1/4") == 1
    # the finished run has nothing left to resume, and none of other settings takes its place
    assert done.stdout.count("nothing left to do") == 1 and done.stdout.count("plot: ") == 2
    assert done.returncode == 2 and "settings of the finished model in" in done.stderr
    assert "Received: training.epochs 4 instead of 2" in done.stderr
    for a, b in zip(weights(uninterrupted), weights(tmp_path)):
        assert (a == b).all()
    texts = [(x / "history.csv").read_text() for x in (uninterrupted, tmp_path)]
    rows = [list(csv.DictReader(text.splitlines())) for text in texts]
    assert len(rows[0]) == 4
    for a, b in zip(*rows, strict=True):  # all but the time it took
        assert a | {"seconds": 0} == b | {"seconds": 0}
    figures = [json.loads((x / "metrics.json").read_text()) for x in (uninterrupted, tmp_path)]
    assert figures[0]["test"] == figures[1]["test"]
    assert not list(tmp_path.glob(".checkpoint*"))  # a finished run leaves none


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Two epochs of a model with dropout, and its folder."""
    monkeypatch.setattr(devices, "CORES", 2)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile(loss="mse", optimizer="adam")
    fit(model, tmp_path, 2)
    return model


def a_checkpoint(folder, resume=False, epochs=4, settings=None):
    recipe = RECIPES["fast"].changed(epochs=epochs)
    return checkpoints.Checkpoint(str(folder), settings or {"rate": 1}, recipe, resume)


def fit(model, folder, epochs, resume=False, settings=None):
    checkpoint = a_checkpoint(folder, resume, epochs, settings)
    x = np.arange(12, dtype="float32").reshape(4, 3) / 12
    how = {"initial_epoch": checkpoint.first_epoch, "callbacks": [checkpoint], "verbose": 0}
    model.fit(x, x[:, :1], epochs=epochs, shuffle=False, **how)
    return checkpoint


def again(model):
    twin = keras.models.clone_model(model)
    twin.compile(loss="mse", optimizer="adam")
    return twin


def test_a_checkpoint_brings_back_all_of_it(trained, tmp_path, said, monkeypatch):
    states = [np.asarray(v).copy() for v in trained.variables + trained.optimizer.variables]
    twin = again(trained)
    monkeypatch.setattr(devices, "CORES", 64)
    fit(twin, tmp_path, 2, resume=True)  # after the last epoch: nothing is left to train
    assert "training on 64 CPU cores, in float32" in said()
    for state, variable in zip(states, twin.variables + twin.optimizer.variables, strict=True):
        assert (np.asarray(variable) == state).all()
    resumed = fit(twin, tmp_path, 4, resume=True)
    assert len(resumed.history["loss"]) == 4 and int(twin.optimizer.iterations) == 4


@pytest.mark.parametrize("content", [b"", b"PK torn"])
def test_a_damaged_checkpoint_is_named_and_the_training_starts_anew(tmp_path, said, content):
    (path := tmp_path / ".checkpoint.npz").write_bytes(content)
    (tmp_path / "contrastive_siamese_model").mkdir()  # of a stopped training: it is not finished
    found = a_checkpoint(tmp_path, resume=True)
    assert found.first_epoch == 0 and not found.is_finished
    assert ("is damaged" in said()) == bool(content)
    assert "starting with the first epoch" in said()
    found.begin_saving()
    found.stopped.set()
    found.finish()  # before an epoch was done
    assert path.read_bytes() == b""


def test_a_checkpoint_of_other_settings_is_refused(trained, tmp_path):
    settings = {"rate": 2, "training": {"epochs": 3}}
    with pytest.raises(InputError, match="Received: rate 1 instead of 2"):
        a_checkpoint(tmp_path, resume=True, settings=settings)
    with pytest.raises(InputError, match=r"Received: training\.epochs None instead of 3"):
        a_checkpoint(tmp_path, resume=True, settings=settings | {"rate": 1})
    # how many files a cache knew is no setting
    assert a_checkpoint(tmp_path, True, settings={"rate": 1, "parts": {"read": 9}}).first_epoch == 2


def test_a_checkpoint_of_another_network_is_one_line(trained, tmp_path):
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    other.compile(loss="mse", optimizer="adam")
    with pytest.raises(InputError, match=r"a checkpoint of this network\. Received: .* of another"):
        fit(other, tmp_path, 3, resume=True)


def test_a_full_disk_costs_the_checkpoint_not_the_training(trained, tmp_path, monkeypatch, said):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.np, "savez", full)
    fit(again(trained), tmp_path, 3, resume=True)
    assert "no checkpoint of epoch 3 could be written (No space left" in said()
    assert a_checkpoint(tmp_path, resume=True).first_epoch == 2
