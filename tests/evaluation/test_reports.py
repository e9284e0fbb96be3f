"""What a training leaves beside its model, with networks that are known."""

import csv
import json
import logging
import re

import keras
import numpy as np
import pytest

from pyimagesearch import config
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import DataSet, ImageSet
from pyimagesearch.evaluation import measuring, reports
from pyimagesearch.evaluation.embeddings import embed
from pyimagesearch.siamese_network import build_comparison

NAMES = ("猫", "b", "$c$")
SIZES = {"train": 90, "choices": 60, "test": 60, "classes": 3}
PARTS = {**SIZES, "clean": True, "skipped": {".txt": 2}, "near_copies": {}}


def image_set(n, seed):
    """Images whose brightness tells their class."""
    labels = (np.arange(n) % 3).astype(np.int32)
    noise = np.random.default_rng(seed).integers(0, 20, (n, 4, 4, 1))
    images = (80 * labels[:, None, None, None] + noise).astype(np.uint8)
    return ImageSet(images, labels, sample_pairs(labels, seed), NAMES)


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    output = tmp_path_factory.mktemp("reports")
    recipe = config.RECIPES["article"]
    (train, validation, test) = (image_set(n, seed) for n, seed in ((90, 0), (60, 1), (60, 2)))
    data = DataSet(train, validation, validation, test, PARTS)
    inputs = keras.Input((4, 4, 1), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    encoder = keras.Model(inputs, keras.layers.Dense(recipe.network.embedding_dim)(flat))
    comparison = build_comparison(recipe)
    calibration = measuring.calibrate(embed(encoder, validation.images), validation, comparison)
    settings = {"recipe": "article", **calibration}
    history = {"loss": [0.5, 0.25], "seconds": [1.0, 2.0], "val_loss": [0.4, 0.3]}
    lines = Lines()
    level = reports.log.level
    reports.log.addHandler(lines)
    reports.log.setLevel("INFO")
    try:
        measured = reports.write(str(output), settings, recipe, history, encoder, comparison, data)
    finally:
        reports.log.removeHandler(lines)
        reports.log.setLevel(level)
    return output, measured, "\n".join(lines.messages)


def test_numbers_are_written_with_the_parts_and_the_classes(written):
    (output, measured, _) = written
    stored = json.loads((output / "metrics.json").read_text())
    assert stored["test"]["accuracy"] == measured.accuracy.as_dict()
    assert stored["test"]["loss"] == measured.loss
    assert stored["parts"] == PARTS
    assert [c["name"] for c in stored["classes"]["figures"]] == list(NAMES)
    assert "classes" not in stored["test"] and "classes" not in stored["raw_pixels"]
    assert stored["retrieval"]["map_at_r"]["value"] > 0.9 and stored["identification"] == {}
    assert stored["epochs_run"] == 2 and stored["training_seconds"] == 3
    assert {"python", "numpy", "keras"} < set(stored["versions"])


def test_the_log_says_what_was_measured_on_what(written):
    (_, measured, lines) = written
    assert "the network on test images, 120 pairs of 60 images, 95 % intervals:" in lines
    assert "the raw pixels, the line to beat: 100.00% of test pairs right" in lines
    assert "  recall@1                100.00 % (at least" in lines and "60 images asked" in lines
    assert f"test loss {measured.loss:.4f}, AUC {measured.auc.value:.5f}" in lines
    assert f"{measured.accuracy.value:.2%} of 120 test pairs right, calling them" in lines


def test_the_epochs_are_rows(written):
    with open(written[0] / "history.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert rows[1] == {"epoch": "2", "loss": "0.25", "seconds": "2.0", "val_loss": "0.3"}


def test_pictures_are_written_whole_and_nothing_else(written):
    names = {path.name for path in written[0].iterdir()}
    pictures = {f"contrastive_{name}.png" for name in ("roc", "histogram", "map", "worst")}
    assert names == {"metrics.json", "history.csv", "report.html"} | pictures


def test_the_page_has_the_same_figures(written):
    (output, _, lines) = written
    text = (output / "report.html").read_text(encoding="utf-8")
    (found,) = re.findall('<script type="application/json" id="data">(.*?)</script>', text)
    data = json.loads(found)
    assert data["notes"][0] == (
        "90 to train on, 60 to choose by, 60 to test with, 3 classes, 2 files skipped in all"
    )
    assert data["summary"] in lines
    for name, network, _ in data["figures"][:4]:
        assert f"{network}\n" in lines, name
