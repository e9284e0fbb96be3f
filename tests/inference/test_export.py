"""The encoder in other formats gives what the encoder gives, or no file is left."""

import hashlib
import json
from importlib.util import find_spec

import keras
import numpy as np
import pytest
import tensorflow as tf

from pyimagesearch import config, siamese_network
from pyimagesearch.inference import head
from pyimagesearch.inference.export import _difference, export
from pyimagesearch.system.errors import InputError

NO_ONNX = not all(find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime"))
needs_onnx = pytest.mark.skipif(NO_ONNX, reason="tf2onnx, onnx or onnxruntime is not installed")
SETTINGS = {"image_shape": [4, 5, 1], "distance": "euclidean", "threshold": 0.5}
# without warnings of tf.lite, which says that it will leave, and of tf2onnx, that NumPy is new
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def small(seed=0):
    """uint8 (B, 4, 5, 1) -> three numbers."""
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((4, 5, 1), dtype="uint8"), *layers])


def pictures(shape=(4, 5, 1), count=3):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


def run_tflite(path, images):
    interpreter = tf.lite.Interpreter(str(path))
    (entry,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(entry["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(entry["index"], images)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def run_onnx(path, images):
    import onnxruntime

    return onnxruntime.InferenceSession(path).run(None, {"images": images})[0]


@pytest.mark.parametrize("name, shape", [("fast", (28, 28, 1)), ("photos-small", (48, 32, 3))])
@pytest.mark.parametrize(
    "run",
    [pytest.param(run_tflite, id="tflite"), pytest.param(run_onnx, id="onnx", marks=needs_onnx)],
)
def test_the_recipes_encoders_run_elsewhere_on_any_number_of_images(tmp_path, name, shape, run):
    encoder = siamese_network.build_encoder(config.RECIPES[name].changed(image_shape=shape))
    path = tmp_path / f"encoder.{run.__name__.removeprefix('run_')}"
    found = export(encoder, SETTINGS, path, pictures(shape, 2))
    assert found.difference < 1e-5
    for count in (1, 7):
        images = pictures(shape, count)
        (here, there) = (encoder(images, training=False).numpy(), run(path, images))
        assert there.dtype == np.float32 and there == pytest.approx(here, abs=1e-5)


def test_the_settings_lie_beside_it(tmp_path):
    found = export(small(), SETTINGS, tmp_path / "net.tflite", pictures(), model="a digest")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.tflite", "net.tflite.json"]
    written = json.loads(found.settings.read_text())
    assert written | SETTINGS == written
    assert written["export"] == {
        "file": "net.tflite",
        "model": "a digest",
        "sha256": hashlib.sha256(found.path.read_bytes()).hexdigest(),
        "input": {"dtype": "uint8", "shape": [None, 4, 5, 1]},
        "output": {"dtype": "float32", "shape": [None, 3]},
        "difference": found.difference,
        "images_checked": 3,
    }


def test_the_encoder_that_lies_beside_a_model_is_taken_from_its_file(tmp_path):
    encoder = small()
    encoder.save(tmp_path / "encoder.keras")
    path = tmp_path / "net.tflite"
    export(tmp_path / "encoder.keras", SETTINGS, path, pictures(), reference=encoder.predict)
    assert run_tflite(path, pictures()) == pytest.approx(encoder.predict(pictures()), abs=1e-6)
    (tmp_path / "encoder.keras").write_bytes(b"PK\x03\x04")
    for name in ("encoder.keras", "absent.keras"):
        with pytest.raises(InputError, match="Train the model again"):
            export(tmp_path / name, SETTINGS, tmp_path / "other.tflite", pictures())


def test_a_file_that_differs_is_refused_and_nothing_is_left(tmp_path):
    (tmp_path / "net.tflite").write_bytes(b"the one before")
    other = small(seed=1)
    with pytest.raises(InputError, match="nothing is kept"):
        export(small(), SETTINGS, tmp_path / "net.tflite", pictures(), reference=other.predict)
    assert [path.name for path in tmp_path.iterdir()] == ["net.tflite"]
    assert (tmp_path / "net.tflite").read_bytes() == b"the one before"


def test_what_counts_as_a_difference():
    ones = np.ones((2, 3), np.float32)
    assert _difference(ones + 9e-5, ones, "net.tflite") == pytest.approx(9e-5, rel=1e-2)
    # in proportion to the embeddings where they are large: float32 has seven digits
    assert _difference(1000 * ones + 0.09, 1000 * ones, "net.tflite") == pytest.approx(0.09, 1e-2)
    for wrong in (ones + 2e-4, np.nan * ones, np.ones((2, 4), np.float32), ones.astype(float)):
        with pytest.raises(InputError, match="nothing is kept"):
            _difference(wrong, ones, "net.tflite")


@pytest.mark.parametrize(
    "images",
    [
        pictures()[:0],
        pictures()[0],
        pictures((5, 4, 1)),
        pictures().astype(np.float32),
    ],
)
def test_only_images_of_the_models_kind_check_it(tmp_path, images):
    with pytest.raises(InputError, match=r"uint8 images \(N, 4, 5, 1\)"):
        export(small(), SETTINGS, tmp_path / "net.tflite", images)


def test_the_ending_and_the_format_must_agree(tmp_path):
    with pytest.raises(InputError, match=r"\.tflite or \.onnx"):
        export(small(), SETTINGS, tmp_path / "net.pb", pictures())
    with pytest.raises(InputError, match=r"ends with \.onnx"):
        export(small(), SETTINGS, tmp_path / "net.tflite", pictures(), format="onnx")


def test_onnx_without_its_packages_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("pyimagesearch.inference.export.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install tf2onnx"):
        export(small(), SETTINGS, tmp_path / "net.onnx", pictures())
    assert not list(tmp_path.iterdir())


def test_a_network_that_litert_cannot_run_alone_is_refused(tmp_path):
    images = keras.Input((4, 5, 1), dtype="uint8")
    # TensorFlow's own operation, which LiteRT does not have
    spectrum = keras.layers.Lambda(lambda x: tf.raw_ops.Betainc(a=x, b=x, x=x))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 512, 0.1)(images))
    with pytest.raises(InputError, match="all operations"):
        export(keras.Model(images, spectrum(flat)), SETTINGS, tmp_path / "n.tflite", pictures())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["euclidean", "cosine"])
@pytest.mark.parametrize(
    "head_name, weight, bias", [("sigmoid", 3.0, -2.0), ("sigmoid", 40.0, -30.0)]
)
def test_the_head_is_described_by_two_numbers(name, head_name, weight, bias):
    recipe = config.RECIPES["bce"].changed(head=head_name, distance=name)
    comparison = siamese_network.build_comparison(recipe)
    comparison.layers[-1].set_weights([np.array([[weight]]), np.array([bias])])
    settings = {"head": head_name, "distance": name}
    found = head.parameters(settings, comparison, 48)["head_parameters"]
    assert found == {"weight": pytest.approx(weight, 1e-4), "bias": pytest.approx(bias, 1e-4)}


def test_a_head_behind_a_normalisation_is_described_too():
    comparison = siamese_network.build_comparison(config.RECIPES["keras-io"])
    # gamma, beta, mean, variance; then 2 (d - 3) / sqrt(4) - 1 = d - 4, but for Keras' 0.001
    (normalisation, dense) = comparison.layers[-2:]
    normalisation.set_weights([np.array([x]) for x in (1.0, 0.0, 3.0, 4 - 1e-3)])
    dense.set_weights([np.array([[2.0]]), np.array([-1.0])])
    settings = {"head": "normalized_sigmoid", "distance": "euclidean"}
    found = head.parameters(settings, comparison, 10)["head_parameters"]
    assert found == {"weight": pytest.approx(1, 1e-4), "bias": pytest.approx(-4, 1e-4)}


def test_heads_that_cannot_be_described_are_refused():
    assert head.parameters({"head": "none"}, None, 3) == {} == head.parameters({}, None, 3)
    with pytest.raises(InputError, match="the model's distance"):
        head.parameters({"head": "sigmoid"}, None, 3)
    with pytest.raises(InputError, match="sigmoid of the distance"):
        head.parameters({"head": "other"}, lambda pair: 0.5 + 0.1 * np.sin(pair[1][:, 0]), 3)
