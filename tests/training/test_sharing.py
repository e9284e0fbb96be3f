"""A training that several devices or machines share: it learns what one learns alone."""

import json
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import keras
import pytest
import tensorflow as tf
from pyimagesearch.data.orders import steps_and_size

from benchmarks import shared_training
from pyimagesearch import config
from pyimagesearch.system.errors import InputError
from pyimagesearch.training import sharing, steps_of_machines
from pyimagesearch.training.callbacks import Record
from pyimagesearch.training.progress import Progress
from tests.scripts import ROOT, python


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "way"),
    [("article", "two logical CPUs"), ("fast", "two logical CPUs"), ("fast", "two processes")],
)
def test_ten_steps_are_those_of_one_device(recipe, way):
    (alone, shared) = (shared_training.losses(recipe, w) for w in ("one device", way))
    assert len(alone) == 10 and alone[0] != alone[-1]
    assert shared_training.furthest(alone, shared) < 1e-5


def test_a_batch_is_cut_into_equal_parts_with_each_anchor_beside_its_others(monkeypatch):
    class Two:  # a strategy of two devices on one machine, which shows what it would hand out
        num_replicas_in_sync = 2
        num_input_pipelines = 1
        input_pipeline_id = 0

        def distribute_datasets_from_function(self, of_machine):
            return of_machine(self)

    monkeypatch.setattr(tf.distribute, "get_strategy", Two)
    # five anchors with two others each: the fifth is left out, so that both have two
    batch = ((tf.range(5), tf.range(10) + 100), tf.range(10) % 2)
    parts = sharing.shared_out(tf.data.Dataset.from_tensors(batch))
    assert [tf.nest.map_structure(lambda x: x.numpy().tolist(), part) for part in parts] == [
        (([0, 1], [100, 101, 102, 103]), [0, 1, 0, 1]),
        (([2, 3], [104, 105, 106, 107]), [0, 1, 0, 1]),
    ]


def test_the_second_machine_takes_the_second_part(monkeypatch):
    class Second:
        num_replicas_in_sync = num_input_pipelines = 2
        input_pipeline_id = 1

        def distribute_datasets_from_function(self, of_machine):
            return of_machine(self)

    monkeypatch.setattr(tf.distribute, "get_strategy", Second)
    batches = tf.data.Dataset.range(8).batch(4).map(lambda x: (x, 10 * x))
    parts = [[x.numpy().tolist() for x in part] for part in sharing.shared_out(batches)]
    assert parts == [[[2, 3], [20, 30]], [[6, 7], [60, 70]]]


def test_one_device_takes_the_batches_as_they_are():
    batches = tf.data.Dataset.range(3)
    assert sharing.shared_out(batches) is batches


def test_sizes_that_devices_can_share():
    assert steps_and_size(100, 10, shares=4) == (8, 12)  # 12 is nearer to 10 in what is left out
    assert all(
        steps_and_size(n, 10, whole, 4)[1] % 4 == 0 for n in range(4, 99) for whole in (0, 1)
    )
    with pytest.raises(InputError, match=r"an image for each of 4 devices\. Received: 3"):
        steps_and_size(3, 10, shares=4)


def test_several_ways_are_not_shared_by_machines(monkeypatch):
    cluster = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    with pytest.raises(InputError, match=r"Expected one machine .* TF_CONFIG with 2"):
        sharing.strategy(config.RECIPES["photos"])


def test_patience_is_the_chiefs_to_lose(monkeypatch):
    """Another machine's, which ends after its second epoch, stops nobody."""
    monkeypatch.setattr(steps_of_machines, "is_chief", lambda: False)
    recipe = config.RECIPES["fast"]
    progress = Progress(4)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    model.compile(loss="mse", optimizer="sgd")

    class Patience(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.model.stop_training = progress.out_of_patience = True

    batches = tf.data.Dataset.from_tensors((tf.ones((4, 3)), tf.ones((4, 2)))).repeat()
    checkpoint = SimpleNamespace(progress=progress, settings={})
    callbacks = [Patience(), Record(progress)]
    history = steps_of_machines.fit(model, recipe, checkpoint, batches, 3, 4, 0, callbacks)
    assert len(history.history["loss"]) == progress.epoch == 4
    assert not (progress.stopped or progress.cut or progress.out_of_patience)


@pytest.mark.slow
def test_an_address_that_another_program_has(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        workers = [f"127.0.0.1:{taken.getsockname()[1]}", "127.0.0.1:1"]
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": 0}}
        run = python(
            """
            import runpy, sys
            sys.argv[0] = "train_contrastive_siamese_network.py"
            runpy.run_path(sys.argv[0], run_name="__main__")
            """,
            *("--recipe", "fast", "--output", tmp_path / "run"),
            TF_CONFIG=json.dumps(task),
        )
    assert run.returncode == 2
    (error,) = run.stderr.splitlines()
    assert "Expected TF_CONFIG as" in error and "free to listen at" in error


@pytest.mark.slow
def test_a_killed_machine_ends_the_other_and_resume_goes_on(tmp_path):
    output = tmp_path / "output"
    (chief, worker) = start(output, "--recipe", "fast", "--batch-size", "512", "--epochs", "3")
    while not (output / ".checkpoint.npz").exists():  # an epoch is done
        assert chief.poll() is None, chief.communicate()
        time.sleep(0.1)
    worker.kill()
    (text, errors) = chief.communicate(timeout=120)
    worker.communicate()
    assert chief.returncode == 2
    assert "another machine of this training is gone: stopping" in text
    assert "Expected all machines until the training ends" in errors.splitlines()[-1]
    assert (output / "contrastive_siamese_model" / "saved_model.pb").exists()
    learned = json.loads((output / "metrics.json").read_text())

    both = start(output, "--recipe", "fast", "--batch-size", "512", "--epochs", "3", "--resume")
    texts = [process.communicate(timeout=240)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert all("going on after epoch" in text for text in texts)
    assert "measuring" in texts[0] and "measuring" not in texts[1]  # the chief alone writes
    assert json.loads((output / "metrics.json").read_text()) != learned


def start(output, *flags):
    # the train script in two processes, the chief first
    command = [sys.executable, "train_contrastive_siamese_network.py", *flags]
    return [
        subprocess.Popen(
            [*command, "--output", str(output)],
            cwd=ROOT,
            env=environment | {"MPLBACKEND": "Agg"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in shared_training.two_machines()
    ]
