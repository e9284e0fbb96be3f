"""A training that was killed goes on with the same result: the real script, kill -9, --resume."""

import csv
import json
import os
import re
import signal
from dataclasses import replace

import keras
import numpy as np
import pytest

import train_contrastive_siamese_network as script
from pyimagesearch.config import RECIPES
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.system.errors import InputError
from pyimagesearch.training import callbacks, checkpoints
from tests.scripts import begun, run

SCRIPT = "train_contrastive_siamese_network.py"


@pytest.fixture(scope="module")
def flags(photos):
    common = ("--recipe", "article", "--epochs", 4, "--batch-size", 8, "--deterministic")
    return ("--dataset", photos, *common)


@pytest.fixture(scope="module")
def uninterrupted(flags, tmp_path_factory):
    output = tmp_path_factory.mktemp("uninterrupted")
    done = run(SCRIPT, *flags, "--output", output)
    assert done.returncode == 0, done.stderr
    return output


def kill_after(line, *flags):
    """Start a training and kill it with no chance to clean up, when it has printed a line."""
    process = begun(SCRIPT, *flags, after=line)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def weights(output):
    return keras.models.load_model(output / "encoder.keras", compile=False).get_weights()


@pytest.mark.slow
def test_killed_and_resumed_is_the_same_bit_for_bit(flags, uninterrupted, tmp_path):
    flags = (*flags, "--output", tmp_path)
    kill_after("Epoch 3/4", *flags)
    assert (tmp_path / ".checkpoint.npz").is_file()
    done = run(SCRIPT, *flags, "--resume")
    assert done.returncode == 0, done.stderr
    assert re.search("going on after epoch [23]", done.stdout) and "Epoch 1/4" not in done.stdout
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


@pytest.mark.slow
def test_killed_while_saving_leaves_the_old_model_or_the_new(flags, uninterrupted):
    kill_after("[INFO] saving siamese model", *flags, "--output", uninterrupted, "--seed", 5)
    settings = uninterrupted / "contrastive_siamese_model/assets.extra/siamese.json"
    assert json.loads(settings.read_text())["seed"] in (42, 5)
    assert weights(uninterrupted) and (uninterrupted / ".checkpoint.npz").is_file()


@pytest.mark.slow
def test_a_finished_run_has_nothing_left_to_resume(photos, tmp_path, runs, fails):
    flags = ("--dataset", photos, "--recipe", "article", "--batch-size", 8, "--output", tmp_path)
    runs(script, *flags, "--epochs", 1)
    model = tmp_path / "contrastive_siamese_model" / "saved_model.pb"
    before = model.stat().st_mtime_ns
    assert "nothing left to do" in runs(script, *flags, "--epochs", 1, "--resume")
    line = fails(script, *flags, "--epochs", 2, "--resume")
    assert "finished model of other settings" in line and "--weights" in line
    assert model.stat().st_mtime_ns == before


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Two epochs of a model with dropout, and its folder."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
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
    model.fit(
        x,
        x[:, :1],
        epochs=epochs,
        initial_epoch=checkpoint.first_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[callbacks.Record(checkpoint.progress), checkpoint],
    )
    return checkpoint


def again(model):
    twin = keras.models.clone_model(model)
    twin.compile(loss="mse", optimizer="adam")
    return twin


def test_a_checkpoint_brings_back_dropout_and_optimizer(trained, tmp_path):
    states = [np.asarray(v).copy() for v in trained.variables + trained.optimizer.variables]
    twin = again(trained)
    fit(twin, tmp_path, 2, resume=True)  # after the last epoch: nothing is left to train
    for state, variable in zip(states, twin.variables + twin.optimizer.variables, strict=True):
        assert (np.asarray(variable) == state).all()
    resumed = fit(twin, tmp_path, 4, resume=True)
    assert len(resumed.progress.history["loss"]) == 4 and int(twin.optimizer.iterations) == 4


@pytest.mark.parametrize("content", [b"", b"PK torn", None])
def test_a_damaged_checkpoint_is_named_and_the_training_starts_anew(tmp_path, caplog, content):
    np.savez(tmp_path / "whole.npz", header="{}", variable_0=np.zeros(99))
    torn = (tmp_path / "whole.npz").read_bytes()[:-100] if content is None else content
    (tmp_path / ".checkpoint.npz").write_bytes(torn)
    with caplog.at_level("INFO", logger="pyimagesearch"):
        assert a_checkpoint(tmp_path, resume=True).first_epoch == 0
    assert "is damaged" in caplog.text and "starting with the first epoch" in caplog.text


def test_a_checkpoint_of_other_settings_is_refused(trained, tmp_path):
    settings = {"rate": 2, "training": {"epochs": 3}}
    with pytest.raises(InputError, match="with rate 1 instead of 2"):
        a_checkpoint(tmp_path, resume=True, settings=settings)
    with pytest.raises(InputError, match=r"with training\.epochs None instead of 3"):
        a_checkpoint(tmp_path, resume=True, settings=settings | {"rate": 1})
    # how many files a cache knew is no setting
    assert a_checkpoint(tmp_path, True, settings={"rate": 1, "parts": {"read": 9}}).first_epoch == 2


def test_another_device_is_named(trained, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    with caplog.at_level("INFO", logger="pyimagesearch"):
        fit(again(trained), tmp_path, 2, resume=True)
    assert "training on 64 CPU cores, in float32" in caplog.text
    assert "it began on 2 CPU cores, in float32: the result is not the same" in caplog.text


def test_a_full_disk_costs_the_checkpoint_not_the_training(trained, tmp_path, monkeypatch, caplog):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.np, "savez", full)
    with caplog.at_level("INFO", logger="pyimagesearch"):
        fit(again(trained), tmp_path, 3, resume=True)
    assert "no checkpoint of epoch 3 could be written (No space left" in caplog.text
    assert a_checkpoint(tmp_path, resume=True).first_epoch == 2


def test_fingerprint_sees_labels_pairs_and_pixels():
    pixels = np.zeros((70, 2, 2, 1), np.uint8)
    labels = np.arange(70, dtype=np.int32) % 7
    images = ImageSet(pixels, labels, sample_pairs(labels, 0))
    changed = pixels.copy()
    changed[-1] = 1
    others = [
        replace(images, images=changed),
        replace(images, labels=labels[::-1]),
        replace(images, pairs=sample_pairs(labels, 1)),
    ]
    assert len({checkpoints.fingerprint(x) for x in (images, *others)}) == 4
