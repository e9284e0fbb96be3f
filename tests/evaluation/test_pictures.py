"""Pictures: that they are written, with names of any script, and without touching the program."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import cv2
import matplotlib as mpl
import numpy as np
import pytest

from pyimagesearch.evaluation import pictures
from pyimagesearch.evaluation.verification import curve_of
from pyimagesearch.system.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 9, 1), dtype=np.uint8)
NAMES = ("cat", "кошка", "Ελλάδα", "猫", "\U00013000", "$x$ 5$", "a\nb", "x" * 200, "قطة", "한국")


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def shape_of(path):
    return cv2.imread(str(path)).shape


def test_names_that_the_font_has_stay_and_others_become_numbers(caplog):
    with caplog.at_level("INFO", logger="pyimagesearch"):
        texts = pictures.lettering(NAMES)
    assert texts[:3] == ["cat", "кошка", "Ελλάδα"]
    assert texts[3:5] == ["#4", "#5"] and texts[8:] == ["#9", "#10"]
    assert texts[5] == r"\$x\$ 5\$" and texts[6] == "a?b"
    assert len(texts[7]) == 30 and texts[7] == "x" * 14 + "…" + "x" * 15
    assert caplog.messages[0] == "in the figures: #4 = 猫" and len(caplog.messages) == 4


def test_pictures_with_such_names(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(200) % len(NAMES)
    pictures.plot_map(rng.normal(size=(200, 3)), labels, tmp_path / "map.png", NAMES)
    pictures.plot_matrix(rng.random((10, 10)), NAMES, 0.5, tmp_path / "matrix.png")
    assert min(shape_of(tmp_path / "map.png")[:2]) > 300
    assert min(shape_of(tmp_path / "matrix.png")[:2]) > 300


def test_a_map_of_one_image_of_one_number_or_of_no_classes(tmp_path):
    pictures.plot_map(np.ones((1, 1)), np.zeros(1, int), tmp_path / "a.png", ("one",))
    pictures.plot_map(np.ones((5, 2)), None, tmp_path / "b.png")
    pictures.plot_map(
        np.random.default_rng(0).normal(size=(80, 4)), np.arange(80), tmp_path / "c.png"
    )
    assert {p.name for p in tmp_path.iterdir()} == {"a.png", "b.png", "c.png"}


def test_a_histogram_and_a_curve_leave_the_programs_own_matplotlib_as_it_was(tmp_path):
    before = dict(mpl.rcParams)
    for k, distances in enumerate(([0, 0], [-1e-7, 0.5])):
        curve = curve_of(distances, [0, 1])
        pictures.plot_histogram(curve.levels, curve, 0.1, tmp_path / f"{k}.png")
        pictures.plot_roc(curve, 0.5, 0.0, "a title", tmp_path / f"roc{k}.png")
    assert shape_of(tmp_path / "0.png") == shape_of(tmp_path / "1.png")
    assert min(shape_of(tmp_path / "roc0.png")[:2]) > 300
    assert dict(mpl.rcParams) == before


def verdicts(count, path, images=IMAGES):
    images = images[:count]
    return pictures.plot_verdicts(images, images, np.arange(count) / 4, 0.5, path)


@pytest.mark.parametrize("images", [IMAGES, IMAGES.repeat(3, axis=3), IMAGES[:, :1, :1]])
@pytest.mark.parametrize("count", [1, 6])
def test_pairs_in_grey_and_colour_and_of_one_pixel(images, count, tmp_path):
    figure = verdicts(count, tmp_path / "a.png", images)
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert (
        titles
        == [
            *("0.00 same", "0.25 same", "0.50 different", "0.75 different"),
            *("1.00 different", "1.25 different"),
        ][:count]
    )
    assert shape_of(tmp_path / "a.png")[1] > 200


def test_pictures_are_made_in_a_worker_thread(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(verdicts, 6, tmp_path / f"{k}.png") for k in range(3)]:
            done.result()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    pictures.check_output(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"ending in one of .*png.* Received: .*a\.txt"):
        pictures.check_output(tmp_path / "a.txt")
