"""What a training runs on: one device, several cards, or several machines.

Several machines are those of the environment variable TF_CONFIG, see docs/large.md. One of them,
the chief, writes: the task "chief" where the cluster has one, else the first worker.
"""

import json
import os
import re
import signal
import zlib
from typing import Any

import keras
import tensorflow as tf

from pyimagesearch.config import Recipe
from pyimagesearch.evaluation.report import versions
from pyimagesearch.system.terminal import CORES, InputError, counted, first_line, say, verbosity


def machines() -> tuple[int, bool]:
    """How many machines share a training, and whether this one writes: of several, one does.

    (1, True) without TF_CONFIG. Raises InputError for one that TensorFlow would wait with for ever.
    """
    try:
        content = json.loads(os.environ.get("TF_CONFIG") or "{}")
        if not content.get("cluster"):
            return 1, True
        (cluster, task) = (content["cluster"], content["task"])
        kinds = ("chief", "worker")
        tasks = [(kind, k) for kind in kinds for k in range(len(cluster.get(kind, [])))]
        addresses = {cluster[kind][k] for kind, k in tasks}
        if len(addresses) < len(tasks) or not all(re.search(r".:\d+$", x) for x in addresses):
            raise ValueError
        return len(tasks), tasks.index((task["type"], int(task["index"]))) == 0
    except (ValueError, TypeError, AttributeError, KeyError):
        raise _refused() from None


def _refused() -> InputError:
    text = " ".join(os.environ.get("TF_CONFIG", "").split())[:500]
    form = '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}'
    wanted = f"TF_CONFIG as {form}, each address once, and this task's own free to listen at"
    return InputError(wanted, f"{text}. Unset it to train on this machine")


def cards() -> list[str]:
    """This machine's devices that share a training: its cards, else its logical CPUs."""
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    return [device.name for device in tf.config.list_logical_devices(kind)]


def strategy(recipe: Recipe) -> tf.distribute.Strategy:
    """How a training is shared out, to be called before the first tensor.

    Waits for all machines. A recipe with training.ways takes one card, on one machine (InputError).
    """
    (count, _) = machines()
    if count == 1:
        names = cards()
        alone = len(names) == 1 or recipe.training.ways
        return tf.distribute.get_strategy() if alone else tf.distribute.MirroredStrategy(names)
    if recipe.training.ways:
        received = f"TF_CONFIG with {count}. Unset it, or take recipe photos-small."
        raise InputError("one machine for a recipe that tries several ways", received)
    say(f"waiting for {count} machines; Ctrl-C gives up")
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's would wait for TensorFlow
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, TypeError, tf.errors.OpError) as error:  # addresses of no use
        say(first_line(error))
        raise _refused() from None
    finally:
        signal.signal(signal.SIGINT, before)


def describe(model: keras.Model) -> dict[str, str]:
    """What a model is trained on: {"device": "2 CPU cores", "precision": "float32"}"""
    of = tf.config.experimental.get_device_details
    gpus = [of(gpu).get("device_name", "GPU") for gpu in tf.config.list_physical_devices("GPU")]
    device = ", ".join(gpus) or counted(CORES, "CPU core")
    (count, _) = machines()
    if count > 1:
        device = f"{count} machines with {device} each"
    in_bfloat16 = any(layer.compute_dtype == "bfloat16" for layer in model._flatten_layers())
    precision = "bfloat16 with float32 weights" if in_bfloat16 else "float32"
    return {"device": device, "precision": precision}


def _shared_out(batches: tf.data.Dataset) -> Any:
    # batches in equal parts, one a device: what would make them unequal is left out
    shared = tf.distribute.get_strategy()
    count = shared.num_replicas_in_sync
    if count == 1:
        return batches

    def of_machine(context):
        own = count // context.num_input_pipelines  # devices
        first = own * context.input_pipeline_id

        def parts(*batch):
            anchors = tf.shape(tf.nest.flatten(batch)[0])[0]

            def cut(x):  # (count, size of a part, …)
                each = tf.shape(x)[0] // anchors  # 1, or the others of an anchor
                equal = tf.split(x[: anchors // count * each * count], count)
                return tf.stack(equal[first : first + own])

            return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(cut, batch))

        return batches.flat_map(parts).prefetch(2 * own)

    return shared.distribute_datasets_from_function(of_machine)


def fit(
    model: keras.Model, batches: Any, steps: int, checkpoint: Any, callbacks: list[Any]
) -> keras.callbacks.History:
    """model.fit, also for several machines. To be called in the strategy's scope.

    batches, steps: of data.batches.batches. checkpoint: a Checkpoint, among the callbacks.
    Keras' own fit fails for several machines (its issue 20585, open). There the same callbacks
    are called in the same order, and where one machine wants to stop all of them do after the
    same step. Raises InputError where the machines would not train the same, and TensorFlow's
    error where a machine goes: the checkpoint of the last whole epoch stays.
    """
    (first, epochs) = (checkpoint.first_epoch, checkpoint.epochs)
    batches = _shared_out(batches)
    if machines()[0] == 1:
        how = {"verbose": verbosity(), "callbacks": callbacks, "steps_per_epoch": steps}
        return model.fit(batches, initial_epoch=first, epochs=epochs, shuffle=False, **how)
    shared = tf.distribute.get_strategy()

    @tf.function
    def train_step(iterator):
        logs = shared.run(model.train_step, args=(next(iterator),))
        return {name: shared.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    @tf.function
    def gathered(value):
        return shared.gather(shared.run(lambda: value), axis=0)

    def of_all(number: int) -> set[int]:  # what all devices of all machines give
        return set(gathered(tf.constant([number], tf.int64)).numpy().tolist())

    # each may have the data somewhere else
    same = checkpoint.settings | {"dataset": None} | versions() | {"python": None, "epoch": first}
    if len(of_all(zlib.crc32(json.dumps(same, sort_keys=True).encode()))) > 1:
        wanted = "the same command, images and versions on every machine, and an --output that all "
        raise InputError(f"{wanted}can read to --resume from", "machines that differ in it")
    how = {"verbose": verbosity(), "epochs": epochs, "steps": steps}
    calls = keras.callbacks.CallbackList(callbacks, model=model, **how)
    model.stop_training = False
    calls.on_train_begin()
    iterator = iter(batches)
    for epoch in range(first, epochs):
        calls.on_epoch_begin(epoch)
        model.reset_metrics()
        for step in range(steps):
            calls.on_train_batch_begin(step)
            logs = {name: float(value) for name, value in train_step(iterator).items()}
            calls.on_train_batch_end(step, logs)
            if any(of_all(model.stop_training)):
                if not checkpoint.diverged:
                    checkpoint.stopped.set()
                    checkpoint.cut = step + 1 < steps
                break
        calls.on_epoch_end(epoch, logs)
        if any(of_all(model.stop_training)):
            break
    calls.on_train_end()
    return checkpoint
