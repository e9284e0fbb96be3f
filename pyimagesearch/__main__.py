"""python -m pyimagesearch: see inference/commands.py."""

import runpy
import sys

from pyimagesearch.system import terminal


def ask() -> None:
    """contrastive-siamese: the same, where the package is installed."""
    terminal.setup(keras=False)  # before NumPy
    from pyimagesearch.inference import commands

    terminal.run(commands.main)


def train() -> None:
    """contrastive-siamese-train: the train script, as if it were run from its folder."""
    runpy.run_module("train_contrastive_siamese_network", run_name="__main__")


if __name__ == "__main__":
    sys.argv[0] = "python -m pyimagesearch"  # as errors name it
    ask()
