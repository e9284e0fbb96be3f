"""report.html: what is in it, whatever the data, and what a browser makes of it."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from pyimagesearch.data.pairs import Pairs, sample_pairs
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import measuring, page, page_pictures, page_texts, pictures
from pyimagesearch.evaluation.embeddings import pair_distances
from pyimagesearch.evaluation.thumbnails import thumbnails
from pyimagesearch.evaluation.verification import called_same
from tests.evaluation import browser

pytestmark = pytest.mark.slow

HOSTILE = (
    "</script><script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    "\u202eright to left\u2028{{data}}\u200f' \" & \\u003cb\\u003e",
)


def image_set(n, seed, classes=3, names=(), shape=(8, 6, 1), ready_pairs=False):
    """Images whose brightness tells their class, in one dimension."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % classes).astype(np.int32)
    images = rng.integers(0, 40, (n, *shape)) + (200 // classes * labels)[:, None, None, None]
    pairs = sample_pairs(labels, seed)
    known = None if ready_pairs else labels
    return ImageSet(images.astype(np.uint8), known, pairs, names)


def written(path, test, dimensions=1, spread=0.3, history=None, new_classes=False, **more):
    """report.html at a path of what a made network has; returns what metrics.json would hold."""
    rng = np.random.default_rng(5)
    brightness = test.images.mean(axis=(1, 2, 3))[:, None] / 60
    embeddings = (brightness + rng.normal(0, spread, (len(test), dimensions))).astype(np.float32)
    settings = {"recipe": "article", "dataset": "here", **measuring.calibrate(embeddings, test)}
    found = measuring.measure(embeddings, test, settings, new_classes=new_classes).as_dict()
    content = {
        "classes": found.pop("classes", None),
        "test": found,
        "raw_pixels": measuring.measure_raw_pixels(test, test).as_dict(),
        "parts": {"train": 9, "skipped": {".txt": 2}},
        "settings": settings,
        **more,
    }
    distances = pair_distances(embeddings, test.pairs)[0]
    different = measuring.different_pairs(embeddings, test)[1]
    history = history or {"loss": [0.5, 0.25], "val_loss": [0.4, 0.3]}
    page.write(path, content, history, test, embeddings, distances, different, ["9 to train on"])
    return content


def data_of(path):
    """The data in a page."""
    text = path.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(found)


def test_the_figures_are_those_of_metrics_and_terminal(tmp_path):
    content = written(tmp_path / "report.html", image_set(300, 0), spread=0.8)
    rows = {
        name: (network, raw) for name, network, raw in data_of(tmp_path / "report.html")["figures"]
    }
    test = content["test"]
    value, low, high = (100 * test["accuracy"][k] for k in ("value", "low", "high"))
    assert rows["Right at the threshold"][0] == f"{value:.2f} % ({low:.2f} to {high:.2f})"
    assert rows["AUC"][1].startswith(f"{100 * content['raw_pixels']['auc']['value']:.3f} %")
    point = test["operating_points"]["0.01"]
    assert rows["TMR at 1 % FMR"][0].endswith(f"where distance < {point['threshold']:.3f}")
    assert rows["FMR here, for 1 % FMR"][0].startswith(f"{100 * point['fmr']['value']:.2g} %")
    assert rows["TMR at 0.01 % FMR"][0] == "not enough pairs to calibrate"


def test_retrieval_and_identification_are_shown_where_they_were_measured():
    figure = {"value": 0.5, "low": 0.25, "high": 0.75}
    point = {"fnir": figure, "fpir": figure, "threshold": 1.0, "gallery_size": 7}
    measured = {"operating_points": {}, **dict.fromkeys(page_texts.SHARES, figure)}
    content = {"test": measured, "retrieval": {"recall_at_1": figure, "queries": 9}}
    content |= {"identification": {"0.01": [point], "0.001": []}}
    assert page_texts.figure_rows(content)[-3:] == [
        ["Recall@1", "50.00 % (25.00 to 75.00)", ""],
        ["FNIR at 1 % FPIR", "50 % (25 to 75) where distance < 1.000, gallery of 7", ""],
        ["FPIR here, for 1 % FPIR", "50 % (25 to 75)", ""],
    ]


def below(steps, threshold):
    """How many distances the page counts below a threshold, as its program does."""
    distances = np.frombuffer(base64.b64decode(steps["distances"]), "<f4")
    k = np.searchsorted(distances.astype(np.float64), threshold)
    if k == len(distances):
        return steps["count"]
    ranks = steps["ranks"] and np.frombuffer(base64.b64decode(steps["ranks"]), "<u4")
    return int(ranks[k]) if ranks is not None else int(k)


def test_few_distances_are_all_there():
    steps = page_pictures.steps(np.array([0.1, 0.2, 0.2, 0.3], np.float32), [0.25])
    assert steps["ranks"] is None
    assert [below(steps, t) for t in (0, 0.1, 0.15, 0.2, 0.25, 9)] == [0, 0, 1, 1, 3, 4]


def test_of_many_distances_the_counts_at_the_thresholds_are_exact():
    distances = np.sort(np.random.default_rng(0).random(100_000).astype(np.float32).round(4))
    stops = [0.31234, 0.7, float(distances[-1])]
    steps = page_pictures.steps(distances, stops, most=1000)
    for stop in (*stops, 2.0):
        assert below(steps, stop) == called_same(distances, stop).sum()
    assert abs(below(steps, 0.5) - np.sum(distances < 0.5)) <= 200 + 10  # a step, and its ties
    assert len(base64.b64decode(steps["distances"])) < 4 * 1010


def test_the_pairs_around_the_threshold_and_the_worst_are_shown():
    distances, y = np.arange(200) / 100, np.tile([1, 0], 100)
    indices = np.arange(400).reshape(200, 2)
    found = page_pictures.pairs_to_show(indices, distances, y, 1.0)
    shown = np.array(found["all"])
    assert len(set(shown)) == len(shown) and {98, 99, 100, 101} <= set(shown)
    assert distances[shown[found["same"]]].tolist() == [k / 100 for k in range(198, 178, -2)]
    assert distances[shown[found["different"]]].tolist() == [k / 100 for k in range(1, 21, 2)]


def test_a_pair_is_shown_once():
    indices = np.array([[0, 1], [1, 0], [2, 3], [0, 3]])
    found = page_pictures.pairs_to_show(
        indices, np.array([1, 1, 3, 2.0]), np.array([1, 1, 0, 1]), 1
    )
    assert found == {"all": [3, 0, 2], "same": [0, 1], "different": [2]}


def test_names_are_text_alone(tmp_path):
    path = tmp_path / "report.html"
    written(path, image_set(60, 0, names=HOSTILE))
    text = path.read_text(encoding="utf-8")
    assert text.count("<script") == 2 and text.count("</script>") == 2 and "<img" not in text
    assert not re.search("[\u2028-\u202e\u2066-\u2069]", text)
    assert HOSTILE[0][:18] in data_of(path)["names"][0]


def test_nothing_but_the_pages_own_program_may_run_and_nothing_be_fetched(tmp_path):
    path = tmp_path / "report.html"
    written(path, image_set(60, 0))
    text = path.read_text(encoding="utf-8")
    (policy,) = re.findall('Content-Security-Policy" content="(.*?)"', text)
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "{{" not in text and " style=" not in text and " onclick" not in text


def test_it_is_below_five_megabytes_whatever_the_data(tmp_path):
    path, n = tmp_path / "report.html", 2200
    names = tuple(f"{k}{'😀<' * 120}" for k in range(n // 2))
    rng = np.random.default_rng(0)
    labels = np.arange(n, dtype=np.int32) // 2
    pixels = rng.integers(0, 256, (n, 64, 64, 3), dtype=np.uint8)
    test = ImageSet(pixels, labels, sample_pairs(labels, 0), names)
    history = {name: rng.random(20_000).tolist() for name in ("loss", "val_loss", "seconds")}
    written(path, test, dimensions=4, history=history)
    data = data_of(path)
    assert 1_000_000 < path.stat().st_size < 5_000_000
    assert len(data["classes"]["rows"]) == 1000 and data["classes"]["count"] == 1100
    assert len(data["history"]["epoch"]) == 500 and data["history"]["epoch"][-1] == 20_000
    assert data["steps"]["all"]["count"] > 2_000_000


def test_small_pictures_are_the_images(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (50, 5, 7, 1), dtype=np.uint8)
    made = thumbnails(images, np.arange(10, 50))
    with Image.open(io.BytesIO(base64.b64decode(made["src"].partition(",")[2]))) as opened:
        pixels = np.array(opened)
    (across, down) = made["cell"]
    k = 39  # the eighth of the second row
    (x, y) = (k % made["columns"] * across, k // made["columns"] * down)
    np.testing.assert_array_equal(pixels[y : y + 5, x : x + 7], images[49, :, :, 0])


def test_large_pictures_become_small_ones():
    images = np.full((3, 200, 100, 3), (200, 30, 10), np.uint8)
    made = thumbnails(images, np.array([2, 0]))
    assert (made["width"], made["height"], made["cell"]) == (32, 64, [32, 64])
    with Image.open(io.BytesIO(base64.b64decode(made["src"].partition(",")[2]))) as opened:
        assert np.abs(np.array(opened)[5, 5].astype(int) - (200, 30, 10)).max() < 8


def test_no_number_is_null_and_the_colours_are_those_of_the_pictures():
    text = page.page({"loss": [float("nan"), np.float32(np.inf), np.float32(0.5)], "name": "<"})
    assert '{"loss":[null,null,0.5],"name":"\\u003c"}' in text
    assert f"--same: {pictures.SAME};" in text and f"--different: {pictures.DIFFERENT};" in text


def kinds(folder):
    """A page of every kind of data; of each its path and what metrics.json would hold."""
    one_pair = Pairs(np.array([0, 0]), np.array([[3], [1]]), np.array([[1], [0]]))
    lost = {"loss": [0.5, float("nan"), 0.3], "val_loss": [float("nan")] * 3, "lr": [1, 1, 1]}
    few = image_set(6, 3)
    made = {
        "classes": (image_set(300, 0, names=HOSTILE), {"spread": 0.8}),
        "ready_pairs": (image_set(90, 1, ready_pairs=True), {"dimensions": 3}),
        "two_classes": (image_set(40, 2, classes=2), {"history": {"loss": [0.5]}}),
        "new_classes": (image_set(60, 3, classes=12), {"new_classes": True}),
        "few": (few, {"history": lost}),
        "one_pair_each": (few.replace(labels=None, pairs=one_pair), {}),
        "collapsed": (
            image_set(40, 4).replace(images=np.zeros((40, 9, 9, 3), np.uint8)),
            {"spread": 0},
        ),
    }
    return {
        name: (folder / f"{name}.html", written(folder / f"{name}.html", test, **how))
        for name, (test, how) in made.items()
    }


@pytest.mark.skipif(browser.PROGRAM is None, reason="no chromium or chrome on this machine")
def test_a_browser_shows_every_kind_of_data_and_the_same_figures(tmp_path):
    pages = kinds(tmp_path)
    (states, complaints) = browser.states(tmp_path, [path for path, _ in pages.values()])
    assert complaints == []
    for (name, (_, content)), state in zip(pages.items(), states):
        (test, settings) = (content["test"], content["settings"])
        at_first = state["first"]
        assert at_first["threshold"] == settings["threshold"], name
        assert at_first["accuracy"] == pytest.approx(test["accuracy"]["value"], abs=1e-12), name
        assert at_first["tmr"] == pytest.approx(test["tmr"]["value"], abs=1e-12), name
        assert at_first["changes"] == 0 and state["back"] == at_first
        assert {"loss", "histogram", "map"} == set(state["drawn"]), name
        assert state["settings"] > 5 and state["title"] == "Recipe article on here"
        assert state["wide"] is False, name
    state, content = states[0], pages["classes"][1]
    point = content["test"]["operating_points"]["0.01"]
    assert state["at_point"]["threshold"] == point["threshold"]
    assert state["at_point"]["tmr"] == pytest.approx(point["tmr"]["value"], abs=1e-12)
    assert state["at_point"]["fmr"] == pytest.approx(point["fmr"]["value"], abs=1e-12)
    # a key moves the slider, and pairs change sides; a key goes to an image of the map
    assert state["moved"]["threshold"] > state["first"]["threshold"] and state["moved"]["changes"]
    assert state["said"].startswith("class ") and state["pictured"]
    # a heading sorts, the other way round when it is pressed again
    assert len(state["names"]) == 3 and state["names_down"] == state["names"][::-1]
    assert any("title='run'</script>" in name for name in state["names"])
