"""How many threads work side by side, and how many each of them may use."""

import os


def at_once() -> int:
    """How many parts of a batch, or files, are worked on at a time: one a core, four at most.

    Each may hold a large photo, or a batch of activations.
    """
    return min(os.cpu_count() or 1, 4)


def of_each() -> int:
    """How many threads each of these may use inside TensorFlow: together as many as cores."""
    return max((os.cpu_count() or 1) // 4, 1)
