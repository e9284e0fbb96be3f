"""The SavedModel, used by a process that has never seen this package, and by SiameseModel."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import small_model

from pyimagesearch import config
from pyimagesearch.data.sets import TRAINED_ON
from pyimagesearch.inference import saved_model
from pyimagesearch.inference import settings as stored
from pyimagesearch.siamese_network import build_comparison, build_encoder
from pyimagesearch.system.errors import InputError

STRANGER = """
import sys, numpy as np, tensorflow as tf, keras
model = tf.saved_model.load(sys.argv[1])
data = np.load(sys.argv[2])
a, b = data["a"], data["b"]
pair = {"image_a": a, "image_b": b}
out = {"served": model.serve(pair), "attribute": model.serving_default(pair)}
out["signature"] = model.signatures["serving_default"](
    image_a=tf.constant(a), image_b=tf.constant(b))
out["serve_signature"] = model.signatures["serve"](image_a=tf.constant(a), image_b=tf.constant(b))
for endpoint in ("serve", "serving_default"):
    layer = keras.layers.TFSMLayer(sys.argv[1], call_endpoint=endpoint)
    out["layer_" + endpoint] = layer(pair)
    inputs = {name: keras.Input(a.shape[1:], dtype="uint8", name=name) for name in pair}
    out["keras_model_" + endpoint] = keras.Model(inputs, layer(inputs)).predict(pair, verbose=0)
out["one"] = model.serve({"image_a": a[:1], "image_b": b[:1]})
out = {name: value["distance"] for name, value in out.items()}
assert "pyimagesearch" not in sys.modules
np.savez(sys.argv[3], embedding=model.embed(a)["embedding"], **out)
"""


@pytest.fixture(scope="module", params=["fast", "keras-io"])
def saved(request, tmp_path_factory):
    """An encoder with its first random weights, and the directory it was saved to."""
    path = tmp_path_factory.mktemp("model") / "model"
    recipe = config.RECIPES[request.param]
    encoder, comparison = build_encoder(recipe), build_comparison(recipe)
    settings = {"image_shape": recipe.reading.image_shape, "threshold": 0.25}
    saved_model.save(path, encoder, comparison, settings)
    return encoder, comparison, path


@pytest.mark.slow
def test_a_stranger_s_process_gets_the_encoder_s_distances(saved, tmp_path):
    encoder, comparison, path = saved
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 7, 28, 28, 1), dtype=np.uint8)
    np.savez(tmp_path / "in.npz", a=a, b=b)
    subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, path, tmp_path / "in.npz", tmp_path / "out.npz"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    out = np.load(tmp_path / "out.npz")
    expected = np.asarray(comparison([encoder(a), encoder(b)]))
    assert expected.min() > 1e-3 and expected.std() > 1e-4
    for name in set(out) - {"one", "embedding"}:
        assert out[name].shape == (7, 1) and out[name].dtype == np.float32, name
        np.testing.assert_allclose(out[name], expected, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(out["embedding"], encoder(a), atol=1e-5)
    np.testing.assert_allclose(out["one"], expected[:1], atol=1e-5)
    assert len(out) == 10


def test_loaded_model(saved):
    encoder, comparison, path = saved
    model = saved_model.SiameseModel(path)
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1), dtype=np.uint8)
    feats = model.embed(images, batch_size=2)  # 2 + 2 + 1
    np.testing.assert_allclose(feats, encoder(images), atol=1e-5)
    distances = model.distance([feats[:4], feats[1:]])
    expected = np.ravel(comparison([feats[:4], feats[1:]]))
    np.testing.assert_allclose(distances, expected, rtol=1e-4)
    to_all = model.distance_to_all(feats[0], feats[1:], block=3)
    np.testing.assert_allclose(to_all, model.distance([feats[[0] * 4], feats[1:]]), rtol=1e-5)
    assert model.threshold == 0.25 and model.image_shape == (28, 28, 1)
    # a pair at the threshold itself is different
    assert model.is_same([0.1, 0.25, 0.3]).tolist() == [True, False, False]
    assert model.is_same(0.3, threshold=0.4)


def test_the_encoder_is_kept_to_train_on_from(saved):
    encoder, _, path = saved
    again = keras.models.load_model(path.parent / "encoder.keras")
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), dtype=np.uint8)
    np.testing.assert_allclose(again(images), encoder(images), atol=1e-6)


@pytest.mark.parametrize(
    "name", ["run [v2]", "a*b?", "with spaces", "Größe 模型", "back\\slash", b"latin-\xe9"]
)
def test_all_legal_paths_work(tmp_path, name):
    place = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), os.fsencode(name))))
    try:
        place.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    (images, _) = small_model.images(2, 1)
    expected = np.asarray(small_model.encoder()(images))
    path = small_model.save(place / "model", trained_on=np.arange(3, dtype=np.uint64))
    assert sorted(os.listdir(place)) == ["encoder.keras", "model"]
    model = saved_model.SiameseModel(path)
    np.testing.assert_allclose(model.embed(images), expected, atol=1e-6)
    assert len(model.trained_on()) == 3
    assert (place / "encoder.keras").stat().st_size > 0
    small_model.save(path, threshold=0.7)  # over the old one
    assert saved_model.SiameseModel(path).threshold == 0.7
    # a model that was made elsewhere, copied under this name
    small_model.save(tmp_path / "elsewhere")
    copy = shutil.copytree(tmp_path / "elsewhere", place / "copy")
    np.testing.assert_allclose(saved_model.SiameseModel(copy).embed(images), expected, atol=1e-6)


def test_what_it_was_trained_on_travels_with_it(tmp_path):
    digests = np.array([7, 2**64 - 1, 3, 7], np.uint64)
    path = small_model.save(tmp_path / "model", trained_on=digests)
    model = saved_model.SiameseModel(path)
    assert model.trained_on().tolist() == [3, 7, 2**64 - 1]
    assert model.trained_on().dtype == np.uint64
    kept = np.load(path / "assets.extra" / "trained_on.npy")
    assert kept.dtype == np.uint64 and kept.tolist() == [3, 7, 2**64 - 1]
    small_model.save(tmp_path / "unknown")
    assert len(saved_model.SiameseModel(tmp_path / "unknown").trained_on()) == 0


def header_of_a_terabyte() -> bytes:
    file = io.BytesIO()
    header = {"descr": "<u8", "fortran_order": False, "shape": (10**12,)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"no numpy file", header_of_a_terabyte()])
def test_a_damaged_list_of_what_it_was_trained_on(tmp_path, content):
    path = small_model.save(tmp_path / "model")
    (path / TRAINED_ON).write_bytes(content)
    with pytest.raises(InputError, match="uint64 numbers"):
        saved_model.SiameseModel(path)
    np.save(path / TRAINED_ON, np.zeros(3))
    with pytest.raises(InputError, match="uint64 numbers"):
        saved_model.SiameseModel(path)


def test_the_digest_is_of_weights_and_graph(tmp_path):
    path = small_model.save(tmp_path / "model")
    model = saved_model.SiameseModel(path)
    stored.write_settings(model, model.settings | {"threshold": 0.9})
    again = saved_model.SiameseModel(path)
    assert again.threshold == 0.9 and again.digest == model.digest
    (path / "variables" / "more").write_text("changed")
    assert saved_model.SiameseModel(path).digest != model.digest


def test_settings_go_into_no_other_model_than_the_one_that_was_loaded(tmp_path):
    path = small_model.save(tmp_path / "model")
    model = saved_model.SiameseModel(path)
    recipe = config.RECIPES["fast"]
    settings = {"image_shape": (28, 28, 1), "threshold": 0.25}
    saved_model.save(path, build_encoder(recipe), build_comparison(recipe), settings)
    before = (path / stored.SETTINGS).read_text()
    with pytest.raises(InputError, match="replaced while it was measured: run again") as error:
        stored.write_settings(model, model.settings | {"threshold": 9.0})
    assert len(str(error.value).splitlines()) == 1
    assert (path / stored.SETTINGS).read_text() == before
    shutil.rmtree(path)
    with pytest.raises(InputError, match="replaced"):
        stored.write_settings(model, model.settings)
    assert not path.exists()


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "damaged"),
        ("[" * 100_000, "damaged"),
        ("[1, 2]", "damaged"),
        ('{"format_version": 1}', "damaged"),
        ('{"format_version": 1, "image_shape": [28, 28], "threshold": 1}', "damaged"),
        ('{"format_version": 1, "image_shape": [28, -1, 1], "threshold": 1}', "damaged"),
        ('{"format_version": 1, "image_shape": [28, 28, 1], "threshold": NaN}', "damaged"),
        ('{"format_version": 1, "image_shape": [28, 28, 1], "threshold": "1"}', "damaged"),
        ('{"format_version": 99, "image_shape": [28, 28, 1], "threshold": 1}', "newer version"),
    ],
)
def test_settings_are_untrusted_text(tmp_path, text, message):
    (tmp_path / "saved_model.pb").touch()
    (tmp_path / stored.SETTINGS).parent.mkdir()
    (tmp_path / stored.SETTINGS).write_text(text)
    with pytest.raises(InputError, match=message):
        stored.read_settings(tmp_path)


@pytest.mark.parametrize("points", [None, 3, [1], {"a": 1}, {"0.01": "x"}, {"1.2.3": 1.0}])
def test_operating_points_are_untrusted_text(tmp_path, points):
    model = saved_model.SiameseModel(small_model.save(tmp_path / "model", operating_points=points))
    assert not any(model.operating_points().values())
    with pytest.raises(InputError, match=r"calibrated for: none\. Received: 0\.01"):
        model.threshold_for(0.01)


def test_a_foreign_directory(tmp_path):
    with pytest.raises(InputError, match="not there"):
        saved_model.SiameseModel(tmp_path / "nothing")
    (tmp_path / "keras").mkdir()
    with pytest.raises(InputError, match="without"):
        saved_model.SiameseModel(tmp_path / "keras")
    # the folder that a training was given, and the model in it
    (tmp_path / "keras" / "contrastive_siamese_model").mkdir()
    with pytest.raises(InputError, match=r"Its model is --model .*keras.contrastive_siamese_model"):
        saved_model.SiameseModel(tmp_path / "keras")


def test_a_damaged_model_is_one_line(tmp_path):
    whole = small_model.save(tmp_path / "whole")
    variables = next((whole / "variables").glob("*.data*"))

    def refused(change):
        path = shutil.copytree(whole, tmp_path / "damaged")
        change(path)
        with pytest.raises(InputError, match="Expected a SavedModel that loads") as error:
            saved_model.SiameseModel(path)
        assert len(str(error.value).splitlines()) == 1
        shutil.rmtree(path)

    def change_shape(path):
        settings = json.loads((path / stored.SETTINGS).read_text()) | {"image_shape": [28, 28, 3]}
        (path / stored.SETTINGS).write_text(json.dumps(settings))

    refused(lambda path: (path / "saved_model.pb").write_bytes(b"not a graph"))
    refused(lambda path: (path / "variables" / "variables.index").write_bytes(b""))
    refused(lambda path: (path / "variables" / variables.name).unlink())
    refused(change_shape)


def test_a_bug_is_no_damaged_model(tmp_path, monkeypatch):
    path = small_model.save(tmp_path / "model")

    def bug(path):
        raise RuntimeError("a bug")

    monkeypatch.setattr(saved_model.tf.saved_model, "load", bug)
    with pytest.raises(RuntimeError, match="a bug"):
        saved_model.SiameseModel(path)


GUEST = """
import logging, sys, warnings
import tensorflow as tf
tf.random.normal((2,))
def effects():
    return (tf.config.threading.get_intra_op_parallelism_threads(), logging.root.level,
            logging.root.handlers[:], logging.getLogger("pyimagesearch").handlers[:],
            len(warnings.filters))
before = effects()
from pyimagesearch import SiameseModel
sys.path.append(sys.argv[1])
import small_model
path = small_model.save(sys.argv[2])
model = SiameseModel(path)
print(model.embed_files(sys.argv[3:]).shape)
assert effects() == before, (before, effects())
"""


@pytest.mark.slow
def test_it_works_in_a_program_that_has_used_tensorflow(tmp_path):
    files = list(small_model.write_folder(tmp_path / "digits", 2, 2).rglob("*.png"))
    done = subprocess.run(
        [sys.executable, "-c", GUEST, Path(__file__).parent, tmp_path / "model", *files],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "(4, 49)\n"  # and nothing else is printed
