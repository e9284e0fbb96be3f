"""What embed and distance refuse, each in one line that says how to mend it."""

import numpy as np
import pytest
import small_model

from pyimagesearch.data.rows import Rows
from pyimagesearch.inference.arrays import checked_embeddings, checked_images
from pyimagesearch.inference.saved_model import SiameseModel
from pyimagesearch.system.errors import InputError

SHAPE = (4, 6, 1)
IMAGES = np.arange(3 * 24, dtype=np.uint8).reshape(3, *SHAPE) * 3  # from 0 to 213


def test_uint8_images_are_taken_as_they_are():
    assert checked_images(IMAGES, SHAPE) is IMAGES
    assert checked_images(list(IMAGES), SHAPE).tolist() == IMAGES.tolist()
    rows = Rows(IMAGES, np.array([2, 0]))
    assert checked_images(rows, SHAPE) is rows
    assert checked_images(IMAGES[:0], SHAPE).shape == (0, *SHAPE)


@pytest.mark.parametrize(
    "images, mend",
    [
        (IMAGES / 255.0, "(images * 255).round().astype('uint8')"),
        ((IMAGES / 255.0).astype("float32"), "(images * 255).round().astype('uint8')"),
        (IMAGES / 127.5 - 1, "((images + 1) * 127.5).round().astype('uint8')"),
        (IMAGES.astype(float), "images.round().astype('uint8')"),
        (IMAGES.astype(int), "images.round().astype('uint8')"),
        (IMAGES.astype(np.uint16) * 257, "(images / 257).round().astype('uint8')"),
        (IMAGES > 100, "images.astype('uint8') * 255"),
        (IMAGES.astype(int) - 100, "whole numbers from 0 to 255"),
    ],
)
def test_other_types(images, mend):
    with pytest.raises(InputError) as error:
        checked_images(images, SHAPE)
    text = str(error.value)
    assert text.startswith("Expected uint8 images of shape (N, 4, 6, 1). Received: ")
    assert f"{images.dtype} of shape (3, 4, 6, 1)" in text and mend in text
    if "astype" in mend and "100" not in mend:  # what it says gives the images back
        expression = text[text.rindex(": ") + 2 : -1]
        mended = checked_images(eval(expression, {"images": images}), SHAPE)
        if images.dtype != bool:
            assert np.array_equal(mended, IMAGES)


@pytest.mark.parametrize(
    "images, mend",
    [
        (IMAGES[0], "images[None]"),
        (IMAGES[0, ..., 0], "images[None, ..., None]"),
        (IMAGES[..., 0], "images[..., None]"),
        (IMAGES.transpose(0, 3, 1, 2), "images.transpose(0, 2, 3, 1)"),
        (IMAGES[:, :3], "embed_files(paths)"),
        (IMAGES.repeat(3, axis=3), "embed_files(paths)"),
        (np.eye(10, dtype=np.uint8), "no images of this size"),  # one-hot labels
        (np.eye(10), "no images of this size"),
        (np.array([IMAGES[0], None], dtype=object), "object of shape (2,)"),
        ([IMAGES[0], IMAGES[0, :2]], "(2, 6, 1), (4, 6, 1). Bring all to one size"),
        (["a.png", "b.png"], "embed_files(paths)"),
        ("a.png", "embed_files(paths)"),
        (None, "object of shape ()"),
        (7, "int64 of shape ()"),
        (Rows(IMAGES[:, :3], np.arange(3)), "(3, 3, 6, 1)"),
    ],
)
def test_other_shapes(images, mend):
    with pytest.raises(InputError) as error:
        checked_images(images, SHAPE)
    text = str(error.value)
    assert text.startswith("Expected uint8 images of shape (N, 4, 6, 1). Received: ")
    assert mend in text and len(text.splitlines()) == 1
    if mend.startswith("images"):
        assert checked_images(eval(mend, {"images": images}), SHAPE).shape[1:] == SHAPE


FEATS = np.ones((3, 5), np.float32)


@pytest.mark.parametrize(
    "vectors, received",
    [
        (FEATS, "Received: ndarray"),
        (None, "Received: NoneType"),
        ([FEATS, FEATS[:2]], "3 and 2"),
        ([FEATS[0], FEATS[0]], "feats[None]"),
        ([FEATS, FEATS[:, :4]], "float32 of shape (3, 4)"),
        ([FEATS.astype(int), FEATS], "int64 of shape (3, 5)"),
        ([IMAGES, IMAGES], "Take embed(images) first"),
        ([FEATS, None], "object of shape ()"),
    ],
)
def test_other_embeddings(vectors, received):
    with pytest.raises(InputError, match="Expected a pair") as error:
        checked_embeddings(vectors, 5)
    assert received in str(error.value) and len(str(error.value).splitlines()) == 1


def test_floats_of_any_precision_are_embeddings():
    (a, b) = checked_embeddings([FEATS.astype(np.float64), FEATS.astype(np.float16)], 5)
    assert a.dtype == b.dtype == np.float32 and (a == FEATS).all() and (b == FEATS).all()


def test_files_are_embedded_as_training_reads_them(tmp_path):
    model = SiameseModel(small_model.save(tmp_path / "model"))
    folder = small_model.write_folder(tmp_path / "digits", 2, 3)
    paths = sorted(folder.rglob("*.png"))
    (images, _) = small_model.images(2, 3)
    assert (model.read(paths) == images).all()
    assert (model.embed_files(paths) == model.embed(images)).all()
    assert model.embed_files([]).shape == (0, 49) == model.embed(images[:0]).shape
    rows = Rows(images, np.array([5, 1]))
    assert (model.embed(rows) == model.embed(images[[5, 1]])).all()
    with pytest.raises(InputError, match=r"Write \[path\]"):
        model.embed_files(str(paths[0]))
    (tmp_path / "words.png").write_text("words")
    with pytest.raises(InputError, match=r"words.png: cannot be read .*missing.png: cannot be op"):
        model.embed_files([paths[0], tmp_path / "words.png", tmp_path / "missing.png"])
    with pytest.raises(InputError, match=r"images \* 255"):
        model.embed(images / 255.0)
    with pytest.raises(InputError, match="Expected a pair"):
        model.distance([images, images])


def test_images_on_disk_are_read_batch_by_batch(tmp_path):
    """5,000 images stay on disk but for 255 (200,000 pixels) at a time in each of four threads."""

    class Counted(Rows):
        def __getitem__(self, key):
            taken.append(len(self.rows[key]))
            return super().__getitem__(key)

    taken = []
    model = SiameseModel(small_model.save(tmp_path / "model"))
    array = np.broadcast_to(np.uint8(255), (5000, *small_model.SHAPE))
    feats = model.embed(Counted(array, np.arange(5000)))
    assert feats.shape == (5000, 49) and max(taken) == 255 and sum(taken) == 5000
