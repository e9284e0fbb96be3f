"""What a training runs on: one device, several cards, or several machines.

Several machines are those of the environment variable TF_CONFIG, in TensorFlow's own form:

    {"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]},
     "task": {"type": "worker", "index": 0}}

One of them, the chief, writes: the task "chief" where the cluster has one, else the first worker.
"""

import json
import logging
import os
import re
import signal
import threading
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from pyimagesearch import metrics
from pyimagesearch.config import Recipe
from pyimagesearch.evaluation.report import versions
from pyimagesearch.system.errors import InputError, first_line

if TYPE_CHECKING:
    from pyimagesearch.training.checkpoints import Checkpoint

log = logging.getLogger(__name__)
LOST = (
    "Expected all machines until the training ends. Received: one that is gone; its own last lines "
    "may say why. Start all of them again, with --resume where an epoch was done."
)
# what TensorFlow raises on one machine where another is gone,
GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)
# and for addresses that it cannot use, or listen at
NOT_BEGUN = (ValueError, TypeError, tf.errors.InvalidArgumentError, tf.errors.UnknownError)


def machines() -> int:
    """How many machines share a training: 1 without TF_CONFIG.

    Raises InputError where that is not what TensorFlow takes for training together.
    """
    return len(_tasks()[0])


def is_chief() -> bool:
    """Whether this machine writes model, figures and checkpoints: of several, one does."""
    (tasks, own) = _tasks()
    return own == tasks[0]


def _tasks() -> tuple[list[tuple[str, int]], tuple[str, int]]:
    # every task that trains, the chief's first; and this machine's own
    try:
        content = json.loads(os.environ.get("TF_CONFIG") or "{}")
        if not content.get("cluster"):
            return [("worker", 0)], ("worker", 0)
        (cluster, task) = (content["cluster"], content["task"])
        kinds = [kind for kind in ("chief", "worker") if kind in cluster]
        tasks = [(kind, index) for kind in kinds for index in range(len(cluster[kind]))]
        addresses = {address for names in cluster.values() for address in names}
        if (
            (own := (task["type"], int(task["index"]))) in tasks
            and len(kinds) == len(cluster)
            and len(addresses) == len(tasks)
            and len(cluster.get("chief", ["the first worker"])) == 1
            and all(re.fullmatch(r".+:\d{1,5}", address) for address in addresses)
        ):
            return tasks, own
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError):
        pass
    raise _refused()


def _refused() -> InputError:
    text = " ".join(os.environ.get("TF_CONFIG", "").split())[:500]
    return InputError(
        'Expected TF_CONFIG as {"cluster": {"worker": ["host:port", …]}, "task": {"type": '
        '"worker", "index": 0}}, with tasks chief and worker alone, one chief at most, each '
        "address once, and this task's own free to listen at. Received: "
        f"{text}. Unset it to train on this machine."
    )


def cards() -> list[str]:
    """This machine's devices that share a training: its cards, else its logical CPUs.

    CUDA_VISIBLE_DEVICES leaves some cards out.
    """
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    return [device.name for device in tf.config.list_logical_devices(kind)]


def strategy(recipe: Recipe) -> tf.distribute.Strategy:
    """How a training is shared out, to be called before the first tensor.

    Waits for all machines where there are several. A recipe with training.ways takes one card.
    Raises InputError where it was to be shared by machines.
    """
    if machines() == 1:
        names = cards()
        alone = len(names) == 1 or recipe.training.ways
        return tf.distribute.get_strategy() if alone else tf.distribute.MirroredStrategy(names)
    if recipe.training.ways:
        raise InputError(
            "Expected one machine for a recipe that tries several ways. Received: TF_CONFIG "
            f"with {machines()}. Unset it, or take recipe photos-small."
        )
    log.info("waiting for %d machines; Ctrl-C gives up", machines())
    # Python's own handler would wait for TensorFlow, too; a thread gets no signals
    hears = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_DFL) if hears else None
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except NOT_BEGUN as error:
        log.info("%s", first_line(error))
        raise _refused() from None
    finally:
        if hears:
            signal.signal(signal.SIGINT, before)


def describe(model: keras.Model) -> dict[str, str]:
    """The device and the precision that a model is trained with, for people and for JSON.

    {"device": "2 CPU cores", "precision": "bfloat16 with float32 weights"}
    """
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(g).get("device_name", "GPU") for g in gpus]
    cores = os.cpu_count() or 1
    device = ", ".join(names) or f"{cores} CPU core{'s' if cores > 1 else ''}"
    if machines() > 1:
        device = f"{machines()} machines with {device} each"
    layers = [model]
    for layer in layers:  # those inside others, too
        inner = [*getattr(layer, "layers", []), getattr(layer, "network", None)]
        layers += [x for x in inner if isinstance(x, keras.layers.Layer)]
    types = {layer.compute_dtype for layer in layers} - {"uint8", "float32"}
    precision = f"{' and '.join(sorted(types))} with float32 weights" if types else "float32"
    return {"device": device, "precision": precision}


def shared_out(batches: tf.data.Dataset) -> Any:
    """Batches for fit, each in as many equal parts as the strategy in scope has devices.

    A batch is the same for one device and for many: ((anchors, others), y) with k others for
    each anchor, or (images, labels). So many anchors or images as would make parts unequal, at
    most one less than there are devices, are left out. Every machine makes the whole batch.
    """
    shared = tf.distribute.get_strategy()
    count = shared.num_replicas_in_sync
    if count == 1:
        return batches

    def of_machine(context):
        own = count // context.num_input_pipelines  # devices
        first = own * context.input_pipeline_id

        def parts(*batch):
            anchors = tf.shape(tf.nest.flatten(batch)[0])[0]

            def part(i, x):
                size = anchors // count * (tf.shape(x)[0] // anchors)
                return x[i * size : (i + 1) * size]

            return tf.data.Dataset.range(first, first + own, output_type=tf.int32).map(
                lambda i: tf.nest.map_structure(partial(part, i), batch)
            )

        return batches.flat_map(parts).prefetch(2 * own)

    return shared.distribute_datasets_from_function(of_machine)


def fit(
    model: keras.Model, recipe: Recipe, checkpoint: "Checkpoint", batches: Any, **keywords: Any
) -> keras.callbacks.History:
    """model.fit, also for several machines. To be called in the strategy's scope.

    batches: of shared_out. keywords: of Model.fit, steps_per_epoch, initial_epoch, epochs and
    callbacks with a History among them.
    Keras' own fit fails for several machines (its issue 20585, open). There the same callbacks
    are called in the same order, and where one machine wants to stop all of them do after the
    same step. Raises InputError where the machines would not train the same, and one of GONE
    where a machine goes: the checkpoint of the last whole epoch stays.
    """
    if machines() == 1:
        return model.fit(batches, **keywords)
    (steps, epochs) = (keywords["steps_per_epoch"], keywords["epochs"])
    progress = checkpoint.progress
    together = Machines(model, recipe, checkpoint, keywords["initial_epoch"])
    calls = keras.callbacks.CallbackList(
        keywords["callbacks"],
        model=model,
        verbose=keywords.get("verbose", 2),
        epochs=epochs,
        steps=steps,
    )
    model.stop_training = False
    calls.on_train_begin()
    iterator = iter(batches)
    logs: dict[str, float] = {}
    for epoch in range(keywords["initial_epoch"], epochs):
        calls.on_epoch_begin(epoch)
        figures: list[np.ndarray] = []
        for step in range(steps):
            calls.on_train_batch_begin(step)
            figures.append(together.step(iterator).numpy())
            logs = dict(zip(together.names, map(float, np.mean(figures, axis=0))))
            calls.on_train_batch_end(step, logs)
            if together.any(model.stop_training):
                progress.stopped |= not progress.diverged
                progress.cut = progress.stopped and step + 1 < steps
                break
        model.stop_training |= progress.stopped
        calls.on_epoch_end(epoch, logs)
        # whether there is patience for another is the chief's to say, whose figures are kept
        own = model.stop_training if is_chief() else progress.stopped or progress.diverged
        if epoch + 1 == epochs or together.any(own):
            break
        model.stop_training = progress.out_of_patience = False
    calls.on_train_end(logs)
    return next(c for c in keywords["callbacks"] if isinstance(c, keras.callbacks.History))


class Machines:
    """What the machines do together: steps of a training, and to agree on something.

    step: of an iterator -> the step's loss, and the accuracy where there is one, see names.
    Raises InputError where the machines' settings differ, or the epoch they begin with.
    """

    def __init__(
        self, model: keras.Model, recipe: Recipe, checkpoint: "Checkpoint", first_epoch: int
    ):
        shared = tf.distribute.get_strategy()
        figures = {"accuracy": metrics.pair_accuracy} if recipe.network.head != "none" else {}
        self.names = ["loss", *figures]

        def part(batch):
            (x, y) = batch
            with tf.GradientTape() as tape:
                preds = model(x, training=True)
                loss = model.compute_loss(x, y, preds)  # this device's part of the mean
            variables = model.trainable_variables
            model.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
            whole = loss * shared.num_replicas_in_sync
            return tf.stack([whole, *(figure(y, preds) for figure in figures.values())])

        @tf.function
        def step(iterator):
            return shared.reduce("MEAN", shared.run(part, args=(next(iterator),)), axis=None)

        @tf.function
        def add_up(values):  # of all devices of all machines
            return shared.reduce("SUM", shared.run(lambda x: x, args=(values,)), axis=None)

        (self.step, self._add_up) = (step, add_up)

        # each may have the data somewhere else
        known = checkpoint.settings | {"dataset": None} | versions() | {"python": None}
        digest = zlib.crc32(json.dumps(known, sort_keys=True).encode()) % 2**20  # exact, squared
        for number, wanted in (
            (digest, "the same command, images and versions on every machine"),
            (first_epoch, "an --output that every machine can read, to --resume from"),
        ):
            values = tf.constant([1, number, number**2], tf.float64)
            (devices, total, squares) = self._add_up(values).numpy()
            if devices * squares != total**2:  # equal numbers alone have no variance
                raise InputError(f"Expected {wanted}. Received: machines that differ in it.")

    def any(self, stops: bool) -> bool:
        """Whether one of the machines wants to stop."""
        return bool(self._add_up(tf.constant(float(stops))).numpy() > 0)
