"""How far a training has come: the one thing that its callbacks share."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Logs = Any  # the figures that Keras hands its callbacks, a dict, or None where there are none


@dataclass
class Progress:
    """What the callbacks of a training write and read; a checkpoint keeps it as it is."""

    epochs: int  # of the whole training
    epoch: int = 0  # how many of them are done
    history: dict[str, list[float]] = field(default_factory=dict)  # the figures of each epoch
    best_loss: float = math.inf  # of the validation pairs
    best_epoch: int = 0
    best_weights: list[np.ndarray] = field(default_factory=list)
    collapsed: bool = False  # whether all distances are alike
    out_of_patience: bool = False
    diverged: bool = False  # whether a loss was no finite number
    stopped: bool = False  # by a signal,
    cut: bool = False  # in the middle of an epoch
    lost: bool = False  # since another machine of the training is gone

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON, but the arrays."""
        return {name: value for name, value in vars(self).items() if name != "best_weights"}

    def restore(self, saved: dict[str, Any], best_weights: list[np.ndarray]) -> None:
        """Take over what a checkpoint kept. What stopped that run does not stop this one."""
        ended = dict.fromkeys(("stopped", "cut", "lost"), False)
        vars(self).update(saved, best_weights=best_weights, **ended)
