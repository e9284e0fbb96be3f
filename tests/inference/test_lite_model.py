"""A model that is asked without TensorFlow answers as it does with it."""

import json
import shutil
import sys

import numpy as np
import pytest
import small_model

from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.inference.saving import export
from pyimagesearch.inference.settings import read_exported
from tests.scripts import python

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of TensorFlow's, see test_export.py


def exported(path, **settings):
    """A model with the encoder beside it, as `export` leaves it: its directory."""
    model = SiameseModel(small_model.save(path, **settings))
    export(model, path.parent / "encoder.tflite", small_model.images(each=1)[0])
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Only read."""
    points = {"0.01": 0.4, "0.001": 0.3, "0.0001": None}
    return exported(tmp_path_factory.mktemp("exported") / "model", operating_points=points)


@pytest.fixture
def model(whole, tmp_path, monkeypatch):
    """A copy, with the encoder beside it, which `ask` asks."""
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "cache"))
    shutil.copytree(whole.parent, tmp_path / "models")
    return tmp_path / "models" / "model"


@pytest.mark.slow
@pytest.mark.parametrize("settings", [
    {},
    {"distance": "euclidean", "head": "normalized_sigmoid"},
    {"distance": "cosine", "head": "sigmoid"}])  # fmt: skip
def test_it_answers_as_the_saved_model(whole, tmp_path, settings):
    path = exported(tmp_path / "model", **settings) if settings else whole
    (lite, saved) = (SiameseModel(path, lite=True), SiameseModel(path))
    assert lite.digest == saved.digest
    (images, _) = small_model.images(each=60)
    for batch in (images[:1], images):  # the second in three parts, the last a smaller one
        assert lite.embed(batch) == pytest.approx(saved.embed(batch), abs=1e-6)
    feats = np.concatenate([saved.embed(images[::30]), np.zeros((1, 49), np.float32)])
    (a, b) = (feats[i] for i in np.indices((len(feats), len(feats))).reshape(2, -1))
    found = lite.distance((a, b))
    assert found.dtype == np.float32 and found.shape == (len(a),)
    assert found == pytest.approx(saved.distance((a, b)), abs=1e-5)
    assert np.ptp(found) > 0.4  # they are not all alike


@pytest.mark.parametrize("change", [
    lambda model, file: small_model.save(model, scale=2),
    lambda model, file: file.write_bytes(file.read_bytes().replace(b"TFL3", b"TFL2")),
    lambda model, file: file.write_bytes(b"x".join(file.read_bytes().split(b"\0", 1))),
    lambda model, file: file.write_bytes(file.read_bytes()[:-5000])])  # fmt: skip
def test_a_file_that_is_not_this_models_is_named_and_tensorflow_is_used(ask, model, seven, change):
    file = model.parent / "encoder.tflite"
    change(model, file)
    (code, out, err) = ask("compare", *seven[:2])
    (line,) = [line for line in out.splitlines() if "encoder.tflite" in line]
    assert line.startswith("[INFO] encoder.tflite is not used (")
    assert line.endswith("): TensorFlow is; export it again")
    file.unlink()
    (code_without, out_without, _) = ask("compare", *seven[:2])
    assert (code, out.replace(f"{line}\n", ""), err) == (code_without, out_without, "")


def test_the_file_alone_is_enough_and_one_of_an_older_version_serves(model):
    file = model.parent / "encoder.tflite"
    beside = file.with_name("encoder.tflite.json").rename(model.parent / "kept")
    assert SiameseModel(model, lite=True).embedding_dim == 49
    file.write_bytes(read_exported(file)[0])  # without the settings inside
    beside.rename(f"{file}.json")
    assert SiameseModel(model, lite=True).embedding_dim == 49


def test_without_the_package_tensorflow_is_used(ask, model, seven, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    (code, out, err) = ask("compare", *seven[:2])
    assert code == 0 and "not used" not in out and err == ""


COMMAND = """
import sys
from pyimagesearch.inference import commands
from pyimagesearch.system import terminal
try:
    terminal.run(commands.main)
finally:
    print("tensorflow" in sys.modules, "keras" in sys.modules, "matplotlib" in sys.modules)
"""


@pytest.mark.slow
def test_compare_does_without_tensorflow_and_says_nothing_of_its_own(model, seven):
    asked = ("compare", *seven[:2], "--json", "--model", model)
    lite = python(COMMAND, *asked)
    (model.parent / "encoder.tflite").unlink()
    saved = python(COMMAND, *asked)
    (answer, loaded) = lite.stdout.splitlines()
    (wanted, loaded_there) = saved.stdout.splitlines()
    assert loaded == "False False False" and loaded_there.startswith("True True")
    assert json.loads(answer) == pytest.approx(json.loads(wanted), abs=1e-6)
    assert lite.stderr == saved.stderr and lite.returncode == saved.returncode == 0
