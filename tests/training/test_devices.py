"""What a training runs on: one device, several that share it, TF_CONFIG's machines."""

import json

import pytest
import tensorflow as tf

from benchmarks import shared_training
from pyimagesearch import config
from pyimagesearch.networks import acceleration
from pyimagesearch.siamese_network import build_encoder
from pyimagesearch.system.terminal import InputError
from pyimagesearch.training import devices, run
from tests.scripts import started

WORKERS = {"worker": ["a:1", "b:2"]}


def task(cluster, kind, index):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("text", "count", "is_chief"),
    [("", 1, True), (task(WORKERS, "worker", 0), 2, True), (task(WORKERS, "worker", "1"), 2, False),
        (task({"chief": ["c:3"], **WORKERS}, "worker", 0), 3, False),
        (task({"chief": ["c:3"], **WORKERS}, "chief", 0), 3, True)],
)  # fmt: skip
def test_how_many_machines_there_are_and_which_one_writes(monkeypatch, text, count, is_chief):
    monkeypatch.setenv("TF_CONFIG", text)
    assert devices.machines() == (count, is_chief)


@pytest.mark.parametrize(
    "text",
    ["{bad", task(WORKERS, "worker", 2), task({"worker": "a:1"}, "worker", 0),
        task({"worker": ["a:1", "a:1"]}, "worker", 0),
        json.dumps({"cluster": WORKERS, "task": {"index": 0}})],
)  # fmt: skip
def test_what_tensorflow_would_not_take(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=r"Expected TF_CONFIG as .* Unset it"):
        devices.machines()


def test_of_several_machines_the_chief_alone_keeps_the_folder(monkeypatch, tmp_path):
    with run.alone(tmp_path):
        with pytest.raises(InputError, match="no other training"), run.alone(tmp_path):
            pass
        monkeypatch.setenv("TF_CONFIG", task(WORKERS, "worker", 1))
        with run.alone(tmp_path):
            pass
        with pytest.raises(InputError, match=r"all machines .* no route"), run.alone(tmp_path):
            raise tf.errors.UnavailableError(None, None, "no route")
    with pytest.raises(InputError, match=r"Expected one machine .* TF_CONFIG with 2"):
        devices.strategy(config.RECIPES["photos"])


@pytest.mark.parametrize(("recipe", "bfloat16", "precision"), [
    ("article", True, "bfloat16 with float32 weights"),
    ("best", True, "bfloat16 with float32 weights"),
    ("article", False, "float32"),
    ("keras-io", True, "float32"),  # it has BatchNormalization
])  # fmt: skip
def test_device_and_precision(monkeypatch, recipe, bfloat16, precision):
    monkeypatch.setattr(acceleration, "computes_in_bfloat16", lambda p: bfloat16 and p == "auto")
    monkeypatch.setattr(devices, "CORES", 2)
    encoder = build_encoder(config.RECIPES[recipe], accelerated=True)
    assert devices.describe(encoder) == {"device": "2 CPU cores", "precision": precision}


@pytest.mark.slow
def test_ten_steps_on_two_devices_are_those_of_one():
    (alone, shared) = (shared_training.losses("article", way) for way in shared_training.WAYS[:2])
    assert len(alone) == 10 and alone[0] != alone[-1]
    assert shared_training.furthest(alone, shared) < 1e-5


@pytest.mark.slow
def test_a_killed_machine_ends_the_other_and_leaves_the_checkpoint(photos, tmp_path):
    flags = ("--recipe", "fast", "--dataset", photos, "--epochs", 1000, "--output", tmp_path)
    machines = shared_training.two_machines()
    command = ("train_contrastive_siamese_network.py", *flags)
    with started(*command, **machines[0]) as chief, started(*command, **machines[1]) as worker:
        next(line for line in chief.stdout if line.startswith("Epoch 3/"))
        worker.kill()
        (_, errors) = chief.communicate(timeout=300)
    assert chief.returncode == 2
    (line,) = [line for line in errors.splitlines() if ": error: " in line]  # the only one
    assert "Expected all machines until the training ends" in line
    assert (tmp_path / ".checkpoint.npz").exists()  # to --resume from
