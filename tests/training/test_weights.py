"""The weights that a training starts from, and the digests of the images behind them."""

import shutil

import numpy as np
import pytest

from pyimagesearch import config
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import DataSet, ImageSet, pixel_digests
from pyimagesearch.siamese_network import build_encoder
from pyimagesearch.training import weights
from pyimagesearch.training.weights import load_weights


def test_weights_to_start_from(tmp_path):
    recipe = config.RECIPES["keras-io"].changed(weights=str(tmp_path / "encoder.keras"))
    source, encoder = build_encoder(recipe), build_encoder(recipe)
    source.save(recipe.network.weights)
    load_weights(encoder, recipe)
    for a, b in zip(source.get_weights(), encoder.get_weights()):
        assert (a == b).all()
    other = build_encoder(recipe.changed(embedding_dim=11))
    with pytest.raises(ValueError, match="the first to differ: number 13"):
        load_weights(other, recipe)
    (tmp_path / "encoder.keras").write_text("text")
    with pytest.raises(ValueError, match=r"Expected a file encoder\.keras"):
        load_weights(encoder, recipe)
    with pytest.raises(ValueError, match="recipe triplet alone"):
        load_weights(encoder, recipe.changed(weights="imagenet"))


def test_a_weights_file_is_known_by_its_content(tmp_path):
    recipe = config.RECIPES["fast"]
    assert weights.file_digest(recipe) == "missing"
    (first, second) = (recipe.changed(weights=str(tmp_path / name)) for name in "ab")
    (tmp_path / "a").write_bytes(b"abc")
    shutil.copy(tmp_path / "a", tmp_path / "b")  # another inode, another time
    assert weights.file_digest(first).startswith("ba7816bf")  # FIPS 180's example of SHA-256
    assert weights.file_digest(second) == weights.file_digest(first)
    (tmp_path / "b").write_bytes(b"abd")
    assert weights.file_digest(second) != weights.file_digest(first)


def a_part(start, stop):
    """Images of one pixel, each its own shade."""
    labels = np.arange(stop - start, dtype=np.int32) % 2
    pixels = np.arange(start, stop, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return ImageSet(pixels, labels, sample_pairs(labels, 0))


def test_what_was_trained_on_is_all_but_the_test():
    (train, held, test) = (a_part(0, 8), a_part(8, 12), a_part(12, 20))
    known = pixel_digests(np.arange(16, 18, dtype=np.uint8).reshape(-1, 1, 1, 1))
    found = weights.trained_on(DataSet(train, held, held, test), known)
    every = pixel_digests(np.arange(20, dtype=np.uint8).reshape(-1, 1, 1, 1))
    assert found.dtype == np.uint64
    np.testing.assert_array_equal(found, np.unique(every[[*range(12), 16, 17]]))
    # a recipe that holds out none: the test only shows its loss, and nothing is chosen by it
    found = weights.trained_on(DataSet(train, test, train, test))
    np.testing.assert_array_equal(found, np.unique(every[:8]))


def test_digests_beside_the_weights(tmp_path, caplog):
    recipe = config.RECIPES["fast"]
    assert weights.known_digests(recipe) is None
    recipe = recipe.changed(weights=str(tmp_path / "encoder.keras"))
    with caplog.at_level("INFO", logger="pyimagesearch"):
        assert weights.known_digests(recipe) is None and not caplog.records  # no such file
        (tmp_path / "encoder.keras").touch()
        assert weights.known_digests(recipe) is None
    assert "says which images it was trained on" in caplog.text
    folder = tmp_path / "contrastive_siamese_model" / "assets.extra"
    folder.mkdir(parents=True)
    np.save(folder / "trained_on.npy", np.array([3, 2**63], np.uint64))
    assert weights.known_digests(recipe).tolist() == [3, 2**63]
    caplog.clear()
    for damaged in (b"", b"text", (folder / "trained_on.npy").read_bytes()[:-3]):
        (folder / "trained_on.npy").write_bytes(damaged)
        with caplog.at_level("INFO", logger="pyimagesearch"):
            assert weights.known_digests(recipe) is None
    assert len(caplog.records) == 3
