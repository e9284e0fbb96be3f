"""The SavedModel, used by a process that has never seen this package."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from pyimagesearch import config
from pyimagesearch.inference import saved_model
from pyimagesearch.siamese_network import build_comparison, build_encoder

STRANGER = """
import sys, numpy as np, tensorflow as tf, keras
model = tf.saved_model.load(sys.argv[1])
data = np.load(sys.argv[2])
a, b = data["a"], data["b"]
served = model.serve({"image_a": a, "image_b": b})["distance"]
default = model.signatures["serving_default"](
    image_a=tf.constant(a), image_b=tf.constant(b))["distance"]
layer = keras.layers.TFSMLayer(sys.argv[1], call_endpoint="serve")
layered = layer({"image_a": a, "image_b": b})["distance"]
embedding = model.embed(a)["embedding"]
one = model.serve({"image_a": a[:1], "image_b": b[:1]})["distance"]
assert "pyimagesearch" not in sys.modules
np.savez(sys.argv[3], served=served, default=default, layered=layered, embedding=embedding,
         one=one)
"""


@pytest.fixture(scope="module", params=["article", "keras-io"])
def saved(request, tmp_path_factory):
    """An encoder with its first random weights, and the directory it was saved to."""
    path = tmp_path_factory.mktemp("model") / "model"
    recipe = config.RECIPES[request.param]
    encoder, comparison = build_encoder(recipe), build_comparison(recipe)
    settings = {"image_shape": recipe.reading.image_shape, "threshold": 0.25}
    saved_model.save(path, encoder, comparison, settings)
    return encoder, comparison, path


def test_a_stranger_s_process_gets_the_encoder_s_distances(saved, tmp_path):
    encoder, comparison, path = saved
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 7, 28, 28, 1), dtype=np.uint8)
    np.savez(tmp_path / "in.npz", a=a, b=b)
    subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, path, tmp_path / "in.npz", tmp_path / "out.npz"],
        cwd=tmp_path,
        check=True,
    )
    out = np.load(tmp_path / "out.npz")
    expected = np.asarray(comparison([encoder(a), encoder(b)]))
    assert expected.min() > 1e-3 and expected.std() > 1e-3
    for name in ("served", "default", "layered"):
        assert out[name].shape == (7, 1) and out[name].dtype == np.float32
        np.testing.assert_allclose(out[name], expected, atol=1e-5)
    np.testing.assert_allclose(out["embedding"], encoder(a), atol=1e-5)
    np.testing.assert_allclose(out["one"], expected[:1], atol=1e-5)


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


def test_the_encoder_is_kept_to_train_on_from(saved):
    encoder, _, path = saved
    again = keras.models.load_model(path.parent / "encoder.keras")
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), dtype=np.uint8)
    np.testing.assert_allclose(again(images), encoder(images), atol=1e-6)


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
    (tmp_path / saved_model.SETTINGS).parent.mkdir()
    (tmp_path / saved_model.SETTINGS).write_text(text)
    with pytest.raises(ValueError, match=message):
        saved_model.read_settings(tmp_path)


def test_a_damaged_graph_and_a_foreign_directory(saved, tmp_path):
    with pytest.raises(ValueError, match="not there"):
        saved_model.SiameseModel(tmp_path / "nothing")
    (tmp_path / "keras").mkdir()
    with pytest.raises(ValueError, match="without"):
        saved_model.SiameseModel(tmp_path / "keras")
    settings = {"format_version": 1, "image_shape": [28, 28, 1], "threshold": 1.0}
    (tmp_path / "keras" / "assets.extra").mkdir()
    (tmp_path / "keras" / saved_model.SETTINGS).write_text(json.dumps(settings))
    (tmp_path / "keras" / "saved_model.pb").write_bytes(b"not a graph")
    with pytest.raises(ValueError, match="SavedModel that loads"):
        saved_model.SiameseModel(tmp_path / "keras")
