"""The real scripts, run as a user runs them."""

import csv
import json
import re
import signal
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

import test_contrastive_siamese_network as test_script
import train_contrastive_siamese_network as train_script
from pyimagesearch.evaluation import report
from pyimagesearch.inference import commands
from pyimagesearch.training import build
from pyimagesearch.training.build import compiling
from tests.inference import small_model
from tests.scripts import ROOT, started


@pytest.mark.slow
def test_training_learns_and_writes(trained):
    done, output = trained
    assert (done.returncode, done.stderr) == (0, "")
    steps = "loading mnist, 10799 to train on, preparing, building, compiling, training model"
    assert re.search("(?s)INFO. " + ".*INFO. ".join(steps.split(", ")), done.stdout)
    percent = float(re.search(r"([\d.]+) % of [\d,]+ test pairs right", done.stdout)[1])
    auc = float(re.search(r"test loss [\d.]+, AUC ([\d.]+)", done.stdout)[1])
    assert percent > 90 and auc > 0.95
    for name in ("plot", "training_pairs", "roc", "histogram", "map", "worst"):
        assert cv2.imread(str(output / f"contrastive_{name}.png")) is not None
    written = {str(p.relative_to(output)) for p in output.rglob("*") if p.is_file()}
    model = "contrastive_siamese_model"
    assert {f"{model}/saved_model.pb", f"{model}/assets.extra/siamese.json"} < written
    assert not any(Path(p).name.startswith(".") for p in written)


@pytest.mark.slow
def test_numbers_are_the_same_everywhere(trained):
    done, output = trained
    metrics = json.loads((output / "metrics.json").read_text())
    settings = output / "contrastive_siamese_model" / "assets.extra" / "siamese.json"
    stored = json.loads(settings.read_text())
    test = metrics["test"]
    right = f"{100 * test['accuracy']['value']:.2f} % of {test['pairs']:,} test pairs right"
    assert right in done.stdout
    assert f"test loss {test['loss']:.4f}, AUC {test['auc']['value']:.5f}" in done.stdout
    assert f"where distance < {stored['threshold']:.3f}" in done.stdout
    assert stored["threshold"] == metrics["settings"]["threshold"]
    for fmr, point in test["operating_points"].items():  # None: too few pairs for such a rate
        assert (point and point["threshold"]) == stored["operating_points"][fmr]
        assert not point or f"{100 * point['tmr']['value']:.2f} %" in done.stdout
    recall = metrics["retrieval"]["recall_at_1"]["value"]
    assert recall > 0.8 and f"  recall@1                {100 * recall:.2f} %" in done.stdout
    assert stored["identification"] == metrics["settings"]["identification"]
    assert stored["identification"]["rates"] and stored["head"] == "none"
    assert metrics["raw_pixels"]["accuracy"]["value"] < 0.75 < test["accuracy"]["value"]
    assert metrics["settings"]["seed"] == 3 and set(metrics["versions"]) > {"keras", "tensorflow"}
    with open(output / "history.csv", newline="") as f:
        (row,) = csv.DictReader(f)
    assert row["epoch"] == "1" and f"loss: {float(row['loss']):.4f}" in done.stdout


@pytest.mark.slow
def test_a_signal_ends_training_and_keeps_what_was_learned(photos, tmp_path):
    flags = ("--dataset", photos, "--recipe", "article", "--epochs", 9999, "--output", tmp_path)
    with started("train_contrastive_siamese_network.py", *flags, after="Epoch 2/") as process:
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert "stopped on request" in stdout and "test pairs right" in stdout
    assert (tmp_path / "contrastive_plot.png").stat().st_size > 0
    assert (tmp_path / "contrastive_siamese_model" / "saved_model.pb").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("recipe, flags", [
    ("photos", ("--quick",)), ("photos-small", ()), ("bce", ("--batch-size", 16)), ("pairs", ()),
    ("keras-io", ("--image-size", "28", "--channels", 1)),
    ("triplet", ("--weights", "none", "--batch-size", 32)),
    ("best", ("--split", "classes", "--image-size", "10x8"))])  # fmt: skip
def test_every_recipe_trains_on_a_folder(runs, ends, recipe, flags, photos, tmp_path, monkeypatch):
    if recipe == "triplet":  # for three MobileNetV2 XLA takes longer than all the rest
        jit = {"jit_compile": False}
        monkeypatch.setattr(build, "compiling", lambda *args: compiling(*args) | jit)
    if recipe == "pairs":
        photos = small_model.write_pairs(tmp_path / "ready", 9)
    common = ("--dataset", photos, "--epochs", 1, "--output", tmp_path)
    if recipe == "photos":  # what ends before its report is not finished
        with monkeypatch.context() as patched:
            patched.setattr(report, "write", None)
            ends(train_script, "--recipe", recipe, *common, *flags)
        flags = (*flags, "--resume")
    printed = runs(train_script, "--recipe", recipe, *common, *flags)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    test = metrics["test"]
    assert f"{100 * test['accuracy']['value']:.2f} % of {test['pairs']:,} test pairs" in printed
    assert metrics["settings"]["recipe"] == recipe and np.isfinite(test["loss"])
    # of the heads, too, where --quick trains these alone; none where what is kept was computed
    computed = metrics["settings"].get("way", "").startswith(("last layer", "whitened"))
    assert metrics["epochs_run"] == (not computed)
    assert ("right at 0.5" in printed) == (recipe in ("bce", "keras-io"))
    if recipe == "best":  # the model answers; of 13 images there are 78 pairs
        flags = ("--model", tmp_path / "contrastive_siamese_model", "--output", tmp_path / "x.png")
        printed = runs(test_script, "-i", ROOT / "examples", "--pairs", 90, *flags)
        pairs = re.findall(r"^image_(\d+)\S+ +image_(\d+).*(?:same|different)$", printed, re.M)
        assert len({frozenset(pair) for pair in pairs}) == len(pairs) == 78


@pytest.mark.parametrize("flags, message", [
        (("--recipe", "slow"), "article.*'slow'"),
        (("--epochs", "0"), "from 1 up, received '0'"),
        (("--batch-size", "63"), "batch size that is even.*63"),
        (("--recipe", "fast", "--batch-size", "3"), "a batch size that is 4 or more"),
        (("--dataset", "nowhere"), "a folder or a list.*Received: nowhere, not there"),
        (("--image-size", "0x3"), "from 1 to 4096, received '0x3'"),
        (("--recipe", "fast", "--quick"), "--quick with recipe photos. Received: recipe fast"),
        (("--recipe", "photos", "--quick", "--lr", "0.1"), "no --quick beside --lr.*Received: 0.1"),
        (("--encoder-pixels", "tf"), "--encoder-pixels with --encoder"),
        (("--weights", "nowhere.keras"), "Expected a file encoder.keras"),
        (("--recipe", "bce", "--weights", "imagenet"), "name 'mobilenet' with network.weights"),
        (("--qiuck",), "arguments: --qiuck, perhaps --quick is meant; --help lists the flags"),
        (("--seed", "4000000000"), "received '4000000000'"),
    ])  # fmt: skip
def test_train_flags(fails, monkeypatch, tmp_path, flags, message):
    monkeypatch.setattr(keras.Model, "fit", None)  # what is not refused fails at once
    assert re.search(message, fails(train_script, *flags, "--output", tmp_path / "new"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script, words", [(train_script, []), (test_script, []), (commands, []),
    *((commands, [command.__name__]) for command in commands.COMMANDS)])  # fmt: skip
def test_help(ends, script, words):
    (code, out, err) = ends(script, *words, "--help")
    assert (code, err) == (0, "") and out.startswith("usage: ") and "--version" in out


def test_output_that_cannot_be_written(fails, tmp_path):
    assert "an empty name" in fails(train_script, "--output", "")
    (tmp_path / "metrics.json").write_text("of another program")
    assert "would be lost. Received:" in fails(train_script, "--output", tmp_path)
    (tmp_path / "file.png").write_text("kept")
    assert "can be written to" in fails(train_script, "--output", tmp_path / "file.png")
    flags = ("--input", ROOT / "examples", "--output")
    assert "can be written to" in fails(test_script, *flags, tmp_path / "file.png" / "pairs.png")
    assert "an earlier figure" in fails(test_script, *flags, tmp_path / "file.png")
    assert (tmp_path / "file.png").read_text() == "kept"


def test_of_classes_half_of_the_pairs_are_same_and_wrong_ones_are_marked(runs, tmp_path):
    folder = small_model.write_folder(tmp_path / "in", 2, 4)
    (folder / "0" / "0.png").rename(folder / "1" / "wrong.png")
    (folder / "1").symlink_to((folder / "1").rename(tmp_path / "elsewhere"))
    flags = ("-i", folder, "--model", small_model.save(tmp_path / "model"))
    printed = runs(test_script, *flags, "--output", tmp_path / "pairs.png")
    lines = re.findall(r"^(\w)\S+ +(\w)\S+ +\S+ +(same|different)(, wrong)?$", printed, re.M)
    assert len({a == b for a, b, _, _ in lines}) == 2 and {w for *_, w in lines} == {"", ", wrong"}
    for a, b, verdict, wrong in lines:
        assert bool(wrong) == ((a == b) != (verdict == "same"))
    assert f"{sum(bool(w) for *_, w in lines)} of {len(lines)} pairs are called wrongly" in printed
    # ready pairs are shown as they are given, whose two folders are no classes
    pairs = small_model.write_pairs(tmp_path / "pairs")
    printed = runs(test_script, "-i", pairs, *flags[2:], "--output", tmp_path / "pairs.png")
    assert len(re.findall(r"similar_all_images/(g\d_\d)_first.+/\1_second", printed)) == 10
    assert "0 of 10 pairs are called wrongly" in printed


def test_test_script_input(fails, tmp_path):
    model = small_model.save(tmp_path / "model")

    def refused(folder, *flags):
        flags = ("--output", tmp_path / "pairs.png", "--model", model, *flags)
        return fails(test_script, "-i", folder, *flags)

    assert "no such folder" in refused(tmp_path / "missing")
    (tmp_path / "in" / "run").mkdir(parents=True)
    for name in ("metrics.json", "figure.png"):  # the output of a training
        (tmp_path / "in" / "run" / name).write_bytes(b"Matplotlib")
    assert "left out: output of a training (1)" in refused(tmp_path / "in")
    (tmp_path / "in" / "words.png").write_text("words")
    cv2.imwrite(str(tmp_path / "in" / "one.png"), np.zeros((28, 28), np.uint8))
    assert "at least 2 readable images. Received: 1" in refused(tmp_path / "in")
    assert "Expected a model directory" in refused(ROOT / "examples", "--model", tmp_path)
    assert "ending in" in refused(ROOT / "examples", "--output", tmp_path / "x.y")
    assert not (tmp_path / "pairs.png").exists()
