"""What Ctrl-C and SIGTERM do to a training."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from pyimagesearch.training.progress import Logs, Progress

log = logging.getLogger(__name__)
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def restored() -> Iterator[None]:
    """After the block the signals do what they did before, whatever a training in it has set."""
    if not _is_main_thread():
        yield
        return
    handlers = {s: signal.getsignal(s) for s in SIGNALS}
    try:
        yield
    finally:
        for s, handler in handlers.items():
            signal.signal(s, handler)


@contextmanager
def at_once() -> Iterator[None]:
    """In the block Ctrl-C ends the program at once, also while TensorFlow waits for something."""
    if not _is_main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class StopOnSignal(keras.callbacks.Callback):
    """Ctrl-C or SIGTERM ends the training after the running step; a second one ends the program.

    The first is still only noted after the training, while the model is being saved. In another
    thread than the main one, which gets no signals, nothing is set.
    """

    def __init__(self, progress: Progress):
        super().__init__()
        self.progress = progress

    def on_train_begin(self, logs: Logs = None) -> None:
        if _is_main_thread():
            self.handlers = {s: signal.signal(s, self._stop) for s in SIGNALS}

    def _stop(self, signum: int, frame: Any) -> None:
        self.progress.stopped = True
        for s, handler in self.handlers.items():
            signal.signal(s, handler)
        log.info("\nstopping; press Ctrl-C again to quit at once and lose what was learned")

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.progress.stopped:
            self.progress.cut = batch + 1 < self.params["steps"]
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.model.stop_training |= self.progress.stopped


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
