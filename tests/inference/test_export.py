"""The encoder in other formats gives what the model gives, or no file is left."""

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import keras
import numpy as np
import pytest
import small_model
import tensorflow as tf

from pyimagesearch import SiameseModel, config, siamese_network
from pyimagesearch.inference import saving
from pyimagesearch.inference.saving import export
from pyimagesearch.system.terminal import InputError

NO_ONNX = not all(find_spec(name) for name in ("tf2onnx", "onnx", "onnxruntime"))
needs_onnx = pytest.mark.skipif(NO_ONNX, reason="tf2onnx, onnx or onnxruntime is not installed")
# without warnings of tf.lite, which says that it will leave, and of tf2onnx, that NumPy is new
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def pictures(shape=small_model.SHAPE, count=3):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


def saved(path, encoder, **settings):
    """A model of an encoder, loaded."""
    comparison = siamese_network.build_comparison(config.RECIPES["fast"])
    settings = {"image_shape": encoder.input_shape[1:], "threshold": 0.5} | settings
    saving.save(path, encoder, comparison, settings)
    return SiameseModel(path)


def run_tflite(path, images):
    run = tf.lite.Interpreter(str(path)).get_signature_runner("embed")
    return run(images=images)["embedding"]


def run_onnx(path, images):
    import onnxruntime

    return onnxruntime.InferenceSession(path).run(None, {"images": images})[0]


def settings_inside(path):
    """As a phone reads them, which has the file alone."""
    if path.suffix == ".tflite":
        return json.loads(ZipFile(path).read("siamese.json"))
    import onnxruntime

    found = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    return json.loads(found["siamese.json"])


@pytest.mark.parametrize("name, shape", [("fast", (28, 28, 1)), ("photos-small", (48, 32, 3))])
@pytest.mark.parametrize(
    "run",
    [pytest.param(run_tflite, id="tflite"), pytest.param(run_onnx, id="onnx", marks=needs_onnx)],
)
def test_the_recipes_encoders_run_elsewhere_on_any_number_of_images(tmp_path, name, shape, run):
    recipe = config.RECIPES[name].changed(image_shape=shape)
    model = saved(tmp_path / "run [v2]" / "model", siamese_network.build_encoder(recipe))
    path = tmp_path / f"encoder.{run.__name__.removeprefix('run_')}"
    found = export(model, path, pictures(shape, 2))
    assert found["difference"] < 1e-5
    for count in (1, 7):
        images = pictures(shape, count)
        (here, there) = (model.embed(images), run(path, images))
        assert there.dtype == np.float32 and there == pytest.approx(here, abs=1e-5)
    written = json.loads((tmp_path / f"{path.name}.json").read_text())
    assert written | model.settings == written and written["export"] == found
    assert (found["file"], found["model"], found["images_checked"]) == (path.name, model.digest, 2)
    assert settings_inside(path) == written
    # a new threshold goes into the exported file, too
    beside = shutil.copy(path, model.path.parent)
    shutil.copy(f"{path}.json", f"{beside}.json")
    saving.write_settings(model, model.settings | {"threshold": 9.0})
    assert settings_inside(Path(beside)) == written | {"threshold": 9.0}
    assert run(beside, images) == pytest.approx(here, abs=1e-5)


@pytest.mark.parametrize("change", [2e-4, np.nan])
def test_a_file_that_differs_is_refused_and_nothing_is_left(model, tmp_path, monkeypatch, change):
    place = tmp_path / "models"
    (place / "net.tflite").write_bytes(b"the one before")
    loaded = SiameseModel(model)
    embed = loaded.embed
    monkeypatch.setattr(loaded, "embed", lambda images: embed(images) + np.float32(change))
    with pytest.raises(InputError, match="nothing is kept"):
        export(loaded, place / "net.tflite", pictures())
    assert sorted(path.name for path in place.iterdir()) == ["model", "net.tflite"]
    assert (place / "net.tflite").read_bytes() == b"the one before"


def test_a_network_that_litert_cannot_run_alone_is_refused(tmp_path):
    images = keras.Input((4, 5, 1), dtype="uint8")
    # TensorFlow's own operation, which LiteRT does not have
    spectrum = keras.layers.Lambda(lambda x: tf.raw_ops.Betainc(a=x, b=x, x=x))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 512, 0.1)(images))
    model = saved(tmp_path / "model", keras.Model(images, spectrum(flat)))
    with pytest.raises(InputError, match="all operations"):
        export(model, tmp_path / "n.tflite", pictures((4, 5, 1)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoder.keras", "model"]


def test_onnx_without_its_packages_says_what_to_install(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(InputError, match="pip install tf2onnx"):
        export(SiameseModel(model), tmp_path / "net.onnx", pictures())
    assert not list(tmp_path.glob("net*"))


def test_as_a_user_asks_for_it(ask, model, tmp_path):
    (code, out, _) = ask("export", "--format", "tflite")
    file = model.parent / "encoder.tflite"  # beside the model, where compare finds it
    assert code == 0 and out.splitlines()[-1] == f"{file}, settings inside and in {file}.json"
    answer = json.loads(ask("export", "--format", "tflite", "--output", "e.tflite", "--json")[1])
    assert answer["images_checked"] == 64 and answer["difference"] < 1e-5
    assert answer["file"].endswith("e.tflite") and (tmp_path / "e.tflite").exists()


@pytest.mark.parametrize("flags, message", [
    (["--format", "tflite", "--output", "e.onnx"], "ends with .tflite"),
    (["--format", "tflite", "--output", "a file/e.tflite"], "can be written to")])  # fmt: skip
def test_what_cannot_be_exported(refused, tmp_path, flags, message):
    (tmp_path / "a file").write_text("")
    assert message in refused("export", *flags)
