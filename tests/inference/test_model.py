"""SiameseModel: what it answers and what it refuses; the SavedModel where this package is not."""

import dataclasses
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import small_model
import tensorflow as tf

from pyimagesearch import config
from pyimagesearch.data.sets import TRAINED_ON, Rows
from pyimagesearch.evaluation.distances import head_parameters
from pyimagesearch.inference import saving
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.inference.settings import SETTINGS
from pyimagesearch.siamese_network import build_comparison, build_encoder
from pyimagesearch.system.terminal import InputError

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


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An encoder with its first random weights, and the directory it was saved to."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("model") / "model"
    recipe = config.RECIPES["keras-io"]
    (encoder, comparison) = (build_encoder(recipe), build_comparison(recipe))
    network = {"head": recipe.network.head, "distance": recipe.network.distance}
    settings = {"image_shape": recipe.reading.image_shape, "threshold": 0.25} | network
    settings["head_parameters"] = head_parameters(comparison.get_weights())
    saving.save(path, encoder, comparison, settings)
    return encoder, comparison, path


@pytest.fixture(scope="module")
def loaded(original):
    """Only read."""
    return SiameseModel(original)


@pytest.mark.slow
def test_a_stranger_s_process_gets_the_encoder_s_distances(saved, tmp_path):
    (encoder, comparison, path) = saved
    (a, b) = np.random.default_rng(0).integers(0, 256, (2, 7, 28, 28, 1), dtype=np.uint8)
    (given, put_out) = (tmp_path / "in.npz", tmp_path / "out.npz")
    np.savez(given, a=a, b=b)
    command = [sys.executable, "-I", "-c", STRANGER, path, given, put_out]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    out = np.load(put_out)
    expected = np.asarray(comparison([encoder(a), encoder(b)]))
    assert expected.min() > 1e-3 and expected.std() > 1e-4
    for name in set(out) - {"one", "embedding"}:
        assert out[name].shape == (7, 1) and out[name].dtype == np.float32, name
        np.testing.assert_allclose(out[name], expected, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(out["embedding"], encoder(a), atol=1e-5)
    np.testing.assert_allclose(out["one"], expected[:1], atol=1e-5)
    assert len(out) == 10


def test_the_loaded_model_and_the_encoder_kept_beside_it(saved):
    (encoder, comparison, path) = saved
    model = SiameseModel(path)
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1), dtype=np.uint8)
    feats = model.embed(images)
    np.testing.assert_allclose(feats, encoder(images), atol=1e-5)
    distances = model.distance([feats[:4], feats[1:]])
    expected = np.ravel(comparison([feats[:4], feats[1:]]))
    np.testing.assert_allclose(distances, expected, rtol=1e-4)
    assert model.threshold == 0.25 and model.image_shape == (28, 28, 1)
    # a pair at the threshold itself is different
    assert [model.judge(far).same for far in (0.1, 0.25)] == [True, False]
    assert model.judge(0.3, 0.4).same
    again = keras.models.load_model(path.parent / "encoder.keras")
    np.testing.assert_allclose(again(images), encoder(images), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run [v2] *?", "back\\slash\n模型", b"latin-\xe9"])
def test_all_legal_paths_work(original, loaded, tmp_path, name):
    place = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), os.fsencode(name))))
    try:
        place.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    (images, _) = small_model.images(2, 1)
    path = small_model.save(place / "model", trained_on=np.arange(3, dtype=np.uint64))
    assert sorted(os.listdir(place)) == ["encoder.keras", "model"]
    assert keras.models.load_model(place / "encoder.keras").output_shape == (None, 49)
    again = SiameseModel(path)
    np.testing.assert_allclose(again.embed(images), loaded.embed(images), atol=1e-6)
    assert len(again.trained_on) == 3


BLACK = np.zeros((1, *small_model.SHAPE), np.uint8)


@pytest.mark.parametrize("images, received", [
    (BLACK / 255.0, "dtype=float64"), (BLACK[:, :14], "shape=(1, 14, 28, 1)"),
    (tf.constant(BLACK / 255.0, tf.float32), "dtype=float32")])  # fmt: skip
def test_a_refused_call_says_so_and_no_other_thread_waits(original, images, received):
    """In a program without this package, which has floats from 0 to 1 or another size."""
    model = tf.saved_model.load(str(original))
    for wrong in (
        lambda: model.embed(images),
        lambda: model.serve(dict.fromkeys(("image_a", "image_b"), images)),
    ):
        with pytest.raises(ValueError, match="Could not find matching") as error:
            wrong()
        assert received in str(error.value) and "dtype=tf.uint8" in str(error.value)
    pool = ThreadPoolExecutor(1)
    assert pool.submit(model.embed, BLACK).result(60)["embedding"].shape[0] == len(BLACK)
    assert pool.submit(model.serve, {"image_a": BLACK, "image_b": BLACK}).result(60)


def test_both_are_written_or_neither(model, monkeypatch):
    before = {path: path.read_bytes() for path in model.parent.rglob("*") if path.is_file()}

    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)  # of trained_on.npy, which is written last
    with pytest.raises(OSError, match="No space left"):
        small_model.save(model, np.zeros(1), scale=2)
    assert before == {path: path.read_bytes() for path in model.parent.rglob("*") if path.is_file()}


def test_what_it_was_trained_on_travels_with_it(tmp_path, loaded):
    path = small_model.save(tmp_path / "model", np.array([7, 2**64 - 1, 3, 7], np.uint64))
    assert SiameseModel(path).trained_on.tolist() == [3, 7, 2**64 - 1]
    assert len(loaded.trained_on) == 0
    for content in (b"", b"no numpy file"):
        (path / TRAINED_ON).write_bytes(content)
        assert len(SiameseModel(path).trained_on) == 0


def test_settings_go_into_the_model_that_was_loaded_alone(model):
    (path, model) = (model, SiameseModel(model))
    saving.write_settings(model, model.settings | {"threshold": 0.9})
    again = SiameseModel(path)
    assert again.threshold == 0.9 and again.digest == model.digest  # of weights and graph
    (path / "variables" / "more").write_text("changed")
    before = (path / SETTINGS).read_text()
    for ask in (lambda: saving.write_settings(model, model.settings | {"threshold": 9.0}),
                lambda: model.save(path.parent / "elsewhere")):  # fmt: skip
        with pytest.raises(InputError, match="replaced or removed meanwhile: load it again"):
            ask()
    assert (path / SETTINGS).read_text() == before


NAN = float("nan")
DAMAGED = [{"image_shape": [28, 28]}, {"image_shape": [28, -1, 1]}, {"image_shape": "all"},
    {"threshold": NAN}, {"threshold": "1"}, {"threshold": None}, {"format_version": 99},
    {"reading": [1]}, {"class_names": [1]}, {"distance": ["cosine"]}, {"operating_images": "many"},
    {"operating_points": [1]}, {"operating_points": {"a": 1}}, {"operating_points": {"0.01": "x"}},
    {"operating_points": {"nan": 1.0}}, {"identification": 3},
    {"identification": {"rates": {"1e-2": NAN}}}, {"probability": {"slope": 1}}]  # fmt: skip


@pytest.mark.parametrize("changes", ["", "[" * 100_000, *DAMAGED], ids=range(20))
def test_settings_are_untrusted_text(model, refused, changes):
    if isinstance(changes, dict):
        small_model.change(model, **changes)
    else:
        (model / SETTINGS).write_text(changes)
    error = refused("compare", "a.png", "b.png")
    name = next(iter(changes)) if isinstance(changes, dict) else "no JSON object"
    assert f"Received: damaged or newer ones ({name})" in error


def test_the_folder_of_a_training_and_a_foreign_one(original, tmp_path):
    for name, message in (("nothing", "not there"), ("", "without")):
        with pytest.raises(InputError, match=message):
            SiameseModel(tmp_path / name)
    path = shutil.copytree(original, tmp_path / "contrastive_siamese_model")
    small_model.change(path, class_names=["a", "b"])
    model = SiameseModel(tmp_path)
    assert model.path == path
    wanted = "<SiameseModel: recipe fast, images 28x28x1, 2 classes, threshold 0.500>"
    assert repr(model) == wanted


def test_a_model_that_a_killed_training_left_aside_is_found(model):
    """As files.whole_directory leaves it between its two renames."""
    model = model.rename(model.with_name("contrastive_siamese_model"))
    folder = model.parent / ".contrastive-abcdefgh"
    for asked in (model, model.parent):
        folder.mkdir()
        (folder / ".lock").touch()
        (folder / model.name).mkdir()  # the new one, perhaps not whole
        model.rename(folder / ".aside")
        assert SiameseModel(asked).embedding_dim == 49
        assert [path.name for path in model.parent.iterdir()] == [model.name]


def test_a_model_that_is_replaced_while_it_is_read_is_one_line(model, monkeypatch):
    load = tf.saved_model.load

    def loaded_and_replaced(path):
        found = load(path)
        small_model.save(model, scale=2)
        return found

    monkeypatch.setattr(tf.saved_model, "load", loaded_and_replaced)
    with pytest.raises(InputError, match="replaced or removed meanwhile: load it again"):
        SiameseModel(model)


@pytest.mark.slow
@pytest.mark.parametrize(
    "file, content",
    [("saved_model.pb", b"not a graph"), ("variables/variables.index", b""),
        ("variables/variables.data-00000-of-00001", None),
        (SETTINGS, b'{"format_version": 1, "image_shape": [28, 28, 3], "threshold": 1}')],
)  # fmt: skip
def test_a_damaged_model_is_one_line(saved, tmp_path, file, content):
    path = shutil.copytree(saved[2], tmp_path / "damaged")
    (path / file).unlink()
    if content is not None:
        (path / file).write_bytes(content)
    with pytest.raises(InputError, match="Expected a SavedModel that loads") as error:
        SiameseModel(path)
    assert len(str(error.value).splitlines()) == 1


IMAGES = np.arange(3 * 28 * 28).reshape(3, 28, 28, 1).astype(np.uint8)


@pytest.mark.parametrize(
    "images, mend",
    [(IMAGES / 255.0, "(x * 255).round().astype('uint8')"), (IMAGES[0], "x[None]"),
        (IMAGES[..., 0], "x[..., None]"), (IMAGES.astype(int), "int64 of shape (3, 28, 28, 1)"),
        (IMAGES.repeat(3, axis=3), "embed_files(paths)"), (None, "or no numbers"),
        (["a.png", "b.png"], "embed_files(paths)"),
        (Rows(IMAGES[:, :3], np.arange(3)), "3, 28, 1)")],
)  # fmt: skip
def test_what_is_no_batch_of_images_is_refused_with_the_way_out(loaded, images, mend):
    with pytest.raises(InputError, match=r"Expected .*images") as error:
        loaded.embed(images)
    assert mend in str(error.value) and len(str(error.value).splitlines()) == 1
    if mend.endswith(("')", "]")):  # what it says is taken
        mended = eval(mend, {"x": images})
        assert (loaded.embed(mended) == loaded.embed(IMAGES[: len(mended)])).all()


def test_a_single_embedding_is_compared_with_all(loaded):
    feats = np.eye(3, 49)
    assert loaded.distance([feats[0], feats]) == pytest.approx([0, 2**0.5, 2**0.5], abs=1e-3)
    assert loaded.distance([feats[0], feats[1].astype(np.float16)]).shape == (1,)


def test_questions_take_files_or_their_pixels(loaded, folder, monkeypatch, tmp_path):
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "cache"))
    (file, other) = (folder / "0" / "0.png", folder / "1" / "0.png")
    (pixels, _) = loaded.read([file, other])
    assert loaded.compare(pixels, other) == loaded.compare(file, other)
    assert loaded.compare(file, pixels).same and not loaded.compare(file, other)["same"]
    found = loaded.search(pixels, folder, top=1).results[0]
    assert (found.file, found["same"]) == (str(file), True)
    with pytest.raises(AttributeError, match="this answer has file, distance"):
        found.name  # noqa: B018
    assert loaded.identify(pixels, folder)["name"] == "0"
    both = loaded.read([other, file])
    assert loaded.search(file, both, 1).results[0].file == 1
    assert loaded.identify(file, both, labels=["no", "yes"]).name == "yes"
    # a query is not its own answer, in a folder or in what was made of it
    (inside, gallery) = (folder / "7" / "0.png", loaded.embed_folder(folder, 0))
    assert loaded.search(inside, gallery) == loaded.search(inside, folder)
    found = loaded.evaluate(folder)
    assert repr(found) == found["report"] and found["accuracy"]["value"] == 1
    foreign = dataclasses.replace(loaded.embed_folder(both), model="another")
    wrong = [((file, both[:, 0], 1), "uint8 images"), ((file, both, 0), "from 1 up")]
    for asked, what in (*wrong, ((file, foreign), "one of another model")):
        with pytest.raises(InputError, match=what):
            loaded.search(*asked)
    with pytest.raises(InputError, match="float64 of shape"):
        loaded.compare(file, pixels / 255)
    gallery = loaded.embed_folder(both, labels=["no", "yes"])
    assert len(repr(gallery)) < 200 and loaded.identify(file, both, labels=[3, 7]).name == 7
    wrong = [(both, np.eye(2, dtype=int), "argmax"), (both, 3, "2 images")]
    for known, labels, what in (*wrong, (folder, [0], "in memory"), (gallery, [0], "in memory")):
        with pytest.raises(InputError, match=what):
            loaded.identify(file, known, labels=labels)
    with pytest.raises(InputError, match="parts of both"):
        loaded.evaluate(both, [0, 1], class_level=2)
    with pytest.raises(InputError, match="name of a Keras file"):
        loaded.save(tmp_path / "x.keras")


def test_files_are_embedded_as_training_reads_them(loaded, folder, tmp_path, caplog):
    cv2.imwrite(photo := str(tmp_path / "photo.png"), np.full((56, 60, 3), (0, 0, 255), np.uint8))
    caplog.set_level("INFO", logger="pyimagesearch")
    loaded.read([photo, photo])
    assert caplog.text.count("grey images of 28x28: what it says of") == 1
    (images, _) = small_model.images(1)
    paths = [folder / "0" / f"{k}.png" for k in range(12)]
    assert (loaded.read(paths) == images).all()
    assert (loaded.embed_files(iter(paths)) == loaded.embed(images)).all()
    assert loaded.embed_files([]).shape == (0, 49) == loaded.embed(images[:0]).shape
    assert (loaded.embed(Rows(images, np.array([5, 1]))) == loaded.embed(images[[5, 1]])).all()
    with pytest.raises(InputError, match=r"Write \[path\]"):
        loaded.embed_files(str(paths[0]))
    (tmp_path / "words.png").write_text("words")
    for name, message in (("words.png", "cannot be read"), ("missing.png", "cannot be opened")):
        with pytest.raises(InputError, match=f"{name}: {message}"):
            loaded.embed_files([paths[0], tmp_path / name])
