"""Which machines share a training, as the environment variable TF_CONFIG names them.

    {"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}

is TensorFlow's own form, which operators on clusters set. One of them, the chief, writes: the
task "chief" where the cluster has one, else the first worker.
"""  # noqa: E501

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from pyimagesearch.system import files
from pyimagesearch.system.errors import InputError

KINDS = ("chief", "worker")
MOST_SHOWN = 500  # characters of a TF_CONFIG that is refused
LOST = (
    "Expected all machines until the training ends. Received: one that is gone; its own last lines "
    "may say why. Start all of them again, with --resume where an epoch was done."
)


def count() -> int:
    """How many machines share a training: 1 without TF_CONFIG.

    Raises InputError where that is not what TensorFlow takes for training together.
    """
    return max(sum(map(len, _read()[0].values())), 1)


def is_chief() -> bool:
    """Whether this machine writes model, figures and checkpoints: of several, one does."""
    (cluster, kind, index) = _read()
    return count() == 1 or kind == "chief" or ("chief" not in cluster and index == 0)


@contextmanager
def only_writer(directory: str | os.PathLike) -> Iterator[None]:
    """Keep a folder for this training, see files.only_writer: for all machines the chief does."""
    with files.only_writer(directory) if is_chief() else nullcontext():
        yield


def gone(tf: Any) -> tuple[type[Exception], ...]:
    """What TensorFlow raises on one machine where another is gone. tf: the module, if imported."""
    errors = tf.errors
    return (
        errors.UnavailableError,
        errors.AbortedError,
        errors.CancelledError,
        errors.DeadlineExceededError,
        errors.InternalError,
    )


def refused() -> InputError:
    """The error for a TF_CONFIG with which TensorFlow cannot begin."""
    text = " ".join(os.environ.get("TF_CONFIG", "").split())
    return InputError(
        'Expected TF_CONFIG as {"cluster": {"worker": ["host:port", …]}, "task": {"type": '
        f'"worker", "index": 0}}}}, with tasks {" and ".join(KINDS)} alone, one chief at most, '
        "each address once, and this task's own free to listen at. Received: "
        f"{text[:MOST_SHOWN]}. Unset it to train on this machine."
    )


def _read() -> tuple[dict[str, list[str]], str, int]:
    # the addresses of each kind of task; the kind and the index of this one
    try:
        content = json.loads(os.environ.get("TF_CONFIG") or "{}")
        cluster = content.get("cluster") or {}
        if not cluster:
            return {}, "worker", 0
        (kind, index) = (content["task"]["type"], content["task"]["index"])
        if isinstance(index, str) and index.isdecimal():
            index = int(index)
        addresses = [address for names in cluster.values() for address in names]
        if (
            set(cluster) <= set(KINDS)
            and all(isinstance(names, list) and names for names in cluster.values())
            and all(re.fullmatch(r".+:\d{1,5}", address) for address in addresses)
            and len(set(addresses)) == len(addresses)
            and len(cluster.get("chief", [""])) == 1
            and type(index) is int
            and 0 <= index < len(cluster[kind])
        ):
            return cluster, kind, index
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        pass
    raise refused()
