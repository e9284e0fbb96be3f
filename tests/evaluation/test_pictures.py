"""Pictures: that they are written, with names of any script, and without touching the program."""

import cv2
import numpy as np
import pytest

from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.evaluation import pictures
from pyimagesearch.system.terminal import InputError
from tests.evaluation.known import image_pairs

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 9, 1), dtype=np.uint8)
NAMES = ("cat", "кошка", "Ελλάδα", "猫", "\U00013000", "$x$ 5$", "a\nb", "x" * 200, "قطة", "한국")


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
    compared = image_pairs(rng.normal(size=(200, 3)), np.arange(200) % 10, class_names=NAMES)
    pictures.plot_map(compared, tmp_path / "map.png")
    pictures.plot_matrix(rng.random((10, 10)), NAMES, 0.5, tmp_path / "matrix.png")
    # embeddings of one number, without classes, and of many
    pictures.plot_map(image_pairs([0, 0, 1], [0, 0, 1]), tmp_path / "line.png")
    pairs = sample_pairs(np.arange(80) // 2, 0)
    pictures.plot_map(image_pairs(np.ones((80, 2)), pairs=pairs), tmp_path / "given.png")
    many = image_pairs(rng.normal(size=(80, 4)), np.arange(80) // 2)
    pictures.plot_map(many, tmp_path / "many.png")
    assert [min(shape_of(path)[:2]) > 300 for path in tmp_path.iterdir()] == [True] * 5


@pytest.mark.parametrize("images", [IMAGES, IMAGES.repeat(3, axis=3), IMAGES[:, :1, :1]])
@pytest.mark.parametrize("count", [1, 6])
def test_pairs_in_grey_and_colour_and_of_one_pixel(images, count, tmp_path):
    pairs = [images[:count]] * 2
    (texts, same) = ("abcdef", [None, True, False, False, True, True])
    for shown in (pairs, pairs[:1]):
        figure = pictures.plot_pairs(shown, texts[:count], same, tmp_path / "a.png", "here")
        titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
        expected = ["a", "b same", "c different", "d different", "e same", "f same"]
        assert titles == expected[:count] and shape_of(tmp_path / "a.png")[1] > 200


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    pictures.check_output(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"ending in one of .*png.* Received: .*a\.txt"):
        pictures.check_output(tmp_path / "a.txt")
