"""The ways from a network that has seen photos: the choice between them, and the script's runs."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from pyimagesearch.data.sets import ImageSet
from pyimagesearch.training import ways
from pyimagesearch.training.choice import Choice, areas
from tests.scripts import ENVIRONMENT, run

pytestmark = pytest.mark.slow

SCRIPT = "train_contrastive_siamese_network.py"
LABELS = np.repeat(np.arange(4), 10)


def test_areas_by_hand():
    """On a line: class 0 at 0, 1 and 5, class 1 at 4 and 6."""
    labels = np.array([0, 0, 0, 1, 1])
    (whole, own) = areas(np.array([[0.0], [1], [5], [4], [6]]), labels)
    # same: 1, 5, 4, 2; different: 4, 6, 3, 5, 1, 1. Of the 24 comparisons a same pair is nearer:
    # 1 against 4 6 3 5 and half of 1 1: 5; 5 against 6 and half of 5: 1.5;
    # 4 against 6 5 and half of 4: 2.5; 2 against 4 6 3 5: 4
    assert whole == pytest.approx((5 + 1.5 + 2.5 + 4) / 24)
    # image 0: same 1 5, different 4 6: 3 of 4. image 1: same 1 4, different 3 5: 3 of 4.
    # image 2: same 5 4, different 1 1: 0. image 3: same 2, different 4 3 1: 2 of 3.
    # image 4: same 2, different 6 5 1: 2 of 3
    np.testing.assert_allclose(own, [3 / 4, 3 / 4, 0, 2 / 3, 2 / 3])


def chosen(*embeddings, doubt=1, new_classes=False):
    """What is kept of ways with these embeddings of images of four classes."""
    held = ImageSet(np.zeros((40, 1, 1, 1), np.uint8), LABELS)
    choice = Choice(held, new_classes)
    for number, vectors in enumerate(embeddings):
        choice.start()
        choice.add(str(number), number, vectors, doubt)
    return choice


def test_the_best_is_kept_and_within_its_noise_the_simpler():
    rng = np.random.default_rng(0)
    classes = np.eye(4)[LABELS]
    noise = rng.normal(0, 0.8, classes.shape)
    poor, good = classes + noise, classes + 0.3 * noise
    assert chosen(poor, good).kept == "1" and chosen(good, poor).kept == "0"
    assert chosen(poor, poor).kept == "0"
    for seed in range(20):  # as good as the first but for chance
        other = classes + np.random.default_rng(seed).normal(0, 0.8, classes.shape)
        ((first, own), (second, others)) = (areas(x, LABELS) for x in (poor, other))
        error = (others - own).std() / 40**0.5
        assert chosen(poor, other).kept == ("1" if second - first > error else "0")
    broken = chosen(poor, np.full_like(good, np.nan), good)
    assert broken.kept == "2" and broken.found["1"]["auc"] == 0
    assert str(broken).startswith("held-out AUC: 0 0.") and broken.encoder == 2


def test_a_way_that_mostly_helps_stays_unless_it_is_clearly_worse():
    rng = np.random.default_rng(0)
    classes = np.eye(4)[LABELS]
    noise = rng.normal(0, 0.8, classes.shape)
    good, poor = classes + 0.3 * noise, classes + noise
    assert chosen(good, good, doubt=-1).kept == "1"  # no difference at all, as where all is right
    assert chosen(good, good, doubt=0).kept == "0"
    assert chosen(good, poor, doubt=-1).kept == "0"
    for seed in range(20):  # as good as the first but for chance
        other = classes + np.random.default_rng(seed).normal(0, 0.8, classes.shape)
        ((first, own), (second, others)) = (areas(x, LABELS) for x in (poor, other))
        error = (others - own).std() / 40**0.5
        assert chosen(poor, other, doubt=-1).kept == ("1" if second - first >= -error else "0")
    assert chosen(good, np.full_like(good, np.nan), doubt=-1).kept == "0"


def test_new_classes_count_as_classes():
    """Three of four classes no better, one much: by images sure, by classes not."""
    where = np.eye(4)[LABELS] * 10
    before = where.copy()
    before[LABELS == 0] = np.random.default_rng(0).normal(0, 10, (10, 4))
    (first, own) = areas(before, LABELS)
    (second, others) = areas(where, LABELS)
    gain = np.array([(others - own)[c == LABELS].mean() for c in range(4)])
    assert chosen(before, where).kept == "1"
    wanted = "1" if second - first > gain.std() / 2 else "0"
    assert chosen(before, where, new_classes=True).kept == wanted


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Four classes of nine small pictures in grey: stripes of four directions, with noise."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    (rows, columns) = np.mgrid[:40, :48]
    for k in range(36):
        along = [rows, columns, rows + columns, rows - columns][k % 4]
        image = 120 * (along // 6 % 2) + rng.integers(0, 100, (40, 48))
        (folder / f"class {k % 4}").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"class {k % 4}" / f"{k}.png"), image.astype(np.uint8))
    return folder


@pytest.mark.slow
def test_a_folder_by_the_script_and_its_model_alone(photos, tmp_path):
    cache = str(tmp_path / "cache")
    flags = ("--dataset", photos, "--quick", "--image-size", "40", "--channels", 1)
    done = run(SCRIPT, *flags, "--output", tmp_path, CONTRASTIVE_CACHE=cache)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "held-out AUC: whitened" in done.stdout and "trained on" not in done.stdout
    assert "training a two-layer head..." in done.stdout
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    found = metrics["settings"]["ways"]
    assert list(found)[:3] == ["whitened", "linear head", "two-layer head"]
    assert list(found)[3].endswith(", seen again")
    assert f": kept {metrics['settings']['way']}" in done.stdout
    assert metrics["test"]["auc"]["value"] > 0.9
    history = np.loadtxt(tmp_path / "history.csv", delimiter=",", skiprows=1)
    assert len(history) >= 20 and np.isfinite(history).all()
    # the picture of the loss is of what is kept, or it is said that it is not
    of_another = "plot and history show the training of the two-layer head" in done.stdout
    assert of_another == metrics["settings"]["way"].startswith("whitened")

    # in a process that has TensorFlow and nothing of this project
    program = """
import sys
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
images = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 1), dtype=np.uint8)
e = model.embed(tf.constant(images))["embedding"].numpy()
d = model.serve({"image_a": tf.constant(images[:2]), "image_b": tf.constant(images[1:])})
np.testing.assert_allclose(np.linalg.norm(e, axis=1), 1, atol=1e-5)
np.testing.assert_allclose(
    d["distance"].numpy().ravel(), np.linalg.norm(e[:2] - e[1:], axis=1), atol=1e-3)
again = model.distance({"embedding_a": tf.constant(e[:2]), "embedding_b": tf.constant(e[1:])})
np.testing.assert_allclose(again["distance"], d["distance"], atol=1e-3)
assert "pyimagesearch" not in sys.modules
"""
    command = [sys.executable, "-c", program, str(tmp_path / "contrastive_siamese_model")]
    alone = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert alone.returncode == 0, alone.stderr


@pytest.mark.slow
def test_training_on_is_tried(photos, tmp_path):
    cache = str(tmp_path / "cache")
    flags = ("--dataset", photos, "--image-size", "32", "--batch-size", 8, "--output", tmp_path)
    done = run(SCRIPT, *flags, "--epochs", 1, CONTRASTIVE_CACHE=cache)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    settings = json.loads((tmp_path / "metrics.json").read_text())["settings"]
    assert list(settings["ways"])[:4] == list(ways.WAYS)[:4] and settings["way"] in settings["ways"]
    assert settings["training"]["epochs"] == 1  # as asked for, however few its steps

    # what it leaves: an encoder for every program with Keras, and one for those without
    program = "import sys, keras; print(keras.models.load_model(sys.argv[1]).output_shape)"
    command = [sys.executable, "-c", program, str(tmp_path / "encoder.keras")]
    alone = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert alone.returncode == 0 and alone.stdout.startswith("(None, "), alone.stderr
    command = [sys.executable, "-m", "pyimagesearch", "export", "--format", "tflite"]
    command += ["--images", photos, "--output", tmp_path / "encoder.tflite"]
    command += ["--model", tmp_path / "contrastive_siamese_model"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0 and (tmp_path / "encoder.tflite").is_file(), done.stderr


def test_quick_is_for_ways_alone(tmp_path):
    done = run(SCRIPT, "--recipe", "fast", "--quick", "--output", tmp_path)
    assert done.returncode == 2 and "--quick with recipe photos. Received: fast" in done.stderr
    assert os.listdir(tmp_path) == []
