"""What a training leaves beside its model, with networks that are known, and the page of it."""

import base64
import csv
import hashlib
import json
import re

import keras
import numpy as np
import pytest

from pyimagesearch import config
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import DataSet, ImageSet
from pyimagesearch.evaluation import report
from pyimagesearch.evaluation.all_pairs import ImagePairs
from pyimagesearch.evaluation.measure import calibrate, embed
from pyimagesearch.siamese_network import build_comparison
from pyimagesearch.system.terminal import printable
from tests.evaluation import browser

HOSTILE = (
    "</script><script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    "\u202eright to left\u2028{{data}}\u200f' \" & \\u003cb\\u003e $x$",
)
PARTS = {"train": 90, "choices": 300, "test": 300, "classes": 3}
PARTS |= {"clean": True, "near_copies": {}}
FILES = {f"contrastive_{name}.png" for name in ("roc", "histogram", "map", "worst")}
FILES |= {"metrics.json", "history.csv", "report.html"}


def image_set(n, seed, names=HOSTILE, classes=3, noise=40, ready=False):
    """Images whose brightness tells their class."""
    labels = (np.arange(n) % classes).astype(np.int32)
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, noise + 1, (n, 1, 1, 1)) + rng.integers(0, 9, (n, 4, 4, 1))
    images = (180 // classes * labels[:, None, None, None] + noise).astype(np.uint8)
    pairs = sample_pairs(labels, seed)
    return ImageSet(images, None, pairs) if ready else ImageSet(images, labels, pairs, names)


def written(output, history=None, new_classes=False, scale=1 / 255, copies=(), **how):
    """What a training with a made network leaves; returns its Measurement."""
    output.mkdir()
    recipe = config.RECIPES["article"]
    (train, choices, test) = (image_set(how.pop("n", 300), k, **how) for k in range(3))
    parts = PARTS | {"classes_tested": how.get("classes", 3)}
    known = (new_classes, new_classes, np.array(copies, int))
    data = DataSet(train, choices, choices, test, parts, *known)
    inputs = keras.Input((4, 4, 1), dtype="uint8")
    brightness = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(scale)(inputs))
    encoder = keras.Model(inputs, brightness)
    comparison = build_comparison(recipe)
    settings = {"recipe": "article", "dataset": "here", "seed": 3}
    settings["training"] = {"loss": "supervised_contrastive"}
    pairs = ImagePairs(embed(encoder, choices.images), choices, {}, new_classes)
    settings |= calibrate(pairs)
    history = history or {"loss": [0.5, 0.25], "seconds": [1.0, 2.0], "val_loss": [0.4, 0.3]}
    return report.write(str(output), settings, recipe, history, encoder, comparison, data)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    output = tmp_path_factory.mktemp("report") / "run"
    with pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr(report, "say", lines.append)
        measured = written(output, copies=range(30))
    return output, measured, "\n".join(lines)


def data_of(path):
    """The data in a page."""
    text = path.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(found)


def test_numbers_are_written_with_the_parts_and_the_classes(trained):
    (output, measured, _) = trained
    stored = json.loads((output / "metrics.json").read_text())
    assert stored["test"]["accuracy"] == vars(measured.accuracy)
    assert stored["test"]["pairs"] == 300 * 299 / 2 and stored["test"]["loss"] > 0
    # 30 of the 300 test images have a near copy in training: the figure without them, too
    assert stored["test"]["without_near_copies"]["images"] == 270
    data = data_of(output / "report.html")
    assert "270 test images without a near copy in training: " in data["warnings"][-1]
    assert stored["calibration"] == data["calibration"] and len(stored["calibration"]) > 2
    # of two classes whose pairs are called the same, the share of them
    (a, b) = (HOSTILE.index(name) for name in stored["classes"]["confused"][0]["classes"])
    assert data["matrix"]["shares"][a][b] == stored["classes"]["confused"][0]["fmr"]
    assert stored["parts"] == PARTS | {"classes_tested": 3}
    assert len(stored["classes"]["figures"]) == 3
    assert "classes" not in stored["test"] and "classes" not in stored["raw_pixels"]
    assert stored["retrieval"]["map_at_r"]["value"] > 0.8
    assert stored["epochs_run"] == 2 and stored["training_seconds"] == 3
    assert {"python", "numpy", "keras"} < set(stored["versions"])
    with open(output / "history.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert rows[1] == {"epoch": "2", "loss": "0.25", "seconds": "2.0", "val_loss": "0.3"}
    assert {path.name for path in output.iterdir()} == FILES


def test_terminal_page_and_metrics_have_the_same_figures(trained):
    (output, measured, lines) = trained
    (data, right) = (data_of(output / "report.html"), measured.accuracy)
    assert "the network on test images, all 44,850 pairs of 300 images, 95 % intervals" in lines
    assert f"AUC {measured.auc.value:.5f}" in lines
    assert f"{100 * right.value:.2f} % of 44,850 test pairs right, calling them the same" in lines
    for name, network, raw in data["figures"]:
        assert f"  {name:<24}{network}\n" in lines and raw, name
    assert data["notes"][0] in lines
    # the slider knows what the model's threshold gives
    figures = (measured.tmr.value, measured.fmr.value, right.value)
    assert data["stops"][0] == ["the model's threshold", measured.threshold]
    assert [measured.threshold, *figures] in data["steps"]


def test_names_are_text_alone_and_nothing_is_fetched(trained):
    text = (trained[0] / "report.html").read_text(encoding="utf-8")
    assert text.count("<script") == 2 and text.count("</script>") == 2
    (policy,) = re.findall('Content-Security-Policy" content="(.*?)"', text)
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy
    for tag in ("style", "script"):  # only what has this digest is taken
        (inline,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.S)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(r"https?://| style=| onclick", text)
    data = data_of(trained[0] / "report.html")
    assert {c["name"] for c in data["classes"]} == set(map(printable, HOSTILE))


@pytest.fixture(scope="module")
def kinds(tmp_path_factory, trained):
    """The reports of every kind of data: their folders and Measurements."""
    folder = tmp_path_factory.mktemp("kinds")
    few = {"loss": [0.5, float("nan")], "val_loss": [float("nan")] * 2, "seconds": [1, 1]}
    made = {
        "ready": {"ready": True, "n": 90},
        "new": {"classes": 12, "names": (), "n": 60, "noise": 15, "new_classes": True},
        "few": {"n": 6, "history": few, "copies": range(6)},
        "collapsed": {"scale": 0.0, "n": 40},
    }
    found = {"classes": trained[:2]}
    return found | {k: (folder / k, written(folder / k, **how)) for k, how in made.items()}


@pytest.mark.slow
def test_every_kind_of_data_has_its_figures(kinds):
    found = {kind: data_of(output / "report.html") for kind, (output, _) in kinds.items()}
    for kind, data in found.items():
        assert set(data["pictures"]) == {"worst", "map"} and len(data["steps"]) > 300
        counted = np.sum(data["histogram"], axis=0)
        assert counted.sum() == kinds[kind][1].pairs and counted.min() > 0
        assert data["figures"][0][1].startswith(f"{100 * kinds[kind][1].accuracy.value:.2f} %")
    assert found["ready"]["classes"] == [] and "over 12 classes" in found["new"]["basis"]
    assert "collapsed" in " ".join(found["collapsed"]["warnings"])
    assert not found["ready"]["matrix"] and len(found["new"]["matrix"]["classes"]) == 12
    assert found["classes"]["loss"].endswith("; the last epoch is kept")


@pytest.mark.slow
@pytest.mark.skipif(not (browser.PROGRAM or browser.IS_REQUIRED), reason="no chromium or chrome")
def test_a_browser_shows_every_kind_of_data(kinds, tmp_path):
    pages = [output / "report.html" for output, _ in kinds.values()]
    (states, complaints) = browser.states(tmp_path, pages)
    assert complaints == []
    for (name, (output, measured)), state in zip(kinds.items(), states):
        figures = (measured.tmr, measured.fmr, measured.accuracy)
        percents = [f"{100 * figure.value:.2f} %" for figure in figures]
        assert state["first"] == state["stops"][0] == [f"{measured.threshold:.3f}", *percents], name
        assert state["top"][0].startswith(percents[2])
        assert state["charts"] == [True, True, bool(measured.calibration)], name
        assert state["table"] == data_of(output / "report.html")["figures"]
        assert state["title"] == "recipe article on here" and state["pictures"] == 2
        assert not state["wide"], name
    (state, measured) = (states[0], kinds["classes"][1])
    (moved, first) = ([float(text.split()[0]) for text in state[k]] for k in ("moved", "first"))
    assert all(a > b for a, b in zip(moved[:3], first))
    points = [point for point in measured.operating_points.values() if point]
    for stop, point in zip(state["stops"][1:], points, strict=True):
        assert stop[:2] == [f"{point['threshold']:.3f}", f"{100 * point['tmr'].value:.2f} %"]
    assert sorted(state["names"]) == sorted(map(printable, HOSTILE))
