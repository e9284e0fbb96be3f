"""python -m pyimagesearch: see inference/commands.py."""

import runpy

from pyimagesearch.inference import commands


def train() -> None:
    """contrastive-siamese-train: the train script, as if it were run from its folder."""
    runpy.run_module("train_contrastive_siamese_network", run_name="__main__")


if __name__ == "__main__":
    commands.main()
