"""What the page answers, and what it refuses before it is served: without Gradio or a browser."""

import os
import re
import shutil
import socket
import sys
import tomllib
from argparse import Namespace

import pytest
import small_model

from pyimagesearch.inference import page, page_html
from pyimagesearch.inference.galleries import embed_folder
from pyimagesearch.inference.page_answers import Gallery, Questions
from pyimagesearch.inference.saved_model import SiameseModel
from pyimagesearch.system.errors import InputError
from tests.scripts import ROOT

ODD = "<img src=x onerror=alert(1)> ${1+1} {{value}} \"'"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_model.write_folder(tmp_path_factory.mktemp("folder") / "digits", 4, 3)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    names = ["0", "1", "2", ODD]
    return SiameseModel(small_model.save(tmp_path_factory.mktemp("m") / "model", class_names=names))


@pytest.fixture
def asks(model, folder, tmp_path, monkeypatch):
    """Questions to the model with a gallery of its own, whose class 3 has an odd name."""
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "cache"))
    gallery = shutil.copytree(folder, tmp_path / "gallery")
    (gallery / "3").rename(gallery / ODD)
    return Questions(model, 0.5, Gallery(str(gallery), embed_folder(model, gallery)))


def test_two_images_and_the_numbers_of_compare(asks, model, folder):
    (a, b, c) = (str(folder / name) for name in ("2/0.png", "2/1.png", "0/0.png"))
    for first, second, word in ((a, b, "same"), (a, c, "different")):
        feats = model.embed_files([first, second])
        distance = float(model.distance([feats[:1], feats[1:]])[0])
        (one, other, found) = asks.compare(first, second)
        assert f"distance {distance:.4f}, similarity {2 ** (-distance / 0.5):.3f}" in found
        assert f">{word}</p>" in found and "below 0.5000" in found
        assert "in grey at 28x28" in one and "in grey at 28x28" in other


def test_a_marker_stands_where_the_distance_lies_between_0_and_twice_the_threshold():
    places = [
        float(re.search(r"left: ([\d.]+)%", page_html.meter(distance, 0.5))[1])
        for distance in (0.0, 0.25, 0.5, 1.0, 7.0)
    ]
    assert places == [0, 25, 50, 100, 100]


def test_one_image_alone_is_shown_as_the_model_reads_it(asks, folder):
    (one, other, found) = asks.compare(str(folder / "2" / "0.png"), None)
    assert 'src="data:image/png;base64,' in one and (other, found) == ("", "")
    assert asks.compare(None, None) == ("", "", "")


def test_a_broken_file_is_a_sentence_beside_it_and_the_other_stays(asks, folder, tmp_path):
    broken = tmp_path / "cut {off} ${1}.png"
    broken.write_bytes((folder / "2" / "0.png").read_bytes()[:60])
    (one, other, found) = asks.compare(str(folder / "2" / "0.png"), str(broken))
    assert "as the model reads it" in one and found == ""
    assert "cut &#123;off&#125; &#36;&#123;1&#125;.png: cannot be read (cut off)" in other
    assert str(tmp_path) not in other  # where the upload lies is nobody's concern
    assert asks.find(str(broken))[1] == ""
    assert "cannot be opened" in asks.find(str(tmp_path / "deleted.png"))[0]


def test_who_it_is_and_what_is_most_like_it(asks, folder):
    (note, found) = asks.find(str(folder / "2" / "0.png"))
    assert "as the model reads it" in note and '<p class="verdict yes">2</p>' in found
    assert "FPIR unknown, gallery of 12" in found  # four classes of three images
    # four classes, and the five images that are nearest: its own three and two more
    assert found.count("<li>") == 9 and found.count(": same") == 3
    assert found.count(": different") == 2
    assert found.index("2/0.png") < found.index("2/1.png")


def test_nobody_that_it_knows(asks, tmp_path):
    black = tmp_path / "black.png"
    small_model.cv2.imwrite(str(black), small_model.np.zeros((28, 28), "uint8"))
    assert '<p class="verdict no">unknown</p>' in asks.find(str(black))[1]


def test_the_rate_that_holds_is_named_and_of_whom(asks, folder):
    calibration = {"rates": {"5e-4": 0.4}}
    for new, words in ((True, "FPIR 1 %,"), (False, "FPIR 1 % of classes that were trained on,")):
        asks.model.settings["identification"] = calibration | {"new_classes": new}
        assert f"below 0.4000; {words} gallery of 12" in asks.find(str(folder / "2/0.png"))[1]
    del asks.model.settings["identification"]


def test_no_name_can_run(asks, folder):
    found = asks.find(str(folder / "3" / "0.png"))[1] + page_html.answer(
        page_html.text(asks.about())
    )
    assert found.count("&lt;img src=x onerror=alert(1)&gt;") >= 3  # name, files, classes
    assert "<img src=x" not in found and not re.search(r"[{}$]", found)


def test_a_folder_without_subfolders_is_searched_alone(model, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "cache"))
    flat = Questions(model, 0.5, Gallery(str(folder / "2"), embed_folder(model, folder / "2")))
    found = flat.find(str(folder / "2" / "1.png"))[1]
    assert "verdict" not in found and found.count("<li>") == 3
    (folder / "2" / "extra.png").write_bytes((folder / "2" / "0.png").read_bytes())
    gone = Questions(model, 0.5, Gallery(str(folder / "2"), embed_folder(model, folder / "2")))
    (folder / "2" / "extra.png").unlink()  # since it was embedded: its name is left
    assert "extra.png" in gone.find(str(folder / "2" / "1.png"))[1]


def test_without_gradio_one_line_says_what_to_install(monkeypatch):
    variables = {"GRADIO_SHARE": "True", "https_proxy": "http://elsewhere", "HOME": "/home"}
    monkeypatch.setattr(os, "environ", variables)
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(InputError, match=r'pip install "gradio>=6,<7"$'):
        page.serve(Namespace())
    assert ".contrastive-" in variables.pop("GRADIO_TEMP_DIR")
    assert variables == {"HOME": "/home", "GRADIO_ANALYTICS_ENABLED": "False"}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extras["optional-dependencies"]["page"] == ["gradio>=6,<7"]
    assert "'gradio>=6,<7'" in (ROOT / ".ci" / "run").read_text()


def test_a_taken_port_or_an_address_of_nobody_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"free port. Received: 127.0.0.1 and {port} "):
            page.free_address("127.0.0.1", port)
    assert page.free_address("127.0.0.1", port) == ("127.0.0.1", port)
    assert page.free_address("localhost", 0)[1] > 0
    for host, port in (("127.0.0.1", 70000), ("127.0.0.1", -1), ("no such name", 0)):
        with pytest.raises(InputError, match="--host and --port"):
            page.free_address(host, port)
