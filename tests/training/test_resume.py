"""A training that was killed goes on as if nothing had been: the real script, kill -9, --resume."""

import csv
import json
import os
import re
import signal
import subprocess

import cv2
import keras
import numpy as np
import pytest
from conftest import ENVIRONMENT, command, run

from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.training import checkpoints

SCRIPT = "train_contrastive_siamese_network.py"


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder of two classes, bright discs and bright squares, 24 images of each."""
    folder = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    for k in range(48):
        image = rng.integers(0, 60, (16, 16), dtype=np.uint8)
        (x, y) = (int(n) for n in rng.integers(5, 11, 2))
        if k % 2:
            cv2.circle(image, (x, y), 4, 250, -1)
        else:
            cv2.rectangle(image, (x - 4, y - 4), (x + 4, y + 4), 250, -1)
        (folder / ("disc" if k % 2 else "square")).mkdir(exist_ok=True)
        cv2.imwrite(str(folder / ("disc" if k % 2 else "square") / f"{k}.png"), image)
    return folder


@pytest.fixture(scope="module")
def flags(shapes):
    return ("--dataset", shapes, "--recipe", "article", "--epochs", 4, "--batch-size", 8)


@pytest.fixture(scope="module")
def uninterrupted(flags, tmp_path_factory):
    output = tmp_path_factory.mktemp("uninterrupted")
    done = run(SCRIPT, *flags, "--deterministic", "--output", output)
    assert done.returncode == 0, done.stderr
    return output


def kill_after(line, *flags):
    """Start a training and kill it with no chance to clean up, when it has printed a line."""
    process = subprocess.Popen(
        command(SCRIPT, *flags), env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    )
    for printed in process.stdout:
        if printed.startswith(line):
            break
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def weights(output):
    return keras.models.load_model(output / "encoder.keras", compile=False).get_weights()


def test_killed_and_resumed_is_the_same_bit_for_bit(flags, uninterrupted, tmp_path):
    flags = (*flags, "--deterministic", "--output", tmp_path)
    kill_after("Epoch 3/4", *flags)
    assert (tmp_path / ".checkpoint.npz").is_file()
    done = run(SCRIPT, *flags, "--resume")
    assert done.returncode == 0, done.stderr
    assert re.search("going on after epoch [23]", done.stdout) and "Epoch 1/4" not in done.stdout
    for a, b in zip(weights(uninterrupted), weights(tmp_path)):
        assert (a == b).all()
    name = "contrastive_plot.png"
    assert (tmp_path / name).read_bytes() == (uninterrupted / name).read_bytes()
    rows = [list(csv.DictReader((x / "history.csv").open())) for x in (uninterrupted, tmp_path)]
    assert len(rows[0]) == 4
    for a, b in zip(*rows, strict=True):  # all but the time it took
        assert a | {"seconds": 0} == b | {"seconds": 0}
    figures = [json.loads((x / "metrics.json").read_text()) for x in (uninterrupted, tmp_path)]
    assert figures[0]["test"] == figures[1]["test"]
    # a finished run leaves no checkpoint, and nothing half-written
    left = {path.name for path in tmp_path.iterdir() if path.name.startswith(".")}
    assert all(name.startswith(".images-") for name in left)


def test_killed_while_saving_leaves_the_old_model_or_the_new(flags, uninterrupted, tmp_path):
    flags = (*flags, "--output", tmp_path)
    assert run(SCRIPT, *flags, "--deterministic").returncode == 0
    before = weights(tmp_path)
    kill_after("[INFO] saving siamese model", *flags, "--seed", 5)
    found = json.loads(
        (tmp_path / "contrastive_siamese_model/assets.extra/siamese.json").read_text()
    )
    assert found["seed"] in (42, 5)
    done = run(SCRIPT, *flags, "--seed", 5, "--resume")
    assert done.returncode == 0 and "going on after epoch 4" in done.stdout, done.stderr
    assert not list(tmp_path.glob(".new-*")) and not list(tmp_path.glob(".old-*"))
    assert any((a != b).any() for a, b in zip(before, weights(tmp_path)))


class Stop:
    stopped = cut = False


class Validating:
    best_loss, best_epoch, best_weights, out_of_patience = np.inf, 0, None, False


@pytest.fixture
def trained(tmp_path):
    """Two epochs of a model with dropout: (model, its Checkpoint)."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile(loss="mse", optimizer="adam")
    return model, fit(model, tmp_path, 2)


def fit(model, folder, epochs, resume=False, settings=None):
    checkpoint = checkpoints.Checkpoint(folder, settings or {"rate": 1}, resume)
    history = keras.callbacks.History()
    checkpoint.follow(Validating(), history, Stop())
    x = np.arange(12, dtype="float32").reshape(4, 3) / 12
    model.fit(
        x,
        x[:, :1],
        epochs=epochs,
        initial_epoch=checkpoint.epoch,
        shuffle=False,
        verbose=0,
        callbacks=[history, checkpoint],
    )
    checkpoint.history = history
    return checkpoint


def again(model):
    twin = keras.models.clone_model(model)
    twin.compile(loss="mse", optimizer="adam")
    return twin


def test_a_checkpoint_brings_back_dropout_and_optimizer(trained, tmp_path):
    (model, _) = trained
    states = [np.asarray(v).copy() for v in model.variables + model.optimizer.variables]
    twin = again(model)
    fit(twin, tmp_path, 2, resume=True)  # after the last epoch: nothing is left to train
    for state, variable in zip(states, twin.variables + twin.optimizer.variables, strict=True):
        assert (np.asarray(variable) == state).all()
    resumed = fit(twin, tmp_path, 4, resume=True)
    assert len(resumed.history.history["loss"]) == 4 and int(twin.optimizer.iterations) == 4


@pytest.mark.parametrize("content", [b"", b"PK torn", None])
def test_a_torn_checkpoint_falls_back_to_the_one_before(trained, tmp_path, capsys, content):
    newest = tmp_path / ".checkpoint.npz"
    newest.write_bytes(newest.read_bytes()[:-100] if content is None else content)
    checkpoint = checkpoints.Checkpoint(tmp_path, {"rate": 1}, resume=True)
    assert checkpoint.epoch == 1 and "is damaged" in capsys.readouterr().out
    (tmp_path / ".checkpoint-before.npz").write_bytes(b"")
    assert checkpoints.Checkpoint(tmp_path, {"rate": 1}, resume=True).epoch == 0
    assert "starting with the first epoch" in capsys.readouterr().out


def test_a_checkpoint_of_other_settings_is_refused(trained, tmp_path):
    with pytest.raises(ValueError, match="with rate 1 instead of 2"):
        checkpoints.Checkpoint(tmp_path, {"rate": 2}, resume=True)


def test_a_full_disk_costs_the_checkpoint_not_the_training(trained, tmp_path, monkeypatch, capsys):
    (model, _) = trained

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.np, "savez", full)
    fit(again(model), tmp_path, 3, resume=True)
    assert "no checkpoint of epoch 3 could be written (No space left" in capsys.readouterr().out
    assert checkpoints.Checkpoint(tmp_path, {"rate": 1}, resume=True).epoch == 2


def test_fingerprint_sees_labels_pairs_and_pixels():
    pixels = np.zeros((70, 2, 2, 1), np.uint8)
    labels = np.arange(70) % 7
    images = ImageSet(pixels, labels, sample_pairs(labels, 0))
    changed = pixels.copy()
    changed[-1] = 1
    others = [
        images.replace(images=changed),
        images.replace(labels=labels[::-1]),
        images.replace(pairs=sample_pairs(labels, 1)),
    ]
    numbers = {checkpoints.fingerprint(x) for x in (images, *others)}
    assert len(numbers) == 4 and checkpoints.fingerprint(images) in numbers


def test_two_trainings_into_one_folder(flags, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    done = run(SCRIPT, *flags, "--output", tmp_path)
    os.close(folder)
    assert done.returncode == 2 and "no other training writes to" in done.stderr
